//! A container's log, as lines in batches.
//!
//! Nothing is read ahead of the reader: one that is slow stops us, and through us the engine.

mod decode;
mod stamp;

use futures::Stream;

use crate::error::Subject;
use crate::transport::{Call, Straight};
use crate::{Engine, Error, LogChunk, LogLine, LogSource, name};
use decode::Decoder;

/// Which lines: times are milliseconds of Unix time.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogSpan {
    /// The last so many; `None`: all.
    pub(crate) tail: Option<u32>,
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
    /// And those to come until the container stops.
    pub(crate) follow: bool,
}

/// Lines in a row, their text in one piece.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Each line is followed by a line feed, and none is in it.
    pub(crate) text: String,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Of which container, where there are several.
    pub(crate) of: u16,
    pub(crate) source: LogSource,
    pub(crate) millis: Option<i64>,
    /// Where it begins in the text.
    pub(crate) begin: usize,
}

impl Lines {
    pub(crate) fn text(&self, at: usize) -> &str {
        let end = self.lines.get(at + 1).map_or(self.text.len(), |next| next.begin);
        &self.text[self.lines[at].begin..end - 1]
    }

    /// Adds one of another's.
    pub(crate) fn push(&mut self, line: Line, text: &str) {
        self.lines.push(Line {
            begin: self.text.len(),
            ..line
        });
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn chunk(&self) -> LogChunk {
        let lines = self.lines.iter().enumerate().map(|(at, line)| LogLine {
            source: line.source,
            millis: line.millis,
            text: self.text(at).to_owned(),
        });
        LogChunk { lines: lines.collect() }
    }
}

impl Engine {
    /// The last `tail` lines, and with `follow` those to come until the container stops. An `Err` is the last item.
    pub async fn logs(
        &self,
        container: &str,
        tail: u32,
        follow: bool,
    ) -> Result<impl Stream<Item = Result<LogChunk, Error>> + Send + use<>, Error> {
        let span = LogSpan {
            tail: Some(tail),
            follow,
            ..LogSpan::default()
        };
        let logs = self.logs_of(container, &span).await?;
        Ok(futures::stream::unfold(logs, |mut logs| async move {
            let lines = logs.next().await?;
            Some((lines.map(|lines| lines.chunk()), logs))
        }))
    }

    /// The lines of a span of time.
    pub(crate) async fn logs_of(&self, container: &str, span: &LogSpan) -> Result<Logs, Error> {
        let terminal = self.inspect_container(container).await?.config.tty;
        let path = format!("/containers/{}/logs", name::container(container)?);
        let tail = span.tail.map_or("all".to_owned(), |tail| tail.to_string());
        let mut call = Call::get(path, Subject::Container(container), "open the log")
            .query("stdout", "1")
            .query("stderr", "1")
            .query("timestamps", "1")
            .query("tail", &tail)
            .query("follow", if span.follow { "1" } else { "0" });
        for (name, at) in [("since", span.since), ("until", span.until)] {
            if let Some(at) = at {
                call = call.query(name, &format!("{}.{:03}", at.div_euclid(1000), at.rem_euclid(1000)));
            }
        }
        Ok(Logs {
            body: Some(self.client().await?.straight(call).await?),
            decoder: Decoder::new(terminal),
            bytes: Vec::new(),
            error: None,
        })
    }
}

pub(crate) struct Logs {
    /// `None` after its end.
    body: Option<Straight>,
    decoder: Decoder,
    /// What was read last. Kept, so that not every read needs memory anew.
    bytes: Vec<u8>,
    error: Option<Error>,
}

impl Logs {
    /// The lines that have come. Nothing is lost when it is given up while it waits.
    pub(crate) async fn next(&mut self) -> Option<Result<Lines, Error>> {
        let mut lines = Lines::default();
        while let Some(body) = &mut self.body {
            self.bytes.clear();
            match body.read(&mut self.bytes).await {
                Ok(true) => self.decoder.push(&self.bytes, &mut lines),
                Ok(false) => self.end(&mut lines),
                Err(error) => {
                    self.error = Some(error);
                    self.end(&mut lines);
                }
            }
            if !lines.lines.is_empty() {
                return Some(Ok(lines));
            }
        }
        self.error.take().map(Err)
    }

    fn end(&mut self, lines: &mut Lines) {
        self.body = None;
        self.decoder.end(lines);
    }
}
