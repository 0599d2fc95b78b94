//! Images for the tests, made from Debian packages because no registry of the world is asked.
//!
//! They are made once and kept in a registry's storage below the person's cache folder, named by the hash of this
//! recipe, so that a second run and a clean checkout take them as they are.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::engine::Engine;
use crate::process::run;
use crate::registry::Registry;

/// Everything an image is made of: a Debian 13 tree with these packages, and what the image says of itself.
#[derive(Hash)]
struct Recipe {
    reference: &'static str,
    packages: &'static str,
    /// Run in the tree, after the packages.
    hook: &'static str,
    changes: &'static [&'static str],
}

const PATH: &str = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

const RECIPES: &[Recipe] = &[
    Recipe {
        reference: "library/python:3.13-slim",
        packages: "python3-minimal,libpython3.13-stdlib,media-types,netbase",
        hook: r#"ln -s ../../bin/python3 "$1/usr/local/bin/python""#,
        changes: &[PATH, "ENV PYTHON_VERSION=3.13", r#"CMD ["python3"]"#],
    },
    Recipe {
        reference: "library/nginx:latest",
        packages: "nginx-light",
        hook: r#"ln -sf /dev/stdout "$1/var/log/nginx/access.log"; ln -sf /dev/stderr "$1/var/log/nginx/error.log""#,
        changes: &[PATH, "EXPOSE 80", r#"CMD ["nginx", "-g", "daemon off;"]"#],
    },
];

/// A registry's storage that holds every image of [`RECIPES`].
pub fn storage() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    RECIPES.hash(&mut hasher);
    let cache = cache().join("test-images");
    let storage = cache.join(format!("{:016x}", hasher.finish()));
    fs_err::create_dir_all(&cache).expect("the cache folder");
    let turn = fs_err::File::create(cache.join("lock")).expect("a lock file");
    turn.file().lock().expect("the lock");
    if !storage.is_dir() {
        let making = tempfile::tempdir_in(&cache).expect("a folder in the cache");
        fill(making.path());
        fs_err::rename(making.keep(), &storage).expect("the storage takes its name");
    }
    storage
}

pub(crate) fn cache() -> PathBuf {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .expect("HOME is set")
        .join("wherry")
}

fn fill(storage: &Path) {
    let registry = Registry::serve(storage);
    let engine = Engine::start(None);
    for recipe in RECIPES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tree = folder.path().join("tree.tar");
        run(Command::new("mmdebstrap")
            .args([
                "--variant=minbase",
                "--quiet",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
            ])
            .args([
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
            ])
            .args([
                "--aptopt=APT::Install-Recommends \"false\"",
                "--aptopt=Acquire::Languages \"none\"",
            ])
            .arg(format!("--include={}", recipe.packages))
            .arg("--customize-hook=mkdir -p \"$1/usr/local/bin\"")
            .arg(format!("--customize-hook={}", recipe.hook))
            .arg("--customize-hook=rm -rf \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*")
            .arg("trixie")
            .arg(&tree));
        let name = format!("{}/{}", registry.address(), recipe.reference);
        let mut import = engine.docker();
        import.arg("import");
        for change in recipe.changes {
            import.args(["--change", change]);
        }
        run(import.arg(&tree).arg(&name));
        run(engine.docker().args(["push", &name]));
    }
}

/// What the page of the busybox image says.
pub const PAGE: &str = "served by wherry's test";

/// An image small enough to go into any engine: busybox from Debian's static build, as a tar for `docker import`.
pub fn busybox_tar(folder: &Path) -> PathBuf {
    let root = folder.join("busybox");
    fs_err::create_dir_all(root.join("bin")).expect("a folder");
    fs_err::copy(busybox(), root.join("bin/busybox")).expect("a copy");
    for name in [
        "sh", "ls", "cat", "echo", "sleep", "httpd", "wget", "nc", "true", "false", "seq", "hostname", "ps",
        "nslookup", "id", "mkdir", "chmod", "chown", "find", "test", "touch", "rm", "mv",
    ] {
        let link = root.join("bin").join(name);
        if !link.exists() {
            run(Command::new("ln").args(["-s", "busybox"]).arg(&link));
        }
    }
    fs_err::create_dir_all(root.join("www")).expect("a folder");
    fs_err::write(root.join("www/index.html"), format!("{PAGE}\n")).expect("a page");
    let tar = folder.join("busybox.tar");
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."));
    tar
}

/// The program of Debian's static build.
pub(crate) fn busybox() -> &'static Path {
    ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.is_file())
        .expect("busybox-static is installed")
}

/// An image without a program: its `/usr` is put over it by whoever runs it (see [`crate::tools::tree`]).
pub fn bare_tar(folder: &Path) -> PathBuf {
    let root = folder.join("bare");
    for made in ["usr", "etc/alternatives", "tmp", "work", "tools"] {
        fs_err::create_dir_all(root.join(made)).expect("a folder");
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        run(Command::new("ln")
            .arg("-s")
            .arg(format!("usr/{name}"))
            .arg(root.join(name)));
    }
    let which = root.join("etc/alternatives/which");
    if !which.is_symlink() {
        run(Command::new("ln")
            .arg("-s")
            .arg("/usr/bin/which.debianutils")
            .arg(which));
    }
    let users = "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
    fs_err::write(root.join("etc/passwd"), users).expect("users");
    fs_err::write(root.join("etc/group"), "root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n").expect("groups");
    let tar = folder.join("bare.tar");
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."));
    tar
}
