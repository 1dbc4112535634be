//! A request of a card: blocks, and the pieces of frames that they come from or go to.

use super::super::registers::Registers;
use super::controller::{BLOCK_LEN, Controller};
use crate::disk::{DiskCommand, Piece};
use crate::frame;
use arrayvec::ArrayVec;

/// Pieces of one request.
pub(super) const MOST_PIECES: usize = 32;

/// A request that the card has, or will have.
#[derive(Clone)]
pub(super) struct Request {
    pub command: DiskCommand,
    pub sector: u64,
    pub pieces: ArrayVec<Piece, MOST_PIECES>,
}

impl Request {
    /// How many blocks it moves.
    pub(super) fn blocks(&self) -> usize {
        let bytes: usize = self.pieces.iter().map(|piece| usize::from(piece.len)).sum();
        bytes / BLOCK_LEN
    }

    /// Whether it reads, and the number of the command that moves its blocks, if any does.
    pub(super) fn data_command(&self) -> Option<(bool, u8)> {
        match (self.command, self.blocks()) {
            (DiskCommand::Read, 0 | 1) => Some((true, 17)),
            (DiskCommand::Read, _) => Some((true, 18)),
            (DiskCommand::Write, 0 | 1) => Some((false, 24)),
            (DiskCommand::Write, _) => Some((false, 25)),
            (DiskCommand::Flush | DiskCommand::Identify | DiskCommand::Discard(_), _) => None,
        }
    }

    /// The bytes of a block: where each part of it lies.
    fn parts(&self, block: usize) -> impl Iterator<Item = (Piece, core::ops::Range<usize>)> + '_ {
        let wanted = block * BLOCK_LEN..(block + 1) * BLOCK_LEN;
        let mut at = 0;
        self.pieces.iter().filter_map(move |piece| {
            let here = at..at + usize::from(piece.len);
            at = here.end;
            let part = here.start.max(wanted.start)..here.end.min(wanted.end);
            let piece = Piece {
                frame: piece.frame,
                offset: piece.offset + (part.start.saturating_sub(here.start)) as u16,
                len: part.len() as u16,
            };
            (!part.is_empty()).then(|| (piece, part.start - wanted.start..part.end - wanted.start))
        })
    }

    /// Moves a block between the controller and the frames of a self.
    pub(super) fn move_block<R: Registers>(&self, controller: &Controller<R>, number: usize) {
        let mut block = [0; BLOCK_LEN];
        if self.command == DiskCommand::Read {
            controller.fetch(&mut block);
            for (piece, part) in self.parts(number) {
                frame::write(piece.frame, piece.offset.into(), &block[part]);
            }
        } else {
            for (piece, part) in self.parts(number) {
                frame::read(piece.frame, piece.offset.into(), &mut block[part]);
            }
            controller.give(&block);
        }
    }
}
