//! A value with room for its owner: what a low floor keeps of something and what a higher floor keeps of it lie in one
//! allocation, behind one `Arc`, though the low floor does not know the type of the rest.
//!
//! The program has one such type ([`Sole`]), so whoever looks at the owner neither asks which it is nor follows a pointer.

use crate::heap::ArcPlace;
use crate::ordered::{Link, Linked};
use alloc::sync::Arc;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::NonNull;

/// The only type of owners in the program.
///
/// # Safety
///
/// No other type of the program has this trait. [`crate::sole_owner!`] sees to that.
pub unsafe trait Sole: Send + Sync + 'static {}

/// Says that a type is the one of owners in this program. A second type defines the symbol once more, which the linker refuses.
#[macro_export]
macro_rules! sole_owner {
    ($owner:ty) => {
        const _: () = {
            #[unsafe(no_mangle)]
            static THE_SOLE_OWNER: u8 = 0;

            // SAFETY: only this macro gives the trait, and of its symbol there is one in a program.
            unsafe impl $crate::owned::Sole for $owner {}
        };
    };
}

/// A core, and room for an owner of up to `ROOM` bytes. The core lies in front: its fields are the ones that are looked at most.
#[repr(C)]
pub struct Owned<Core, const ROOM: usize> {
    core: Core,
    /// Drops the owner.
    drop: unsafe fn(*mut u8),
    /// Holds an owner from the first moment to the last.
    owner: Room<ROOM>,
}

/// The room. Aligned for everything but what wants a cache line.
#[repr(align(16))]
struct Room<const ROOM: usize>(UnsafeCell<MaybeUninit<[u8; ROOM]>>);

// SAFETY: the room holds an owner, which is `Send` and `Sync`, and gives only shared references to it.
unsafe impl<const ROOM: usize> Sync for Room<ROOM> {}

/// # Safety
///
/// An `Owner` lies at `at`, and nobody looks at it any more.
unsafe fn drop_owner<Owner>(at: *mut u8) {
    // SAFETY: as the caller says.
    unsafe { at.cast::<Owner>().drop_in_place() };
}

impl<Core, const ROOM: usize> Owned<Core, ROOM> {
    /// Fills the place. Always inlined, and both functions are to be, for core and owner to be made where they stay.
    #[inline(always)]
    pub fn create<Owner: Sole>(
        place: ArcPlace<Self>,
        core: impl FnOnce() -> Core,
        owner: impl FnOnce() -> Owner,
    ) -> Arc<Self> {
        const {
            assert!(size_of::<Owner>() <= ROOM, "the owner needs more room");
            assert!(
                align_of::<Owner>() <= align_of::<Room<ROOM>>(),
                "the owner is aligned to less"
            );
        }
        let fill = |at: NonNull<Self>| {
            let at = at.as_ptr();
            // SAFETY: the place is ours and large enough for all three fields. The owner fits into its room, as was asserted.
            unsafe {
                (&raw mut (*at).core).write(core());
                (&raw mut (*at).drop).write(drop_owner::<Owner>);
                (&raw mut (*at).owner).cast::<Owner>().write(owner());
            }
        };
        // SAFETY: all three fields are written.
        unsafe { place.fill_by(fill) }
    }

    /// The owner.
    #[inline(always)]
    pub fn owner<Owner: Sole>(&self) -> &Owner {
        // SAFETY: who created this put an owner into the room, of a type that is `Sole`; so it is this one. It stays until this is
        // dropped, and only shared references to it are given.
        unsafe { &*self.owner.0.get().cast::<Owner>() }
    }
}

/// What is asked of the whole is asked of the core.
impl<Core, const ROOM: usize> Deref for Owned<Core, ROOM> {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        &self.core
    }
}

impl<Core, const ROOM: usize> Drop for Owned<Core, ROOM> {
    fn drop(&mut self) {
        // SAFETY: the owner was put there by `create`, together with the function for its type, and nobody has a reference to it.
        unsafe { (self.drop)(self.owner.0.get().cast()) };
    }
}

/// A core that can stand in a set.
pub trait LinkedCore<const ROOM: usize>: Sized {
    /// The link of the whole, which is a part of the core.
    fn link(&self) -> &Link<Owned<Self, ROOM>>;
}

impl<Core: LinkedCore<ROOM>, const ROOM: usize> Linked for Owned<Core, ROOM> {
    #[inline]
    fn link(&self) -> &Link<Self> {
        self.core.link()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};

    static DROPPED: AtomicUsize = AtomicUsize::new(0);

    /// An owner whose drop is counted and that may be changed through a shared reference.
    struct Counting {
        name: std::string::String,
        looks: AtomicUsize,
    }

    sole_owner!(Counting);

    impl Drop for Counting {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_owner_lives_as_long_as_the_core() {
        let place = ArcPlace::<Owned<u32, 64>>::try_new().expect("memory");
        let owned = Owned::create(
            place,
            || 7,
            || Counting {
                name: "somebody".into(),
                looks: AtomicUsize::new(0),
            },
        );
        let other = owned.clone();
        other.owner::<Counting>().looks.fetch_add(3, Ordering::Relaxed);
        assert_eq!(**owned, 7);
        assert_eq!(owned.owner::<Counting>().name, "somebody");
        assert_eq!(owned.owner::<Counting>().looks.load(Ordering::Relaxed), 3);
        drop(owned);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
        drop(other);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }
}
