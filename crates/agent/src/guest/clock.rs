//! The time: since boot, and of day as the host says it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use super::log::say;

/// How far the guest's clock may be off before it is set. Setting it steps it, which programs notice.
const TOLERANCE: Duration = Duration::from_millis(50);

/// Milliseconds since the kernel started.
pub(super) fn uptime_millis() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec * 1000 + now.tv_nsec / 1_000_000).unwrap_or_default()
}

pub(super) fn unix_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Sets the clock to the host's when it is off. A host that says nothing sensible is not believed.
pub(super) fn set(host_millis: u64) -> rustix::io::Result<()> {
    let Some(off) = correction(unix_millis(), host_millis) else {
        return Ok(());
    };
    let (Ok(seconds), Ok(millis)) = (i64::try_from(host_millis / 1000), i64::try_from(host_millis % 1000)) else {
        return Ok(());
    };
    clock_settime(
        ClockId::Realtime,
        Timespec {
            tv_sec: seconds,
            tv_nsec: millis * 1_000_000,
        },
    )?;
    say!("set the clock, which was {} ms off", off.as_millis());
    Ok(())
}

fn correction(guest_millis: u64, host_millis: u64) -> Option<Duration> {
    // 2020: before this program existed.
    const EARLIEST: u64 = 1_577_836_800_000;
    let off = Duration::from_millis(guest_millis.abs_diff(host_millis));
    (host_millis > EARLIEST && off > TOLERANCE).then_some(off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_is_off_is_set_and_only_to_a_sensible_time() {
        let now = 1_795_000_000_000;
        assert_eq!(correction(now, now + 50), None);
        assert_eq!(correction(now, now - 51), Some(Duration::from_millis(51)));
        assert_eq!(correction(0, now), Some(Duration::from_millis(now)));
        assert_eq!(correction(now, 0), None);
    }
}
