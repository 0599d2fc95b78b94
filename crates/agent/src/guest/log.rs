//! What the agent and the engine say: kept in memory for the link, and the important part on the console.

use std::{
    collections::VecDeque,
    fs::File,
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast;

use super::clock;

/// How many lines are kept.
const LINES: usize = 2000;

/// A longer line is cut: the engine prints whole stack traces and configurations into one.
const LONGEST: usize = 4096;

/// How far a slow follower may fall behind before it loses lines.
const FOLLOW: usize = 512;

/// Locked to append or copy lines only. Global because a panic anywhere must reach the console.
static LOG: Mutex<Log> = Mutex::new(Log {
    lines: VecDeque::new(),
    console: None,
    followers: None,
});

struct Log {
    lines: VecDeque<String>,
    console: Option<File>,
    followers: Option<broadcast::Sender<String>>,
}

/// A line of the agent's own, for the log and the console.
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::guest::log::append("wherry-agent", &format!($($argument)*), true)
    };
}
pub(super) use say;

fn log() -> MutexGuard<'static, Log> {
    // A line is appended or it is not.
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn open_console() {
    let console = File::options().write(true).open("/dev/console").ok();
    log().console = console;
}

/// Appends what `who` said; `important` lines go to the console too.
pub(super) fn append(who: &str, text: &str, important: bool) {
    let mut log = log();
    for part in text.lines() {
        let uptime = clock::uptime_millis();
        let (seconds, millis) = (uptime / 1000, uptime % 1000);
        let mut line = format!("[{seconds:5}.{millis:03}] {who}: {part}");
        if line.len() > LONGEST {
            line.truncate(line.floor_char_boundary(LONGEST));
            line.push('…');
        }
        if important && let Some(console) = &mut log.console {
            // A serial console: it turns no newline into a line of its own.
            let _ = console.write_all(format!("{line}\r\n").as_bytes());
        }
        if let Some(followers) = &log.followers {
            let _ = followers.send(line.clone());
        }
        if log.lines.len() == LINES {
            log.lines.pop_front();
        }
        log.lines.push_back(line);
    }
}

/// All lines so far, and those to come.
pub(super) fn follow() -> (Vec<String>, broadcast::Receiver<String>) {
    let mut log = log();
    let followers = log
        .followers
        .get_or_insert_with(|| broadcast::Sender::new(FOLLOW))
        .subscribe();
    (log.lines.iter().cloned().collect(), followers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_in_order_and_bounded_and_followers_miss_none() {
        append("test", "before", false);
        let (lines, mut followers) = follow();
        assert!(lines.last().is_some_and(|line| line.ends_with("test: before")));
        append("test", "one\ntwo", false);
        assert!(followers.try_recv().is_ok_and(|line| line.ends_with("test: one")));
        assert!(followers.try_recv().is_ok_and(|line| line.ends_with("test: two")));
        for number in 0..2 * LINES {
            append("test", &number.to_string(), false);
        }
        append("test", &"ä".repeat(LONGEST), false);
        let (lines, _) = follow();
        assert_eq!(lines.len(), LINES);
        assert!(lines.iter().all(|line| line.len() < LONGEST + 8));
    }
}
