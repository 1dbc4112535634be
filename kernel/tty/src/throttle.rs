//! Input that nobody reads: the driver is told before there is no room left, and again when there is some, as Linux's
//! `n_tty_check_throttle` does it.

use super::TerminalState;
use super::driver::TtyDriver;

/// Room for fewer bytes than this: `TTY_THRESHOLD_THROTTLE`.
const THROTTLED_BELOW: usize = 128;
/// No more bytes to read than this: `TTY_THRESHOLD_UNTHROTTLE`.
const UNTHROTTLED_AT: usize = 128;

impl TerminalState {
    /// Input has come, was read or was dropped: tells the driver if that makes a difference.
    #[inline]
    pub(super) fn update_throttle(&mut self, driver: &dyn TtyDriver) {
        if self.is_throttled || self.discipline.input_room() < THROTTLED_BELOW {
            self.tell_of_room(driver);
        }
    }

    /// Not inlined: it is rare that much was typed and not read.
    #[inline(never)]
    fn tell_of_room(&mut self, driver: &dyn TtyDriver) {
        let input = &self.discipline;
        if self.is_throttled {
            if input.readable() <= UNTHROTTLED_AT {
                self.is_throttled = false;
                driver.unthrottle(input.termios());
            }
        } else if input.has_line() || !input.is_canonical() {
            // Without a whole line no read can make room: the line's end must come through.
            self.is_throttled = true;
            driver.throttle(input.termios());
        }
    }
}
