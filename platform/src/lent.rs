//! A slot in which others find what its owner lends for as long as a closure runs. The owner pays for no reference: only who
//! takes it out of the slot ([`Lent::get`]) counts one.

use alloc::sync::Arc;
use core::mem;
use core::ptr::NonNull;
use spin::Mutex;

/// The slot. Its lock is taken last of all, as those of `lock`.
pub struct Lent<T, D>(Mutex<Option<Loan<T, D>>>);

struct Loan<T, D> {
    /// What an `Arc` points to that exists as long as this stands in the slot.
    what: NonNull<T>,
    data: D,
}

// SAFETY: who has the loan may have the `Arc` that it is made of, so both `Send` and `Sync` are needed, as for that.
unsafe impl<T: Send + Sync, D: Send> Send for Loan<T, D> {}

impl<T, D: Copy> Lent<T, D> {
    /// A slot with nothing in it.
    pub const fn new() -> Lent<T, D> {
        Lent(Mutex::new(None))
    }

    /// Puts `what` and `data` into the slot while `during` runs, then takes them out and calls `end`, both under one hold of the
    /// lock. One lends at a time; who lends while another does replaces the other's.
    #[inline(always)]
    pub fn lend<R>(&self, what: &Arc<T>, data: D, during: impl FnOnce() -> R, end: impl FnOnce(&R)) -> R {
        // SAFETY: an `Arc` never points to null.
        let pointer = unsafe { NonNull::new_unchecked(Arc::as_ptr(what).cast_mut()) };
        *self.0.lock() = Some(Loan { what: pointer, data });
        let unwound = TakenBack(self);
        let result = during();
        mem::forget(unwound);
        let mut loan = self.0.lock();
        *loan = None;
        end(&result);
        drop(loan);
        result
    }

    /// What is lent, with a reference of the caller's own.
    #[inline]
    pub fn get(&self) -> Option<Arc<T>> {
        let loan = self.0.lock();
        let what = loan.as_ref()?.what.as_ptr();
        // SAFETY: the pointer comes from an `Arc` that `lend` has borrowed. `lend` empties the slot before it returns or unwinds, and
        // cannot while the lock is held here; if it never returns, that `Arc` is borrowed for ever. So the count is not 0, and the
        // reference that is added is the one that is given away.
        unsafe {
            Arc::increment_strong_count(what);
            Some(Arc::from_raw(what))
        }
    }

    /// Shows what is lent, if anything is, to `look`, which runs under the lock.
    #[inline]
    pub fn look<R>(&self, look: impl FnOnce(Option<(&T, &D)>) -> R) -> R {
        let loan = self.0.lock();
        // SAFETY: as in `get`, its `Arc` exists while the lock is held, and `look` cannot keep the reference for longer.
        look(
            loan.as_ref()
                .map(|loan| (unsafe { loan.what.as_ref() }, &loan.data)),
        )
    }
}

impl<T, D: Copy> Default for Lent<T, D> {
    fn default() -> Lent<T, D> {
        Lent::new()
    }
}

/// Empties the slot when the closure of [`Lent::lend`] unwinds.
struct TakenBack<'a, T, D>(&'a Lent<T, D>);

impl<T, D> Drop for TakenBack<'_, T, D> {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    /// Turns lent one after the other while two threads look on.
    const TURNS: u64 = 2_000;

    /// Notes when it is dropped, to be seen by whoever looks at it too late.
    struct Noting<'a> {
        is_there: AtomicBool,
        dropped: &'a AtomicU64,
    }

    impl Noting<'_> {
        fn new(dropped: &AtomicU64) -> Arc<Noting<'_>> {
            let is_there = AtomicBool::new(true);
            Arc::new(Noting { is_there, dropped })
        }
    }

    impl Drop for Noting<'_> {
        fn drop(&mut self) {
            self.is_there.store(false, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_lent_while_the_closure_runs() {
        let slot = Lent::new();
        let what = Arc::new(7);
        assert!(slot.get().is_none());
        let during = || {
            assert_eq!(Arc::strong_count(&what), 1, "the slot has no reference");
            assert!(slot.look(|lent| lent == Some((&7, &"data"))));
            slot.get()
        };
        let end = |got: &Option<Arc<i32>>| {
            assert!(got.is_some());
            assert!(slot.0.is_locked(), "nobody sees it gone before the end is noted");
        };
        let got = slot.lend(&what, "data", during, end);
        assert!(slot.get().is_none());
        assert!(slot.look(|lent| lent.is_none()));
        assert_eq!(Arc::strong_count(&what), 2);
        drop(what);
        assert_eq!(got.as_deref(), Some(&7));
    }

    #[test]
    fn it_is_taken_back_from_a_closure_that_panics() {
        let slot = Lent::new();
        let what = Arc::new(7);
        let panics = || slot.lend(&what, (), || panic!("in the closure"), |()| ());
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert!(slot.get().is_none());
        assert_eq!(Arc::strong_count(&what), 1);
    }

    #[test]
    fn who_gets_it_while_it_ends_has_it_whole() {
        let (dropped, over) = (AtomicU64::new(0), AtomicBool::new(false));
        let slot: Lent<Noting<'_>, u64> = Lent::new();
        let get = || {
            let mut got = 0;
            while !over.load(Ordering::Relaxed) {
                if let Some(what) = slot.get() {
                    assert!(what.is_there.load(Ordering::Relaxed));
                    got += 1;
                }
                thread::yield_now();
            }
            got
        };
        let all_got = thread::scope(|scope| {
            let getters = [scope.spawn(get), scope.spawn(get)];
            for turn in 0..TURNS {
                // Dropped at once: mostly by this thread, else by one that got it just before.
                slot.lend(&Noting::new(&dropped), turn, thread::yield_now, |()| ());
                thread::yield_now();
            }
            over.store(true, Ordering::Relaxed);
            getters.map(|getter| getter.join().expect("a getter"))
        });
        assert_eq!(dropped.load(Ordering::Relaxed), TURNS);
        assert!(all_got.iter().sum::<u64>() > 0, "nobody got anything");
    }
}
