//! How long a machine takes to an engine that answers, and how long the parts that are not ours take.
//!
//! The baseline is the same QEMU with the same arguments, kernel and system image, whose first program is a shell
//! script that mounts what the engine needs and starts it: no agent, no link, nothing of Wherry. The engine does the same
//! work: packet filter rules for IPv6 too, and containerd without the parts that Docker does not use.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::figures::{Baseline, Figure, interleaved};
use super::machine::Machine;
use crate::{Error, process};

/// What dockerd logs when it answers.
const READY: &str = "API listen on";
/// Longer than any boot that is worth a figure.
const PATIENCE: Duration = Duration::from_mins(5);
/// Short against a boot, and no load worth mentioning.
const POLL: Duration = Duration::from_millis(5);

/// Run as the first program of the baseline's guest. Its root is the data disk, the system image is mounted on it.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t devtmpfs dev /dev 2> /dev/null
mount -t erofs -o ro /dev/vda /image
mount -t proc proc /proc
mount -t proc proc /image/proc
mount -t sysfs sys /image/sys
mount -t devtmpfs dev /image/dev
mount -t tmpfs run /image/run
mount -t tmpfs tmp /image/tmp
mount -t cgroup2 groups /image/sys/fs/cgroup
mount --bind /data /image/data
mkdir -p /image/run/wherry/docker /image/run/log
echo 1 > /proc/sys/net/ipv4/ip_forward
cat > /image/run/containerd.toml << END
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp"]
END
chroot /image /usr/bin/containerd --config /run/containerd.toml --log-level error --address /run/containerd.sock \
    > /dev/null 2>&1 &
chroot /image /usr/sbin/dockerd --containerd /run/containerd.sock --host unix:///run/docker.sock --userland-proxy=false \
    --experimental --ip6tables 2>&1 |
while read -r line; do
    echo "$line"
    case $line in *"API listen on"*) kill -TERM $(pidof dockerd) ;; esac
done
kill -TERM $(pidof containerd)
wait
umount /image/data
mount -o remount,ro /
poweroff -f
"#;

pub(super) fn measure(runs: u32) -> Result<Vec<Figure>, Error> {
    let machine = Machine::prepared()?;
    machine.start()?;
    let status = machine.status()?;
    let note = Machine::conditions(&status);
    let bare = Bare::from_running(&status, machine.home())?;
    machine.stop()?;
    // Its first boot makes dockerd's folders, as the machine's did.
    bare.boot()?;

    let (ours, baseline) = interleaved(
        runs,
        &mut || {
            let took = machine.start()?;
            machine.stop()?;
            Ok(took)
        },
        &mut || bare.boot(),
    )?;
    Ok(vec![Figure {
        name: "engine ready, cold",
        unit: "s",
        runs: ours,
        baseline: Some(Baseline {
            what: "the same QEMU, kernel and engine, bare",
            runs: baseline,
        }),
        bar: "<= 1.15 x, <= 4.5 s emulated",
        note: Some(note),
    }])
}

/// A machine without Wherry.
struct Bare {
    program: String,
    arguments: Vec<String>,
    console: PathBuf,
}

impl Bare {
    /// Takes the arguments of the machine that runs and puts a disk of our own into them.
    fn from_running(status: &serde_json::Value, home: &Path) -> Result<Self, Error> {
        let pid = &status["state"]["running"]["pid"];
        let line = fs_err::read_to_string(format!("/proc/{pid}/cmdline"))?;
        let mut words = line.split_terminator('\0').map(str::to_owned);
        let program = words.next().unwrap_or_default();
        let folder = home.join("bare");
        let (disk, console) = (folder.join("disk"), folder.join("console"));
        make_disk(&folder.join("tree"), &disk)?;
        let arguments = without_folders(words)
            .map(|word| bare_argument(word, &disk, &console))
            .collect();
        Ok(Self {
            program,
            arguments,
            console,
        })
    }

    /// Seconds from the start of QEMU to an engine that answers.
    fn boot(&self) -> Result<f64, Error> {
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
        while !said().contains(READY) {
            if begun.elapsed() > PATIENCE || child.0.try_wait()?.is_some() {
                crate::output::line(said());
                return Err(Error::Missing {
                    what: format!("\"{READY}\" on the bare machine's console"),
                    hint: "The console is above.".to_owned(),
                });
            }
            thread::sleep(POLL);
        }
        let took = begun.elapsed().as_secs_f64();
        // The script powers off, so that the next boot finds a clean disk as ours does.
        while begun.elapsed() < PATIENCE && child.0.try_wait()?.is_none() {
            thread::sleep(POLL);
        }
        Ok(took)
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
        let kept = argument.split(' ').filter(|word| {
            !["root=", "rootfstype=", "init="]
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

/// A disk with busybox, the script, and room for the engine.
fn make_disk(tree: &Path, disk: &Path) -> Result<(), Error> {
    for folder in ["bin", "dev", "image", "proc", "data/docker", "data/containerd"] {
        fs_err::create_dir_all(tree.join(folder))?;
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    fs_err::copy(busybox.unwrap_or("/bin/busybox"), tree.join("bin/busybox"))?;
    for name in [
        "sh", "cat", "mount", "umount", "mkdir", "chroot", "sync", "kill", "pidof", "poweroff",
    ] {
        process::run(process::command("ln", ["--symbolic", "--force", "busybox"]).arg(tree.join("bin").join(name)))?;
    }
    let init = tree.join("init");
    fs_err::write(&init, INIT)?;
    process::run(process::command("chmod", ["755"]).arg(&init))?;
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
            bare("console=ttyS0 quiet root=/dev/vda rootfstype=erofs ro init=/sbin/wherry-agent panic=-1"),
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
