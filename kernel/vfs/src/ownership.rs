//! What rights are judged by: mode, owner and group of a file, for readers that take no lock and write nothing that others read. Each
//! step of a path asks it of a directory that many processes walk at the same time.

use core::sync::atomic::{AtomicU32, Ordering, fence};

/// Mode, owner and group as they are together at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// Permission bits: 07777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A copy of them beside the attributes. Changed by one at a time: under the lock of the attributes.
pub(super) struct KeptOwnership {
    /// Odd while the words are being changed.
    sequence: AtomicU32,
    words: [AtomicU32; 3],
}

impl KeptOwnership {
    pub(super) const fn new(now: Ownership) -> Self {
        KeptOwnership {
            sequence: AtomicU32::new(0),
            words: [
                AtomicU32::new(now.mode),
                AtomicU32::new(now.uid),
                AtomicU32::new(now.gid),
            ],
        }
    }

    /// All three of one moment. Waits only for the few stores of a change.
    #[inline]
    pub(super) fn get(&self) -> Ownership {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let [mode, uid, gid] = self.words.each_ref().map(|word| word.load(Ordering::Relaxed));
            // The words come before the second look at the number; who sees a word of a change sees that number's.
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.sequence.load(Ordering::Relaxed) == before {
                return Ownership { mode, uid, gid };
            }
            core::hint::spin_loop();
        }
    }

    /// Changes them. The caller holds the lock of the attributes.
    pub(super) fn set(&self, new: Ownership) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(before.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, new) in self.words.iter().zip([new.mode, new.uid, new.gid]) {
            word.store(new, Ordering::Relaxed);
        }
        self.sequence.store(before.wrapping_add(2), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    fn all(number: u32) -> Ownership {
        Ownership {
            mode: number,
            uid: number,
            gid: number,
        }
    }

    #[test]
    fn what_is_read_is_of_one_moment() {
        const CHANGES: u32 = 200_000;
        let (kept, is_over) = (KeptOwnership::new(all(0)), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        let seen = kept.get();
                        assert_eq!(seen, all(seen.mode));
                        assert!(seen.mode >= last, "time goes on");
                        last = seen.mode;
                    }
                });
            }
            (1..=CHANGES).for_each(|number| kept.set(all(number)));
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(kept.get(), all(CHANGES));
    }
}
