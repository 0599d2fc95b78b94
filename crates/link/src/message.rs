//! What host and guest say to each other.
//!
//! A logical stream starts with one JSON line (a request) and one JSON line (its [`Reply`]). What follows depends
//! on the request: nothing, more JSON lines, or raw bytes both ways.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Version of everything in this file. Host and guest must agree on it exactly: they are released together, and
/// a machine whose image is older is restarted on the newer one.
pub const VERSION: u32 = 1;

/// The name of the virtio-serial port that carries the link.
pub const PORT_NAME: &str = "org.wherry.link";

/// The name of the virtio-fs device that serves the person's folders.
pub const SHARES_TAG: &str = "wherry";

/// What the host asks of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HostRequest {
    /// Always the first stream. Replies with [`Hello`]. The clock is set as with [`HostRequest::SetClock`]; what stands
    /// still since [`HostRequest::Rest`] goes on after that.
    Hello { version: u32, unix_millis: u64 },
    /// What the engine has to know of the host. The host says it after every [`HostRequest::Hello`] and again when
    /// something of it changes; the engine is not started before. As many messages as it announces certificates
    /// follow, each one certificate as PEM, and then comes the reply.
    Configure { configuration: Configuration },
    /// Starts dockerd anew so that it takes over a changed [`Configuration`]. Containers go on, except in a swarm.
    /// The reply comes when the engine answers again.
    RestartEngine,
    /// Raw bytes follow the reply, both ways, each direction closed on its own.
    Connect { target: Target },
    /// The reply is followed by one [`Report`] a line: first the present one, then each change, until either
    /// side closes.
    Watch,
    /// Replies with a [`Usage`].
    Usage,
    /// Drops caches, compacts memory and trims the data disk. Replies with [`GivenBack`] when that is done; memory
    /// reaches the host some seconds later.
    GiveBack,
    /// Sets the guest's clock when it is off by more than 50 ms.
    SetClock { unix_millis: u64 },
    /// The ports that are published now, as `Vec<Publication>`: a daemon that took up a running machine binds
    /// them again.
    Publications,
    /// Makes containers and engine stand still where they are and writes everything to the disk, before the machine's
    /// memory is saved. Replies when that is done. The next [`HostRequest::Hello`] lets them go on.
    Rest,
    /// The data disk has been made larger and has this many bytes. Replied to when its file system has grown, too.
    GrowDisk { bytes: u64 },
    /// Stops containers, engine and disks in that order, then powers off. The reply comes at once. With `run_again` the
    /// containers that run are started again after the next boot, whatever their restart policies say.
    PowerOff { run_again: bool },
    /// The reply is followed by what the agent and the engine have logged since boot, one JSON string a line, oldest
    /// first (the last 2,000 lines). With `follow` each further line until either side closes; without it the
    /// stream ends there.
    Logs { follow: bool },
    /// The folders of the host that the guest has from now on, whole. In a machine that can share any, the engine is
    /// not started before this was said once: containers that start with it may use them. Refused with the sentence
    /// for the person when one of them has no place in the guest. `anew` when another server has them now, which knows
    /// nothing of what was there before: what starts from here on has them, and what runs has lost them.
    Share { folders: Vec<Folder>, anew: bool },
    /// The guest lets go of the folders that are devices ([`Source::Device`]), without which its memory is saved, until
    /// it is told of folders again. Refused with a sentence while a container uses one.
    LetFoldersGo,
    /// Something in these folders was changed on the host, by its path in what the file server shows: programs that
    /// watch it are told.
    Changed { changes: Vec<Change> },
    /// The reply is followed by one [`Binds`] a line, first the present one, then each change, until either side closes.
    Binds,
    /// The guest forgets what it keeps of files without need. The file server has to keep each of them open.
    ForgetFiles,
}

/// A folder of the host that the guest has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Folder {
    /// Its path as the person writes it: where it is in the guest too.
    pub path: PathBuf,
    pub source: Source,
}

/// Where the guest has a folder from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Source {
    /// A path in what the file server shows.
    Server { path: PathBuf },
    /// A 9p device of its own, which has this tag. It shows all that is in the folder, so that the guest covers what no
    /// container may reach: these paths below it.
    Device { tag: String, hidden: Vec<PathBuf> },
}

impl Folder {
    /// Whether a folder of the host may be there in the guest. Over the guest's own system it would end the guest.
    pub fn has_place_at(path: &Path) -> bool {
        const WITH_ALL_BELOW: &[&str] = &[
            "/bin",
            "/boot",
            "/data",
            "/dev",
            "/etc",
            "/lib",
            "/lib64",
            "/proc",
            "/run",
            "/sbin",
            "/sys",
            "/usr",
            "/var/cache",
            "/var/lib",
            "/var/log",
            "/var/run",
            "/var/tmp",
        ];
        const ALONE: &[&str] = &["/", "/tmp", "/var"];
        path.has_root()
            && !path.components().any(|part| part == Component::ParentDir)
            && !ALONE.iter().any(|system| path == Path::new(system))
            && !WITH_ALL_BELOW.iter().any(|system| path.starts_with(system))
    }
}

/// What running containers have of the guest's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binds {
    pub paths: Vec<PathBuf>,
    /// The thread that raises events there: see [`crate::Raise`].
    pub raiser: i32,
}

/// One change of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub path: PathBuf,
    pub kind: ChangeKind,
    pub folder: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It is there now: made, or moved here from where nobody is told of changes.
    Created,
    /// It is here now, and no longer at this path.
    Moved { from: PathBuf },
    /// Its content or its attributes are others.
    Modified,
    /// It is gone: removed, or moved away.
    Removed,
}

/// What the host tells of itself. Whatever else the guest must follow of the host belongs here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Configuration {
    pub authorities: Authorities,
    pub proxy: Proxy,
    pub registry_files: Vec<RegistryFile>,
    /// `HOST`, `HOST:PORT` or networks of registries that the engine may ask without encryption.
    pub insecure_registries: Vec<String>,
}

/// The certificate authorities that the host trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorities {
    /// How many certificates follow the request: all of them in one message would be too long for one.
    pub count: usize,
    /// The host lists everyone it trusts, so nobody else is to be trusted. Otherwise they come on top of the image's
    /// own list.
    pub complete: bool,
}

/// The proxies that the engine's own connections go through, as URLs that work inside the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    pub http: Option<Secret>,
    pub https: Option<Secret>,
    /// What is reached without one: names, networks and endings, separated by commas.
    pub except: String,
}

/// A file of `/etc/docker/certs.d`: whom to trust, and as whom to come, at one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryFile {
    /// `HOST` or `HOST:PORT`
    pub registry: String,
    pub name: String,
    pub text: Secret,
}

/// Text that no log may show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Where a [`HostRequest::Connect`] leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Target {
    /// The engine's API socket.
    Engine,
    /// A container's port, and who wants to connect where it is not this computer itself.
    Tcp {
        address: SocketAddr,
        client: Option<IpAddr>,
    },
    /// A container's port. What follows the reply are datagrams of as many clients as there are, as
    /// [`crate::Outbox`] writes them.
    Udp { address: SocketAddr },
}

/// What the guest may ask of the host. This list is closed: see "The link" in ARCHITECTURE.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum GuestRequest {
    /// Bind the port on the host. When it cannot be bound now the reply is an error with the sentence for the person,
    /// if it `must` be; otherwise the port is bound as soon as that is possible, and shown as dead until then.
    Publish { publication: Publication, must: bool },
    /// Unbind it. Releasing what is not published is no error.
    Release { publication: Publication },
    /// The reply is followed by DNS messages both ways, framed as over TCP (RFC 1035, 4.2.2): the guest's questions,
    /// and the answers of the host's own resolver in any order, matched by their ids.
    Resolve {
        /// What stands inside the machine for the host's loopback address: a name that the host has there is to
        /// lead to it.
        host: Ipv4Addr,
    },
    /// Connect to this port of the host's loopback. Raw bytes follow the reply, both ways, each direction closed on
    /// its own.
    Reach { port: u16 },
    /// Send datagrams to this port of the host's loopback. What follows the reply are datagrams of as many clients as
    /// there are, as [`crate::Outbox`] writes them.
    ReachUdp { port: u16 },
}

/// One published port of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    pub protocol: Protocol,
    /// The address on the host that the person asked for; unspecified means every address.
    pub host_address: IpAddr,
    pub host_port: u16,
    pub container: SocketAddr,
    /// The id of the container whose own port it is, where the engine itself publishes nothing: one on the machine's
    /// own network.
    pub owner: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// The second line of every stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Reply<T> {
    Ok { value: T },
    Refused { message: String },
}

/// The guest's answer to [`HostRequest::Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    pub version: u32,
    pub agent: String,
    pub kernel: String,
    /// Differs after every boot, so that a host can tell a machine it knows from one that started anew.
    pub boot_id: String,
    pub uptime_millis: u64,
}

/// What the guest reports while it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub stage: Stage,
    /// Milliseconds since the kernel started, at the moment the stage began.
    pub at_millis: u64,
    pub engine_restarts: u32,
    /// The [`Configuration`] has changed in something that the engine reads only when it starts.
    pub engine_outdated: bool,
    /// Whether containers or steps of builds run.
    pub busy: bool,
    pub disk: Fill,
    /// What the person should know about the data disk: repaired, nearly full.
    pub notes: Vec<String>,
}

/// How full the data disk is. A level is left only when there is clearly more room again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fill {
    #[default]
    Roomy,
    /// From 90 % on.
    NearlyFull,
    /// From 97 % on: what is written next may fail.
    Full,
}

/// How far the guest has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Stage {
    /// Mounting, and on first use formatting, checking or growing the data disk.
    Disk,
    /// containerd and dockerd are starting.
    Engine,
    /// The engine answers. Versions are the engine's own words.
    Ready {
        engine: String,
        api: String,
    },
    /// The engine died and is being started again.
    EngineDied {
        message: String,
    },
    /// The guest cannot go on. The engine is not started, the data disk is not written to.
    Failed {
        cause: GuestFailure,
    },
    PoweringOff,
}

/// Why a guest cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum GuestFailure {
    /// No disk at `/dev/vdb`.
    DiskMissing,
    /// The disk holds something that is not a data disk of ours and is not empty: it is left as it is. Or it is ours
    /// and `e2fsck -p` gave up on it, after whatever it repaired until then.
    DiskCorrupt { output: String },
    /// The engine died five times within a minute.
    EngineKeepsDying { output: String },
    /// Anything the agent needs from the kernel and did not get, in words.
    System { message: String },
}

/// What the guest gave back, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenBack {
    /// By how much its free memory grew.
    pub memory: u64,
    /// Blocks of the data disk that hold nothing. Those that the host's file did not hold before count too.
    pub disk: u64,
}

/// What the guest uses now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    pub memory_total: u64,
    /// Total less available, in bytes.
    pub memory_used: u64,
    pub disk_total: u64,
    pub disk_used: u64,
    pub unix_millis: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_never_takes_the_place_of_the_guests_own_system() {
        let systems = [
            "/",
            "/usr",
            "/usr/local",
            "/etc/nginx",
            "/run/x",
            "/proc/1",
            "/tmp",
            "/var",
            "/var/lib/x",
            "root",
            "/root/../usr",
        ];
        for system in systems {
            assert!(!Folder::has_place_at(Path::new(system)), "{system}");
        }
        let persons = [
            "/root",
            "/home/ada",
            "/tmp/work",
            "/var/www",
            "/srv",
            "/opt/x",
            "/Users/ada",
            "/usr2",
        ];
        for person in persons {
            assert!(Folder::has_place_at(Path::new(person)), "{person}");
        }
    }
}
