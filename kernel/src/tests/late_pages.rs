//! Stories inside the kernel: a space changes while a page of it is waited for, and an object loses pages that are mapped.

use super::Story;
use super::late_object::{LateObject, content};
use super::user_memory::{BASE, PAGE, map};
use abi::Errno;
use mm::{Backing, PageSource, Protection, Revocation, VirtAddr};
use sched::HasMemory;
use sched::scheduler;
use sched::space::{Space, mappings};

pub const STORIES: &[Story] = &[
    ("what changes during a wait", |io| io.user.in_kernel(changes)),
    ("pages that an object loses", |io| io.user.in_kernel(losses)),
];

/// A space in which one page of an object has to be waited for, which changes meanwhile.
fn changes() {
    let space = scheduler::current()
        .address_space()
        .expect("a program has memory");
    let object = LateObject::new(2);
    let during = |event: fn(&Space)| {
        let backing = Backing::Source {
            source: object.clone(),
            first: 0,
        };
        map(&space, BASE, 2 * PAGE, Protection::READ_WRITE, backing);
        let space = space.clone();
        object.during_next_wait(move || event(&space));
    };
    during(unmap);
    assert_eq!(uaccess::write_value(BASE, &1u32), Err(Errno::EFAULT));
    during(unmap);
    assert_eq!(space.write(BASE, &[1]), Err(Errno::EFAULT));
    during(unmap_second);
    let mut bytes = [0; 10];
    assert_eq!(
        space.read(BASE + PAGE - 4, &mut bytes),
        Ok(4),
        "the second page has gone"
    );
    during(protect);
    assert_eq!(uaccess::write_value(BASE, &1u32), Err(Errno::EFAULT));
    assert_eq!(uaccess::read_value(BASE), Ok(content(0, 0)));
    during(replace);
    assert_eq!(uaccess::write_value(BASE + 1, &1u8), Ok(()));
    assert_eq!(
        uaccess::read_value(BASE),
        Ok([0u8, 1, 0]),
        "the object's page belongs there no more"
    );
    unmap(&space);
    space.let_go();
}

fn unmap(space: &Space) {
    let unmapped = space.edit(|space| space.unmap(memory::get(), VirtAddr(BASE), 2 * PAGE));
    assert_eq!(unmapped, Ok(()));
}

fn unmap_second(space: &Space) {
    let unmapped = space.edit(|space| space.unmap(memory::get(), VirtAddr(BASE + PAGE), PAGE));
    assert_eq!(unmapped, Ok(()));
}

fn protect(space: &Space) {
    let protect = |space: &mut mm::AddressSpace| {
        space.protect(memory::get(), VirtAddr(BASE), 2 * PAGE, Protection::READ)
    };
    assert_eq!(space.edit(protect), Ok(()));
}

fn replace(space: &Space) {
    map(space, BASE, 2 * PAGE, Protection::READ_WRITE, Backing::Anonymous);
}

/// What an object has lost is taken from the processes that map it, copies only if they are to go.
fn losses() {
    let space = scheduler::current()
        .address_space()
        .expect("a program has memory");
    let object = LateObject::new(2);
    let backing = Backing::Source {
        source: object.clone(),
        first: 0,
    };
    map(&space, BASE, 2 * PAGE, Protection::READ_WRITE, backing);
    let look = |expected| {
        let before = object.waits();
        let bytes = [BASE, BASE + PAGE].map(uaccess::read_value::<u8>);
        assert_eq!(bytes, [Ok(content(0, 0)), Ok(expected)]);
        object.waits() - before
    };
    uaccess::write_value(BASE + PAGE, &0u8).expect("a private page is written");
    assert_eq!(look(0), 1, "the copy is there, the other page is waited for");
    assert_eq!(look(0), 0, "both are mapped");
    let lose = |takes_copies| Revocation {
        object: object.object(),
        pages: 0..2,
        takes_copies,
    };
    let walks = mappings::walks();
    assert_eq!(mappings::revoke(&lose(false)), Ok(()));
    assert!(walks != mappings::walks() && !mappings::walks().is_one_under_way());
    assert_eq!(look(0), 1, "the copy stays");
    assert_eq!(mappings::revoke(&lose(true)), Ok(()));
    assert_eq!(look(content(1, 0)), 2, "all has gone");
    let is_seen = mappings::while_nobody_forks(|| mappings::walks().is_one_under_way());
    assert_eq!(is_seen, Ok(true));
    unmap(&space);
    space.let_go();
}
