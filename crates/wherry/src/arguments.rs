use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use wherry_app::Existing;
use wherry_machine::{
    BadProxyUrl, InsecureRegistry, NoRegistry, NoSubnet, ProxyChoice, ProxyUrl, SettingsChange, SpecChange, Subnet,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line was not understood
  3  status: the machine is not running

Environment:
  WHERRY_HOME   where everything is kept (default: wherry in the folder where programs keep their data)
  WHERRY_GUEST  the folder of a system image to use instead of the one that came with Wherry";

const CONTEXT: &str = "\
Point the docker command in your terminal to the machine's engine.

Makes the docker context \"wherry\" and selects it. docker's config.json is copied beside itself before it is changed; \
wherry context --undo puts everything back.

A config.json may name a credential helper that is not installed, left behind by another product. docker then refuses \
to pull anything. You are asked whether to take it out; --fix-credentials does so without asking.

With --system-socket, /var/run/docker.sock becomes a link to the machine's socket, for programs that look nowhere else. \
Only if nothing stands there. The folder belongs to the administrator, so sudo may ask for your password, and the \
link is gone after the next start of the computer.";

const UNINSTALL: &str = "\
Take back what Wherry has changed on this computer, before its programs are removed.

Stops the machine, makes the docker command what it was before (as wherry context --undo does, with the link at \
/var/run/docker.sock), and takes Wherry's logins out of this computer's keychain. Images, containers, volumes and \
settings stay, and are there again when Wherry is installed again; with --data they are removed, too.";

/// Runs a small Linux machine with the Docker engine in it.
#[derive(Debug, Parser)]
#[command(name = "wherry", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the machine and wait until its engine answers
    Start {
        #[command(flatten)]
        change: Change,
        /// Print each change of the machine's status as a line of JSON; the last line is the outcome
        #[arg(long)]
        json: bool,
    },
    /// Stop the containers, the engine and the machine, in that order
    Stop,
    /// Save the machine's memory and end its process: containers go on where they were at the next start
    Suspend,
    /// Stop the machine and start it again
    Restart {
        /// Only the engine, which then knows what has changed on this computer; containers go on
        #[arg(long)]
        engine: bool,
        /// Print each change of the machine's status as a line of JSON; the last line is the outcome
        #[arg(long)]
        json: bool,
    },
    /// Take back memory and disk that the machine holds and does not need; that happens by itself too, when it is quiet
    Free {
        /// Print how many bytes came back as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the machine is doing; the exit code is 0 when it runs and 3 when it does not
    Status {
        /// Print it as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the machine's settings
    Settings {
        /// Print them as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Change one of the machine's settings; it takes effect at once
    #[command(subcommand)]
    Set(Setting),
    /// Save volumes, images, networks, containers' settings and Wherry's settings in one file
    ///
    /// It is made of the engine that the window works with: the one of `DOCKER_HOST` or of the current docker context,
    /// or the machine's. What a container wrote outside of its volumes is not in it. The file may hold passwords from
    /// containers' environments; only you may read it.
    Backup(Backup),
    /// Bring back what is in a backup; without an option nothing that is there is touched
    Restore(Restore),
    /// Make settings what they were at first, or remove everything that is in the machine
    Reset(Reset),
    /// Take back what Wherry has changed on this computer, before its programs are removed
    #[command(long_about = UNINSTALL)]
    Uninstall(Uninstall),
    /// Show or change which folders of this computer the machine has; each is there at the path that it has here
    Share {
        #[command(subcommand)]
        share: Option<Share>,
    },
    /// Print what the daemon, QEMU, the machine and its engine wrote down
    Logs {
        /// Go on as more is written
        #[arg(short, long)]
        follow: bool,
    },
    /// Follow what the machine writes to its console
    Console,
    /// Print the line that points docker and its friends to the machine's engine: eval "$(wherry docker-env)"
    DockerEnv,
    /// Point the docker command in your terminal to the machine's engine
    #[command(long_about = CONTEXT)]
    Context {
        /// Take back everything that this command has changed
        #[arg(long, conflicts_with_all = ["fix_credentials", "system_socket"])]
        undo: bool,
        /// Take credential helpers that are not installed out of docker's configuration, without asking
        #[arg(long)]
        fix_credentials: bool,
        /// Also link /var/run/docker.sock, where programs look that know nothing of contexts
        #[arg(long)]
        system_socket: bool,
    },
    /// Look for what keeps containers from running, and say what to do; the exit code is 1 when something is broken
    Doctor {
        /// Print it as one line of JSON
        #[arg(long)]
        json: bool,
        /// The registry to try
        #[arg(long, value_name = "URL")]
        registry: Option<String>,
    },
    /// Write a zip for somebody who helps you: versions, what the doctor says, logs. Secrets are hidden; read it first
    Diagnose {
        /// The file to write; there must be none of that name yet
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The registry to try
        #[arg(long, value_name = "URL")]
        registry: Option<String>,
    },
    /// Print the version
    Version,
    /// Run the background process that owns the machine
    #[command(hide = true)]
    Daemon,
    /// Run the process that keeps one machine's connection to whatever serves the person's folders
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    KeepFiles {
        /// The socket that QEMU connects to
        #[arg(long)]
        device: PathBuf,
        /// The socket that the daemon connects to
        #[arg(long)]
        control: PathBuf,
        /// Wait until the one at the other end of standard input was killed
        #[arg(long)]
        spare: bool,
    },
    /// Run the process that serves the person's folders
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    ServeFiles {
        /// The socket at which it is asked for files
        #[arg(long)]
        device: PathBuf,
        /// The socket that the daemon connects to
        #[arg(long)]
        control: PathBuf,
        /// Another one has served the same machine before, and died
        #[arg(long)]
        follows: bool,
        /// Several have, and died: refuse everything for a while
        #[arg(long)]
        refuses: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Share {
    /// List the shared folders, one a line
    List {
        /// Print them as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Share a folder, and all that is in it; a machine that runs has it at once
    Add {
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Share a folder no longer; containers that run keep what they have of it until they end
    Remove {
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Where it goes; an older backup there is replaced once the new one is whole
    pub(crate) file: PathBuf,
    /// Read all of an existing backup and say whether it is whole, instead of making one
    #[arg(long)]
    pub(crate) verify: bool,
    /// Let containers run while their volumes are read; what they write meanwhile may be half in it
    #[arg(long, conflicts_with = "verify")]
    pub(crate) no_pause: bool,
    /// Print what came of it as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// A file that was made by wherry backup
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) existing: WhatIsThere,
    /// Start the containers that were running
    #[arg(long)]
    pub(crate) start: bool,
    /// Print what came of it as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Without either, a restore that meets things of the same names does nothing.
#[derive(Debug, Args)]
pub(crate) struct WhatIsThere {
    /// Leave what is there as it is and restore the rest
    #[arg(long, conflicts_with = "replace")]
    keep: bool,
    /// Remove what is there under the same names and take it from the backup
    #[arg(long)]
    replace: bool,
}

impl From<&WhatIsThere> for Existing {
    fn from(there: &WhatIsThere) -> Self {
        match (there.keep, there.replace) {
            (true, _) => Self::Keep,
            (false, true) => Self::Replace,
            (false, false) => Self::Refuse,
        }
    }
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Reset {
    /// Wherry's settings and the machine's, and its size but for the disk; images, containers and volumes stay
    #[arg(long, group = "what")]
    pub(crate) settings: bool,
    /// Every image, container and volume in the machine; a word is asked for first
    #[arg(long, group = "what")]
    pub(crate) data: bool,
    /// Do not ask, for scripts
    #[arg(long, requires = "data")]
    pub(crate) yes_delete_everything: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    /// Remove every image, container and volume in the machine, and Wherry's settings; a word is asked for first
    #[arg(long)]
    pub(crate) data: bool,
    /// Do not ask, for scripts
    #[arg(long, requires = "data")]
    pub(crate) yes_delete_everything: bool,
}

/// A setting by the name under which `wherry settings` shows it.
#[derive(Debug, Subcommand)]
pub(crate) enum Setting {
    /// Suspend the machine when no container has run and nobody has asked it anything for this long
    SleepAfter {
        /// As in 5m, 2h or off
        #[arg(value_name = "TIME", value_parser = minutes)]
        after: After,
    },
    /// Choose where the machine and its containers have their addresses, from the next start on
    Subnet {
        /// auto (away from every network that this computer has a route to), or a network such as 10.99.0.0/16
        #[arg(value_name = "NETWORK", value_parser = subnet)]
        subnet: Chosen,
    },
    /// Choose the registries that the engine may ask without encryption
    InsecureRegistries {
        /// none, or all of them, as in harbor.example.edu,10.0.0.7:5000
        #[arg(value_name = "LIST", value_parser = insecure)]
        registries: Insecure,
    },
    /// Choose the proxy through which the engine reaches registries
    Proxy {
        /// system (this computer's), off, or an address such as proxy.example:3128
        #[arg(value_name = "PROXY", value_parser = proxy)]
        proxy: Proxy,
        /// Another one for https
        #[arg(long, value_name = "ADDRESS", value_parser = proxy_url)]
        https: Option<ProxyUrl>,
        /// What is reached without it, as in localhost,.example.com,10.0.0.0/8
        #[arg(long, value_name = "LIST", default_value = "")]
        except: String,
        /// Read the password of the address's user from standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

impl Setting {
    /// The change, with a password from `read_password` when one is wanted.
    pub(crate) fn change(self, read_password: impl FnOnce() -> io::Result<String>) -> io::Result<SettingsChange> {
        Ok(match self {
            Self::SleepAfter { after } => SettingsChange::SleepAfter { minutes: after.minutes },
            Self::Subnet { subnet } => SettingsChange::Subnet { subnet: subnet.subnet },
            Self::InsecureRegistries {
                registries: Insecure(registries),
            } => SettingsChange::InsecureRegistries { registries },
            Self::Proxy {
                proxy,
                https,
                except,
                password_stdin,
            } => {
                if !matches!(proxy, Proxy::At(_)) && (https.is_some() || !except.is_empty() || password_stdin) {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "--https, --except and --password-stdin belong to a proxy's address",
                    ));
                }
                let password = if password_stdin { Some(read_password()?) } else { None };
                let with_password = |url: ProxyUrl| match &password {
                    Some(password) => url.with_password(password),
                    None => url,
                };
                let proxy = match proxy {
                    Proxy::System => ProxyChoice::System,
                    Proxy::Off => ProxyChoice::Off,
                    Proxy::At(url) => ProxyChoice::Manual {
                        https: Some(with_password(https.unwrap_or_else(|| url.clone()))),
                        http: Some(with_password(url)),
                        except,
                    },
                };
                SettingsChange::Proxy { proxy }
            }
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    System,
    Off,
    At(ProxyUrl),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum BadProxy {
    #[error("everyone on this computer can read a command's arguments: give the password with --password-stdin")]
    Password,
    #[error(transparent)]
    Address(#[from] BadProxyUrl),
}

fn proxy(text: &str) -> Result<Proxy, BadProxy> {
    Ok(match text {
        "system" => Proxy::System,
        "off" | "none" => Proxy::Off,
        address => Proxy::At(proxy_url(address)?),
    })
}

fn proxy_url(text: &str) -> Result<ProxyUrl, BadProxy> {
    let url: ProxyUrl = text.parse()?;
    if url.has_password() {
        return Err(BadProxy::Password);
    }
    Ok(url)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Insecure(Vec<InsecureRegistry>);

fn insecure(text: &str) -> Result<Insecure, NoRegistry> {
    if matches!(text.trim(), "none" | "") {
        return Ok(Insecure(Vec::new()));
    }
    text.split(',').map(str::parse).collect::<Result<_, _>>().map(Insecure)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// `None` is Wherry's choice.
    subnet: Option<Subnet>,
}

fn subnet(text: &str) -> Result<Chosen, NoSubnet> {
    let subnet = match text.trim() {
        "auto" => None,
        text => Some(text.parse()?),
    };
    Ok(Chosen { subnet })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After {
    /// `None` is never.
    minutes: Option<NonZeroU32>,
}

#[derive(Debug, PartialEq, Eq)]
struct BadTime;

impl std::fmt::Display for BadTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a time is a number of minutes or hours, as in 5m or 2h; or off")
    }
}

impl std::error::Error for BadTime {}

fn minutes(text: &str) -> Result<After, BadTime> {
    let text = text.trim().to_ascii_lowercase();
    if matches!(text.as_str(), "off" | "never") {
        return Ok(After { minutes: None });
    }
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "m" | "min" => 1,
        "h" => 60,
        _ => return Err(BadTime),
    };
    let minutes = number.parse().ok().and_then(|number: u32| number.checked_mul(factor));
    let minutes = minutes.and_then(NonZeroU32::new).ok_or(BadTime)?;
    Ok(After { minutes: Some(minutes) })
}

/// What the machine is given from now on. It is kept; what is left out stays as it was.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// How many processors
    #[arg(long, value_name = "N")]
    cpus: Option<u32>,
    /// How much memory, as in 2g, 2048m or 2GiB
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    memory: Option<u64>,
    /// How large the data disk may become, as in 60g; it never shrinks
    #[arg(long, value_name = "SIZE", value_parser = gibibytes)]
    disk: Option<u64>,
}

impl From<Change> for SpecChange {
    fn from(change: Change) -> Self {
        Self {
            cpus: change.cpus,
            memory_mib: change.memory,
            disk_gib: change.disk,
            accelerator: None,
        }
    }
}

fn mebibytes(text: &str) -> Result<u64, BadSize> {
    bytes(text).map(|bytes| bytes >> 20)
}

/// A part of a gibibyte makes it one more: a disk is to be at least what was asked for.
fn gibibytes(text: &str) -> Result<u64, BadSize> {
    bytes(text).map(|bytes| bytes.div_ceil(1 << 30))
}

#[derive(Debug, PartialEq, Eq)]
enum BadSize {
    NoNumber,
    NoUnit,
    UnknownUnit(String),
    TooLarge,
}

impl std::fmt::Display for BadSize {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoNumber => formatter.write_str("a size is a number and a unit, as in 2g or 2048m"),
            Self::NoUnit => formatter.write_str("the unit is missing, as in 2g or 2048m"),
            Self::UnknownUnit(unit) => write!(formatter, "{unit} is no unit; use m, g or t"),
            Self::TooLarge => formatter.write_str("that is more than can be counted"),
        }
    }
}

impl std::error::Error for BadSize {}

/// Units are powers of 1024 however they are written, as docker's are: who writes `2GB` of memory means 2048 MiB.
fn bytes(text: &str) -> Result<u64, BadSize> {
    let text = text.trim();
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "" if number.is_empty() => return Err(BadSize::NoNumber),
        "" => return Err(BadSize::NoUnit),
        unit => {
            return Err(if number.is_empty() {
                BadSize::NoNumber
            } else {
                BadSize::UnknownUnit(unit.into())
            });
        }
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return Err(BadSize::NoNumber);
    }
    let parse = |digits: &str| match digits {
        "" => Ok(0),
        digits if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            digits.parse::<u128>().map_err(|_| BadSize::TooLarge)
        }
        _ => Err(BadSize::NoNumber),
    };
    let unit = 1_u128 << shift;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let whole = parse(whole)?.checked_mul(unit).ok_or(BadSize::TooLarge)?;
    let part = parse(fraction)? * unit / scale;
    u64::try_from(whole.saturating_add(part)).map_err(|_| BadSize::TooLarge)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, mib) in [
            ("2g", 2048),
            ("2048m", 2048),
            ("2GiB", 2048),
            ("2GB", 2048),
            ("1.5g", 1536),
            (" 512 M ", 512),
            ("1t", 1 << 20),
        ] {
            assert_eq!(mebibytes(text), Ok(mib), "{text}");
        }
        assert_eq!(gibibytes("60g"), Ok(60));
        assert_eq!(gibibytes("60.5g"), Ok(61));
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let after = |minutes| {
            Ok(After {
                minutes: NonZeroU32::new(minutes),
            })
        };
        assert_eq!(minutes("5m"), after(5));
        assert_eq!(minutes("90 min"), after(90));
        assert_eq!(minutes("2h"), after(120));
        assert_eq!(minutes("off"), after(0));
        for bad in ["", "5", "0m", "-5m", "10s", "soon", "99999999h"] {
            assert_eq!(minutes(bad), Err(BadTime), "{bad}");
        }
    }

    #[test]
    fn what_is_no_size_says_why() {
        assert_eq!(bytes("much"), Err(BadSize::NoNumber));
        assert_eq!(bytes(""), Err(BadSize::NoNumber));
        assert_eq!(bytes("-2g"), Err(BadSize::NoNumber));
        assert_eq!(bytes("1.2.3g"), Err(BadSize::NoNumber));
        assert_eq!(bytes("2048"), Err(BadSize::NoUnit));
        assert_eq!(bytes("2 apples"), Err(BadSize::UnknownUnit("apples".into())));
        assert_eq!(bytes("99999999999999999999999t"), Err(BadSize::TooLarge));
        assert_eq!(
            bytes("99999999999999999999999999999999999999999999t"),
            Err(BadSize::TooLarge)
        );
    }
}
