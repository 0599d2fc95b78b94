//! docker compose, testcontainers and docker-py: clients that are neither ours nor the docker command.

use std::process::Command;

use wherry_tests::docker_py::{self, Outcome};
use wherry_tests::fetch::{free_port, page_with, refused};
use wherry_tests::images::busybox_tar;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{output, run};
use wherry_tests::tools;

/// Three services: one with a health check that fills a named volume, one that waits until it is healthy and serves
/// what it wrote, one with a folder of the person's.
const PROJECT: &str = r#"
services:
  store:
    image: busybox
    command: ["/bin/sh", "-c", "sleep 2; echo from the volume > /data/state; exec sleep 1000000"]
    volumes: ["state:/data"]
    healthcheck: { test: ["CMD", "/bin/cat", "/data/state"], interval: 1s, retries: 60 }
    stop_grace_period: 1s
  api:
    image: busybox
    command: ["/bin/httpd", "-f", "-p", "8080", "-h", "/data"]
    volumes: ["state:/data:ro"]
    depends_on: { store: { condition: service_healthy } }
    stop_grace_period: 1s
  web:
    image: busybox
    command: ["/bin/httpd", "-f", "-h", "/site"]
    volumes: ["./site:/site:ro"]
    ports: ["127.0.0.1:${PORT}:80"]
    depends_on: [api]
    stop_grace_period: 1s
volumes:
  state:
"#;

/// What the documentation of testcontainers shows, with an image that is there.
const TESTCONTAINERS: &str = r#"
import urllib.request
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

web = DockerContainer("busybox").with_command("/bin/httpd -f -h /www").with_exposed_ports(80)
with web.waiting_for(HttpWaitStrategy(80)):
    address = f"http://{web.get_container_host_ip()}:{web.get_exposed_port(80)}"
    print(urllib.request.urlopen(address).read().decode())
"#;

/// Some of docker-py's own tests, of each kind of thing that a client does; the suite `docker-py` runs them all.
const DOCKER_PY: [&str; 8] = [
    "errors_test.py",
    "models_images_test.py::ImageCollectionTest::test_build",
    "models_images_test.py::ImageCollectionTest::test_save_and_load",
    "models_containers_test.py::ContainerCollectionTest::test_run_with_volume",
    "models_containers_test.py::ContainerTest::test_exec_run_success",
    "models_networks_test.py",
    "models_swarm_test.py",
    "models_volumes_test.py",
];

#[test]
fn compose_testcontainers_and_docker_py_work_as_they_do_natively() {
    let machine = Machine::in_a_persons_home();
    machine.wherry(&START);
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.person()))
        .arg("busybox"));
    a_project_goes_up_and_down(&machine);
    testcontainers_makes_one_and_removes_it(&machine);
    docker_pys_own_tests_pass(&machine);
}

fn a_project_goes_up_and_down(machine: &Machine) {
    let project = machine.person().join("project");
    fs_err::create_dir_all(project.join("site")).expect("a folder");
    fs_err::write(project.join("site/index.html"), "from the person's folder\n").expect("a page");
    fs_err::write(project.join("compose.yaml"), PROJECT).expect("a project");
    let port = free_port();
    let compose = |arguments: &[&str]| {
        let mut command = Command::new(tools::compose());
        command
            .args(["--project-directory"])
            .arg(&project)
            .args(arguments)
            .env("DOCKER_HOST", format!("unix://{}", machine.socket().display()))
            .env("PORT", port.to_string());
        run(&mut command)
    };

    compose(&["up", "--detach"]);
    page_with(&format!("127.0.0.1:{port}"), "from the person's folder");
    fs_err::write(project.join("site/index.html"), "changed meanwhile\n").expect("a page");
    page_with(&format!("127.0.0.1:{port}"), "changed meanwhile");
    let asked = [
        "exec",
        "-T",
        "web",
        "/bin/wget",
        "-q",
        "-O",
        "-",
        "http://api:8080/state",
    ];
    assert_eq!(compose(&asked), "from the volume\n", "services find each other by name");
    compose(&["down"]);
    refused(&format!("127.0.0.1:{port}"));
    assert!(run(machine.docker().args(["volume", "ls", "--quiet"])).contains("project_state"));
    compose(&["down", "--volumes"]);
    assert_eq!(run(machine.docker().args(["volume", "ls", "--quiet"])), "");
    assert_eq!(run(machine.docker().args(["ps", "--all", "--quiet"])), "");
}

fn testcontainers_makes_one_and_removes_it(machine: &Machine) {
    let mut script = Command::new(tools::python(&["testcontainers==4.15.0"]));
    script
        .args(["-c", TESTCONTAINERS])
        .env("DOCKER_HOST", format!("unix://{}", machine.socket().display()))
        // Its cleaner is an image on Docker Hub, which no test asks.
        .env("TESTCONTAINERS_RYUK_DISABLED", "true")
        // Where the tests themselves run in a container it would look for ports at the gateway of the engine's network.
        .env("TESTCONTAINERS_CONNECTION_MODE", "docker_host");
    let output = output(&mut script);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("served by wherry's test"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        run(machine.docker().args(["ps", "--all", "--quiet"])),
        "",
        "it is removed"
    );
}

fn docker_pys_own_tests_pass(machine: &Machine) {
    docker_py::give_images(&|| machine.docker(), machine.person());
    let engine = format!("unix://{}", machine.socket().display());
    let mut outcomes = docker_py::tests(&engine, machine.person(), &DOCKER_PY);
    assert!(outcomes.len() > DOCKER_PY.len(), "they are run: {outcomes:?}");
    outcomes.retain(|_, outcome| *outcome != Outcome::Passed);
    assert!(outcomes.is_empty(), "{outcomes:#?}");
}
