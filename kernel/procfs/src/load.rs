//! Load averages: /proc/loadavg. How many processors were busy, averaged over 1, 5 and 15 minutes with exponential decay.
//!
//! There is no periodic tick to sample by. The processor time used since the last look is known, and is decayed in steps
//! of five seconds as Linux does (`kernel/sched/loadavg.c`). So a processor that was busy all the time counts 1, however
//! many processes waited for it.

use core::fmt;

use lock::Mutex;
use platform::timer;

use sched::scheduler;

/// Fixed point: 11 bits behind the point.
const ONE: u64 = 1 << 11;
/// e to the power of -5s/1min, -5s/5min, -5s/15min.
const DECAY: [u64; 3] = [1884, 2014, 2037];
/// Seconds in a step.
const STEP: u64 = 5;
/// After so many steps nothing of the old value is left.
const MOST_STEPS: u64 = 2000;

static LOADS: Mutex<Loads> = Mutex::new(Loads {
    averages: [0; 3],
    at: 0,
    busy: 0,
});

struct Loads {
    averages: [u64; 3],
    /// Up to when the past is in the averages, and how long processors had been busy until then, in ticks.
    at: u64,
    busy: u64,
}

/// A load average, shown with two digits.
#[derive(Clone, Copy)]
pub struct Load(u64);

impl fmt::Display for Load {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let centi = (self.0 * 100 + ONE / 2) / ONE;
        write!(to, "{}.{:02}", centi / 100, centi % 100)
    }
}

impl Load {
    /// With `bits` behind the point, as sysinfo(2) has 16.
    pub fn fixed_point(self, bits: u32) -> u64 {
        self.0 << (bits - ONE.ilog2())
    }
}

/// The averages over 1, 5 and 15 minutes.
pub fn averages() -> [Load; 3] {
    let up = timer::ticks();
    let busy = scheduler::online_processors().map(|number| scheduler::times(number).busy());
    let busy = busy.sum();
    let mut loads = LOADS.lock();
    loads.advance(up, busy, timer::frequency() * STEP);
    loads.averages.map(Load)
}

impl Loads {
    /// Takes in the time up to `up` in whole steps.
    fn advance(&mut self, up: u64, busy: u64, step: u64) {
        let passed = up.saturating_sub(self.at);
        let steps = passed / step;
        if steps == 0 {
            return;
        }
        let spent = busy.saturating_sub(self.busy);
        let load = (u128::from(spent) * u128::from(ONE) / u128::from(passed)) as u64;
        for (average, decay) in self.averages.iter_mut().zip(DECAY) {
            for _ in 0..steps.min(MOST_STEPS) {
                *average = (*average * decay + load * (ONE - decay)) / ONE;
            }
        }
        self.at = up;
        self.busy = busy;
    }
}
