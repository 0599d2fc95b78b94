//! `wherry diagnose` through the real program: the bundle is there, readable, the person's alone, and has no secrets.
#![cfg(unix)]

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SECRETS: [&str; 8] = [
    "correct-horse-battery",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA",
    "YWRhOmNvcnJlY3QtaG9yc2U=",
    "eyJhbGciOiJIUzI1NiJ9",
    "Tr0ub4dor&3",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
];

/// Wherry's folder of somebody whose logs and settings are full of secrets.
fn person() -> tempfile::TempDir {
    let folder = tempfile::Builder::new()
        .prefix("wd")
        .tempdir_in("/tmp")
        .expect("a folder");
    let logs = folder.path().join("home/logs");
    fs_err::create_dir_all(&logs).expect("made");
    fs_err::create_dir(folder.path().join("docker")).expect("made");
    let lines = [
        "INFO proxy http://ada:correct-horse-battery@proxy.example:3128 is used",
        "level=error msg=\"env AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"",
        "cloning https://ghp_16C7e42F292c6912E7710c838347Ae178B4a@github.com/ada/app",
        "-----BEGIN PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA",
        "-----END PRIVATE KEY-----",
        "Authorization: Basic YWRhOmNvcnJlY3QtaG9yc2U=",
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "db_password: 'Tr0ub4dor&3'",
        "seed 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "an ordinary line about container web",
    ];
    for name in ["daemon.log", "daemon.log.1", "console.log", "machine.log"] {
        fs_err::write(logs.join(name), lines.join("\n")).expect("written");
    }
    let home = folder.path().join("home");
    fs_err::write(
        home.join("settings.json"),
        r#"{"engine":{"type":"address","address":"tcp://ada:correct-horse-battery@127.0.0.1:1"}}"#,
    )
    .expect("written");
    fs_err::write(
        folder.path().join("docker/config.json"),
        r#"{"auths":{"ghcr.io":{"auth":"YWRhOmNvcnJlY3QtaG9yc2U="}},"credsStore":"desktop"}"#,
    )
    .expect("written");
    folder
}

fn diagnose(folder: &Path, to: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wherry"))
        .args(["diagnose", "--registry", "http://127.0.0.1:1", "-o"])
        .arg(to)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("WHERRY_HOME", folder.join("home"))
        .env("WHERRY_GUEST", folder.join("no-guest"))
        .env("DOCKER_CONFIG", folder.join("docker"))
        .env("HTTPS_PROXY", "http://ada:correct-horse-battery@127.0.0.1:1")
        .env("PATH", "")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

fn files(bundle: &Path) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(fs_err::File::open(bundle).expect("a bundle")).expect("a zip");
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).expect("a file");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("text");
            (file.name().expect("a name").into_owned(), text)
        })
        .collect()
}

#[test]
fn planted_secrets_are_in_no_file_of_the_bundle() {
    let folder = person();
    let output = diagnose(folder.path(), &PathBuf::from("bundle.zip"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("Read it before you hand it on"), "{said}");
    let bundle = folder.path().join("bundle.zip");
    let mode = fs_err::metadata(&bundle).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let files = files(&bundle);
    assert_eq!(files[0].0, "README.txt");
    for name in [
        "versions.txt",
        "doctor.txt",
        "doctor.json",
        "machine.json",
        "machine-settings.json",
        "engine.json",
        "settings.json",
        "docker.json",
        "logs/daemon.log",
        "logs/console.log",
        "logs/machine.log",
        "logs/engine-and-agent.log",
    ] {
        assert!(files.iter().any(|(there, _)| there == name), "{name} is missing");
        assert!(files[0].1.contains(name), "{name} is not explained");
    }
    for (name, text) in &files {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} is in {name}:\n{text}");
        }
        if Path::new(name).extension().is_some_and(|kind| kind == "json") {
            serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        }
    }
    let (_, log) = files.iter().find(|(name, _)| name == "logs/daemon.log").expect("a log");
    assert!(log.contains("an ordinary line about container web"), "{log}");
}

#[test]
fn a_bundle_replaces_nothing_and_leaves_nothing_behind() {
    let folder = person();
    let there = folder.path().join("mine.zip");
    fs_err::write(&there, "mine").expect("written");
    let output = diagnose(folder.path(), &there);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("There is a file of that name already"), "{words}");
    assert_eq!(fs_err::read_to_string(&there).expect("there"), "mine");

    let nowhere = diagnose(folder.path(), &folder.path().join("no/folder.zip"));
    assert_eq!(nowhere.status.code(), Some(1));
    let names: Vec<_> = fs_err::read_dir(folder.path())
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
}
