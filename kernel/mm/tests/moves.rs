//! Mappings that move in pieces and by whole tables, and what others do between the pieces.

use crate::world::operations::Mapping;
use crate::world::{Settings, Space, Use, World};
use mm::{
    Access, AddressSpace, Move, Obstacle, PageRange, Placement, Portion, Protection, Refusal, RemapPlacement,
    Remapped, SegvCode, VirtAddr,
};
use std::rc::Rc;

/// Across the border of two level-2 tables.
const PAGES: VirtAddr = VirtAddr(0x3fdd_8000);
/// Pages of four level-3 tables; those in the middle are covered whole.
const SPREAD: [u64; 8] = [0, 39, 40, 300, 551, 552, 700, 1064];
const LEN: u64 = 1065;
const RW: Protection = Protection::READ_WRITE;

fn at(start: VirtAddr, page: u64) -> VirtAddr {
    VirtAddr(start.0 + (page << 12))
}

fn range(start: VirtAddr) -> PageRange {
    PageRange::new(start, LEN << 12).unwrap()
}

fn spread(seed: u64) -> (Rc<World>, Rc<Space>) {
    let world = World::new(Settings::new(seed));
    let space = world.spawn(0).unwrap();
    assert!(world.run(0, &space));
    world
        .map(0, &space, Placement::Fixed(PAGES), LEN, &Mapping::anonymous(RW))
        .unwrap();
    for page in SPREAD {
        world.access(0, at(PAGES, page), 2, Use::Store(page + 1)).value();
    }
    assert!(world.run(1, &space));
    world.mmu().warm_all();
    (world, space)
}

fn set_hot(world: &World, from: PageRange, to: PageRange) {
    let pages = SPREAD.iter();
    let hot = pages.flat_map(|page| [at(from.start(), *page).0, at(to.start(), *page).0]);
    world.mmu().set_hot(hot.collect());
}

/// Each move is to an address that lies as the old one does in what a level-3 table translates (whole tables move), or that does not
/// (their pages do); in memory that a child shares or has shared, while another processor stores through what it still holds.
#[test]
fn whole_tables_are_moved() {
    let targets = [
        0x10_001d_8000,
        0x10_801d_8000,
        0x11_0000_3000,
        0x10_001d_8000,
        PAGES.0,
    ];
    for seed in 0..12 {
        let child_ends_first = seed % 2 == 0;
        let (world, space) = spread(seed);
        let mut from = range(PAGES);
        for target in targets {
            let to = range(VirtAddr(target));
            set_hot(&world, from, to);
            let child = world.fork(0, &space, None).unwrap();
            world.access(1, at(from.start(), 552), 1, Use::Store(5)).value();
            world.mmu().warm_all();
            if child_ends_first {
                assert!(world.run(2, &child));
                assert!(world.exit(2, &child));
            }
            let most = [Portion::LEAST, Portion::USUAL][seed as usize / 2 % 2];
            let placement = RemapPlacement::Fixed(to.start());
            world.remap_by(0, &space, from, (LEN, placement), most).unwrap();
            world.check_everything();
            for page in SPREAD {
                let there = at(to.start(), page);
                assert_eq!(world.access(1, there, 2, Use::Load).value(), page + 1);
                world.access(1, there, 3, Use::Store(page + 2)).value();
            }
            if !child_ends_first {
                assert!(world.run(2, &child));
                for page in SPREAD {
                    let here = at(from.start(), page);
                    assert_eq!(world.access(2, here, 2, Use::Load).value(), page + 1);
                    world.access(2, here, 3, Use::Store(page + 3)).value();
                }
                assert!(world.exit(2, &child));
            }
            from = to;
        }
        world.check_everything();
        world.finish();
    }
}

fn begin(world: &World, inner: &mut AddressSpace, to: VirtAddr) -> Move {
    let (len, placement) = (LEN << 12, RemapPlacement::Fixed(to));
    match inner.begin_remap(&world.memory, PAGES, len, len, placement, Portion::LEAST) {
        Ok(Remapped::Moving(moving)) => moving,
        Ok(Remapped::Done(_)) => panic!("moved at once"),
        Err(error) => panic!("{error:?}"),
    }
}

fn store(world: &World, inner: &mut AddressSpace, address: VirtAddr, value: u64) -> Result<(), Obstacle> {
    let frame = inner.privatise(&world.memory, address, Access::Write)?;
    world.mmu().write_probe(frame, 4, value);
    Ok(())
}

fn load(world: &World, inner: &mut AddressSpace, address: VirtAddr) -> u64 {
    let frame = inner.privatise(&world.memory, address, Access::Read).unwrap();
    world.mmu().read_probe(frame, 4)
}

/// Somebody who looks from outside between the pieces finds each page at one of the two places, and what he stores moves along.
/// At the other he is denied, and told to wait where the page is to come.
#[test]
fn others_find_each_page_here_or_there() {
    for target in [VirtAddr(0x10_001d_8000), VirtAddr(0x10_0000_3000)] {
        let (world, space) = spread(3);
        world.with_space(0, &space, |inner| {
            let mut moving = begin(&world, inner, target);
            let mut round = 0;
            loop {
                assert!(inner.is_moving());
                round += 1;
                for page in SPREAD {
                    let has_moved = at(PAGES, page) < moving.reached();
                    let (here, there) = (at(PAGES, page), at(target, page));
                    let (place, other) = if has_moved { (there, here) } else { (here, there) };
                    store(&world, inner, place, round * 100 + page).unwrap();
                    let denied = store(&world, inner, other, 1).unwrap_err();
                    let code = if has_moved {
                        SegvCode::MapErr
                    } else {
                        SegvCode::AccErr
                    };
                    assert_eq!(denied, Obstacle::Refused(Refusal::Denied(code)));
                    assert_eq!(inner.is_moving_to(other), !has_moved);
                    assert!(!inner.is_moving_to(place));
                }
                if inner
                    .move_some(&world.memory, &mut moving, Portion::LEAST)
                    .unwrap()
                {
                    break;
                }
            }
            assert!(round > 4, "{round} pieces");
            assert!(!inner.is_moving());
            for page in SPREAD {
                assert_eq!(load(&world, inner, at(target, page)), (round) * 100 + page);
            }
            assert_eq!(inner.areas().iter().count(), 1);
        });
        end(&world, &space);
    }
}

/// Another thread unmaps, maps and protects in the middle of a move; nothing of what it does is lost, and nothing leaks.
#[test]
fn others_edit_between_the_pieces() {
    let target = VirtAddr(0x10_0000_3000);
    for act in 0..5 {
        let (world, space) = spread(4);
        let memory = &world.memory;
        world.with_space(0, &space, |inner| {
            let mut moving = begin(&world, inner, target);
            while moving.reached() <= at(PAGES, 39) {
                assert!(!inner.move_some(memory, &mut moving, Portion::LEAST).unwrap());
            }
            let (ahead, behind) = (at(PAGES, 700), at(target, 700));
            let mapping = Mapping::anonymous(RW);
            match act {
                0 => inner.unmap(memory, ahead, 0x1000).unwrap(),
                1 => inner.unmap(memory, behind, 0x1000).unwrap(),
                2 => {
                    let request = mapping.request(Placement::Fixed(behind), 0x1000);
                    inner.map(memory, request).unwrap();
                    store(&world, inner, behind, 7).unwrap();
                }
                3 => {
                    inner.protect(memory, behind, 0x1000, RW).unwrap();
                    store(&world, inner, behind, 7).unwrap();
                }
                _ => {
                    let child = inner.fork(memory, None).unwrap().beside(inner);
                    assert!(child.is_moving());
                    child.release(memory);
                }
            }
            while !inner.move_some(memory, &mut moving, Portion::LEAST).unwrap() {}
            assert!(!inner.is_moving());
            let here = inner.areas().find(ahead).is_some();
            let there = inner.areas().find(behind).is_some();
            assert_eq!(
                (here, there),
                [
                    (false, false),
                    (true, false),
                    (true, true),
                    (false, true),
                    (false, true)
                ][act]
            );
            if act == 2 {
                assert_eq!(load(&world, inner, behind), 7);
            }
            assert!(inner.areas().find(at(target, 1064)).is_some());
        });
        end(&world, &space);
    }
}

/// What was done behind the shadow's back ends with the space.
fn end(world: &World, space: &Rc<Space>) {
    *space.shadow.borrow_mut() = crate::world::shadow::Shadow::default();
    assert!(world.exit(0, space));
    world.finish();
}
