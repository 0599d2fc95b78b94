//! What runs in a container.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{Reply, Subject};
use crate::transport::Call;
use crate::{Engine, Error, name, wire};

/// Some thousand processes.
const LISTING: usize = 4 << 20;

/// Linux counts processor time for its users a hundred times a second, and memory in pages of 4 KiB, wherever
/// engines run as we know them.
const TICKS: u64 = 100;
const PAGE: u64 = 4096;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Processes {
    pub processes: Vec<Process>,
    /// Their numbers are those of the container, so that they can be ended one by one.
    pub killable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub pid: u32,
    pub parent: u32,
    /// A name, or a number where the container has no name for it.
    pub user: String,
    /// `R` runs, `S` sleeps, `D` waits for a disk, `Z` has ended and nobody asked.
    pub state: String,
    pub memory: u64,
    pub cpu_seconds: u64,
    pub command: String,
}

/// What each process says of itself, after a word that none of them can have foreseen.
const SCRIPT: &str = "for p in /proc/[0-9]*; do \
    s=$(cat $p/stat 2>/dev/null) || continue; \
    u=$(grep ^Uid: $p/status 2>/dev/null); \
    c=$(tr '\\0\\n' '  ' <$p/cmdline 2>/dev/null); \
    echo \"$0|${p#/proc/}|$$\"; echo \"$u\"; echo \"$c\"; echo \"$s\"; done";

impl Engine {
    pub async fn processes(&self, container: &str) -> Result<Processes, Error> {
        let word = format!("{:016x}", rand::random::<u64>());
        let output = self
            .output(container, &["sh", "-c", SCRIPT, &word], Some("0"), LISTING)
            .await;
        let mut processes = match output {
            Ok(output) => read_all(&String::from_utf8_lossy(&output.stdout), &word),
            Err(Error::Refused { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        if processes.is_empty() {
            return self.processes_outside(container).await;
        }
        let passwd = self
            .shells(container)
            .await
            .map(|shells| shells.users)
            .unwrap_or_default();
        for process in &mut processes {
            if let Some(user) = passwd.iter().find(|user| user.id.to_string() == process.user) {
                process.user.clone_from(&user.name);
            }
        }
        Ok(Processes {
            processes,
            killable: true,
        })
    }

    /// As the engine's own computer sees them: for containers without a shell.
    async fn processes_outside(&self, container: &str) -> Result<Processes, Error> {
        let path = format!("/containers/{}/top", name::container(container)?);
        let call = Call::get(path, Subject::Container(container), "list the processes")
            .query("ps_args", "-eo pid,ppid,user,stat,rss,time,args");
        let top: wire::Top = self.client().await?.value(call).await?;
        let place = |title: &str| top.titles.iter().position(|one| one.eq_ignore_ascii_case(title));
        let field = |row: &[String], title: &str| place(title).and_then(|at| row.get(at)).cloned().unwrap_or_default();
        let processes = top
            .processes
            .iter()
            .map(|row| Process {
                pid: field(row, "PID").parse().unwrap_or_default(),
                parent: field(row, "PPID").parse().unwrap_or_default(),
                user: field(row, "USER"),
                state: field(row, "STAT").chars().take(1).collect(),
                memory: field(row, "RSS").parse::<u64>().unwrap_or_default() << 10,
                cpu_seconds: seconds(&field(row, "TIME")),
                command: field(row, "COMMAND"),
            })
            .collect();
        Ok(Processes {
            processes,
            killable: false,
        })
    }

    /// Sends a signal to one process of a container, by the container's own number.
    pub async fn kill_process(&self, container: &str, pid: u32, signal: &str) -> Result<(), Error> {
        let sent = ["sh", "-c", "kill -s \"$0\" \"$1\"", signal, &pid.to_string()];
        let output = self.output(container, &sent, Some("0"), LISTING).await?;
        if output.code == Some(0) {
            return Ok(());
        }
        Err(Error::Refused {
            source: Reply {
                status: 500,
                message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            },
        })
    }
}

fn read_all(text: &str, word: &str) -> Vec<Process> {
    let mut own = Vec::new();
    let mut found: Vec<Process> = text
        .split(&format!("{word}|"))
        .skip(1)
        .filter_map(|record| {
            let mut lines = record.splitn(4, '\n');
            let (pid, asker) = lines.next()?.split_once('|')?;
            own.push(asker.parse::<u32>().ok()?);
            let user = lines.next()?.split_whitespace().nth(1).unwrap_or("0").to_owned();
            let command = lines.next()?.trim().to_owned();
            read_stat(pid.parse().ok()?, user, &command, lines.next()?)
        })
        .collect();
    // The programs that looked are not what runs there.
    found.retain(|process| !own.contains(&process.pid) && !own.contains(&process.parent));
    found.sort_by_key(|process| process.pid);
    found
}

/// `pid (name) state parent …`, where the name may contain anything: see proc(5).
fn read_stat(pid: u32, user: String, command: &str, stat: &str) -> Option<Process> {
    let begin = stat.find('(')?;
    let end = stat.rfind(')')?;
    let fields: Vec<&str> = stat.get(end + 1..)?.split_whitespace().collect();
    let number = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or_default()
    };
    Some(Process {
        pid,
        parent: u32::try_from(number(1)).unwrap_or_default(),
        user,
        state: (*fields.first()?).to_owned(),
        memory: number(21) * PAGE,
        cpu_seconds: (number(11) + number(12)) / TICKS,
        command: if command.is_empty() {
            format!("[{}]", stat.get(begin + 1..end)?)
        } else {
            command.to_owned()
        },
    })
}

/// `[days-]hours:minutes:seconds`
fn seconds(time: &str) -> u64 {
    let (days, clock) = time.split_once('-').unwrap_or(("0", time));
    let clock = clock
        .split(':')
        .fold(0, |sum, part| sum * 60 + part.parse::<u64>().unwrap_or_default());
    days.parse::<u64>().unwrap_or_default() * 86_400 + clock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_read_whatever_their_names_contain() {
        let text = "w|1|9\nUid:\t1000\t1000\t1000\t1000\nsleep 1000 \n1 (sl) ee)p) S 0 1 1 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 1 0 5000 4000000 300 18446744073709551615\n\
            w|7|9\nUid:\t0\t0\t0\t0\n\n7 (kworker) S 2 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0\n\
            w|9|9\nUid:\t0\t0\t0\t0\nsh -c\n9 (sh) S 0 9 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0\n";
        let found = read_all(text, "w");
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(
            (
                found[0].command.as_str(),
                found[0].user.as_str(),
                found[0].memory,
                found[0].cpu_seconds
            ),
            ("sleep 1000", "1000", 300 * 4096, 4)
        );
        assert_eq!(found[1].command, "[kworker]");
    }

    #[test]
    fn a_time_is_read_in_every_form() {
        assert_eq!(seconds("00:00:04"), 4);
        assert_eq!(seconds("1-02:00:00"), 93_600);
    }
}
