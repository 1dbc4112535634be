//! /proc/PID/smaps: the areas with what they cost, and /proc/PID/smaps_rollup, their sum. Format: proc(5),
//! `fs/proc/task_mmu.c`.

use alloc::vec::Vec;

use abi::Errno;
use mm::{AddressSpace, Area, MappedPage, PAGE_SIZE, Sharing};

use super::maps::{self, is_file_page};
use super::pages::mapping_counts;
use super::process::Subject;
use super::system::may_look_into;
use super::text::Text;
use crate::memory;

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
}

/// How often each frame of memory is mapped.
struct Mappings {
    first: u32,
    counts: Vec<u32>,
}

impl Mappings {
    fn of_all() -> Self {
        let managed = memory::get().frames().managed();
        Mappings {
            first: managed.first.0,
            counts: mapping_counts(managed.first, managed.len),
        }
    }

    fn of(&self, page: &MappedPage) -> u32 {
        let index = page.descriptor.frame().0.wrapping_sub(self.first) as usize;
        self.counts.get(index).copied().unwrap_or(1).max(1)
    }
}

impl Cost {
    fn of(space: &AddressSpace, area: &Area, mappings: &Mappings) -> Self {
        let mut cost = Cost {
            size: area.range().len(),
            ..Cost::default()
        };
        space.for_each_page(memory::get(), area.range(), |page| {
            if !page.is_zero {
                cost.add_page(area, &page, mappings.of(&page));
            }
        });
        cost
    }

    /// A page of a file that is not mapped shared and writable is clean; all others would have to be written.
    fn add_page(&mut self, area: &Area, page: &MappedPage, mappings: u32) {
        const PAGE: u64 = PAGE_SIZE as u64;
        let is_file = is_file_page(area, page);
        let is_dirty = !is_file || (area.sharing == Sharing::Shared && area.protection.write);
        let share = (PAGE << PSS_SHIFT) / u64::from(mappings);
        self.resident += PAGE;
        self.proportional += share;
        if is_dirty {
            self.proportional_dirty += share;
        }
        if !is_file {
            self.anonymous += PAGE;
        }
        *match (mappings > 1, is_dirty) {
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
    }

    fn show(&self, text: &mut Text) {
        let lines = [
            ("Rss:", self.resident),
            ("Pss:", self.proportional >> PSS_SHIFT),
            ("Pss_Dirty:", self.proportional_dirty >> PSS_SHIFT),
            ("Shared_Clean:", self.shared_clean),
            ("Shared_Dirty:", self.shared_dirty),
            ("Private_Clean:", self.private_clean),
            ("Private_Dirty:", self.private_dirty),
            ("Referenced:", self.resident),
            ("Anonymous:", self.anonymous),
            ("Swap:", 0),
            ("SwapPss:", 0),
            ("Locked:", 0),
        ];
        lines
            .into_iter()
            .for_each(|(name, bytes)| size_line(text, name, bytes));
    }
}

fn size_line(text: &mut Text, name: &str, bytes: u64) {
    text.add(format_args!("{name:<16}{:8} kB\n", bytes / 1024));
}

/// Each area with its cost.
fn costs(process: &Subject) -> Vec<(Area, Cost)> {
    let mappings = Mappings::of_all();
    let costs = process.with_space(|space| {
        space
            .areas()
            .iter()
            .map(|area| (area.clone(), Cost::of(space, area, &mappings)))
            .collect()
    });
    costs.unwrap_or_default()
}

/// Each area's line in maps, and its cost.
pub fn smaps(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    may_look_into(process)?;
    for (area, cost) in costs(process) {
        maps::line(&area, text);
        size_line(text, "Size:", cost.size);
        size_line(text, "KernelPageSize:", PAGE_SIZE as u64);
        size_line(text, "MMUPageSize:", PAGE_SIZE as u64);
        cost.show(text);
        text.add(format_args!("THPeligible:           0\n"));
        flags(&area, text);
    }
    Ok(())
}

/// `VmFlags`: two letters for what may be done.
fn flags(area: &Area, text: &mut Text) {
    let protection = area.protection;
    let is_shared = area.sharing == Sharing::Shared;
    let is_growing = matches!(area.purpose, mm::Purpose::Stack { .. });
    let letters = [
        (protection.read, "rd"),
        (protection.write, "wr"),
        (protection.execute, "ex"),
        (is_shared, "sh"),
        (is_growing, "gd"),
    ];
    text.bytes(b"VmFlags: ");
    for (_, letters) in letters.iter().filter(|(is_set, _)| *is_set) {
        text.add(format_args!("{letters} "));
    }
    text.bytes(b"\n");
}

/// The sum over all areas.
pub fn rollup(process: &Subject, text: &mut Text) -> Result<(), Errno> {
    may_look_into(process)?;
    let costs = costs(process);
    let (Some((first, _)), Some((last, _))) = (costs.first(), costs.last()) else {
        return Err(Errno::ESRCH);
    };
    let mut sum = Cost::default();
    costs.iter().for_each(|(_, cost)| sum.add(cost));
    let (start, end) = (first.range().start().0, last.range().end().0);
    text.add(format_args!("{start:08x}-{end:08x} ---p 00000000 00:00 0 "));
    text.add(format_args!("                         [rollup]\n"));
    sum.show(text);
    Ok(())
}
