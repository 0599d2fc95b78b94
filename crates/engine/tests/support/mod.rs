//! One real engine for all tests of a binary that run at the same time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use wherry_engine::Address;
use wherry_tests::engine::Engine as Dockerd;
use wherry_tests::images::busybox_tar;
use wherry_tests::process::run;

/// The image that every test finds there.
pub(crate) const BUSYBOX: &str = "busybox:1";

static SHARED: Mutex<Weak<Dockerd>> = Mutex::new(Weak::new());

/// The engine that runs, or a new one.
pub(crate) fn dockerd() -> Arc<Dockerd> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let dockerd = Arc::new(Dockerd::start(None));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tar = busybox_tar(folder.path());
    run(dockerd.docker().arg("import").arg(&tar).arg(BUSYBOX));
    *shared = Arc::downgrade(&dockerd);
    dockerd
}

pub(crate) fn address(dockerd: &Dockerd) -> Address {
    Address::parse(&dockerd.address()).expect("an address")
}

/// Whether a real engine can be started here, and why not.
#[macro_export]
macro_rules! need_dockerd {
    () => {
        wherry_tests::skip_unless!(wherry_tests::process::is_root(), "dockerd needs root");
        wherry_tests::skip_unless!(
            wherry_tests::process::installed("dockerd") && wherry_tests::process::installed("docker"),
            "dockerd or docker is not installed"
        );
    };
}
