//! Strings one behind the other, each with its NUL, in pieces of a page at most.

use abi::Errno;
use abi::zerocopy::IntoBytes;
use alloc::vec::Vec;
use core::ffi::CStr;
use memory::fallible::{self, TryVec};
use mm::PAGE_SIZE;
use sched::scheduler;

/// Most programs' arguments and environment lie in the first piece.
const FIRST_PIECE: usize = 1024;

/// Strings, each with its NUL.
#[derive(Default, Debug)]
pub struct StringList {
    /// The piece that is added to.
    last: Vec<u8>,
    /// Those that are full.
    full: Vec<Vec<u8>>,
    len: usize,
}

impl StringList {
    /// Bytes of all, NULs included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// All bytes but the first `skipped`, piece by piece.
    pub fn parts(&self, mut skipped: usize) -> impl Iterator<Item = &[u8]> {
        self.full.iter().chain([&self.last]).map(move |piece| {
            let start = skipped.min(piece.len());
            skipped -= start;
            &piece[start..]
        })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn extend(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let piece = self.piece()?;
            let (part, rest) = bytes.split_at(bytes.len().min(piece.capacity() - piece.len()));
            piece.try_extend(part)?;
            self.len += part.len();
            bytes = rest;
        }
        Ok(())
    }

    /// Adds a string from user memory, of at most `most` bytes with its NUL.
    ///
    /// # Errors
    /// `E2BIG` if it is longer, `EFAULT`, `ENOMEM`; `EINTR` if the process is to end.
    pub fn read(&mut self, at: u64, most: usize) -> Result<(), Errno> {
        let mut done = 0;
        while done < most {
            let piece = self.piece()?;
            let before = piece.len();
            let is_whole = uaccess::append_string_part(at.wrapping_add(done as u64), most - done, piece)?;
            if is_whole {
                piece.try_push(0)?;
            }
            let added = piece.len() - before;
            self.len += added;
            if is_whole {
                return Ok(());
            }
            done += added;
            scheduler::cond_resched_killable()?;
        }
        Err(Errno::E2BIG)
    }

    /// The last piece, which has room.
    fn piece(&mut self) -> Result<&mut Vec<u8>, Errno> {
        if self.last.len() == self.last.capacity() {
            self.begin_piece()?;
        }
        Ok(&mut self.last)
    }
}

impl StringList {
    fn begin_piece(&mut self) -> Result<(), Errno> {
        if self.last.is_empty() {
            self.last = fallible::with_room(FIRST_PIECE)?;
            return Ok(());
        }
        let next = fallible::with_room(PAGE_SIZE)?;
        self.full.try_push(core::mem::replace(&mut self.last, next))
    }
}

/// Where the first NUL lies.
#[inline]
pub fn nul_in(bytes: &[u8]) -> Option<usize> {
    CStr::from_bytes_until_nul(bytes).ok().map(CStr::count_bytes)
}

/// A list of pointers in user memory that ends with a null pointer, read some at a time. An address of 0 is an empty list.
pub struct Pointers {
    list: u64,
    /// The next to be read.
    at: u64,
    block: [u64; Pointers::BLOCK],
    /// Which of `block` comes next, and how many were read.
    next: usize,
    len: usize,
}

impl Pointers {
    const BLOCK: usize = 16;

    /// The list at that address.
    pub fn new(list: u64) -> Pointers {
        Pointers {
            list,
            at: list,
            block: [0; Pointers::BLOCK],
            next: 0,
            len: 0,
        }
    }

    /// How many there are before the null pointer; the list then begins anew.
    ///
    /// # Errors
    /// `E2BIG` for more than `most`, `EFAULT`.
    pub fn count(&mut self, most: usize) -> Result<usize, Errno> {
        let mut count = 0;
        while self.advance()?.is_some() {
            count += 1;
            if count > most {
                return Err(Errno::E2BIG);
            }
        }
        self.begin_anew();
        Ok(count)
    }

    /// A list that was read at once is not read again.
    fn begin_anew(&mut self) {
        self.next = 0;
        if self.at != self.list + (self.len * size_of::<u64>()) as u64 {
            (self.at, self.len) = (self.list, 0);
        }
    }

    /// The next pointer.
    ///
    /// # Errors
    /// `EFAULT`; `EINTR` if the process is to end.
    #[inline]
    pub fn advance(&mut self) -> Result<Option<u64>, Errno> {
        if self.list == 0 {
            return Ok(None);
        }
        if self.next == self.len {
            self.refill()?;
        }
        let pointer = self.block[self.next];
        self.next += 1;
        Ok((pointer != 0).then_some(pointer))
    }

    /// Reads no page that the list may not reach.
    fn refill(&mut self) -> Result<(), Errno> {
        scheduler::cond_resched_killable()?;
        let in_page = (PAGE_SIZE - self.at as usize % PAGE_SIZE) / size_of::<u64>();
        let len = in_page.clamp(1, Pointers::BLOCK);
        let block = &mut self.block[..len];
        uaccess::read_bytes(self.at, block.as_mut_bytes())?;
        self.at += size_of_val(block) as u64;
        (self.next, self.len) = (0, len);
        Ok(())
    }
}
