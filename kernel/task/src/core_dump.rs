//! Core dumps: core(5). The thread that takes the signal has the others end, which leave their registers behind (`registers`),
//! and writes the memory of the process to a file: an ELF that debuggers open (`notes`, `segments`, `image`). Nothing is
//! written for a process that may not be looked into, nor beyond `RLIMIT_CORE`, which is 0 until somebody raises it.
//!
//! Its parts are not inlined: what notes and segments need is not to lie on the stack below a file system that makes the file.

mod image;
mod notes;
pub mod pattern;
mod registers;
mod segments;

pub use registers::{Registers, leave_registers};

use crate::process::INIT;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::file::OpenFlags;
use abi::process::RLIMIT_CORE;
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use alloc::vec::Vec;
use platform::user::UserContext;
use vfs::{self, LastLink, LookupContext, OpenFile, Subject, tree};

/// Less than this is no core: `ELF_EXEC_PAGESIZE`.
const LEAST: u64 = mm::PAGE_SIZE as u64;

/// Dumps the process of the running thread, which `info` is about to end: the other threads end first. Whether there is a core
/// now, be it cut at the limit or for want of room. No lock may be held.
#[inline(never)]
pub fn write(thread: &Arc<Thread>, context: &UserContext, signal: Signal, info: &SigInfo) -> bool {
    let process = thread.process();
    let limit = process.limit(RLIMIT_CORE);
    if process.pid == INIT || limit < LEAST || !process.is_dumpable() {
        return false;
    }
    match try_write(thread, context, signal, info, limit) {
        Ok(()) => true,
        Err(error) => {
            klog::info!(
                "{}[{}]: no core: {}",
                process.name(),
                process.pid,
                error.message()
            );
            false
        }
    }
}

fn try_write(
    thread: &Arc<Thread>,
    context: &UserContext,
    signal: Signal,
    info: &SigInfo,
    limit: u64,
) -> Result<(), Errno> {
    let others = thread.process().end_others_for_dump(thread)?;
    let name = pattern::expand(thread, signal)?;
    let file = create(thread, &name)?;
    let segments = segments::collect(thread)?;
    let notes = notes::collect(thread, context, info, &others, &segments)?;
    image::write(thread, &file, &segments, &notes, limit)
}

/// A new file of the process's user that nobody else may read, in the place of one that stands there. `EACCES` and what
/// open(2) says; `EPERM` where the file system made something else of it.
#[inline(never)]
fn create(thread: &Thread, name: &[u8]) -> Result<Arc<OpenFile>, Errno> {
    let fs_context = thread.fs_context().snapshot()?;
    let subject = Subject::new(thread.process().credentials());
    let context = LookupContext::current(&fs_context, subject.clone());
    // If it cannot be removed, opening says why.
    let _old = remove(&context, name, &subject);
    let flags = OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_WRONLY | OpenFlags::O_NOFOLLOW;
    let file = vfs::open(&context, name, flags, 0o600)?;
    let attributes = file.inode().attributes();
    let is_own = attributes.uid == subject.owner() && attributes.mode & 0o677 == 0o600;
    if is_own && file.inode().regular().is_some() {
        Ok(file)
    } else {
        Err(Errno::EPERM)
    }
}

fn remove(context: &LookupContext<'_>, name: &[u8], subject: &Subject) -> Result<(), Errno> {
    let end = context.lookup().walk(name, LastLink::Keep)?;
    tree::unlink(&end, subject)
}

/// Bytes one behind the other.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        self.0.try_reserve(bytes.len()).map_err(|_| Errno::ENOMEM)?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn words32(&mut self, words: &[u32]) -> Result<(), Errno> {
        words.iter().try_for_each(|word| self.put(&word.to_le_bytes()))
    }

    fn words64(&mut self, words: &[u64]) -> Result<(), Errno> {
        words.iter().try_for_each(|word| self.put(&word.to_le_bytes()))
    }

    /// Zeros up to a multiple of `align`.
    fn pad(&mut self, align: usize) -> Result<(), Errno> {
        while !self.0.len().is_multiple_of(align) {
            self.put(&[0])?;
        }
        Ok(())
    }
}
