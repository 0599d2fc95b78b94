//! The tar that `docker save` makes, read while it arrives: nothing of it is stored.
//!
//! Moby's own store writes layers as plain tars; containerd's writes them as the registry had them, compressed.

use std::collections::HashMap;
use std::io::{self, Read};

use serde::Deserialize;

/// A file of JSON in an image is a list of layers, or what a Dockerfile says.
const LONGEST_JSON: u64 = 8 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How much of a file is enough to know what it is.
const START: usize = 512;

/// A layer as it was read.
pub(super) struct Layer<T> {
    /// Which step of the image's history made it, from 0; `None` where the image does not say.
    pub(super) step: Option<usize>,
    /// `None`: it is stored in a way that is not read here.
    pub(super) content: Option<T>,
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

/// Layers from the first on. `each` reads one, as a tar.
pub(super) fn read<T: Clone>(
    image: impl Read,
    mut each: impl FnMut(&mut dyn Read) -> io::Result<T>,
) -> io::Result<Vec<Layer<T>>> {
    let mut layers: HashMap<String, Option<T>> = HashMap::new();
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
                let start = start_of(&mut entry)?;
                let size = entry.size();
                if start.first().is_some_and(|first| b"{[".contains(first)) && size <= LONGEST_JSON {
                    let mut text = start;
                    entry.read_to_end(&mut text)?;
                    if path == "manifest.json" {
                        manifests = serde_json::from_slice(&text).unwrap_or_default();
                    } else if let Ok(config) = serde_json::from_slice(&text) {
                        configs.insert(path, config);
                    }
                } else {
                    layers.insert(path, layer(start, &mut entry, &mut each)?);
                }
            }
            _ => {}
        }
    }
    let Some(manifest) = manifests.into_iter().next() else {
        return Ok(Vec::new());
    };
    let config = configs.remove(&manifest.config).unwrap_or_default();
    let steps = config.history.iter().enumerate();
    let mut steps = steps.filter(|(_, step)| !step.empty_layer).map(|(index, _)| index);
    Ok(manifest
        .layers
        .iter()
        .map(|path| Layer {
            content: layers.get(links.get(path).unwrap_or(path)).cloned().flatten(),
            step: steps.next(),
        })
        .collect())
}

/// `None` for what is neither a tar nor a compressed one.
fn layer<T>(
    start: Vec<u8>,
    rest: &mut dyn Read,
    each: &mut impl FnMut(&mut dyn Read) -> io::Result<T>,
) -> io::Result<Option<T>> {
    if is_tar(&start) {
        return each(&mut start.as_slice().chain(rest)).map(Some);
    }
    let mut plain: Box<dyn Read + '_> = if start.starts_with(GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(io::Cursor::new(start).chain(rest)))
    } else if start.starts_with(ZSTD) {
        Box::new(zstd::stream::read::Decoder::new(io::Cursor::new(start).chain(rest))?)
    } else {
        return Ok(None);
    };
    let start = start_of(&mut plain)?;
    if is_tar(&start) {
        each(&mut start.as_slice().chain(plain)).map(Some)
    } else {
        Ok(None)
    }
}

/// As much as there is of the first bytes.
fn start_of(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(START);
    from.by_ref().take(START as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// `ustar` at its place, or nothing but zeros: an empty one.
fn is_tar(start: &[u8]) -> bool {
    start.len() == START && (&start[257..262] == b"ustar" || start.iter().all(|byte| *byte == 0))
}

/// What an entry of a layer does to the image.
pub(super) enum Change {
    /// A file, a link, a device.
    Put,
    /// An earlier layer's file or folder goes.
    Take,
    /// What earlier layers put into this folder goes; its name ends with a slash.
    Empty,
}

/// The path that an entry means, without the marks that take things away.
pub(super) fn meaning(path: &[u8]) -> (String, Change) {
    let path = String::from_utf8_lossy(path).trim_start_matches("./").to_owned();
    let file = path.rsplit('/').next().unwrap_or_default();
    let folder = &path[..path.len() - file.len()];
    match file.strip_prefix(".wh.") {
        // "Opaque": the folder starts anew.
        Some(".wh..opq") => (folder.to_owned(), Change::Empty),
        Some(name) => (format!("{folder}{name}"), Change::Take),
        None => (path, Change::Put),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use super::*;

    pub(in super::super) fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).expect("added");
        }
        builder.into_inner().expect("a tar")
    }

    /// As an engine writes one with these layers.
    pub(in super::super) fn image(layers: &[&[u8]]) -> Vec<u8> {
        let names: Vec<String> = (0..layers.len()).map(|nth| format!("blobs/sha256/{nth}")).collect();
        let manifest = serde_json::json!([{ "Config": "c.json", "Layers": names }]).to_string();
        let mut entries: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(layers.iter().copied()).collect();
        entries.push(("c.json", br#"{"history":[]}"#));
        entries.push(("manifest.json", manifest.as_bytes()));
        tar(&entries)
    }

    #[test]
    fn layers_are_read_as_a_registry_has_them() {
        let plain = tar(&[("bin/sh", &[1; 7_000])]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).expect("written");
        let gzip = gzip.finish().expect("compressed");
        let zstd = zstd::stream::encode_all(plain.as_slice(), 1).expect("compressed");
        let odd = zstd::stream::encode_all(&b"no tar"[..], 1).expect("compressed");
        let stored = image(&[&plain, &gzip, &zstd, &odd, b"neither"]);
        let count = |layer: &mut dyn Read| io::copy(layer, &mut io::sink());
        let layers = read(stored.as_slice(), count).expect("read");
        let lengths: Vec<Option<u64>> = layers.iter().map(|layer| layer.content).collect();
        let length = plain.len() as u64;
        assert_eq!(lengths, [Some(length), Some(length), Some(length), None, None]);
        let broken = image(&[&gzip[..gzip.len() / 2]]);
        assert!(
            read(broken.as_slice(), count).is_err(),
            "half a layer is said to be broken"
        );
    }
}
