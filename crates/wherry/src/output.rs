//! What the person and the script read: results on standard output, what happens on the way on standard error.

use std::io::{self, Write};

use serde::Serialize;
use wherry_app::{Action, Problem};
use wherry_machine::{
    Error, Failure, Freed, Network, ProxyChoice, ProxySource, Running, Settings, State, Status, Step, StepReport,
};

pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{text}")?;
    output.flush()
}

pub(crate) fn lines(texts: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for text in texts {
        writeln!(output, "{text}")?;
    }
    output.flush()
}

pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    line(&serde_json::to_string(value)?)
}

/// A result for the script, or for the person.
pub(crate) fn either<Words: IntoIterator<Item = String>>(
    as_json: bool,
    value: &impl Serialize,
    words: impl FnOnce() -> Words,
) -> io::Result<()> {
    if as_json { json(value) } else { lines(words()) }
}

/// Says something on standard error; where even that is gone there is nobody left to tell.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What failed, why, what to do, and what the machine said last.
pub(crate) fn failure(error: &Error) {
    complain(&error.to_string());
    for cause in error.causes() {
        complain(&format!("  Cause: {cause}"));
    }
    if let Some(hint) = error.hint() {
        complain(&format!("  Hint: {hint}"));
    }
    if !error.console().is_empty() {
        complain("  The last lines of the machine's console:");
        for line in error.console() {
            complain(&format!("    {line}"));
        }
    }
}

/// The same for what the app tells.
pub(crate) fn problem(problem: &Problem) {
    complain(&problem.message);
    for cause in problem.why.iter().chain(&problem.causes) {
        complain(&format!("  Cause: {cause}"));
    }
    if let Some(hint) = &problem.hint {
        complain(&format!("  Hint: {hint}"));
    }
    if let Some(Action::RunInTerminal { command }) = &problem.action {
        complain(&format!("    {command}"));
    }
}

/// "212 MB", as a person compares it with what their disk has.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in units {
        if bytes >= unit {
            let tenths = bytes / (unit / 10);
            return if tenths >= 100 {
                format!("{} {name}", tenths / 10)
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} bytes")
}

/// The line that sets `DOCKER_HOST` in the shell that is usual here.
pub(crate) fn export(docker_host: &str) -> String {
    if cfg!(windows) {
        format!("set DOCKER_HOST={docker_host}")
    } else if docker_host
        .contains(|character: char| character.is_whitespace() || "'\"\\$`&;()<>|*?".contains(character))
    {
        format!("export DOCKER_HOST='{}'", docker_host.replace('\'', r"'\''"))
    } else {
        format!("export DOCKER_HOST={docker_host}")
    }
}

/// Tells of a start as it happens: a line for each step on standard error, or each status as JSON on standard output.
pub(crate) struct Progress {
    json: bool,
    /// It did not run when it was told to start.
    begun: bool,
    told: usize,
    notes: Vec<String>,
}

/// The last line of `--json`.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
enum Outcome<'a> {
    Running { status: &'a Status },
    Failed { failure: Told<'a> },
}

/// A failure of the machine has a code to decide by; others (no daemon, no home) have words only.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Machine(&'a Failure),
    Other {
        message: String,
        causes: Vec<String>,
        hint: Option<String>,
    },
}

impl Progress {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            begun: false,
            told: 0,
            notes: Vec::new(),
        }
    }

    pub(crate) fn show(&mut self, status: &Status) {
        if self.json {
            let _ = json(status);
            return;
        }
        self.begun |= !matches!(status.state, State::Running { .. });
        if !self.begun {
            // The steps are the ones of the start before.
            self.told = status.steps.len();
        }
        if status.steps.len() < self.told {
            self.told = 0;
        }
        for report in status
            .steps
            .iter()
            .skip(self.told)
            .filter(|report| report.millis.is_some())
        {
            complain(&done(report));
            self.told += 1;
        }
        for note in status.remarks() {
            if !self.notes.contains(&note) {
                complain(&note);
                self.notes.push(note);
            }
        }
    }

    pub(crate) fn end(&mut self, status: Option<&Status>, error: Option<&Error>) -> io::Result<()> {
        if self.json {
            return match (status, error) {
                (Some(status), _) => json(&Outcome::Running { status }),
                (None, Some(Error::Failed(failure))) => json(&Outcome::Failed {
                    failure: Told::Machine(failure),
                }),
                (None, Some(error)) => json(&Outcome::Failed {
                    failure: Told::Other {
                        message: error.to_string(),
                        causes: error.causes(),
                        hint: error.hint(),
                    },
                }),
                (None, None) => Ok(()),
            };
        }
        if let Some(status) = status {
            self.show(status);
            if let State::Running { running } = &status.state {
                let answers = format!(
                    "Docker {} answers at {}",
                    running.engine_version,
                    status.socket.display()
                );
                complain(&if self.begun {
                    format!("{answers} after {}.", seconds(running.ready_in_millis))
                } else {
                    format!("The machine runs already. {answers}.")
                });
            }
        }
        Ok(())
    }
}

/// "Linux       1.4 s  Linux 6.12.57 by hardware virtualization (kvm)."
fn done(report: &StepReport) -> String {
    let took = seconds(report.millis.unwrap_or_default());
    let text = format!(
        "{:<18} {took:>8}  {}",
        doing(report.step),
        report.detail.as_deref().unwrap_or_default()
    );
    text.trim_end().to_owned()
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Check => "Checked",
        Step::Disk => "Data disk",
        Step::Linux => "Started Linux",
        Step::Data => "Mounted the disk",
        Step::Engine => "Started the engine",
        Step::Connect => "Connected",
    }
}

/// What came back to this computer.
pub(crate) fn freed(freed: Freed) -> String {
    const MIB: u64 = 1 << 20;
    match (freed.memory / MIB, freed.disk / MIB) {
        (0, 0) => "The machine held nothing that it does not need.".to_owned(),
        (memory, disk) => format!("{memory} MiB of memory and {disk} MiB of disk came back."),
    }
}

fn seconds(millis: u64) -> String {
    if millis < 1000 {
        format!("{millis} ms")
    } else {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    }
}

/// Each setting by the name under which `wherry set` takes it, with its value as that takes it.
pub(crate) fn settings(settings: &Settings) -> Vec<String> {
    let Settings {
        sleep_after_minutes,
        proxy,
        folders,
        subnet,
        insecure_registries,
        unknown: _,
    } = settings;
    let sleep_after = sleep_after_minutes.map_or_else(|| "off".to_owned(), |minutes| format!("{minutes}m"));
    let proxy = match proxy {
        ProxyChoice::System => "system".to_owned(),
        ProxyChoice::Off => "off".to_owned(),
        ProxyChoice::Manual { http, https, except } => {
            let mut words = http.iter().map(ToString::to_string).collect::<Vec<_>>();
            if let Some(https) = https.as_ref().filter(|https| Some(*https) != http.as_ref()) {
                words.push(format!("--https {https}"));
            }
            if !except.is_empty() {
                words.push(format!("--except {except}"));
            }
            words.join(" ")
        }
    };
    let insecure = match insecure_registries[..] {
        [] => "none".to_owned(),
        _ => insecure_registries
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(","),
    };
    let line = |name: &str, value: &str| format!("{name:<19} {value}");
    let subnet = subnet.map_or_else(|| "auto".to_owned(), |subnet| subnet.to_string());
    let mut lines = vec![
        line("sleep-after", &sleep_after),
        line("proxy", &proxy),
        line("subnet", &subnet),
        line("insecure-registries", &insecure),
    ];
    for (index, folder) in folders.iter().enumerate() {
        lines.push(line(
            if index == 0 { "folders" } else { "" },
            &folder.display().to_string(),
        ));
    }
    lines
}

/// What the engine was told of this computer.
fn network(network: &Network, say: &mut impl FnMut(&str, String)) {
    let Network {
        proxy,
        authorities,
        engine_outdated,
    } = network;
    let from = match proxy.source {
        ProxySource::Environment => "from the environment",
        ProxySource::Desktop => "from this computer's settings",
        ProxySource::Manual => "set by hand",
        ProxySource::Nobody => "",
    };
    match (&proxy.http, &proxy.https) {
        (Some(http), Some(https)) if http == https => say("Proxy", format!("{http}, {from}")),
        (None, None) => say("Proxy", "none".into()),
        (http, https) => {
            let shown = |url: &Option<String>| url.clone().unwrap_or_else(|| "none".into());
            say(
                "Proxy",
                format!("{} for http, {} for https, {from}", shown(http), shown(https)),
            );
        }
    }
    if let Some(trouble) = &proxy.trouble {
        say("", trouble.clone());
    }
    say(
        "Trust",
        match authorities {
            0 => "the engine's own list of authorities".into(),
            count => format!("{count} certificate authorities of this computer"),
        },
    );
    if *engine_outdated {
        say(
            "",
            "changed since the engine started; to apply it: wherry restart --engine".into(),
        );
    }
}

/// A status for people.
pub(crate) struct Words;

impl Words {
    pub(crate) fn of(status: &Status) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |name: &str, value: String| words.push(format!("{name:<12} {value}"));
        match &status.state {
            State::Stopped => say("State", "stopped".into()),
            State::Starting { step } => say("State", format!("starting ({})", under_way(*step))),
            State::Suspending => say("State", "being suspended".into()),
            State::Suspended { since_millis, wakes } => {
                say("State", if *wakes { "asleep" } else { "suspended" }.into());
                say("Since", format!("{} ago", duration(seconds_since(*since_millis))));
                let how = if *wakes {
                    "It wakes by itself when it is used."
                } else {
                    "Everything goes on where it was with: wherry start"
                };
                say("", how.into());
            }
            State::Stopping => say("State", "stopping".into()),
            State::Failed { failure } => {
                say("State", "failed".into());
                say("", failure.message.clone());
                for cause in &failure.causes {
                    say("", cause.clone());
                }
                say("", failure.hint.clone());
            }
            State::Running { running } => Self::running(running, &mut say),
        }
        let spec = &status.spec;
        say(
            "Machine",
            format!(
                "{} CPUs, {} MiB of memory, disk up to {} GiB",
                spec.cpus, spec.memory_mib, spec.disk_gib
            ),
        );
        if let Some(known) = &status.network {
            network(known, &mut say);
        }
        say("Socket", status.socket.display().to_string());
        for forward in &status.forwards {
            let dead = forward
                .dead
                .as_ref()
                .map(|why| format!(" (does not work: {why})"))
                .unwrap_or_default();
            say(
                "Port",
                format!("{} -> {}/{}{dead}", forward.host, forward.container, forward.protocol),
            );
        }
        for note in status.remarks() {
            say("Note", note);
        }
        words.iter().map(|line| line.trim_end().to_owned()).collect()
    }

    fn running(running: &Running, say: &mut impl FnMut(&str, String)) {
        const MIB: u64 = 1 << 20;
        say("State", "running".into());
        if running.rests {
            say(
                "",
                "at rest, because nobody uses it; it goes on at once when somebody does".into(),
            );
        }
        say("Uptime", duration(seconds_since(running.since_millis)));
        say(
            "Engine",
            format!("Docker {}, API {}", running.engine_version, running.api_version),
        );
        if running.engine_restarts > 0 {
            say("", format!("restarted {} times", running.engine_restarts));
        }
        say(
            "Backend",
            format!(
                "{} by {}, process {}",
                running.backend, running.accelerator, running.pid
            ),
        );
        say("Linux", running.kernel.clone());
        let usage = &running.usage;
        say(
            "Memory",
            format!(
                "{} of {} MiB used inside, {} MiB on this computer",
                usage.guest_memory_used / MIB,
                usage.guest_memory_total / MIB,
                usage.host_memory / MIB
            ),
        );
        say(
            "Disk",
            format!(
                "{} of {} MiB used inside, {} MiB on this computer",
                usage.guest_disk_used / MIB,
                usage.guest_disk_total / MIB,
                usage.host_disk / MIB
            ),
        );
        say("CPU", format!("{:.1} % of one core", usage.host_cpu_percent));
    }
}

fn seconds_since(unix_millis: u64) -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    u64::try_from(now).unwrap_or(u64::MAX).saturating_sub(unix_millis) / 1000
}

fn under_way(step: Step) -> &'static str {
    match step {
        Step::Check => "checking",
        Step::Disk => "making the data disk ready",
        Step::Linux => "starting Linux",
        Step::Data => "mounting the data disk",
        Step::Engine => "starting the engine",
        Step::Connect => "connecting",
    }
}

/// "42 s", "3 min", "2 h 5 min", "3 d 4 h"
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_two_units_at_most() {
        assert_eq!(duration(42), "42 s");
        assert_eq!(duration(3 * 60 + 59), "3 min");
        assert_eq!(duration(2 * 3600 + 5 * 60), "2 h 5 min");
        assert_eq!(duration(3 * 86_400 + 4 * 3600), "3 d 4 h");
    }

    #[cfg(unix)]
    #[test]
    fn the_export_line_survives_a_shell() {
        assert_eq!(
            export("unix:///run/docker.sock"),
            "export DOCKER_HOST=unix:///run/docker.sock"
        );
        assert_eq!(
            export("unix:///My Files/it's.sock"),
            r"export DOCKER_HOST='unix:///My Files/it'\''s.sock'"
        );
    }
}
