//! What a person could have typed instead of clicking.

use crate::{CommandLine, CommandPart, CommandPartKind, Shell};

const TERMINAL: &str =
    "-i lets you type into it, -t gives it a terminal, so that it shows a prompt and knows the window's size";

/// `docker exec -it -u app api bash`
pub fn exec_line(container: &str, program: &str, user: Option<&str>) -> CommandLine {
    let mut parts = vec![
        part(CommandPartKind::Program, &["docker", "exec"], None),
        part(CommandPartKind::Flag, &["-it"], Some(TERMINAL.to_owned())),
    ];
    if let Some(user) = user {
        let explanation = format!("Run it as {user} of the container's own users");
        parts.push(part(CommandPartKind::Flag, &["-u", user], Some(explanation)));
    }
    parts.push(part(CommandPartKind::Argument, &[container], None));
    parts.push(part(CommandPartKind::Argument, &[program], None));
    line(parts)
}

/// `docker attach api`
pub fn attach_line(container: &str) -> CommandLine {
    line(vec![
        part(CommandPartKind::Program, &["docker", "attach"], None),
        part(CommandPartKind::Argument, &[container], None),
    ])
}

/// The `docker run` of a debug shell.
pub fn debug_line(container: &str, image: &str) -> CommandLine {
    let shared = format!("container:{container}");
    let flag = |words: &[&str], explanation: &str| part(CommandPartKind::Flag, words, Some(explanation.to_owned()));
    line(vec![
        part(CommandPartKind::Program, &["docker", "run"], None),
        flag(&["-it"], TERMINAL),
        flag(&["--rm"], "Remove the helper when its shell ends"),
        flag(&["--pid", &shared], &format!("See the processes of {container}")),
        flag(
            &["--network", &shared],
            &format!("Use the network of {container}: the same addresses, the same localhost"),
        ),
        flag(
            &["--cap-add", "SYS_PTRACE"],
            &format!("Allowed to look into the processes of {container}, and so at its files"),
        ),
        flag(&["--user", "0"], "As root, who may look at everything"),
        flag(&["--entrypoint", "sh"], "Run a shell, whatever the image would run"),
        part(CommandPartKind::Image, &[image], None),
    ])
}

pub(crate) fn part(kind: CommandPartKind, words: &[&str], explanation: Option<String>) -> CommandPart {
    let quoted: Vec<String> = words.iter().map(|word| Shell::Posix.quote(word)).collect();
    CommandPart {
        kind,
        text: quoted.join(" "),
        explanation,
    }
}

pub(crate) fn line(parts: Vec<CommandPart>) -> CommandLine {
    let words: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    CommandLine {
        text: words.join(" "),
        parts,
    }
}
