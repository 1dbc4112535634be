//! Small objects that each processor keeps at hand, so that most allocations take no lock and write no memory that another
//! processor writes. A magazine holds free objects of one class; any of them serves for any request of the class.

use super::POOL;
use crate::cpu::{MAX_CPUS, PerCpu};
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr::NonNull;

/// The pool places objects in steps of this, with a header of [`HEADER`] before each (`rlsf`, GRANULARITY).
const STEP: usize = 32;
const HEADER: usize = 16;
/// Classes, up to one that holds a process: class n has objects of n steps and what a step has beside the header, so that none
/// wastes what the pool would not.
const CLASSES: usize = 48;
/// Objects that a magazine holds: what a process is made of comes and goes at once, some ten of the commonest classes.
const ROUNDS: usize = 16;
/// Objects that go to or from the pool at once.
const BATCH: usize = 4;

/// The free objects of one class that one processor has.
struct Magazine {
    objects: [Option<NonNull<u8>>; ROUNDS],
    held: usize,
}

impl Magazine {
    const EMPTY: Magazine = Magazine {
        objects: [None; ROUNDS],
        held: 0,
    };

    fn pop(&mut self) -> Option<NonNull<u8>> {
        self.held = self.held.checked_sub(1)?;
        self.objects.get_mut(self.held)?.take()
    }

    /// Whether there was room.
    fn push(&mut self, object: NonNull<u8>) -> bool {
        let Some(place) = self.objects.get_mut(self.held) else {
            return false;
        };
        *place = Some(object);
        self.held += 1;
        true
    }
}

struct Magazines(PerCpu<UnsafeCell<[Magazine; CLASSES]>>);

// SAFETY: `with` gives each processor its own magazines only.
unsafe impl Sync for Magazines {}

static MAGAZINES: Magazines = Magazines(PerCpu::new(
    [const { UnsafeCell::new([Magazine::EMPTY; CLASSES]) }; MAX_CPUS],
));

/// Calls `work` with the running processor's magazine of `class`. `work` must not come back here.
#[inline]
fn with<T>(class: usize, work: impl FnOnce(&mut Magazine) -> T) -> T {
    // SAFETY: this processor's, and nobody else's: the kernel runs with interrupts masked and changes threads only where it
    // calls `thread::switch`, which `work`, being one of those below, does not.
    let magazines = unsafe { &mut *MAGAZINES.0.get().get() };
    work(&mut magazines[class])
}

/// The class whose objects serve for `layout`; `None` for one that is left to the pool.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let class = (layout.size() + HEADER - 1) / STEP;
    (class < CLASSES && layout.align() <= HEADER).then_some(class)
}

/// The layout of all objects of a class.
fn layout_of(class: usize) -> Layout {
    Layout::from_size_align(class * STEP + HEADER, HEADER).expect("a small size, and a power of two")
}

/// An object from the running processor's magazine, or from the pool, which then gives some more.
#[inline]
pub(super) fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    let Some(class) = class_of(layout) else {
        return POOL.lock().allocate(layout);
    };
    with(class, Magazine::pop).or_else(|| refill(class))
}

#[cold]
fn refill(class: usize) -> Option<NonNull<u8>> {
    let layout = layout_of(class);
    let mut pool = POOL.lock();
    let object = pool.allocate(layout)?;
    with(class, |magazine| {
        for _ in 0..BATCH {
            // Without growing: the pool's own room is for all.
            let Some(spare) = pool.allocate_within(layout) else {
                break;
            };
            magazine.push(spare);
        }
    });
    Some(object)
}

/// Takes an object back.
///
/// # Safety
/// It came from [`allocate`] with this layout and is not used any more.
#[inline]
pub(super) unsafe fn free(object: NonNull<u8>, layout: Layout) {
    let Some(class) = class_of(layout) else {
        // SAFETY: the caller's promise; without a class it was the pool's, with this alignment.
        return unsafe { POOL.lock().free(object, layout.align()) };
    };
    if !with(class, |magazine| magazine.push(object)) {
        // SAFETY: the caller's promise; objects of a class have that class's alignment.
        unsafe { give_back(object, class) }
    }
}

/// Gives one object, and some of a full magazine, to the pool.
///
/// # Safety
/// `object` is free and of this class.
#[cold]
unsafe fn give_back(object: NonNull<u8>, class: usize) {
    let mut pool = POOL.lock();
    with(class, |magazine| {
        let others = (0..BATCH).map_while(|_| magazine.pop());
        for free in others.chain([object]) {
            // SAFETY: free objects, of this processor's magazine or the caller's, each given away here once; all were
            // allocated with the alignment of their class.
            unsafe { pool.free(free, HEADER) }
        }
    });
}
