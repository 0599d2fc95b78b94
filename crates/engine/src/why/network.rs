//! What a container does not reach, and ports inside it.

use super::{Cause, Facts, Neighbour, Source, Tone, Why, pattern};
use crate::{RunNetwork, Variable};

const HOST: &str = "host.docker.internal";

/// A connection to this address and port was refused, in the words of clients.
fn refused() -> &'static regex::Regex {
    pattern!(
        r#"(?ix)
        (refused|ECONNREFUSED|cannot\ connect|could\ not\ connect|failed\ to\ connect|can't\ connect|connect\ error|connection\ error|max\ retries).*?
            (localhost|127\.0\.0\.1|::1)["')\]]*(:|,?\ (on\ )?port[=\ ]+|",\ port\ )(?<after>\d{2,5})
        | (localhost|127\.0\.0\.1|\[?::1\]?)["')\]]*(:|,?\ (on\ )?port[=\ ]+|",\ port\ )(?<before>\d{2,5})\b.*?(refused|ECONNREFUSED|failed)
        "#
    )
}

/// A name that was not found, in the words of clients.
fn unknown_name() -> &'static regex::Regex {
    pattern!(
        r#"(?x)
        getaddrinfo\ (ENOTFOUND|EAI_AGAIN)\ (?<node>[\w.-]+)
        | could\ not\ translate\ host\ name\ "(?<postgres>[^"]+)"
        | [Cc]ould\ not\ resolve\ host:?\ '?(?<curl>[\w.-]+)
        | bad\ address\ '(?<busybox>[^']+)'
        | lookup\ (?<go>[\w.-]+)(\ on\ \S+)?:\ (no\ such\ host|server\ misbehaving)
        | unable\ to\ resolve\ host\ address\ .(?<wget>[\w.-]+)
        | Unknown\ (MySQL\ server\ )?host\ '(?<mysql>[\w.-]+)'
        | host='(?<requests>[\w.-]+)'.*(Name\ or\ service\ not\ known|[Nn]ame\ resolution|getaddrinfo\ failed)
        | UnknownHostException:\ (?<java>[\w.-]+)
        | Error\ -[235]\ connecting\ to\ (?<redis>[\w.-]+):
        | (?<plain>Name\ or\ service\ not\ known|Temporary\ failure\ in\ name\ resolution)
        "#
    )
}

/// `localhost` in a container is the container itself.
pub(super) fn needs_host_name(facts: &Facts) -> Option<Why> {
    let said = facts.said(refused())?;
    // One that runs and has printed it long ago may be fine by now.
    if !facts.runs() && facts.exit_code == 0 {
        return None;
    }
    let port: u16 = [said.group("after"), said.group("before")].concat().parse().ok()?;
    // Its own health check asks itself before the server listens.
    if facts.listeners.iter().flatten().any(|listener| listener.port == port) {
        return None;
    }
    let neighbour = neighbour_with(facts, port);
    let here = |text: &str, host: &str| {
        let mut changed = text.to_owned();
        for own in ["localhost", "127.0.0.1"] {
            changed = changed.replace(&format!("{own}:{port}"), &format!("{host}:{port}"));
        }
        changed
    };
    let (cause, host, story) = match neighbour {
        Some(db) => (
            Cause::NeedsContainerName,
            db.name.as_str(),
            format!(
                "Inside a container, localhost is the container itself. Port {port} is served by {}, which it reaches by \
                 that name: they are on the same network.",
                db.name
            ),
        ),
        None => (
            Cause::NeedsHostName,
            HOST,
            format!(
                "Inside a container, localhost is the container itself, and nothing listens there on port {port}. A \
                 program on this computer is reached by the name {HOST}."
            ),
        ),
    };
    let mut why = facts
        .why(
            cause,
            "localhost is the container itself",
            format!("{} looks for port {port} in itself", facts.name),
            story,
        )
        .knows(Source::Log, said.line)
        .tone(if facts.runs() { Tone::Warn } else { Tone::Bad });
    let variables: Vec<(&str, String)> = facts
        .environment
        .iter()
        .filter_map(|(name, value)| {
            let whole = matches!(value.as_str(), "localhost" | "127.0.0.1") && name.to_uppercase().contains("HOST");
            let changed = if whole { host.to_owned() } else { here(value, host) };
            (changed != *value).then_some((name.as_str(), changed))
        })
        .collect();
    let command: Vec<String> = facts.spec.command.iter().map(|word| here(word, host)).collect();
    let changes = !variables.is_empty() || command != facts.spec.command;
    for (name, _) in &variables {
        if let Some((_, value)) = facts.environment.iter().find(|(known, _)| known == name) {
            let shown = if crate::is_secret(name, value) { "…" } else { value };
            why = why.knows(Source::Settings, format!("{name}={shown}"));
        }
    }
    // Docker on Linux knows the name only when it is told.
    let needs_name = neighbour.is_none() && !facts.own_machine;
    let note = if changes {
        "In its variables and its command, wherever localhost stands with this port."
    } else {
        "The address stands in the program or its configuration: change it there. The form makes the name known."
    };
    if changes || needs_name {
        why = why.fix(facts.run_again(
            &format!("Use {host} in place of localhost"),
            note,
            if changes {
                "Change and run again"
            } else {
                "Make the name known"
            },
            |spec| {
                for (name, value) in variables {
                    spec.environment.retain(|own| own.name != name);
                    spec.environment.push(Variable {
                        name: name.to_owned(),
                        value,
                    });
                }
                spec.command = command;
                let gateway = format!("{HOST}:host-gateway");
                if needs_name && !spec.extra_hosts.iter().any(|known| known.starts_with(HOST)) {
                    spec.extra_hosts.push(gateway);
                }
            },
        ));
    }
    Some(why.copy(
        "Copy the address",
        "For the program's configuration.",
        format!("{host}:{port}"),
    ))
}

fn neighbour_with(facts: &Facts, port: u16) -> Option<&Neighbour> {
    facts.neighbours.iter().find(|other| {
        other.name != facts.name
            && other.ports.contains(&port)
            && other
                .networks
                .iter()
                .any(|network| network != "bridge" && facts.networks.contains(network))
    })
}

pub(super) fn name_not_found(facts: &Facts) -> Option<Why> {
    if !facts.runs() && facts.exit_code == 0 {
        return None;
    }
    let said = facts.said(unknown_name())?;
    let name = [
        "node", "postgres", "curl", "busybox", "go", "wget", "mysql", "requests", "java", "redis",
    ]
    .iter()
    .map(|group| said.group(group))
    .find(|name| !name.is_empty());
    let shown = name.unwrap_or("a name");
    let other = facts
        .neighbours
        .iter()
        .find(|other| Some(other.name.as_str()) == name && other.name != facts.name);
    let tone = if facts.runs() { Tone::Warn } else { Tone::Bad };
    let why = |story: String| {
        facts
            .why(
                Cause::NameNotFound,
                &format!("{shown} was not found"),
                format!("{} does not find {shown}", facts.name),
                story,
            )
            .knows(Source::Log, said.line)
            .tone(tone)
    };
    let Some(other) = other else {
        let plain = name.is_some_and(|name| !name.contains('.'));
        let why = why(if plain {
            format!(
                "No running container on its network has the name {shown}. It has another name, does not run, or is on \
                 another network."
            )
        } else {
            "The name server did not know it. The name is wrong, or there is no way to the network.".to_owned()
        });
        let why = why.knows(Source::Settings, format!("Networks: {}", facts.networks.join(", ")));
        return Some(if plain {
            why.fix(facts.run_again(
                "Choose another network",
                "Containers find each other by name on a network of their own.",
                "Change the network",
                |_| {},
            ))
        } else {
            why.copy(
                "Ask for the name yourself",
                "In a terminal.",
                format!("nslookup {shown}"),
            )
        });
    };
    let shared = other.networks.iter().find(|network| *network != "bridge");
    let why = why(format!(
        "{} runs, but not where it looks. Containers find each other by name only on a network of their own; on the \
         usual one, bridge, they do not.",
        other.name
    ))
    .knows(
        Source::Settings,
        format!(
            "{}: {}. {}: {}",
            facts.name,
            facts.networks.join(", "),
            other.name,
            other.networks.join(", ")
        ),
    );
    Some(match shared {
        Some(network) => why.fix(facts.run_again(
            &format!("Put it on {network}"),
            &format!("The network of {}.", other.name),
            &format!("Use {network}"),
            |spec| {
                spec.networks = vec![RunNetwork {
                    name: network.clone(),
                    ..RunNetwork::default()
                }];
            },
        )),
        None => why.copy(
            "Make a network for both",
            "For a terminal.",
            format!(
                "docker network create shared && docker network connect shared {} && docker network connect shared {}",
                other.name, facts.name
            ),
        ),
    })
}

pub(super) fn port_taken_inside(facts: &Facts) -> Option<Why> {
    let said = facts
        .said(pattern!(
            r"(?i)(address already in use|EADDRINUSE|port (?<port>\d{2,5}) is (already )?in use|only one usage of each socket address)"
        ))
        .filter(|_| facts.exit_code != 0)?;
    let host = facts.spec.networks.iter().any(|network| network.name == "host");
    let port = pattern!(r"[:\s](\d{2,5})\b")
        .captures(said.line)
        .and_then(|found| found.get(1));
    let port = port.map_or("Its port".to_owned(), |port| format!("Port {}", port.as_str()));
    let why = facts
        .why(
            Cause::PortTakenInside,
            "Its port is taken inside",
            format!("{} cannot listen: its port is taken", facts.name),
            if host {
                format!("It is on the engine's own network, where {port} belongs to another program already.")
            } else {
                format!(
                    "{port} is used inside the container itself. Its command starts the server twice, or another program \
                     of it has the port."
                )
            },
        )
        .knows(Source::Log, said.line);
    Some(if host {
        why.knows(Source::Settings, "Network: host").fix(facts.run_again(
            "Give it a network of its own",
            "Then its ports are its own, and you publish those that you want.",
            "Use the usual network",
            |spec| spec.networks.clear(),
        ))
    } else {
        why.fix(facts.run_again(
            "Change the command",
            "So that it starts one server.",
            "Change the command",
            |_| {},
        ))
        .logs()
    })
}

pub(super) fn port_not_allowed(facts: &Facts) -> Option<Why> {
    let said = facts
        .said(pattern!(r"(?i)(bind|listen|socket).{0,80}(permission denied|EACCES)|(permission denied|EACCES).{0,80}(bind|listen|:\d{2,3}\b)"))
        .filter(|_| facts.exit_code != 0)?;
    Some(
        facts
            .why(
                Cause::PortNotAllowed,
                "May not use that port",
                format!("{} may not listen on a port below 1024", facts.name),
                "Those ports are for root, and the program does not run as root. Let it listen on a higher port, such as \
                 8080, and publish that one.",
            )
            .knows(Source::Log, said.line)
            .fix(facts.run_again(
                "Allow low ports",
                "Everybody in this container may then use them.",
                "Allow and run again",
                |spec| {
                    spec.sysctls.retain(|own| own.name != "net.ipv4.ip_unprivileged_port_start");
                    spec.sysctls.push(Variable {
                        name: "net.ipv4.ip_unprivileged_port_start".into(),
                        value: "0".into(),
                    });
                },
            )),
    )
}
