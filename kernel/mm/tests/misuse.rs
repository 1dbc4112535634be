//! The adversary itself is tested: each breach of the order, done by hand with literal descriptors, brings its complaint, and
//! the right order brings none. One address space of one page: root -> level 2 -> level 3 -> page.

use machine::{Moment, SoftMmu};
use mm::{Access, Asid, Descriptor, Frame, Mmu, VirtAddr};

const ROOT: Frame = Frame(0x100);
const L2: Frame = Frame(0x101);
const L3: Frame = Frame(0x102);
const PAGE: Frame = Frame(0x103);
const OTHER: Frame = Frame(0x104);
const ASID: Asid = Asid(7);
const ADDRESS: VirtAddr = VirtAddr(0x4020_3000);
const NEIGHBOUR: VirtAddr = VirtAddr(0x4020_4000);

const READ_WRITE: u64 = 0x0060_0000_0000_0f47;
const READ_ONLY: u64 = 0x0060_0000_0000_0fc7;
const TABLE: u64 = 3;

fn to(frame: Frame, bits: u64) -> Descriptor {
    Descriptor(u64::from(frame.0) << 12 | bits)
}

/// Two processors in one space with one writable page, everything done in the right order, every TLB warm.
fn machine() -> SoftMmu {
    let mmu = SoftMmu::new(ROOT, 16, 2, 1);
    [ROOT, L2, L3, PAGE, OTHER]
        .into_iter()
        .for_each(|frame| mmu.zero_frame(frame));
    mmu.store(L3, 3, to(PAGE, READ_WRITE));
    mmu.store(L2, 1, to(L3, TABLE));
    mmu.dsb_ishst();
    mmu.store(ROOT, 1, to(L2, TABLE));
    mmu.dsb_ishst();
    mmu.set_hot(vec![ADDRESS.0, NEIGHBOUR.0]);
    for cpu in [1, 0] {
        mmu.set_cpu(cpu);
        mmu.activate(ROOT, ASID);
    }
    mmu.warm_all();
    assert_eq!(mmu.complaint(), None);
    mmu
}

#[track_caller]
fn complains(mmu: &SoftMmu, of: &str) {
    let complaint = mmu
        .complaint()
        .unwrap_or_else(|| panic!("no complaint of {of:?}"));
    assert!(
        complaint.lines().next().unwrap_or_default().contains(of),
        "{of:?} expected: {complaint}"
    );
}

/// A flush as it should be.
fn flush(mmu: &SoftMmu) {
    mmu.dsb_ishst();
    mmu.tlbi_vae1is(ASID, ADDRESS);
    mmu.dsb_ish();
}

fn reads(mmu: &SoftMmu, cpu: usize) -> Option<Frame> {
    mmu.set_cpu(cpu);
    mmu.translate(ADDRESS, Access::Read, Moment::Busy)
}

#[test]
fn break_before_make_in_order_is_fine() {
    let mmu = machine();
    mmu.store(L3, 3, Descriptor::INVALID);
    flush(&mmu);
    mmu.store(L3, 3, to(OTHER, READ_WRITE));
    mmu.dsb_ishst();
    mmu.check_return();
    mmu.check_root(ROOT);
    mmu.junk_frame(PAGE);
    assert_eq!(mmu.complaint(), None);
    assert_eq!(reads(&mmu, 1), Some(OTHER));
}

#[test]
fn a_new_address_without_break() {
    let mmu = machine();
    mmu.store(L3, 3, to(OTHER, READ_WRITE));
    complains(&mmu, "without break");
}

#[test]
fn a_new_memory_type_without_break() {
    let mmu = machine();
    mmu.store(L3, 3, Descriptor(to(PAGE, READ_WRITE).0 & !0x1c));
    complains(&mmu, "without break");
}

#[test]
fn a_make_before_the_flush() {
    let mmu = machine();
    mmu.store(L3, 3, Descriptor::INVALID);
    mmu.dsb_ishst();
    mmu.store(L3, 3, to(OTHER, READ_WRITE));
    complains(&mmu, "made before its break was flushed");
}

#[test]
fn a_make_between_tlbi_and_dsb() {
    let mmu = machine();
    mmu.store(L3, 3, Descriptor::INVALID);
    mmu.dsb_ishst();
    mmu.tlbi_vae1is(ASID, ADDRESS);
    mmu.store(L3, 3, to(OTHER, READ_WRITE));
    complains(&mmu, "made before its break was flushed");
}

#[test]
fn a_tlbi_before_its_store_is_visible() {
    let mmu = machine();
    mmu.store(L3, 3, to(PAGE, READ_ONLY));
    mmu.tlbi_vae1is(ASID, ADDRESS);
    complains(&mmu, "is visible");
}

#[test]
fn a_tlbi_before_its_store() {
    let mmu = machine();
    mmu.tlbi_vae1is(ASID, ADDRESS);
    mmu.warm_all();
    mmu.store(L3, 3, to(PAGE, READ_ONLY));
    mmu.dsb_ish();
    mmu.check_root(ROOT);
    complains(&mmu, "stale entry");
}

#[test]
fn a_return_with_a_tlbi_pending() {
    let mmu = machine();
    mmu.store(L3, 3, to(PAGE, READ_ONLY));
    mmu.dsb_ishst();
    mmu.tlbi_vae1is(ASID, ADDRESS);
    mmu.check_return();
    complains(&mmu, "return to user with a TLBI pending");
}

#[test]
fn a_return_with_a_store_pending() {
    let mmu = machine();
    mmu.store(L3, 3, to(PAGE, READ_ONLY));
    mmu.check_return();
    complains(&mmu, "not yet visible");
}

#[test]
fn fewer_rights_without_a_flush() {
    let mmu = machine();
    mmu.store(L3, 3, to(PAGE, READ_ONLY));
    mmu.dsb_ishst();
    mmu.translate(ADDRESS, Access::Read, Moment::Quiet);
    complains(&mmu, "could use a stale entry");
}

#[test]
fn a_subtree_made_read_only_without_a_flush() {
    let mmu = machine();
    mmu.store(ROOT, 1, to(L2, TABLE | 1 << 62));
    mmu.dsb_ishst();
    mmu.check_root(ROOT);
    complains(&mmu, "could use a stale entry");
}

/// A leaf may be remembered apart from the tables above it: as it was before it was write-protected under a read-only table.
#[test]
fn a_subtree_made_writable_over_a_stale_leaf() {
    let mmu = machine();
    mmu.store(ROOT, 1, to(L2, TABLE | 1 << 62));
    mmu.dsb_ishst();
    mmu.tlbi_aside1is(ASID);
    mmu.dsb_ish();
    mmu.warm_all();
    mmu.store(L3, 3, to(PAGE, READ_ONLY));
    mmu.dsb_ishst();
    mmu.check_root(ROOT);
    assert_eq!(mmu.complaint(), None, "the read-only table covers it");
    mmu.store(ROOT, 1, to(L2, TABLE));
    complains(&mmu, "opened over a stale leaf");
}

#[test]
fn a_frame_reused_while_a_tlb_reaches_it() {
    let reuses: [fn(&SoftMmu); 3] = [
        |mmu| mmu.junk_frame(PAGE),
        |mmu| mmu.zero_frame(PAGE),
        |mmu| mmu.copy_frame(OTHER, PAGE),
    ];
    for reuse in reuses {
        let mmu = machine();
        mmu.store(L3, 3, Descriptor::INVALID);
        mmu.dsb_ishst();
        reuse(&mmu);
        complains(&mmu, "still reaches it");
    }
}

#[test]
fn a_table_reused_while_a_walk_cache_reaches_it() {
    let mmu = machine();
    mmu.store(L2, 1, Descriptor::INVALID);
    mmu.dsb_ishst();
    mmu.tlbi_vale1is(ASID, ADDRESS);
    mmu.dsb_ish();
    mmu.junk_frame(L3);
    complains(&mmu, "still reaches it");
}

#[test]
fn a_shared_table_changes_only_by_write_protection() {
    let mmu = machine();
    mmu.set_count_of(Box::new(|frame| if frame == L3.0 { 2 } else { 1 }));
    mmu.store(L3, 3, to(PAGE, READ_ONLY));
    assert_eq!(mmu.complaint(), None);
    mmu.store(L3, 3, to(PAGE, READ_WRITE));
    complains(&mmu, "(I3)");
}

#[test]
fn a_frame_that_nobody_holds() {
    let mmu = machine();
    mmu.set_count_of(Box::new(|frame| u32::from(frame != OTHER.0)));
    mmu.store(L3, 4, to(OTHER, READ_WRITE));
    complains(&mmu, "points to no frame in use");
}

#[test]
fn a_block() {
    let mmu = machine();
    mmu.store(L2, 2, to(OTHER, READ_WRITE & !2));
    complains(&mmu, "block or reserved");
}

#[test]
fn bits_that_no_user_page_may_have_or_lack() {
    let wrong = [
        (READ_WRITE & !(1 << 10), "AF is 0"),
        (READ_WRITE & !(1 << 11), "nG is 0"),
        (READ_WRITE & !(1 << 53), "PXN is 0"),
        (READ_WRITE & !0x300, "SH is not"),
        (READ_WRITE | 0x8, "AttrIndx"),
        (READ_WRITE | 1 << 52, "Contiguous"),
        (READ_WRITE | 1 << 51, "DBM"),
    ];
    for (bits, complaint) in wrong {
        let mmu = machine();
        mmu.store(L3, 4, to(OTHER, bits));
        mmu.dsb_ishst();
        mmu.translate(NEIGHBOUR, Access::Read, Moment::Busy);
        complains(&mmu, complaint);
    }
}

#[test]
fn content_linked_before_it_is_visible() {
    let mmu = machine();
    mmu.zero_frame(OTHER);
    mmu.store(L3, 4, to(OTHER, READ_WRITE));
    complains(&mmu, "linked before the content");
}

#[test]
fn a_table_linked_before_its_entries_are_visible() {
    let mmu = machine();
    mmu.zero_frame(OTHER);
    mmu.dsb_ishst();
    mmu.store(OTHER, 0, to(PAGE, READ_ONLY));
    mmu.store(L2, 2, to(OTHER, TABLE));
    complains(&mmu, "linked before the content");
}

#[test]
fn one_asid_on_two_roots() {
    let mmu = machine();
    mmu.activate(OTHER, ASID);
    complains(&mmu, "runs with asid 7");
}

#[test]
fn an_asid_given_to_another_without_a_flush() {
    let mmu = machine();
    for cpu in [0, 1] {
        mmu.set_cpu(cpu);
        mmu.deactivate();
    }
    mmu.disown(ROOT);
    mmu.activate(OTHER, ASID);
    complains(&mmu, "could use a stale entry");
}

#[test]
fn code_executed_before_the_instruction_caches_know() {
    let mmu = machine();
    mmu.write_probe(PAGE, 2, 0x1234);
    mmu.sync_icache(PAGE);
    assert_eq!(mmu.fetch_probe(PAGE, 2), 0x1234);
    mmu.write_probe(PAGE, 3, 0x5678);
    mmu.sync_probe(PAGE, 3);
    assert_eq!(mmu.fetch_probe(PAGE, 3), 0x5678);
    assert_eq!(mmu.complaint(), None);
    mmu.write_probe(PAGE, 2, 0x9abc);
    mmu.fetch_probe(PAGE, 2);
    complains(&mmu, "in the I-cache");
}

#[test]
fn a_tlbi_takes_effect_at_the_dsb() {
    let mmu = machine();
    mmu.store(L3, 3, Descriptor::INVALID);
    mmu.dsb_ishst();
    mmu.tlbi_vae1is(ASID, ADDRESS);
    assert_eq!(reads(&mmu, 1), Some(PAGE), "cpu 1 may go on using it");
    mmu.set_cpu(0);
    mmu.dsb_ish();
    assert_eq!([reads(&mmu, 0), reads(&mmu, 1)], [None, None]);
}

#[test]
fn a_local_tlbi_stays_local() {
    let mmu = machine();
    mmu.set_cpu(0);
    mmu.store(L3, 3, Descriptor::INVALID);
    mmu.dsb_ishst();
    mmu.tlbi_vae1_local(ASID, ADDRESS);
    assert_eq!([reads(&mmu, 0), reads(&mmu, 1)], [None, Some(PAGE)]);
}

#[test]
fn a_tlbi_by_address_leaves_the_neighbour_and_by_asid_the_other_asid() {
    let mmu = machine();
    mmu.store(L3, 4, to(OTHER, READ_WRITE));
    mmu.dsb_ishst();
    mmu.warm_all();
    mmu.store(L3, 4, Descriptor::INVALID);
    flush(&mmu);
    mmu.tlbi_aside1is(Asid(8));
    mmu.dsb_ish();
    assert_eq!(mmu.translate(NEIGHBOUR, Access::Read, Moment::Busy), Some(OTHER));
    mmu.tlbi_aside1is(ASID);
    mmu.dsb_ish();
    assert_eq!(mmu.translate(NEIGHBOUR, Access::Read, Moment::Busy), None);
}

#[test]
fn every_access_right_is_decoded() {
    let rights = |bits: u64| {
        let mmu = machine();
        mmu.store(L3, 4, to(OTHER, bits));
        mmu.dsb_ishst();
        mmu.tlbi_aside1is(ASID);
        mmu.dsb_ish();
        [Access::Read, Access::Write, Access::Execute]
            .map(|access| mmu.translate(NEIGHBOUR, access, Moment::Quiet).is_some())
    };
    assert_eq!(rights(READ_WRITE), [true, true, false]);
    assert_eq!(rights(READ_ONLY), [true, false, false]);
    assert_eq!(rights(READ_ONLY & !(1 << 54)), [true, false, true]);
    assert_eq!(rights(READ_WRITE & !(1 << 54)), [true, true, true]);
    // AP[1] = 0: no data access from EL0, yet execute-only where UXN = 0 (Arm ARM D8.4.1).
    assert_eq!(rights(READ_WRITE & !(1 << 6)), [false, false, false]);
    assert_eq!(rights(READ_ONLY & !(1 << 6) & !(1 << 54)), [false, false, true]);
}
