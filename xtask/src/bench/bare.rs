//! The machine's own QEMU, kernel and image without Wherry: the arguments of one that runs, with a first program of the
//! bench's.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, process};

/// Short against a boot, and no load worth mentioning.
const POLL: Duration = Duration::from_millis(5);

/// What busybox is called by.
const NAMES: [&str; 10] = [
    "sh", "cat", "mount", "umount", "mkdir", "chroot", "sync", "kill", "pidof", "poweroff",
];

pub(super) struct Bare {
    program: String,
    arguments: Vec<String>,
    console: PathBuf,
    patience: Duration,
}

impl Bare {
    /// Takes the arguments of the machine that runs and puts a disk of its own into them: busybox, these programs, the
    /// script that is run first, and room for the engine. Shared folders are taken out.
    pub(super) fn from_running(
        status: &serde_json::Value,
        folder: &Path,
        init: &str,
        programs: &[&Path],
    ) -> Result<Self, Error> {
        let pid = &status["state"]["running"]["pid"];
        let line = fs_err::read_to_string(format!("/proc/{pid}/cmdline"))?;
        let mut words = line.split_terminator('\0').map(str::to_owned);
        let program = words.next().unwrap_or_default();
        let (disk, console) = (folder.join("disk"), folder.join("console"));
        make_disk(&folder.join("tree"), &disk, init, programs)?;
        let arguments = without_folders(words)
            .map(|word| bare_argument(word, &disk, &console))
            .collect();
        Ok(Self {
            program,
            arguments,
            console,
            patience: Duration::from_mins(5),
        })
    }

    /// With another virtio-fs device, served at this socket.
    pub(super) fn with_files(mut self, tag: &str, socket: &Path) -> Self {
        let chardev = format!("socket,id={tag},path={}", socket.display());
        let device = format!("vhost-user-fs-pci,chardev={tag},tag={tag}");
        let more = ["-chardev", &chardev, "-device", &device].map(str::to_owned);
        // Before the ones that stand alone.
        self.arguments.splice(0..0, more);
        self
    }

    /// Longer than any run that is worth a figure.
    pub(super) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Boots it and waits until it has powered off. Returned are the seconds from the start of QEMU to these words on
    /// its console, and all that the console says.
    pub(super) fn boot(&self, words: &str) -> Result<(f64, String), Error> {
        if self.console.exists() {
            fs_err::remove_file(&self.console)?;
        }
        let begun = Instant::now();
        let mut qemu = process::command(&self.program, &self.arguments);
        let child = qemu.stdout(Stdio::null()).spawn();
        let mut child = Ended(child.map_err(|source| Error::Start {
            program: self.program.clone(),
            source,
        })?);
        let said = || fs_err::read_to_string(&self.console).unwrap_or_default();
        while !said().contains(words) {
            if begun.elapsed() > self.patience || child.0.try_wait()?.is_some() {
                crate::output::line(said());
                return Err(Error::Missing {
                    what: format!("\"{words}\" on the bare machine's console"),
                    hint: "The console is above.".to_owned(),
                });
            }
            thread::sleep(POLL);
        }
        let took = begun.elapsed().as_secs_f64();
        // The script powers off, so that the next boot finds a clean disk as ours does.
        while begun.elapsed() < self.patience && child.0.try_wait()?.is_none() {
            thread::sleep(POLL);
        }
        Ok((took, said()))
    }
}

/// Without the shared folders: nobody serves them when the machine does not run. All arguments but the last ones, which
/// stand alone, are an option and its value.
fn without_folders(words: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let folders = |value: &str| value.starts_with("socket,id=files,") || value.starts_with("vhost-user-fs-pci,");
    let mut words = words.peekable();
    std::iter::from_fn(move || {
        while let Some(word) = words.next() {
            if word.starts_with('-') && words.peek().is_some_and(|value| folders(value)) {
                words.next();
                continue;
            }
            return Some(word);
        }
        None
    })
}

/// An argument of the machine's QEMU as the bare one needs it.
fn bare_argument(argument: String, disk: &Path, console: &Path) -> String {
    if argument.contains("init=") {
        // Without the agent Linux brings up its processors itself.
        let kept = argument.split(' ').filter(|word| {
            !["root=", "rootfstype=", "init=", "maxcpus=", "noreplace-smp"]
                .iter()
                .any(|option| word.starts_with(option))
                && *word != "ro"
        });
        return format!(
            "{} root=/dev/vdb rootfstype=ext4 rw init=/init",
            kept.collect::<Vec<_>>().join(" ")
        );
    }
    if argument.contains("id=data,") {
        let kept = argument.split(',').filter(|part| !part.starts_with("file="));
        return format!("{},file={}", kept.collect::<Vec<_>>().join(","), disk.display());
    }
    if argument.starts_with("file,id=console") {
        return format!("file,id=console,path={}", console.display());
    }
    for id in ["link", "qmp"] {
        if argument.starts_with(&format!("socket,id={id},")) {
            return format!("null,id={id}");
        }
    }
    argument
}

fn make_disk(tree: &Path, disk: &Path, init: &str, programs: &[&Path]) -> Result<(), Error> {
    for folder in ["bin", "dev", "image", "proc", "data/docker", "data/containerd"] {
        fs_err::create_dir_all(tree.join(folder))?;
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    fs_err::copy(busybox.unwrap_or("/bin/busybox"), tree.join("bin/busybox"))?;
    for name in NAMES {
        process::run(process::command("ln", ["--symbolic", "--force", "busybox"]).arg(tree.join("bin").join(name)))?;
    }
    for program in programs {
        fs_err::copy(program, tree.join("bin").join(program.file_name().unwrap_or_default()))?;
    }
    let first = tree.join("init");
    fs_err::write(&first, init)?;
    process::run(process::command("chmod", ["755"]).arg(&first))?;
    let mut format = process::command("/sbin/mkfs.ext4", ["-q", "-F", "-d"]);
    process::run(format.arg(tree).arg(disk).arg("8G"))
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_folders_are_taken_out_with_their_options() {
        let line = "-m 2048M -chardev socket,id=files,path=/f -device vhost-user-fs-pci,chardev=files,tag=w \
                    -nodefaults -display none";
        let kept: Vec<String> = without_folders(line.split(' ').map(str::to_owned)).collect();
        assert_eq!(kept.join(" "), "-m 2048M -nodefaults -display none");
    }

    #[test]
    fn only_what_is_ours_is_taken_out_of_the_arguments() {
        let bare = |argument: &str| bare_argument(argument.to_owned(), Path::new("/d"), Path::new("/c"));
        assert_eq!(
            bare(
                "console=ttyS0 quiet root=/dev/vda rootfstype=erofs ro init=/sbin/wherry-agent panic=-1 maxcpus=1 noreplace-smp"
            ),
            "console=ttyS0 quiet panic=-1 root=/dev/vdb rootfstype=ext4 rw init=/init"
        );
        assert_eq!(
            bare("if=none,id=data,format=raw,file=/home/data.raw"),
            "if=none,id=data,format=raw,file=/d"
        );
        assert_eq!(bare("file,id=console,append=on,path=/x"), "file,id=console,path=/c");
        assert_eq!(
            bare("socket,id=link,path=/run/link.sock,server=on,wait=off"),
            "null,id=link"
        );
        assert_eq!(bare("tcg,thread=multi"), "tcg,thread=multi");
    }
}
