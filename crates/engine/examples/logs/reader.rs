//! The reader's side: what the app does with such a log.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use serde_json::json;
use tokio::sync::mpsc;
use wherry_engine::{Address, Engine, LogNews, LogOpen, LogState, LogWish};

use crate::server::{COLOURED, RARE, ROUND};

/// Places that are jumped to.
const JUMPS: u64 = 200;

/// As many lines as a window shows.
const SHOWN: u32 = 60;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) fn run(lines: usize, length: usize, coloured: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("engine");
    let mut server = serve(&socket)?;
    let name = format!("log-{lines}-{length}-{}", if coloured { COLOURED } else { "plain" });
    let raw = straight(&socket, &name)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(look(&socket, &name, lines, length));
    drop(server.stdin.take());
    server.wait()?;
    let mut figures = figures?;
    figures["raw_seconds"] = json!(raw);
    figures["bytes"] = json!(lines * (length + 1));
    writeln!(std::io::stdout(), "{figures}")?;
    Ok(())
}

fn serve(socket: &Path) -> Result<Child> {
    let child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(socket)
        .stdin(Stdio::piped())
        .spawn()?;
    while UnixStream::connect(socket).is_err() {
        std::thread::yield_now();
    }
    Ok(child)
}

/// The same bytes, read and forgotten.
fn straight(socket: &Path, name: &str) -> Result<f64> {
    let mut stream = UnixStream::connect(socket)?;
    let begun = Instant::now();
    write!(stream, "GET /containers/{name}/logs HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut buffer = vec![0; 256 << 10];
    while stream.read(&mut buffer)? > 0 {}
    Ok(begun.elapsed().as_secs_f64())
}

struct Looking<S> {
    news: S,
    wishes: mpsc::UnboundedSender<LogWish>,
}

async fn look(socket: &Path, name: &str, lines: usize, length: usize) -> Result<serde_json::Value> {
    let engine = Engine::connect(Address::Local(socket.to_owned()));
    let (wishes, mut asked) = mpsc::unbounded_channel();
    let asked: BoxStream<'static, LogWish> = futures::stream::poll_fn(move |context| asked.poll_recv(context)).boxed();
    let open = LogOpen {
        ids: vec![name.to_owned()],
        tail: None,
        since: None,
        until: None,
    };
    let before = memory("VmRSS")?;
    let begun = Instant::now();
    let news = Box::pin(engine.log(open, asked).await?);
    let mut looking = Looking { news, wishes };
    looking.until(|state| state.ended).await?;
    let intake = begun.elapsed();
    let taken = memory("VmHWM")? - before;

    let mut jumps = Vec::new();
    for jump in 0..JUMPS {
        let from = (jump * 7_919 * 65_537) % (lines as u64 - u64::from(SHOWN));
        jumps.push(looking.jump(from).await?);
    }
    let mut searches = serde_json::Map::new();
    // Short lines have no room for words.
    let rare = if length < 60 { 0 } else { (lines / ROUND) as u64 };
    for (called, search, regex, found) in [
        ("plain", RARE, false, Some(rare)),
        ("nothing", "no such words", false, Some(0)),
        ("regex", r"refused: GET /api/v\d+/orders/\d+\?page", true, Some(rare)),
        ("class", r"[a-z]+ refused", true, Some(rare)),
        ("many", "worker-3", false, None),
    ] {
        let begun = Instant::now();
        looking.say(LogWish::Look {
            search: search.to_owned(),
            regex,
            matching_only: false,
            levels: Vec::new(),
        })?;
        let state = looking.searched().await?;
        if let Some(found) = found
            && state.matches != found
        {
            return Err(format!("{called}: {} found instead of {found}", state.matches).into());
        }
        searches.insert(called.to_owned(), json!(begun.elapsed().as_secs_f64()));
    }
    jumps.sort();
    let millis = |at: usize| jumps[at].as_secs_f64() * 1000.0;
    Ok(json!({
        "intake_seconds": intake.as_secs_f64(),
        "intake_memory": taken,
        "memory": memory("VmHWM")? - before,
        "jump_median": millis(jumps.len() / 2),
        "jump_worst": millis(jumps.len() - 1),
        "searches": searches,
    }))
}

impl<S> Looking<S>
where
    S: Stream<Item = std::result::Result<LogNews, wherry_engine::Error>> + Unpin,
{
    fn say(&self, wish: LogWish) -> Result<()> {
        Ok(self.wishes.send(wish)?)
    }

    async fn next(&mut self) -> Result<LogNews> {
        Ok(self.news.next().await.ok_or("the log has ended")??)
    }

    async fn until(&mut self, is: impl Fn(&LogState) -> bool) -> Result<LogState> {
        loop {
            if let LogNews::State { state } = self.next().await?
                && is(&state)
            {
                return Ok(state);
            }
        }
    }

    /// The state at the end of a search that has just been asked for.
    async fn searched(&mut self) -> Result<LogState> {
        self.until(|state| !state.searching).await
    }

    async fn jump(&mut self, to: u64) -> Result<Duration> {
        let begun = Instant::now();
        self.say(LogWish::Window {
            from: Some(to),
            count: SHOWN,
        })?;
        loop {
            if let LogNews::Lines { from, lines } = self.next().await?
                && from == to
            {
                assert_eq!(lines.len(), SHOWN as usize);
                return Ok(begun.elapsed());
            }
        }
    }
}

/// In MiB, of this process.
fn memory(field: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .ok_or("no such field")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}
