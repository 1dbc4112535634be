//! Everything that the machine was asked for, with the line that asked.

use crate::SoftMmu;
use crate::history::Event;
use alloc::vec::Vec;
use core::panic::Location;

/// One event, and who caused it.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The processor.
    pub cpu: usize,
    /// What happened.
    pub event: Event,
    /// The line of the heart that asked for it; none for what a program or the world around the heart did.
    pub place: Option<&'static Location<'static>>,
}

impl SoftMmu {
    /// Everything is traced from now on.
    pub fn begin_trace(&self) {
        self.machine.borrow_mut().history.trace = Some(Vec::new());
    }

    /// Ends the trace and returns it.
    pub fn end_trace(&self) -> Vec<Traced> {
        self.machine.borrow_mut().history.trace.take().unwrap_or_default()
    }
}
