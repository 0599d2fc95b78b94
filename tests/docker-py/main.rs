//! docker-py's own integration tests, all of them, on the engine as it is and through the machine's socket: what passes
//! there passes here. `cargo xtask test docker-py` runs them and writes the list that `docs/docker-py.md` has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;
use wherry_tests::authority::Authority;
use wherry_tests::docker_py::{IMAGES, Outcome, give_images, tests};
use wherry_tests::engine::Engine;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{is_root, run, say};
use wherry_tests::proxy::{PASSWORD, Proxy, USER};
use wherry_tests::registry::Registry;
use wherry_tests::skip_unless;

const DOCKER_HUB: &str = "registry-1.docker.io";

/// Tests that pass on an engine without settings and not on one with the machine's, and why that is as it should be.
const MEANT: [(&str, &str); 3] = [
    (
        "api_container_test.py::CreateContainerTest::test_valid_log_driver_and_log_opt",
        LOGS,
    ),
    (
        "api_container_test.py::CreateContainerTest::test_valid_no_config_specified",
        LOGS,
    ),
    (
        "api_container_test.py::CreateContainerTest::test_valid_no_log_driver_specified",
        LOGS,
    ),
];
const LOGS: &str = "the test expects that logs may grow for ever; the machine's engine is set to limit them";

/// Files or tests, as pytest names them, instead of all.
const NAMED: &str = "WHERRY_DOCKER_PY";

#[test]
fn what_passes_on_the_engine_passes_through_the_machines_socket() {
    skip_unless!(is_root(), "a native engine needs root");
    let named = std::env::var(NAMED).unwrap_or_default();
    let named: Vec<&str> = named.split_whitespace().collect();
    let hub = Hub::new();
    let raw = hub.on_the_engine(&named);
    let through = hub.on_the_machine(&named);

    let list = list(&raw, &through);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker-py.md");
    fs_err::write(&path, &list).expect("the list can be written");
    say(&format!("{list}\nwritten to {}", path.display()));

    let fails = |test: &str| !matches!(through.get(test), Some(Outcome::Passed | Outcome::Skipped { .. }));
    let worse: Vec<&String> = raw
        .iter()
        .filter(|(test, outcome)| **outcome == Outcome::Passed && fails(test))
        .map(|(test, _)| test)
        .filter(|test| MEANT.iter().all(|(meant, _)| meant != test))
        .collect();
    assert!(worse.is_empty(), "these pass on the engine itself: {worse:#?}");
}

/// Docker Hub, as far as a proxy leads there: with the few images that the tests pull.
struct Hub {
    folder: TempDir,
    proxy: Proxy,
    _registry: Registry,
}

impl Hub {
    fn new() -> Hub {
        // Below /tmp, which the engine in its other root has at the same path.
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        let authority = Authority::new("The test's own");
        fs_err::write(folder.path().join("store.pem"), authority.certificate()).expect("written");
        let identity = authority.identify(DOCKER_HUB, folder.path());
        let registry = Registry::serve_as(&folder.path().join("storage"), &identity);
        let proxy = Proxy::start(&[("registry-1.docker.io:443", registry.address())]);
        Hub {
            folder,
            proxy,
            _registry: registry,
        }
    }

    /// What makes a program go there and trust it.
    fn environment(&self) -> [(&'static str, String); 2] {
        let url = format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", self.proxy.port());
        let store = self.folder.path().join("store.pem");
        [
            ("HTTPS_PROXY", url),
            ("SSL_CERT_FILE", store.to_string_lossy().into_owned()),
        ]
    }

    fn on_the_engine(&self, named: &[&str]) -> BTreeMap<String, Outcome> {
        let environment = self.environment();
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let engine = Engine::of_debian_13(&environment);
        give_images(&|| engine.docker(), engine.folder());
        for image in IMAGES {
            run(engine.docker().args(["push", "--quiet", image]));
        }
        tests(&engine.address(), engine.folder(), named)
    }

    fn on_the_machine(&self, named: &[&str]) -> BTreeMap<String, Outcome> {
        let machine = Machine::in_a_persons_home();
        run(machine
            .command()
            .args(START)
            .env_remove("SSL_CERT_DIR")
            .envs(self.environment()));
        give_images(&|| machine.docker(), machine.person());
        let address = format!("unix://{}", machine.socket().display());
        tests(&address, machine.person(), named)
    }
}

/// Every test with what became of it on both sides, as Markdown; those that pass on both by their files only.
fn list(raw: &BTreeMap<String, Outcome>, through: &BTreeMap<String, Outcome>) -> String {
    let mut passed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut others = String::new();
    for (test, outcome) in raw {
        let on_machine = through.get(test);
        if *outcome == Outcome::Passed && on_machine == Some(outcome) {
            let file = test.split("::").next().unwrap_or(test);
            *passed.entry(file).or_default() += 1;
            continue;
        }
        let why = MEANT
            .iter()
            .find_map(|(meant, why)| (meant == test).then_some(*why))
            .or_else(|| why(outcome))
            .or_else(|| on_machine.and_then(why))
            .unwrap_or_default();
        let (name, why) = (test.replace(".py::", " "), why.replace('|', "\\|").replace('`', "'"));
        let (raw, through) = (word(Some(outcome)), word(on_machine));
        let _ = writeln!(others, "| {name} | {raw} | {through} | {why} |");
    }
    let mut list = String::from("| passed on both | tests |\n|---|---|\n");
    for (file, count) in &passed {
        let _ = writeln!(list, "| {file} | {count} |");
    }
    let _ = writeln!(
        list,
        "| **together** | {} of {} |",
        passed.values().sum::<u32>(),
        raw.len()
    );
    let _ = write!(list, "\n| test | engine | machine | why |\n|---|---|---|---|\n{others}");
    list
}

fn word(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Passed) => "passed",
        Some(Outcome::Skipped { .. }) => "skipped",
        Some(Outcome::Failed { .. }) => "failed",
        None => "not run",
    }
}

fn why(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Passed => None,
        Outcome::Skipped { why } | Outcome::Failed { why } => Some(why),
    }
}
