//! Time: clock_gettime(2), gettimeofday(2), nanosleep(2), setitimer(2); `linux/time.h`, `linux/time_types.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Seconds and nanoseconds: timespec(3).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TimeSpec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: i64,
}
const _: () = assert!(size_of::<TimeSpec>() == 16);

impl TimeSpec {
    /// The duration of that many nanoseconds.
    pub const fn from_nanoseconds(nanoseconds: u64) -> TimeSpec {
        TimeSpec {
            sec: (nanoseconds / 1_000_000_000) as i64,
            nsec: (nanoseconds % 1_000_000_000) as i64,
        }
    }

    /// The value in nanoseconds, at most `u64::MAX`; `None` (`EINVAL`) if it is negative or not normalised.
    pub const fn to_nanoseconds(self) -> Option<u64> {
        if self.sec < 0 || self.nsec < 0 || self.nsec > 999_999_999 {
            return None;
        }
        Some(
            (self.sec as u64)
                .saturating_mul(1_000_000_000)
                .saturating_add(self.nsec as u64),
        )
    }
}

/// Seconds and microseconds: timeval(3).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct TimeVal {
    /// Seconds.
    pub sec: i64,
    /// Microseconds, 0 to 999,999.
    pub usec: i64,
}
const _: () = assert!(size_of::<TimeVal>() == 16);

impl TimeVal {
    /// The duration of that many nanoseconds, rounded down to microseconds.
    pub const fn from_nanoseconds(nanoseconds: u64) -> TimeVal {
        TimeVal {
            sec: (nanoseconds / 1_000_000_000) as i64,
            usec: (nanoseconds % 1_000_000_000 / 1000) as i64,
        }
    }

    /// The value in nanoseconds, at most `u64::MAX`; `None` (`EINVAL`) if it is negative or not normalised.
    pub const fn to_nanoseconds(self) -> Option<u64> {
        if self.sec < 0 || self.usec < 0 || self.usec > 999_999 {
            return None;
        }
        Some(
            (self.sec as u64)
                .saturating_mul(1_000_000_000)
                .saturating_add(self.usec as u64 * 1000),
        )
    }
}

/// The second argument of gettimeofday(2): obsolete, all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TimeZone {
    /// Minutes west of Greenwich.
    pub minutes_west: i32,
    /// Kind of daylight saving.
    pub dst_time: i32,
}
const _: () = assert!(size_of::<TimeZone>() == 8);

/// An interval timer: setitimer(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ITimerVal {
    /// Period of a timer that repeats.
    pub interval: TimeVal,
    /// Time until the next expiration.
    pub value: TimeVal,
}
const _: () = assert!(size_of::<ITimerVal>() == 32);

/// An interval timer in nanoseconds: timer_settime(2), timerfd_settime(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ITimerSpec {
    /// Period of a timer that repeats.
    pub interval: TimeSpec,
    /// Time until the next expiration.
    pub value: TimeSpec,
}
const _: () = assert!(size_of::<ITimerSpec>() == 32);

/// Real time; sends SIGALRM.
pub const ITIMER_REAL: u32 = 0;
/// Time this process runs at EL0; sends SIGVTALRM.
pub const ITIMER_VIRTUAL: u32 = 1;
/// Time this process runs, in the kernel too; sends SIGPROF.
pub const ITIMER_PROF: u32 = 2;

/// Time since 1970.
pub const CLOCK_REALTIME: u32 = 0;
/// Time since boot, never set.
pub const CLOCK_MONOTONIC: u32 = 1;
/// Processor time of the process.
pub const CLOCK_PROCESS_CPUTIME_ID: u32 = 2;
/// Processor time of the thread.
pub const CLOCK_THREAD_CPUTIME_ID: u32 = 3;
/// The timer as the hardware counts it.
pub const CLOCK_MONOTONIC_RAW: u32 = 4;
/// Time since 1970 at the last tick.
pub const CLOCK_REALTIME_COARSE: u32 = 5;
/// Time since boot at the last tick.
pub const CLOCK_MONOTONIC_COARSE: u32 = 6;
/// Time since boot, sleep included.
pub const CLOCK_BOOTTIME: u32 = 7;
/// As `CLOCK_REALTIME`, wakes a suspended machine.
pub const CLOCK_REALTIME_ALARM: u32 = 8;
/// As `CLOCK_BOOTTIME`, wakes a suspended machine.
pub const CLOCK_BOOTTIME_ALARM: u32 = 9;
/// International atomic time.
pub const CLOCK_TAI: u32 = 11;

flags! {
    /// What a time is: clock_nanosleep(2), timer_settime(2).
    pub struct TimerFlags: u32 {
        /// clock_nanosleep: the time is a point, not a duration.
        const TIMER_ABSTIME = 1;
    }
}

/// `USER_HZ`: clock ticks in a second as times(2), AT_CLKTCK and /proc/pid/stat count them.
pub const USER_HZ: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_refused_unless_it_is_normalised() {
        assert_eq!(TimeSpec { sec: 1, nsec: 5 }.to_nanoseconds(), Some(1_000_000_005));
        assert_eq!(
            TimeSpec {
                sec: 0,
                nsec: 1_000_000_000
            }
            .to_nanoseconds(),
            None
        );
        assert_eq!(TimeSpec { sec: -1, nsec: 0 }.to_nanoseconds(), None);
        assert_eq!(
            TimeSpec {
                sec: i64::MAX,
                nsec: 0
            }
            .to_nanoseconds(),
            Some(u64::MAX)
        );
        assert_eq!(TimeVal { sec: 0, usec: -1 }.to_nanoseconds(), None);
        assert_eq!(
            TimeVal::from_nanoseconds(2_000_003_999),
            TimeVal { sec: 2, usec: 3 }
        );
    }
}
