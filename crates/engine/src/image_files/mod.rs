//! Which files each layer of an image brought: of each the largest, and how many there were.

mod archive;
mod compare;

use std::io::{self, Read};

use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio_util::io::{StreamReader, SyncIoBridge};
use ts_rs::TS;

use self::archive::{Change, meaning};
pub use self::compare::{FileDifference, FileDifferences};
use crate::error::Subject;
use crate::image::REGISTRY;
use crate::transport::Call;
use crate::{Engine, Error, name};

/// How many files of a layer are told, the largest first.
const TOLD: usize = 200;

/// How many are held at once until the largest are known.
const HELD: usize = 4 * TOLD;

/// A path that is longer is cut: nobody reads it.
const LONGEST_PATH: usize = 512;

/// The files of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LayerFiles {
    /// Which step of the image's history made it, from 0; `None` where the image does not say.
    pub step: Option<usize>,
    /// The largest first, then what was removed.
    pub files: Vec<LayerFile>,
    /// How many there are, with those that are not told.
    pub count: usize,
    pub removed: usize,
    pub bytes: u64,
    /// It is stored in a way that is not read here.
    pub unread: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LayerFile {
    pub path: String,
    pub bytes: u64,
    /// The layer takes away what an earlier one brought.
    pub removed: bool,
}

impl Engine {
    /// Layers from the first on. The engine writes out all of the image for this.
    pub async fn image_files(&self, reference: &str) -> Result<Vec<LayerFiles>, Error> {
        self.read_image(reference, read).await
    }

    /// What `docker save` would write, read while it arrives.
    async fn read_image<T: Send + 'static>(
        &self,
        reference: &str,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let call = Call::get("/images/get", Subject::Image(reference), "send the image")
            .query("names", name::image(reference)?)
            .within(REGISTRY);
        let body = self.client().await?.open(call).await?.into_body();
        let pieces = http_body_util::BodyDataStream::new(body).map_err(io::Error::other);
        let mut reader = SyncIoBridge::new(StreamReader::new(pieces.boxed()));
        let read = tokio::task::spawn_blocking(move || read(&mut reader)).await;
        let garbled = |source: Box<dyn std::error::Error + Send + Sync>| Error::Garbled { source };
        read.map_err(|error| garbled(error.into()))?
            .map_err(|error| garbled(error.into()))
    }
}

fn read(image: &mut dyn Read) -> io::Result<Vec<LayerFiles>> {
    let layers = archive::read(image, files)?;
    Ok(layers
        .into_iter()
        .map(|layer| LayerFiles {
            step: layer.step,
            unread: layer.content.is_none(),
            ..layer.content.unwrap_or_default()
        })
        .collect())
}

fn files(layer: &mut dyn Read) -> io::Result<LayerFiles> {
    let mut found = LayerFiles::default();
    let mut archive = tar::Archive::new(layer);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        let (path, change) = meaning(&entry.path_bytes());
        let bytes = entry.size();
        let removed = match change {
            Change::Put => false,
            Change::Take | Change::Empty => true,
        };
        if removed {
            found.removed += 1;
        } else {
            found.count += 1;
            found.bytes += bytes;
        }
        found.files.push(LayerFile {
            path: path.chars().take(LONGEST_PATH).collect(),
            bytes,
            removed,
        });
        if found.files.len() >= HELD {
            keep_largest(&mut found.files);
        }
    }
    keep_largest(&mut found.files);
    Ok(found)
}

fn keep_largest(files: &mut Vec<LayerFile>) {
    files.sort_by(|left, right| {
        left.removed
            .cmp(&right.removed)
            .then_with(|| right.bytes.cmp(&left.bytes))
            .then_with(|| left.path.cmp(&right.path))
    });
    files.truncate(TOLD);
}

#[cfg(test)]
mod tests {
    use super::archive::tests::tar;
    use super::*;

    #[test]
    fn each_layer_is_told_with_the_step_that_made_it() {
        let first = tar(&[("bin/sh", &[1; 700]), ("etc/motd", b"hello")]);
        let second = tar(&[
            ("etc/.wh.motd", b""),
            ("data/.wh..wh..opq", b""),
            ("app/main.py", b"print()"),
        ]);
        let config = br#"{"history":[{},{"empty_layer":true},{}]}"#;
        let manifest =
            br#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["a/layer.tar","b/layer.tar","z/layer.tar"]}]"#;
        let image = tar(&[
            ("a/layer.tar", &first),
            ("b/layer.tar", &second),
            ("z/layer.tar", b"neither"),
            ("c.json", config),
            ("manifest.json", manifest),
        ]);
        let layers = read(&mut image.as_slice()).expect("read");
        let steps: Vec<Option<usize>> = layers.iter().map(|layer| layer.step).collect();
        assert_eq!(steps, [Some(0), Some(2), None]);
        let told = |layer: &LayerFiles| -> Vec<(String, bool)> {
            layer
                .files
                .iter()
                .map(|file| (file.path.clone(), file.removed))
                .collect()
        };
        assert_eq!(
            told(&layers[0]),
            [("bin/sh".to_owned(), false), ("etc/motd".to_owned(), false)]
        );
        assert_eq!((layers[0].count, layers[0].bytes), (2, 705));
        assert_eq!(
            told(&layers[1]),
            [
                ("app/main.py".to_owned(), false),
                ("data/".to_owned(), true),
                ("etc/motd".to_owned(), true)
            ]
        );
        assert!(layers[2].unread, "in a way that is not read");
    }

    #[test]
    fn of_very_many_files_the_largest_are_told() {
        let names: Vec<(String, Vec<u8>)> = (0..2_000).map(|nth| (format!("f{nth}"), vec![0; nth % 600])).collect();
        let entries: Vec<(&str, &[u8])> = names
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()))
            .collect();
        let layer = files(&mut tar(&entries).as_slice()).expect("read");
        assert_eq!((layer.count, layer.files.len()), (2_000, TOLD));
        assert!(layer.files.iter().all(|file| file.bytes > 500));
    }

    #[test]
    fn a_broken_one_is_an_error_and_not_a_panic() {
        let image = tar(&[("a/layer.tar", &[1; 600])]);
        assert!(read(&mut &image[..700]).is_err());
        assert!(read(&mut &b"not a tar at all, but some words"[..]).is_err());
    }
}
