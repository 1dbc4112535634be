//! Which handler serves which number. Lines are added and stay, so an interrupt finds its own without a lock.

use super::InterruptHandler;
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use lock::Mutex;
use mm::MAX_CPUS;
use spin::Once;

/// Lines at most.
const MOST: usize = 32;

/// One interrupt and who serves it.
pub struct InterruptLine {
    number: u32,
    name: &'static str,
    handler: Arc<dyn InterruptHandler>,
    /// How often each processor took it; each writes its own.
    counts: [AtomicU64; MAX_CPUS],
}

impl InterruptLine {
    /// The interrupt's number (INTID).
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What its driver calls it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How often a processor took it.
    pub fn count(&self, processor: usize) -> u64 {
        self.counts[processor].load(Ordering::Relaxed)
    }

    fn serve(&self, here: usize) {
        let count = &self.counts[here];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.handler.handle();
    }
}

/// Why a handler was not registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterError {
    /// The number has one.
    Taken,
    /// There is no room for more.
    Full,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            RegisterError::Taken => "the interrupt has a handler",
            RegisterError::Full => "too many interrupt handlers",
        })
    }
}

/// The lines, those that there are first.
pub(super) struct InterruptTable {
    lines: [Once<InterruptLine>; MOST],
    /// Held by who adds one.
    adding: Mutex<()>,
}

impl InterruptTable {
    pub(super) const fn new() -> InterruptTable {
        InterruptTable {
            lines: [const { Once::new() }; MOST],
            adding: Mutex::new(()),
        }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// The number has one, or there is no room.
    pub(super) fn register(
        &self,
        number: u32,
        name: &'static str,
        handler: Arc<dyn InterruptHandler>,
    ) -> Result<(), RegisterError> {
        let _adding = self.adding.lock();
        if self.find(number).is_some() {
            return Err(RegisterError::Taken);
        }
        let free = self.lines.iter().find(|line| !line.is_completed());
        free.ok_or(RegisterError::Full)?.call_once(|| InterruptLine {
            number,
            name,
            handler,
            counts: [const { AtomicU64::new(0) }; MAX_CPUS],
        });
        Ok(())
    }

    /// Calls the handler of `number` on processor `here`; whether there is one.
    pub(super) fn serve(&self, number: u32, here: usize) -> bool {
        let line = self.find(number);
        line.inspect(|line| line.serve(here)).is_some()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &InterruptLine> {
        self.lines.iter().map_while(Once::get)
    }

    fn find(&self, number: u32) -> Option<&InterruptLine> {
        self.lines().find(|line| line.number == number)
    }
}

#[cfg(test)]
mod tests;
