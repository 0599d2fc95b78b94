//! Runs in the guest, compiled by the bench by itself: uses folders as programs do, and hears of changes in them. One
//! file without dependencies, because the guest has nothing but this program.
//!
//! `load RUNS FOLDER FOLDER` does everything in both folders in turn, and prints a line `load WHAT FOLDER SECONDS` for each.
//! `watch FOLDER…` prints `watching`, a line for each event that inotify tells, and what it is given to read.

use std::ffi::{CString, c_char, c_int};
use std::fs::{self, File};
use std::io::{BufRead, Read, Write};
use std::os::fd::FromRawFd;
use std::path::Path;
use std::time::Instant;

/// Of files that are made, looked at and removed, over folders as a project has them.
const FILES: usize = 10_000;
const FOLDERS: usize = 100;
/// Of names that are looked up and are not there.
const MISSING: usize = 100_000;
const PIECE: usize = 1 << 20;

unsafe extern "C" {
    fn inotify_init() -> c_int;
    fn inotify_add_watch(watch: c_int, path: *const c_char, mask: u32) -> c_int;
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        [what, runs, one, other] if what == "load" => load(runs.parse().expect("a number"), one, other),
        [what, folders @ ..] if what == "watch" => watch(folders),
        other => panic!("{other:?} is not known"),
    }
}

fn load(runs: usize, one: &str, other: &str) {
    let steps: [(&str, fn(&Path)); 5] =
        [("read", read), ("create", create), ("stat", stat), ("missing", missing), ("delete", delete)];
    for run in 0..runs {
        for (what, step) in steps {
            let turns = if run % 2 == 0 { [one, other] } else { [other, one] };
            for folder in turns {
                // Nothing is known of what the step begins with, in the guest; the host's memory has it.
                fs::write("/proc/sys/vm/drop_caches", "3").expect("root");
                let begun = Instant::now();
                step(Path::new(folder));
                println!("load {what} {folder} {}", begun.elapsed().as_secs_f64());
            }
        }
    }
    println!("load done");
}

fn read(folder: &Path) {
    let mut file = File::open(folder.join("big")).expect("a file");
    let mut piece = vec![0; PIECE];
    while file.read(&mut piece).expect("readable") > 0 {}
}

fn create(folder: &Path) {
    for nth in 0..FOLDERS {
        fs::create_dir(folder.join(format!("folder{nth}"))).expect("made");
    }
    each(folder, |path| drop(File::create(path).expect("made")));
}

fn stat(folder: &Path) {
    each(folder, |path| assert_eq!(fs::symlink_metadata(path).expect("there").len(), 0));
}

fn missing(folder: &Path) {
    for nth in 0..MISSING {
        assert!(fs::symlink_metadata(folder.join(format!("missing{nth}"))).is_err(), "it is not there");
    }
}

fn delete(folder: &Path) {
    each(folder, |path| fs::remove_file(path).expect("removed"));
    for nth in 0..FOLDERS {
        fs::remove_dir(folder.join(format!("folder{nth}"))).expect("removed");
    }
}

fn each(folder: &Path, does: impl Fn(&Path)) {
    for nth in 0..FILES {
        does(&folder.join(format!("folder{}/file{nth}", nth % FOLDERS)));
    }
}

/// inotify(7): the kinds of events with what they are called here.
const EVENTS: [(u32, &str); 5] =
    [(0x2, "modify"), (0x40, "from"), (0x80, "to"), (0x100, "create"), (0x200, "delete")];

fn watch(folders: &[String]) {
    let mask = EVENTS.iter().fold(0, |mask, (bit, _)| mask | bit);
    // SAFETY: the paths end with a zero, and the descriptor is nobody else's.
    let mut events = unsafe {
        let watch = inotify_init();
        for folder in folders {
            let path = CString::new(folder.as_str()).expect("a path");
            assert!(inotify_add_watch(watch, path.as_ptr(), mask) >= 0, "{folder} cannot be watched");
        }
        File::from_raw_fd(watch)
    };
    println!("watching");
    std::thread::spawn(|| {
        for line in std::io::stdin().lock().lines() {
            println!("{}", line.expect("text"));
        }
        std::process::exit(0);
    });
    let mut buffer = [0; 4096];
    loop {
        let length = events.read(&mut buffer).expect("events");
        let mut rest = &buffer[..length];
        let mut said = String::new();
        // `struct inotify_event`: watch, mask, cookie, length of the name, the name.
        while let Some((head, after)) = rest.split_first_chunk::<16>() {
            let number = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes"));
            let (name, next) = after.split_at(number(12) as usize);
            let name = String::from_utf8_lossy(name);
            for (bit, word) in EVENTS {
                if number(4) & bit != 0 {
                    said += &format!("{word} {}\n", name.trim_end_matches('\0'));
                }
            }
            rest = next;
        }
        let mut output = std::io::stdout().lock();
        output.write_all(said.as_bytes()).and_then(|()| output.flush()).expect("somebody listens");
    }
}
