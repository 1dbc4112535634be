//! A card that is awake: requests are done one after the other, by interrupts. A command that fails, and a block whose sum is wrong, is
//! tried again; a card that answers nothing any more is gone.

mod recovery;

use super::super::registers::{Registers, apart};
use super::controller::{Answer, BLOCK_LEN, Command, Controller, Data, status};
use super::properties::{CARD_ERRORS, READY_FOR_DATA, STATE, STATE_TRANSFER, WRITE_PROTECTED};
use super::request::Request;
use super::start::{self, CardError, Woken};
use super::waiting::WaitingRequests;
use crate::disk::{Completion, DiskCommand, DiskError, Piece, TICKETS, Ticket};
use crate::timer;
use arrayvec::ArrayVec;
use recovery::is_late;

/// How often a request is tried.
const TRIES: u8 = 4;
/// Blocks that are moved by one interrupt: it is masked meanwhile.
const BLOCKS_AT_ONCE: usize = 4;

/// What the card is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing.
    Idle,
    /// It moves the blocks of the first request.
    Moving {
        is_answered: bool,
        is_through: bool,
        moved: usize,
    },
    /// It is asked how it is, with what was written behind it.
    Asking { since: u64 },
    /// It is told to stop what has failed.
    Stopping,
    /// It is asked whether it has stopped; how often it did not answer.
    Recovering { since: u64, silent: u8 },
}

/// A card in a controller.
pub(crate) struct Card<R> {
    controller: Controller<R>,
    woken: Woken,
    is_read_only: bool,
    tells_removal: bool,
    waiting: WaitingRequests,
    done: ArrayVec<Completion, TICKETS>,
    phase: Phase,
    /// When the controller last said something of what is under way, or that was begun, in ticks.
    heard: u64,
    tries: u8,
    /// It was taken out, or given up: everything fails.
    is_gone: bool,
    /// How often something was tried again.
    retries: u32,
}

impl<R: Registers> Card<R> {
    /// Wakes the card of a controller. From then on the controller raises its interrupt. `tells_removal`: it sees whether there is a card.
    ///
    /// # Errors
    /// What [`CardError`] lists.
    pub(super) fn wake(
        mut controller: Controller<R>,
        tells_removal: bool,
        has_high_speed_bit: bool,
        sleep: &mut dyn FnMut(u64),
    ) -> Result<Card<R>, CardError> {
        let waiting = WaitingRequests::new()?;
        let woken = start::wake(&mut controller, has_high_speed_bit, sleep)
            .inspect_err(|_| apart(|| controller.shut_down()))?;
        apart(|| {
            controller.take_status();
            controller.raise_interrupts(tells_removal);
        });
        Ok(Card {
            is_read_only: woken.data.is_read_only || !controller.may_write(),
            controller,
            woken,
            tells_removal,
            waiting,
            done: ArrayVec::new(),
            phase: Phase::Idle,
            heard: 0,
            tries: 0,
            is_gone: false,
            retries: 0,
        })
    }

    pub(super) fn sectors(&self) -> u64 {
        self.woken.data.sectors
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Whether the sectors have numbers, how many lines there are, and whether it goes at high speed.
    pub(super) fn kind(&self) -> (bool, u8, bool) {
        let lines = if self.woken.has_four_lines { 4 } else { 1 };
        (self.woken.counts_sectors, lines, self.woken.is_high_speed)
    }

    pub(super) fn serial(&self) -> [u8; 20] {
        self.woken.serial
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    #[cfg(test)]
    pub(super) fn retries(&self) -> u32 {
        self.retries
    }

    /// Takes a request.
    ///
    /// # Panics
    /// If its pieces are no blocks, or too many: bugs of the caller.
    pub(super) fn submit(
        &mut self,
        ticket: Ticket,
        command: DiskCommand,
        sector: u64,
        pieces: &[Piece],
    ) -> bool {
        let request = Request {
            command,
            sector,
            pieces: pieces.iter().copied().collect(),
        };
        let bytes: usize = pieces.iter().map(|piece| usize::from(piece.len)).sum();
        assert!(
            bytes.is_multiple_of(BLOCK_LEN),
            "a card is read and written in blocks"
        );
        if self.is_gone {
            return false;
        }
        self.waiting.add(ticket, request);
        true
    }

    /// Begins with the first request, if the card does nothing.
    pub(super) fn notify(&mut self) {
        if self.phase == Phase::Idle && !self.is_gone {
            apart(|| self.begin());
        }
    }

    pub(super) fn complete(&mut self) -> Option<Completion> {
        if self.is_gone
            && let Some(ticket) = self.waiting.take_first()
        {
            return Some(Completion {
                ticket,
                result: Err(DiskError::Failed),
            });
        }
        self.done.pop_at(0)
    }

    /// The card has to do with nothing any more; what it had fails.
    pub(super) fn give_up(&mut self) {
        apart(|| self.controller.shut_down());
        self.is_gone = true;
        self.phase = Phase::Idle;
    }

    /// Serves the controller's interrupt.
    pub(super) fn serve(&mut self) {
        if !self.is_gone {
            apart(|| self.advance());
        }
    }

    fn begin(&mut self) {
        let Some(request) = self.waiting.first() else {
            self.phase = Phase::Idle;
            return;
        };
        let blocks = request.blocks();
        let Some((is_read, number)) = request.data_command() else {
            // There is nothing that a card keeps back: a write is done when the card says that it has programmed it.
            return match request.command {
                DiskCommand::Discard(_) => self.finish(Err(DiskError::Unsupported)),
                _ => self.ask(),
            };
        };
        let end = request.sector.saturating_add(blocks as u64);
        if blocks == 0 || end > self.woken.data.sectors {
            return self.finish(Err(DiskError::Failed));
        }
        let argument = match self.woken.counts_sectors {
            true => request.sector,
            false => request.sector * BLOCK_LEN as u64,
        };
        self.heard = timer::ticks();
        self.phase = Phase::Moving {
            is_answered: false,
            is_through: false,
            moved: 0,
        };
        let is_sent = self.controller.send(Command {
            number,
            argument: argument as u32,
            answer: Answer::Short,
            data: Some(Data {
                is_read,
                blocks: blocks as u16,
                block_len: BLOCK_LEN as u16,
            }),
        });
        if !is_sent {
            self.recover();
        }
    }

    fn send_plain(&mut self, number: u8, argument: u32) -> bool {
        self.controller.send(Command {
            number,
            argument,
            answer: Answer::Short,
            data: None,
        })
    }

    /// Asks the card how it is.
    fn ask(&mut self) {
        self.heard = timer::ticks();
        self.phase = Phase::Asking { since: self.heard };
        if !self.send_plain(13, self.woken.address) {
            self.recover();
        }
    }

    fn advance(&mut self) {
        let status = self.controller.take_status();
        if status != 0 {
            self.heard = timer::ticks();
        }
        if self.tells_removal && status & status::REMOVED != 0 && !self.controller.has_card() {
            self.controller.shut_down();
            self.is_gone = true;
            return;
        }
        match self.phase {
            Phase::Idle => {}
            Phase::Moving {
                is_answered,
                is_through,
                moved,
            } => self.go_on(status, is_answered, is_through, moved),
            Phase::Asking { since } => self.look_at_answer(status, since),
            Phase::Stopping => {
                if status & (status::COMMAND_DONE | status::ERRORS) != 0 {
                    self.ask_whether_stopped(timer::ticks(), 0, status);
                }
            }
            Phase::Recovering { since, silent } => self.look_at_recovery(status, since, silent),
        }
    }

    /// Whether the card says that it could not. What is protected against writes is not tried again.
    fn has_failed(&mut self, answer: u32) -> bool {
        if answer & WRITE_PROTECTED != 0 {
            self.tries = TRIES;
        }
        answer & CARD_ERRORS != 0
    }

    /// Blocks come or go.
    fn go_on(&mut self, status: u32, mut is_answered: bool, mut is_through: bool, mut moved: usize) {
        if status & status::ERRORS != 0 {
            return self.recover();
        }
        if status & status::COMMAND_DONE != 0 {
            if self.has_failed(self.controller.answer()) {
                return self.recover();
            }
            is_answered = true;
        }
        let Some(request) = self.waiting.first() else {
            return;
        };
        let is_read = request.command == DiskCommand::Read;
        let blocks = request.blocks();
        for _ in 0..BLOCKS_AT_ONCE {
            let is_ready = match is_read {
                true => self.controller.has_block(),
                false => self.controller.wants_block(),
            };
            if !is_ready || moved == blocks {
                break;
            }
            request.move_block(&self.controller, moved);
            moved += 1;
        }
        is_through |= status & status::TRANSFER_DONE != 0;
        self.phase = Phase::Moving {
            is_answered,
            is_through,
            moved,
        };
        match (is_answered && is_through, moved == blocks) {
            (true, true) if is_read => self.finish(Ok(())),
            (true, true) => self.ask(),
            // The controller says that it is through with more than it had.
            (true, false) if !is_read || !self.controller.has_block() => self.recover(),
            _ => {}
        }
    }

    /// The card has said how it is.
    fn look_at_answer(&mut self, status: u32, since: u64) {
        if status & status::ERRORS != 0 {
            return self.recover();
        }
        if status & status::COMMAND_DONE == 0 {
            return;
        }
        let answer = self.controller.answer();
        if self.has_failed(answer) {
            self.recover();
        } else if answer & (STATE | READY_FOR_DATA) == STATE_TRANSFER | READY_FOR_DATA {
            self.finish(Ok(()));
        } else if is_late(since) || !self.send_plain(13, self.woken.address) {
            self.recover();
        }
    }

    /// The first request is done; the next is begun.
    fn finish(&mut self, result: Result<(), DiskError>) {
        let ticket = self.waiting.take_first();
        self.done
            .extend(ticket.map(|ticket| Completion { ticket, result }));
        self.tries = 0;
        self.phase = Phase::Idle;
        self.begin();
    }
}
