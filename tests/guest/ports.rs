//! Published ports, and who holds a taken one.

use std::net::TcpListener;

use wherry_tests::fetch::{page_with, refused};
use wherry_tests::images::PAGE;
use wherry_tests::machine::Machine;
use wherry_tests::process::{output, run};

#[test]
fn a_published_port_answers_while_its_container_runs_and_no_longer() {
    let machine = Machine::start();
    machine.import_busybox();
    let at = machine.web(&[]);
    let (_, port) = at.split_once(':').expect("an address");
    let forwards = machine.status()["forwards"].to_string();
    assert!(forwards.contains(port), "the status lists it: {forwards}");

    // Taken by a container: the engine itself says so. Taken by another program: we say by whom.
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("its address").port();
    let refusal = output(machine.docker().args([
        "run",
        "--rm",
        "--publish",
        &format!("127.0.0.1:{taken}:80"),
        "busybox",
        "/bin/true",
    ]));
    let words = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(!refusal.status.success(), "a taken port fails the start");
    assert!(
        words.contains(&format!("{taken} is used by")),
        "it says who holds the port: {words}"
    );
    assert!(
        words.contains(&std::process::id().to_string()),
        "by its process id: {words}"
    );

    run(machine.docker().args(["stop", "--time", "1", "web"]));
    refused(&at);
    run(machine.docker().args(["start", "web"]));
    page_with(&at, PAGE);
    run(machine.docker().args(["rm", "--force", "web"]));
    refused(&at);
}
