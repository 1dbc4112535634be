//! Bytes on their way into a pipe or out of it in frames, without a program's memory: what splice(2) hands to files.

use abi::Errno;
use alloc::vec::Vec;
use memory::FrameHandle;
use memory::fallible::TryVec;
use mm::{Frame, PAGE_SIZE};
use platform::user_copy::UserFault;
use uaccess::{Sink, Source};

/// Pages that go their way under one hold of a pipe, or to a file at once.
pub(super) const PAGES: usize = 16;

/// Frames that are filled one after the other, and then belong to a pipe.
pub struct FrameSink {
    frames: Vec<FrameHandle>,
    filled: usize,
    most: usize,
}

impl FrameSink {
    /// With room for `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        FrameSink {
            frames: Vec::new(),
            filled: 0,
            most,
        }
    }

    /// Bytes that were put.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// The frames.
    pub(super) fn into_frames(self) -> Vec<FrameHandle> {
        self.frames
    }

    /// The room in the frame that is filled now: frame, offset, length. Where there is no frame there is no more room.
    fn place(&mut self, most: usize) -> Option<(Frame, usize, usize)> {
        let most = most.min(self.room());
        if most == 0 {
            return None;
        }
        let offset = self.filled % PAGE_SIZE;
        if offset == 0 {
            let pushed = FrameHandle::allocate()
                .ok()
                .and_then(|fresh| self.frames.try_push(fresh).ok());
            if pushed.is_none() {
                self.most = self.filled;
                return None;
            }
        }
        let frame = self.frames.last()?.frame();
        Some((frame, offset, most.min(PAGE_SIZE - offset)))
    }

    /// Takes what `from` has.
    ///
    /// # Errors
    /// Those of user memory, of the first byte. `ENOMEM`.
    pub fn take_from(&mut self, from: &mut dyn Source) -> Result<usize, Errno> {
        let start = self.filled;
        while from.left() > 0
            && let Some((frame, offset, len)) = self.place(from.left())
        {
            match from.take_into_frame(frame, offset, len) {
                Ok(0) => break,
                Ok(taken) => self.filled += taken,
                Err(error) if self.filled == start => return Err(error),
                Err(_) => break,
            }
        }
        if self.filled == start && from.left() > 0 {
            return Err(Errno::ENOMEM);
        }
        Ok(self.filled - start)
    }
}

impl Sink for FrameSink {
    fn room(&self) -> usize {
        self.most - self.filled
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let had_room = self.room() > 0;
        match self.try_put(bytes, &mut None) {
            0 if had_room && !bytes.is_empty() => Err(Errno::ENOMEM),
            put => Ok(put),
        }
    }

    fn try_put(&mut self, bytes: &[u8], _fault: &mut Option<UserFault>) -> usize {
        let mut put = 0;
        while let Some((frame, offset, len)) = self.place(bytes.len() - put) {
            platform::frame::write(frame, offset, &bytes[put..put + len]);
            put += len;
            self.filled += len;
        }
        put
    }

    fn try_put_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        _fault: &mut Option<UserFault>,
    ) -> usize {
        let mut put = 0;
        while let Some((to, to_offset, part)) = self.place(len - put) {
            platform::frame::copy((frame, offset + put), (to, to_offset), part);
            put += part;
            self.filled += part;
        }
        put
    }
}

/// Bytes in a frame.
#[derive(Clone, Copy)]
pub(super) struct FramePiece {
    pub(super) frame: Frame,
    pub(super) offset: usize,
    pub(super) len: usize,
}

impl FramePiece {
    /// No bytes.
    pub(super) const NONE: FramePiece = FramePiece {
        frame: Frame(0),
        offset: 0,
        len: 0,
    };
}

/// The first bytes of a pipe, which nobody else reads meanwhile.
pub struct FrameSource<'a> {
    pieces: &'a [FramePiece],
    /// How many bytes of the first piece were taken.
    taken: usize,
    left: usize,
}

impl<'a> FrameSource<'a> {
    pub(super) fn new(pieces: &'a [FramePiece]) -> Self {
        FrameSource {
            pieces,
            taken: 0,
            left: pieces.iter().map(|piece| piece.len).sum(),
        }
    }

    /// Takes up to `most` bytes, `most` being more than 0, by `take(piece)`.
    fn next(&mut self, most: usize, take: impl FnOnce(FramePiece)) -> usize {
        let Some((piece, rest)) = self.pieces.split_first() else {
            return 0;
        };
        let part = most.min(piece.len - self.taken);
        take(FramePiece {
            frame: piece.frame,
            offset: piece.offset + self.taken,
            len: part,
        });
        self.taken += part;
        self.left -= part;
        if self.taken == piece.len {
            self.pieces = rest;
            self.taken = 0;
        }
        part
    }
}

impl Source for FrameSource<'_> {
    fn left(&self) -> usize {
        self.left
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        Ok(self.try_take(into, &mut None))
    }

    fn try_take(&mut self, into: &mut [u8], _fault: &mut Option<UserFault>) -> usize {
        let mut done = 0;
        while done < into.len() && self.left > 0 {
            let rest = &mut into[done..];
            done += self.next(rest.len(), |piece| {
                platform::frame::read(piece.frame, piece.offset, &mut rest[..piece.len]);
            });
        }
        done
    }

    fn try_take_into_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        _fault: &mut Option<UserFault>,
    ) -> usize {
        let mut done = 0;
        while done < len && self.left > 0 {
            done += self.next(len - done, |piece| {
                platform::frame::copy((piece.frame, piece.offset), (frame, offset + done), piece.len);
            });
        }
        done
    }
}
