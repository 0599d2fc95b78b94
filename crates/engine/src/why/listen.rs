//! A server that listens on 127.0.0.1 of its container: nobody outside reaches it, though its port is published.

use std::net::IpAddr;

use super::{Cause, Facts, Listener, Source, Tone, Why, pattern};
use crate::{Protocol, RunSpec, Variable};

/// How a server is told to listen for everybody.
enum How {
    /// `--host 0.0.0.0`, or `--host=0.0.0.0` with `true`.
    Flag(&'static str, bool),
    /// `-b 0.0.0.0:8000`
    FlagWithPort(&'static str),
    /// `runserver 0.0.0.0:8000`: after this word.
    After(&'static str),
    Variable(&'static str),
    /// Only its code says it.
    Code(&'static str),
}

struct Server {
    title: &'static str,
    /// Words of the command line.
    words: &'static [&'static str],
    /// What it prints when it starts, for those that a script of the person's own starts.
    prints: &'static str,
    how: How,
}

/// The more special come first: Streamlit prints what others print too.
const SERVERS: &[Server] = &[
    Server {
        title: "Streamlit",
        words: &["streamlit"],
        prints: "You can now view your Streamlit app",
        how: How::Flag("--server.address", true),
    },
    Server {
        title: "Gradio",
        words: &["gradio"],
        prints: "Running on local URL:",
        how: How::Variable("GRADIO_SERVER_NAME"),
    },
    Server {
        title: "Jupyter",
        words: &["jupyter", "jupyter-lab", "jupyter-notebook", "start-notebook.sh"],
        prints: "Jupyter Server",
        how: How::Flag("--ip", true),
    },
    Server {
        title: "Flask",
        words: &["flask"],
        prints: "",
        how: How::Flag("--host", true),
    },
    Server {
        title: "FastAPI",
        words: &["fastapi"],
        prints: "",
        how: How::Flag("--host", false),
    },
    Server {
        title: "uvicorn",
        words: &["uvicorn"],
        prints: "",
        how: How::Flag("--host", false),
    },
    Server {
        title: "Hypercorn",
        words: &["hypercorn"],
        prints: "",
        how: How::FlagWithPort("--bind"),
    },
    Server {
        title: "Gunicorn",
        words: &["gunicorn"],
        prints: "",
        how: How::FlagWithPort("--bind"),
    },
    Server {
        title: "Django",
        words: &["runserver"],
        prints: "",
        how: How::After("runserver"),
    },
    Server {
        title: "Python's own server",
        words: &["http.server"],
        prints: "",
        how: How::Flag("--bind", false),
    },
    Server {
        title: "Next.js",
        words: &["next"],
        prints: "",
        how: How::Flag("--hostname", false),
    },
    Server {
        title: "Vite",
        words: &["vite"],
        prints: "VITE v",
        how: How::Flag("--host", false),
    },
    Server {
        title: "Angular",
        words: &["ng"],
        prints: "Angular Live Development Server",
        how: How::Flag("--host", false),
    },
    Server {
        title: "webpack's server",
        words: &["webpack-dev-server", "webpack", "vue-cli-service"],
        prints: "[webpack-dev-server]",
        how: How::Flag("--host", false),
    },
    Server {
        title: "Astro",
        words: &["astro"],
        prints: "",
        how: How::Flag("--host", false),
    },
    Server {
        title: "Rails",
        words: &["rails"],
        prints: "",
        how: How::Flag("--binding", true),
    },
    Server {
        title: "MLflow",
        words: &["mlflow"],
        prints: "",
        how: How::Flag("--host", false),
    },
    Server {
        title: "TensorBoard",
        words: &["tensorboard"],
        prints: "",
        how: How::Flag("--host", false),
    },
    Server {
        title: "Chainlit",
        words: &["chainlit"],
        prints: "",
        how: How::Flag("--host", false),
    },
    Server {
        title: "Ollama",
        words: &["ollama"],
        prints: "",
        how: How::Variable("OLLAMA_HOST"),
    },
    Server {
        title: "Redis",
        words: &["redis-server"],
        prints: "",
        how: How::Flag("--bind", false),
    },
    Server {
        title: "Flask",
        words: &[],
        prints: "Serving Flask app",
        how: How::Code("app.run(host=\"0.0.0.0\")"),
    },
    Server {
        title: "uvicorn",
        words: &[],
        prints: "Uvicorn running on",
        how: How::Code("uvicorn.run(app, host=\"0.0.0.0\")"),
    },
];

pub(super) fn only_inside(facts: &Facts) -> Option<Why> {
    let listeners: Vec<&Listener> = facts
        .listeners
        .iter()
        .flatten()
        .filter(|listener| listener.protocol == Protocol::Tcp)
        .collect();
    let (port, host) = facts.published.iter().find(|(port, _)| {
        let mut there = listeners.iter().filter(|listener| listener.port == *port).peekable();
        there.peek().is_some() && there.all(|listener| listener.address.is_loopback())
    })?;
    let address = listeners.iter().find(|listener| listener.port == *port)?.address;
    let server = server(facts);
    let everywhere = if matches!(address, IpAddr::V6(_)) {
        "::"
    } else {
        "0.0.0.0"
    };
    let mut why = facts
        .why(
            Cause::OnlyInside,
            "Answers only inside",
            format!("{} answers only inside its container", facts.name),
            format!(
                "Port {} of this computer leads to port {port} of the container, and the server there listens on {address} \
                 alone. That is the container itself, so nobody outside gets an answer. It has to listen on {everywhere}.",
                host.port
            ),
        )
        .knows(Source::Sockets, format!("Listens on {address}:{port}"))
        .knows(Source::Settings, format!("Published: {} on {port}", host.port))
        .tone(Tone::Warn);
    if let Some(line) = facts.said(pattern!(r"https?://(localhost|127\.0\.0\.1)[:/]")) {
        why = why.knows(Source::Log, line.line);
    }
    Some(match server {
        None => why.fix(facts.run_again(
            "Change the command",
            "Most servers have --host, --bind or --listen for it.",
            "Change the command",
            |_| {},
        )),
        Some(Server {
            title,
            how: How::Code(code),
            ..
        }) => why.copy(
            &format!("Tell {title} in its code"),
            "Then build the image again.",
            *code,
        ),
        Some(server) => {
            let mut spec = facts.spec.clone();
            let told = apply(facts, &mut spec, &server.how, *port);
            why.fix(facts.run_again(
                &format!("Start {} for everybody", server.title),
                &told,
                "Run it so",
                |changed| *changed = spec,
            ))
        }
    })
}

fn words(facts: &Facts) -> impl Iterator<Item = &str> {
    facts
        .command
        .iter()
        .flat_map(|word| word.split_whitespace())
        .map(|word| word.trim_matches(['"', '\'', ';']))
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        // `node node_modules/vite/bin/vite.js`
        .map(|word| word.strip_suffix(".js").unwrap_or(word))
}

fn server(facts: &Facts) -> Option<&'static Server> {
    let by_word = SERVERS
        .iter()
        .find(|server| words(facts).any(|word| server.words.contains(&word)));
    by_word.or_else(|| {
        SERVERS
            .iter()
            .find(|server| !server.prints.is_empty() && facts.log.iter().any(|line| line.text.contains(server.prints)))
    })
}

/// Makes the change, and says it in a few words.
fn apply(facts: &Facts, spec: &mut RunSpec, how: &How, port: u16) -> String {
    match how {
        How::Variable(name) => {
            spec.environment.retain(|own| own.name != *name);
            spec.environment.push(Variable {
                name: (*name).to_owned(),
                value: "0.0.0.0".into(),
            });
            format!("{name}=0.0.0.0")
        }
        How::Flag(flag, joined) => {
            let wanted = if *joined {
                vec![format!("{flag}=0.0.0.0")]
            } else {
                vec![(*flag).to_owned(), "0.0.0.0".to_owned()]
            };
            change(facts, spec, &[flag], &wanted);
            wanted.join(" ")
        }
        How::FlagWithPort(flag) => {
            let wanted = vec![(*flag).to_owned(), format!("0.0.0.0:{port}")];
            change(facts, spec, &[flag, "-b"], &wanted);
            wanted.join(" ")
        }
        How::After(word) => {
            let address = format!("0.0.0.0:{port}");
            let line = format!("{word} {address}");
            edit(facts, spec, |words| {
                if let Some(at) = words.iter().position(|known| known == word) {
                    let has_one = words
                        .get(at + 1)
                        .is_some_and(|next| next.contains(':') || next.parse::<u16>().is_ok());
                    if has_one {
                        words[at + 1] = address;
                    } else {
                        words.insert(at + 1, address);
                    }
                }
            });
            line
        }
        How::Code(code) => (*code).to_owned(),
    }
}

/// In the words of the command, or in the line that a shell is given.
fn edit(facts: &Facts, spec: &mut RunSpec, change: impl FnOnce(&mut Vec<String>)) {
    let in_shell = facts.command.iter().position(|word| word == "-c");
    let mut command = facts.command.clone();
    match in_shell.and_then(|at| command.get_mut(at + 1)) {
        Some(line) => {
            let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            change(&mut words);
            *line = words.join(" ");
        }
        None => change(&mut command),
    }
    set_command(facts, spec, &command);
}

/// The whole command; its first words stay the entrypoint when they are the image's.
fn set_command(facts: &Facts, spec: &mut RunSpec, command: &[String]) {
    let entrypoint = facts.entrypoint_words;
    if spec.entrypoint.is_none() && command.get(..entrypoint) == facts.command.get(..entrypoint) {
        spec.command = command[entrypoint..].to_vec();
    } else {
        spec.entrypoint = command.first().cloned();
        spec.command = command.iter().skip(1).cloned().collect();
    }
}

fn change(facts: &Facts, spec: &mut RunSpec, flags: &[&str], wanted: &[String]) {
    // `npm run dev -- --host` reaches the program that npm runs.
    let npm = words(facts).any(|word| matches!(word, "npm" | "pnpm"));
    edit(facts, spec, |words| {
        for flag in flags {
            let joined = format!("{flag}=");
            if let Some(at) = words.iter().position(|word| word == flag || word.starts_with(&joined)) {
                let takes_next = words[at] == *flag && words.get(at + 1).is_some_and(|next| !next.starts_with('-'));
                words.splice(at..=at + usize::from(takes_next), wanted.iter().cloned());
                return;
            }
        }
        if npm && !words.iter().any(|word| word == "--") {
            words.push("--".to_owned());
        }
        words.extend(wanted.iter().cloned());
    });
}
