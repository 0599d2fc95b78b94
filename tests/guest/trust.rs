//! Whom the engine trusts, and its proxy: a registry that only a proxy finds and only this computer's store vouches for.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use wherry_tests::authority::Authority;
use wherry_tests::images::busybox_tar;
use wherry_tests::machine::{Machine, START};
use wherry_tests::process::{output, run, until};
use wherry_tests::proxy::{PASSWORD, Proxy, USER};
use wherry_tests::registry::Registry;

const HOST: &str = "registry.wherry.test";
const IMAGE: &str = "registry.wherry.test/busybox";
const VISIT: &str = "CONNECT registry.wherry.test:443";

/// Where containers reach what listens on this computer's loopback.
const INSIDE: &str = "host.docker.internal";

#[test]
fn the_engine_trusts_whom_this_computer_trusts_and_goes_through_its_proxy() {
    let place = Place::new();
    let known = place.network();
    assert_eq!(known["authorities"], 1);
    assert_eq!(known["proxy"]["source"], "environment");
    assert_eq!(known["proxy"]["except"], "internal.wherry.test");
    let machine = &place.machine;
    run(machine
        .docker()
        .arg("import")
        .arg(busybox_tar(machine.path()))
        .arg(IMAGE));
    run(machine.docker().args(["push", IMAGE]));
    run(machine.docker().args(["pull", IMAGE]));
    let asked = place.system.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| line == VISIT), "{asked:?}");
    place.builds();

    run(machine
        .docker()
        .args(["run", "--detach", "--name", "lasting", IMAGE, "/bin/sleep", "1000"]));
    let lasting = place.lasting();
    place.set(&[&format!("{USER}@localhost:{}", place.manual.port()), "--password-stdin"]);
    assert_eq!(
        place.lasting(),
        lasting,
        "a container goes on while its engine starts again"
    );
    run(machine.docker().args(["pull", IMAGE]));
    assert!(place.manual.asked().contains(&VISIT.to_owned()));
    assert!(place.system.asked().is_empty(), "one set by hand goes first");
    place.nothing_shows_the_password();

    fs_err::write(&place.store, Authority::new("Another").certificate()).expect("written");
    place.set(&["system"]);
    let words = place.refused();
    assert!(words.contains("certificate signed by unknown authority"), "{words}");
    assert!(place.system.asked().contains(&VISIT.to_owned()));

    place.set(&["off"]);
    place.refused();
    let asked = (place.system.asked(), place.manual.asked());
    assert_eq!(asked, (Vec::new(), Vec::new()), "none means none");
    place.asks_without_encryption_when_told();
    assert_eq!(place.lasting(), lasting);
}

struct Place {
    folder: TempDir,
    /// What this computer's store of authorities is for the machine's background process.
    store: PathBuf,
    /// The proxy in that process's environment, and another one.
    system: Proxy,
    manual: Proxy,
    machine: Machine,
    _registry: Registry,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("The test's own");
        let store = folder.path().join("store.pem");
        fs_err::write(&store, authority.certificate()).expect("written");
        let identity = authority.identify(HOST, folder.path());
        let registry = Registry::serve_as(&folder.path().join("storage"), &identity);
        let hosts = [("registry.wherry.test:443", registry.address())];
        let (system, manual) = (Proxy::start(&hosts), Proxy::start(&hosts));
        let machine = Machine::home();
        let url = format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", system.port());
        run(machine
            .command()
            .args(START)
            .env("SSL_CERT_FILE", &store)
            .env_remove("SSL_CERT_DIR")
            .env("HTTP_PROXY", &url)
            .env("HTTPS_PROXY", &url)
            .env("NO_PROXY", "internal.wherry.test"));
        Place {
            folder,
            store,
            system,
            manual,
            machine,
            _registry: registry,
        }
    }

    /// What the machine was told of this computer.
    fn network(&self) -> Value {
        self.machine.status()["network"].clone()
    }

    /// A build takes its image as a pull does. What runs in it gets the proxy that the docker command hands on.
    fn builds(&self) {
        let recipe = self.folder.path().join("Dockerfile");
        let visit = "/bin/wget -q -O /page http://site.wherry.test/ && /bin/cat /page";
        fs_err::write(&recipe, format!("FROM {IMAGE}\nRUN {visit}\n")).expect("written");
        let inside = format!("http://{USER}:{PASSWORD}@{INSIDE}:{}", self.system.port());
        let built = run(self
            .machine
            .docker()
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "--no-cache", "--pull", "--file"])
            .arg(recipe)
            .args(["--build-arg", &format!("http_proxy={inside}")])
            .arg(self.machine.path().join("busybox")));
        let page = "http://site.wherry.test/ by way of the proxy";
        assert!(built.contains(page), "{built}");
        let asked = self.system.asked();
        for line in [VISIT, "GET http://site.wherry.test/"] {
            assert!(asked.iter().any(|asked| asked == line), "{line} is not in {asked:?}");
        }
    }

    /// A registry that speaks plain HTTP, at no address of the machine's own.
    fn asks_without_encryption_when_told(&self) {
        let machine = &self.machine;
        let registry = Registry::serve(&self.folder.path().join("plain"));
        let address = format!("{INSIDE}:{}", registry.port());
        let image = format!("{address}/busybox");
        run(machine.docker().args(["tag", IMAGE, &image]));
        let refused = || {
            let refused = output(machine.docker().args(["push", &image]));
            let words = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(words.contains("server gave HTTP response to HTTPS client"), "{words}");
        };
        let told = |list: &str, is_told: bool| {
            machine.wherry(&["set", "insecure-registries", list]);
            assert_eq!(run(machine.docker().arg("info")).contains(&address), is_told);
        };
        refused();
        told(&address, true);
        run(machine.docker().args(["push", &image]));
        run(machine.docker().args(["pull", &image]));
        told("none", false);
        refused();
    }

    /// When the container was started, which is still running.
    fn lasting(&self) -> String {
        let wanted = "{{.State.StartedAt}} {{.State.Status}}";
        run(self.machine.docker().args(["inspect", "--format", wanted, "lasting"]))
    }

    /// `wherry set proxy …`, and the engine takes it over.
    fn set(&self, arguments: &[&str]) {
        let password = self.folder.path().join("password");
        fs_err::write(&password, PASSWORD).expect("written");
        let password = fs_err::File::open(&password).expect("readable").into_parts().0;
        let mut command = self.machine.command();
        command.args(["set", "proxy"]).args(arguments).stdin(password);
        assert!(command.status().expect("it runs").success());
        until("the machine to be told", || {
            (self.network()["engineOutdated"] == true).then_some(())
        });
        self.machine.wherry(&["restart", "--engine"]);
        assert_eq!(self.network()["engineOutdated"], false);
    }

    /// A pull fails; what it says.
    fn refused(&self) -> String {
        let refused = output(self.machine.docker().args(["pull", IMAGE]));
        assert!(!refused.status.success());
        String::from_utf8_lossy(&refused.stderr).into_owned()
    }

    fn nothing_shows_the_password(&self) {
        let machine = &self.machine;
        for look in [
            &["status", "--json"][..],
            &["settings", "--json"],
            &["settings"],
            &["logs"],
        ] {
            let shown = machine.wherry(look);
            assert!(!shown.contains(PASSWORD), "{look:?} shows it: {shown}");
        }
        assert!(!run(machine.docker().arg("info")).contains(PASSWORD));
        for log in fs_err::read_dir(machine.path().join("logs")).expect("logs").flatten() {
            let text = fs_err::read(log.path()).expect("readable");
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains(PASSWORD), "{} has it", log.path().display());
        }
        for program in ["wherry", "qemu-system-x86_64"] {
            for pid in machine.processes(program) {
                let arguments = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                assert!(!String::from_utf8_lossy(&arguments).contains(PASSWORD));
            }
        }
    }
}
