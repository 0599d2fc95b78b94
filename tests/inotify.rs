//! Prints what inotify tells of the paths it is given, a line for each event, until it is ended. Run in containers.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::Write;
    use std::mem::MaybeUninit;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

    const SAID: [(ReadFlags, &str); 6] = [
        (ReadFlags::CREATE, "create"),
        (ReadFlags::DELETE, "delete"),
        (ReadFlags::MODIFY, "modify"),
        (ReadFlags::CLOSE_WRITE, "close"),
        (ReadFlags::MOVED_FROM, "from"),
        (ReadFlags::MOVED_TO, "to"),
    ];
    let watch = inotify::init(CreateFlags::CLOEXEC)?;
    let wanted =
        WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE | WatchFlags::MOVE;
    for path in std::env::args().skip(1) {
        inotify::add_watch(&watch, path, wanted)?;
    }
    let mut output = std::io::stdout().lock();
    writeln!(output, "watching")?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    loop {
        let event = events.next()?;
        let name = event
            .file_name()
            .map(std::ffi::CStr::to_string_lossy)
            .unwrap_or_default();
        for (flag, word) in SAID {
            if event.events().contains(flag) {
                writeln!(output, "{word} {name}")?;
            }
        }
        output.flush()?;
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
