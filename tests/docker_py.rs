//! The integration tests that docker-py was released with, and a library that is newer than they are: the last release
//! that has its tests is 7.0.0.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::images::busybox;
use crate::process::{output, run};
use crate::tools;

/// What these tests pull or use without pulling it.
pub const IMAGES: [&str; 4] = ["alpine:3.10", "alpine:latest", "busybox:latest", "hello-world:latest"];

const PACKAGES: [&str; 7] = [
    "docker==7.2.0",
    "paramiko==5.1.0",
    "pytest==7.4.2",
    "pytest-reportlog==0.4.0",
    "pytest-timeout==2.1.0",
    "setuptools==65.5.1",
    "websocket-client==1.9.2",
];

/// Seconds for one test. They have bounds of their own where it is about one.
const PATIENCE: &str = "600";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// Not run, or expected to fail by those who wrote it.
    Skipped {
        why: String,
    },
    Failed {
        why: String,
    },
}

/// Gives the engine the images under the names that the tests use.
pub fn give_images(docker: &dyn Fn() -> Command, folder: &Path) {
    let tar = tar(folder);
    for name in IMAGES {
        // Images of their own: some tests remove one of them.
        let label = format!("LABEL name={name}");
        run(docker()
            .args(["import", "--change", "CMD [\"/bin/sh\"]", "--change", &label])
            .arg(&tar)
            .arg(name));
    }
}

/// What of Alpine's image the tests use: every command that busybox has, and a user.
fn tar(folder: &Path) -> PathBuf {
    let root = folder.join("alpine");
    for below in ["bin", "etc", "root", "tmp", "usr", "var"] {
        fs_err::create_dir_all(root.join(below)).expect("a folder");
    }
    let busybox = busybox();
    fs_err::copy(busybox, root.join("bin/busybox")).expect("a copy");
    for name in run(Command::new(busybox).arg("--list")).lines() {
        if name != "busybox" {
            run(Command::new("ln")
                .args(["-s", "-f", "busybox"])
                .arg(root.join("bin").join(name)));
        }
    }
    let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var:/bin/sh\n";
    fs_err::write(root.join("etc/passwd"), users).expect("users");
    fs_err::write(root.join("etc/group"), "root:x:0:\npostgres:x:70:\n").expect("groups");
    let tar = folder.join("alpine.tar");
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."));
    tar
}

/// Runs those tests that are named as pytest names them, or all of them, against the engine at this address. Files that
/// they give to containers lie in the folder.
pub fn tests(engine: &str, folder: &Path, named: &[&str]) -> BTreeMap<String, Outcome> {
    let report = folder.join("report.jsonl");
    let temporary = folder.join("tmp");
    fs_err::create_dir_all(&temporary).expect("a folder");
    let source = source();
    let mut pytest = Command::new(tools::python(&PACKAGES));
    pytest
        .current_dir(&source)
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
        .args(["--timeout", PATIENCE])
        .arg("--report-log")
        .arg(&report)
        // It writes contexts and logins there.
        .env("HOME", folder)
        .env("TMPDIR", &temporary)
        .env("DOCKER_HOST", engine)
        .env_remove("DOCKER_CONTEXT")
        .env_remove("DOCKER_CONFIG");
    if named.is_empty() {
        pytest.arg("tests/integration");
    }
    pytest.args(named.iter().map(|name| format!("tests/integration/{name}")));
    let ended = output(&mut pytest);
    let said = || {
        format!(
            "pytest ended with {}\n{}\n{}",
            ended.status,
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        )
    };
    // 1 says that some have failed.
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{}", said());
    let outcomes = read(&fs_err::read_to_string(&report).unwrap_or_default());
    assert!(!outcomes.is_empty(), "{}", said());
    outcomes
}

/// The report has a line for each phase of each test: its preparation, itself, what it cleans up.
fn read(report: &str) -> BTreeMap<String, Outcome> {
    let mut outcomes = BTreeMap::new();
    for line in report.lines() {
        let Ok(phase) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let Some(test) = phase["nodeid"]
            .as_str()
            .and_then(|id| id.strip_prefix("tests/integration/"))
        else {
            continue;
        };
        let outcome = match (phase["$report_type"].as_str(), phase["outcome"].as_str()) {
            (Some("TestReport"), Some("passed")) => Outcome::Passed,
            (Some("TestReport"), Some("skipped")) => Outcome::Skipped { why: why(&phase) },
            (Some("TestReport"), Some("failed")) => Outcome::Failed { why: why(&phase) },
            _ => continue,
        };
        let before = outcomes.entry(test.to_owned()).or_insert(Outcome::Passed);
        if matches!(before, Outcome::Passed) {
            *before = outcome;
        }
    }
    outcomes
}

/// The first line of why it did not pass.
fn why(phase: &Value) -> String {
    let told = [
        &phase["wasxfail"],
        &phase["longrepr"][2],
        &phase["longrepr"]["reprcrash"]["message"],
        &phase["longrepr"],
    ];
    let text = told.iter().find_map(|text| text.as_str()).unwrap_or("not said");
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

/// The tests, from the source distribution.
fn source() -> PathBuf {
    // Before the other is made: one is made at a time.
    let python = tools::python(&PACKAGES);
    tools::kept("docker-py-7.0.0", |folder| {
        run(Command::new(&python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
            .args(["--no-deps", "--no-binary", "docker", "docker==7.0.0", "--dest"])
            .arg(folder));
        run(Command::new("tar")
            .arg("--directory")
            .arg(folder)
            .args(["--strip-components=1", "--extract", "--gzip", "--file"])
            .arg(folder.join("docker-7.0.0.tar.gz"))
            .args(["docker-7.0.0/tests", "docker-7.0.0/pytest.ini"]));
    })
}
