//! Cards of SD, in controllers as the BCM2711 has them. Which there are says the device tree; a card is looked for when somebody who may
//! sleep asks for one. The bytes go through the processor, so the device reaches no memory.

mod card;
mod controller;
#[cfg(test)]
mod fake;
mod properties;
mod request;
#[cfg(target_os = "none")]
mod slots;
mod start;
#[cfg(test)]
mod tests;
mod waiting;

#[cfg(target_os = "none")]
pub use slots::{find, places};
pub use start::CardError;

pub(crate) use card::Card;
#[cfg(target_os = "none")]
pub(crate) use controller::CONTROLLER_LEN;
pub(crate) use controller::Controller;
#[cfg(target_os = "none")]
pub(crate) use slots::{MOST, set_slots};

#[cfg(target_os = "none")]
use super::mmio::Mmio as Device;
use crate::disk::{Completion, DiskCommand, Piece, Ticket};
#[cfg(not(target_os = "none"))]
use crate::host::disk::NoRegisters as Device;

/// A place where a card may be: a controller that nobody uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) controller: Controller<Device>,
    pub(crate) interrupt: u32,
    /// It sees whether there is a card.
    pub(crate) tells_removal: bool,
    /// High speed has a bit of its own (not in Arasan's: Linux, sdhci-iproc.c).
    pub(crate) has_high_speed_bit: bool,
}

impl Slot {
    /// Wakes the card in it.
    ///
    /// # Errors
    /// What [`CardError`] lists.
    pub(crate) fn wake(self, sleep: &mut dyn FnMut(u64)) -> Result<SdCard, CardError> {
        let card = Card::wake(
            self.controller,
            self.tells_removal,
            self.has_high_speed_bit,
            sleep,
        )?;
        Ok(SdCard {
            card,
            interrupt: self.interrupt,
        })
    }
}

/// A card, and the interrupt of its controller.
pub struct SdCard {
    card: Card<Device>,
    interrupt: u32,
}

impl SdCard {
    /// Pieces of one request.
    pub const MOST_PIECES: usize = request::MOST_PIECES;

    /// The interrupt (INTID) that says that something is done.
    pub fn interrupt(&self) -> u32 {
        self.interrupt
    }

    /// How many sectors of 512 bytes it has.
    pub fn sectors(&self) -> u64 {
        self.card.sectors()
    }

    /// Whether it may not be written.
    pub fn is_read_only(&self) -> bool {
        self.card.is_read_only()
    }

    /// Whether it counts sectors (SDHC, SDXC) or bytes (SDSC); how many lines of data it has; whether it goes at high speed.
    pub fn kind(&self) -> (bool, u8, bool) {
        self.card.kind()
    }

    /// Its serial number in digits, up to a byte of 0.
    pub fn serial(&self) -> [u8; 20] {
        self.card.serial()
    }

    /// Whether it was taken out.
    pub fn is_gone(&self) -> bool {
        self.card.is_gone()
    }

    /// Takes a request, whose frames the caller holds until [`SdCard::complete`] names the ticket. Whether there was room for it.
    ///
    /// # Panics
    /// If the pieces are no whole blocks, or more than [`SdCard::MOST_PIECES`]: bugs of the caller.
    pub fn submit(&mut self, ticket: Ticket, command: DiskCommand, sector: u64, pieces: &[Piece]) -> bool {
        self.card.submit(ticket, command, sector, pieces)
    }

    /// Begins with what was submitted.
    pub fn notify(&mut self) {
        self.card.notify();
    }

    /// Serves the interrupt.
    pub fn serve(&mut self) {
        self.card.serve();
    }

    /// Looks whether it is still at work, when nothing was heard of it for a while.
    pub fn check_up(&mut self) {
        self.card.check_up();
    }

    /// The next request that is done.
    pub fn complete(&mut self) -> Option<Completion> {
        self.card.complete()
    }

    /// Gives the card up: what it had has failed.
    pub fn give_up(&mut self) {
        self.card.give_up();
    }
}
