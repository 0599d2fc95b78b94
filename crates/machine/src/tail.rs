//! Lines of a file that grows and is now and then started anew.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// How often a followed file is looked at. Only while somebody follows it.
const LOOK: Duration = Duration::from_millis(200);

/// More than this of the end of a file is never read for its last lines.
const LONGEST_TAIL: u64 = 64 << 10;

/// The last lines of the file, oldest first; none when it cannot be read.
pub(crate) fn last_lines(path: &Path, count: usize) -> Vec<String> {
    read_end(path).map_or_else(
        |_| Vec::new(),
        |end| {
            let text = String::from_utf8_lossy(&end);
            let lines: Vec<String> = text.lines().map(clean).filter(|line| !line.is_empty()).collect();
            lines[lines.len().saturating_sub(count)..].to_vec()
        },
    )
}

fn read_end(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek};
    let mut file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_TAIL)))?;
    let mut end = Vec::new();
    file.take(LONGEST_TAIL).read_to_end(&mut end)?;
    Ok(end)
}

/// Serial consoles end lines with a carriage return too, and firmware sends escape sequences.
fn clean(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                // A control sequence ends with a letter.
                let _ = characters.by_ref().find(char::is_ascii_alphabetic);
            }
            '\t' => clean.push(character),
            _ if character.is_control() => {}
            _ => clean.push(character),
        }
    }
    clean.trim_end().to_owned()
}

/// All lines of the file, and with `follow` those that are added later, each behind the prefix.
pub(crate) fn lines(path: PathBuf, prefix: &'static str, follow: bool) -> impl Stream<Item = String> + Send + 'static {
    let state = Follow {
        path,
        prefix,
        wait: follow,
        file: None,
        position: 0,
        pending: Vec::new(),
        ready: Vec::new().into_iter(),
    };
    futures::stream::unfold(state, |mut state| async move {
        let line = state.next().await?;
        Some((line, state))
    })
}

struct Follow {
    path: PathBuf,
    prefix: &'static str,
    /// Whether to wait for more at the end.
    wait: bool,
    file: Option<tokio::fs::File>,
    position: u64,
    /// A line whose end is not there yet.
    pending: Vec<u8>,
    ready: std::vec::IntoIter<String>,
}

impl Follow {
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.ready.next() {
                return Some(line);
            }
            let read = self.read().await.unwrap_or(0);
            if read > 0 {
                continue;
            }
            if !self.wait {
                let rest = std::mem::take(&mut self.pending);
                return (!rest.is_empty()).then(|| self.dress(&rest));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn dress(&self, line: &[u8]) -> String {
        format!("{}{}", self.prefix, clean(&String::from_utf8_lossy(line)))
    }

    /// Takes in what the file has more than before. One that became shorter, or is another one now, starts anew.
    async fn read(&mut self) -> io::Result<usize> {
        let length = tokio::fs::metadata(&self.path).await?.len();
        if length < self.position {
            self.file = None;
            self.position = 0;
        }
        if length == self.position {
            return Ok(0);
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tokio::fs::File::open(&self.path).await?),
        };
        file.seek(SeekFrom::Start(self.position)).await?;
        let mut bytes = vec![0; 64 << 10];
        let read = file.read(&mut bytes).await?;
        self.position += read as u64;
        self.pending.extend_from_slice(&bytes[..read]);
        let mut ready = Vec::new();
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            ready.push(self.dress(&line));
        }
        self.ready = ready.into_iter();
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_followed_file_may_grow_and_be_started_anew() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log");
        fs_err::write(&path, "one\r\ntwo\n")?;
        let mut lines = Box::pin(lines(path.clone(), "a | ", true));
        assert_eq!(lines.next().await.as_deref(), Some("a | one"));
        assert_eq!(lines.next().await.as_deref(), Some("a | two"));
        fs_err::write(&path, "new\n")?;
        assert_eq!(lines.next().await.as_deref(), Some("a | new"));
        Ok(())
    }

    #[tokio::test]
    async fn what_is_there_is_read_to_its_last_unfinished_line() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log");
        fs_err::write(&path, "\u{1b}[2Jone\ntwo")?;
        let all: Vec<String> = lines(path.clone(), "", false).collect().await;
        assert_eq!(all, ["one", "two"]);
        assert_eq!(last_lines(&path, 1), ["two"]);
        let none: Vec<String> = lines(folder.path().join("absent"), "", false).collect().await;
        assert!(none.is_empty());
        Ok(())
    }
}
