//! What can be known of a run before it is tried: the image, the name, the folders, memory and disk. Ports have their
//! own question, which each row of the form asks.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use wherry_engine::{ContainerSummary, EngineInfo, EngineOrigin, ImageDetail, Link, MountSource, RunSpec};
use wherry_machine::State;
use wherry_machine::doctor::Verdict;

use crate::{App, Problem, port};

/// Below this a container hardly starts.
const LITTLE_DISK: u64 = 1 << 30;

/// What engines refuse.
const LEAST_MEMORY: u64 = 6 << 20;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    pub checks: Vec<PreflightCheck>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PreflightCheck {
    pub about: PreflightAbout,
    pub verdict: Verdict,
    pub sentence: String,
    pub fix: Option<PreflightFix>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PreflightAbout {
    Image,
    Name,
    /// The container's path that it is mounted to.
    Mount {
        target: String,
    },
    EnvFile {
        path: String,
    },
    Memory,
    Disk,
}

/// A change of the form or of this computer, as a button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PreflightFix {
    UseName {
        name: String,
    },
    MakeFolder {
        path: String,
    },
    ShareFolder {
        path: String,
    },
    UseMemory {
        bytes: u64,
    },
    /// No platform: the engine's own.
    UseOwnPlatform,
    FreeSpace,
}

fn check(about: PreflightAbout, verdict: Verdict, sentence: String, fix: Option<PreflightFix>) -> PreflightCheck {
    PreflightCheck {
        about,
        verdict,
        sentence,
        fix,
    }
}

pub(crate) async fn look(app: &App, spec: &RunSpec) -> Result<Preflight, Problem> {
    let engine = app.engine().await?;
    let info = match &*engine.link().borrow() {
        Link::Connected { info, .. } => Some(info.clone()),
        Link::Connecting | Link::Away { .. } => None,
    };
    let mut checks = Vec::new();
    let reference = spec.image.trim();
    if !reference.is_empty() && !reference.contains(char::is_whitespace) {
        checks.push(image(
            spec,
            engine.image(reference).await.ok().as_ref(),
            info.as_deref(),
        ));
    }
    if let Some(given) = spec.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        checks.push(name(given, &engine.containers(true).await?));
    }
    if port::is_local(&engine) {
        let shared = shared_folders(app).await;
        let spec = spec.clone();
        let looked = tokio::task::spawn_blocking(move || files(&spec, shared.as_deref())).await;
        checks.extend(looked.unwrap_or_default());
    }
    if let Some(info) = &info {
        checks.extend(memory(spec, info.memory));
    }
    if in_machine(app).await
        && let Ok(status) = app.parts.machine.status().await
        && let State::Running { running } = status.state
    {
        let free = running
            .usage
            .guest_disk_total
            .saturating_sub(running.usage.guest_disk_used);
        if free < LITTLE_DISK {
            let sentence = format!("Only {} are free on the engine's disk", capacity(free));
            let fix = Some(PreflightFix::FreeSpace);
            checks.push(check(PreflightAbout::Disk, Verdict::Warn, sentence, fix));
        }
    }
    Ok(Preflight { checks })
}

async fn in_machine(app: &App) -> bool {
    let current = app.parts.engines.current().await;
    current.used.is_some_and(|used| used.origin == EngineOrigin::Machine)
}

/// The folders that the machine can see; `None` where the engine sees all of this computer.
async fn shared_folders(app: &App) -> Option<Vec<PathBuf>> {
    if !in_machine(app).await {
        return None;
    }
    app.parts.machine.settings().await.ok().map(|settings| settings.folders)
}

/// "linux/amd64" of what engines and images say in several ways.
fn processor(word: &str) -> &str {
    match word {
        "x86_64" | "amd64" => "amd64",
        "aarch64" | "arm64" => "arm64",
        other => other,
    }
}

fn image(spec: &RunSpec, here: Option<&ImageDetail>, info: Option<&EngineInfo>) -> PreflightCheck {
    let name = spec.image.trim();
    let own = info.map(|info| processor(&info.architecture));
    let asked = spec
        .platform()
        .and_then(|platform| platform.split('/').nth(1))
        .map(processor);
    let Some(detail) = here else {
        if let (Some(asked), Some(own)) = (asked, own)
            && asked != own
        {
            let sentence = format!("It is made for {asked} and the engine has {own}: it runs slowly, or not at all");
            return check(
                PreflightAbout::Image,
                Verdict::Warn,
                sentence,
                Some(PreflightFix::UseOwnPlatform),
            );
        }
        let sentence = format!("{name} is not on this computer yet. Run gets it first.");
        return check(PreflightAbout::Image, Verdict::Skip, sentence, None);
    };
    let made_for = processor(&detail.architecture);
    let size = size(u64::try_from(detail.size).unwrap_or_default());
    match own {
        Some(own) if own != made_for && !made_for.is_empty() => check(
            PreflightAbout::Image,
            Verdict::Warn,
            format!("{name} is made for {made_for} and the engine has {own}: it runs slowly, or not at all"),
            spec.platform().is_some().then_some(PreflightFix::UseOwnPlatform),
        ),
        Some(_) | None => {
            let sentence = format!("{name} is here, {size}, made for this processor");
            check(PreflightAbout::Image, Verdict::Pass, sentence, None)
        }
    }
}

fn name(given: &str, containers: &[ContainerSummary]) -> PreflightCheck {
    let taken = |name: &str| containers.iter().any(|container| container.name == name);
    if !taken(given) {
        return check(
            PreflightAbout::Name,
            Verdict::Pass,
            format!("No other container is called {given}"),
            None,
        );
    }
    let free = (2..1000).map(|nth| format!("{given}-{nth}")).find(|name| !taken(name));
    check(
        PreflightAbout::Name,
        Verdict::Fail,
        format!("Another container is called {given}"),
        free.map(|name| PreflightFix::UseName { name }),
    )
}

/// Reads this computer's disks: call it where blocking is allowed.
fn files(spec: &RunSpec, shared: Option<&[PathBuf]>) -> Vec<PreflightCheck> {
    let mut checks = Vec::new();
    for mount in &spec.mounts {
        if let MountSource::Folder { path, must_exist } = &mount.source {
            checks.push(folder(path, &mount.target, *must_exist, mount.read_only, shared));
        }
    }
    for path in &spec.env_files {
        let about = PreflightAbout::EnvFile { path: path.clone() };
        let refused = match fs_err::read(path) {
            Ok(bytes) => wherry_engine::env_file_for_run(&bytes)
                .err()
                .map(|refusal| format!("{path} is refused: {}, in line {}", refusal.why, refusal.line)),
            Err(_) => Some(format!("There is no file {path} that can be read")),
        };
        let verdict = if refused.is_some() {
            Verdict::Fail
        } else {
            Verdict::Pass
        };
        checks.push(check(
            about,
            verdict,
            refused.unwrap_or_else(|| format!("{path} can be read")),
            None,
        ));
    }
    checks
}

fn folder(path: &str, target: &str, must_exist: bool, read_only: bool, shared: Option<&[PathBuf]>) -> PreflightCheck {
    let about = PreflightAbout::Mount {
        target: target.to_owned(),
    };
    let found = Path::new(path);
    if shared.is_some() && wherry_machine::is_machines_own(found) {
        let sentence = format!("{path} is the machine's own there, not this computer's");
        return check(about, Verdict::Warn, sentence, None);
    }
    // What the container would find in place of a folder that is not shared is an empty one.
    if let Some(shared) = shared
        && !shared.iter().any(|folder| found.starts_with(folder))
    {
        let share = if found.is_dir() {
            found
        } else {
            found.parent().unwrap_or(found)
        };
        let fix = share.is_dir().then(|| PreflightFix::ShareFolder {
            path: share.display().to_string(),
        });
        let sentence = format!("{path} is not shared with the machine, so containers cannot see it");
        return check(about, Verdict::Fail, sentence, fix);
    }
    let Ok(metadata) = fs_err::metadata(found) else {
        let fix = Some(PreflightFix::MakeFolder { path: path.to_owned() });
        return if must_exist {
            check(
                about,
                Verdict::Fail,
                format!("There is no {path} on this computer"),
                fix,
            )
        } else {
            // In the machine whatever is made in a shared folder is the person's.
            let owner = if shared.is_some() { "yours" } else { "owned by root" };
            let sentence = format!("There is no {path} on this computer. The engine makes an empty folder, {owner}.");
            check(about, Verdict::Warn, sentence, fix)
        };
    };
    if metadata.permissions().readonly() && !read_only {
        return check(
            about,
            Verdict::Warn,
            format!("{path} is read-only on this computer"),
            None,
        );
    }
    let kind = if metadata.is_dir() { "folder" } else { "file" };
    check(about, Verdict::Pass, format!("The {kind} {path} is there"), None)
}

fn memory(spec: &RunSpec, total: u64) -> Vec<PreflightCheck> {
    let mut checks = Vec::new();
    if let Some(limit) = spec.memory {
        if limit < LEAST_MEMORY {
            let fix = Some(PreflightFix::UseMemory { bytes: 64 << 20 });
            let sentence = "A container needs 6 MB of memory or more".to_owned();
            checks.push(check(PreflightAbout::Memory, Verdict::Fail, sentence, fix));
        } else if total > 0 && limit > total {
            let fix = Some(PreflightFix::UseMemory {
                bytes: total / 2 / (1 << 20) * (1 << 20),
            });
            let sentence = format!("{} are more than the engine's {}", capacity(limit), capacity(total));
            checks.push(check(PreflightAbout::Memory, Verdict::Warn, sentence, fix));
        } else {
            let sentence = format!("{} of the engine's {}", capacity(limit), capacity(total));
            checks.push(check(PreflightAbout::Memory, Verdict::Pass, sentence, None));
        }
    }
    checks
}

/// "1.2 GB": images are shown in powers of 1000, as the docker command shows them.
fn size(bytes: u64) -> String {
    scaled(bytes, 1000.0)
}

/// Memory and disks are counted in powers of 1024 and called GB, as in the rest of the window.
pub(crate) fn capacity(bytes: u64) -> String {
    scaled(bytes, 1024.0)
}

fn scaled(bytes: u64, base: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let mut value = bytes as f64;
    let mut units = ["bytes", "kB", "MB", "GB", "TB"].iter();
    let mut unit = units.next();
    while value >= base - 0.5
        && let Some(next) = units.next()
    {
        value /= base;
        unit = Some(next);
    }
    let digits = usize::from(value < 99.95 && bytes >= 1000);
    let number = format!("{value:.digits$}");
    format!("{} {}", number.trim_end_matches(".0"), unit.unwrap_or(&""))
}

#[cfg(test)]
mod tests {
    use wherry_engine::RunMount;

    use super::*;

    fn verdicts(checks: &[PreflightCheck]) -> Vec<(Verdict, &str)> {
        checks
            .iter()
            .map(|check| (check.verdict, check.sentence.as_str()))
            .collect()
    }

    #[test]
    fn folders_are_there_shared_and_files_readable() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs_err::write(folder.path().join("good.env"), "A=b\n").expect("written");
        fs_err::write(folder.path().join("bad.env"), "A=b\nexport C=d\n").expect("written");
        let mount = |name: &str, must_exist| RunMount {
            source: MountSource::Folder {
                path: path(name),
                must_exist,
            },
            target: format!("/{name}"),
            read_only: false,
            options: Vec::new(),
        };
        let spec = RunSpec {
            mounts: vec![mount("good.env", false), mount("none", false), mount("none", true)],
            env_files: vec![path("good.env"), path("bad.env"), path("none.env")],
            ..RunSpec::default()
        };
        let looked = files(&spec, None);
        assert_eq!(
            verdicts(&looked)
                .iter()
                .map(|(verdict, _)| *verdict)
                .collect::<Vec<_>>(),
            [
                Verdict::Pass,
                Verdict::Warn,
                Verdict::Fail,
                Verdict::Pass,
                Verdict::Fail,
                Verdict::Fail
            ]
        );
        assert_eq!(looked[1].fix, Some(PreflightFix::MakeFolder { path: path("none") }));
        assert!(looked[4].sentence.ends_with("in line 2"), "{}", looked[4].sentence);
        let elsewhere = files(&spec, Some(&[PathBuf::from("/nowhere")]));
        assert_eq!(elsewhere[0].verdict, Verdict::Fail);
        assert_eq!(
            elsewhere[0].fix,
            Some(PreflightFix::ShareFolder {
                path: folder.path().display().to_string()
            })
        );
        let here = files(&spec, Some(&[folder.path().to_owned()]));
        assert_eq!(here[0].verdict, Verdict::Pass);
        assert!(here[1].sentence.ends_with("yours."), "{}", here[1].sentence);
    }

    #[cfg(unix)]
    #[test]
    fn the_engine_s_socket_is_the_machine_s_own_and_nothing_to_share() {
        let shared = [PathBuf::from("/home/ada")];
        let look = |shared| folder("/var/run/docker.sock", "/var/run/docker.sock", false, false, shared);
        let of_machine = look(Some(&shared));
        assert_eq!((of_machine.verdict, of_machine.fix), (Verdict::Warn, None));
        assert!(!look(None).sentence.contains("the machine's own"));
    }

    #[test]
    fn memory_is_neither_too_little_nor_more_than_there_is() {
        let with = |bytes| {
            let spec = RunSpec {
                memory: Some(bytes),
                ..RunSpec::default()
            };
            memory(&spec, 4 << 30).remove(0)
        };
        assert_eq!(with(1 << 20).verdict, Verdict::Fail);
        assert_eq!(with(1 << 30).verdict, Verdict::Pass);
        let much = with(8 << 30);
        assert_eq!(
            (much.verdict, much.sentence.as_str()),
            (Verdict::Warn, "8 GB are more than the engine's 4 GB")
        );
        assert_eq!(much.fix, Some(PreflightFix::UseMemory { bytes: 2 << 30 }));
    }

    #[test]
    fn an_image_is_for_this_processor_or_not() {
        let info = EngineInfo {
            product: "Docker".into(),
            version: String::new(),
            api_version: String::new(),
            operating_system: String::new(),
            kernel: String::new(),
            architecture: "x86_64".into(),
            cpus: 1,
            memory: 1,
        };
        let spec = RunSpec {
            image: "nginx".into(),
            ..RunSpec::default()
        };
        let detail = |architecture: &str| ImageDetail {
            architecture: architecture.into(),
            size: 21_000_000,
            ..ImageDetail::default()
        };
        let fits = image(&spec, Some(&detail("amd64")), Some(&info));
        assert_eq!(fits.sentence, "nginx is here, 21 MB, made for this processor");
        let other = image(&spec, Some(&detail("arm64")), Some(&info));
        assert_eq!((other.verdict, other.fix), (Verdict::Warn, None));
        let asked = RunSpec {
            platform: Some("linux/arm64".into()),
            ..spec.clone()
        };
        assert_eq!(image(&asked, None, Some(&info)).fix, Some(PreflightFix::UseOwnPlatform));
        assert_eq!(image(&spec, None, Some(&info)).verdict, Verdict::Skip);
    }
}
