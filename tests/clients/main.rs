//! Real docker clients against the machine's socket: what works on a native engine works here.

mod compose;

use std::io::Write as _;
use std::process::{Command, Stdio};

use wherry_tests::fetch::{free_port, page_with};
use wherry_tests::images::PAGE;
use wherry_tests::machine::Machine;
use wherry_tests::process::{Running, run};

#[test]
fn the_docker_command_works_as_it_does_natively() {
    let machine = Machine::start();
    machine.import_busybox();

    // A hijacked stream with half-close: the container sees the end of its input and answers after it.
    let mut cat = machine
        .docker()
        .args([
            "run",
            "--rm",
            "--interactive",
            "busybox",
            "/bin/sh",
            "-c",
            "cat; echo after the end",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("docker starts");
    cat.stdin
        .take()
        .expect("its input")
        .write_all(b"through the link\n")
        .expect("it reads");
    let answer = cat.wait_with_output().expect("it ends");
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout),
        "through the link\nafter the end\n"
    );

    // Without a socket named: the context says where.
    let configuration = machine.path().join("docker-configuration");
    fs_err::create_dir(&configuration).expect("a folder");
    let before = "{\n\t\"credsStore\": \"left-behind\"\n}";
    fs_err::write(configuration.join("config.json"), before).expect("a configuration");
    run(machine
        .command()
        .args(["context", "--fix-credentials"])
        .env("DOCKER_CONFIG", &configuration));
    let mut docker = Command::new("docker");
    docker.env("DOCKER_CONFIG", &configuration).env_remove("DOCKER_HOST");
    let answer = run(docker.args(["run", "--rm", "busybox", "/bin/echo", "by context"]));
    assert_eq!(answer, "by context\n");
    run(machine
        .command()
        .args(["context", "--undo"])
        .env("DOCKER_CONFIG", &configuration));
    let restored = fs_err::read_to_string(configuration.join("config.json")).expect("a configuration");
    assert_eq!(restored, before);

    let port = free_port();
    run(machine
        .docker()
        .args([
            "run",
            "--detach",
            "--rm",
            "--name",
            "web",
            "--publish",
            &format!("127.0.0.1:{port}:80"),
            "busybox",
        ])
        .args(["/bin/sh", "-c", "echo ready; exec /bin/httpd -f -vv -h /www"]));
    let mut logs = machine.docker();
    let mut logs = Running::start(logs.args(["logs", "--follow", "web"]), &machine.path().join("logs.err"));
    assert_eq!(logs.line(), "ready", "logs -f delivers while the container runs");
    page_with(&format!("127.0.0.1:{port}"), PAGE);
    assert!(run(machine.docker().args(["ps"])).contains(&format!("127.0.0.1:{port}->80/tcp")));

    // A terminal: `script` gives the docker command one.
    let exec = format!(
        "docker --host unix://{} exec -it web /bin/sh -c 'hostname; test -t 0 && test -t 1 && echo a terminal'",
        machine.socket().display()
    );
    let seen = run(Command::new("script").args(["--quiet", "--return", "--command", &exec, "/dev/null"]));
    assert!(
        seen.contains("a terminal"),
        "exec -it gives the shell a terminal: {seen}"
    );

    run(machine.docker().args(["stop", "--time", "1", "web"]));
    logs.wait();
}

#[test]
fn a_dockerfile_builds() {
    let machine = Machine::start();
    machine.import_busybox();
    let context = machine.path().join("context");
    fs_err::create_dir_all(&context).expect("a folder");
    fs_err::write(context.join("greeting"), "built here\n").expect("a file");
    fs_err::write(
        context.join("Dockerfile"),
        "FROM busybox\nCOPY greeting /greeting\nRUN [\"/bin/sh\", \"-c\", \"cat /greeting > /copied\"]\nCMD [\"/bin/cat\", \"/copied\"]\n",
    )
    .expect("a Dockerfile");
    run(machine.docker().args(["build", "--tag", "built"]).arg(&context));
    assert_eq!(run(machine.docker().args(["run", "--rm", "built"])), "built here\n");
}
