//! Kernel memory as a place to write from.

use abi::Errno;
use mm::Frame;
use platform::user_copy::UserFault;

use crate::user_memory::Source;

/// Bytes of the kernel as a source.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    fn next(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

impl Source for Bytes<'_> {
    fn left(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        let taken = self.next(into.len());
        into[..taken.len()].copy_from_slice(taken);
        Ok(taken.len())
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
