//! One page at a time, compressed by LZ4 (crate `lz4_flex`) and back. A page all of whose words are one is kept as that word; one
//! that does not become smaller is kept as it is.

use alloc::vec::Vec;

use abi::Errno;
use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};
use memory::fallible;
use mm::PAGE_SIZE;

use super::store::{PackedAs, Store};

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// What it works with.
pub struct Packing {
    table: CompressTable,
    /// A page.
    page: Vec<u8>,
    /// The same compressed.
    packed: Vec<u8>,
}

impl Packing {
    /// At boot: the table is allocated by the crate, which cannot fail.
    pub fn new() -> Result<Packing, Errno> {
        Ok(Packing {
            table: CompressTable::small(),
            page: fallible::filled(PAGE_SIZE, 0)?,
            packed: fallible::filled(get_maximum_output_size(PAGE_SIZE), 0)?,
        })
    }

    /// Where the bytes of a page are put that is to be packed.
    pub fn page(&mut self) -> &mut [u8] {
        &mut self.page
    }

    /// Keeps the page as page `index`, in place of what was there. `limit`: frames that the store may have, 0 for any number.
    ///
    /// # Errors
    /// `ENOMEM`: there is no frame for it. What was there before is gone.
    pub fn pack(&mut self, store: &mut Store, index: u32, limit: usize) -> Result<(), Errno> {
        store.forget(index);
        let (words, _) = self.page.as_chunks::<WORD>();
        if words.iter().all(|word| *word == words[0]) {
            return store.keep(index, PackedAs::Word, &words[0], limit);
        }
        let Ok(page) = <&[u8; PAGE_SIZE]>::try_from(&self.page[..]) else {
            return Err(Errno::EIO);
        };
        match compress_into_with_table(page, &mut self.packed, &mut self.table) {
            Ok(len) if len <= Store::MOST_PACKED => {
                store.keep(index, PackedAs::Packed, &self.packed[..len], limit)
            }
            _ => store.keep(index, PackedAs::Whole, page, limit),
        }
    }

    /// The bytes of page `index`: zeros where nothing was written.
    ///
    /// # Errors
    /// `EIO`: they cannot be read.
    pub fn unpack(&mut self, store: &Store, index: u32) -> Result<&[u8], Errno> {
        match store.kept(index) {
            None => self.page.fill(0),
            Some((PackedAs::Whole, _)) => store.read(index, &mut self.page),
            Some((PackedAs::Word, len)) => {
                let mut word = [0; WORD];
                store.read(index, &mut word[..len]);
                self.page.as_chunks_mut::<WORD>().0.fill(word);
            }
            Some((PackedAs::Packed, len)) => {
                store.read(index, &mut self.packed[..len]);
                let size = decompress_into(&self.packed[..len], &mut self.page);
                if size.ok() != Some(PAGE_SIZE) {
                    return Err(Errno::EIO);
                }
            }
        }
        Ok(&self.page)
    }
}
