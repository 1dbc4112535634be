//! What an inode keeps of extended attributes, and the pages that they take.

use alloc::boxed::Box;
use alloc::vec::Vec;

use abi::Errno;
use abi::xattr::XattrFlags;
use mm::PAGE_SIZE;

use crate::super_block::SuperBlock;
use lock::Mutex;
use memory::fallible::TryVec;

/// A file has no more: all are looked at and dropped in one step.
const MOST: usize = 512;
/// What each takes beside its name and its value.
const OVERHEAD: usize = 64;

/// The extended attributes of one file.
#[derive(Default)]
pub struct ExtendedAttributes(pub(super) Mutex<Option<Box<AttributeSet>>>);

#[derive(Default)]
pub(super) struct AttributeSet {
    /// By name.
    pub(super) entries: Vec<ExtendedAttribute>,
    bytes: usize,
    pages: u64,
}

pub(super) struct ExtendedAttribute {
    pub(super) name: Box<[u8]>,
    pub(super) value: Vec<u8>,
}

impl ExtendedAttribute {
    fn bytes(&self) -> usize {
        self.name.len() + self.value.len() + OVERHEAD
    }
}

impl AttributeSet {
    pub(super) fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.name[..].cmp(name))
    }

    /// Takes pages from the filesystem, or gives some back, for so many bytes. `ENOSPC`.
    fn charge(&mut self, filesystem: &SuperBlock, bytes: usize) -> Result<(), Errno> {
        let pages = bytes.div_ceil(PAGE_SIZE) as u64;
        for taken in 0..pages.saturating_sub(self.pages) {
            if !filesystem.charge_page() {
                filesystem.discharge_pages(taken);
                return Err(Errno::ENOSPC);
            }
        }
        filesystem.discharge_pages(self.pages.saturating_sub(pages));
        (self.bytes, self.pages) = (bytes, pages);
        Ok(())
    }

    /// Puts `entry` in its place; the old one, or the new one if there is no room for it. `EEXIST`, `ENODATA`, `ENOSPC`, `ENOMEM`.
    pub(super) fn set(
        &mut self,
        filesystem: &SuperBlock,
        entry: ExtendedAttribute,
        flags: XattrFlags,
    ) -> (Result<(), Errno>, Option<ExtendedAttribute>) {
        let found = self.find(&entry.name);
        let old = found.map_or(0, |at| self.entries[at].bytes());
        let refusal = match found {
            Ok(_) if flags.contains(XattrFlags::XATTR_CREATE) => Err(Errno::EEXIST),
            Err(_) if flags.contains(XattrFlags::XATTR_REPLACE) => Err(Errno::ENODATA),
            Err(_) if self.entries.len() >= MOST => Err(Errno::ENOSPC),
            Err(_) => self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM),
            Ok(_) => Ok(()),
        };
        let charged = refusal.and_then(|()| self.charge(filesystem, self.bytes - old + entry.bytes()));
        match (charged, found) {
            (Err(error), _) => (Err(error), Some(entry)),
            (Ok(()), Ok(at)) => (Ok(()), Some(core::mem::replace(&mut self.entries[at], entry))),
            (Ok(()), Err(at)) => {
                // There is room for it.
                let pushed = self.entries.try_push(entry);
                self.entries[at..].rotate_right(1);
                (pushed, None)
            }
        }
    }

    pub(super) fn remove(
        &mut self,
        filesystem: &SuperBlock,
        name: &[u8],
    ) -> Result<ExtendedAttribute, Errno> {
        let at = self.find(name).map_err(|_| Errno::ENODATA)?;
        let entry = self.entries.remove(at);
        let less = self.charge(filesystem, self.bytes - entry.bytes());
        debug_assert!(less.is_ok(), "xattr: to give back is not refused");
        Ok(entry)
    }
}

impl ExtendedAttributes {
    /// The file is gone: gives back what its attributes took.
    pub fn release(&mut self, filesystem: &SuperBlock) {
        if let Some(set) = self.0.get_mut().take() {
            filesystem.discharge_pages(set.pages);
        }
    }
}
