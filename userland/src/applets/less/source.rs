//! The text of a pager: a file that is read where it is looked at, or a stream that is kept as far as it has come.

use alloc::vec::Vec;

use crate::runtime::{Errno, Result};

/// Where bytes come from.
pub trait Bytes {
    /// Reads from an offset; 0 at the end. A stream is asked in order only.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// Whether it can be asked for the same bytes again.
    fn is_file(&self) -> bool;
}

/// The offset of each so-many-th line is remembered.
const MARK: usize = 256;

/// So much is read at once.
const PIECE: usize = 32 << 10;

/// Longest line that is shown as one; what is longer goes on as a line of its own.
const LONGEST: usize = 64 << 10;

/// Lines by number, from 0. Of a file a piece is held at a time, whatever its size.
pub struct Source<'a> {
    bytes: &'a mut dyn Bytes,
    /// Of a stream all that has come, of a file the piece that begins at `start`.
    held: Vec<u8>,
    start: u64,
    marks: Vec<u64>,
    /// The first line whose end has not been seen, and where it begins.
    frontier: (usize, u64),
    is_complete: bool,
}

impl Source<'_> {
    /// Nothing is read yet.
    pub fn new(bytes: &mut dyn Bytes) -> Source<'_> {
        Source {
            bytes,
            held: Vec::new(),
            start: 0,
            marks: Vec::from([0]),
            frontier: (0, 0),
            is_complete: false,
        }
    }

    /// How many lines there are, as far as is known.
    pub fn known_lines(&self) -> usize {
        self.frontier.0
    }

    /// Whether the end has been seen.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What is held from an offset on, read if need be; empty at the end.
    fn piece(&mut self, offset: u64) -> Result<&[u8]> {
        let is_held = (self.start..self.start + self.held.len() as u64).contains(&offset);
        if !is_held && self.bytes.is_file() {
            self.held.resize(PIECE, 0);
            let read = self.bytes.read_at(offset, &mut self.held);
            self.held.truncate(*read.as_ref().unwrap_or(&0));
            self.start = offset;
            read?;
        } else if !is_held {
            let len = self.held.len();
            self.held.try_reserve(PIECE).map_err(|_| Errno::ENOMEM)?;
            self.held.resize(len + PIECE, 0);
            let read = self.bytes.read_at(len as u64, &mut self.held[len..]);
            self.held.truncate(len + *read.as_ref().unwrap_or(&0));
            read?;
        }
        let from = (offset - self.start) as usize;
        Ok(self.held.get(from..).unwrap_or_default())
    }

    /// The line that begins at an offset, without its newline, and where the next one begins; `None` at the end.
    fn line_at(&mut self, offset: u64) -> Result<Option<(Vec<u8>, u64)>> {
        let (mut line, mut at) = (Vec::new(), offset);
        loop {
            let piece = self.piece(at)?;
            if piece.is_empty() {
                let found = (!line.is_empty()).then_some((line, at));
                return Ok(found);
            }
            let room = LONGEST - line.len();
            let end = piece.iter().take(room).position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(piece.len().min(room));
            line.extend_from_slice(&piece[..taken]);
            at += taken as u64;
            if end.is_some() {
                return Ok(Some((line, at + 1)));
            }
            if line.len() == LONGEST {
                return Ok(Some((line, at)));
            }
        }
    }

    /// The line of a number; `None` behind the last. What comes before it is read if it has not been. `EINTR` if the user has
    /// had enough of waiting.
    pub fn line(&mut self, number: usize) -> Result<Option<Vec<u8>>> {
        while self.frontier.0 <= number && !self.is_complete {
            self.advance()?;
        }
        if number >= self.frontier.0 {
            return Ok(None);
        }
        let mut offset = self.marks[number / MARK];
        for _ in 0..number % MARK {
            let Some((_, next)) = self.line_at(offset)? else {
                return Ok(None);
            };
            offset = next;
        }
        Ok(self.line_at(offset)?.map(|(line, _)| line))
    }

    /// Sees one line more.
    fn advance(&mut self) -> Result<()> {
        let (number, offset) = self.frontier;
        let Some((_, next)) = self.line_at(offset)? else {
            self.is_complete = true;
            return Ok(());
        };
        self.frontier = (number + 1, next);
        if (number + 1).is_multiple_of(MARK) {
            self.marks.push(next);
        }
        Ok(())
    }

    /// Reads to the end; how many lines there are.
    pub fn count(&mut self) -> Result<usize> {
        while !self.is_complete {
            self.advance()?;
        }
        Ok(self.frontier.0)
    }
}
