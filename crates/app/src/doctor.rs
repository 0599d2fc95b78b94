//! The doctor: named checks of everything between the person and a container that runs. One list, for the command line
//! as for the window.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use wherry_engine::EngineOrigin;
use wherry_machine::doctor::{self as machine, Remedy, Verdict};
use wherry_machine::{HostProxy, ProxySource, State};

use crate::docker::Docker;
use crate::engines::Used;
use crate::problem::command_in;
use crate::{App, Check, CheckGroup, Code, DoctorRequest, Examination, Fix, FixAction, Problem};

/// The registry that images come from when their name says nothing else.
const REGISTRY: &str = "https://registry-1.docker.io";

/// A name server or a proxy that works answers within some hundred milliseconds.
const NAMES: Duration = Duration::from_secs(5);
const PROXY: Duration = Duration::from_secs(5);
const REGISTRY_CONNECT: Duration = Duration::from_secs(5);
const REGISTRY_ANSWER: Duration = Duration::from_secs(10);

impl App {
    /// Looks at everything; changes nothing.
    pub async fn examine(&self, request: DoctorRequest) -> Result<Examination, Problem> {
        let began = Instant::now();
        let registry = Registry::parse(request.registry.as_deref().unwrap_or(REGISTRY))?;
        let proxy = self.parts.machine.proxy().await;
        let used = self.parts.engines.current().await.used;
        let own = used.as_ref().is_none_or(|used| used.origin == EngineOrigin::Machine);
        let (engine, of_machine, names, answer, through, docker) = tokio::join!(
            engine(self, used.as_ref()),
            self.parts.machine.examine(),
            names(&registry, &proxy),
            registry.ask(&proxy),
            reach(&proxy),
            docker(self, used.as_ref(), own),
        );
        let of_machine = of_machine.into_iter().map(|check| of_machine_check(check, own));
        let mut checks: Vec<Check> = std::iter::once(engine).chain(of_machine).collect();
        checks.extend([names, answer, through]);
        checks.extend(docker);
        Ok(Examination {
            checks,
            millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl Check {
    fn new(name: &str, group: CheckGroup, verdict: Verdict, title: impl Into<String>) -> Check {
        Check {
            name: name.to_owned(),
            group,
            title: title.into(),
            verdict,
            detail: None,
            why: None,
            advice: None,
            fix: None,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Check {
        self.detail = Some(detail.into());
        self
    }

    fn why(mut self, why: impl Into<String>) -> Check {
        self.why = Some(why.into());
        self
    }

    fn advice(mut self, advice: impl Into<String>) -> Check {
        let advice = advice.into();
        if let Some(command) = command_in(&advice) {
            self.fix = Some(Fix {
                action: FixAction::RunInTerminal,
                label: "Type this in a terminal".into(),
                command,
            });
        }
        self.advice = Some(advice);
        self
    }

    fn fix(mut self, action: FixAction) -> Check {
        let (label, command) = match action {
            FixAction::StartEngine => ("Start the engine", "wherry start"),
            FixAction::RestartEngine => ("Restart the engine", "wherry restart"),
            FixAction::SelectContext => ("Point it here", "wherry context"),
            FixAction::MendCredentials => ("Take it out", "wherry context --fix-credentials"),
            FixAction::FreeSpace => ("See what takes space", "docker system df"),
            FixAction::RunInTerminal => return self,
        };
        self.fix = Some(Fix {
            action,
            label: label.into(),
            command: command.into(),
        });
        self
    }

    /// What a problem says, as a check that failed.
    fn of_problem(name: &str, group: CheckGroup, problem: Problem) -> Check {
        let mut check = Check::new(name, group, Verdict::Fail, problem.message);
        let why: Vec<String> = problem.why.into_iter().chain(problem.causes).collect();
        if !why.is_empty() {
            check = check.why(format!("{}.", why.join(": ").trim_end_matches('.')));
        }
        match problem.hint {
            Some(hint) => check.advice(hint),
            None => check,
        }
    }
}

/// Trouble of a machine that is not in use is no trouble.
fn of_machine_check(check: machine::Check, in_use: bool) -> Check {
    let group = match check.name {
        "diskSpace" => CheckGroup::Computer,
        _ => CheckGroup::Engine,
    };
    let told = Check::new(check.name, group, check.verdict, check.title);
    if !in_use && group == CheckGroup::Engine {
        return Check {
            verdict: match check.verdict {
                Verdict::Pass => Verdict::Pass,
                Verdict::Warn | Verdict::Fail | Verdict::Skip => Verdict::Skip,
            },
            detail: check.detail,
            why: (check.verdict != Verdict::Pass).then(|| "Wherry's own machine is not in use.".to_owned()),
            ..told
        };
    }
    let told = Check {
        detail: check.detail,
        why: check.why,
        ..told
    };
    match check.remedy {
        None => told,
        Some(Remedy::Start) => told.fix(FixAction::StartEngine),
        Some(Remedy::Restart) => told.fix(FixAction::RestartEngine),
        Some(Remedy::FreeSpace) => told.fix(FixAction::FreeSpace),
        Some(Remedy::Advice(advice)) => told.advice(advice),
    }
}

async fn engine(app: &App, used: Option<&Used>) -> Check {
    const NAME: &str = "engine";
    let group = CheckGroup::Engine;
    let Some(used) = used else {
        return Check::new(NAME, group, Verdict::Fail, "There is no engine")
            .why("The address in the settings cannot be used.")
            .advice("Choose another engine in the settings.");
    };
    if used.origin == EngineOrigin::Machine {
        // Asking would wait for nobody.
        let machine = app.parts.machine.status().await;
        let why = match machine.map(|status| status.state) {
            Ok(State::Running { .. }) => None,
            Ok(State::Stopped) => Some("The machine is stopped."),
            Ok(State::Starting { .. }) => Some("The machine is starting."),
            Ok(State::Stopping) => Some("The machine is stopping."),
            Ok(State::Suspending | State::Suspended { .. }) => Some("The machine is asleep."),
            Ok(State::Failed { .. }) => Some("The machine could not start."),
            Err(_) => Some("The machine's background process does not answer."),
        };
        if let Some(why) = why {
            return Check::new(NAME, group, Verdict::Skip, "The engine")
                .why(why)
                .fix(FixAction::StartEngine);
        }
    }
    let began = Instant::now();
    match wherry_engine::ask(&used.address).await {
        Ok(info) => Check::new(NAME, group, Verdict::Pass, "The engine answers").detail(format!(
            "{} {}, {} ms",
            info.product,
            info.version,
            began.elapsed().as_millis()
        )),
        Err(error) => {
            let check = Check::of_problem(NAME, group, Problem::from(error));
            if used.origin == EngineOrigin::Machine {
                check.fix(FixAction::RestartEngine)
            } else {
                check
            }
        }
    }
}

/// A registry's address, in the parts that are looked at.
struct Registry {
    url: reqwest::Url,
    host: String,
    port: u16,
}

impl Registry {
    fn parse(text: &str) -> Result<Registry, Problem> {
        let invalid = || {
            Problem::plain(
                Code::Invalid,
                format!("{text:?} is not the address of a registry, like https://registry-1.docker.io"),
            )
        };
        let url = reqwest::Url::parse(text).map_err(|_| invalid())?;
        let url = url.join("/v2/").map_err(|_| invalid())?;
        match (url.scheme(), url.host_str(), url.port_or_known_default()) {
            ("http" | "https", Some(host), Some(port)) => Ok(Registry {
                host: host.trim_matches(['[', ']']).to_owned(),
                port,
                url,
            }),
            _ => Err(invalid()),
        }
    }

    /// Through the proxy and with the certificates that this computer has.
    async fn ask(&self, proxy: &HostProxy) -> Check {
        let client = client(proxy)
            .connect_timeout(REGISTRY_CONNECT)
            .timeout(REGISTRY_ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("wherry/", env!("CARGO_PKG_VERSION")))
            .build();
        let new = |verdict, title| Check::new("registry", CheckGroup::Network, verdict, title);
        let client = match client {
            Ok(client) => client,
            Err(error) => return not_asked(new, &error),
        };
        let began = Instant::now();
        let answer = client.get(self.url.clone()).send().await;
        let took = began.elapsed();
        match answer {
            // 401: it wants to know who we are, as it should.
            Ok(answer) if answer.status().is_success() || answer.status() == reqwest::StatusCode::UNAUTHORIZED => {
                new(Verdict::Pass, format!("{} answers", self.host)).detail(format!("{} ms", took.as_millis()))
            }
            Ok(answer) => new(Verdict::Warn, format!("{} answers in an odd way", self.host))
                .detail(answer.status().as_u16().to_string())
                .why("A registry allows or asks who you are. Something in between may have answered instead.")
                .advice("See whether this network asks you to sign in, in a browser."),
            Err(error) => self.unreachable(new, &error),
        }
    }

    fn unreachable(&self, new: impl Fn(Verdict, String) -> Check, error: &reqwest::Error) -> Check {
        let words = deepest(error);
        if words.to_lowercase().contains("certificate") {
            return new(
                Verdict::Fail,
                format!("The certificate of {} is not trusted", self.host),
            )
            .why(format!(
                "{}. A network that inspects traffic puts its own in place of it.",
                words.trim_end_matches('.')
            ))
            .advice("Add that network's certificate authority to this computer's own.");
        }
        let check = new(Verdict::Warn, format!("{} cannot be reached", self.host));
        let why = if error.is_timeout() {
            "It did not answer in time.".to_owned()
        } else {
            format!("{}.", words.trim_end_matches('.'))
        };
        check.why(why).advice(
            "See whether this computer is online. What is on it already works without; only pulls and builds need it.",
        )
    }
}

/// Nothing went to the registry: a client for TLS cannot even be made where nobody is trusted.
fn not_asked(new: impl Fn(Verdict, String) -> Check, error: &reqwest::Error) -> Check {
    let words = deepest(error);
    if !words.contains("No CA certificates") {
        return new(Verdict::Fail, "No registry can be asked from here".into())
            .why(format!("{}.", words.trim_end_matches('.')));
    }
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .find_map(|variable| Some((variable, std::env::var(variable).ok()?)));
    let advice = match named {
        Some((variable, path)) => format!("The variable {variable} names {path}. Correct it, or take it away."),
        None => "Install the package ca-certificates of your system.".to_owned(),
    };
    new(Verdict::Fail, "This computer knows no certificate authority".into())
        .why("They vouch for registries. Without any, neither pulls nor builds reach one.")
        .advice(advice)
}

/// One that goes through the proxy that the engine goes through.
pub(crate) fn client(proxy: &HostProxy) -> reqwest::ClientBuilder {
    let except = || reqwest::NoProxy::from_string(&proxy.shown.except);
    let http = proxy.http.as_ref().map(|url| reqwest::Proxy::http(url.secret()));
    let https = proxy.https.as_ref().map(|url| reqwest::Proxy::https(url.secret()));
    http.into_iter()
        .chain(https)
        .flatten()
        .fold(reqwest::Client::builder().no_proxy(), |client, proxy| {
            client.proxy(proxy.no_proxy(except()))
        })
}

/// The innermost reason, which is what the system or the other side said.
fn deepest(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

async fn names(registry: &Registry, proxy: &HostProxy) -> Check {
    let new = |verdict, title: String| Check::new("dns", CheckGroup::Network, verdict, title);
    if registry.host.parse::<IpAddr>().is_ok() {
        return new(Verdict::Skip, "Names resolve".into()).why("The registry is given by number.");
    }
    let began = Instant::now();
    let asked = async {
        let mut found = tokio::net::lookup_host((registry.host.as_str(), registry.port)).await?;
        std::io::Result::Ok(found.next().is_some())
    };
    let why = match tokio::time::timeout(NAMES, asked).await {
        Ok(Ok(true)) => {
            return new(Verdict::Pass, "Names resolve".into()).detail(format!("{} ms", began.elapsed().as_millis()));
        }
        Ok(Ok(false)) => "It has no address.".to_owned(),
        Ok(Err(error)) => format!("{error}."),
        Err(_) => format!("No answer within {} s.", NAMES.as_secs()),
    };
    if proxy.https.is_some() {
        return new(Verdict::Pass, "The proxy resolves names".into());
    }
    new(Verdict::Warn, format!("The name {} does not resolve", registry.host))
        .why(why)
        .advice("See whether this computer is online, and which name servers it uses.")
}

async fn reach(proxy: &HostProxy) -> Check {
    let new = |verdict, title| Check::new("proxy", CheckGroup::Network, verdict, title);
    if let Some(trouble) = &proxy.shown.trouble {
        return new(Verdict::Warn, "A proxy of this computer is not used").why(trouble.clone());
    }
    let Some(used) = proxy.https.as_ref().or(proxy.http.as_ref()) else {
        return new(Verdict::Pass, "No proxy is set").detail("none");
    };
    let connect = tokio::net::TcpStream::connect(used.endpoint());
    let why = match tokio::time::timeout(PROXY, connect).await {
        Ok(Ok(_)) => return new(Verdict::Pass, "The proxy takes connections").detail(used.to_string()),
        Ok(Err(error)) => format!("{error}."),
        Err(_) => format!("No answer within {} s.", PROXY.as_secs()),
    };
    new(Verdict::Fail, "The proxy does not answer")
        .detail(used.to_string())
        .why(why)
        .advice(match proxy.shown.source {
            ProxySource::Environment => "Correct HTTPS_PROXY in the environment, or take it away.",
            ProxySource::Desktop => "Correct it in this computer's network settings.",
            ProxySource::Manual | ProxySource::Nobody => "Correct it in Wherry's settings.",
        })
}

/// The docker command's context and the helper that keeps its logins.
async fn docker(app: &App, used: Option<&Used>, own: bool) -> [Check; 2] {
    let group = CheckGroup::Computer;
    let docker = Docker::new(&app.parts.home);
    let looked = tokio::task::spawn_blocking(move || docker.setup()).await;
    let setup = match looked {
        Ok(Ok(setup)) => setup,
        Ok(Err(problem)) => {
            let skipped = Check::new("credentials", group, Verdict::Skip, "Where logins are kept")
                .why("docker's configuration cannot be read.");
            return [Check::of_problem("context", group, problem), skipped];
        }
        Err(error) => {
            let problem = Problem::plain(Code::Panic, error.to_string());
            let skipped = Check::new("credentials", group, Verdict::Skip, "Where logins are kept");
            return [Check::of_problem("context", group, problem), skipped];
        }
    };
    let new = |verdict, title| Check::new("context", group, verdict, title);
    let same = used.is_some_and(|used| setup.address.as_ref() == Some(&used.address));
    let context = if setup.program.is_none() {
        new(Verdict::Skip, "docker in your terminal").why("The docker command is not installed.")
    } else if (own && setup.ours) || same {
        new(Verdict::Pass, "docker in your terminal talks to this engine").detail(setup.context.clone())
    } else {
        let check = new(Verdict::Warn, "docker in your terminal talks to another engine");
        if let Some(by) = &setup.overridden {
            check
                .why(format!(
                    "The variable {} is set to {}. It wins over every context.",
                    by.variable, by.value
                ))
                .advice(format!(
                    "Take {} out of your shell's start file, then open a new terminal.",
                    by.variable
                ))
        } else {
            let check = check.why(format!(
                "Its context is {}, which leads to {}.",
                setup.context,
                setup.address.as_deref().unwrap_or("nowhere")
            ));
            if own {
                check.fix(FixAction::SelectContext)
            } else {
                check
            }
        }
    };
    let credentials = match setup.missing_helpers.first() {
        None => Check::new("credentials", group, Verdict::Pass, "Logins can be kept"),
        Some(helper) => {
            let of = match &helper.registry {
                Some(registry) => format!("for {registry}"),
                None => "for every registry".to_owned(),
            };
            Check::new(
                "credentials",
                group,
                Verdict::Fail,
                format!("{} is not installed", helper.program),
            )
            .why(format!(
                "{} names it {of}, left behind by another product perhaps. docker cannot pull while it does.",
                setup.config
            ))
            .fix(FixAction::MendCredentials)
        }
    };
    [context, credentials]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_asked_at_its_api() {
        for (text, url) in [
            ("https://registry-1.docker.io", "https://registry-1.docker.io/v2/"),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/v2/"),
        ] {
            assert_eq!(Registry::parse(text).expect(text).url.as_str(), url);
        }
        for text in ["registry", "ftp://host", "", "https://"] {
            assert_eq!(
                Registry::parse(text).err().map(|problem| problem.code),
                Some(Code::Invalid),
                "{text}"
            );
        }
    }

    #[test]
    fn trouble_of_a_machine_that_is_not_in_use_is_skipped() {
        let missing = machine::Check::fail("qemu", "QEMU is not installed")
            .why("It is in no folder of PATH.")
            .remedy(Remedy::Advice(
                "Install it with: sudo apt install qemu-system-x86".into(),
            ));
        let used = of_machine_check(missing.clone(), true);
        assert_eq!(used.verdict, Verdict::Fail);
        assert_eq!(
            used.fix.map(|fix| (fix.action, fix.command)),
            Some((FixAction::RunInTerminal, "sudo apt install qemu-system-x86".to_owned()))
        );
        let unused = of_machine_check(missing, false);
        assert_eq!((unused.verdict, unused.fix), (Verdict::Skip, None));
    }
}
