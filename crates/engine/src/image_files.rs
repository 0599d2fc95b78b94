//! Which files each layer of an image brought, read from the tar that `docker save` makes, while it arrives.
//!
//! Nothing of it is stored: of each layer the largest files are kept, and how many there were.

use std::collections::HashMap;
use std::io::{self, Read};

use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio_util::io::{StreamReader, SyncIoBridge};
use ts_rs::TS;

use crate::error::Subject;
use crate::image::REGISTRY;
use crate::transport::Call;
use crate::{Engine, Error, name};

/// How many files of a layer are told, the largest first.
const TOLD: usize = 200;

/// How many are held at once until the largest are known.
const HELD: usize = 4 * TOLD;

/// A file of JSON in an image is a list of layers, or what a Dockerfile says.
const LONGEST_JSON: u64 = 8 << 20;

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
        let call = Call::get("/images/get", Subject::Image(reference), "send the image")
            .query("names", name::image(reference)?)
            .within(REGISTRY);
        let body = self.client().await?.open(call).await?.into_body();
        let pieces = http_body_util::BodyDataStream::new(body).map_err(io::Error::other);
        let reader = SyncIoBridge::new(StreamReader::new(pieces.boxed()));
        let read = tokio::task::spawn_blocking(move || read(reader)).await;
        let garbled = |source: Box<dyn std::error::Error + Send + Sync>| Error::Garbled { source };
        read.map_err(|error| garbled(error.into()))?
            .map_err(|error| garbled(error.into()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    layers: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    history: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    empty_layer: bool,
}

fn read(image: impl Read) -> io::Result<Vec<LayerFiles>> {
    let mut layers: HashMap<String, LayerFiles> = HashMap::new();
    let mut links: HashMap<String, String> = HashMap::new();
    let mut configs: HashMap<String, Config> = HashMap::new();
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut archive = tar::Archive::new(image);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            tar::EntryType::Symlink => {
                // A layer that an image has twice is there once: `../ID/layer.tar`.
                if let Some(target) = entry.link_name_bytes() {
                    let target = String::from_utf8_lossy(&target).trim_start_matches("../").to_owned();
                    links.insert(path, target);
                }
            }
            tar::EntryType::Regular => {
                let mut start = [0; 512];
                let length = fill(&mut entry, &mut start)?;
                let start = &start[..length];
                let size = entry.size();
                if start.first().is_some_and(|first| b"{[".contains(first)) && size <= LONGEST_JSON {
                    let mut text = start.to_vec();
                    entry.read_to_end(&mut text)?;
                    if path == "manifest.json" {
                        manifests = serde_json::from_slice(&text).unwrap_or_default();
                    } else if let Ok(config) = serde_json::from_slice(&text) {
                        configs.insert(path, config);
                    }
                } else if is_tar(start) {
                    layers.insert(path, files(start.chain(entry))?);
                } else {
                    let unread = LayerFiles {
                        unread: true,
                        ..LayerFiles::default()
                    };
                    layers.insert(path, unread);
                }
            }
            _ => {}
        }
    }
    let Some(manifest) = manifests.into_iter().next() else {
        return Ok(Vec::new());
    };
    let config = configs.remove(&manifest.config).unwrap_or_default();
    let mut steps = config
        .history
        .iter()
        .enumerate()
        .filter(|(_, step)| !step.empty_layer)
        .map(|(index, _)| index);
    Ok(manifest
        .layers
        .iter()
        .map(|path| {
            let path = links.get(path).unwrap_or(path);
            let mut layer = layers.get(path).cloned().unwrap_or_default();
            layer.step = steps.next();
            layer
        })
        .collect())
}

/// As much as there is.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// `ustar` at its place, or nothing but zeros: an empty one.
fn is_tar(start: &[u8]) -> bool {
    start.len() == 512 && (&start[257..262] == b"ustar" || start.iter().all(|byte| *byte == 0))
}

fn files(layer: impl Read) -> io::Result<LayerFiles> {
    let mut found = LayerFiles::default();
    let mut archive = tar::Archive::new(layer);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        let mut path: String = String::from_utf8_lossy(&entry.path_bytes())
            .trim_start_matches("./")
            .chars()
            .take(LONGEST_PATH)
            .collect();
        let bytes = entry.size();
        let file = path.rsplit('/').next().unwrap_or_default();
        // "Opaque": the folder starts anew. It takes away what was in it.
        let hidden = file
            .strip_prefix(".wh.")
            .map(|name| if name == ".wh..opq" { "" } else { name }.len());
        if let Some(length) = hidden {
            let folder = path.len() - file.len();
            let name_at = path.len() - length;
            path = format!("{}{}", &path[..folder], &path[name_at..]);
            found.removed += 1;
        } else {
            found.count += 1;
            found.bytes += bytes;
        }
        found.files.push(LayerFile {
            path,
            bytes,
            removed: hidden.is_some(),
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
    use super::*;

    fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).expect("added");
        }
        builder.into_inner().expect("a tar")
    }

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
            ("z/layer.tar", &[0x1f, 0x8b, 8, 0]),
            ("c.json", config),
            ("manifest.json", manifest),
        ]);
        let layers = read(image.as_slice()).expect("read");
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
        assert!(layers[2].unread, "compressed in a way that is not read");
    }

    #[test]
    fn of_very_many_files_the_largest_are_told() {
        let names: Vec<(String, Vec<u8>)> = (0..2_000).map(|nth| (format!("f{nth}"), vec![0; nth % 600])).collect();
        let entries: Vec<(&str, &[u8])> = names
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()))
            .collect();
        let layer = files(tar(&entries).as_slice()).expect("read");
        assert_eq!((layer.count, layer.files.len()), (2_000, TOLD));
        assert!(layer.files.iter().all(|file| file.bytes > 500));
    }

    #[test]
    fn a_broken_one_is_an_error_and_not_a_panic() {
        let image = tar(&[("a/layer.tar", &[1; 600])]);
        assert!(read(&image[..700]).is_err());
        assert!(read(&b"not a tar at all, but some words"[..]).is_err());
    }
}
