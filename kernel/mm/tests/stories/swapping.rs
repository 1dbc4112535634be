//! Pages that go out and come back.

use super::*;
use mm::{AreaFlags, Others};

/// Writes all pages that wait for it, and gives back what nobody maps.
pub(super) fn write_all(world: &World) {
    (0..LEN).for_each(|_| world.write_out(&mut || {}));
    world.drop_unused();
}

/// The table is visited once for both; each page comes back to each of them, and what one stores then the other does not see.
#[test]
fn a_page_goes_out_and_is_seen_from_both_sides_of_a_fork() {
    let (world, parent) = parent_of_eight_pages();
    fork_to(&world, &parent, 1);
    let free = world.memory.frames().free_count();
    let evicted = world.evict_all(0, &parent, pages(0, LEN), Others::Stopped);
    assert_eq!((evicted.pages, evicted.has_shared), (LEN as usize, false));
    world.check_everything();
    write_all(&world);
    assert_eq!(world.memory.frames().free_count(), free + LEN as usize);
    assert_eq!(load(&world, 1, 3), 4);
    store(&world, 1, 3, 0x33);
    store(&world, 0, 5, 0x55);
    assert_eq!((load(&world, 0, 3), load(&world, 1, 5)), (4, 6));
    assert_eq!((load(&world, 1, 3), load(&world, 0, 5)), (0x33, 0x55));
    world.check_everything();
    world.finish();
}

/// A page that is needed before its turn to be written has come takes one fault, and no device.
#[test]
fn a_page_comes_back_from_the_cache() {
    let (world, parent) = parent_of_eight_pages();
    let frame = world.mapped(&parent, page(2)).unwrap().descriptor.frame();
    world.evict_all(0, &parent, pages(2, 1), Others::AtWork);
    assert!(world.mapped(&parent, page(2)).is_none());
    let seen = world.access(0, page(2), 0, Use::Store(7));
    assert_eq!(seen.faults().resolution, Some(Resolution::SwappedIn));
    // It is the space's alone again, and was not copied.
    assert_eq!(world.mapped(&parent, page(2)).unwrap().descriptor.frame(), frame);
    assert_eq!(world.memory.swap().usage().used, 0);
    world.finish();
}

/// Whoever has not stopped the others leaves shared tables alone.
#[test]
fn shared_tables_stay_while_others_are_at_work() {
    let (world, parent) = parent_of_eight_pages();
    fork_to(&world, &parent, 1);
    let evicted = world.evict_all(0, &parent, pages(0, LEN), Others::AtWork);
    assert_eq!((evicted.pages, evicted.has_shared), (0, true));
    world.finish();
}

/// The copy of a table shares its slots, without a page being read.
#[test]
fn a_table_is_copied_with_its_swapped_pages() {
    let (world, parent) = parent_of_eight_pages();
    world.evict_all(0, &parent, pages(0, 4), Others::AtWork);
    write_all(&world);
    fork_to(&world, &parent, 1);
    store(&world, 1, 7, 0x77);
    let slot = world.swapped(&parent, page(1)).unwrap();
    assert_eq!(world.memory.swap().slot_state(slot), (2, None));
    assert_eq!((load(&world, 0, 1), load(&world, 1, 1)), (2, 2));
    world.check_everything();
    world.finish();
}

/// Says that the first four pages are locked, or are not.
fn lock(world: &World, space: &Rc<Space>, flags: AreaFlags) {
    let lock = |inner: &mut mm::AddressSpace| inner.set_flags(&world.memory, pages(0, 4), flags);
    world.with_space(0, space, lock).unwrap().unwrap();
    let locked = |page: &mut crate::world::shadow::Page| page.flags = flags;
    space.shadow.borrow_mut().for_each_in(pages(0, 4), locked);
}

/// A child inherits the tables, but not the locks: nothing goes out on its behalf that its parent has locked.
#[test]
fn what_a_parent_has_locked_stays_in_the_tables_that_its_child_shares() {
    let (world, parent) = parent_of_eight_pages();
    lock(&world, &parent, AreaFlags::LOCKED);
    let child = fork_to(&world, &parent, 1);
    let evicted = world.evict_all(0, &child, pages(0, LEN), Others::Stopped);
    assert_eq!((evicted.pages, evicted.has_shared), (0, false));
    assert!(world.mapped(&parent, page(3)).is_some());
    lock(&world, &parent, AreaFlags::NONE);
    let evicted = world.evict_all(0, &child, pages(0, LEN), Others::Stopped);
    assert_eq!(evicted.pages, LEN as usize);
    world.check_everything();
    world.finish();
}

#[test]
fn locked_pages_stay() {
    let (world, parent) = parent_of_eight_pages();
    lock(&world, &parent, AreaFlags::LOCKED);
    assert_eq!(
        world.evict_all(0, &parent, pages(0, LEN), Others::Stopped).pages,
        4
    );
    assert!(world.mapped(&parent, page(3)).is_some() && world.mapped(&parent, page(4)).is_none());
    world.finish();
}

/// Parent and child have each a table of their own, which name the same pages but for the last one.
fn two_tables() -> (Rc<World>, Rc<Space>, Rc<Space>) {
    let (world, parent) = parent_of_eight_pages();
    let child = fork_to(&world, &parent, 1);
    store(&world, 1, LEN - 1, 0x77);
    (world, parent, child)
}

/// Written while the other still maps it, a page would take room on the device, and no frame would be free.
#[test]
fn a_page_is_not_written_while_another_table_maps_it() {
    let (world, parent, child) = two_tables();
    let free = world.memory.frames().free_count();
    world.evict_all(0, &parent, pages(0, LEN - 1), Others::AtWork);
    write_all(&world);
    let slot = world.swapped(&parent, page(1)).unwrap();
    assert!(world.memory.swap().slot_state(slot).1.is_some());
    assert_eq!((world.written(), world.memory.frames().free_count()), (0, free));
    world.evict_all(1, &child, pages(0, LEN - 1), Others::AtWork);
    write_all(&world);
    let shared = LEN as usize - 1;
    assert_eq!(
        (world.written(), world.memory.frames().free_count()),
        (shared, free + shared)
    );
    assert_eq!((load(&world, 0, 1), load(&world, 1, 2)), (2, 3));
    world.check_everything();
    world.finish();
}

/// The other lets go of it without the hand: nobody says so, and it is found.
#[test]
fn a_page_is_written_when_the_other_has_let_go_of_it() {
    let (world, parent, child) = two_tables();
    world.evict_all(0, &parent, pages(0, LEN - 1), Others::AtWork);
    write_all(&world);
    assert_eq!(world.written(), 0);
    world.unmap(1, &child, pages(0, LEN - 1));
    world.drop_unused();
    write_all(&world);
    assert_eq!(world.written(), LEN as usize - 1);
    assert_eq!(load(&world, 0, 3), 4);
    world.check_everything();
    world.finish();
}
