//! Which numbers the slaves of one devpts have.

use abi::Errno;
use alloc::sync::Arc;
use lock::Mutex;
use memory::fallible::map::Map;
use sched::scheduler;
use vfs::Dentry;

use super::limits;

/// Numbers that are looked at under one hold of the lock.
const PIECE: u32 = 512;

/// By number: the name of a slave, or none yet.
pub struct SlaveNumbers(Mutex<Map<u32, Option<Arc<Dentry>>>>);

impl SlaveNumbers {
    pub const fn new() -> Self {
        SlaveNumbers(Mutex::new(Map::new()))
    }

    /// The lowest number that is free, below `most`: nobody else gets it until it is released.
    ///
    /// # Errors
    /// `ENOSPC`: there is none, or there are too many pseudo-terminals. `ENOMEM`.
    pub fn reserve(&self, most: u32) -> Result<u32, Errno> {
        limits::charge()?;
        self.reserve_below(most).inspect_err(|_| limits::discharge())
    }

    fn reserve_below(&self, most: u32) -> Result<u32, Errno> {
        let mut from = 0;
        while from < most {
            let end = most.min(from + PIECE);
            {
                let mut slots = self.0.lock();
                let mut free = from;
                for (number, _) in slots.range(from..).take(PIECE as usize) {
                    if *number != free {
                        break;
                    }
                    free += 1;
                }
                if free < end {
                    slots.insert(free, None)?;
                    return Ok(free);
                }
            }
            from = end;
            scheduler::cond_resched();
        }
        Err(Errno::ENOSPC)
    }

    /// The slave of a reserved number is called so from now on.
    pub fn name(&self, number: u32, name: Arc<Dentry>) {
        if let Some(slot) = self.0.lock().get_mut(&number) {
            *slot = Some(name);
        }
    }

    /// The number is free again; the name that it had.
    pub fn release(&self, number: u32) -> Option<Arc<Dentry>> {
        let removed = self.0.lock().remove(&number);
        limits::discharge();
        removed.flatten()
    }

    /// The slave of that number.
    pub fn find(&self, number: u32) -> Option<Arc<Dentry>> {
        self.0.lock().get(&number)?.clone()
    }

    /// The first slave from that number on.
    pub fn next(&self, from: u32) -> Option<(u32, Arc<Dentry>)> {
        let slots = self.0.lock();
        let mut named = slots
            .range(from..)
            .filter_map(|(number, name)| Some((*number, name.clone()?)));
        named.next()
    }
}
