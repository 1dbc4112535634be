//! `O_DIRECT`: reads and writes that leave nothing in the cache (open(2)).
//!
//! They go through pages all the same, so they see what others have written and mapped, and are seen by them. Who writes waits until the
//! disk has taken the bytes; what is still kept of the pages afterwards, unless somebody maps them, is given back.

use alloc::sync::Arc;
use core::ops::Range;

use abi::Errno;
use sched::scheduler;
use uaccess::{Sink, Source};

use crate::PAGE;
use crate::cache::CachedFile;
use crate::read::ReadAhead;
use crate::reclaim::Marks;
use crate::writeback::WriterPace;

/// Whether the program's memory (the addresses and lengths of it, or-ed) and the position fit the blocks of the disk.
///
/// # Errors
/// `EINVAL`.
pub fn check_direct(unit: usize, at: u64, memory: u64) -> Result<(), Errno> {
    match (at | memory) % unit as u64 {
        0 => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

impl CachedFile {
    /// As [`CachedFile::read`].
    ///
    /// # Errors
    /// As of [`CachedFile::read`].
    pub fn read_direct(self: &Arc<Self>, at: u64, to: &mut dyn Sink) -> Result<usize, Errno> {
        let done = self.read(at, to, &ReadAhead::default())?;
        self.forget_range(at, done);
        Ok(done)
    }

    /// As [`CachedFile::write`].
    ///
    /// # Errors
    /// As of [`CachedFile::write`]; `EIO`, `ENOSPC`: the disk did not take it.
    pub fn write_direct(
        self: &Arc<Self>,
        at: u64,
        from: &mut dyn Source,
        most: usize,
        pace: WriterPace,
    ) -> Result<usize, Errno> {
        let done = self.write(at, from, most, pace)?;
        self.sync(at / PAGE..(at + done as u64).div_ceil(PAGE))?;
        self.forget_range(at, done);
        Ok(done)
    }

    fn forget_range(&self, at: u64, len: usize) {
        let pages: Range<u64> = at / PAGE..(at + len as u64).div_ceil(PAGE);
        let mut from = Some(pages.start);
        while let Some(next) = from.filter(|next| *next < pages.end) {
            from = self.give_back(next, Marks::Ignored).1;
            scheduler::cond_resched();
        }
    }
}
