//! The processes the agent starts, and the ones that process 1 inherits.
//!
//! There is one place that takes exit codes. tokio's and the standard library's children would wait for their
//! own, and process 1, which waits for any, would take theirs away.

use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::{io::AsyncReadExt, net::unix::pipe, sync::oneshot};

use super::mount::{ENGINE_GROUP, join_group};

/// The kernel gives its first program none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Default)]
pub(super) struct Children {
    /// Locked while a process is started, so that none can end before it is entered here; and to take one out.
    waiting: Mutex<HashMap<Pid, oneshot::Sender<WaitStatus>>>,
}

pub(super) struct Child {
    pub(super) pid: Pid,
    ended: oneshot::Receiver<WaitStatus>,
}

/// What a program that was run to its end said and how it ended.
pub(super) struct Output {
    pub(super) code: Option<i32>,
    pub(super) text: String,
}

impl Children {
    /// Starts a program whose output, both kinds in one, comes from the pipe.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<(Child, pipe::Receiver)> {
        let (reader, writer) = io::pipe()?;
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", "/root")
            .env("TMPDIR", "/tmp")
            .current_dir("/");
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut waiting = self.waiting();
        let started = command.spawn()?;
        let pid = Pid::from_child(&started);
        let (tell, ended) = oneshot::channel();
        waiting.insert(pid, tell);
        drop(waiting);
        // The command holds the pipe's other end, and the output would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok((
            Child { pid, ended },
            pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?,
        ))
    }

    /// Runs a program to its end.
    pub(super) async fn run(&self, command: &mut Command) -> io::Result<Output> {
        let (mut child, mut output) = self.start(command)?;
        let mut text = Vec::new();
        output.read_to_end(&mut text).await?;
        let code = child.ended().await.and_then(WaitStatus::exit_status);
        Ok(Output {
            code,
            text: String::from_utf8_lossy(&text).trim().to_owned(),
        })
    }

    /// Takes every exit code there is.
    pub(super) fn reap(&self) {
        let mut waiting = self.waiting();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(tell) = waiting.remove(&pid) {
                let _ = tell.send(status);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Pid, oneshot::Sender<WaitStatus>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Child {
    /// Waits until it ended. Cancelling the wait loses nothing. None when nobody knows how it ended.
    pub(super) async fn ended(&mut self) -> Option<WaitStatus> {
        (&mut self.ended).await.ok()
    }

    pub(super) fn signal(&self, signal: Signal) {
        // It may have ended meanwhile.
        let _ = kill_process(self.pid, signal);
    }

    /// Moves it, and what it will start, to the engine's control group, and makes the kernel prefer containers
    /// when memory runs out.
    pub(super) fn is_engine(&self) {
        join_group(ENGINE_GROUP, self.pid);
        let _ = fs_err::write(format!("/proc/{}/oom_score_adj", self.pid), "-500");
    }
}

/// How a process ended, for people.
pub(super) fn ending(status: Option<WaitStatus>) -> String {
    let Some(status) = status else { return "ended".into() };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    /// Reaping takes every exit code there is, those of other tests too: one test with processes at a time.
    pub(in super::super) static PROCESSES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    #[tokio::test]
    async fn exit_codes_reach_whoever_started_the_process() -> io::Result<()> {
        let _alone = PROCESSES.lock().await;
        let children = Arc::new(Children::default());
        let reaper = Arc::clone(&children);
        tokio::spawn(async move {
            loop {
                reaper.reap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let mut all = Vec::new();
        for code in 0..30 {
            let children = Arc::clone(&children);
            all.push(tokio::spawn(async move {
                let script = format!("echo out; echo err >&2; (sleep 0.01 &); exit {code}");
                let output = children.run(Command::new("sh").args(["-c", &script])).await?;
                Ok::<_, io::Error>((code, output))
            }));
        }
        for one in all {
            let (code, output) = one.await??;
            assert_eq!(output.code, Some(code));
            assert_eq!(output.text, "out\nerr");
        }
        assert!(children.run(&mut Command::new("/no/such/program")).await.is_err());

        let (mut child, _output) = children.start(Command::new("sleep").arg("100"))?;
        child.signal(Signal::KILL);
        assert_eq!(ending(child.ended().await), "was ended by signal 9");
        Ok(())
    }
}
