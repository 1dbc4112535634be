//! The ASIDs: who is in a space, and who has left it.

use super::*;
use mm::Asids;
use mm::asid::AsidTag;

/// What a processor stored in a space before it left is seen by whoever is alone in that then; `has_run`: it leaves for a space that has
/// a number.
#[cfg(loom)]
fn store_and_leave(has_run: bool) {
    explore(move || {
        let asids = Arc::new(Asids::new(MAX_CPUS as u32 + 4));
        let content = Arc::new(loom::cell::UnsafeCell::new(7_u64));
        let space = asids.activate(&Processor(0), AsidTag::default());
        let known = asids.activate(&Processor(1), AsidTag::default());
        assert_eq!(asids.activate(&Processor(1), space), space);
        let other = {
            let (asids, content) = (asids.clone(), content.clone());
            let next = if has_run { known } else { AsidTag::default() };
            thread::spawn(move || {
                content.with_mut(|_| ());
                asids.activate(&Processor(1), next);
            })
        };
        if asids.is_alone(&Processor(0), space) {
            content.with(|_| ());
        }
        other.join().unwrap();
    });
}

#[cfg(loom)]
#[test]
fn who_leaves_for_a_new_space_has_stored_before() {
    store_and_leave(false);
}

#[cfg(loom)]
#[test]
fn who_leaves_for_a_known_space_has_stored_before() {
    store_and_leave(true);
}

/// Processor 0 goes from one space to another while processor 1 uses up the numbers and rolls over.
#[test]
fn a_switch_and_a_roll_over_at_once() {
    explore(|| {
        let limit = MAX_CPUS as u32 + 2;
        let asids = Arc::new(Asids::new(limit));
        let [left, entered] = [(); 2].map(|()| asids.activate(&Processor(0), AsidTag::default()));
        for _ in 3..limit {
            asids.activate(&Processor(1), AsidTag::default());
        }
        asids.activate(&Processor(0), left);
        let other = {
            let asids = asids.clone();
            thread::spawn(move || asids.activate(&Processor(1), AsidTag::default()))
        };
        let entered = asids.activate(&Processor(0), entered);
        let theirs = other.join().unwrap();
        assert_ne!(entered.asid(), theirs.asid(), "two spaces run under one number");
        // Both processors in one space: under one number.
        let shared = asids.activate(&Processor(1), entered);
        assert_eq!(shared.asid(), entered.asid());
        // Whoever comes to processor 0 next finds nothing of the generation before there.
        let next = asids.activate(&Processor(0), theirs);
        assert_eq!(next.asid(), theirs.asid());
        assert!(CLEARED[0].swap(0, Ordering::Relaxed) > 0);
    });
}
