//! Memory of a host: RAM is one piece of it, and each processor's address space is the tables that `mm` made there.

mod counts;
#[path = "../memory/mmu.rs"]
mod mmu;
mod pairs;
#[path = "../memory/ram.rs"]
pub(crate) mod ram;

pub use mmu::BoardMmu;
pub use ram::RamFrames;

use super::layout;
use crate::cpu::{MAX_CPUS, PerCpu};
use core::alloc::Layout;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use mm::{Asid, Frame, FrameInfos, FrameWord, PAGE_SIZE, PhysAddr};
use std::alloc::System;
use std::sync::OnceLock;
use std::vec::Vec;

/// The records of all frames, and how many bytes they are of.
struct Found {
    frame_infos: FrameInfos,
    ram_bytes: usize,
}

static FOUND: OnceLock<Found> = OnceLock::new();
/// The root of each processor's address space, or [`NONE`].
static ROOTS: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(NONE) }; MAX_CPUS]);
const NONE: u64 = u64::MAX;

/// Takes RAM from the host.
///
/// # Panics
/// When there is none, or it is no power of two of pages.
pub(super) fn set_up(ram_bytes: usize) {
    // Blocks of RAM are aligned to their size, so the whole is.
    let layout = Layout::from_size_align(ram_bytes, ram_bytes).expect("a power of two of bytes");
    assert!(ram_bytes >= PAGE_SIZE, "one page at least");
    // SAFETY: the size is not 0. The memory is never given back.
    let start = unsafe { core::alloc::GlobalAlloc::alloc(&System, layout) };
    assert!(!start.is_null(), "the host has not {ram_bytes} bytes");
    layout::set_ram(start.expose_provenance());
    let first = layout::RAM_START;
    // SAFETY: it is ours, mapped and writable, and added once.
    unsafe { ram::add(first..first + ram_bytes as u64) };
    let frame_infos = FrameInfos {
        counts: words(ram_bytes / PAGE_SIZE),
        words: words(ram_bytes / PAGE_SIZE),
    };
    let is_first = FOUND
        .set(Found {
            frame_infos,
            ram_bytes,
        })
        .is_ok();
    assert!(is_first, "RAM is set up once");
}

fn words(count: usize) -> &'static [FrameWord] {
    let words: Vec<FrameWord> = (0..count).map(|_| FrameWord::new(0)).collect();
    Vec::leak(words)
}

fn found() -> &'static Found {
    FOUND.get().expect("host::boot comes first")
}

/// One record for each frame: the first frame, and the records.
pub fn frame_infos() -> (Frame, FrameInfos) {
    (PhysAddr(layout::RAM_START).frame(), found().frame_infos)
}

/// Bytes of RAM.
pub fn ram_bytes() -> u64 {
    found().ram_bytes as u64
}

/// Where in RAM the kernel's code lies, and where its data: nowhere, they are the host's.
pub fn image() -> (Range<u64>, Range<u64>) {
    (0..0, 0..0)
}

/// Bytes of RAM in use by nobody, not counting the frames that `mm::Frames` keeps.
pub fn free_bytes() -> usize {
    ram::free_bytes()
}

/// How often, since boot, RAM was asked for and there was none; with the refusals that tests inject and want to be counted.
pub fn refusals() -> u64 {
    ram::refusals()
}

/// Makes the address space with this root the one of this processor's programs.
pub fn activate(root: Frame, _: Asid) {
    ROOTS.get().store(root.start().0, Ordering::Release);
}

/// Leaves this processor with no address space: all user addresses fault.
pub fn deactivate() {
    ROOTS.get().store(NONE, Ordering::Release);
}

/// The root of this processor's address space.
pub(super) fn root() -> Option<Frame> {
    let root = ROOTS.get().load(Ordering::Acquire);
    (root != NONE).then(|| PhysAddr(root).frame())
}

/// The initrd stays with whoever gave it to [`super::boot`].
pub fn give_back_initrd(_: &'static [u8]) {}
