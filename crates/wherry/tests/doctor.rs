//! `wherry doctor` through the real program: what it says of a computer where one thing is wrong.
#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A computer with a QEMU and a docker command that only print their versions, and a registry that answers.
struct Computer {
    folder: tempfile::TempDir,
    registry: String,
}

impl Computer {
    fn new() -> Computer {
        let folder = tempfile::Builder::new()
            .prefix("wd")
            .tempdir_in("/tmp")
            .expect("a folder");
        for name in ["home", "docker", "programs"] {
            fs_err::create_dir(folder.path().join(name)).expect("made");
        }
        let computer = Computer {
            folder,
            registry: answering("200 OK"),
        };
        computer.program("docker", "echo Docker version 28.2.2");
        computer.qemu("10.0.2");
        fs_err::write(computer.at("home/settings.json"), r#"{"engine":{"type":"machine"}}"#).expect("written");
        computer
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.at("programs").join(name);
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
    }

    fn qemu(&self, version: &str) {
        let name = format!("qemu-system-{}", std::env::consts::ARCH);
        self.program(&name, &format!("echo QEMU emulator version {version}"));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_wherry")), arguments)
    }

    fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("WHERRY_HOME", self.at("home"))
            .env("WHERRY_GUEST", self.at("no-guest"))
            .env("DOCKER_CONFIG", self.at("docker"))
            .env("PATH", self.at("programs"))
            .stdin(Stdio::null());
        command
    }

    /// The check of this name, and whether the doctor found something broken.
    fn check(&self, name: &str) -> Value {
        let registry = self.registry.clone();
        seen(
            &run(&mut self.command(&["doctor", "--json", "--registry", &registry])),
            name,
        )
    }
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program runs")
}

fn seen(output: &Output, name: &str) -> Value {
    let examination: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let checks = examination["checks"].as_array().expect("checks");
    let broken = checks.iter().any(|check| check["verdict"] == "fail");
    assert_eq!(output.status.code(), Some(i32::from(broken)), "{examination}");
    checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {examination}"))
        .clone()
}

/// Answers every request with this status until the test ends.
fn answering(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
        }
    });
    address
}

/// A port where nobody listens.
fn closed() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

fn says(check: &Value, verdict: &str, words: &str) {
    assert_eq!(check["verdict"], verdict, "{check}");
    assert!(check.to_string().contains(words), "{words:?} is not in {check}");
}

#[test]
fn every_check_is_there_by_name_with_the_machine_stopped() {
    let computer = Computer::new();
    let output = run(&mut computer.command(&["doctor", "--registry", &computer.registry]));
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in [
        "engine",
        "accelerator",
        "qemu",
        "image",
        "dataDisk",
        "agent",
        "clock",
        "socket",
        "ports",
        "dns",
        "registry",
        "proxy",
        "diskSpace",
        "context",
        "credentials",
    ] {
        assert!(words.contains(&format!(" {name} ")), "{name} is missing in:\n{words}");
    }
    for name in ["engine", "agent", "clock", "socket"] {
        says(&computer.check(name), "skip", "The machine is ");
    }
    says(&computer.check("engine"), "skip", "wherry start");
    assert_eq!(
        fs_err::read_dir(computer.at("home")).expect("readable").count(),
        1,
        "looking leaves nothing behind"
    );
}

#[test]
fn qemu_is_there_old_broken_or_missing() {
    let computer = Computer::new();
    says(&computer.check("qemu"), "pass", "10.0.2");
    computer.qemu("7.2.1");
    says(&computer.check("qemu"), "warn", "cannot be suspended");
    let name = format!("qemu-system-{}", std::env::consts::ARCH);
    computer.program(&name, "exit 1");
    says(&computer.check("qemu"), "fail", "QEMU does not run");
    fs_err::remove_file(computer.at("programs").join(name)).expect("removed");
    says(&computer.check("qemu"), "fail", "is in no folder of PATH");
}

#[test]
fn the_image_and_the_data_disk_are_looked_at() {
    let computer = Computer::new();
    says(&computer.check("image"), "fail", "no-guest");
    says(&computer.check("dataDisk"), "pass", "not yet");
    fs_err::create_dir(computer.at("home/machine")).expect("made");
    let disk = computer.at("home/machine/data.raw");
    fs_err::write(&disk, "photographs").expect("written");
    says(&computer.check("dataDisk"), "fail", "holds something else");
    let mut left_behind = vec![0; 4096];
    left_behind[1024 + 56..1024 + 60].copy_from_slice(&[0x53, 0xEF, 1, 0]);
    left_behind[1024 + 96] = 4;
    fs_err::write(&disk, left_behind).expect("written");
    says(&computer.check("dataDisk"), "warn", "wherry start");
}

/// As the Linux packages have it: links in one folder, the program and its image in another.
#[test]
fn a_program_that_is_called_by_a_link_finds_the_image_beside_itself() {
    let computer = Computer::new();
    let image = computer.at("lib").join("guest").join(std::env::consts::ARCH);
    fs_err::create_dir_all(&image).expect("made");
    fs_err::create_dir(computer.at("bin")).expect("made");
    // Not by this process: a program that another test starts at this moment would hold the copy open for writing.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_wherry"))
        .arg(computer.at("lib/wherry"))
        .status();
    assert!(copied.is_ok_and(|status| status.success()), "copied");
    for name in ["wherry", "docker-credential-wherry"] {
        fs_err::os::unix::fs::symlink("../lib/wherry", computer.at("bin").join(name)).expect("linked");
    }
    // Two empty blocks with a superblock that says so.
    let mut root = vec![0; 8192];
    root[1024..1028].copy_from_slice(&0xE0F5_E1E2_u32.to_le_bytes());
    root[1024 + 12] = 12;
    root[1024 + 36] = 2;
    fs_err::write(image.join("root.erofs"), root).expect("written");
    fs_err::write(image.join("manifest.json"), "{}").expect("written");
    for kernel in ["vmlinux", "Image"] {
        fs_err::write(image.join(kernel), "kernel").expect("written");
    }

    let mut doctor = computer.command_of(&computer.at("bin/wherry"), &["doctor", "--json"]);
    let found = run(doctor.env_remove("WHERRY_GUEST"));
    says(&seen(&found, "image"), "pass", "is whole");

    let helper = run(&mut computer.command_of(&computer.at("bin/docker-credential-wherry"), &["list"]));
    assert_eq!(String::from_utf8_lossy(&helper.stdout).trim(), "{}", "{helper:?}");
}

#[test]
fn a_registry_is_reached_odd_away_or_not_trusted() {
    let mut computer = Computer::new();
    says(&computer.check("registry"), "pass", "127.0.0.1 answers");
    says(&computer.check("dns"), "skip", "by number");
    computer.registry = answering("401 Unauthorized");
    says(&computer.check("registry"), "pass", "answers");
    computer.registry = answering("302 Found");
    says(&computer.check("registry"), "warn", "asks you to sign in");
    computer.registry = format!("http://127.0.0.1:{}", closed());
    says(&computer.check("registry"), "warn", "onnection refused");
    computer.registry = "http://nowhere.invalid".into();
    says(&computer.check("dns"), "warn", "nowhere.invalid does not resolve");
    says(&computer.check("registry"), "warn", "nowhere.invalid cannot be reached");
    computer.registry = "nonsense".into();
    let output = run(&mut computer.command(&["doctor", "--registry", "nonsense"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not the address of a registry"));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_told() {
    let mut computer = Computer::new();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-days",
            "2",
        ])
        .arg("-keyout")
        .arg(computer.at("key.pem"))
        .arg("-out")
        .arg(computer.at("certificate.pem"))
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "openssl makes a certificate");
    let mut server = Command::new("openssl")
        .args(["s_server", "-www", "-accept", "127.0.0.1:0", "-naccept", "20"])
        .arg("-key")
        .arg(computer.at("key.pem"))
        .arg("-cert")
        .arg(computer.at("certificate.pem"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .stdin(Stdio::piped())
        .spawn()
        .expect("openssl serves");
    let port = listening(&mut server);
    computer.registry = format!("https://localhost:{port}");
    let check = computer.check("registry");
    let _ = server.kill();
    let _ = server.wait();
    says(&check, "fail", "The certificate of localhost is not trusted");
    says(&check, "fail", "certificate authority");
}

#[test]
fn a_computer_without_certificate_authorities_is_no_network_that_inspects() {
    let computer = Computer::new();
    let nothing = computer.at("nothing.pem");
    fs_err::write(&nothing, "").expect("written");
    let mut doctor = computer.command(&["doctor", "--json", "--registry", "https://127.0.0.1:1"]);
    let doctor = doctor
        .env("SSL_CERT_FILE", &nothing)
        .env("SSL_CERT_DIR", computer.at("nothing"));
    let check = seen(&run(doctor), "registry");
    says(&check, "fail", "This computer knows no certificate authority");
    says(&check, "fail", "SSL_CERT_FILE names ");
}

/// "ACCEPT 127.0.0.1:43123"
fn listening(server: &mut std::process::Child) -> String {
    use std::io::BufRead as _;
    let output = std::io::BufReader::new(server.stdout.take().expect("its output"));
    let line = output
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("ACCEPT"))
        .expect("it listens");
    line.rsplit(':').next().unwrap_or_default().trim().to_owned()
}

#[test]
fn a_proxy_that_is_away_is_told_without_its_password() {
    let computer = Computer::new();
    says(&computer.check("proxy"), "pass", "none");
    let with = |proxy: &str| {
        let mut command = computer.command(&["doctor", "--json", "--registry", &computer.registry]);
        run(command.env("HTTPS_PROXY", proxy))
    };
    let away = seen(&with(&format!("http://ada:s3cret@127.0.0.1:{}", closed())), "proxy");
    says(&away, "fail", "The proxy does not answer");
    assert!(!away.to_string().contains("s3cret"), "{away}");
    let there = seen(&with(&computer.registry), "proxy");
    says(&there, "pass", "takes connections");
}

#[test]
fn the_docker_command_is_told_and_mended_by_what_the_doctor_says() {
    let computer = Computer::new();
    fs_err::write(computer.at("docker/config.json"), r#"{"credsStore":"desktop"}"#).expect("written");
    says(&computer.check("context"), "warn", "wherry context");
    says(
        &computer.check("credentials"),
        "fail",
        "docker-credential-desktop is not installed",
    );
    for check in ["context", "credentials"] {
        let fix = computer.check(check)["fix"]["command"]
            .as_str()
            .expect("a command")
            .to_owned();
        let words: Vec<&str> = fix.split(' ').skip(1).collect();
        assert!(run(&mut computer.command(&words)).status.success(), "{fix}");
        says(&computer.check(check), "pass", "");
    }
    let mut elsewhere = computer.command(&["doctor", "--json", "--registry", &computer.registry]);
    let elsewhere = seen(&run(elsewhere.env("DOCKER_HOST", "tcp://localhost:2375")), "context");
    says(&elsewhere, "warn", "DOCKER_HOST is set to tcp://localhost:2375");
    fs_err::write(computer.at("docker/config.json"), "{").expect("written");
    says(&computer.check("context"), "fail", "is not JSON");
    assert!(Path::new(&computer.at("docker/config.json")).exists());
}
