//! What drives a disk: it takes requests, does them in any order, and tells which are done.

use platform::disk::{Completion, DiskCommand, Piece, SdCard, Ticket, VirtioDisk};

/// A disk as its driver sees it. All methods are short and none sleeps; the disk's lock is held.
pub trait DiskDriver: Send {
    /// Hands over a request, whose frames the caller holds until it is completed, under a ticket that is not in use; whether there was room
    /// for it.
    fn submit(&mut self, ticket: Ticket, command: DiskCommand, sector: u64, pieces: &[Piece]) -> bool;

    /// Makes the device look at what was submitted.
    fn notify(&mut self);

    /// Makes the device let go of its interrupt line.
    fn acknowledge(&mut self);

    /// The next request that is done.
    fn complete(&mut self) -> Option<Completion>;

    /// The device does not answer any more: whatever it has is completed, as failed.
    fn give_up(&mut self);

    /// Looks whether the device is still at work: whoever waits has heard nothing for a while.
    fn check_up(&mut self) {}

    /// Whether the device was taken away: what it had, and what it is given, fails.
    fn is_gone(&self) -> bool {
        false
    }

    /// What the device said to an [`DiskCommand::Identify`], completed last.
    fn serial(&self, ticket: Ticket) -> [u8; 20];
}

impl DiskDriver for VirtioDisk {
    fn submit(&mut self, ticket: Ticket, command: DiskCommand, sector: u64, pieces: &[Piece]) -> bool {
        VirtioDisk::submit(self, ticket, command, sector, pieces)
    }

    fn notify(&mut self) {
        VirtioDisk::notify(self);
    }

    fn acknowledge(&mut self) {
        self.acknowledge_interrupt();
    }

    fn complete(&mut self) -> Option<Completion> {
        VirtioDisk::complete(self)
    }

    fn give_up(&mut self) {
        VirtioDisk::give_up(self);
    }

    fn serial(&self, ticket: Ticket) -> [u8; 20] {
        VirtioDisk::serial(self, ticket)
    }
}

impl DiskDriver for SdCard {
    fn submit(&mut self, ticket: Ticket, command: DiskCommand, sector: u64, pieces: &[Piece]) -> bool {
        SdCard::submit(self, ticket, command, sector, pieces)
    }

    fn notify(&mut self) {
        SdCard::notify(self);
    }

    fn acknowledge(&mut self) {
        self.serve();
    }

    fn complete(&mut self) -> Option<Completion> {
        SdCard::complete(self)
    }

    fn give_up(&mut self) {
        SdCard::give_up(self);
    }

    fn check_up(&mut self) {
        SdCard::check_up(self);
    }

    fn is_gone(&self) -> bool {
        SdCard::is_gone(self)
    }

    fn serial(&self, _: Ticket) -> [u8; 20] {
        SdCard::serial(self)
    }
}
