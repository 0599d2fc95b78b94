//! File systems of the kernel, control groups, and the settings that programs in containers expect.

use std::{ffi::CStr, io, path::Path};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount},
    process::{Pid, Resource, Rlimit, setrlimit},
};

use fs_err::os::unix::fs::symlink;

use super::{log::say, memory::Memory};

/// Where everything lies that is made anew at each boot. What has to be writable in /etc is a link to it.
pub(super) const RUN: &str = "/run/wherry";

pub(super) const GROUPS: &str = "/sys/fs/cgroup";

/// The agent's own control group, so that the root has no processes and hands out every controller.
pub(super) const AGENT_GROUP: &str = "init";

pub(super) const ENGINE_GROUP: &str = "engine";

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("Could not mount {target}")]
    Mount {
        target: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("Could not make the root")]
    Root {
        #[source]
        source: io::Error,
    },
    #[error("Could not prepare the control groups")]
    Groups {
        #[source]
        source: io::Error,
    },
    #[error("Could not prepare {RUN}")]
    Run {
        #[source]
        source: io::Error,
    },
}

struct Mount {
    kind: &'static str,
    target: &'static str,
    flags: MountFlags,
    data: Option<&'static CStr>,
    /// The engine runs without it.
    optional: bool,
}

const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC).union(MountFlags::NODEV);
const QUIET: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

const MOUNTS: &[Mount] = &[
    Mount {
        kind: "proc",
        target: "/proc",
        flags: SAFE,
        data: None,
        optional: false,
    },
    Mount {
        kind: "sysfs",
        target: "/sys",
        flags: SAFE,
        data: None,
        optional: false,
    },
    Mount {
        kind: "devtmpfs",
        target: "/dev",
        flags: MountFlags::NOSUID,
        data: Some(c"mode=0755"),
        optional: false,
    },
    Mount {
        kind: "devpts",
        target: "/dev/pts",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        data: Some(c"mode=0620,gid=5,ptmxmode=0666"),
        optional: false,
    },
    Mount {
        kind: "tmpfs",
        target: "/dev/shm",
        flags: QUIET,
        data: Some(c"mode=1777"),
        optional: false,
    },
    Mount {
        kind: "mqueue",
        target: "/dev/mqueue",
        flags: SAFE,
        data: None,
        optional: true,
    },
    Mount {
        kind: "tmpfs",
        target: "/run",
        flags: QUIET,
        data: Some(c"mode=0755"),
        optional: false,
    },
    Mount {
        kind: "tmpfs",
        target: "/tmp",
        flags: QUIET,
        data: Some(c"mode=1777"),
        optional: false,
    },
    Mount {
        kind: "cgroup2",
        target: GROUPS,
        flags: SAFE,
        data: Some(c"nsdelegate,memory_recursiveprot"),
        optional: false,
    },
    Mount {
        kind: "bpf",
        target: "/sys/fs/bpf",
        flags: SAFE,
        data: Some(c"mode=0700"),
        optional: true,
    },
    Mount {
        kind: "securityfs",
        target: "/sys/kernel/security",
        flags: SAFE,
        data: None,
        optional: true,
    },
];

/// What containers expect of a host and a bare kernel does not have. The values are those of Docker Desktop or
/// of the programs that check for them (Elasticsearch: `max_map_count`; Redis: `overcommit_memory`, `somaxconn`).
const SETTINGS: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv6/conf/all/forwarding", "1"),
    ("net/core/somaxconn", "4096"),
    // By its memory, Linux would remember 8,192 connections in a machine of 1 GB, each for two minutes after its end:
    // with more than 68 new ones a second, published ports would stop answering. An entry takes a third of a kilobyte.
    ("net/netfilter/nf_conntrack_buckets", "65536"),
    ("net/netfilter/nf_conntrack_max", "262144"),
    ("net/netfilter/nf_conntrack_tcp_timeout_time_wait", "30"),
    // Connections to a published port that the client ended hold a port here for a minute, of 28,232.
    ("net/ipv4/tcp_tw_reuse", "1"),
    ("fs/inotify/max_user_instances", "8192"),
    ("fs/inotify/max_user_watches", "1048576"),
    ("fs/aio-max-nr", "1048576"),
    ("vm/max_map_count", "262144"),
    ("vm/overcommit_memory", "1"),
    // Looks twice a second whether memory should be compacted, for huge pages that next to nobody asks for.
    ("vm/compaction_proactiveness", "0"),
    // Each processor would wake once a second to add up counters.
    ("vm/stat_interval", "15"),
    ("kernel/pid_max", "4194304"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Kibibytes that the kernel keeps free for itself: its own formula (`init_per_zone_wmark_min`). With huge pages built in
/// it keeps four times as much, for making more of them.
fn reserve(memory: u64) -> u64 {
    (memory / 1024 * 16).isqrt().clamp(128, 262_144)
}

/// Makes a root that folders can be added to: the system image is read-only, and a folder of the host may have any
/// path. What the image has is seen in it as it is.
fn open_root() -> io::Result<()> {
    // Any folder of the image will do to put it together in.
    const STAGE: &str = "/tmp";
    mount("tmpfs", STAGE, "tmpfs", MountFlags::NODEV, Some(c"mode=0755,size=4m"))?;
    mirror(Path::new("/"), Path::new(STAGE))?;
    rustix::process::chdir(STAGE)?;
    // With one and the same folder the old root comes to lie on the new one, from where it is taken away.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Folders and links are made anew; one that has files in it is shown whole.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    let entries: Vec<_> = fs_err::read_dir(from)?.collect::<io::Result<_>>()?;
    let mut kinds = entries.iter().map(fs_err::DirEntry::file_type);
    if kinds.any(|kind| kind.is_ok_and(|kind| kind.is_file())) {
        return Ok(mount_bind(from, to)?);
    }
    for entry in entries {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_symlink() {
            symlink(fs_err::read_link(from)?, to)?;
        } else {
            fs_err::create_dir(&to)?;
            fs_err::set_permissions(&to, fs_err::metadata(&from)?.permissions())?;
            // What the kernel has mounted already is mounted anew in the new root.
            if MOUNTS.iter().all(|mount| Path::new(mount.target) != from) {
                mirror(&from, &to)?;
            }
        }
    }
    Ok(())
}

/// Everything there is before any disk.
pub(super) fn all() -> Result<(), Error> {
    open_root().map_err(|source| Error::Root { source })?;
    for one in MOUNTS {
        let done = one.mount();
        if let Err(source) = done
            && !one.optional
        {
            return Err(Error::Mount {
                target: one.target,
                source,
            });
        }
    }
    // Bind mounts with `:rshared` and `:rslave` need a shared root, as every distribution has it.
    mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC).map_err(|error| Error::Mount {
        target: "/",
        source: error.into(),
    })?;
    groups().map_err(|source| Error::Groups { source })?;
    fs_err::create_dir_all(format!("{RUN}/docker"))
        .and_then(|()| fs_err::create_dir_all("/run/log"))
        .map_err(|source| Error::Run { source })
}

impl Mount {
    fn mount(&self) -> io::Result<()> {
        // On the read-only root the folder is there or nothing helps.
        if let Err(error) = fs_err::create_dir(self.target)
            && error.kind() == io::ErrorKind::NotFound
        {
            return Err(error);
        }
        match mount(self.kind, self.target, self.kind, self.flags, self.data) {
            // The kernel may have mounted /dev by itself.
            Ok(()) | Err(rustix::io::Errno::BUSY) => Ok(()),
            Err(_) if self.data.is_some() => {
                // An option this kernel does not know is not worth a boot.
                Ok(mount(self.kind, self.target, self.kind, self.flags, None)?)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn groups() -> io::Result<()> {
    for group in [AGENT_GROUP, ENGINE_GROUP] {
        fs_err::create_dir_all(format!("{GROUPS}/{group}"))?;
    }
    fs_err::write(format!("{GROUPS}/{AGENT_GROUP}/cgroup.procs"), "1")?;
    let controllers = fs_err::read_to_string(format!("{GROUPS}/cgroup.controllers"))?;
    for change in enabling(&controllers) {
        // One by one: a controller that cannot be handed out keeps back only itself.
        if let Err(error) = fs_err::write(format!("{GROUPS}/cgroup.subtree_control"), &change) {
            say!("control groups: {change}: {error}");
        }
    }
    Ok(())
}

fn enabling(controllers: &str) -> impl Iterator<Item = String> {
    controllers
        .split_whitespace()
        .map(|controller| format!("+{controller}"))
}

pub(super) fn join_group(group: &str, process: Pid) {
    if let Err(error) = fs_err::write(format!("{GROUPS}/{group}/cgroup.procs"), process.to_string()) {
        say!("{error}");
    }
}

/// Settings and limits. None of them is worth not starting.
pub(super) fn limits() {
    for (name, value) in SETTINGS {
        if let Err(error) = fs_err::write(format!("/proc/sys/{name}"), value) {
            say!("{error}");
        }
    }
    let reserve = reserve(Memory::now().total).to_string();
    if let Err(error) = fs_err::write("/proc/sys/vm/min_free_kbytes", reserve) {
        say!("{error}");
    }
    let files = Rlimit {
        current: Some(1_048_576),
        maximum: Some(1_048_576),
    };
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    for (resource, limit) in [
        (Resource::Nofile, files),
        (Resource::Nproc, unlimited),
        (Resource::Core, unlimited),
    ] {
        if let Err(error) = setrlimit(resource, limit) {
            say!("limits: {error}");
        }
    }
    // The one process that must not be chosen when memory runs out.
    let _ = fs_err::write("/proc/self/oom_score_adj", "-1000");
}

/// The machine's id stays the same as long as its data disk does.
pub(super) fn identity() {
    let kept = "/data/machine-id";
    let id = fs_err::read_to_string(kept).ok().filter(|id| id.trim().len() == 32);
    let id = id.unwrap_or_else(|| {
        let id = fs_err::read_to_string("/proc/sys/kernel/random/uuid")
            .unwrap_or_default()
            .replace('-', "");
        if let Err(error) = fs_err::write(kept, &id) {
            say!("{error}");
        }
        id
    });
    if let Err(error) = fs_err::write(format!("{RUN}/machine-id"), id) {
        say!("{error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_root_has_the_folders_and_links_of_the_image() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (from, to) = (folder.path().join("image"), folder.path().join("root"));
        fs_err::create_dir_all(from.join("var/lib"))?;
        fs_err::create_dir(&to)?;
        symlink("/data/docker", from.join("var/lib/docker"))?;
        symlink("usr/bin", from.join("bin"))?;
        mirror(&from, &to)?;
        assert_eq!(fs_err::read_link(to.join("bin"))?, Path::new("usr/bin"));
        assert_eq!(fs_err::read_link(to.join("var/lib/docker"))?, Path::new("/data/docker"));
        Ok(())
    }

    #[test]
    fn every_controller_is_enabled_by_itself() {
        let changes: Vec<_> = enabling("cpuset cpu io\n").collect();
        assert_eq!(changes, ["+cpuset", "+cpu", "+io"]);
    }

    #[test]
    fn the_reserve_is_what_the_kernel_would_keep_without_huge_pages() {
        assert_eq!(reserve(2 << 30), 5792);
        assert_eq!(reserve(0), 128);
        assert_eq!(reserve(1 << 50), 262_144);
    }

    #[test]
    fn what_others_are_mounted_on_is_mounted_first() {
        let position = |target| MOUNTS.iter().position(|mount| mount.target == target);
        assert!(position("/dev") < position("/dev/pts"));
        assert!(position("/sys") < position(GROUPS));
        assert!(position("/proc") == Some(0));
    }
}
