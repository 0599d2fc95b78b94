//! The processors that Linux left for later: an emulated one takes some tenths of a second to come up, and what the engine
//! needs is made ready beside it.

use std::{io, path::Path};

use super::log::say;

/// Linux lists them here, each with a file that says whether it runs; the first one has none.
const PROCESSORS: &str = "/sys/devices/system/cpu";

/// Returns when all run. One that does not come up is missed, and nothing else.
pub(super) fn bring_up() {
    if let Err(error) = bring_up_all(Path::new(PROCESSORS)) {
        say!("processors: {error}");
    }
}

fn bring_up_all(processors: &Path) -> io::Result<()> {
    for processor in fs_err::read_dir(processors)? {
        let runs = processor?.path().join("online");
        let left = fs_err::read_to_string(&runs).is_ok_and(|runs| runs.trim() == "0");
        if left && let Err(error) = fs_err::write(&runs, "1") {
            say!("processors: {error}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_wait_are_brought_up() -> io::Result<()> {
        let processors = tempfile::tempdir()?;
        for (name, runs) in [("cpu0", None), ("cpu1", Some("0\n")), ("cpu2", Some("1\n"))] {
            let processor = processors.path().join(name);
            fs_err::create_dir(&processor)?;
            if let Some(runs) = runs {
                fs_err::write(processor.join("online"), runs)?;
            }
        }
        // A file of the same name beside them lists those that run.
        fs_err::write(processors.path().join("online"), "0\n")?;
        bring_up_all(processors.path())?;
        assert_eq!(fs_err::read_to_string(processors.path().join("cpu1/online"))?, "1");
        assert_eq!(fs_err::read_to_string(processors.path().join("cpu2/online"))?, "1\n");
        assert_eq!(fs_err::read_to_string(processors.path().join("online"))?, "0\n");
        assert!(!processors.path().join("cpu0/online").exists());
        Ok(())
    }
}
