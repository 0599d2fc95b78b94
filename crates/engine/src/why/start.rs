//! Starts that fail: 125, 126, 127, another processor, line ends of Windows.

use super::{Cause, Facts, Source, Why, pattern};
use crate::PullPolicy;

/// The engine's words about a start, or the first lines of a log that say the same.
fn told<'a>(facts: &'a Facts, pattern: &regex::Regex) -> Option<(Source, &'a str)> {
    if pattern.is_match(&facts.error) {
        return Some((Source::Engine, &facts.error));
    }
    // What one command among many says of another is no reason to end.
    if facts.exit_code == 0 {
        return None;
    }
    facts.said(pattern).map(|said| (Source::Log, said.line))
}

/// What is run first.
fn program(facts: &Facts) -> &str {
    facts.command.first().map_or("the command", String::as_str)
}

pub(super) fn port_taken(facts: &Facts) -> Option<Why> {
    let taken = pattern!(
        r"(?i)port is already allocated|address already in use|ports are not available|failed to bind host port"
    );
    if !taken.is_match(&facts.error) {
        return None;
    }
    let port = pattern!(r":(\d{1,5})(\s|:|->| )")
        .captures_iter(&facts.error)
        .filter_map(|found| found.get(1)?.as_str().parse::<u16>().ok())
        .find(|port| {
            facts
                .spec
                .ports
                .iter()
                .any(|published| published.host_port == Some(*port))
        });
    let what = port.map_or("A port".to_owned(), |port| format!("Port {port} of this computer"));
    Some(
        facts
            .why(
                Cause::PortTaken,
                "Its port is taken",
                format!("{} did not start: its port is taken", facts.name),
                format!("{what} is used by another program or container, and only one can have it."),
            )
            .knows(Source::Engine, &facts.error)
            .fix(facts.run_again(
                "Publish it on another port",
                "The form says who has the port and which one is free.",
                "Choose another port",
                |_| {},
            )),
    )
}

pub(super) fn wrong_cpu(facts: &Facts) -> Option<Why> {
    let (from, words) = told(facts, pattern!(r"(?i)exec format error"))?;
    let image = facts.image_architecture.as_deref()?;
    let engine = facts.engine_architecture.as_str();
    if image == engine || engine.is_empty() {
        return None;
    }
    let wanted = format!("linux/{engine}");
    Some(
        facts
            .why(
                Cause::WrongCpu,
                "Made for another processor",
                format!("{} is made for another processor", facts.name),
                format!(
                    "Its image is for {image}, and this engine's processor is {engine}: it cannot read the program."
                ),
            )
            .knows(from, words)
            .knows(Source::Settings, format!("Image: linux/{image}, engine: {wanted}"))
            .fix(facts.run_again(
                "Take the image for this processor",
                "Most images have one. This pulls it.",
                &format!("Run for {wanted}"),
                |spec| {
                    spec.platform = Some(wanted.clone());
                    spec.pull = PullPolicy::Always;
                },
            ))
            .copy(
                "Build it for this processor",
                "When the image is your own.",
                format!("docker build --platform {wanted} -t {} .", facts.spec.image),
            ),
    )
}

pub(super) fn windows_line_ends(facts: &Facts) -> Option<Why> {
    let in_log = pattern!(
        r"(\\r|\r|\^M)['’]?\s*:\s*(No such file|not found|bad interpreter|command not found|invalid option)|bad interpreter: .*\^M|illegal option -\s*$|set: -\s*: invalid|\$'.*\\r'"
    );
    let script = facts
        .script
        .as_ref()
        .filter(|script| script.first_line.starts_with(b"#!") && script.first_line.ends_with(b"\r"));
    let said = (facts.exit_code != 0).then(|| facts.said(in_log)).flatten();
    if script.is_none() && said.is_none() {
        return None;
    }
    let path = script.map_or_else(|| program(facts).to_owned(), |script| script.path.clone());
    let mut why = facts.why(
        Cause::WindowsLineEnds,
        "Script with line ends of Windows",
        format!("{path} has line ends of Windows"),
        "Its lines end with a character that Linux takes for a part of the text, so it looks for a program whose name ends \
         with that character and finds none. The file is there, though the error says that it is not.",
    );
    if let Some(script) = script {
        let line = String::from_utf8_lossy(&script.first_line).replace('\r', "\\r");
        why = why.knows(Source::Files, format!("First line of {path}: {line}"));
    }
    if !facts.error.is_empty() {
        why = why.knows(Source::Engine, &facts.error);
    }
    if let Some(said) = said {
        why = why.knows(Source::Log, said.line.replace('\r', "\\r"));
    }
    let file = path.rsplit('/').next().unwrap_or(&path).to_owned();
    Some(
        why.copy(
            "Change the line ends of the file",
            "In the folder that the image is built from; then build it again.",
            format!("sed -i 's/\\r$//' {file}"),
        )
        .copy(
            "Keep git from changing them again",
            "A line for the file .gitattributes.",
            "*.sh text eol=lf",
        )
        .copy(
            "Or change them while the image is built",
            "A line for the Dockerfile, after the file was copied.",
            format!("RUN sed -i 's/\\r$//' {path}"),
        ),
    )
}

pub(super) fn no_interpreter_line(facts: &Facts) -> Option<Why> {
    let (from, words) = told(facts, pattern!(r"(?i)exec format error"))?;
    let script = facts.script.as_ref();
    if script.is_some_and(|script| script.first_line.starts_with(b"#!") || script.first_line.starts_with(b"\x7fELF")) {
        return None;
    }
    let path = program(facts).to_owned();
    let mut why = facts
        .why(
            Cause::NoInterpreterLine,
            "Not a program",
            format!("{path} does not say what runs it"),
            "A script begins with a line like #!/bin/sh, which names the program that reads it. This one does not, and it \
             is no program for this processor either.",
        )
        .knows(from, words);
    if let Some(script) = script {
        why = why.knows(
            Source::Files,
            format!("First line of {path}: {}", String::from_utf8_lossy(&script.first_line)),
        );
    }
    Some(with_shell(facts, why).copy(
        "Or write the line into the script",
        "As the very first one; then build the image again.",
        "#!/bin/sh",
    ))
}

/// What cannot be run can be read by a shell.
fn with_shell(facts: &Facts, why: Why) -> Why {
    let mut words = facts.command.clone();
    why.fix(facts.run_again(
        "Let sh read it",
        &format!("sh {}", words.join(" ")),
        "Run with sh",
        |spec| {
            spec.entrypoint = Some("sh".into());
            spec.command = std::mem::take(&mut words);
        },
    ))
}

/// `#!/bin/bash` where there is no bash.
pub(super) fn no_interpreter(facts: &Facts) -> Option<Why> {
    let missing = pattern!(r"(?i)no such file or directory|not found");
    let (from, words) = told(facts, missing)?;
    let script = facts.script.as_ref()?;
    let line = std::str::from_utf8(&script.first_line).ok()?.strip_prefix("#!")?.trim();
    let (interpreter, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let needed = if interpreter.ends_with("/env") {
        rest.split_whitespace().last().unwrap_or(interpreter)
    } else {
        interpreter
    };
    let name = needed.rsplit('/').next().unwrap_or(needed);
    let path = &script.path;
    let why = facts
        .why(
            Cause::NoInterpreter,
            "What runs the script is missing",
            format!("{path} needs {name}, which the image does not have"),
            "The script is there. The program that its first line names is not, and the error does not say which of both \
             is meant.",
        )
        .knows(from, words)
        .knows(Source::Files, format!("First line of {path}: #!{line}"));
    let install = match name {
        "bash" => "RUN apk add --no-cache bash  # or: apt-get install -y bash",
        "python" | "python3" => "RUN apk add --no-cache python3  # or: apt-get install -y python3",
        _ => return Some(with_shell(facts, why)),
    };
    Some(with_shell(facts, why).copy(
        &format!("Install {name} in the image"),
        "A line for the Dockerfile; then build the image again.",
        install,
    ))
}

pub(super) fn no_working_folder(facts: &Facts) -> Option<Why> {
    let (from, words) = told(
        facts,
        pattern!(r#"(?i)chdir to cwd|container init: mkdir |workdir "?[^"]*"? does not exist"#),
    )?;
    let folder = Some(facts.working_folder.as_str())
        .filter(|folder| !folder.is_empty())
        .unwrap_or("its working folder");
    Some(
        facts
            .why(
                Cause::NoWorkingFolder,
                "Its working folder is missing",
                format!("{} cannot enter {folder}", facts.name),
                "The folder in which the command is to run is not there and cannot be made, or its user may not enter it.",
            )
            .knows(from, words)
            .fix(facts.run_again(
                "Choose another working folder",
                "It is under More in the form.",
                "Change the folder",
                |spec| spec.working_directory = None,
            )),
    )
}

pub(super) fn mount_failed(facts: &Facts) -> Option<Why> {
    let pattern = pattern!(
        r"(?i)error mounting|not a directory: unknown: are you trying to mount|bind source path does not exist|failed to mount|error while mounting volume|mounts denied"
    );
    if !pattern.is_match(&facts.error) {
        return None;
    }
    let kinds = facts.error.to_lowercase().contains("not a directory");
    let story = if kinds {
        "One side of a mount is a file and the other one is a folder. When the file on this computer was not there, an \
         empty folder was made in its place."
    } else {
        "A folder or volume that it was to have could not be connected."
    };
    let mut why = facts
        .why(
            Cause::MountFailed,
            "A folder could not be connected",
            format!("{} did not start: a folder could not be connected", facts.name),
            story,
        )
        .knows(Source::Engine, &facts.error);
    for mount in facts.folders.iter().filter(|mount| facts.error.contains(&mount.source)) {
        why = why.knows(Source::Settings, format!("{} in {}", mount.source, mount.target));
    }
    Some(why.fix(facts.run_again(
        "Look at its folders",
        "The form says which of them are there.",
        "Change the folders",
        |_| {},
    )))
}

pub(super) fn not_executable(facts: &Facts) -> Option<Why> {
    let denied = told(
        facts,
        pattern!(r"(?i)exec:? .*permission denied|exec .*: permission denied"),
    );
    if facts.exit_code != 126 && denied.is_none() {
        return None;
    }
    let denied = denied.or_else(|| {
        facts
            .said(pattern!(r"(?i)permission denied|cannot execute"))
            .map(|said| (Source::Log, said.line))
    });
    let path = pattern!(r#"exec: \\?"?([^\s":\\]+)|exec (/\S+?): permission"#)
        .captures(&facts.error)
        .and_then(|found| found.get(1).or(found.get(2)))
        .map_or_else(|| program(facts).to_owned(), |path| path.as_str().to_owned());
    let mut why = facts
        .why(
            Cause::NotExecutable,
            "Command cannot be executed",
            format!("{path} may not be run as a program"),
            "The file is there. It is a folder, or it lacks the mark that makes a file a program.",
        )
        .means("126: the command was found and could not be run.");
    if let Some((from, words)) = denied {
        why = why.knows(from, words);
    }
    why = why.knows(Source::Engine, format!("Exit code {}", facts.exit_code));
    Some(with_shell(facts, why).copy(
        "Mark it as a program",
        "A line for the Dockerfile, after the file was copied.",
        format!("RUN chmod +x {path}"),
    ))
}

pub(super) fn not_found(facts: &Facts) -> Option<Why> {
    let words = told(
        facts,
        pattern!(
            r"(?i)executable file not found|exec: .*no such file or directory|exec [^ ]+: no such file or directory|stat \S+: no such file"
        ),
    );
    let shell = (facts.exit_code == 127)
        .then(|| {
            facts.said(pattern!(
                r"^(.*: )?(line \d+: |\d+: )?(?<command>[^\s:]+): (command )?not found"
            ))
        })
        .flatten();
    // The engine gives 127 to whatever was not found, a setting of the kernel as well; its own words say which.
    let ran = facts.error.is_empty();
    if words.is_none() && !(facts.exit_code == 127 && ran) {
        return None;
    }
    let named = pattern!(r#"exec: \\?"?([^\s":\\]+)|exec (\S+?): no such"#).captures(&facts.error);
    let missing = named
        .and_then(|found| found.get(1).or(found.get(2)))
        .map(|command| command.as_str())
        .or(shell.as_ref().map(|said| said.group("command")))
        .unwrap_or_else(|| program(facts))
        .to_owned();
    let mut why = facts
        .why(
            Cause::CommandNotFound,
            "Command not found",
            format!("There is no {missing} in the image"),
            "The image has no program of that name where it looks for programs. It is a typing error, or the program has \
             to be installed in the image first.",
        )
        .means("127: the command was not found.");
    if let Some((from, words)) = words {
        why = why.knows(from, words);
    } else if let Some(said) = shell {
        why = why.knows(Source::Log, said.line);
    }
    why = why.knows(Source::Settings, format!("Command: {}", facts.command.join(" ")));
    // `docker run image "python app.py"` is one word.
    let one_word = facts
        .command
        .iter()
        .find(|word| word.contains(' ') && missing.contains(word.split(' ').next().unwrap_or(" ")));
    if let Some(word) = one_word.filter(|_| !facts.command.iter().any(|flag| flag == "-c")) {
        let words: Vec<String> = word.split_whitespace().map(str::to_owned).collect();
        return Some(why.fix(facts.run_again(
            "Take it apart into words",
            "All of it was taken for the name of one program.",
            "Change the command",
            |spec| spec.command.clone_from(&words),
        )));
    }
    Some(
        why.fix(facts.run_again(
            "Change the command",
            "The form opens with everything else as it was.",
            "Change the command",
            |_| {},
        ))
        .fix(facts.run_again(
            "Look around in the image",
            "With a shell and a terminal in place of the command.",
            "Run a shell",
            |spec| {
                spec.entrypoint = None;
                spec.command = vec!["sh".into()];
                spec.interactive = true;
                spec.terminal = true;
            },
        )),
    )
}

/// 125 and everything else that kept the engine from starting it.
pub(super) fn refused(facts: &Facts) -> Option<Why> {
    if facts.error.is_empty() {
        return None;
    }
    let why = facts
        .why(
            Cause::EngineRefused,
            "Could not be started",
            format!("{} could not be started", facts.name),
            "The engine could not start it with these settings. Its own words say why.",
        )
        .knows(Source::Engine, &facts.error);
    let why = if facts.exit_code == 125 {
        why.means("125: the engine itself could not do it; the program was not run.")
    } else {
        why
    };
    Some(why.fix(facts.run_again(
        "Change its settings",
        "The form opens with everything as it was.",
        "Open the form",
        |_| {},
    )))
}
