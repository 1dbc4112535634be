//! What /proc says of the processes that are shown.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use super::cells::Page;
use crate::pages::{self, Area, Entry, FrameFlags, PageMap, TimesMapped, Translation};
use crate::runtime::memory::{Mapping, PAGE, Sharing};
use crate::runtime::{Result, directory, file};

/// A process.
pub struct Process {
    pub pid: i32,
    pub name: String,
    pub resident: u64,
    pub faults: u64,
    pub areas: Vec<Area>,
    /// The entries that point to its tables; `None` on kernels that do not show them.
    pub tables: Option<Translation>,
    map: PageMap,
}

impl Process {
    /// `None`: it has ended, has no memory, or may not be looked into.
    pub fn of(pid: i32) -> Option<Process> {
        let who = pid.to_string();
        let areas = pages::areas(&who).ok().filter(|areas| !areas.is_empty())?;
        let stat = file::read_text(&format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold anything, also parentheses.
        let (head, tail) = stat.rsplit_once(')')?;
        let number = |index: usize| {
            let field = tail.split_whitespace().nth(index);
            field.and_then(|field| field.parse().ok()).unwrap_or(0)
        };
        Some(Process {
            pid,
            name: head.split_once('(')?.1.to_string(),
            resident: number(21),
            faults: number(7),
            areas,
            tables: Translation::tables_of(&who).ok(),
            map: PageMap::open(&who).ok()?,
        })
    }

    /// Its areas, in pages.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.areas
            .iter()
            .map(|area| area.start / PAGE..area.end.div_ceil(PAGE))
    }

    /// The area that holds a page.
    pub fn area_of(&self, page: usize) -> Option<&Area> {
        self.areas
            .iter()
            .find(|area| (area.start..area.end).contains(&(page * PAGE)))
    }

    /// The entries on the way to a page: of the table of level 2, then of that of level 3.
    pub fn tables_to(&self, page: usize) -> Vec<Entry> {
        let tables = self.tables.as_ref();
        tables.map_or(Vec::new(), |tables| tables.walk(page * PAGE))
    }

    /// How many tables it has, and how many of them nobody else has; the root is its own.
    pub fn tables_counted(&self) -> Option<(usize, usize)> {
        let entries = &self.tables.as_ref()?.entries;
        let own = entries
            .iter()
            .filter(|entry| is_own(&self.tables_to(entry.address / PAGE)[..entry.level]));
        Some((entries.len() + 1, own.count() + 1))
    }

    /// The pages of a range, as pagemap has them.
    pub fn pages(&self, range: Range<usize>) -> Vec<Option<pages::Page>> {
        let mut found = alloc::vec![None; range.len()];
        for area in self.ranges() {
            let part = area.start.max(range.start)..area.end.min(range.end);
            // A process that ends meanwhile has no pages any more.
            let pages = self.map.pages(part.start, part.len()).unwrap_or_default();
            let places = found.iter_mut().skip(part.start.saturating_sub(range.start));
            places.zip(pages).for_each(|(place, page)| *place = Some(page));
        }
        found
    }
}

/// Whether nobody else has the tables on that way: a table below one that is shared is shared as well.
pub fn is_own(way: &[Entry]) -> bool {
    way.iter().all(|entry| entry.references == 1)
}

/// What tells kinds of pages apart beside pagemap.
#[derive(Default)]
pub struct Kinds {
    /// The frame of zeros.
    zero: Option<u64>,
    times: TimesMapped,
}

impl Kinds {
    /// Finds the frame of zeros: that of a page that was only read.
    pub fn new() -> Result<Kinds> {
        let memory = Mapping::anonymous(PAGE, Sharing::Private)?;
        memory.touch(0);
        let frame = PageMap::open("self")?.page(memory.address())?.frame();
        let is_zero = |frame: &u64| FrameFlags::of(*frame).is_ok_and(FrameFlags::is_zero_frame);
        Ok(Kinds {
            zero: frame.filter(is_zero),
            times: TimesMapped::default(),
        })
    }

    /// Counts anew how often those are mapped that are shared.
    pub fn count(&mut self, shown: impl Iterator<Item = Option<pages::Page>>) {
        let shared = shown
            .flatten()
            .filter(|page| !page.is_exclusive() && !page.is_file());
        let frames = shared.filter_map(pages::Page::frame);
        let frames = frames.filter(|frame| Some(*frame) != self.zero).collect();
        // Who may not read the counts sees that pages are shared, not by how many.
        self.times = TimesMapped::of(frames).unwrap_or_default();
    }

    /// What a page is.
    pub fn of(&self, page: Option<pages::Page>) -> Page {
        let Some(page) = page else {
            return Page::Outside;
        };
        match page.frame() {
            None if page.is_swapped() => Page::Swapped,
            None => Page::Absent,
            Some(frame) if Some(frame) == self.zero => Page::Zero,
            Some(_) if page.is_file() => Page::File,
            Some(_) if page.is_exclusive() => Page::Own,
            Some(frame) => Page::Shared(self.times.get(frame).unwrap_or(0)),
        }
    }
}

/// The processes with memory, but this one.
pub fn all() -> Vec<i32> {
    let own = crate::runtime::process::id();
    let names = directory::names("/proc").unwrap_or_default();
    let pids = names.iter().filter_map(|name| name.parse().ok());
    pids.filter(|pid| *pid != own).collect()
}
