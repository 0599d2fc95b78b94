//! A spec from a container that is there: what makes one like it.
//!
//! What a container has from its image is left to the image, and what the engine gives everyone is not said: the spec
//! is what a person would have written.

mod around;
mod rights;

use std::collections::BTreeMap;

use serde_json::Value;

use super::flags::{self, Goes};
use super::text;
use crate::{HealthCheck, HealthSetting, RareFlag, Restart, RunSpec, Shell, Variable, name};

/// What the engine gives to a container that asks for nothing.
#[derive(Debug)]
pub(crate) struct Usual {
    pub(crate) log_driver: String,
    pub(crate) runtime: String,
    /// `host` or `private`; `None` when nobody has asked the engine, and then either may be.
    pub(crate) cgroup_namespace: Option<&'static str>,
}

/// Of an engine that nobody has set up otherwise.
impl Default for Usual {
    fn default() -> Self {
        Usual {
            log_driver: "json-file".to_owned(),
            runtime: "runc".to_owned(),
            cgroup_namespace: None,
        }
    }
}

/// The spec, and what of the container it cannot say.
pub(crate) fn spec_of(container: &Value, image: &Value, usual: &Usual) -> (RunSpec, Vec<String>) {
    let mut reading = Reading {
        container,
        host: &container["HostConfig"],
        config: &container["Config"],
        image: &image["Config"],
        spec: RunSpec::default(),
        lost: Vec::new(),
    };
    reading.how_it_lives(usual);
    reading.what_it_runs();
    reading.ports();
    reading.mounts();
    reading.networks();
    reading.what_it_may();
    reading.devices();
    reading.rare(usual);
    (reading.spec, reading.lost)
}

struct Reading<'a> {
    container: &'a Value,
    host: &'a Value,
    config: &'a Value,
    image: &'a Value,
    spec: RunSpec,
    lost: Vec<String>,
}

fn word(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn words(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn pairs(value: &Value) -> Vec<Variable> {
    let map: BTreeMap<&String, &Value> = value.as_object().into_iter().flatten().collect();
    map.into_iter()
        .map(|(name, value)| Variable {
            name: name.clone(),
            value: value.as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A number that says something: neither nothing nor the engine's "not set".
fn positive(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number > 0)
}

impl Reading<'_> {
    /// What it has and its image has not.
    fn own(&self, field: &str) -> Option<String> {
        word(&self.config[field]).filter(|_| self.config[field] != self.image[field])
    }

    fn add(&mut self, flag: &str, value: impl Into<String>) {
        debug_assert!(
            flags::by_name(flag).is_some_and(|flag| matches!(flag.goes, Goes::Rare(..))),
            "{flag} is a rare flag"
        );
        self.spec.rare.push(RareFlag {
            flag: flag.to_owned(),
            value: value.into(),
        });
    }

    fn mode(&self) -> &str {
        self.host["NetworkMode"].as_str().unwrap_or_default()
    }

    fn short_id(&self) -> &str {
        self.container["Id"]
            .as_str()
            .and_then(|id| id.get(..12))
            .unwrap_or_default()
    }

    fn how_it_lives(&mut self, usual: &Usual) {
        let on = |value: &Value| value.as_bool() == Some(true);
        self.spec.image = name::familiar(self.config["Image"].as_str().unwrap_or_default());
        self.spec.name = word(&self.container["Name"]).map(|name| name.trim_start_matches('/').to_owned());
        self.spec.interactive = on(&self.config["OpenStdin"]);
        self.spec.terminal = on(&self.config["Tty"]);
        self.spec.init = on(&self.host["Init"]);
        self.spec.remove_when_stopped = on(&self.host["AutoRemove"]);
        self.spec.publish_all = on(&self.host["PublishAllPorts"]);
        self.spec.privileged = on(&self.host["Privileged"]);
        self.spec.read_only = on(&self.host["ReadonlyRootfs"]);
        let policy = &self.host["RestartPolicy"];
        self.spec.restart = match policy["Name"].as_str().unwrap_or_default() {
            "always" => Restart::Always,
            "unless-stopped" => Restart::UnlessStopped,
            "on-failure" => Restart::OnFailure {
                retries: positive(&policy["MaximumRetryCount"]).and_then(|retries| u32::try_from(retries).ok()),
            },
            _ => Restart::No,
        };
        self.spec.stop_signal = self.own("StopSignal");
        self.spec.stop_timeout = self.config["StopTimeout"].as_i64();
        self.spec.health = self.health();
        let log = &self.host["LogConfig"];
        self.spec.log_options = pairs(&log["Config"]);
        self.spec.log_driver =
            word(&log["Type"]).filter(|driver| !self.spec.log_options.is_empty() || *driver != usual.log_driver);
        self.spec.labels = pairs(&self.config["Labels"]);
        let of_image = pairs(&self.image["Labels"]);
        self.spec.labels.retain(|label| !of_image.contains(label));
    }

    fn health(&self) -> HealthSetting {
        let (own, of_image) = (&self.config["Healthcheck"], &self.image["Healthcheck"]);
        if own == of_image || own.is_null() {
            return HealthSetting::Image;
        }
        let test = words(&own["Test"]);
        let command = match test.first().map(String::as_str) {
            Some("NONE") => return HealthSetting::Off,
            _ if own["Test"] == of_image["Test"] => None,
            Some("CMD-SHELL") => test.get(1).cloned(),
            // Said as a line for the container's shell, which starts the same program.
            Some("CMD") => {
                let quoted: Vec<String> = test[1..].iter().map(|word| Shell::Posix.quote(word)).collect();
                Some(quoted.join(" "))
            }
            Some(_) | None => None,
        };
        let millis = |field: &str| {
            let same = own[field] == of_image[field];
            positive(&own[field]).filter(|_| !same).unwrap_or(0) / 1_000_000
        };
        let retries = positive(&own["Retries"]).filter(|_| own["Retries"] != of_image["Retries"]);
        HealthSetting::Own {
            check: HealthCheck {
                command,
                interval_millis: millis("Interval"),
                timeout_millis: millis("Timeout"),
                start_period_millis: millis("StartPeriod"),
                start_interval_millis: millis("StartInterval"),
                retries: retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or(0),
            },
        }
    }

    fn what_it_runs(&mut self) {
        let (command, of_image) = (words(&self.config["Cmd"]), words(&self.image["Cmd"]));
        let (entrypoint, of_images) = (words(&self.config["Entrypoint"]), words(&self.image["Entrypoint"]));
        if entrypoint == of_images {
            if command != of_image {
                self.spec.command = command;
            }
        } else {
            // With an entrypoint of its own nothing is taken from the image, and a flag has room for one word.
            let (first, rest) = entrypoint
                .split_first()
                .map_or((String::new(), &[][..]), |(first, rest)| (first.clone(), rest));
            self.spec.entrypoint = Some(first);
            self.spec.command = rest.iter().cloned().chain(command).collect();
        }
        self.spec.working_directory = self.own("WorkingDir");
        self.spec.user = self.own("User");
        let of_image = words(&self.image["Env"]);
        self.spec.environment = words(&self.config["Env"])
            .into_iter()
            .filter(|pair| pair.contains('=') && !of_image.contains(pair))
            .map(|pair| text::pair(&pair))
            .collect();
        // On the engine's own network it has the engine's name.
        if self.mode() != "host" && !self.mode().starts_with("container:") {
            self.spec.hostname = word(&self.config["Hostname"]).filter(|name| name != self.short_id());
        }
    }
}
