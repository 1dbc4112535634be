//! Descriptor bits by hand, literal, against the Arm ARM (D8.3 "Translation table descriptor formats", D8.4 "Memory access
//! control", D8.6 "Memory types and attributes"): first the constructors, then what stands in memory for each kind of page.

use crate::world::operations::Mapping;
use crate::world::{Settings, Use, World};
use mm::{Descriptor, Frame, Level, PageRange, Placement, Protection, Sharing, VirtAddr};

const FRAME: Frame = Frame(0x12345);

#[test]
fn a_page_is_read_only_normal_inner_shareable_accessed_not_global() {
    // UXN 54, PXN 53 | frame | nG 11, AF 10, SH 9:8 = 0b11, AP[2] 7, AP[1] 6, AttrIndx 4:2 = 1, 1:0 = 0b11.
    assert_eq!(Descriptor::page(FRAME).0, 0x0060_0000_1234_5fc7);
}

#[test]
fn each_step_changes_its_bits_alone() {
    let page = Descriptor::page(FRAME);
    assert_eq!(page.with_write().0, 0x0060_0000_1234_5f47, "AP[2] = 0");
    assert_eq!(page.with_write().without_write(), page);
    assert_eq!(page.executable().0, 0x0020_0000_1234_5fc7, "UXN = 0, PXN stays");
    assert_eq!(page.of_shared_area().0, 0x00e0_0000_1234_5fc7, "software bit 55");
    assert_eq!(page.area_writable().0, 0x0160_0000_1234_5fc7, "software bit 56");
    let all = page.executable().of_shared_area().area_writable().with_write();
    assert_eq!(all.0, 0x01a0_0000_1234_5f47);
    assert_eq!(
        all.without_access().0,
        0x00e0_0000_1234_5f87,
        "AP[1] = 0, AP[2] = 1, UXN = 1"
    );
}

#[test]
fn a_table_restricts_nothing_but_writes() {
    let table = Descriptor::table(FRAME);
    assert_eq!(table.0, 0x0000_0000_1234_5003);
    assert_eq!(
        table.table_without_write().0,
        0x4000_0000_1234_5003,
        "APTable[1], bit 62"
    );
    assert_eq!(table.table_without_write().table_with_write(), table);
}

#[test]
fn what_a_descriptor_says() {
    let of = |bits: u64| Descriptor(0x1234_5000 | bits);
    assert!(!Descriptor(0).is_valid() && !of(0xfc6).is_valid() && of(0x3).is_valid());
    assert_eq!(Descriptor::INVALID.0, 0);
    assert!(of(0xf47).is_page_writable() && !of(0xfc7).is_page_writable() && !of(0xf07).is_page_writable());
    assert!(of(0xfc7).is_page_accessible() && !of(0xf87).is_page_accessible());
    assert!(of(0xfc7).is_page_executable() && !of(1 << 54 | 0xfc7).is_page_executable());
    assert!(of(3).is_table_writable() && !of(1 << 62 | 3).is_table_writable());
    assert!(of(1 << 55).is_of_shared_area() && !of(0).is_of_shared_area());
    assert!(of(1 << 56).is_area_writable() && !of(0).is_area_writable());
    assert_eq!(
        Descriptor(0x0160_0fff_ffff_ff47).frame(),
        Frame(0xffff_ffff),
        "44 bits of physical address"
    );
}

#[test]
fn three_levels_of_nine_bits() {
    let address = VirtAddr(0x7f_8060_4abc);
    // 0b1_1111_1110 | 0b0_0000_0011 | 0b0_0000_0100 | 0xabc
    let indices = [Level::L1, Level::L2, Level::L3].map(|level| address.index(level));
    assert_eq!(indices, [510, 3, 4]);
    assert_eq!(
        (address.page_offset(), address.page_start()),
        (0xabc, VirtAddr(0x7f_8060_4000))
    );
    assert_eq!(
        [Level::L1, Level::L2, Level::L3].map(Level::span),
        [0x4000_0000, 0x20_0000, 0x1000]
    );
    assert!(VirtAddr(0x7f_ffff_ffff).is_user() && !VirtAddr(0x80_0000_0000).is_user());
}

#[test]
fn ranges_stay_inside_the_user_half() {
    let top = 0x80_0000_0000;
    assert!(PageRange::new(VirtAddr(top - 0x1000), 0x1000).is_some());
    assert!(PageRange::new(VirtAddr(top - 0x1000), 0x1001).is_none());
    assert!(PageRange::new(VirtAddr(0x1001), 1).is_none());
    assert!(PageRange::new(VirtAddr(0x1000), u64::MAX).is_none());
    assert!(PageRange::new(VirtAddr(!0xfff), 0x1000).is_none());
    assert!(PageRange::between(VirtAddr(0x2000), VirtAddr(0x1000)).is_none());
    let range = PageRange::new(VirtAddr(0x1000), 1).unwrap();
    assert_eq!((range.end(), range.pages()), (VirtAddr(0x2000), 1));
}

/// The bits of the leaf at `address`, its frame taken out, and those of the two tables above it.
fn in_memory(world: &World, root: Frame, address: VirtAddr) -> [u64; 3] {
    let mut table = root;
    [Level::L1, Level::L2, Level::L3].map(|level| {
        let raw = world.mmu().word(table, address.index(level));
        table = Frame((raw >> 12) as u32 & 0xf_ffff);
        raw & !0x0000_ffff_ffff_f000
    })
}

#[test]
fn what_stands_in_memory() {
    let world = World::new(Settings::new(1));
    let space = world.spawn(0).unwrap();
    assert!(world.run(0, &space));
    let at = VirtAddr(0x1234_5000);
    let text = world.objects[0].clone();
    let data = world.objects[2].clone();
    let map = |mapping: &Mapping, what: Use| {
        world.map(0, &space, Placement::Fixed(at), 1, mapping).unwrap();
        world.access(0, at, 0, what).value();
        in_memory(&world, space.root, at)
    };
    let rw = Protection::READ_WRITE;
    let table = 0x3;
    assert_eq!(
        map(&Mapping::anonymous(rw), Use::Load),
        [table, table, 0x0160_0000_0000_0fc7],
        "the zero frame"
    );
    assert_eq!(
        map(&Mapping::anonymous(rw), Use::Store(1)),
        [table, table, 0x0160_0000_0000_0f47]
    );
    assert_eq!(
        map(&Mapping::anonymous(Protection::READ), Use::Load),
        [table, table, 0x0060_0000_0000_0fc7]
    );
    let private_text = Mapping::of(&text, 0, Protection::READ_EXECUTE, Sharing::Private);
    assert_eq!(
        map(&private_text, Use::Fetch),
        [table, table, 0x0020_0000_0000_0fc7]
    );
    let shared = Mapping::of(&data, 0, rw, Sharing::Shared);
    assert_eq!(map(&shared, Use::Store(1)), [table, table, 0x01e0_0000_0000_0f47]);
    let shared_read_only = Mapping::of(&data, 0, Protection::READ, Sharing::Shared);
    assert_eq!(
        map(&shared_read_only, Use::Load),
        [table, table, 0x00e0_0000_0000_0fc7]
    );

    map(&Mapping::anonymous(rw), Use::Store(1));
    world
        .protect(0, &space, PageRange::new(at, 0x1000).unwrap(), Protection::NONE)
        .unwrap();
    assert_eq!(
        in_memory(&world, space.root, at),
        [table, table, 0x0060_0000_0000_0f87]
    );

    map(&Mapping::anonymous(rw), Use::Store(1));
    let child = world.fork(0, &space, None).unwrap();
    let forked = [0x4000_0000_0000_0003, table, 0x0160_0000_0000_0f47];
    assert_eq!(
        in_memory(&world, space.root, at),
        forked,
        "fork touches the roots alone"
    );
    assert_eq!(in_memory(&world, child.root, at), forked);
    world.finish();
}
