//! Which accelerators did not work here. An accelerator is tried, not looked up; one that failed is not tried again
//! until something changed that could make it work.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::{Home, file, system};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failures {
    /// What these failures hold for: this start of this computer, this QEMU, this kernel.
    fingerprint: String,
    /// By accelerator, why.
    failed: BTreeMap<String, String>,
}

impl Failures {
    /// What is remembered for what the machine is made of now.
    pub(crate) fn load(home: &Home, backend: &str) -> Self {
        let fingerprint = format!("{} {backend}", system::boot_id());
        fs_err::read(home.accelerators())
            .ok()
            .and_then(|text| serde_json::from_slice::<Self>(&text).ok())
            .filter(|known| known.fingerprint == fingerprint)
            .unwrap_or(Self {
                fingerprint,
                failed: BTreeMap::new(),
            })
    }

    pub(crate) fn why(&self, accelerator: &str) -> Option<&str> {
        self.failed.get(accelerator).map(String::as_str)
    }

    pub(crate) fn remember(&mut self, home: &Home, accelerator: &str, why: String) -> io::Result<()> {
        self.failed.insert(accelerator.to_owned(), why);
        file::write_whole(&home.accelerators(), &serde_json::to_vec_pretty(self)?)
    }
}

/// What the person is told, for as long as it is so.
pub(crate) fn fallback_note(accelerator: &str, why: &str) -> String {
    format!(
        "Hardware virtualization ({accelerator}) is there but did not run the machine: {why}. It runs by software \
         emulation instead, which is slower. The hardware is tried again after this computer or QEMU changed."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_until_something_changes() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path());
        home.create()?;
        let mut failures = Failures::load(&home, "qemu 10");
        assert_eq!(failures.why("kvm"), None);
        failures.remember(&home, "kvm", "it was silent".into())?;
        assert_eq!(Failures::load(&home, "qemu 10").why("kvm"), Some("it was silent"));
        assert_eq!(Failures::load(&home, "qemu 11").why("kvm"), None);
        Ok(())
    }
}
