//! How a program ends: asked, killed, crashed, or finished.

use super::{Cause, Facts, Source, Tone, Why, pattern};

const TERM: i32 = 15;
pub(super) const KILL: i32 = 9;

/// What people do all day.
const SHELLS: &[&str] = &[
    "sh", "bash", "ash", "zsh", "dash", "python", "python3", "ipython", "node", "irb", "php", "psql", "julia", "R",
];

pub(super) fn stop_timed_out(facts: &Facts) -> Option<Why> {
    let asked = facts.signals.iter().position(|signal| *signal != KILL)?;
    if facts.exit_code != 137 || !facts.signals[asked..].contains(&KILL) {
        return None;
    }
    // Whoever stopped it may have given it another time than the container's own.
    let taken = facts
        .asked_at
        .zip(facts.finished)
        .map(|(asked, ended)| (ended - asked + 500) / 1000);
    let seconds = match taken.or(facts.spec.stop_timeout).unwrap_or(10) {
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    };
    let mut why = facts
        .why(
            Cause::StopTimedOut,
            "Did not stop in time",
            format!("{} was asked to stop and did not", facts.name),
            format!(
                "Somebody stopped it. It was sent signal {}, which asks a program to end, and had {seconds} for \
                 that. Then it was ended at once. It is not about memory.",
                facts.signals[asked]
            ),
        )
        .knows(
            Source::Events,
            format!("kill with signal {}, then kill with signal 9", facts.signals[asked]),
        )
        .knows(Source::Engine, "OOMKilled: false")
        .means("128 + 9. Signal 9 ends a program at once: that is how a stop ends that takes too long.")
        .tone(Tone::Plain);
    if !facts.spec.init {
        why = why.fix(facts.run_again(
            "Let a small helper pass signals on",
            "The first program of a container gets no signal that it does not expect. With --init it is not the first.",
            "Run with --init",
            |spec| spec.init = true,
        ));
    }
    Some(why.fix(facts.run_again(
        "Give it more time",
        "A database may need it to write everything down.",
        "Set 60 seconds",
        |spec| spec.stop_timeout = Some(60),
    )))
}

pub(super) fn killed(facts: &Facts) -> Option<Why> {
    if facts.exit_code != 137 {
        return None;
    }
    let by_somebody = facts.signals.contains(&KILL);
    let story = if by_somebody {
        "Somebody ended it at once, as Kill and docker kill do. It is not about memory."
    } else {
        "Something ended it at once, and it was not the engine's memory limit. It may have been a Kill in a terminal, the \
         program itself, or the engine when it was shut down."
    };
    let why = facts
        .why(Cause::Killed, "Killed", format!("{} was killed", facts.name), story)
        .knows(Source::Engine, "OOMKilled: false")
        .means("128 + 9. Signal 9 ends a program at once.")
        .tone(Tone::Plain);
    Some(if by_somebody {
        why.knows(Source::Events, "kill with signal 9")
    } else {
        why.logs()
    })
}

pub(super) fn stopped(facts: &Facts) -> Option<Why> {
    match facts.exit_code {
        143 => Some(
            facts
                .why(
                    Cause::Stopped,
                    "Stopped when asked",
                    format!("{} was stopped", facts.name),
                    "It was asked to end, as Stop does, and it did.",
                )
                .knows(Source::Engine, "Exit code 143")
                .means("128 + 15. Signal 15 asks a program to end.")
                .tone(Tone::Plain),
        ),
        130 => Some(
            facts
                .why(
                    Cause::Interrupted,
                    "Interrupted",
                    format!("{} was interrupted", facts.name),
                    "It was ended as Ctrl C does.",
                )
                .knows(Source::Engine, "Exit code 130")
                .means("128 + 2. Signal 2 is an interrupt.")
                .tone(Tone::Plain),
        ),
        // Many servers end with an error of their own when they are stopped.
        code if facts.signals.contains(&TERM) && code != 0 && !facts.signals.contains(&KILL) => Some(
            facts
                .why(
                    Cause::Stopped,
                    "Stopped when asked",
                    format!("{} was stopped", facts.name),
                    format!("It was asked to end, and it did. Its own way to say so is {code}."),
                )
                .knows(Source::Events, "kill with signal 15")
                .tone(Tone::Plain),
        ),
        _ => None,
    }
}

pub(super) fn memory_fault(facts: &Facts) -> Option<Why> {
    let said = facts.said(pattern!(r"(?i)segmentation fault|\bSIGSEGV\b|segfault"));
    if facts.exit_code != 139 && !(said.is_some() && facts.exit_code != 0) {
        return None;
    }
    let mut why = facts
        .why(
            Cause::MemoryFault,
            "Crashed, memory fault",
            format!("{} crashed", facts.name),
            "The program touched memory that is not its own. That is a mistake in the program or in one of its libraries, \
             often one that was built for another processor or another system.",
        )
        .knows(Source::Engine, format!("Exit code {}", facts.exit_code));
    if facts.exit_code == 139 {
        why = why.means("128 + 11. Signal 11 ends a program that touches memory which is not its own.");
    }
    if let Some(said) = said {
        why = why.knows(Source::Log, said.line);
    }
    if let Some(kernel) = facts.kernel.iter().rev().find(|line| line.contains("segfault at")) {
        why = why.knows(Source::Kernel, kernel);
    }
    Some(emulated(facts, why).logs())
}

pub(super) fn wrong_instruction(facts: &Facts) -> Option<Why> {
    let said = facts.said(pattern!(r"(?i)illegal instruction|\bSIGILL\b"));
    if facts.exit_code != 132 && !(said.is_some() && facts.exit_code != 0) {
        return None;
    }
    let mut why = facts.why(
        Cause::WrongInstruction,
        "Needs another processor",
        format!("{} uses instructions that this processor does not have", facts.name),
        "The program was built for a newer or another processor, or a library was (AVX is the usual one).",
    );
    if facts.exit_code == 132 {
        why = why
            .knows(Source::Engine, "Exit code 132")
            .means("128 + 4. Signal 4 ends a program whose next instruction the processor does not know.");
    }
    if let Some(said) = said {
        why = why.knows(Source::Log, said.line);
    }
    Some(emulated(facts, why).logs())
}

/// A processor that is imitated is a frequent reason for crashes.
fn emulated(facts: &Facts, why: Why) -> Why {
    match &facts.image_architecture {
        Some(image) if *image != facts.engine_architecture && !facts.engine_architecture.is_empty() => {
            let (wanted, text) = (
                format!("linux/{}", facts.engine_architecture),
                format!(
                    "The image is for {image}, the engine's processor is {}",
                    facts.engine_architecture
                ),
            );
            why.knows(Source::Settings, text).fix(facts.run_again(
                "Take the image for this processor",
                "One that is imitated is slow, and not everything works.",
                &format!("Run for {wanted}"),
                |spec| {
                    spec.platform = Some(wanted.clone());
                    spec.pull = crate::PullPolicy::Always;
                },
            ))
        }
        Some(_) | None => why,
    }
}

pub(super) fn aborted(facts: &Facts) -> Option<Why> {
    (facts.exit_code == 134).then(|| {
        let mut why = facts
            .why(
                Cause::Aborted,
                "Aborted",
                format!("{} ended itself", facts.name),
                "The program noticed that something was wrong and stopped at once.",
            )
            .means("128 + 6. Signal 6 is what a program sends itself when it cannot go on.")
            .knows(Source::Engine, "Exit code 134");
        if let Some(line) = last_words(facts) {
            why = why.knows(Source::Log, line);
        }
        why.logs()
    })
}

fn program(facts: &Facts) -> &str {
    let first = facts.command.first().map_or("", String::as_str);
    first.rsplit('/').next().unwrap_or(first)
}

pub(super) fn nobody_types(facts: &Facts) -> Option<Why> {
    // An entrypoint script that runs what it is given.
    let last = facts.command.last().map_or("", String::as_str);
    let alone = facts.command.len() == 1 || (facts.command.len() == 2 && program(facts).contains("entrypoint"));
    let shell = last.rsplit('/').next().unwrap_or(last);
    let waits = alone && SHELLS.contains(&shell) && !(facts.spec.interactive && facts.spec.terminal);
    (facts.exit_code == 0 && waits && facts.ended_at_once()).then(|| {
        facts
            .why(
                Cause::NobodyTypes,
                "Nobody typed anything",
                format!("{} ended because nobody typed anything", facts.name),
                format!(
                    "It runs {shell}, which waits for what is typed. Without a terminal there is nothing to wait for, so it \
                     ends at once, and a container ends with its first program."
                ),
            )
            .knows(Source::Settings, format!("Command: {}", facts.command.join(" ")))
            .knows(Source::Engine, "Exit code 0")
            .tone(Tone::Warn)
            .fix(facts.run_again(
                "Give it a terminal",
                "It then waits for you, in its Terminal tab.",
                "Run with a terminal",
                |spec| {
                    spec.interactive = true;
                    spec.terminal = true;
                },
            ))
    })
}

pub(super) fn in_background(facts: &Facts) -> Option<Why> {
    if facts.exit_code != 0 || !facts.ended_at_once() {
        return None;
    }
    let line = facts.command.join(" ");
    let nginx = pattern!(r"(^|[\s/])nginx(\s|$)").is_match(&line) && !line.contains("daemon off");
    let background = pattern!(r"(^|\s)(service|/etc/init\.d/\S+|rc-service|systemctl)\s+(\S+\s+)?start\b|apachectl(\s+-k)?\s+start|(^|\s)apache2ctl start|redis-server .*--daemonize yes|&\s*$|\bnohup\b|--daemon(ize)?\b|pg_ctl .*start|\bpm2 start\b")
        .find(&line);
    if !nginx && background.is_none() {
        return None;
    }
    let why = facts
        .why(
            Cause::InBackground,
            "Nothing stayed in the foreground",
            format!("{} ended because its work went to the background", facts.name),
            "The command starts a program in the background and is done. A container ends with its first program, and \
             takes everything else with it. The program has to stay in the foreground.",
        )
        .knows(Source::Settings, format!("Command: {line}"))
        .knows(Source::Engine, "Exit code 0")
        .tone(Tone::Warn);
    let foreground: Option<Vec<&str>> = if nginx {
        Some(vec!["nginx", "-g", "daemon off;"])
    } else if line.contains("apache") {
        Some(vec!["apachectl", "-D", "FOREGROUND"])
    } else {
        None
    };
    Some(match foreground {
        Some(words) => why.fix(facts.run_again(
            "Keep it in the foreground",
            &words.join(" "),
            "Change the command",
            |spec| {
                spec.entrypoint = None;
                spec.command = words.iter().map(|word| (*word).to_owned()).collect();
            },
        )),
        None => why.fix(facts.run_again(
            "Change the command",
            "Run the program itself, without &, service or a daemon switch.",
            "Change the command",
            |_| {},
        )),
    })
}

pub(super) fn finished(facts: &Facts) -> Option<Why> {
    (facts.exit_code == 0 && facts.error.is_empty()).then(|| {
        let stopped = facts.signals.contains(&TERM);
        let (headline, story) = if stopped {
            (
                format!("{} was stopped", facts.name),
                "It was asked to end, and came to its end without an error.",
            )
        } else {
            (
                format!("{} has finished", facts.name),
                "The program came to its end and reported no error. A container ends with its first program.",
            )
        };
        facts
            .why(Cause::Finished, "Finished normally", headline, story)
            .knows(Source::Engine, "Exit code 0")
            .tone(Tone::Plain)
    })
}

/// The line that says most: the last one of an error, or the last of all.
fn last_words(facts: &Facts) -> Option<&str> {
    let error = facts.said(pattern!(
        r"^(\w+\.)*\w*(Error|Exception|Exit|Interrupt)\b(:|$)|(?i)\b(error|fatal|panic(ked)?|exception|failed|cannot|could not|unable to)\b"
    ));
    error.map(|said| said.line).or_else(|| {
        facts
            .log
            .iter()
            .rev()
            .map(|line| line.text.trim())
            .find(|text| !text.is_empty())
    })
}

pub(super) fn failed(facts: &Facts) -> Option<Why> {
    if facts.exit_code == 0 {
        return None;
    }
    let code = facts.exit_code;
    let signal = (129..=192).contains(&code).then(|| code - 128);
    let story = match signal {
        Some(signal) => format!("Signal {signal} ended the program."),
        None => format!("The program reported an error, {code}. What the number means, only the program knows."),
    };
    let mut why = facts
        .why(
            Cause::Failed,
            "Ended with an error",
            format!("{} ended with an error", facts.name),
            story,
        )
        .knows(Source::Engine, format!("Exit code {code}"));
    if let Some(line) = last_words(facts) {
        why = why.knows(Source::Log, line);
    }
    if let Some(signal) = signal {
        why = why.means(format!(
            "128 + {signal}. That is how a program ends that a signal has ended."
        ));
    }
    Some(why.logs())
}
