//! The system image: where it is, and whether it is whole.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{Failure, FailureCode, Step};

/// Names the folder of an image to use instead of the one that came with Wherry.
const VARIABLE: &str = "WHERRY_GUEST";

/// The image's folder is looked for beside the program and in this many folders above it: `guest/<arch>` stands
/// beside an installed `wherry`, and in `target` of a checkout.
const FOLDERS_ABOVE: usize = 2;

const ROOT: &str = "root.erofs";
const MANIFEST: &str = "manifest.json";
const KERNEL: &str = if cfg!(target_arch = "aarch64") {
    "Image"
} else {
    "vmlinux"
};

#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) kernel: PathBuf,
    pub(crate) root: PathBuf,
    manifest: Manifest,
}

#[derive(Clone, Debug, Deserialize)]
struct Manifest {
    /// Not every image states these; its file system tells its own size in any case.
    #[serde(default)]
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug, Deserialize)]
struct File {
    size: u64,
    sha256: String,
}

impl Image {
    /// Finds the image for a Wherry whose program this is.
    pub(crate) fn find(program: &Path) -> Result<Self, Failure> {
        let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        Self::find_in(named.map(PathBuf::from), program)
    }

    fn find_in(named: Option<PathBuf>, program: &Path) -> Result<Self, Failure> {
        let folders = match named {
            Some(folder) => vec![folder],
            None => program
                .canonicalize()
                .unwrap_or_else(|_| program.to_owned())
                .ancestors()
                .skip(1)
                .take(1 + FOLDERS_ABOVE)
                .map(|folder| folder.join("guest").join(std::env::consts::ARCH))
                .collect(),
        };
        match folders.iter().find(|folder| folder.is_dir()) {
            Some(folder) => Self::open(folder),
            None => Err(missing(&folders)),
        }
    }

    /// Takes the image in this folder after a look at its sizes, which is what an interrupted download or a full
    /// disk gets wrong. [`Image::verify`] reads everything.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(MANIFEST);
        let text = fs_err::read(&path).map_err(|error| damaged(folder, error.to_string()))?;
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| damaged(folder, format!("{} cannot be read: {error}", path.display())))?;
        for name in [KERNEL, ROOT] {
            let path = folder.join(name);
            let length = fs_err::metadata(&path)
                .map_err(|error| damaged(folder, error.to_string()))?
                .len();
            if let Some(stated) = manifest.files.get(name).filter(|stated| stated.size != length) {
                let cause = format!(
                    "{} has {length} bytes; its manifest says {}",
                    path.display(),
                    stated.size
                );
                return Err(damaged(folder, cause));
            }
        }
        let root = folder.join(ROOT);
        let cut = is_cut_short(&root).map_err(|error| damaged(folder, error.to_string()))?;
        if let Some(cause) = cut {
            return Err(damaged(folder, format!("{} {cause}", root.display())));
        }
        // The real path: QEMU is to keep the files it has even when the folder's name leads to newer ones.
        let folder = folder
            .canonicalize()
            .map_err(|error| damaged(folder, error.to_string()))?;
        Ok(Self {
            kernel: folder.join(KERNEL),
            root: folder.join(ROOT),
            manifest,
        })
    }

    /// An image that exists in name only.
    #[cfg(test)]
    pub(crate) fn imagined(folder: &Path) -> Self {
        let manifest = Manifest { files: BTreeMap::new() };
        Self {
            kernel: folder.join("vmlinux"),
            root: folder.join(ROOT),
            manifest,
        }
    }

    /// Reads the whole image and compares it with its checksums. Takes about a second, so it is done only when a
    /// machine gave no sign of life.
    pub(crate) fn verify(&self) -> Result<(), Failure> {
        for path in [&self.kernel, &self.root] {
            let folder = path.parent().unwrap_or(path);
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some(stated) = self.manifest.files.get(&*name) else {
                continue;
            };
            let sum = sha256(path).map_err(|error| damaged(folder, error.to_string()))?;
            if !stated.sha256.eq_ignore_ascii_case(&sum) {
                return Err(damaged(
                    folder,
                    format!("{} is not what its manifest says", path.display()),
                ));
            }
        }
        Ok(())
    }
}

/// What is wrong with an erofs image at first sight. The numbers are of its superblock: the magic number, the size of a
/// block as a power of two, and the number of blocks (`fs/erofs/erofs_fs.h` in Linux).
fn is_cut_short(path: &Path) -> io::Result<Option<String>> {
    const SUPERBLOCK: usize = 1024;
    const MAGIC: [u8; 4] = 0xE0F5_E1E2_u32.to_le_bytes();
    let mut start = [0; SUPERBLOCK + 40];
    let mut file = fs_err::File::open(path)?;
    if let Err(error) = file.read_exact(&mut start) {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Ok(Some("is too short to be a file system".into())),
            _ => Err(error),
        };
    }
    let superblock = &start[SUPERBLOCK..];
    if !superblock.starts_with(&MAGIC) {
        return Ok(Some("is no erofs file system".into()));
    }
    let blocks = u32::from_le_bytes([superblock[36], superblock[37], superblock[38], superblock[39]]);
    let needed = u64::from(blocks) << superblock[12].min(16);
    let length = file.metadata()?.len();
    Ok((length < needed).then(|| format!("has {length} bytes; its file system has {needed}")))
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => digest.update(&chunk[..read]),
        }
    }
    Ok(format!("{:x}", digest.finalize()))
}

fn missing(folders: &[PathBuf]) -> Failure {
    Failure {
        code: FailureCode::ImageMissing,
        step: Some(Step::Check),
        message: "The machine's system image is not there".into(),
        causes: folders
            .iter()
            .map(|folder| format!("Nothing at {}", folder.display()))
            .collect(),
        hint: "Install Wherry again. In a checkout, make the image with: cargo xtask guest".into(),
        console: Vec::new(),
    }
}

fn damaged(folder: &Path, cause: String) -> Failure {
    Failure {
        code: FailureCode::ImageDamaged,
        step: Some(Step::Check),
        message: format!("The machine's system image in {} is damaged", folder.display()),
        causes: vec![cause],
        hint: "Install Wherry again; containers and images are elsewhere and stay. In a checkout, make the image \
               anew with: cargo xtask guest"
            .into(),
        console: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two blocks of 4096 bytes with a superblock that says so.
    fn erofs(filling: u8) -> Vec<u8> {
        let mut image = vec![filling; 8192];
        image[1024..1028].copy_from_slice(&0xE0F5_E1E2_u32.to_le_bytes());
        image[1024 + 12] = 12;
        image[1024 + 36..1024 + 40].copy_from_slice(&2_u32.to_le_bytes());
        image
    }

    fn image() -> io::Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        fs_err::write(folder.path().join(KERNEL), "kernel")?;
        fs_err::write(folder.path().join(ROOT), erofs(b'1'))?;
        let manifest = serde_json::json!({ "files": {
            KERNEL: { "size": 6, "sha256": sha256(&folder.path().join(KERNEL))? },
            ROOT: { "size": 8192, "sha256": sha256(&folder.path().join(ROOT))? },
        }});
        fs_err::write(folder.path().join(MANIFEST), manifest.to_string())?;
        Ok(folder)
    }

    #[test]
    fn a_whole_image_is_taken() -> io::Result<()> {
        let folder = image()?;
        let image = Image::open(folder.path()).expect("whole");
        image.verify().expect("whole to the last byte");
        Ok(())
    }

    #[test]
    fn a_short_file_is_seen_at_once_and_a_changed_one_by_verifying() -> io::Result<()> {
        let folder = image()?;
        fs_err::write(folder.path().join(ROOT), erofs(b'2'))?;
        let image = Image::open(folder.path()).expect("its sizes are right");
        assert_eq!(image.verify().expect_err("changed").code, FailureCode::ImageDamaged);
        fs_err::write(folder.path().join(ROOT), "ro")?;
        let failure = Image::open(folder.path()).expect_err("short");
        assert_eq!(failure.code, FailureCode::ImageDamaged);
        assert!(
            failure.causes[0].contains("has 2 bytes; its manifest says 8192"),
            "{failure:?}"
        );
        Ok(())
    }

    #[test]
    fn a_manifest_without_sizes_leaves_the_file_systems_own() -> io::Result<()> {
        let folder = image()?;
        fs_err::write(folder.path().join(MANIFEST), "{}")?;
        Image::open(folder.path()).expect("whole");
        fs_err::write(folder.path().join(ROOT), &erofs(b'1')[..5000])?;
        let failure = Image::open(folder.path()).expect_err("short");
        assert!(
            failure.causes[0].contains("has 5000 bytes; its file system has 8192"),
            "{failure:?}"
        );
        fs_err::write(folder.path().join(ROOT), vec![0; 8192])?;
        let failure = Image::open(folder.path()).expect_err("something else");
        assert!(failure.causes[0].contains("is no erofs"), "{failure:?}");
        Ok(())
    }

    #[test]
    fn an_image_that_is_nowhere_is_missing_and_says_where_it_was_looked_for() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let failure = Image::find_in(None, &folder.path().join("a/b/wherry")).expect_err("nothing there");
        assert_eq!(failure.code, FailureCode::ImageMissing);
        assert_eq!(failure.causes.len(), 3);
        Ok(())
    }
}
