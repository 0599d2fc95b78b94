//! QEMU: on Linux, and on every other host as the fallback.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::backend::{Attempt, Attempts, Backend, Begin, Facts, FilesLaunch, Folders, Launch};
use crate::image::Image;
use crate::subnet::Plan;
use crate::{Accelerator, Failure, FailureCode, Home, Spec, Step, disk, system};

/// Real hardware brings the agent up in less than two seconds. One that has not after this long does not run a
/// guest at all: there are hosts whose `/dev/kvm` opens and whose guests never pass the boot code.
const FIRST_WORD_HARDWARE: Duration = Duration::from_secs(8);
/// Software emulation takes one to two seconds on an idle computer, and much longer on a busy one. A guest that stays silent
/// is started twice.
const FIRST_WORD_EMULATION: Duration = Duration::from_secs(90);

/// QEMU keeps what it has translated of a page until the guest writes to that page. The file server writes from outside,
/// and a program read to where another one was would run as that other one. The guest clears each page before its use.
const CLEARED_PAGES: &str = " init_on_alloc=1";

/// Linux starts with one processor, and the agent brings up the others: each emulated one takes a tenth of a second and more,
/// and what the engine needs is made ready beside that. Without the second word Linux would write itself anew for one
/// processor, and back.
const ONE_PROCESSOR: &str = if ARM { "" } else { " maxcpus=1 noreplace-smp" };

/// Everything that QEMU emulates, but for what only real hardware has a gain of: a kernel that is told that instructions
/// for copying bytes are quick uses them, and each of these bytes is a step of its own here.
const EMULATED: &str = if ARM { "max" } else { "max,-erms,-fsrm" };

const ARM: bool = cfg!(target_arch = "aarch64");
const PROGRAM: &str = if ARM {
    "qemu-system-aarch64"
} else {
    "qemu-system-x86_64"
};

#[derive(Clone, Debug)]
pub(crate) struct Qemu {
    program: PathBuf,
    image: Image,
    /// The `wherry` program, which is the file server too.
    wherry: PathBuf,
}

impl Qemu {
    /// QEMU from `PATH` and the image of the Wherry whose program this is, or what is missing.
    pub(crate) fn find(wherry: &Path) -> Result<Self, Failure> {
        Ok(Self {
            program: Self::program()?,
            image: Image::find(wherry)?,
            wherry: wherry.into(),
        })
    }

    pub(crate) fn program() -> Result<PathBuf, Failure> {
        let name = system::executable(PROGRAM);
        std::env::var_os("PATH")
            .and_then(|path| {
                std::env::split_paths(&path)
                    .map(|folder| folder.join(&name))
                    .find(|file| file.is_file())
            })
            .ok_or_else(|| missing(&name))
    }
}

fn missing(name: &str) -> Failure {
    Failure {
        code: FailureCode::QemuMissing,
        step: Some(Step::Check),
        message: "QEMU, which runs the machine, is not installed".into(),
        causes: vec![format!("{name} is in no folder of PATH")],
        hint: system::install_hint(PROGRAM),
        console: Vec::new(),
    }
}

impl Backend for Qemu {
    fn facts(&self) -> Facts {
        // Asking QEMU for its version takes as long as a tenth of a boot; an update changes its size and date too.
        let dated = |path: &Path| {
            fs_err::metadata(path).map_or_else(
                |_| path.display().to_string(),
                |metadata| {
                    let modified = metadata.modified().ok();
                    let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
                    let seconds = modified.unwrap_or_default().as_secs();
                    format!("{} {} {seconds}", path.display(), metadata.len())
                },
            )
        };
        Facts {
            name: "qemu",
            fingerprint: [&self.program, &self.image.kernel, &self.image.root]
                .map(|path| dated(path))
                .join(" "),
        }
    }

    fn attempts(&self, accelerator: Accelerator) -> Attempts {
        let emulation = Attempt {
            accelerator: "tcg",
            hardware: false,
            first_word: FIRST_WORD_EMULATION,
        };
        match accelerator {
            Accelerator::Emulation => Attempts {
                attempts: vec![emulation],
                note: None,
            },
            Accelerator::Auto => {
                if let Some((why, _)) = system::accelerator_missing() {
                    let note = format!("The machine runs by software emulation, which is slower. {why}");
                    return Attempts {
                        attempts: vec![emulation],
                        note: Some(note),
                    };
                }
                let accelerator = system::ACCELERATOR;
                let hardware = Attempt {
                    accelerator,
                    hardware: true,
                    first_word: FIRST_WORD_HARDWARE,
                };
                Attempts {
                    attempts: vec![hardware, emulation],
                    note: None,
                }
            }
        }
    }

    fn prepare(&self, home: &Home, spec: &Spec) -> Result<String, Failure> {
        disk::prepare(&home.data_disk(), spec.disk_gib)
    }

    fn files(&self, home: &Home) -> Option<FilesLaunch> {
        system::SERVES_FILES.then(|| FilesLaunch {
            program: self.wherry.clone(),
            arguments: vec![
                "keep-files".into(),
                "--device".into(),
                home.files_device().into(),
                "--control".into(),
                home.files_control().into(),
            ],
            control: home.files_control(),
        })
    }

    fn serves_folders(&self) -> bool {
        // Not every QEMU is built with it, none for Windows is, and one without it does not start when it is given a
        // folder.
        let mut command = Command::new(&self.program);
        command.args(["-device", "virtio-9p-pci,help"]).stdin(Stdio::null());
        !cfg!(windows) && command.output().is_ok_and(|known| !known.stdout.is_empty())
    }

    fn launch(
        &self,
        home: &Home,
        spec: &Spec,
        network: &Plan,
        accelerator: &str,
        folders: Folders<'_>,
        from: Begin,
    ) -> Launch {
        let files = folders == Folders::Server;
        let mut arguments: Vec<OsString> = Vec::new();
        let mut option = |name: &str, value: &str| {
            arguments.push(name.into());
            arguments.push(value.into());
        };

        // Nothing that we do not name: each device costs boot time, and is something a guest could attack.
        option("-name", "wherry");
        if files {
            // The file server writes what is read straight into the guest's memory, so it has to have it too.
            option("-machine", &format!("{},memory-backend=memory", machine(accelerator)));
            let memory = format!("memory-backend-memfd,id=memory,share=on,size={}M", spec.memory_mib);
            option("-object", &memory);
        } else {
            option("-machine", machine(accelerator));
        }
        option(
            "-accel",
            if accelerator == "tcg" {
                // Translated code would otherwise take up to 1 GiB and never give it back.
                "tcg,thread=multi,tb-size=256"
            } else {
                accelerator
            },
        );
        option("-cpu", if accelerator == "tcg" { EMULATED } else { "host" });
        option("-smp", &spec.cpus.to_string());
        option("-m", &format!("{}M", spec.memory_mib));

        option("-kernel", &self.image.kernel.to_string_lossy());
        option("-append", &kernel_command_line(network, accelerator, files));

        option(
            "-drive",
            &format!(
                "if=none,id=root,format=raw,readonly=on,file={}",
                quoted(&self.image.root)
            ),
        );
        option("-device", "virtio-blk-pci,drive=root");
        // The host's page cache may hold writes until the guest asks for a flush, which is then an fsync here.
        // What the guest discards or fills with zeros becomes a hole in the file.
        let data = quoted(&home.data_disk());
        option(
            "-drive",
            &format!("if=none,id=data,format=raw,cache=writeback,discard=unmap,detect-zeroes=unmap,file={data}"),
        );
        // A write for which this computer has no room stops the machine until there is some, instead of failing in it.
        option("-device", "virtio-blk-pci,drive=data,werror=enospc");

        option("-netdev", &format!("user,id=net,net={}", network.machine));
        // An empty romfile saves the wait of its network boot code.
        option("-device", "virtio-net-pci,netdev=net,romfile=");
        // Memory that the guest frees goes back to the host.
        option("-device", "virtio-balloon-pci,free-page-reporting=on,deflate-on-oom=on");
        option("-device", "virtio-rng-pci");

        option(
            "-chardev",
            &format!("file,id=console,append=on,path={}", quoted(&home.console_log())),
        );
        option("-serial", "chardev:console");
        option("-device", "virtio-serial-pci");
        option("-chardev", &system::chardev("link", &home.link()));
        option(
            "-device",
            &format!("virtserialport,chardev=link,name={}", wherry_link::PORT_NAME),
        );
        if files {
            let path = quoted(&home.files_device());
            option("-chardev", &format!("socket,id=files,path={path}"));
            option(
                "-device",
                &format!("vhost-user-fs-pci,chardev=files,tag={}", wherry_link::SHARES_TAG),
            );
        }
        if let Folders::Itself(sources) = folders {
            for (index, source) in sources.iter().enumerate() {
                let (tag, path) = (Folders::tag(index), quoted(source));
                // What is made in it is the person's, with the mode that it was given. Folders of several disks may have
                // files of the same number.
                let export = format!("local,id={tag},path={path},security_model=none,multidevs=remap");
                option("-fsdev", &export);
                option("-device", &format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}"));
            }
        }
        option("-chardev", &system::chardev("qmp", &home.qmp()));
        option("-mon", "chardev=qmp,mode=control");
        if let [name, value] = system::SANDBOX {
            option(name, value);
        }
        match from {
            Begin::Boot => {}
            Begin::Memory => {
                option("-incoming", "defer");
                arguments.push("-S".into());
            }
        }
        // A reboot is never asked for: a kernel that panics "reboots" at once, and that must end the process.
        for flag in ["-nodefaults", "-no-user-config", "-no-reboot"] {
            arguments.push(flag.into());
        }
        arguments.push("-display".into());
        arguments.push("none".into());

        Launch {
            program: self.program.clone(),
            arguments,
            link: home.link(),
        }
    }

    fn diagnose(&self) -> Result<(), Failure> {
        self.image.verify()
    }
}

/// The board, without the old devices that Linux would look for.
fn machine(accelerator: &str) -> &'static str {
    match (ARM, accelerator) {
        (true, "hvf") => "virt,gic-version=3",
        (true, _) => "virt,gic-version=max",
        (false, _) => "q35,vmport=off,smm=off,hpet=off,sata=off,smbus=off,graphics=off,usb=off",
    }
}

fn kernel_command_line(network: &Plan, accelerator: &str, files: bool) -> String {
    let (console, clock) = if ARM {
        ("ttyAMA0", "")
    } else {
        // An idle machine would otherwise wake twice a second to compare its clock with another one. And Linux would
        // panic when this computer is too busy to give the machine four ticks of a timer in the time of ten.
        ("ttyS0", " tsc=nowatchdog no_timer_check")
    };
    let emulated = match (accelerator, files) {
        ("tcg", true) => ONE_PROCESSOR.to_owned() + CLEARED_PAGES,
        ("tcg", false) => ONE_PROCESSOR.to_owned(),
        _ => String::new(),
    };
    [
        &format!("console={console}{clock}"),
        "quiet loglevel=4",
        "root=/dev/vda rootfstype=erofs ro init=/sbin/wherry-agent",
        &network.words(),
        "panic=-1",
    ]
    .join(" ")
        + &emulated
}

/// A path as the value of one of QEMU's options, where a comma starts the next one.
pub(crate) fn quoted(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn arguments(accelerator: &str, folders: Folders<'_>, from: Begin) -> String {
        let qemu = Qemu {
            program: "/usr/bin/qemu-system-x86_64".into(),
            image: Image::imagined(Path::new("/guest")),
            wherry: "/usr/bin/wherry".into(),
        };
        let home = Home::at("/home/ada/a, b");
        let spec = Spec {
            cpus: 2,
            memory_mib: 2048,
            disk_gib: 60,
            accelerator: Accelerator::Auto,
        };
        let launch = qemu.launch(&home, &spec, &Plan::imagined(), accelerator, folders, from);
        let words = launch.arguments.iter().map(|word| word.to_string_lossy().into_owned());
        // One option a line, with its value.
        words.fold(launch.program.display().to_string(), |text, word| {
            let separator = if word.starts_with('-') { "\n" } else { " " };
            text + separator + &word
        })
    }

    #[test]
    fn hardware_virtualization_and_shared_folders() {
        insta::assert_snapshot!(arguments("kvm", Folders::Server, Begin::Boot));
    }

    #[test]
    fn software_emulation() {
        insta::assert_snapshot!(arguments("tcg", Folders::Nowhere, Begin::Boot));
    }

    #[test]
    fn a_machine_that_serves_folders_itself_has_a_device_for_each() {
        let folders = ["/home/ada".into(), "/srv/a, b".into()];
        let itself = arguments("kvm", Folders::Itself(&folders), Begin::Boot);
        let without = arguments("kvm", Folders::Nowhere, Begin::Boot);
        let without: Vec<&str> = without.lines().collect();
        let more: Vec<&str> = itself.lines().filter(|line| !without.contains(line)).collect();
        assert_eq!(
            more,
            [
                "-fsdev local,id=folder0,path=/home/ada,security_model=none,multidevs=remap",
                "-device virtio-9p-pci,fsdev=folder0,mount_tag=folder0",
                "-fsdev local,id=folder1,path=/srv/a,, b,security_model=none,multidevs=remap",
                "-device virtio-9p-pci,fsdev=folder1,mount_tag=folder1",
            ]
        );
    }

    #[test]
    fn pages_are_cleared_where_an_emulator_would_run_what_was_there_before() {
        assert!(arguments("tcg", Folders::Server, Begin::Boot).contains(CLEARED_PAGES));
        assert!(!arguments("tcg", Folders::Nowhere, Begin::Boot).contains(CLEARED_PAGES));
        assert!(!arguments("kvm", Folders::Server, Begin::Boot).contains(CLEARED_PAGES));
    }

    #[test]
    fn a_machine_that_goes_on_is_the_same_but_for_where_it_begins() {
        let extra = arguments("tcg", Folders::Nowhere, Begin::Memory).replace("\n-incoming defer\n-S", "");
        assert_eq!(extra, arguments("tcg", Folders::Nowhere, Begin::Boot));
    }
}
