//! Memory for what a program asks for. Every allocation that a system call, a fault or an interrupt can cause may fail: the
//! functions here return `ENOMEM` where those of `alloc` would end the kernel. `tests/scenes/allocations.rs` looks into the built
//! kernel and refuses whatever else still can.
//!
//! The rule: what can fail is allocated before anything changes, so that a call that fails leaves nothing behind.

pub mod map;
#[cfg(test)]
mod tests;

use abi::Errno;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use platform::heap::{self, ArcPlace};

pub use platform::heap::push_within_capacity;

/// For tests: so many allocations of this processor succeed, and the next one fails; `None`: all succeed.
#[cfg(not(target_os = "none"))]
pub fn fail_after(count: Option<u64>) {
    let number = count.map_or(0, |count| count as u32 + 1);
    platform::fault_injection::arm(number);
}

/// A new `Arc` of a small value; [`arc_with`] is for large ones.
///
/// # Errors
/// `ENOMEM`.
#[inline]
pub fn arc<T>(value: T) -> Result<Arc<T>, Errno> {
    arc_with(|| value)
}

/// A new `Arc` whose value is made where it stays, when there is a place for it. Always inlined, for that reason.
///
/// # Errors
/// `ENOMEM`.
#[inline(always)]
pub fn arc_with<T>(make: impl FnOnce() -> T) -> Result<Arc<T>, Errno> {
    Ok(arc_place()?.fill(make))
}

/// A place for an `Arc` that is filled later, which does not fail.
///
/// # Errors
/// `ENOMEM`.
#[inline]
pub fn arc_place<T>() -> Result<ArcPlace<T>, Errno> {
    ArcPlace::try_new().map_err(|_| Errno::ENOMEM)
}

/// A new `Box` of a small value; [`boxed_with`] is for large ones.
///
/// # Errors
/// `ENOMEM`.
#[inline]
pub fn boxed<T>(value: T) -> Result<Box<T>, Errno> {
    boxed_with(|| value)
}

/// A new `Box`, as [`arc_with`].
///
/// # Errors
/// `ENOMEM`.
#[inline(always)]
pub fn boxed_with<T>(make: impl FnOnce() -> T) -> Result<Box<T>, Errno> {
    heap::try_boxed_with(make).map_err(|_| Errno::ENOMEM)
}

/// A copy of some bytes, as a `Vec` that may grow.
///
/// # Errors
/// `ENOMEM`.
pub fn bytes(from: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut copy = Vec::new();
    copy.try_extend(from)?;
    Ok(copy)
}

/// The bytes of all parts, one behind the other.
///
/// # Errors
/// `ENOMEM`.
pub fn joined(parts: &[&[u8]]) -> Result<Vec<u8>, Errno> {
    let mut whole = with_room(parts.iter().map(|part| part.len()).sum())?;
    parts.iter().try_for_each(|part| whole.try_extend(part))?;
    Ok(whole)
}

/// A copy of some bytes that keeps its length.
///
/// # Errors
/// `ENOMEM`.
pub fn boxed_bytes(from: &[u8]) -> Result<Box<[u8]>, Errno> {
    heap::try_boxed_bytes(from).map_err(|_| Errno::ENOMEM)
}

/// `len` times the same value.
///
/// # Errors
/// `ENOMEM`.
#[inline]
pub fn filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>, Errno> {
    let mut list = with_room(len)?;
    heap::fill_within_capacity(&mut list, len, &value);
    Ok(list)
}

/// An empty `Vec` that takes `len` elements without allocating.
///
/// # Errors
/// `ENOMEM`.
#[inline]
pub fn with_room<T>(len: usize) -> Result<Vec<T>, Errno> {
    Vec::try_with_capacity(len).map_err(|_| Errno::ENOMEM)
}

/// What the iterator gives.
///
/// # Errors
/// `ENOMEM`.
pub fn collect<T>(all: impl IntoIterator<Item = T>) -> Result<Vec<T>, Errno> {
    let mut list = Vec::new();
    list.try_append(all)?;
    Ok(list)
}

/// The text of `format_args!`.
///
/// # Errors
/// `ENOMEM`.
pub fn text(arguments: fmt::Arguments<'_>) -> Result<String, Errno> {
    let mut text = Text(Vec::new());
    // Nothing that is formatted here refuses by itself.
    text.write_fmt(arguments).map_err(|_| Errno::ENOMEM)?;
    String::from_utf8(text.0).map_err(|_| Errno::EINVAL)
}

/// The bytes of `format_args!`.
///
/// # Errors
/// `ENOMEM`.
pub fn text_bytes(arguments: fmt::Arguments<'_>) -> Result<Vec<u8>, Errno> {
    text(arguments).map(String::into_bytes)
}

struct Text(Vec<u8>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.try_extend(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// Adds one element behind the last of a queue.
///
/// # Errors
/// `ENOMEM`: nothing has changed.
pub fn push_back<T>(queue: &mut VecDeque<T>, element: T) -> Result<(), Errno> {
    if queue.len() == queue.capacity() {
        queue.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    }
    // There is room. The compiler does not know, and would leave the way on which the queue grows or the kernel ends.
    if queue.len() < queue.capacity() {
        queue.push_back(element);
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}

/// What can be copied, if there is memory for the copy.
pub trait TryClone: Sized {
    /// A copy.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn try_clone(&self) -> Result<Self, Errno>;
}

/// The value in `shared` for a change: a copy of its own if others hold it as well.
///
/// # Errors
/// `ENOMEM`: nothing has changed.
pub fn make_mut<T: TryClone>(shared: &mut Arc<T>) -> Result<&mut T, Errno> {
    if Arc::get_mut(shared).is_none() {
        *shared = arc(shared.try_clone()?)?;
    }
    Ok(Arc::get_mut(shared)
        .expect("nobody else has the copy, and nobody takes a reference while it is borrowed"))
}

/// What `Vec` does, with an answer where there is no memory; the list is then as it was.
pub trait TryVec<T> {
    /// Adds one element.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn try_push(&mut self, element: T) -> Result<(), Errno>;
    /// Adds one element before the one that is at `at`, or behind the last.
    ///
    /// # Errors
    /// `ENOMEM`.
    ///
    /// # Panics
    /// If the list is shorter.
    fn try_insert(&mut self, at: usize, element: T) -> Result<(), Errno>;
    /// Adds copies of all elements.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn try_extend(&mut self, more: &[T]) -> Result<(), Errno>
    where
        T: Copy;
    /// Adds what the iterator gives.
    ///
    /// # Errors
    /// `ENOMEM`; what came before memory ended stays.
    fn try_append(&mut self, more: impl IntoIterator<Item = T>) -> Result<(), Errno>;
}

impl<T> TryVec<T> for Vec<T> {
    #[inline]
    fn try_push(&mut self, element: T) -> Result<(), Errno> {
        heap::try_push(self, element).map_err(|_| Errno::ENOMEM)
    }

    #[inline]
    fn try_insert(&mut self, at: usize, element: T) -> Result<(), Errno> {
        if self.len() == self.capacity() {
            self.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        }
        // As in [`push_back`].
        if self.len() < self.capacity() {
            self.insert(at, element);
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }

    #[inline]
    fn try_extend(&mut self, more: &[T]) -> Result<(), Errno>
    where
        T: Copy,
    {
        heap::try_extend(self, more).map_err(|_| Errno::ENOMEM)
    }

    fn try_append(&mut self, more: impl IntoIterator<Item = T>) -> Result<(), Errno> {
        let more = more.into_iter();
        self.try_reserve(more.size_hint().0).map_err(|_| Errno::ENOMEM)?;
        for element in more {
            self.try_push(element)?;
        }
        Ok(())
    }
}
