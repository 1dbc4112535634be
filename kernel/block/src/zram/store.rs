//! Where compressed pages are kept: in blocks of 128 bytes, 32 to a frame, each with the number of the next one in front, so that any
//! free block fits any page. A frame none of whose blocks is used is given back. A page that does not become smaller has a frame.

mod frames;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use abi::Errno;
use arrayvec::{ArrayVec, CapacityError};
use memory::FrameHandle;
use memory::fallible::{self, TryVec};
use mm::PAGE_SIZE;
use platform::frame;

use frames::{KeptFrame, RECORDS};

/// Pages, at most: 128 GiB.
pub const MOST_PAGES: u32 = 1 << 25;
/// Frames that are kept for when there are none.
pub const RESERVE: usize = 32;
/// Bytes of a block.
const BLOCK: usize = 128;
/// Blocks of a frame, a bit of a word for each.
const BLOCKS: u32 = (PAGE_SIZE / BLOCK) as u32;
/// Bytes of a block's link to the next.
const LINK: usize = size_of::<u32>();
/// Bytes of a page in a block.
const PAYLOAD: usize = BLOCK - LINK;
/// No frame, or no block.
const NONE: u32 = u32::MAX;
/// Entries that lie together.
const PIECE: usize = 512;
/// Pages that [`Store::forget_some`] looks at.
const FORGOTTEN: u32 = 256;

/// As what a page is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackedAs {
    /// A word, which is all that it consists of.
    Word,
    /// Compressed.
    Packed,
    /// As it is, in a frame.
    Whole,
}

/// A page's first block, or the record of its frame; its length, and how it is kept.
#[derive(Clone, Copy, Default)]
struct KeptPage(Option<(u32, u16, PackedAs)>);

/// What is kept, in numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct StoreUsage {
    /// Pages.
    pub pages: u64,
    /// Their bytes as they are kept.
    pub packed_bytes: u64,
    /// Pages that are kept as a word.
    pub same: u64,
    /// Pages that are kept as they are.
    pub whole: u64,
    /// Frames.
    pub frames: u64,
    /// The most frames that there were.
    pub most_frames: u64,
}

/// All pages of one disk.
pub struct Store {
    entries: Vec<Vec<KeptPage>>,
    records: Vec<Vec<KeptFrame>>,
    /// Records that exist.
    known: u32,
    /// The first frame with free blocks.
    partial: u32,
    /// The first record without a frame.
    vacant: u32,
    reserve: ArrayVec<FrameHandle, RESERVE>,
    /// Room for the next records, kept as the reserve is.
    next_records: Option<Vec<KeptFrame>>,
    usage: StoreUsage,
    /// Where [`Store::forget_some`] goes on.
    next: u32,
    pages: u32,
}

impl Store {
    /// What is worth compressing is at most as long: it has one block less than a frame.
    pub const MOST_PACKED: usize = (BLOCKS as usize - 1) * PAYLOAD;

    /// Room for so many pages, and the reserve.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(pages: u32) -> Result<Store, Errno> {
        let count = (pages as usize).div_ceil(PIECE);
        let mut entries = fallible::with_room(count)?;
        for _ in 0..count {
            entries.try_push(fallible::filled(PIECE, KeptPage::default())?)?;
        }
        // A page has one frame at most: this list of lists never grows while memory is short.
        let records = fallible::with_room((pages as usize).div_ceil(RECORDS))?;
        let mut reserve = ArrayVec::new();
        while !reserve.is_full() {
            reserve.push(FrameHandle::allocate().map_err(|_| Errno::ENOMEM)?);
        }
        Ok(Store {
            entries,
            records,
            known: 0,
            partial: NONE,
            vacant: NONE,
            reserve,
            next_records: Some(fallible::with_room(RECORDS)?),
            usage: StoreUsage::default(),
            next: 0,
            pages,
        })
    }

    /// Takes frames, and room for their records, into the reserve, as far as there are any.
    pub fn fill_reserve(&mut self) {
        if self.next_records.is_none() {
            self.next_records = fallible::with_room(RECORDS).ok();
        }
        while !self.reserve.is_full()
            && let Ok(frame) = FrameHandle::allocate()
        {
            self.reserve.push(frame);
        }
    }

    /// Puts a frame, whatever is in it, into the reserve; it comes back if that is full.
    pub fn take_for_reserve(&mut self, frame: FrameHandle) -> Option<FrameHandle> {
        self.reserve.try_push(frame).err().map(CapacityError::element)
    }

    /// How much is kept.
    pub fn usage(&self) -> StoreUsage {
        self.usage
    }

    /// How a page is kept, and its length so.
    pub fn kept(&self, index: u32) -> Option<(PackedAs, usize)> {
        let (_, len, kept) = self.entry(index).0?;
        Some((kept, usize::from(len)))
    }

    /// Copies a page out as it is kept; `to` is as long.
    pub fn read(&self, index: u32, to: &mut [u8]) {
        let Some((first, _, kept)) = self.entry(index).0 else {
            return;
        };
        if kept == PackedAs::Whole {
            return frame::read(self.frame(first), 0, to);
        }
        let mut block = first;
        for part in to.chunks_mut(PAYLOAD) {
            let (frame, offset) = self.place(block);
            let mut link = [0; LINK];
            frame::read(frame, offset, &mut link);
            frame::read(frame, offset + LINK, part);
            block = u32::from_ne_bytes(link);
        }
    }

    /// Keeps `bytes` as page `index`, of which nothing is kept. `limit`: frames, at most; 0 for any number.
    ///
    /// # Errors
    /// `ENOMEM`: nothing is kept of it.
    pub fn keep(&mut self, index: u32, kept: PackedAs, bytes: &[u8], limit: usize) -> Result<(), Errno> {
        if index >= self.pages {
            return Err(Errno::EIO);
        }
        let first = match kept {
            PackedAs::Whole => {
                let record = self.add_frame(limit, 0)?;
                frame::write(self.frame(record), 0, bytes);
                record
            }
            PackedAs::Word | PackedAs::Packed => self.chain(bytes, limit)?,
        };
        *self.entry_mut(index) = KeptPage(Some((first, bytes.len() as u16, kept)));
        self.count(kept, bytes.len(), 1);
        Ok(())
    }

    /// Nothing is kept of page `index` any more.
    pub fn forget(&mut self, index: u32) {
        if index >= self.pages {
            return;
        }
        let Some((first, len, kept)) = self.entry_mut(index).0.take() else {
            return;
        };
        match kept {
            PackedAs::Whole => self.remove_frame(first),
            PackedAs::Word | PackedAs::Packed => self.free_chain(first, usize::from(len).div_ceil(PAYLOAD)),
        }
        self.count(kept, usize::from(len), u64::MAX);
    }

    /// Forgets some pages; whether there are more.
    pub fn forget_some(&mut self) -> bool {
        let end = self.pages.min(self.next + FORGOTTEN);
        (self.next..end).for_each(|index| self.forget(index));
        self.next = end;
        end < self.pages
    }

    /// Counts a page once more, or, by `change` of -1, once less.
    fn count(&mut self, kept: PackedAs, len: usize, change: u64) {
        let usage = &mut self.usage;
        let add = |count: &mut u64, number: u64| *count = count.wrapping_add(number.wrapping_mul(change));
        add(&mut usage.pages, 1);
        match kept {
            PackedAs::Word => add(&mut usage.same, 1),
            PackedAs::Packed => add(&mut usage.packed_bytes, len as u64),
            PackedAs::Whole => {
                add(&mut usage.packed_bytes, len as u64);
                add(&mut usage.whole, 1);
            }
        }
    }

    fn entry(&self, index: u32) -> &KeptPage {
        &self.entries[index as usize / PIECE][index as usize % PIECE]
    }

    fn entry_mut(&mut self, index: u32) -> &mut KeptPage {
        &mut self.entries[index as usize / PIECE][index as usize % PIECE]
    }
}

/// Blocks.
impl Store {
    /// Puts bytes into a chain of blocks, the last one first; the first block.
    fn chain(&mut self, bytes: &[u8], limit: usize) -> Result<u32, Errno> {
        let mut first = NONE;
        for (nth, part) in bytes.chunks(PAYLOAD).rev().enumerate() {
            let block = match self.take_block(limit) {
                Ok(block) => block,
                Err(error) => {
                    self.free_chain(first, nth);
                    return Err(error);
                }
            };
            let (frame, offset) = self.place(block);
            frame::write(frame, offset, &first.to_ne_bytes());
            frame::write(frame, offset + LINK, part);
            first = block;
        }
        Ok(first)
    }

    /// Gives back a chain of `len` blocks.
    fn free_chain(&mut self, first: u32, len: usize) {
        let mut block = first;
        for _ in 0..len {
            let (frame, offset) = self.place(block);
            let mut link = [0; LINK];
            frame::read(frame, offset, &mut link);
            self.free_block(block);
            block = u32::from_ne_bytes(link);
        }
    }

    fn take_block(&mut self, limit: usize) -> Result<u32, Errno> {
        if self.partial == NONE {
            let record = self.add_frame(limit, u32::MAX)?;
            self.link(record);
        }
        let index = self.partial;
        let record = self.record(index);
        let block = record.free.trailing_zeros();
        record.free &= record.free - 1;
        if record.free == 0 {
            self.unlink(index);
        }
        Ok(index * BLOCKS + block)
    }

    fn free_block(&mut self, block: u32) {
        let index = block / BLOCKS;
        let record = self.record(index);
        let was_full = record.free == 0;
        record.free |= 1 << (block % BLOCKS);
        let is_empty = record.free == u32::MAX;
        if was_full {
            self.link(index);
        }
        if is_empty {
            self.unlink(index);
            self.remove_frame(index);
        }
    }

    /// Where a block is.
    fn place(&self, block: u32) -> (mm::Frame, usize) {
        (self.frame(block / BLOCKS), (block % BLOCKS) as usize * BLOCK)
    }
}
