//! A host has no disk: what stands above is tested over devices of the test's own.

use crate::devices::registers::Registers;
use crate::devices::sd::{CardError, SdCard};
use crate::disk::{Completion, DiskCommand, DiskError, Piece, Ticket};

/// A disk, of which there is none.
#[derive(Debug)]
pub enum VirtioDisk {}

impl VirtioDisk {
    /// Pieces of one request.
    pub const MOST_PIECES: usize = 32;

    /// There is none.
    pub fn take() -> Option<Result<VirtioDisk, DiskError>> {
        None
    }

    /// The interrupt that says that requests are done.
    pub fn interrupt(&self) -> u32 {
        match *self {}
    }

    /// How many sectors of 512 bytes it has.
    pub fn sectors(&self) -> u64 {
        match *self {}
    }

    /// Bytes of its smallest piece.
    pub fn block_size(&self) -> u32 {
        match *self {}
    }

    /// Pieces that one request may have.
    pub fn most_pieces(&self) -> usize {
        match *self {}
    }

    /// Sectors that one discard may have.
    pub fn max_discard(&self) -> u32 {
        match *self {}
    }

    /// Whether it may not be written.
    pub fn is_read_only(&self) -> bool {
        match *self {}
    }

    /// Whether it keeps written bytes back until a flush.
    pub fn has_cache(&self) -> bool {
        match *self {}
    }

    /// Makes the device let go of its interrupt line.
    pub fn acknowledge_interrupt(&mut self) {
        match *self {}
    }

    /// Hands a request to the device.
    pub fn submit(
        &mut self,
        _ticket: Ticket,
        _command: DiskCommand,
        _sector: u64,
        _pieces: &[Piece],
    ) -> bool {
        match *self {}
    }

    /// Tells the device of what was submitted.
    pub fn notify(&mut self) {
        match *self {}
    }

    /// The next request that the device is done with.
    pub fn complete(&mut self) -> Option<Completion> {
        match *self {}
    }

    /// Gives the device up.
    pub fn give_up(&mut self) {
        match *self {}
    }

    /// What the device said of itself.
    pub fn serial(&self, _ticket: Ticket) -> [u8; 20] {
        match *self {}
    }
}

/// Registers, of which there are none.
#[derive(Clone, Copy, Debug)]
pub enum NoRegisters {}

impl Registers for NoRegisters {
    fn read(&self, _offset: usize) -> u32 {
        match *self {}
    }

    fn write(&self, _offset: usize, _value: u32) {
        match *self {}
    }
}

/// There is none.
pub fn places_for_cards() -> usize {
    0
}

/// There is none.
///
/// # Errors
/// Always.
pub fn find_card(_sleep: &mut dyn FnMut(u64)) -> Result<SdCard, CardError> {
    Err(CardError::NoCard)
}
