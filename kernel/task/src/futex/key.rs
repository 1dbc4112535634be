//! What a futex word is known by. Two calls mean the same word if and only if their keys are equal, whatever addresses they
//! gave. Nothing that a key names can be used again for something else while somebody waits by it: a space lives as long as
//! the threads in it, and the number of an object is given once.

use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::process::FUTEX_PRIVATE_FLAG;
use core::cmp::Ordering;
use mm::{FileIdentity, PAGE_SIZE, Sharing, USER_END, VirtAddr};
use sched::space::Space;

/// Who uses a word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// The threads of one space (`FUTEX_PRIVATE_FLAG`): where the word lies need not be looked up.
    Private,
    /// Perhaps several processes.
    Shared,
}

impl Scope {
    /// As `FUTEX_PRIVATE_FLAG` says.
    pub fn of_flags(flags: u32) -> Scope {
        if flags & FUTEX_PRIVATE_FLAG != 0 {
            Scope::Private
        } else {
            Scope::Shared
        }
    }
}

/// A word's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A word of one space, by address. Memory that is not shared stays known by its address when the call allows for sharing,
    /// yet the two scopes do not meet, as on Linux.
    Space {
        /// [`Space::identity`].
        space: usize,
        /// The word's address.
        address: u64,
        /// What the call said of it.
        scope: Scope,
    },
    /// A word of a MAP_SHARED area, by its place in the object.
    Object {
        /// The file or the shared anonymous memory.
        object: FileIdentity,
        /// Page of the object.
        page: u64,
        /// Byte in the page.
        offset: usize,
    },
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An order without a meaning, for maps.
impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        let words = |key: &Key| match *key {
            Key::Space {
                space,
                address,
                scope,
            } => (scope as u64 + 1, space as u64, address, 0, 0),
            Key::Object { object, page, offset } => (0, object.device, object.inode, page, offset),
        };
        words(self).cmp(&words(other))
    }
}

impl Key {
    /// The key of the word at `address` of the space that `current` runs in.
    ///
    /// # Errors
    /// `EINVAL`: it is misaligned. `EFAULT`: no memory of the program is there.
    pub fn of(current: &Thread, scope: Scope, address: u64) -> Result<Key, Errno> {
        if !address.is_multiple_of(size_of::<u32>() as u64) {
            return Err(Errno::EINVAL);
        }
        if address >= USER_END {
            return Err(Errno::EFAULT);
        }
        let space = current.process().space().ok_or(Errno::EFAULT)?;
        let in_space = Key::Space {
            space: Space::identity(&space),
            address,
            scope,
        };
        match scope {
            Scope::Private => Ok(in_space),
            Scope::Shared => {
                // Linux asks for the page, so a word that cannot be read is an error even for a waker.
                uaccess::load_u32(address)?;
                Ok(object_key(&space, VirtAddr(address))?.unwrap_or(in_space))
            }
        }
    }

    /// A number that spreads words over buckets.
    pub fn hash(self) -> u64 {
        /// 2^64 divided by the golden ratio: neighbours come to lie far apart in the upper bits.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (thing, word) = match self {
            Key::Space { space, address, .. } => (space as u64, address),
            Key::Object { object, page, offset } => (object.inode, (page * PAGE_SIZE as u64) | offset as u64),
        };
        (thing.wrapping_mul(SPREAD) ^ (word >> 2)).wrapping_mul(SPREAD)
    }
}

/// The key of a word in a MAP_SHARED area; `None` in another.
fn object_key(space: &Space, address: VirtAddr) -> Result<Option<Key>, Errno> {
    space.with(|memory| {
        let area = memory.areas().find(address).ok_or(Errno::EFAULT)?;
        if area.sharing == Sharing::Private {
            return Ok(None);
        }
        Ok(area.source_page(address).map(|(source, page)| Key::Object {
            object: source.identity(),
            page,
            offset: address.page_offset(),
        }))
    })
}
