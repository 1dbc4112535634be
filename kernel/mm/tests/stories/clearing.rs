//! Ranges that go with all they hold: over parts of tables, whole tables and gaps, whoever shares them, under one flush.

use super::*;

/// Pages in each piece but the first: two of them are more than is released at once under the lock.
const MANY: u64 = 300;
/// Where memory is mapped, and how many pages: the end of a level-2 table, three level-3 tables of the next with a gap in
/// between, the beginning of the one after.
const PIECES: [(u64, u64); 5] = [
    (0x3fff_c000, 4),
    (0x4000_0000, MANY),
    (0x4040_0000, MANY),
    (0x4060_0000, MANY),
    (0x8000_0000, MANY),
];

/// What is cleared.
const RANGES: [(u64, u64); 7] = [
    // Part of one table.
    (0x4000_5000, 0x4000_7000),
    // All that one table holds, and more of what it could hold.
    (0x4040_0000, 0x4053_0000),
    // One whole table, and its neighbour in the gap.
    (0x4020_0000, 0x4060_0000),
    // Part, gap, whole, part.
    (0x4000_5000, 0x4060_5000),
    // Three whole tables, and the gap, but not what is above.
    (0x4000_0000, 0x5000_0000),
    // The whole of what is above.
    (0x4000_0000, 0x8000_0000),
    // Over the borders of everything.
    (0x3fff_e000, 0x8000_3000),
];

/// How the space shares its tables when the range goes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Tables {
    /// With nobody.
    Private,
    /// With a child.
    Shared,
    /// With a child, but for what was written since.
    Mixed,
    /// With a child that has ended.
    Regainable,
}

struct Estate {
    world: Rc<World>,
    parent: Rc<Space>,
    child: Option<Rc<Space>>,
}

/// Everything is read once, and of each piece two pages are written; threads of the parent on processors 0 and 1.
fn estate(tables: Tables) -> Estate {
    let (world, parent) = empty_parent(Settings::new(7));
    let ends = PIECES
        .iter()
        .flat_map(|(start, len)| [*start, start + (len - 1) * 4096]);
    world.mmu().set_hot(ends.collect());
    for (start, len) in PIECES {
        let all = Mapping::anonymous(RW);
        world
            .map(0, &parent, Placement::Fixed(VirtAddr(start)), len, &all)
            .unwrap();
        for nth in 0..len {
            world
                .access(0, VirtAddr(start + nth * 4096), 0, Use::Load)
                .value();
        }
    }
    write_all(&world, 1);
    assert!(world.run(1, &parent));
    let child = (tables != Tables::Private).then(|| fork_to(&world, &parent, 2));
    if tables == Tables::Mixed {
        write_all(&world, 2);
    }
    let child = match (tables, child) {
        (Tables::Regainable, Some(child)) => {
            assert!(world.exit(2, &child));
            None
        }
        (_, child) => child,
    };
    world.mmu().warm_all();
    Estate { world, parent, child }
}

/// Writes the first and the last page of each piece but the second last.
fn write_all(world: &World, value: u64) {
    for (start, len) in PIECES.into_iter().filter(|(start, _)| *start != 0x4060_0000) {
        for nth in [0, len - 1] {
            world
                .access(0, VirtAddr(start + nth * 4096), 0, Use::Store(value))
                .value();
        }
    }
}

fn flushes(world: &World) -> u64 {
    world.memory.events(Event::FlushAsid) + world.memory.events(Event::FlushAddress)
}

/// The first and last page of each piece, and those at the ends of `range`: what is in it is gone on both processors, what is
/// outside is as it was.
fn check_pages(world: &World, range: PageRange, has_area: bool) {
    let at_ends = [
        range.start().0 - 4096,
        range.start().0,
        range.end().0 - 4096,
        range.end().0,
    ];
    let ends = PIECES
        .iter()
        .flat_map(|(start, len)| [*start, start + (len - 1) * 4096]);
    for address in ends.chain(at_ends).map(VirtAddr) {
        for cpu in [0, 1] {
            let seen = world.access(cpu, address, 0, Use::Load);
            if range.contains(address) && !has_area {
                assert_eq!(seen, MAP_ERR);
            }
        }
    }
}

/// For every range and every way to share: one flush, but for those that make the tables at its ends private.
#[test]
fn a_range_of_any_size_takes_one_flush() {
    for tables in [Tables::Private, Tables::Shared, Tables::Mixed, Tables::Regainable] {
        for (start, end) in RANGES {
            for is_discard in [false, true] {
                let Estate { world, parent, child } = estate(tables);
                let range = PageRange::between(VirtAddr(start), VirtAddr(end)).unwrap();
                let is_covered = PIECES
                    .iter()
                    .any(|(at, len)| *at <= start && end <= at + len * 4096);
                let [flushes, copied] = [flushes(&world), world.memory.events(Event::TableCopied)];
                if is_discard && is_covered {
                    world.discard(0, &parent, range).unwrap();
                } else {
                    world.unmap(0, &parent, range).unwrap();
                }
                let copied = world.memory.events(Event::TableCopied) - copied;
                let flushes = self::flushes(&world) - flushes;
                assert!(
                    (1..=1 + 2 * copied).contains(&flushes),
                    "{tables:?} {range:?}: {flushes}"
                );
                if tables == Tables::Private {
                    assert_eq!((flushes, copied), (1, 0), "{range:?}");
                }
                world.check_everything();
                check_pages(&world, range, is_discard && is_covered);
                let fork = fork_to(&world, &parent, 3);
                write_all_left(&world, &parent);
                world.check_everything();
                assert!(world.exit(3, &fork));
                if let Some(child) = child {
                    for (start, len) in PIECES {
                        world
                            .access(2, VirtAddr(start + (len - 1) * 4096), 0, Use::Load)
                            .value();
                    }
                    assert!(world.exit(2, &child));
                }
                world.finish();
            }
        }
    }
}

/// Stores to what the parent still has of each piece.
fn write_all_left(world: &World, parent: &Space) {
    for (start, len) in PIECES {
        for address in [start, start + (len - 1) * 4096].map(VirtAddr) {
            if parent.shadow.borrow().page(address).is_some() {
                world.access(0, address, 0, Use::Store(3)).value();
            }
        }
    }
}

/// Nothing is mapped: there is nothing to flush, and nothing to make private.
#[test]
fn an_empty_range_takes_no_flush() {
    for tables in [Tables::Private, Tables::Shared] {
        let Estate { world, parent, .. } = estate(tables);
        let gap = PageRange::between(VirtAddr(0x4020_3000), VirtAddr(0x4020_7000)).unwrap();
        world
            .map(
                0,
                &parent,
                Placement::Fixed(gap.start()),
                4,
                &Mapping::anonymous(RW),
            )
            .unwrap();
        let before = flushes(&world);
        world.unmap(0, &parent, gap).unwrap();
        assert_eq!(flushes(&world), before);
        world.check_everything();
    }
}

/// Another thread uses what stays, and what goes as long as it is there, at every step, also between the pieces.
#[test]
fn others_go_on_while_a_range_goes() {
    for (start, end) in RANGES {
        let Estate { world, parent, child } = estate(Tables::Mixed);
        interrupt_with(&world, move |world| {
            let space = world.running(1).expect("the thread runs on");
            let value = world.fresh_value();
            for (at, len) in PIECES {
                let address = VirtAddr(at + (value % 2) * (len - 1) * 4096);
                let is_in_range = start <= address.0 && address.0 < end;
                if !is_in_range {
                    world.access_busy(1, &space, address, 1, Use::Store(value));
                }
            }
        });
        let range = PageRange::between(VirtAddr(start), VirtAddr(end)).unwrap();
        world.unmap(0, &parent, range).unwrap();
        world.mmu().set_interloper(None);
        world.check_everything();
        check_pages(&world, range, false);
        drop(child);
    }
}

/// What was left to release may stay where it is, while the same addresses come and go again.
#[test]
fn deferred_tables_that_nobody_takes_are_released_with_the_space() {
    let Estate { world, parent, .. } = estate(Tables::Private);
    let whole = PageRange::between(VirtAddr(0x4000_0000), VirtAddr(0x8000_0000)).unwrap();
    let tables = PageRange::between(VirtAddr(0x4000_0000), VirtAddr(0x4080_0000)).unwrap();
    world
        .with_space(0, &parent, |inner| {
            for range in [tables, tables, whole, tables, whole] {
                inner.unmap(&world.memory, range.start(), range.len()).unwrap();
                for (start, len) in &PIECES[1..4] {
                    let request =
                        Mapping::anonymous(RW).request(Placement::Fixed(VirtAddr(*start)), len << 12);
                    inner.map(&world.memory, request).unwrap();
                    for nth in 0..*len {
                        let address = VirtAddr(start + (nth << 12));
                        let access = if nth % 100 == 0 {
                            Access::Write
                        } else {
                            Access::Read
                        };
                        let outcome = inner.handle_fault(&world.memory, address, access);
                        assert!(matches!(outcome, Outcome::Resolved(_)), "{outcome:?}");
                    }
                }
            }
            inner.unmap(&world.memory, whole.start(), whole.len()).unwrap();
        })
        .unwrap();
    world.unmap(0, &parent, whole).unwrap();
    world.check_everything();
    world.finish();
}

/// A level-2 table that is shared hangs among the deferred tables as it is: nothing else is hung into it.
#[test]
fn deferred_tables_that_are_shared_stay_as_they_are() {
    let Estate { world, parent, child } = estate(Tables::Shared);
    let whole = PageRange::between(VirtAddr(0x4000_0000), VirtAddr(0x8000_0000)).unwrap();
    let tables = PageRange::between(VirtAddr(0x4000_0000), VirtAddr(0x5000_0000)).unwrap();
    world
        .with_space(0, &parent, |inner| {
            inner.unmap(&world.memory, whole.start(), whole.len()).unwrap();
            for start in [0x4020_0000, 0x4080_0000, 0x40a0_0000].map(VirtAddr) {
                let request = Mapping::anonymous(RW).request(Placement::Fixed(start), MANY << 12);
                inner.map(&world.memory, request).unwrap();
                for nth in 0..MANY {
                    let address = VirtAddr(start.0 + (nth << 12));
                    let outcome = inner.handle_fault(&world.memory, address, Access::Read);
                    assert!(matches!(outcome, Outcome::Resolved(_)), "{outcome:?}");
                }
            }
            inner.unmap(&world.memory, tables.start(), tables.len()).unwrap();
        })
        .unwrap();
    world.unmap(0, &parent, whole).unwrap();
    world.check_everything();
    for (start, len) in PIECES {
        world
            .access(2, VirtAddr(start + (len - 1) * 4096), 0, Use::Load)
            .value();
    }
    drop(child);
    world.finish();
}

/// Without a frame for the tree of deferred tables all is released at once.
#[test]
fn munmap_needs_no_frame() {
    for range in [
        (0x4000_0000, 0x4080_0000),
        (0x4000_0000, 0x8000_0000),
        (0x3fff_e000, 0x8000_3000),
    ] {
        for left in 0..3 {
            let Estate { world, parent, .. } = estate(Tables::Private);
            world.leave_free(left);
            let range = PageRange::between(VirtAddr(range.0), VirtAddr(range.1)).unwrap();
            world.unmap(0, &parent, range).unwrap();
            world.check_everything();
            world.release_held(usize::MAX);
            world.finish();
        }
    }
}
