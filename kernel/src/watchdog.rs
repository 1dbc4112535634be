//! The board's watchdog, for who asks for it by `watchdog=SECONDS`: the first processor feeds it from its timer. One that serves no
//! interrupts any more for that long is restarted.

use alloc::sync::Arc;
use klog::{info, warn};
use platform::power;
use sched::time::{self, Expire, TimerPlace};

/// How often in its time it is fed.
const TIMES: u64 = 3;

struct Feeder {
    place: TimerPlace,
    seconds: u32,
}

impl Feeder {
    /// Feeds it, and sees to the next time.
    fn feed(self: Arc<Self>) {
        power::feed_watchdog(self.seconds);
        let pause = u64::from(self.seconds) * time::SECOND / TIMES;
        let next = platform::timer::ticks() + platform::timer::nanos_to_ticks(pause);
        time::set(next, self);
    }
}

impl Expire for Feeder {
    fn place(&self) -> &TimerPlace {
        &self.place
    }

    fn expire(self: Arc<Self>) {
        self.feed();
    }
}

/// Says why the board was reset and what was found armed, and arms the watchdog if `wanted` says for how many seconds. Called once, on
/// the first processor.
pub fn start(wanted: Option<&str>) {
    if let Some(reason) = power::reset_reason() {
        info!("Last reset: {reason}");
    }
    if power::found_watchdog_armed() {
        warn!("The firmware had armed the watchdog: it is stopped");
    }
    let Some(seconds) = wanted
        .and_then(|text| text.parse().ok())
        .filter(|&seconds| seconds > 0)
    else {
        return;
    };
    match power::feed_watchdog(seconds) {
        Some(seconds) => {
            info!("The watchdog restarts the board after {seconds} seconds without an interrupt");
            let feeder = Feeder {
                place: TimerPlace::default(),
                seconds,
            };
            Arc::new(feeder).feed();
        }
        None => warn!("watchdog={seconds}: this board has none"),
    }
}
