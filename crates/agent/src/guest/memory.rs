//! The machine's memory, as the kernel counts it.

/// Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total: u64,
    /// Nobody has it.
    pub(super) free: u64,
    /// What programs could get without anything being swapped out: free memory and caches, less a reserve.
    pub(super) available: u64,
    /// Contents of files that no program has mapped: what dropping caches gives back.
    pub(super) cached: u64,
}

impl Memory {
    pub(super) fn now() -> Self {
        Self::parse(&fs_err::read_to_string("/proc/meminfo").unwrap_or_default())
    }

    fn parse(meminfo: &str) -> Self {
        let field = |name: &str| {
            let value = meminfo
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value
                .and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024
        };
        // Files in memory (tmpfs) are counted as cached and cannot be dropped; so is what is mapped of them.
        let kept = field("Mapped").max(field("Shmem"));
        Self {
            total: field("MemTotal"),
            free: field("MemFree"),
            available: field("MemAvailable"),
            cached: (field("Cached") + field("Buffers")).saturating_sub(kept),
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.total.saturating_sub(self.available)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_memory_is_what_is_not_available() {
        let meminfo = "MemTotal:        2000 kB\nMemFree:          100 kB\nMemAvailable:    1500 kB\n";
        assert_eq!(Memory::parse(meminfo).used(), 500 * 1024);
        assert_eq!(Memory::parse("").used(), 0);
    }

    #[test]
    fn cached_is_what_could_be_dropped() {
        let meminfo = "Buffers:  10 kB\nCached:   300 kB\nSwapCached:  0 kB\nMapped:   100 kB\nShmem:   60 kB\n";
        assert_eq!(Memory::parse(meminfo).cached, 210 * 1024);
        let in_memory = "Cached:   300 kB\nMapped:   0 kB\nShmem:   300 kB\n";
        assert_eq!(Memory::parse(in_memory).cached, 0);
    }
}
