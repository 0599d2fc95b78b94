//! A container that is root in the machine, against the file server.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use wherry_tests::long;
use wherry_tests::process::{run, say};

use crate::{Bed, CONTAINERS};

/// Attempts, of both containers together.
const ATTEMPTS: (u32, u32) = (3_000, 100_000);
const SECRET: &str = "OUTSIDE";

pub(crate) fn nothing_outside_is_reached(bed: &Bed) {
    let outside = tempfile::Builder::new()
        .prefix("wo")
        .tempdir_in("/tmp")
        .expect("a folder");
    let outside = outside.path();
    let hidden = bed.machine.path();
    for file in ["secret", "only-outside"] {
        fs_err::write(outside.join(file), SECRET).expect("a file");
    }
    fs_err::write(hidden.join("secret"), SECRET).expect("a file");
    let before = everything(outside);
    // Where the attack is, so that it breaks nothing of the suites.
    let project = bed.project.join("attacked");
    fs_err::create_dir(&project).expect("a folder");

    let attempts = if long() { ATTEMPTS.1 } else { ATTEMPTS.0 };
    let each = (attempts / 2).to_string();
    let path = |path: &Path| path.to_str().expect("a path").to_owned();
    let (project_path, outside_path, hidden_path) = (path(&project), path(outside), path(hidden));
    let ended = AtomicBool::new(false);
    let said: Vec<String> = std::thread::scope(|scope| {
        let racing = scope.spawn(|| race(&project, outside, &ended));
        let attackers: Vec<_> = CONTAINERS
            .iter()
            .zip(["1", "2"])
            .map(|(container, seed)| {
                let words = [
                    "python3",
                    "/tools/attack.py",
                    bed.tree,
                    &project_path,
                    &outside_path,
                    &hidden_path,
                    &each,
                    seed,
                ];
                let mut command = bed.exec(container, &words);
                scope.spawn(move || run(&mut command))
            })
            .collect();
        let said = attackers
            .into_iter()
            .map(|attacker| attacker.join().expect("it ends"))
            .collect();
        ended.store(true, Ordering::Relaxed);
        let swaps = racing.join().expect("it ends");
        say(&format!(
            "{attempts} attempts, while the host swapped a folder and a link {swaps} times"
        ));
        said
    });
    for said in said {
        assert_eq!(said, format!("tried {each}\n"), "nothing is reached");
    }
    assert_eq!(everything(outside), before, "nothing outside has changed");
    let secret = fs_err::read_to_string(hidden.join("secret")).expect("it is still there");
    assert_eq!(secret, SECRET);
    assert!(!hidden.join("planted").exists());
}

/// The host's half: a folder is a link and a folder again, as often as it can be.
fn race(project: &Path, outside: &Path, ended: &AtomicBool) -> u32 {
    let (swapped, folder, link) = (
        project.join("host-swap"),
        project.join("a-folder"),
        project.join("a-link"),
    );
    let mut swaps = 0;
    while !ended.load(Ordering::Relaxed) {
        // The container moves and removes these as well.
        let _ = fs_err::create_dir(&folder);
        let _ = fs_err::write(folder.join("secret"), "inside");
        let _ = symlink(outside, &link);
        for (from, back) in [(&folder, &folder), (&link, &link)] {
            if fs_err::rename(from, &swapped).is_ok() {
                swaps += 1;
                std::thread::yield_now();
                let _ = fs_err::rename(&swapped, back);
            }
        }
    }
    swaps
}

/// Names, kinds, modes, owners, times of change and content.
fn everything(folder: &Path) -> String {
    let script = "find . -printf '%p %y %m %U %G %C@ %s\\n' | sort; find . -type f | sort | xargs cat";
    run(Command::new("sh").args(["-c", script]).current_dir(folder))
}
