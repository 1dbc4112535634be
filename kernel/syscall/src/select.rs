//! Waiting for several files as sets of descriptors name them: pselect6(2). How it is waited is told in `poll`.

use super::poll::{Mask, Watchlist, deadline, wait_masked};
use abi::Errno;
use abi::file::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};
use abi::zerocopy::IntoBytes;
use sched::paged::Paged;
use sched::scheduler;
use task::thread::Thread;
use uaccess::{read_bytes, read_value, write_bytes};
use vfs::file_table::MAX_DESCRIPTORS;

/// Bits in a word of a descriptor set.
const WORD: usize = u64::BITS as usize;

/// Words that are read or written at once: as many as descriptors mostly need.
const AT_ONCE: usize = 16;

/// What makes a file ready, for each of the three sets of select(2).
const READY: [i16; 3] = [
    POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR | POLLNVAL,
    POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR | POLLNVAL,
    POLLPRI | POLLNVAL,
];

/// What makes a file ready for one of them.
const ANY: i16 = READY[0] | READY[1] | READY[2];

/// A word of each of the three sets: what was asked for, and what is ready.
#[derive(Clone, Copy, Default)]
struct SetWords {
    asked: [u64; 3],
    ready: [u64; 3],
}

/// The sets.
struct Selected {
    words: Paged<SetWords>,
    count: usize,
}

impl Watchlist for Selected {
    #[inline]
    fn look(&mut self, mut events: impl FnMut(usize, i32) -> Option<i16>) -> Result<usize, Errno> {
        let (mut first, mut place, mut ready) = (0, 0, 0);
        for words in self.words.pieces_mut().flatten() {
            words.ready = [0; 3];
            let [read, write, exceptions] = words.asked;
            let mut left = read | write | exceptions;
            while left != 0 {
                let bit = left.trailing_zeros();
                let events = events(place, first + bit as i32).ok_or(Errno::EBADF)?;
                ready += words.note(bit, events);
                left &= left - 1;
                place += 1;
            }
            first += WORD as i32;
            scheduler::cond_resched_killable()?;
        }
        Ok(ready)
    }

    fn len(&self) -> usize {
        self.count
    }
}

impl SetWords {
    /// A file has these events; how many of the sets want them.
    #[inline]
    fn note(&mut self, bit: u32, events: i16) -> usize {
        if events & ANY == 0 {
            return 0;
        }
        let mut count = 0;
        for ((ready, asked), wanted) in self.ready.iter_mut().zip(self.asked).zip(READY) {
            if events & wanted != 0 && asked >> bit & 1 != 0 {
                *ready |= 1 << bit;
                count += 1;
            }
        }
        count
    }
}

/// pselect6(2). `addresses` are those of the sets to read, write and for exceptions; 0 for none.
///
/// # Errors
/// `EBADF`: a descriptor that is not open. `EINVAL`: a negative count, a time or size of the mask that is none.
/// `EINTR`: a handler ran. `ENOMEM`, those of user memory.
pub fn pselect6(
    current: &Thread,
    count: i32,
    addresses: [u64; 3],
    timeout: u64,
    mask: u64,
) -> Result<usize, Errno> {
    let deadline = deadline(timeout)?;
    let mask = read_mask(mask)?;
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let mut selected = read_sets(addresses, count.min(MAX_DESCRIPTORS))?;
    let ready = wait_masked(current, &mut selected, timeout, deadline, mask)?;
    for (set, address) in addresses.into_iter().enumerate() {
        if address != 0 {
            selected.write_answer(set, address)?;
        }
    }
    Ok(ready)
}

/// The three sets, of `count` bits. `ENOMEM`, `EFAULT`.
fn read_sets(addresses: [u64; 3], count: usize) -> Result<Selected, Errno> {
    let len = count.div_ceil(WORD);
    let mut words: Paged<SetWords> = Paged::try_new(len)?;
    let mut selected = 0;
    for (set, address) in addresses.into_iter().enumerate() {
        if address == 0 {
            continue;
        }
        let mut index = 0;
        for piece in words.pieces_mut().flat_map(|piece| piece.chunks_mut(AT_ONCE)) {
            let mut read = [0; AT_ONCE];
            let read = &mut read[..piece.len()];
            read_bytes(word_address(address, index), read.as_mut_bytes())?;
            for (words, asked) in piece.iter_mut().zip(read) {
                words.asked[set] = *asked & bits_below(count, index);
                selected += words.asked[set].count_ones() as usize;
                index += 1;
            }
            scheduler::cond_resched_killable()?;
        }
    }
    let count = selected;
    Ok(Selected { words, count })
}

/// Those bits of a word that stand for descriptors below `count`.
fn bits_below(count: usize, word: usize) -> u64 {
    match count - word * WORD {
        WORD.. => u64::MAX,
        rest => (1 << rest) - 1,
    }
}

fn word_address(set: u64, index: usize) -> u64 {
    set.wrapping_add((index * size_of::<u64>()) as u64)
}

impl Selected {
    /// Writes what is ready of one set to user memory. `EFAULT`.
    fn write_answer(&self, set: usize, address: u64) -> Result<(), Errno> {
        let mut index = 0;
        for piece in self.words.pieces().flat_map(|piece| piece.chunks(AT_ONCE)) {
            let mut ready = [0; AT_ONCE];
            for (to, words) in ready.iter_mut().zip(piece) {
                *to = words.ready[set];
            }
            write_bytes(word_address(address, index), ready[..piece.len()].as_bytes())?;
            index += piece.len();
            scheduler::cond_resched_killable()?;
        }
        Ok(())
    }
}

/// The sixth argument: address and size of the mask.
fn read_mask(address: u64) -> Result<Mask, Errno> {
    if address == 0 {
        return Ok(Mask::default());
    }
    let [mask, size] = read_value::<[u64; 2]>(address)?;
    Mask::read(mask, size)
}
