//! What is done for a request that failed: the card is told to stop, is asked how it is, and the request is tried again. A card that
//! answers nothing is gone.

use super::super::super::registers::{Registers, apart};
use super::super::controller::status;
use super::super::properties::{STATE, STATE_TRANSFER};
use super::{Card, Phase, TRIES};
use crate::disk::DiskError;
use crate::timer;

/// How often a card is asked for its state that does not answer.
const ANSWERS_MISSING: u8 = 3;
/// For how long a card may be busy with what was written, and a controller say nothing, in nanoseconds.
const BUSY: u64 = 2_000_000_000;

impl<R: Registers> Card<R> {
    /// Whoever waits has heard nothing for a while. A controller whose card is pulled out in the midst of a transfer may raise no interrupt
    /// any more, not even that of the time that it gives the card: then the transfer is stopped, and what the card answers tells the rest.
    pub(in super::super) fn check_up(&mut self) {
        if self.is_gone || self.phase == Phase::Idle {
            return;
        }
        apart(|| {
            self.advance();
            let is_silent = !self.is_gone && self.phase != Phase::Idle && is_late(self.heard);
            match self.phase {
                _ if !is_silent => {}
                Phase::Stopping | Phase::Recovering { .. } => self.lose(),
                _ => self.recover(),
            }
        });
    }

    /// What is under way has failed: the card is told to stop it.
    pub(super) fn recover(&mut self) {
        self.heard = timer::ticks();
        self.retries = self.retries.saturating_add(1);
        self.controller.reset_lines();
        self.phase = Phase::Stopping;
        if !self.send_plain(12, 0) {
            self.lose();
        }
    }

    /// Whatever the card said to being stopped: one that had nothing to stop does not answer.
    pub(super) fn ask_whether_stopped(&mut self, since: u64, silent: u8, status: u32) {
        if status & status::ERRORS != 0 {
            self.controller.reset_lines();
        }
        self.phase = Phase::Recovering { since, silent };
        if !self.send_plain(13, self.woken.address) {
            self.lose();
        }
    }

    pub(super) fn look_at_recovery(&mut self, status: u32, since: u64, silent: u8) {
        if status & status::ERRORS != 0 {
            let is_silent = status & status::COMMAND_TIMEOUT != 0;
            return match silent + u8::from(is_silent) {
                ANSWERS_MISSING => self.lose(),
                _ if is_late(since) => self.lose(),
                silent => self.ask_whether_stopped(since, silent, status),
            };
        }
        if status & status::COMMAND_DONE == 0 {
            return;
        }
        if self.controller.answer() & STATE != STATE_TRANSFER {
            return match is_late(since) {
                true => self.lose(),
                false => self.ask_whether_stopped(since, 0, status),
            };
        }
        self.tries += 1;
        match self.tries < TRIES {
            true => self.begin(),
            false => self.finish(Err(DiskError::Failed)),
        }
    }

    /// The card is gone.
    fn lose(&mut self) {
        self.controller.shut_down();
        self.is_gone = true;
        self.phase = Phase::Idle;
    }
}

/// Whether a card that may take its time has taken too much.
pub(super) fn is_late(since: u64) -> bool {
    timer::ticks() - since > timer::nanos_to_ticks(BUSY)
}
