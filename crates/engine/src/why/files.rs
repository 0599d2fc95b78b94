//! Files: a full disk, rights, what is not there.

use super::{Cause, Facts, Mounted, Remedy, Source, Why, WhyFix, pattern};

pub(super) fn disk_full(facts: &Facts) -> Option<Why> {
    let full = pattern!(
        r"(?i)no space left on device|\bENOSPC\b|disk (is )?full|database or disk is full|disk quota exceeded"
    );
    let (from, words) = if full.is_match(&facts.error) {
        (Source::Engine, facts.error.as_str())
    } else {
        (Source::Log, facts.said(full).filter(|_| facts.exit_code != 0)?.line)
    };
    // A file system in memory has an own size.
    let memory = facts
        .spec
        .mounts
        .iter()
        .find(|mount| mount.source == crate::MountSource::Memory && words.contains(&mount.target));
    if let Some(mount) = memory {
        return Some(
            facts
                .why(
                    Cause::DiskFull,
                    "A folder in memory is full",
                    format!("{} has filled {}", facts.name, mount.target),
                    "That folder is kept in memory and has a size of its own, which is used up.",
                )
                .knows(from, words)
                .fix(facts.run_again(
                    "Make it larger",
                    "Its option size= is among the folders in the form.",
                    "Change the folder",
                    |_| {},
                )),
        );
    }
    Some(
        facts
            .why(
                Cause::DiskFull,
                "The disk is full",
                format!("{} could not write: the disk is full", facts.name),
                "There was no room left where the engine keeps images, containers and volumes, or on the disk of a folder \
                 that it uses. What was being written may be half there.",
            )
            .knows(from, words)
            .fix(WhyFix {
                title: "Make room".into(),
                note: "Images, stopped containers and build caches that nobody uses, by name and size.".into(),
                button: "Free space".into(),
                remedy: Remedy::FreeSpace,
            }),
    )
}

fn mount_of<'a>(facts: &'a Facts, path: &str) -> Option<&'a Mounted> {
    facts
        .folders
        .iter()
        .filter(|mount| path == mount.target || path.starts_with(&format!("{}/", mount.target.trim_end_matches('/'))))
        .max_by_key(|mount| mount.target.len())
}

/// The path that a line of an error is about.
fn path_in(line: &str) -> Option<&str> {
    pattern!(r#"['"`‘“](/[^'"`’”]*)|(?:^|[\s(:])(/[\w./@+-]+)"#)
        .captures_iter(line)
        .filter_map(|found| found.get(1).or(found.get(2)))
        .map(|path| path.as_str().trim_end_matches([':', '.', ',']))
        .filter(|path| path.len() > 1)
        .last()
}

pub(super) fn read_only(facts: &Facts) -> Option<Why> {
    let said = facts
        .said(pattern!(r"(?i)read-only file system|\bEROFS\b"))
        .filter(|_| facts.exit_code != 0)?;
    let path = path_in(said.line).unwrap_or_default();
    let mount = mount_of(facts, path).filter(|mount| !mount.writable);
    let (story, title, button) = match mount {
        Some(mount) => (
            format!(
                "{} is connected so that it can only be read, and the program wants to write there.",
                mount.target
            ),
            "Allow it to write there".to_owned(),
            "Make it writable",
        ),
        None => (
            "The container's own files can only be read, and the program wants to write.".to_owned(),
            "Allow it to write its own files".to_owned(),
            "Make it writable",
        ),
    };
    let target = mount.map(|mount| mount.target.clone());
    Some(
        facts
            .why(
                Cause::ReadOnly,
                "May only read there",
                format!("{} may not write {path}", facts.name),
                story,
            )
            .knows(Source::Log, said.line)
            .fix(facts.run_again(
                &title,
                "What it changes in a folder of this computer is changed for you as well.",
                button,
                |spec| match &target {
                    Some(target) => {
                        for mount in spec.mounts.iter_mut().filter(|mount| mount.target == *target) {
                            mount.read_only = false;
                        }
                    }
                    None => spec.read_only = false,
                },
            )),
    )
}

pub(super) fn not_allowed(facts: &Facts) -> Option<Why> {
    let said = facts
        .said(pattern!(
            r"(?i)permission denied|\bEACCES\b|operation not permitted|\bEPERM\b"
        ))
        .filter(|_| facts.exit_code != 0)?;
    let path = path_in(said.line)?;
    let mount = mount_of(facts, path)?;
    let user = facts.spec.user.as_deref();
    Some(
        facts
            .why(
                Cause::NotAllowedInFolder,
                "May not write there",
                format!("{} may not use {path}", facts.name),
                format!(
                    "{} is {}. Its files belong to another user than the one the program runs as{}.",
                    mount.target,
                    if mount.folder {
                        format!("the folder {} of this computer", mount.source)
                    } else {
                        format!("the volume {}", mount.source)
                    },
                    user.map(|user| format!(" ({user})")).unwrap_or_default(),
                ),
            )
            .knows(Source::Log, said.line)
            .knows(Source::Settings, format!("{} in {}", mount.source, mount.target))
            .fix(facts.run_again(
                "Run it as root",
                "Root may do everything in the container. Files that it makes belong to root.",
                "Run as root",
                |spec| spec.user = Some("0".into()),
            ))
            .copy(
                "Or give the files to everybody",
                "For a terminal on this computer.",
                if mount.folder {
                    format!("chmod -R a+rwX {}", crate::Shell::Posix.quote(&mount.source))
                } else {
                    format!("docker run --rm -v {}:/v busybox chmod -R a+rwX /v", mount.source)
                },
            ),
    )
}

pub(super) fn missing(facts: &Facts) -> Option<Why> {
    let said = facts
        .said(pattern!(
            r"(?x)
            can't\ open\ file\ '(?<python>[^']+)'
            | FileNotFoundError:.*'(?<file>[^']+)'
            | ENOENT:.*,\ \w+\ '(?<node>[^']+)'
            | Cannot\ find\ module\ '(?<module>[/.][^']*)'
            | (?<shell>/[\w./@+-]+):\ No\ such\ file\ or\ directory
            | can't\ open\ '?(?<open>[^':]+)'?:\ [Nn]o\ such\ file
            | open\ (?<go>/[^:]+):\ no\ such\ file\ or\ directory
            | Unable\ to\ access\ jarfile\ (?<jar>\S+)
            | (?<other>[\w./@+-]+):\ No\ such\ file\ or\ directory
            "
        ))
        .filter(|_| facts.exit_code != 0)?;
    let path = [
        "python", "file", "node", "module", "shell", "open", "go", "jar", "other",
    ]
    .iter()
    .map(|group| said.group(group))
    .find(|path| !path.is_empty())?;
    let working = facts.working_folder.as_str();
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{}", working.trim_end_matches('/'), path.trim_start_matches("./"))
    };
    let file = whole.rsplit('/').next().unwrap_or(&whole);
    let over = mount_of(facts, &whole);
    let why = facts.why(
        Cause::FileMissing,
        &format!("{file} is missing"),
        format!("{} does not find {path}", facts.name),
        match over {
            Some(mount) if mount.folder => format!(
                "{} in the container is {} of this computer, and there is no {file} in it. What the image has in that \
                 place is hidden.",
                mount.target, mount.source
            ),
            Some(mount) => format!(
                "{} is the volume {}, and the file is not in it.",
                mount.target, mount.source
            ),
            None => {
                "The file is not in the image: it was not copied, has another name, or stands in .dockerignore.".into()
            }
        },
    );
    let why = why.knows(Source::Log, said.line);
    Some(match over {
        Some(mount) => why
            .knows(Source::Settings, format!("{} in {}", mount.source, mount.target))
            .fix(facts.run_again(
                "Choose another folder",
                "The form opens with its folders.",
                "Change the folders",
                |_| {},
            )),
        None => why
            .copy(
                "Copy it into the image",
                "A line for the Dockerfile; then build the image again.",
                format!("COPY {file} {whole}"),
            )
            .fix(facts.run_again(
                "Change the command",
                "When the name of the file is wrong.",
                "Change the command",
                |_| {},
            )),
    })
}
