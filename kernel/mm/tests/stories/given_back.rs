//! A page that is given back while its fault copies it.

use super::*;

/// Runs a second thread of the parent, to which it is given back.
const THREAD: usize = 2;

/// The child ends at one step of a fault of the parent that copies the page: the parent is given its tables back, and another thread of it
/// stores to the page, at any later step. The copy that was made before has not seen that.
#[test]
fn a_thread_stores_to_a_page_that_is_given_back_while_it_is_copied() {
    for is_held in [false, true] {
        for (end, later) in (0..4).flat_map(|end| (0..40).map(move |later| (end, later))) {
            store_between(is_held, end, end + 1 + later);
        }
    }
}

/// The child ends at step `end` of the fault, the thread stores at step `stores`. Nothing is lost, and what the kernel holds is copied.
fn store_between(is_held: bool, end: u64, stores: u64) {
    let (world, parent) = parent_of_eight_pages();
    assert!(world.run(THREAD, &parent));
    let frame = world.mapped(&parent, page(3)).unwrap().descriptor.frame();
    let (child, step) = (Cell::new(Some(fork_to(&world, &parent, 1))), Cell::new(0));
    if is_held {
        world.hold(frame);
    }
    let threads = Rc::clone(&parent);
    interrupt_with(&world, move |world| {
        let now = step.replace(step.get() + 1);
        if now == end {
            child
                .take()
                .into_iter()
                .for_each(|child| assert!(world.exit(1, &child)));
        } else if now == stores {
            // Its TLB may still forbid it, or not.
            (0..20).for_each(|nth| world.access_busy(THREAD, &threads, page(3), 1, Use::Store(nth)));
        }
    });
    store(&world, 0, 3, 0x33);
    world.mmu().set_interloper(None);
    world.access(THREAD, page(3), 1, Use::Load).value();
    assert_eq!(load(&world, THREAD, 3), 0x33);
    let mapped = world.mapped(&parent, page(3)).unwrap().descriptor.frame();
    assert!(!is_held || mapped != frame, "the kernel holds it");
    world.finish();
}
