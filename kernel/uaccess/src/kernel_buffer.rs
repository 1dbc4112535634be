//! Kernel memory as a place to read to and to write from.

use abi::Errno;
use alloc::vec::Vec;
use mm::Frame;
use platform::user_copy::UserFault;

use super::buffer::{Sink, Source};
use memory::fallible::TryVec;

/// Bytes of the kernel as a source.
pub struct KernelSource<'a>(pub &'a [u8]);

impl<'a> KernelSource<'a> {
    fn next(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

impl Source for KernelSource<'_> {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        Ok(self.try_take(into, &mut None))
    }

    fn try_take(&mut self, into: &mut [u8], _fault: &mut Option<UserFault>) -> usize {
        let taken = self.next(into.len());
        into[..taken.len()].copy_from_slice(taken);
        taken.len()
    }

    fn try_take_into_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        _fault: &mut Option<UserFault>,
    ) -> usize {
        let taken = self.next(len);
        platform::frame::write(frame, offset, taken);
        taken.len()
    }
}

/// Kernel memory as a place to read to.
pub struct KernelSink<'a> {
    bytes: &'a mut [u8],
    filled: usize,
}

impl<'a> KernelSink<'a> {
    /// The whole of `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> KernelSink<'a> {
        KernelSink { bytes, filled: 0 }
    }

    fn part(&mut self, most: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += most.min(self.bytes.len() - start);
        &mut self.bytes[start..self.filled]
    }
}

impl Sink for KernelSink<'_> {
    fn room(&self) -> usize {
        self.bytes.len() - self.filled
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        Ok(self.try_put(bytes, &mut None))
    }

    fn try_put(&mut self, bytes: &[u8], _fault: &mut Option<UserFault>) -> usize {
        let part = self.part(bytes.len());
        part.copy_from_slice(&bytes[..part.len()]);
        part.len()
    }

    fn try_put_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        _fault: &mut Option<UserFault>,
    ) -> usize {
        let part = self.part(len);
        platform::frame::read(frame, offset, part);
        part.len()
    }
}

/// A list as a place to read to, as far as it has room: nothing is filled beforehand.
pub struct ListSink<'a>(pub &'a mut Vec<u8>);

impl Sink for ListSink<'_> {
    fn room(&self) -> usize {
        self.0.capacity() - self.0.len()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        let part = &bytes[..bytes.len().min(self.room())];
        self.0.try_extend(part)?;
        Ok(part.len())
    }

    fn try_put(&mut self, bytes: &[u8], _fault: &mut Option<UserFault>) -> usize {
        // Within its capacity: no memory is needed.
        self.put(bytes).unwrap_or(0)
    }

    fn try_put_frame(
        &mut self,
        frame: Frame,
        offset: usize,
        len: usize,
        _fault: &mut Option<UserFault>,
    ) -> usize {
        let len = len.min(self.room());
        platform::frame::append(frame, offset, len, self.0);
        len
    }
}
