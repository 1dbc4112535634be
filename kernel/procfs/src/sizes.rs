//! What the memory of a process amounts to: for stat, statm and status. Pages are counted from the counts of the level-3
//! tables, areas one by one, both in pieces between which others run: nothing is counted while a program maps and faults.

use mm::{AddressSpace, Area, Backing, PAGE_SIZE, PageRange, Purpose, Sharing, USER_END, VirtAddr};

use super::proc_task::ProcTask;
use sched::scheduler;
use sched::space::{ProgramLayout, Space};

const PAGE: u64 = PAGE_SIZE as u64;
/// Areas looked at under one hold of the space's lock.
const BATCH: usize = 256;
/// `st_dev` of memory without a name that processes share.
const SHARED_MEMORY: u64 = 1;

/// Sizes of an address space in bytes.
#[derive(Default)]
pub struct Sizes {
    /// All areas.
    pub total: u64,
    /// Pages that are mapped; among them those of files, and of shared memory without a name.
    pub resident: u64,
    pub resident_files: u64,
    pub resident_shared: u64,
    /// The most of all areas, and of what was resident, that were ever found.
    pub peak: u64,
    pub resident_peak: u64,
    /// Private memory that may be written, but for the stack.
    pub data: u64,
    pub stack: u64,
    /// Locked areas.
    pub locked: u64,
    /// What may be executed.
    pub executable: u64,
    /// Translation tables below the root.
    pub tables: u64,
    pub break_start: u64,
    /// What exec laid where.
    pub program: ProgramLayout,
    /// First byte and end of the strings of arguments and environment.
    pub arguments: (u64, u64),
    pub environment: (u64, u64),
}

impl Sizes {
    /// Those of a process; `None` once it has ended.
    pub fn of(process: &ProcTask) -> Option<Self> {
        let space = process.space()?;
        let sizes = Sizes::of_space(&space);
        space.let_go();
        Some(sizes)
    }

    fn of_space(space: &Space) -> Self {
        let end = |(start, len): (u64, usize)| (start, start + len as u64);
        let mut sizes = Sizes {
            program: space.program.load(),
            arguments: end(space.strings.arguments()),
            environment: end(space.strings.environment()),
            ..Sizes::default()
        };
        in_pieces(space, |space, from| sizes.add_areas(space, from));
        in_pieces(space, |space, from| sizes.add_resident(space, from));
        space.with(|space| {
            sizes.locked = space.areas().sums().locked;
            sizes.break_start = space.break_range().0.0;
            sizes.tables = (space.count_tables(memory::get()) - 1) * PAGE;
        });
        (sizes.peak, sizes.resident_peak) = space.note_sizes(sizes.total, sizes.resident);
        sizes
    }

    fn add_resident(&mut self, space: &AddressSpace, from: VirtAddr) -> Option<VirtAddr> {
        let (pages, next) = space.count_resident(memory::get(), from);
        self.resident += pages * PAGE;
        next
    }

    /// Adds some areas from the one at `from` on, or what is left of it; where to go on.
    fn add_areas(&mut self, space: &AddressSpace, from: VirtAddr) -> Option<VirtAddr> {
        let (mut at, mut seen) = (from, 0);
        for area in space.areas().iter_from(from).take(BATCH) {
            let range = area.range();
            seen += 1;
            if at <= range.start() {
                self.add_area(area);
            }
            at = self.add_object_pages(space, area, at);
            if at < range.end() {
                return Some(at);
            }
        }
        (seen == BATCH).then_some(at)
    }

    fn add_area(&mut self, area: &Area) {
        let len = area.range().len();
        self.total += len;
        match area.purpose {
            Purpose::Stack => self.stack += len,
            _ if area.protection.execute => self.executable += len,
            _ if area.protection.write && area.sharing == Sharing::Private => self.data += len,
            _ => {}
        }
    }

    /// Counts pages of an object that are mapped in the area, from `from` on; where it came to.
    fn add_object_pages(&mut self, space: &AddressSpace, area: &Area, from: VirtAddr) -> VirtAddr {
        let range = area.range();
        let Backing::Source { source, .. } = &area.backing else {
            return range.end();
        };
        let Some(range) = PageRange::between(from.max(range.start()), range.end()) else {
            return range.end();
        };
        let (pages, reached) = space.count_object_pages(memory::get(), range);
        let resident = match source.identity().device {
            SHARED_MEMORY => &mut self.resident_shared,
            _ => &mut self.resident_files,
        };
        *resident += pages * PAGE;
        reached
    }

    /// Pages that are the process's own.
    pub fn resident_anonymous(&self) -> u64 {
        let objects = self.resident_files + self.resident_shared;
        self.resident.saturating_sub(objects)
    }
}

/// Bytes of a process that are in swap space.
pub fn swapped(process: &ProcTask) -> u64 {
    let mut bytes = 0;
    if memory::get().swap().is_empty() {
        return bytes;
    }
    if let Some(space) = process.space() {
        in_pieces(&space, |space, from| {
            let rest = PageRange::between(from, VirtAddr(USER_END)).filter(|rest| !rest.is_empty())?;
            let (pages, next) = space.count_swapped(memory::get(), rest);
            bytes += pages * PAGE;
            Some(next)
        });
        space.let_go();
    }
    bytes
}

/// Works through a space in pieces: `piece` is given where to begin, under the space's lock, and says where to go on.
fn in_pieces(space: &Space, mut piece: impl FnMut(&AddressSpace, VirtAddr) -> Option<VirtAddr>) {
    let mut next = Some(VirtAddr(0));
    while let Some(from) = next {
        next = space.with(|space| piece(space, from));
        if next.is_some() && scheduler::cond_resched_killable().is_err() {
            return;
        }
    }
}
