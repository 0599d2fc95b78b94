//! Which files two images do not have alike: what each would show in a container, layer upon layer.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::archive::{self, Change};
use crate::{Engine, Error};

/// How many differences are told, the largest first.
const TOLD: usize = 1000;

/// More than this nobody ships, and no computer should hold.
const MOST_FILES: usize = 2_000_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileDifferences {
    /// The largest first.
    pub files: Vec<FileDifference>,
    /// How many there are, with those that are not told.
    pub added: usize,
    pub removed: usize,
    pub changed: usize,
    pub same: usize,
    /// A layer is stored in a way that is not read here, so files may be missing.
    pub unread: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FileDifference {
    pub path: String,
    /// In bytes; `None` where the first image does not have it.
    pub before: Option<u64>,
    /// `None` where the second does not.
    pub after: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct File {
    bytes: u64,
    /// Of what is in it, or of where it points to.
    hash: u64,
}

type Files = BTreeMap<String, File>;

/// What one layer does, in its own order.
type Layer = Vec<(String, Change, File)>;

impl Engine {
    /// The engine writes out both images for this.
    pub async fn compare_images(&self, before: &str, after: &str) -> Result<FileDifferences, Error> {
        let ((before, unread), (after, also)) =
            tokio::try_join!(self.read_image(before, read), self.read_image(after, read),)?;
        Ok(FileDifferences {
            unread: unread || also,
            ..differences(&before, &after)
        })
    }
}

/// What a container of it would see, and whether something could not be read.
fn read(image: &mut dyn Read) -> io::Result<(Files, bool)> {
    let mut held = 0;
    let layers = archive::read(image, |layer| self::layer(layer, &mut held).map(std::rc::Rc::new))?;
    let mut files = Files::new();
    let mut unread = false;
    for layer in layers {
        match layer.content {
            Some(layer) => apply(&mut files, &layer),
            None => unread = true,
        }
    }
    Ok((files, unread))
}

fn layer(layer: &mut dyn Read, held: &mut usize) -> io::Result<Layer> {
    let mut found = Vec::new();
    let mut archive = tar::Archive::new(layer);
    let mut piece = vec![0; 32 << 10];
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        *held += 1;
        if *held > MOST_FILES {
            return Err(io::Error::other("the image has too many files to compare"));
        }
        let (path, change) = archive::meaning(&entry.path_bytes());
        let mut hasher = DefaultHasher::new();
        if let Some(target) = entry.link_name_bytes() {
            hasher.write(&target);
        }
        loop {
            match entry.read(&mut piece)? {
                0 => break,
                length => hasher.write(&piece[..length]),
            }
        }
        let file = File {
            bytes: entry.size(),
            hash: hasher.finish(),
        };
        found.push((path, change, file));
    }
    Ok(found)
}

/// First what it takes from earlier layers, then what it brings: its own marks never mean its own files.
fn apply(files: &mut Files, layer: &Layer) {
    for (path, change, _) in layer {
        match change {
            Change::Put => {}
            Change::Take => {
                files.remove(path);
                empty(files, &format!("{path}/"));
            }
            Change::Empty => empty(files, path),
        }
    }
    for (path, change, file) in layer {
        if let Change::Put = change {
            files.insert(path.clone(), *file);
        }
    }
}

fn empty(files: &mut Files, folder: &str) {
    let inside = files.range(folder.to_owned()..);
    let gone: Vec<String> = inside
        .map(|(path, _)| path)
        .take_while(|path| path.starts_with(folder))
        .cloned()
        .collect();
    for path in gone {
        files.remove(&path);
    }
}

fn differences(before: &Files, after: &Files) -> FileDifferences {
    let mut found = FileDifferences::default();
    for (path, old) in before {
        let new = after.get(path);
        if new == Some(old) {
            found.same += 1;
            continue;
        }
        match new {
            Some(_) => found.changed += 1,
            None => found.removed += 1,
        }
        found.files.push(FileDifference {
            path: path.clone(),
            before: Some(old.bytes),
            after: new.map(|new| new.bytes),
        });
    }
    for (path, new) in after {
        if !before.contains_key(path) {
            found.added += 1;
            found.files.push(FileDifference {
                path: path.clone(),
                before: None,
                after: Some(new.bytes),
            });
        }
    }
    let largest = |file: &FileDifference| file.before.max(file.after);
    found.files.sort_by(|left, right| {
        largest(right)
            .cmp(&largest(left))
            .then_with(|| left.path.cmp(&right.path))
    });
    found.files.truncate(TOLD);
    found
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::{image, tar};
    use super::*;

    #[test]
    fn what_a_container_would_see_is_compared() {
        let base = tar(&[
            ("bin/sh", &[1; 700]),
            ("etc/motd", b"hello"),
            ("etc/same", b"same"),
            ("lib/a", b"a"),
            ("lib/b", b"b"),
            ("old/x", b"x"),
        ]);
        let next = tar(&[
            ("etc/motd", b"HELLO"),
            ("etc/same", b"same"),
            ("lib/.wh.a", b""),
            ("old/.wh..wh..opq", b""),
            ("old/y", &[2; 900]),
            ("bin/.wh.sh", b""),
        ]);
        let (before, _) = read(&mut image(&[&base]).as_slice()).expect("read");
        let (after, unread) = read(&mut image(&[&base, &next]).as_slice()).expect("read");
        let found = differences(&before, &after);
        assert!(!unread);
        assert_eq!((found.added, found.removed, found.changed, found.same), (1, 3, 1, 2));
        let told: Vec<_> = found
            .files
            .iter()
            .map(|file| (file.path.as_str(), file.before, file.after))
            .collect();
        assert_eq!(
            told,
            [
                ("old/y", None, Some(900)),
                ("bin/sh", Some(700), None),
                ("etc/motd", Some(5), Some(5)),
                ("lib/a", Some(1), None),
                ("old/x", Some(1), None),
            ]
        );
        let (_, unread) = read(&mut image(&[&base, b"neither"]).as_slice()).expect("read");
        assert!(unread);
    }
}
