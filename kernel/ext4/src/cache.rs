//! The blocks of metadata that are in memory, and what of them is written when.
//!
//! A call changes copies of its own (`changed`). If it fails they are thrown away and nothing has happened; if it succeeds all of
//! them join the running transaction. A commit writes that to the journal; the blocks then wait (`home`) until a checkpoint writes
//! them to their places. All but the last step of each happens in memory that was there before.

use crate::seal::Seal;
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use memory::fallible::map::Map;
use memory::fallible::{self, TryVec, push_within_capacity};

/// The bytes of a block, which nobody changes while others have them.
pub type Bytes = Arc<Vec<u8>>;

/// A block that is in memory.
pub struct CachedBlock {
    /// As it is now.
    pub data: Bytes,
    /// How it is sealed.
    pub seal: Seal,
    /// Its checksum was right, or is written later.
    pub verified: bool,
    /// Changed since the last commit.
    pub running: bool,
    /// As the last commit had it, of a bitmap that is running.
    pub committed: Option<Bytes>,
    /// As it is to be written to its place.
    pub home: Option<Bytes>,
    /// Used since the hand of the clock came by.
    used: bool,
}

/// A block as the call under way has it.
struct Changed {
    block: u64,
    data: Bytes,
    seal: Seal,
    /// It had no slot before.
    is_new: bool,
}

/// All of them.
pub struct Cache {
    slots: Map<u64, CachedBlock>,
    /// By number.
    changed: Vec<Changed>,
    /// Freed by the call under way; with a record for the journal or without.
    forgotten: Vec<(u64, Forget)>,
    /// Changed since the last commit; some may have been forgotten.
    pub running: Vec<u64>,
    /// Freed since the last commit: old copies of them in the journal are void.
    pub revoked: Vec<u64>,
    /// Forgotten without a record.
    dropped: Vec<u64>,
    /// With a `home`; some may have none any more.
    pub awaiting: Vec<u64>,
    /// Most slots, of which those that are running or awaiting are not counted out.
    most: usize,
    hand: u64,
}

/// What becomes of the copies of a block that is freed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Forget {
    /// The journal may have some: they are revoked.
    Revoke,
    /// It was born after the last commit.
    Drop,
}

impl Cache {
    /// An empty one for at most so many blocks that could be read again.
    pub fn new(most: usize) -> Cache {
        Cache {
            slots: Map::new(),
            changed: Vec::new(),
            forgotten: Vec::new(),
            running: Vec::new(),
            revoked: Vec::new(),
            dropped: Vec::new(),
            awaiting: Vec::new(),
            most,
            hand: 0,
        }
    }

    fn place(&self, block: u64) -> Result<usize, usize> {
        self.changed.binary_search_by_key(&block, |changed| changed.block)
    }

    /// The block as the call under way sees it, and whether its checksum need not be looked at.
    pub fn get(&mut self, block: u64) -> Option<(Bytes, bool)> {
        if let Ok(at) = self.place(block) {
            return Some((self.changed[at].data.clone(), true));
        }
        let slot = self.slots.get_mut(&block)?;
        slot.used = true;
        Some((slot.data.clone(), slot.verified))
    }

    /// Its checksum was right.
    pub fn set_verified(&mut self, block: u64) {
        if let Some(slot) = self.slots.get_mut(&block) {
            slot.verified = true;
        }
    }

    /// Takes in what was read from the disk.
    pub fn insert(&mut self, block: u64, data: Bytes) -> Result<(), Errno> {
        let slot = CachedBlock {
            data,
            seal: Seal::None,
            verified: false,
            running: false,
            committed: None,
            home: None,
            used: true,
        };
        self.slots.insert(block, slot).map(|_| ())
    }

    /// The block as the last commit had it: for bitmaps.
    pub fn committed(&self, block: u64) -> Option<Bytes> {
        let slot = self.slots.get(&block)?;
        Some(slot.committed.as_ref().unwrap_or(&slot.data).clone())
    }

    /// The call's copy of a block that is in memory, for a change.
    pub fn change(&mut self, block: u64, seal: Seal) -> Result<&mut Vec<u8>, Errno> {
        let at = match self.place(block) {
            Ok(at) => at,
            Err(at) => {
                let old = self.slots.get(&block).ok_or(Errno::EIO)?;
                let data = fallible::arc(fallible::bytes(&old.data)?)?;
                self.add(
                    at,
                    Changed {
                        block,
                        data,
                        seal,
                        is_new: false,
                    },
                )?;
                at
            }
        };
        let changed = &mut self.changed[at];
        changed.seal = seal;
        own(&mut changed.data)
    }

    /// The call's copy of a block whose bytes nobody needs any more: zeros.
    pub fn create(&mut self, block: u64, size: usize, seal: Seal) -> Result<&mut Vec<u8>, Errno> {
        let data = fallible::arc(fallible::filled(size, 0)?)?;
        match self.place(block) {
            Ok(at) => {
                let changed = &mut self.changed[at];
                (changed.data, changed.seal) = (data, seal);
                own(&mut changed.data)
            }
            Err(at) => {
                let is_new = !self.slots.contains_key(&block);
                if is_new {
                    self.insert(block, data.clone())?;
                }
                if let Err(error) = self.add(
                    at,
                    Changed {
                        block,
                        data,
                        seal,
                        is_new,
                    },
                ) {
                    if is_new {
                        self.slots.remove(&block);
                    }
                    return Err(error);
                }
                own(&mut self.changed[at].data)
            }
        }
    }

    fn add(&mut self, at: usize, changed: Changed) -> Result<(), Errno> {
        self.changed.try_insert(at, changed)
    }

    /// The block is freed by the call under way.
    pub fn forget(&mut self, block: u64, how: Forget) -> Result<(), Errno> {
        self.forgotten.try_push((block, how))?;
        if let Ok(at) = self.place(block)
            && self.changed.remove(at).is_new
        {
            self.slots.remove(&block);
        }
        Ok(())
    }

    /// Blocks that the call under way has changed.
    pub fn changes(&self) -> usize {
        self.changed.len() + self.forgotten.len()
    }

    /// The call has succeeded: its changes join the running transaction, all or (`ENOMEM`) none.
    pub fn keep(&mut self) -> Result<(), Errno> {
        let Cache {
            slots,
            changed,
            forgotten,
            running,
            revoked,
            dropped,
            ..
        } = self;
        let room = running.try_reserve(changed.len());
        let room = room.and_then(|()| revoked.try_reserve(forgotten.len()));
        room.and_then(|()| dropped.try_reserve(forgotten.len()))
            .map_err(|_| Errno::ENOMEM)?;
        for change in changed.drain(..) {
            let Some(slot) = slots.get_mut(&change.block) else {
                continue;
            };
            let old = core::mem::replace(&mut slot.data, change.data);
            if !slot.running {
                slot.running = true;
                push_within_capacity(running, change.block);
                slot.committed = (change.seal == Seal::Bitmap).then_some(old);
            }
            (slot.seal, slot.verified) = (change.seal, true);
        }
        for (block, how) in forgotten.drain(..) {
            if let Some(slot) = slots.get_mut(&block) {
                slot.running = false;
            }
            match how {
                Forget::Revoke => push_within_capacity(revoked, block),
                Forget::Drop => push_within_capacity(dropped, block),
            }
        }
        for block in dropped.drain(..) {
            if slots.get(&block).is_some_and(|slot| slot.home.is_none()) {
                slots.remove(&block);
            }
        }
        Ok(())
    }

    /// The call has failed: nothing of it stays.
    pub fn undo(&mut self) {
        for change in self.changed.drain(..) {
            if change.is_new {
                self.slots.remove(&change.block);
            }
        }
        self.forgotten.clear();
    }

    /// Leaves out of the running transaction what was forgotten meanwhile, and sorts it.
    pub fn tidy_running(&mut self) {
        let slots = &self.slots;
        self.running
            .retain(|block| slots.get(block).is_some_and(|slot| slot.running));
        self.running.sort_unstable();
        self.running.dedup();
        self.revoked.sort_unstable();
        self.revoked.dedup();
    }

    /// The slot of a block.
    pub fn slot(&mut self, block: u64) -> Option<&mut CachedBlock> {
        self.slots.get_mut(&block)
    }

    /// The bytes of a running block for a last change before it is written.
    pub fn running_bytes(&mut self, block: u64) -> Result<Option<&mut Vec<u8>>, Errno> {
        match self.slots.get_mut(&block) {
            Some(slot) if slot.running => own(&mut slot.data).map(Some),
            _ => Ok(None),
        }
    }

    /// The running transaction is in the journal: its blocks wait for the checkpoint. There is room for them.
    pub fn committed_all(&mut self) {
        let Cache {
            slots,
            running,
            awaiting,
            revoked,
            ..
        } = self;
        for block in running.drain(..) {
            if let Some(slot) = slots.get_mut(&block) {
                (slot.running, slot.committed) = (false, None);
                if slot.home.replace(slot.data.clone()).is_none() {
                    push_within_capacity(awaiting, block);
                }
            }
        }
        for block in revoked.drain(..) {
            slots.remove(&block);
        }
    }

    /// So many blocks can be committed without an allocation. `ENOMEM`.
    pub fn reserve_commit(&mut self) -> Result<(), Errno> {
        let room = self.awaiting.try_reserve(self.running.len());
        room.map_err(|_| Errno::ENOMEM)
    }

    /// The blocks that a checkpoint writes, by number.
    pub fn tidy_awaiting(&mut self) {
        let slots = &self.slots;
        self.awaiting
            .retain(|block| slots.get(block).is_some_and(|slot| slot.home.is_some()));
        self.awaiting.sort_unstable();
        self.awaiting.dedup();
    }

    /// All are in their places.
    pub fn checkpointed(&mut self) {
        for block in self.awaiting.drain(..) {
            if let Some(slot) = self.slots.get_mut(&block) {
                slot.home = None;
            }
        }
    }

    /// Knows nothing any more. Nothing is changed that is not on the disk.
    pub fn forget_all(&mut self) {
        *self = Cache::new(self.most);
    }

    /// Lets go what can be read again, if there is more than `most`: what was not used since the last time. No call is under way.
    pub fn shrink(&mut self) {
        let mut left = 2 * self.slots.len();
        while self.slots.len() > self.most && left > 0 {
            let Some(block) = self.slots.range(self.hand..).next().map(|(block, _)| *block) else {
                self.hand = 0;
                left -= 1;
                continue;
            };
            (self.hand, left) = (block + 1, left - 1);
            if let Some(slot) = self.slots.get_mut(&block) {
                let is_kept = slot.running || slot.home.is_some() || slot.used;
                slot.used = false;
                if !is_kept {
                    self.slots.remove(&block);
                }
            }
            if self.slots.len() <= self.most - self.most / 8 {
                break;
            }
        }
    }
}

/// The bytes for a change: a copy if somebody else has them.
fn own(data: &mut Bytes) -> Result<&mut Vec<u8>, Errno> {
    if Arc::get_mut(data).is_none() {
        *data = fallible::arc(fallible::bytes(data)?)?;
    }
    Arc::get_mut(data).ok_or(Errno::EIO)
}
