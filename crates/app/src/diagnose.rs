//! The support bundle: one zip that says what a helper needs to know, and that the person can read first.

use std::fmt::Write as _;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use serde::Serialize;
use zip::write::SimpleFileOptions;

use crate::docker::Docker;
use crate::mask::{Masked, mask};
use crate::{App, Bundle, BundleFile, Check, Code, DiagnoseRequest, DoctorRequest, Examination, Problem, Verdict};

/// Of each log the end is kept, which is where the trouble is.
const LONGEST_LOG: u64 = 512 << 10;
/// More files than Wherry writes.
const MOST_LOGS: usize = 16;
/// The machine's own log comes over the link, from a machine that may be stuck.
const MACHINE_LOG: Duration = Duration::from_secs(10);

impl App {
    /// Writes the bundle, whole or not at all. What is there already is never replaced.
    pub async fn diagnose(&self, request: DiagnoseRequest) -> Result<Bundle, Problem> {
        let path = match request.path {
            Some(path) => PathBuf::from(path),
            None => default_path(),
        };
        let texts = self.gather(request.registry).await;
        let written = tokio::task::spawn_blocking(move || {
            let home = etcetera::home_dir().ok().map(|home| home.display().to_string());
            let files = masked(texts, home.as_deref());
            write(&path, &files)
                .map_err(|error| failed(&path, &error))
                .map(|bytes| Bundle {
                    path: path.display().to_string(),
                    bytes,
                    files: files
                        .into_iter()
                        .map(|(name, masked)| BundleFile {
                            name,
                            bytes: masked.text.len() as u64,
                            hidden: masked.hidden,
                        })
                        .collect(),
                })
        });
        written.await.map_err(|error| Problem {
            causes: vec![error.to_string()],
            ..Problem::plain(Code::Panic, "Could not make the support bundle")
        })?
    }

    /// Every text by name, as it is. What cannot be had is told in its place.
    async fn gather(&self, registry: Option<String>) -> Vec<(String, String)> {
        let parts = &self.parts;
        let examination = self.examine(DoctorRequest { registry }).await;
        let mut texts = vec![
            ("versions.txt".to_owned(), versions()),
            (
                "doctor.txt".to_owned(),
                examination.as_ref().map_or_else(told, doctor_text),
            ),
            ("doctor.json".to_owned(), json(examination.as_ref())),
            (
                "machine.json".to_owned(),
                match parts.machine.status().await {
                    Ok(status) => pretty(&status),
                    Err(error) => format!("{error}\n"),
                },
            ),
            (
                "machine-settings.json".to_owned(),
                match parts.machine.settings().await {
                    Ok(settings) => pretty(&settings),
                    Err(error) => format!("{error}\n"),
                },
            ),
            (
                "engine.json".to_owned(),
                json(crate::commands::engine::status(self).await.as_ref()),
            ),
            ("settings.json".to_owned(), pretty(&parts.settings.get())),
            (
                "docker.json".to_owned(),
                json(Docker::new(&parts.home).setup().as_ref()),
            ),
        ];
        texts.extend(logs(&parts.home.logs()));
        texts.push(("logs/engine-and-agent.log".to_owned(), self.machine_log().await));
        texts
    }

    async fn machine_log(&self) -> String {
        let mut text = String::new();
        let read = async {
            match self.parts.machine.logs(false).await {
                Ok(lines) => {
                    let mut lines = std::pin::pin!(lines);
                    while let Some(line) = lines.next().await {
                        if let Some(line) = line.strip_prefix("machine | ") {
                            text.push_str(line);
                            text.push('\n');
                        }
                    }
                }
                Err(error) => {
                    let _ = writeln!(text, "{error}");
                }
            }
        };
        if tokio::time::timeout(MACHINE_LOG, read).await.is_err() {
            text.push_str("The machine said no more in time.\n");
        }
        let longest = usize::try_from(LONGEST_LOG).unwrap_or(usize::MAX);
        let from = text.len().saturating_sub(longest);
        text.split_off(text.ceil_char_boundary(from))
    }
}

fn default_path() -> PathBuf {
    crate::saved::downloads().join(format!("wherry-diagnostics-{}.zip", now()))
}

/// "20261121-132627"
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string()
}

fn versions() -> String {
    format!(
        "Wherry {}\nSystem {} {}\nProcessor {}\nTaken {} UTC\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        sysinfo::System::long_os_version().unwrap_or_default(),
        std::env::consts::ARCH,
        now(),
    )
}

fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string());
    text.push('\n');
    text
}

fn json<T: Serialize>(value: Result<&T, &Problem>) -> String {
    match value {
        Ok(value) => pretty(value),
        Err(problem) => pretty(problem),
    }
}

fn told(problem: &Problem) -> String {
    format!("{}\n", problem.message)
}

fn doctor_text(examination: &Examination) -> String {
    examination.checks.iter().map(check_text).collect()
}

fn check_text(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Pass => "ok",
        Verdict::Warn => "look",
        Verdict::Fail => "bad",
        Verdict::Skip => "skipped",
    };
    let mut text = format!("{verdict:<8}{:<14}{}", check.name, check.title);
    if let Some(detail) = &check.detail {
        let _ = write!(text, " ({detail})");
    }
    text.push('\n');
    for more in check.why.iter().chain(&check.advice) {
        let _ = writeln!(text, "        {more}");
    }
    text
}

/// The end of each file in the folder of logs. A link there is not followed: it could lead anywhere.
fn logs(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files.truncate(MOST_LOGS);
    let named = files.into_iter().map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = end_of(&path).unwrap_or_else(|error| format!("{error}\n"));
        (format!("logs/{name}"), text)
    });
    named.collect()
}

fn end_of(path: &Path) -> io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST_LOG);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_LOG).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(match text.split_once('\n') {
        // Half a line could be half a secret, which nothing would recognize.
        Some((_, rest)) if from > 0 => format!("(the {from} bytes before this are left out)\n{rest}"),
        Some(_) | None => text,
    })
}

fn masked(texts: Vec<(String, String)>, home: Option<&str>) -> Vec<(String, Masked)> {
    let mut files: Vec<(String, Masked)> = texts
        .into_iter()
        .map(|(name, text)| {
            let masked = mask(&text, home);
            (name, masked)
        })
        .collect();
    let readme = Masked {
        text: readme(&files),
        hidden: 0,
    };
    files.insert(0, ("README.txt".to_owned(), readme));
    files
}

fn readme(files: &[(String, Masked)]) -> String {
    let mut text = String::from(
        "This is what Wherry says of itself and of this computer, for somebody who helps you.\n\
         It was sent nowhere. Read it before you hand it on.\n\n\
         Passwords, tokens, keys and what looks like them were replaced by [hidden], and the name of your\n\
         folder by ~. Names of containers, images and volumes are still there.\n\n",
    );
    for (name, masked) in files {
        let what = match name.as_str() {
            "versions.txt" => "versions of Wherry and of the system",
            "doctor.txt" => "what wherry doctor says",
            "doctor.json" => "the same for programs",
            "machine.json" => "the machine's state, size, ports and last start",
            "machine-settings.json" => "the machine's settings",
            "engine.json" => "the engine in use",
            "settings.json" => "Wherry's settings",
            "docker.json" => "what the docker command in a terminal uses",
            "logs/daemon.log" => "the background process that owns the machine",
            "logs/console.log" => "what the machine printed while it ran last",
            "logs/machine.log" => "what QEMU had to say",
            "logs/engine-and-agent.log" => "the engine's and the agent's log, from inside the machine",
            _ => "an earlier log",
        };
        let hidden = match masked.hidden {
            0 => String::new(),
            count => format!(" ({count} hidden)"),
        };
        let _ = writeln!(text, "{name:<28} {what}{hidden}");
    }
    text
}

/// For this user alone, in one step, and only where nothing is yet. The size of the file comes back.
fn write(path: &Path, files: &[(String, Masked)]) -> io::Result<u64> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut zip = zip::ZipWriter::new(file);
    let options = SimpleFileOptions::default().unix_permissions(0o600);
    for (name, masked) in files {
        zip.start_file(name, options)?;
        zip.write_all(masked.text.as_bytes())?;
    }
    let file = zip.finish()?;
    file.as_file().sync_all()?;
    let bytes = file.as_file().metadata()?.len();
    file.persist_noclobber(path)?;
    Ok(bytes)
}

fn failed(path: &Path, error: &io::Error) -> Problem {
    let (why, hint) = match error.kind() {
        io::ErrorKind::AlreadyExists => ("There is a file of that name already.", "Give another name."),
        io::ErrorKind::NotFound => ("Its folder is not there.", "Give a folder that is there."),
        io::ErrorKind::PermissionDenied => ("This user may not write there.", "Give a folder of your own."),
        io::ErrorKind::StorageFull => ("The disk is full.", "Give a folder on another disk."),
        _ => ("", "Give another folder."),
    };
    Problem {
        why: Some(why.to_owned()).filter(|why| !why.is_empty()),
        hint: Some(hint.to_owned()),
        causes: vec![error.to_string()],
        ..Problem::plain(Code::Other, format!("Could not write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_log_the_end_is_kept_from_a_whole_line_on() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let line = "password=hunter2 and more\n";
        let count = usize::try_from(LONGEST_LOG).unwrap_or(0) / line.len() + 100;
        fs_err::write(folder.path().join("daemon.log"), line.repeat(count))?;
        let found = logs(folder.path());
        let (name, text) = found.first().expect("a log");
        assert_eq!(name, "logs/daemon.log");
        assert!(text.starts_with("(the "), "{}", &text[..60]);
        assert!(text.lines().skip(1).all(|kept| kept == line.trim_end()));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_link_among_the_logs_is_not_followed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        fs_err::write(folder.path().join("key"), "mine")?;
        fs_err::create_dir(folder.path().join("logs"))?;
        fs_err::os::unix::fs::symlink(folder.path().join("key"), folder.path().join("logs/daemon.log"))?;
        assert_eq!(logs(&folder.path().join("logs")), []);
        Ok(())
    }

    #[test]
    fn the_bundle_is_whole_or_not_there() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bundle.zip");
        let files = masked(vec![("versions.txt".into(), "Wherry\n".into())], None);
        fs_err::write(&path, "somebody's")?;
        let error = write(&path, &files).expect_err("there is one");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs_err::read_to_string(&path)?, "somebody's");
        assert_eq!(fs_err::read_dir(folder.path())?.count(), 1, "nothing is left beside it");
        Ok(())
    }
}
