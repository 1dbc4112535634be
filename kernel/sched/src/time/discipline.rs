//! How `CLOCK_REALTIME` is made to run faster or slower: adjtimex(2), as `kernel/time/ntp.c` of Linux computes it (RFC 5905, appendix
//! A.5.5.6). While nobody asks for that, nothing of it is looked at.
//!
//! The clock runs along a line (`clock_line`), which is changed by who adjusts the clock and, once a second while an offset is being worked
//! off, by a timer: each second takes a part of what is left.

use super::clock_line::{self, ClockLine, FRACTION};
use super::{Expire, SECOND, TimerPlace, now_monotonic_nanos, set};
use abi::Errno;
use abi::timex::{
    ADJ_ESTERROR, ADJ_FREQUENCY, ADJ_MAXERROR, ADJ_MICRO, ADJ_NANO, ADJ_OFFSET, ADJ_OFFSET_SINGLESHOT,
    ADJ_OFFSET_SS_READ, ADJ_SETOFFSET, ADJ_STATUS, ADJ_TAI, ADJ_TICK, ADJ_TIMECONST, STA_FLL, STA_FREQHOLD,
    STA_MODE, STA_NANO, STA_PLL, STA_RONLY, STA_UNSYNC, TIME_ERROR, TIME_OK, Timex,
};
use alloc::sync::Arc;
use lock::{Mutex, rank};
use memory::fallible;
use platform::timer;

/// `freq` of adjtimex(2), times this, is nanoseconds in a second with [`FRACTION`].
const SCALE: i64 = 1000 << (FRACTION - 16);
/// The clock never runs more than 500 parts per million faster or slower by `freq`: nanoseconds in a second with [`FRACTION`].
const MOST_FREQUENCY: i64 = 500_000 << FRACTION;
/// Half a second, the largest offset.
const MOST_OFFSET: i64 = SECOND as i64 / 2;
/// Largest error that is told, in microseconds.
const MOST_ERROR: i64 = (MOST_OFFSET / 1000) << 5;
/// So many microseconds a second the error grows, and so many nanoseconds a second adjtime(3) works off.
const DRIFT: i64 = 500;
const MOST_SLEW: i64 = 500_000;
/// Microseconds between two ticks, as programs count them.
const TICK: i64 = 10_000;
/// Shifts and limits of the loop: `SHIFT_PLL`, `SHIFT_FLL`, `MINSEC`, `MAXSEC`, `MAXTC`, `MAX_TAI_OFFSET`.
const PHASE_SHIFT: u32 = 2;
const FREQUENCY_SHIFT: u32 = 2;
const LEAST_INTERVAL: i64 = 256;
const MOST_INTERVAL: i64 = 2048;
const MOST_CONSTANT: i64 = 10;
const MOST_TAI: i64 = 100_000;

static STATE: Mutex<ClockState, { rank::INTERVAL_TIMER }> = Mutex::new(ClockState::START);

/// What is known of the clock and asked of it.
struct ClockState {
    status: u32,
    /// Nanoseconds in a second, with [`FRACTION`].
    frequency: i64,
    tick: i64,
    constant: i64,
    /// What is left of an offset: nanoseconds with [`FRACTION`], and of adjtime(3) nanoseconds.
    offset: i64,
    slew: i64,
    /// What of both is worked off in a second.
    offset_part: i64,
    slew_part: i64,
    /// When that began, in nanoseconds of the timer.
    since: u64,
    /// The second of the last offset.
    reference: i64,
    largest_error: i64,
    estimated_error: i64,
    /// When the largest error was told.
    error_since: u64,
    tai: i32,
    /// What works the offset off; made when it is first needed.
    timer: Option<Arc<EachSecond>>,
}

/// Expires each second while there is an offset.
struct EachSecond(TimerPlace);

impl Expire for EachSecond {
    fn place(&self) -> &TimerPlace {
        &self.0
    }

    fn expire(self: Arc<Self>) {
        STATE.lock().apply();
    }
}

/// Half of the way towards 0 for each bit, rounded towards it (`shift_right` of Linux).
fn shifted(value: i64, bits: u32) -> i64 {
    if value < 0 {
        -(-value >> bits)
    } else {
        value >> bits
    }
}

/// That part of what is done in a second.
fn part(of_second: i64, nanos: u64) -> i64 {
    (i128::from(of_second) * i128::from(nanos) / i128::from(SECOND)) as i64
}

impl ClockState {
    const START: ClockState = ClockState {
        status: STA_UNSYNC,
        frequency: 0,
        tick: TICK,
        constant: 2,
        offset: 0,
        slew: 0,
        offset_part: 0,
        slew_part: 0,
        since: 0,
        reference: 0,
        largest_error: MOST_ERROR,
        estimated_error: MOST_ERROR,
        error_since: 0,
        tai: 0,
        timer: None,
    };

    /// What was worked off since the line was last changed is not left any more; the line goes on from here as fast as is asked.
    fn apply(&mut self) {
        self.apply_from(ClockLine::at);
    }

    /// The clock is set to `clock`: nothing that was known of its errors holds (`ntp_clear` of Linux).
    fn restart(&mut self, clock: u64) {
        (self.offset, self.offset_part, self.slew, self.slew_part) = (0, 0, 0, 0);
        self.status |= STA_UNSYNC;
        (self.largest_error, self.estimated_error) = (MOST_ERROR, MOST_ERROR);
        self.apply_from(|_, _| clock);
    }

    /// The line goes on from now and what `clock` makes of the old one.
    fn apply_from(&mut self, clock: impl FnOnce(&ClockLine, u64) -> u64) {
        clock_line::change(|old, now| ClockLine {
            start: now,
            clock: clock(old, now),
            rate: self.settle(now),
        });
        if let (Some(timer), true) = (&self.timer, self.offset_part != 0 || self.slew_part != 0) {
            let at = timer::nanos_to_ticks(self.since.saturating_add(SECOND));
            let _alarm = set(at, timer.clone());
        }
    }

    /// What was worked off until `now` is not left any more; how much more the clock runs from now on.
    fn settle(&mut self, now: u64) -> i64 {
        let passed = now.saturating_sub(self.since);
        self.offset -= part(self.offset_part, passed);
        self.slew -= part(self.slew_part, passed);
        self.since = now;
        self.offset_part = shifted(self.offset, PHASE_SHIFT + self.constant as u32);
        if self.offset_part == 0 {
            self.offset = 0;
        }
        self.slew_part = self.slew.clamp(-MOST_SLEW, MOST_SLEW);
        let ticks = i128::from(self.tick - TICK) * i128::from(SECOND) / i128::from(TICK);
        let more = (ticks + i128::from(self.slew_part)) << FRACTION;
        let rate = (more + i128::from(self.frequency) + i128::from(self.offset_part)) / i128::from(SECOND);
        rate as i64
    }

    /// The errors as they have grown: beyond what is told nobody knows the time.
    fn settle_errors(&mut self) {
        let now = now_monotonic_nanos();
        let seconds = (now.saturating_sub(self.error_since) / SECOND) as i64;
        self.error_since += seconds as u64 * SECOND;
        self.largest_error += seconds.saturating_mul(DRIFT).min(MOST_ERROR);
        if self.largest_error > MOST_ERROR {
            self.largest_error = MOST_ERROR;
            self.status |= STA_UNSYNC;
        }
    }

    fn set_status(&mut self, wanted: u32) {
        if self.status & STA_PLL != 0 && wanted & STA_PLL == 0 {
            self.status = STA_UNSYNC;
        }
        if self.status & STA_PLL == 0 && wanted & STA_PLL != 0 {
            self.reference = (super::now_realtime_nanos() / SECOND) as i64;
        }
        self.status = self.status & STA_RONLY | wanted & !STA_RONLY;
    }

    /// The loop is told how far the clock is off (`ntp_update_offset` of Linux).
    fn set_offset(&mut self, offset: i64) {
        if self.status & STA_PLL == 0 {
            return;
        }
        let nanos = if self.status & STA_NANO == 0 {
            offset.clamp(-1_000_000, 1_000_000) * 1000
        } else {
            offset
        };
        let nanos = nanos.clamp(-MOST_OFFSET, MOST_OFFSET);
        let now = (super::now_realtime_nanos() / SECOND) as i64;
        let passed = match self.status & STA_FREQHOLD {
            0 => (now - self.reference).max(0),
            _ => 0,
        };
        self.reference = now;
        let learnt = self.frequency_learnt(nanos, passed);
        let most = 1 << (PHASE_SHIFT + 1 + self.constant as u32);
        let shift = FRACTION - 2 * (PHASE_SHIFT + 2 + self.constant as u32);
        let by_phase = (nanos * passed.min(most)) << shift;
        let frequency = self.frequency.saturating_add(learnt).saturating_add(by_phase);
        self.frequency = frequency.clamp(-MOST_FREQUENCY, MOST_FREQUENCY);
        self.offset = nanos << FRACTION;
        self.offset_part = 0;
    }

    /// What an offset after a long time says of the frequency.
    fn frequency_learnt(&mut self, nanos: i64, passed: i64) -> i64 {
        self.status &= !STA_MODE;
        if passed < LEAST_INTERVAL || self.status & STA_FLL == 0 && passed <= MOST_INTERVAL {
            return 0;
        }
        self.status |= STA_MODE;
        (nanos << (FRACTION - FREQUENCY_SHIFT)) / passed
    }

    /// Changes what `wanted` says. The offset that is left was settled before.
    fn change(&mut self, wanted: &Timex) {
        let asks = |mode: u32| wanted.modes & mode != 0;
        if asks(ADJ_STATUS) {
            self.set_status(wanted.status as u32);
        }
        if asks(ADJ_NANO) {
            self.status |= STA_NANO;
        }
        if asks(ADJ_MICRO) {
            self.status &= !STA_NANO;
        }
        if asks(ADJ_FREQUENCY) {
            let frequency = wanted.freq.saturating_mul(SCALE);
            self.frequency = frequency.clamp(-MOST_FREQUENCY, MOST_FREQUENCY);
        }
        if asks(ADJ_MAXERROR) {
            self.largest_error = wanted.maxerror.clamp(0, MOST_ERROR);
            self.error_since = now_monotonic_nanos();
        }
        if asks(ADJ_ESTERROR) {
            self.estimated_error = wanted.esterror.clamp(0, MOST_ERROR);
        }
        if asks(ADJ_TIMECONST) {
            let more = if self.status & STA_NANO == 0 { 4 } else { 0 };
            let constant = wanted.constant.clamp(0, MOST_CONSTANT) + more;
            self.constant = constant.min(MOST_CONSTANT);
        }
        if asks(ADJ_TAI) && (0..=MOST_TAI).contains(&wanted.constant) {
            self.tai = wanted.constant as i32;
        }
        if asks(ADJ_OFFSET) {
            self.set_offset(wanted.offset);
        }
        if asks(ADJ_TICK) {
            self.tick = wanted.tick;
        }
    }

    /// Writes what is known into `all`.
    fn report(&self, all: &mut Timex) {
        all.freq = self.frequency / SCALE;
        all.maxerror = self.largest_error;
        all.esterror = self.estimated_error;
        all.status = self.status as i32;
        all.constant = self.constant;
        all.precision = 1;
        all.tolerance = MOST_FREQUENCY / SCALE;
        all.tick = self.tick;
        all.pps = [0; 8];
        all.tai = self.tai;
        let now = super::now_realtime_nanos();
        let is_nano = self.status & STA_NANO != 0;
        all.time.sec = (now / SECOND) as i64;
        all.time.usec = (now % SECOND) as i64 / if is_nano { 1 } else { 1000 };
    }
}

/// The clock was set: it goes on from there as fast as before. Whoever waits for a time of day is told by the caller.
pub fn set_clock(nanos: u64) {
    STATE.lock().restart(nanos);
}

/// Makes the page from which programs read the clock.
///
/// # Errors
/// There is no frame for it.
pub(super) fn make_clock_page() -> Result<(), mm::NoMemory> {
    let _state = STATE.lock();
    clock_line::make_page()
}

/// Seconds that international atomic time is ahead.
pub fn tai_offset() -> i32 {
    STATE.lock().tai
}

/// adjtimex(2): does what `all`, which was judged, asks for, and writes what is known into it. Returns the state of the clock, and
/// whether times of day come sooner or later than before.
///
/// # Errors
/// `EINVAL`: the clock would be before 1970. `ENOMEM`.
pub fn adjust(all: &mut Timex) -> Result<(u32, bool), Errno> {
    let timer = match all.modes {
        0 => None,
        _ => Some(fallible::arc(EachSecond(TimerPlace::new()))?),
    };
    let mut state = STATE.lock();
    if state.timer.is_none() {
        state.timer = timer;
    }
    state.apply();
    state.settle_errors();
    if all.modes & ADJ_OFFSET_SINGLESHOT == ADJ_OFFSET_SINGLESHOT {
        let left = state.slew / 1000;
        if all.modes != ADJ_OFFSET_SS_READ {
            state.slew = all.offset.saturating_mul(1000);
            state.slew_part = 0;
        }
        all.offset = left;
    } else {
        if all.modes & ADJ_SETOFFSET != 0 {
            let clock = super::now_realtime_nanos().checked_add_signed(delta(all)?);
            let clock = clock.ok_or(Errno::EINVAL)?;
            state.restart(clock);
        }
        state.change(all);
        let divisor = if state.status & STA_NANO == 0 { 1000 } else { 1 };
        all.offset = shifted(state.offset, FRACTION) / divisor;
    }
    state.apply();
    state.report(all);
    let is_synchronised = state.status & STA_UNSYNC == 0;
    let code = if is_synchronised { TIME_OK } else { TIME_ERROR };
    Ok((code, !matches!(all.modes, 0 | ADJ_OFFSET_SS_READ)))
}

/// What `ADJ_SETOFFSET` adds, in nanoseconds. `EINVAL`.
fn delta(all: &Timex) -> Result<i64, Errno> {
    let (most, unit) = match all.modes & ADJ_NANO {
        0 => (1_000_000, 1000),
        _ => (SECOND as i64, 1),
    };
    if !(0..most).contains(&all.time.usec) {
        return Err(Errno::EINVAL);
    }
    let seconds = all.time.sec.checked_mul(SECOND as i64);
    let all = seconds.and_then(|nanos| nanos.checked_add(all.time.usec * unit));
    all.ok_or(Errno::EINVAL)
}
