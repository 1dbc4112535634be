//! Reading and writing an open file, at its position or elsewhere.

use core::sync::atomic::Ordering;

use abi::Errno;
use abi::events::InotifyEvents;
use uaccess::{Sink, Source};

use super::OpenFile;
use crate::caller::Caller;
use crate::file_ops::{Io, Positioning};

impl OpenFile {
    fn io(&self, position: u64) -> Io {
        Io {
            position,
            flags: self.flags(),
        }
    }

    /// read(2): at the position, which moves on.
    ///
    /// # Errors
    /// `EBADF`, and what the file's operations say.
    #[inline(always)]
    pub fn read(&self, to: &mut dyn Sink) -> Result<usize, Errno> {
        if !self.is_readable() {
            return Err(Errno::EBADF);
        }
        self.at_position(InotifyEvents::IN_ACCESS, |io| self.ops.read(io, to))
    }

    /// write(2): at the position, which moves on.
    ///
    /// # Errors
    /// `EBADF`, and what the file's operations say.
    #[inline(always)]
    pub fn write(&self, caller: &Caller<'_>, from: &mut dyn Source) -> Result<usize, Errno> {
        if !self.is_writable() {
            return Err(Errno::EBADF);
        }
        self.at_position(InotifyEvents::IN_MODIFY, |io| self.ops.write(caller, io, from))
    }

    /// As [`OpenFile::read`], for a transfer of many pieces that is told at its end ([`OpenFile::note_transfer`]).
    ///
    /// # Errors
    /// As of [`OpenFile::read`].
    pub fn read_piece(&self, to: &mut dyn Sink) -> Result<usize, Errno> {
        if !self.is_readable() {
            return Err(Errno::EBADF);
        }
        self.at_position_if_any(|io| self.ops.read(io, to))
    }

    /// As [`OpenFile::write`], for a transfer of many pieces that is told at its end ([`OpenFile::note_transfer`]).
    ///
    /// # Errors
    /// As of [`OpenFile::write`].
    pub fn write_piece(&self, caller: &Caller<'_>, from: &mut dyn Source) -> Result<usize, Errno> {
        if !self.is_writable() {
            return Err(Errno::EBADF);
        }
        self.at_position_if_any(|io| self.ops.write(caller, io, from))
    }

    /// Does one transfer at the shared position, nobody else moves it meanwhile; and tells who watches.
    #[inline(always)]
    fn at_position(
        &self,
        what: InotifyEvents,
        transfer: impl FnOnce(&mut Io) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        if self.is_plain {
            return transfer(&mut self.io(0));
        }
        let result = self.at_position_if_any(transfer);
        self.note_transfer(what, &result);
        result
    }

    /// The transfer alone.
    #[inline(always)]
    fn at_position_if_any(
        &self,
        transfer: impl FnOnce(&mut Io) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        if self.positioning != Positioning::Bytes {
            return transfer(&mut self.io(0));
        }
        let _position_lock = self.position_lock.lock()?;
        let mut io = self.io(self.position.load(Ordering::Relaxed));
        let result = transfer(&mut io);
        self.position.store(io.position, Ordering::Relaxed);
        result
    }

    /// pread64(2): reads at `offset`; the position stays.
    ///
    /// # Errors
    /// `EBADF`, `ESPIPE`.
    pub fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let result = self.read_piece_at(offset, to);
        self.note_transfer(InotifyEvents::IN_ACCESS, &result);
        result
    }

    /// As [`OpenFile::read_at`], for a transfer of many pieces that is told at its end ([`OpenFile::note_transfer`]).
    ///
    /// # Errors
    /// As of [`OpenFile::read_at`].
    pub fn read_piece_at(&self, offset: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        if !self.is_readable() {
            return Err(Errno::EBADF);
        }
        self.check_positioned()?;
        self.ops.read(&mut self.io(offset), to)
    }

    /// pwrite64(2): writes at `offset`, or at the end with `O_APPEND`; the position stays.
    ///
    /// # Errors
    /// `EBADF`, `ESPIPE`.
    pub fn write_at(&self, caller: &Caller<'_>, offset: u64, from: &mut dyn Source) -> Result<usize, Errno> {
        let result = self.write_piece_at(caller, offset, from);
        self.note_transfer(InotifyEvents::IN_MODIFY, &result);
        result
    }

    /// As [`OpenFile::write_at`], for a transfer of many pieces that is told at its end.
    ///
    /// # Errors
    /// As of [`OpenFile::write_at`].
    pub fn write_piece_at(
        &self,
        caller: &Caller<'_>,
        offset: u64,
        from: &mut dyn Source,
    ) -> Result<usize, Errno> {
        if !self.is_writable() {
            return Err(Errno::EBADF);
        }
        self.check_positioned()?;
        self.ops.write(caller, &mut self.io(offset), from)
    }

    fn check_positioned(&self) -> Result<(), Errno> {
        match self.positioning {
            Positioning::Stream | Positioning::SeekOnly => Err(Errno::ESPIPE),
            Positioning::Ignored | Positioning::Bytes => Ok(()),
        }
    }
}
