//! The shape of the workspace: who may know whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use wherry_tests::process::run;

#[test]
fn nothing_below_the_window_knows_tauri() {
    let packages = dependencies();
    for package in [
        "wherry-link",
        "wherry-agent",
        "wherry-share",
        "wherry-machine",
        "wherry-engine",
        "wherry-app",
        "wherry-serve",
    ] {
        let all = reachable(&packages, package);
        assert!(!all.contains("tauri"), "{package} depends on tauri");
    }
    assert!(
        !reachable(&packages, "wherry-machine").contains("bollard"),
        "the machine does not know Docker's API"
    );
    assert!(
        !reachable(&packages, "wherry-share").contains("wherry-machine")
            && !reachable(&packages, "wherry-machine").contains("wherry-share"),
        "the file server is a process that the machine starts, and knows nothing of it"
    );
    assert!(
        !reachable(&packages, "wherry-engine").contains("wherry-machine"),
        "the engine does not know machines"
    );
}

#[test]
fn a_type_lives_with_what_produces_it() {
    for name in dependencies().keys() {
        let last = name.rsplit('-').next().unwrap_or_default();
        let own = name == "xtask" || name.starts_with("wherry");
        assert!(
            !(own && ["common", "utils", "types", "api"].contains(&last)),
            "{name} is a drawer, not a package"
        );
    }
}

/// An installer takes away what it brought. The person's data is in a folder of the person, below which no installer has
/// anything, and no script of one runs that could remove it. The packages of Linux are looked at where they are made, in
/// xtask.
#[test]
fn removing_wherry_from_windows_touches_no_data() {
    for path in ["src-tauri", "installers/windows"] {
        let path = format!("{}/../{path}/tauri.conf.json", env!("CARGO_MANIFEST_DIR"));
        let text = fs_err::read_to_string(path).expect("the configuration of the installer");
        let configuration: Value = serde_json::from_str(&text).expect("JSON");
        assert!(
            !configuration["bundle"].to_string().contains("installerHooks"),
            "hooks have to be looked at for what they remove"
        );
        // The uninstaller on Windows offers to remove the window's own folder, which has this name.
        assert_ne!(
            configuration["identifier"], "wherry",
            "the name of the folder with the data"
        );
    }
}

/// Every package's direct dependencies that are built into it, by name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let text = run(Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--locked"]));
    let metadata: Value = serde_json::from_str(&text).expect("cargo metadata prints JSON");
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    list(&metadata, "packages")
        .iter()
        .map(|package| {
            let uses = list(package, "dependencies")
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(dependency, "name"))
                .collect();
            (text(package, "name"), uses)
        })
        .collect()
}

fn reachable(packages: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(name) = next.pop() {
        if seen.insert(name.clone()) {
            next.extend(packages.get(&name).into_iter().flatten().cloned());
        }
    }
    seen
}
