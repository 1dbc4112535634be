//! Timers that are read: timerfd_create(2).
//!
//! A timer that repeats is set for its next expiration only when somebody asks for the ones that have passed: who does not read is
//! not woken again, and costs nothing. A time of day moves when the clock is set: such a timer watches for that, and is set anew.

use alloc::sync::Arc;

use abi::Errno;
use abi::events::{TimerFdCreateFlags, TimerFdFlags};
use abi::file::{OpenFlags, POLLIN};
use lock::{Mutex, rank};
use memory::fallible;
use sched::time::{self, Alarm, Expire, TimerPlace};
use sched::wait::{WaitQueue, WatchKind, WatchPlace, Watcher};
use uaccess::Sink;
use vfs::OpenFile;
use vfs::file_ops::{FileOps, Io, Positioning, Queues, ShowInfo};

use super::anonymous::AnonymousKind;

static KIND: AnonymousKind = AnonymousKind::new("[timerfd]");

/// What a read gives.
const WORD: usize = size_of::<u64>();

/// Which clock it goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerFdClock {
    /// Time since 1970.
    Realtime,
    /// Time since boot.
    Monotonic,
}

/// What a timer is set to, in nanoseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TimerFdSetting {
    /// Until the first expiration, or when it is; 0: off.
    pub first: u64,
    /// From one to the next; 0: there is one only.
    pub period: u64,
}

/// An open timer.
pub struct TimerFd {
    clock: TimerFdClock,
    /// `clockid_t`, as /proc/PID/fdinfo shows it.
    clock_id: u32,
    timer: Arc<FileTimer>,
}

/// The timer behind it, which waits in the list of timers and for settings of the clock.
struct FileTimer {
    place: TimerPlace,
    watch_places: [WatchPlace; 2],
    state: Mutex<FileTimerState, { rank::INTERVAL_TIMER }>,
    /// Woken when it expires, or the clock is set.
    readable: WaitQueue,
}

/// When it expires, in nanoseconds of the clock that `clock` says.
#[derive(Clone, Copy)]
struct FileTimerState {
    clock: TimerFdClock,
    /// The next expiration; `None`: off.
    at: Option<u64>,
    period: u64,
    alarm: Option<Alarm>,
    /// Expirations that were counted and not read.
    ticks: u64,
    /// The flags it was set with.
    flags: TimerFdFlags,
    /// The clock was set, and a read says so (`TFD_TIMER_CANCEL_ON_SET`).
    is_cancelled: bool,
}

/// A new timer, which is off.
///
/// # Errors
/// `ENOMEM`.
pub fn open(clock: TimerFdClock, clock_id: u32, flags: TimerFdCreateFlags) -> Result<Arc<OpenFile>, Errno> {
    let timer = fallible::arc_with(|| FileTimer {
        place: TimerPlace::new(),
        watch_places: [WatchPlace::new(), WatchPlace::new()],
        state: Mutex::new(FileTimerState::OFF),
        readable: WaitQueue::new(),
    })?;
    if clock == TimerFdClock::Realtime {
        time::clock_settings().watch(timer.clone(), 0)?;
    }
    // One that finds no memory is dropped here, and watches no more by that.
    let ops = fallible::arc(TimerFd {
        clock,
        clock_id,
        timer,
    })?;
    let status = OpenFlags::from_bits_retain(flags.bits()) & OpenFlags::O_NONBLOCK;
    KIND.open(ops, OpenFlags::O_RDWR | status)
}

impl TimerFdClock {
    fn now(self) -> u64 {
        match self {
            TimerFdClock::Realtime => time::now_realtime_nanos(),
            TimerFdClock::Monotonic => time::now_monotonic_nanos(),
        }
    }

    fn ticks(self, at: u64) -> u64 {
        match self {
            TimerFdClock::Realtime => time::realtime_to_ticks(at),
            TimerFdClock::Monotonic => platform::timer::nanos_to_ticks(at),
        }
    }
}

impl FileTimerState {
    const OFF: FileTimerState = FileTimerState {
        clock: TimerFdClock::Monotonic,
        at: None,
        period: 0,
        alarm: None,
        ticks: 0,
        flags: TimerFdFlags::empty(),
        is_cancelled: false,
    };

    /// Expirations up to `now`, counted; the timer stands at the one behind them, if there is one.
    fn count(&mut self, now: u64) {
        let Some(at) = self.at.filter(|at| *at <= now) else {
            return;
        };
        let further = (now - at).checked_div(self.period);
        self.ticks = self.ticks.saturating_add(1 + further.unwrap_or(0));
        self.at = further.map(|further| at.saturating_add(self.period.saturating_mul(further + 1)));
    }

    /// How long until it expires next, and how often; counted before.
    fn remaining(&self, now: u64) -> TimerFdSetting {
        TimerFdSetting {
            first: self.at.map_or(0, |at| at.saturating_sub(now).max(1)),
            period: self.period,
        }
    }
}

impl FileTimer {
    /// Waits for the next expiration, with the state locked.
    fn arm(self: &Arc<Self>, state: &mut FileTimerState) {
        if let Some(alarm) = state.alarm.take() {
            time::cancel(alarm);
        }
        if let Some(at) = state.at {
            state.alarm = Some(time::set(state.clock.ticks(at), self.clone()));
        }
    }

    /// What was counted, if there is something to read; then the timer goes on. `ECANCELED`: the clock was set.
    fn take(self: &Arc<Self>) -> Option<Result<u64, Errno>> {
        let mut state = self.state.lock();
        if core::mem::take(&mut state.is_cancelled) {
            return Some(Err(Errno::ECANCELED));
        }
        let now = state.clock.now();
        let expired = state.at.is_some_and(|at| at <= now);
        state.count(now);
        if expired {
            self.arm(&mut state);
        }
        let ticks = core::mem::take(&mut state.ticks);
        (ticks > 0).then_some(Ok(ticks))
    }

    fn is_readable(&self) -> bool {
        let state = self.state.lock();
        state.is_cancelled || state.ticks > 0 || state.at.is_some_and(|at| at <= state.clock.now())
    }
}

impl TimerFd {
    /// Sets the timer; what it was set to.
    ///
    /// # Errors
    /// `ECANCELED`: the clock was set meanwhile, which nobody has read yet; it is set all the same.
    pub fn set(&self, flags: TimerFdFlags, setting: TimerFdSetting) -> Result<TimerFdSetting, Errno> {
        let is_absolute = flags.contains(TimerFdFlags::TFD_TIMER_ABSTIME);
        let clock = if is_absolute {
            self.clock
        } else {
            TimerFdClock::Monotonic
        };
        let mut state = self.timer.state.lock();
        let now = state.clock.now();
        state.count(now);
        let old = state.remaining(now);
        let was_cancelled = state.is_cancelled && flags.contains(TimerFdFlags::TFD_TIMER_CANCEL_ON_SET);
        let first = if is_absolute {
            setting.first
        } else {
            clock.now().saturating_add(setting.first)
        };
        *state = FileTimerState {
            clock,
            at: (setting.first > 0).then_some(first),
            period: setting.period,
            alarm: state.alarm,
            ticks: 0,
            flags,
            is_cancelled: false,
        };
        self.timer.arm(&mut state);
        drop(state);
        if was_cancelled {
            Err(Errno::ECANCELED)
        } else {
            Ok(old)
        }
    }

    /// What the timer is set to.
    pub fn get(&self) -> TimerFdSetting {
        let mut state = self.timer.state.lock();
        let now = state.clock.now();
        let expired = state.at.is_some_and(|at| at <= now);
        state.count(now);
        if expired {
            self.timer.arm(&mut state);
        }
        state.remaining(now)
    }
}

impl Expire for FileTimer {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    /// It has expired, or a clock that runs slower than it did is not there yet. What was set meanwhile waits by itself.
    fn expire(self: Arc<Self>) {
        let mut state = self.state.lock();
        let now = state.clock.now();
        match state.at {
            Some(at) if at <= now => state.alarm = None,
            Some(_) => return self.arm(&mut state),
            None => return,
        }
        drop(state);
        self.readable.wake_one();
    }
}

impl Watcher for FileTimer {
    fn places(&self) -> &[WatchPlace; 2] {
        &self.watch_places
    }

    fn kind(&self) -> WatchKind {
        WatchKind::Shared
    }

    fn note(self: Arc<Self>) -> bool {
        false
    }

    /// The clock was set.
    fn wake(self: Arc<Self>) {
        let mut state = self.state.lock();
        if state.clock != TimerFdClock::Realtime || state.at.is_none() {
            return;
        }
        if state.flags.contains(TimerFdFlags::TFD_TIMER_CANCEL_ON_SET) {
            state.is_cancelled = true;
        }
        self.arm(&mut state);
        drop(state);
        self.readable.wake_one();
    }
}

impl FileOps for TimerFd {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if to.room() < WORD {
            return Err(Errno::EINVAL);
        }
        let taken = match self.timer.take() {
            Some(taken) => taken,
            None if io.is_nonblocking() => return Err(Errno::EAGAIN),
            None => self.timer.readable.wait_exclusive(|| self.timer.take())?,
        };
        match to.put(&taken?.to_ne_bytes())? {
            WORD => Ok(WORD),
            _ => Err(Errno::EFAULT),
        }
    }

    fn positioning(&self) -> Positioning {
        Positioning::SeekOnly
    }

    fn poll(&self) -> i16 {
        if self.timer.is_readable() { POLLIN } else { 0 }
    }

    fn queues(&self) -> Queues<'_> {
        [Some(&self.timer.readable), None]
    }

    fn show_info(&self, show: ShowInfo<'_>) {
        let state = *self.timer.state.lock();
        let left = state.remaining(state.clock.now());
        let split = |nanos: u64| (nanos / time::SECOND, nanos % time::SECOND);
        show(format_args!(
            "clockid: {}\nticks: {}\nsettime flags: 0{:o}\nit_value: {:?}\nit_interval: {:?}\n",
            self.clock_id,
            state.ticks.max(u64::from(self.timer.is_readable())),
            state.flags.bits(),
            split(left.first),
            split(left.period),
        ));
    }
}

impl Drop for TimerFd {
    fn drop(&mut self) {
        let mut state = self.timer.state.lock();
        state.at = None;
        self.timer.arm(&mut state);
        drop(state);
        if self.clock == TimerFdClock::Realtime {
            time::clock_settings().unwatch(&*self.timer, 0);
        }
    }
}
