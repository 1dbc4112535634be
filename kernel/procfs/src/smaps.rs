//! /proc/PID/smaps: the areas with what they cost, and /proc/PID/smaps_rollup, their sum. Format: proc(5),
//! `fs/proc/task_mmu.c`.
//!
//! A page that several map costs each of them a part. Its references are counted, but a descriptor in a shared table serves all
//! who share the table: so a page is divided by its references, and by those of each shared table on the way to it. What all
//! processes together are told is the page, no more and no less.

use alloc::sync::Arc;

use abi::Errno;
use mm::{Area, AreaFlags, MappedPage, PAGE_SIZE, PageRange, Sharing, Slot, VirtAddr};

use super::access::Inspected;
use super::maps;
use super::proc_task::ProcTask;
use super::seq_file::SeqFile;
use super::text::Text;
use super::text_line::TextLine;
use sched::scheduler;
use vfs::file_ops::FileOps;

/// Bits behind the point in proportional sizes: `PSS_SHIFT`.
const PSS_SHIFT: u32 = 12;

/// What mapped pages cost, in bytes. The shared zero frame costs nothing.
#[derive(Clone, Copy, Default)]
struct Cost {
    size: u64,
    resident: u64,
    /// Each page divided by how often it is mapped; fixed point.
    proportional: u64,
    proportional_dirty: u64,
    shared_clean: u64,
    shared_dirty: u64,
    private_clean: u64,
    private_dirty: u64,
    anonymous: u64,
    /// Pages in swap space, and each of them divided by how many descriptors name it; fixed point.
    swapped: u64,
    swapped_proportional: u64,
    /// The proportional size of locked areas; fixed point.
    locked: u64,
}

impl Cost {
    /// That of an area, looked at in pieces between which others run.
    fn of(memory: &Inspected, area: &Area) -> Self {
        let mut cost = Cost {
            size: area.range().len(),
            ..Cost::default()
        };
        let mut rest = Some(area.range());
        while let Some(range) = rest.filter(|range| !range.is_empty()) {
            let reached = memory.with(|space| {
                space.visit_pages(memory::get(), range, |page| {
                    if !page.is_zero {
                        cost.add_page(area, &page);
                    }
                })
            });
            rest = reached.and_then(|at| PageRange::between(at, range.end()));
            if scheduler::cond_resched_killable().is_err() {
                return cost;
            }
        }
        if !memory::get().swap().is_empty() {
            cost.add_swapped_of(memory, area);
        }
        cost
    }

    fn add_swapped_of(&mut self, memory: &Inspected, area: &Area) {
        let mut rest = Some(area.range());
        while let Some(range) = rest.filter(|range| !range.is_empty()) {
            let visit = |_, slot: Slot| self.add_swapped(slot);
            let reached = memory.with(|space| space.visit_swapped(memory::get(), range, visit));
            rest = reached.and_then(|at| PageRange::between(at, range.end()));
            if scheduler::cond_resched_killable().is_err() {
                return;
            }
        }
    }

    fn add_swapped(&mut self, slot: Slot) {
        const PAGE: u64 = PAGE_SIZE as u64;
        let (sharers, _) = memory::get().swap().slot_state(slot);
        self.swapped += PAGE;
        self.swapped_proportional += (PAGE << PSS_SHIFT) / u64::from(sharers.max(1));
    }

    /// A page of a file that is not mapped shared and writable is clean; all others would have to be written.
    fn add_page(&mut self, area: &Area, page: &MappedPage) {
        const PAGE: u64 = PAGE_SIZE as u64;
        let is_dirty = !page.is_of_object || (area.sharing == Sharing::Shared && area.protection.write);
        let share = (PAGE << PSS_SHIFT) / page.sharers();
        self.resident += PAGE;
        self.proportional += share;
        if is_dirty {
            self.proportional_dirty += share;
        }
        if area.flags.has(AreaFlags::LOCKED) {
            self.locked += share;
        }
        if !page.is_of_object {
            self.anonymous += PAGE;
        }
        *match (page.sharers() > 1, is_dirty) {
            (true, false) => &mut self.shared_clean,
            (true, true) => &mut self.shared_dirty,
            (false, false) => &mut self.private_clean,
            (false, true) => &mut self.private_dirty,
        } += PAGE;
    }

    fn add(&mut self, other: &Cost) {
        self.size += other.size;
        self.resident += other.resident;
        self.proportional += other.proportional;
        self.proportional_dirty += other.proportional_dirty;
        self.shared_clean += other.shared_clean;
        self.shared_dirty += other.shared_dirty;
        self.private_clean += other.private_clean;
        self.private_dirty += other.private_dirty;
        self.anonymous += other.anonymous;
        self.swapped += other.swapped;
        self.swapped_proportional += other.swapped_proportional;
        self.locked += other.locked;
    }

    fn show(&self, text: &mut Text) {
        let lines = [
            (const { label("Rss:") }, self.resident),
            (const { label("Pss:") }, self.proportional >> PSS_SHIFT),
            (
                const { label("Pss_Dirty:") },
                self.proportional_dirty >> PSS_SHIFT,
            ),
            (const { label("Shared_Clean:") }, self.shared_clean),
            (const { label("Shared_Dirty:") }, self.shared_dirty),
            (const { label("Private_Clean:") }, self.private_clean),
            (const { label("Private_Dirty:") }, self.private_dirty),
            (const { label("Referenced:") }, self.resident),
            (const { label("Anonymous:") }, self.anonymous),
            (const { label("Swap:") }, self.swapped),
            (
                const { label("SwapPss:") },
                self.swapped_proportional >> PSS_SHIFT,
            ),
            (const { label("Locked:") }, self.locked >> PSS_SHIFT),
        ];
        size_lines(text, &lines);
    }
}

/// The column of a size, and what stands before it.
const COLUMN: usize = 16;
type Label = [u8; COLUMN];
/// Twelve lines, each with the longest number.
const MOST_OF_LINES: usize = 12 * (COLUMN + 20 + 4);

/// What a size is, and blanks up to its column.
const fn label(name: &str) -> Label {
    let mut label = [b' '; COLUMN];
    let (start, _) = label.split_at_mut(name.len());
    start.copy_from_slice(name.as_bytes());
    label
}

fn size_lines(text: &mut Text, lines: &[(Label, u64)]) {
    let mut all = TextLine::<MOST_OF_LINES>::new();
    for (label, bytes) in lines {
        all.bytes(label);
        all.aligned::<8>(bytes / 1024);
        all.bytes(b" kB\n");
    }
    all.add_to(text);
}

/// Opens smaps: each area's line in maps, and its cost.
///
/// # Errors
/// `EACCES`: the running process may not look into it. `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = Inspected::new(process)?;
    SeqFile::open(move |from, text| {
        let stack = maps::stack_of(&memory);
        maps::for_each_area(&memory, from, text, |area, text| {
            maps::line(area, stack, text);
            show_area(area, &Cost::of(&memory, area), text);
        })
    })
}

fn show_area(area: &Area, cost: &Cost, text: &mut Text) {
    let lines = [
        (const { label("Size:") }, cost.size),
        (const { label("KernelPageSize:") }, PAGE_SIZE as u64),
        (const { label("MMUPageSize:") }, PAGE_SIZE as u64),
    ];
    size_lines(text, &lines);
    cost.show(text);
    text.bytes(b"THPeligible:           0\n");
    flags(area, text);
}

/// `VmFlags`: two letters for what may be done.
fn flags(area: &Area, text: &mut Text) {
    let protection = area.protection;
    let is_shared = area.sharing == Sharing::Shared;
    let is_growing = area.purpose == mm::Purpose::Stack;
    let has = |flag| area.flags.has(flag);
    let letters = [
        (protection.read, "rd "),
        (protection.write, "wr "),
        (protection.execute, "ex "),
        (is_shared, "sh "),
        (is_growing, "gd "),
        (has(AreaFlags::LOCKED), "lo "),
        (has(AreaFlags::READ_IN_ORDER), "sr "),
        (has(AreaFlags::READ_AT_RANDOM), "rr "),
        (has(AreaFlags::DONT_FORK), "dc "),
        (has(AreaFlags::LOCKED_ON_FAULT), "lf "),
        (has(AreaFlags::WIPE_ON_FORK), "wf "),
        (has(AreaFlags::DONT_DUMP), "dd "),
    ];
    text.bytes(b"VmFlags: ");
    for (_, letters) in letters.iter().filter(|(is_set, _)| *is_set) {
        text.bytes(letters.as_bytes());
    }
    text.bytes(b"\n");
}

/// Opens smaps_rollup: the sum over all areas.
///
/// # Errors
/// `ESRCH` once the process has ended.
pub fn open_rollup(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    let memory = Inspected::new(process)?;
    super::seq_file::open_whole(move |text| rollup(&memory, text))
}

fn rollup(memory: &Inspected, text: &mut Text) -> Result<(), Errno> {
    let (mut sum, mut span) = (Cost::default(), None);
    let mut next = Some(VirtAddr(0));
    while let Some(from) = next {
        let area = memory.with(|space| space.areas().iter_from(from).next().cloned());
        let area = area.flatten();
        if let Some(area) = &area {
            sum.add(&Cost::of(memory, area));
            let (start, _) = span.unwrap_or((area.range().start().0, 0));
            span = Some((start, area.range().end().0));
        }
        next = area.map(|area| area.range().end());
        scheduler::cond_resched_killable()?;
    }
    let (start, end) = span.ok_or(Errno::ESRCH)?;
    text.add(format_args!("{start:08x}-{end:08x} ---p 00000000 00:00 0 "));
    text.add(format_args!("                         [rollup]\n"));
    sum.show(text);
    Ok(())
}
