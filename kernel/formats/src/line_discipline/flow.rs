//! Flow control: output that is stopped by a key (VSTOP) goes on by a key, what a program has stopped (`TCOOFF`) by a program.

use abi::terminal::{IXON, VSTART, VSTOP};

use super::{Discipline, Effect};

/// Whether output is stopped, and by whom.
#[derive(Default)]
pub(super) struct Flow {
    is_stopped: bool,
    is_stopped_by_program: bool,
}

impl Flow {
    /// Output goes on, unless a program has stopped it; whether it does.
    pub(super) fn start(&mut self) -> bool {
        self.is_stopped &= self.is_stopped_by_program;
        !self.is_stopped
    }
}

impl Discipline {
    /// Whether output waits.
    pub fn is_stopped(&self) -> bool {
        self.flow.is_stopped
    }

    /// Stops output for a program: tcflow(3), `TCOOFF`.
    pub fn stop(&mut self) {
        self.flow = Flow {
            is_stopped: true,
            is_stopped_by_program: true,
        };
    }

    /// Output goes on, whoever stopped it: tcflow(3), `TCOON`.
    pub fn restart(&mut self) {
        self.flow = Flow::default();
    }

    /// VSTART and VSTOP.
    pub(super) fn receive_flow(&mut self, byte: u8) -> Option<Effect> {
        if !self.has_input(IXON) {
            return None;
        }
        if self.is_control(VSTART, byte) {
            let is_restart = self.flow.start();
            return Some(Effect {
                is_restart,
                ..Effect::default()
            });
        }
        if self.is_control(VSTOP, byte) {
            self.flow.is_stopped = true;
            return Some(Effect::default());
        }
        None
    }
}
