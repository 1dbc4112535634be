//! `Vec`, `Box` and `Arc` that grow or are made, or say that there is no memory. `alloc` offers `try_reserve`, but what then fills the room
//! keeps a way into the handler that ends the kernel; what stands here has none.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use mm::NoMemory;

/// Adds one element, if there is memory.
///
/// # Errors
/// [`NoMemory`]: nothing has changed.
#[inline]
pub fn try_push<T>(list: &mut Vec<T>, element: T) -> Result<(), NoMemory> {
    if list.len() == list.capacity() {
        list.try_reserve(1).map_err(|_| NoMemory)?;
    }
    push_within_capacity(list, element);
    Ok(())
}

/// Adds one element to a list that has room for it.
///
/// # Panics
/// If it has none.
#[inline]
pub fn push_within_capacity<T>(list: &mut Vec<T>, element: T) {
    let len = list.len();
    list.spare_capacity_mut()[0].write(element);
    // SAFETY: the element behind the last was just written, within the capacity.
    unsafe { list.set_len(len + 1) };
}

/// Adds copies of all elements, if there is memory.
///
/// # Errors
/// [`NoMemory`]: nothing has changed.
#[inline]
pub fn try_extend<T: Copy>(list: &mut Vec<T>, more: &[T]) -> Result<(), NoMemory> {
    list.try_reserve(more.len()).map_err(|_| NoMemory)?;
    let len = list.len();
    for (place, element) in list.spare_capacity_mut()[..more.len()].iter_mut().zip(more) {
        place.write(*element);
    }
    // SAFETY: as many elements behind the last were just written, within the capacity.
    unsafe { list.set_len(len + more.len()) };
    Ok(())
}

/// Adds `count` clones of `value` to a list that has room for them.
///
/// # Panics
/// If it has less.
#[inline]
pub fn fill_within_capacity<T: Clone>(list: &mut Vec<T>, count: usize, value: &T) {
    let len = list.len();
    for place in &mut list.spare_capacity_mut()[..count] {
        place.write(value.clone());
    }
    // SAFETY: as many elements behind the last were just written, within the capacity.
    unsafe { list.set_len(len + count) };
}

/// A copy of some bytes, if there is memory.
///
/// # Errors
/// [`NoMemory`].
pub fn try_boxed_bytes(from: &[u8]) -> Result<Box<[u8]>, NoMemory> {
    let mut copy = Box::try_new_uninit_slice(from.len()).map_err(|_| NoMemory)?;
    for (place, byte) in copy.iter_mut().zip(from) {
        place.write(*byte);
    }
    // SAFETY: it is as long as `from`, whose every byte was just written to it.
    Ok(unsafe { copy.assume_init() })
}

/// A place for a value behind an `Arc`. It is taken before anything changes, for that may fail; filling it does not. The value
/// is made where it stays: a large one is not moved.
pub struct ArcPlace<T>(Arc<MaybeUninit<T>>);

impl<T> ArcPlace<T> {
    /// Takes a place, if there is memory.
    ///
    /// # Errors
    /// [`NoMemory`].
    #[inline]
    pub fn try_new() -> Result<ArcPlace<T>, NoMemory> {
        let place = Arc::try_new_uninit().map_err(|_| NoMemory)?;
        Ok(ArcPlace(place))
    }

    /// Puts what `make` gives into the place. Always inlined, and `make` is to be, for the value to be made there.
    #[inline(always)]
    pub fn fill(self, make: impl FnOnce() -> T) -> Arc<T> {
        let place = Arc::as_ptr(&self.0).cast_mut().cast::<T>();
        // SAFETY: nobody else has the `Arc`, which never left this place: the value may be written. It is, before it is read.
        unsafe {
            place.write(make());
            self.0.assume_init()
        }
    }

    /// As [`ArcPlace::fill`], for a value that is written piece by piece: `fill` does so.
    ///
    /// # Safety
    ///
    /// `fill` writes all of the value.
    #[inline(always)]
    pub(crate) unsafe fn fill_by(self, fill: impl FnOnce(NonNull<T>)) -> Arc<T> {
        let place = Arc::as_ptr(&self.0).cast_mut().cast::<T>();
        // SAFETY: nobody else has the `Arc`, which never left this place, and it is not null; the value is written before it is
        // read, as the caller says.
        unsafe {
            fill(NonNull::new_unchecked(place));
            self.0.assume_init()
        }
    }
}

/// A new `Box` whose value is made where it stays, if there is memory.
///
/// # Errors
/// [`NoMemory`].
#[inline(always)]
pub fn try_boxed_with<T>(make: impl FnOnce() -> T) -> Result<Box<T>, NoMemory> {
    let mut place = Box::<T>::try_new_uninit().map_err(|_| NoMemory)?;
    place.write(make());
    // SAFETY: the value was just written.
    Ok(unsafe { place.assume_init() })
}
