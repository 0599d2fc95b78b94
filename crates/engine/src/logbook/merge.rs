//! The lines of several containers in the order of their times.

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt as _};

use super::LogOpen;
use crate::logs::{Line, Lines, LogSpan};
use crate::{Engine, Error};

/// One that has been silent for this long has told all that it had: the others need not wait for it.
const SILENT: Duration = Duration::from_millis(150);

/// How much of one container waits for those of others, at most, in bytes.
const WAITING: usize = 2 << 20;

impl Engine {
    /// The lines of all of them in the order of their times.
    pub(super) async fn merged(
        &self,
        open: &LogOpen,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<Lines, Error>>, Error> {
        let span = LogSpan {
            tail: open.tail,
            since: open.since,
            until: open.until,
            follow,
        };
        let mut streams = Vec::new();
        for id in &open.ids {
            let logs = self.logs_of(id, &span).await?;
            streams.push(
                futures::stream::unfold(logs, |mut logs| async move { Some((logs.next().await?, logs)) }).boxed(),
            );
        }
        Ok(match streams.len() {
            1 => streams.remove(0),
            _ => in_order(streams).boxed(),
        })
    }
}

fn in_order(
    streams: Vec<BoxStream<'static, Result<Lines, Error>>>,
) -> impl Stream<Item = Result<Lines, Error>> + Send + 'static {
    let merge = Merge {
        queues: streams.iter().map(|_| Queue::default()).collect(),
        streams: (0_u16..)
            .zip(streams)
            .map(|(of, lines)| {
                let ended = futures::stream::once(std::future::ready((of, None)));
                lines.map(move |lines| (of, Some(lines))).chain(ended).boxed()
            })
            .collect(),
        broken: None,
    };
    futures::stream::unfold(merge, |mut merge| async move { Some((merge.next().await?, merge)) })
}

type Tagged = (u16, Option<Result<Lines, Error>>);

struct Merge {
    streams: SelectAll<BoxStream<'static, Tagged>>,
    queues: Vec<Queue>,
    /// Told after everything that came before it.
    broken: Option<Error>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Lines>,
    /// The next line, in the first batch.
    at: usize,
    waiting: usize,
    ended: bool,
}

impl Queue {
    fn push(&mut self, lines: Lines) {
        if !lines.lines.is_empty() {
            self.waiting += lines.text.len();
            self.batches.push_back(lines);
        }
    }

    fn first(&self) -> Option<Line> {
        self.batches.front()?.lines.get(self.at).copied()
    }

    fn move_first(&mut self, of: u16, to: &mut Lines) {
        let Some(batch) = self.batches.front() else { return };
        if let Some(line) = batch.lines.get(self.at) {
            to.push(Line { of, ..*line }, batch.text(self.at));
        }
        self.at += 1;
        if self.at >= batch.lines.len() {
            self.waiting -= batch.text.len();
            self.at = 0;
            self.batches.pop_front();
        }
    }
}

impl Merge {
    async fn next(&mut self) -> Option<Result<Lines, Error>> {
        loop {
            let waits = self.queues.iter().any(|queue| !queue.batches.is_empty());
            let came = if waits {
                tokio::time::timeout(SILENT, self.streams.next()).await
            } else {
                Ok(self.streams.next().await)
            };
            let silent = match came {
                Ok(Some((of, Some(Ok(lines))))) => {
                    self.queues[usize::from(of)].push(lines);
                    false
                }
                Ok(Some((of, Some(Err(error))))) => {
                    self.queues[usize::from(of)].ended = true;
                    self.broken = Some(error);
                    false
                }
                Ok(Some((of, None))) => {
                    self.queues[usize::from(of)].ended = true;
                    false
                }
                Ok(None) | Err(_) => true,
            };
            let lines = self.ready(silent);
            if !lines.lines.is_empty() {
                return Some(Ok(lines));
            }
            if self.queues.iter().all(|queue| queue.ended && queue.batches.is_empty()) {
                return self.broken.take().map(Err);
            }
        }
    }

    /// What no earlier line can come before: of a queue that is empty nobody knows what comes next, unless it is silent.
    fn ready(&mut self, silent: bool) -> Lines {
        let mut ready = Lines::default();
        loop {
            let full = self.queues.iter().any(|queue| queue.waiting > WAITING);
            let unknown = self.queues.iter().any(|queue| queue.batches.is_empty() && !queue.ended);
            if unknown && !silent && !full {
                return ready;
            }
            let first = (0_u16..)
                .zip(&self.queues)
                .filter_map(|(of, queue)| Some((queue.first()?.millis, of)))
                .min();
            let Some((_, of)) = first else { return ready };
            self.queues[usize::from(of)].move_first(of, &mut ready);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogSource;

    fn batch(lines: &[(i64, &str)]) -> Lines {
        let mut batch = Lines::default();
        for (millis, text) in lines {
            let line = Line {
                of: 0,
                source: LogSource::Stdout,
                millis: Some(*millis),
                begin: 0,
            };
            batch.push(line, text);
        }
        batch
    }

    #[tokio::test]
    async fn lines_of_several_come_by_time_and_a_break_is_told_at_the_end() {
        let web = vec![Ok(batch(&[(1, "a"), (4, "d")])), Ok(batch(&[(5, "e")]))];
        let db = vec![
            Ok(batch(&[(2, "b")])),
            Ok(batch(&[(3, "c"), (6, "f")])),
            Err(Error::AtRest),
        ];
        let streams = vec![futures::stream::iter(web).boxed(), futures::stream::iter(db).boxed()];
        let all: Vec<_> = in_order(streams).collect().await;
        let mut found = Vec::new();
        for lines in all.iter().flatten() {
            found.extend((0..lines.lines.len()).map(|at| (lines.lines[at].of, lines.text(at))));
        }
        assert_eq!(found, [(0, "a"), (1, "b"), (1, "c"), (0, "d"), (0, "e"), (1, "f")]);
        assert!(matches!(all.last(), Some(Err(Error::AtRest))));
    }
}
