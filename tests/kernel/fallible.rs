//! The kernel's fallible allocations on a host, where they fail when a test wants them to.

use abi::Errno;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::cell::Cell;

#[path = "../../kernel/src/fallible/map.rs"]
pub mod map;
#[cfg(test)]
#[path = "../../kernel/src/fallible/tests.rs"]
mod tests;

thread_local! {
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// So many allocations of this thread succeed, and then none; `None`: all do.
pub fn fail_after(count: Option<u64>) {
    LEFT.set(count);
}

fn ask() -> Result<(), Errno> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => Err(Errno::ENOMEM),
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}

pub fn arc<T>(value: T) -> Result<Arc<T>, Errno> {
    ask().map(|()| Arc::new(value))
}

pub fn boxed<T>(value: T) -> Result<Box<T>, Errno> {
    boxed_with(|| value)
}

pub fn boxed_with<T>(make: impl FnOnce() -> T) -> Result<Box<T>, Errno> {
    ask().map(|()| Box::new(make()))
}

pub fn with_room<T>(len: usize) -> Result<Vec<T>, Errno> {
    ask().map(|()| Vec::with_capacity(len))
}

/// As the kernel's.
pub trait TryClone: Sized {
    fn try_clone(&self) -> Result<Self, Errno>;
}

/// As the kernel's.
pub fn make_mut<T: TryClone>(shared: &mut Arc<T>) -> Result<&mut T, Errno> {
    if Arc::get_mut(shared).is_none() {
        *shared = arc(shared.try_clone()?)?;
    }
    Ok(Arc::get_mut(shared).expect("nobody else has the copy"))
}

/// As the kernel's.
pub trait TryVec<T> {
    fn try_push(&mut self, element: T) -> Result<(), Errno>;
    fn try_append(&mut self, more: impl IntoIterator<Item = T>) -> Result<(), Errno>;
}

impl<T> TryVec<T> for Vec<T> {
    fn try_push(&mut self, element: T) -> Result<(), Errno> {
        ask().map(|()| self.push(element))
    }

    fn try_append(&mut self, more: impl IntoIterator<Item = T>) -> Result<(), Errno> {
        ask().map(|()| self.extend(more))
    }
}
