//! The daemon's log: one file, and the one before it once it has grown.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use wherry_machine::Home;

/// Some ten thousand lines; with the file before it, weeks of a machine's life.
const LONGEST: u64 = 2 << 20;

/// Which messages are kept, in the words of `tracing`'s filters.
const FILTER_VARIABLE: &str = "WHERRY_LOG";

/// From here on everything that is traced goes to the home's log.
pub(crate) fn begin(home: &Home) -> io::Result<()> {
    fs_err::create_dir_all(home.logs())?;
    let log = Log::open(home.daemon_log(), LONGEST)?;
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(log))
        .init();
    Ok(())
}

struct Log {
    path: PathBuf,
    file: fs_err::File,
    length: u64,
    longest: u64,
}

impl Log {
    fn open(path: PathBuf, longest: u64) -> io::Result<Self> {
        let file = fs_err::OpenOptions::new().create(true).append(true).open(&path)?;
        let length = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            length,
            longest,
        })
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.length > self.longest {
            fs_err::rename(&self.path, self.path.with_extension("log.1"))?;
            *self = Self::open(self.path.clone(), self.longest)?;
        }
        let written = self.file.write(line)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_has_grown_is_put_aside() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("daemon.log");
        let mut log = Log::open(path.clone(), 10)?;
        for line in ["first line\n", "second line\n"] {
            log.write_all(line.as_bytes())?;
        }
        assert_eq!(fs_err::read_to_string(&path)?, "second line\n");
        assert_eq!(fs_err::read_to_string(path.with_extension("log.1"))?, "first line\n");
        Ok(())
    }
}
