//! The agent as dockerd's userland proxy: the real process, with an agent's socket that the test answers.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use wherry_link::{GuestRequest, Protocol, Publication, Reply};

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Proxy {
    process: Child,
    agent: BufReader<UnixStream>,
    status: PathBuf,
    _folder: tempfile::TempDir,
}

/// Starts it as dockerd does, with descriptor 3 leading to a pipe.
fn start() -> Result<Proxy, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("agent.sock");
    let status = folder.path().join("status");
    let listener = UnixListener::bind(&socket)?;
    let process = Command::new("sh")
        .args([
            "-c",
            r#"exec "$0" "$@" 3>"$STATUS""#,
            env!("CARGO_BIN_EXE_wherry-agent"),
        ])
        .args(["-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", "8080"])
        .args(["-container-ip", "172.17.0.2", "-container-port", "80"])
        .env("STATUS", &status)
        .env("WHERRY_AGENT_SOCKET", &socket)
        .spawn()?;
    let (agent, _) = listener.accept()?;
    Ok(Proxy {
        process,
        agent: BufReader::new(agent),
        status,
        _folder: folder,
    })
}

impl Proxy {
    fn asked(&mut self) -> Result<GuestRequest, Box<dyn std::error::Error>> {
        let mut line = String::new();
        self.agent.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    fn answer(&mut self, reply: &Reply<()>) -> Outcome {
        writeln!(self.agent.get_mut(), "{}", serde_json::to_string(reply)?)?;
        Ok(())
    }

    fn status(&self) -> Result<String, Box<dyn std::error::Error>> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let status = fs_err::read_to_string(&self.status)?;
            if !status.is_empty() || Instant::now() > deadline {
                return Ok(status);
            }
            std::thread::yield_now();
        }
    }

    /// What the agent takes for the release, and how the process ended.
    fn ends(mut self) -> Result<ExitStatus, Box<dyn std::error::Error>> {
        assert_eq!(self.agent.read(&mut [0])?, 0, "it says something more");
        Ok(self.process.wait()?)
    }
}

#[test]
fn it_publishes_reports_and_releases_by_ending() -> Outcome {
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        let mut proxy = start()?;
        let publication = Publication {
            protocol: Protocol::Tcp,
            host_address: "0.0.0.0".parse()?,
            host_port: 8080,
            container: "172.17.0.2:80".parse()?,
            owner: None,
        };
        assert_eq!(
            proxy.asked()?,
            GuestRequest::Publish {
                publication,
                must: true
            }
        );
        proxy.answer(&Reply::Ok { value: () })?;
        assert_eq!(proxy.status()?, "0\n");
        assert!(proxy.process.try_wait()?.is_none());
        kill_process(Pid::from_child(&proxy.process), signal)?;
        assert_eq!(proxy.ends()?.success(), signal != Signal::KILL);
    }
    Ok(())
}

#[test]
fn a_refusal_is_the_sentence_dockerd_shows() -> Outcome {
    let mut proxy = start()?;
    proxy.asked()?;
    proxy.answer(&Reply::Refused {
        message: "Port 8080 is taken by nginx (pid 77)".into(),
    })?;
    assert_eq!(proxy.status()?, "1\nPort 8080 is taken by nginx (pid 77)");
    assert!(!proxy.ends()?.success());
    Ok(())
}

#[test]
fn an_agent_that_goes_away_ends_it() -> Outcome {
    let mut proxy = start()?;
    proxy.asked()?;
    proxy.answer(&Reply::Ok { value: () })?;
    assert_eq!(proxy.status()?, "0\n");
    let Proxy { mut process, agent, .. } = proxy;
    drop(agent);
    assert!(!process.wait()?.success());
    Ok(())
}
