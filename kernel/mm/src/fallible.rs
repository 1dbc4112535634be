//! Memory of the heap for what a program asks for: it may not be had, and the caller says so.

use crate::frames::NoMemory;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A new `Arc`.
pub(crate) fn arc<T>(value: T) -> Result<Arc<T>, NoMemory> {
    #[cfg(test)]
    failing::ask()?;
    Arc::try_new(value).map_err(|_| NoMemory)
}

/// An empty list that takes `len` elements without allocating.
pub(crate) fn with_room<T>(len: usize) -> Result<Vec<T>, NoMemory> {
    let mut list = Vec::new();
    reserve(&mut list, len)?;
    Ok(list)
}

/// Makes room for `more` elements.
#[inline]
pub(crate) fn reserve<T>(list: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    if list.capacity() - list.len() >= more {
        return Ok(());
    }
    #[cfg(test)]
    failing::ask()?;
    list.try_reserve(more).map_err(|_| NoMemory)
}

/// Adds an element to a list that has room for it.
///
/// # Panics
/// If it has none.
#[inline]
pub(crate) fn push<T>(list: &mut Vec<T>, element: T) {
    let pushed = list.push_within_capacity(element);
    assert!(pushed.is_ok(), "room was made before");
}

/// Puts an element at place `at` of a list that has room for it.
///
/// # Panics
/// If it has none.
#[inline]
pub(crate) fn insert<T>(list: &mut Vec<T>, at: usize, element: T) {
    push(list, element);
    list[at..].rotate_right(1);
}

/// Allocations of this thread that fail when a test wants them to.
#[cfg(test)]
pub(crate) mod failing {
    use crate::frames::NoMemory;
    use core::cell::Cell;

    extern crate std;

    std::thread_local! {
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// So many allocations succeed, and then none; `None`: all do.
    pub(crate) fn fail_after(count: Option<u64>) {
        LEFT.set(count);
    }

    pub(super) fn ask() -> Result<(), NoMemory> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(NoMemory),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}
