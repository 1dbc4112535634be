//! What /proc tells about the pages of a process: pagemap, kpagecount, kpageflags, maps (all Linux's; see
//! `Documentation/admin-guide/mm/pagemap.rst` there) and translation, which only Holstein has.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::runtime::file::{self, File};
use crate::runtime::memory::PAGE;
use crate::runtime::{Errno, Result};
use abi::pagemap::{KPF_ANON, KPF_ZERO_PAGE, PM_FILE, PM_MMAP_EXCLUSIVE, PM_PFN_MASK, PM_PRESENT, PM_SWAP};

/// What pagemap says of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page(u64);

impl Page {
    /// The frame, if the page is there.
    pub fn frame(self) -> Option<u64> {
        (self.0 & PM_PRESENT != 0).then_some(self.0 & PM_PFN_MASK)
    }

    /// Which page of a swap area it is, if it is there. The area's number stands below that.
    pub fn slot(self) -> Option<u64> {
        const AREA_BITS: u32 = 5;
        (self.0 & PM_SWAP != 0).then_some((self.0 & PM_PFN_MASK) >> AREA_BITS)
    }

    /// Whether nobody else has the frame: a write would not copy.
    pub fn is_exclusive(self) -> bool {
        self.0 & PM_MMAP_EXCLUSIVE != 0
    }

    /// Whether it is in swap space.
    pub fn is_swapped(self) -> bool {
        self.0 & PM_SWAP != 0
    }

    /// Whether it is a page of a file, or of shared memory.
    pub fn is_file(self) -> bool {
        self.0 & PM_FILE != 0
    }
}

/// /proc/pid/pagemap of one process.
pub struct PageMap(File);

impl PageMap {
    /// Of a process by id, or `self`.
    pub fn open(process: &str) -> Result<PageMap> {
        File::read_only(&format!("/proc/{process}/pagemap")).map(PageMap)
    }

    /// The page at an address; of a process that has ended, a page that is not there.
    pub fn page(&self, address: usize) -> Result<Page> {
        Ok(Page(self.0.word((address / PAGE) as u64)?.unwrap_or(0)))
    }

    /// The pages from number `first` on; those of a process that has ended are not there.
    pub fn pages(&self, first: usize, count: usize) -> Result<Vec<Page>> {
        let mut words = self.0.words(first as u64, count)?;
        words.resize(count, 0);
        Ok(words.into_iter().map(Page).collect())
    }
}

/// How often a frame is mapped, over all processes: /proc/kpagecount.
pub fn times_mapped(frame: u64) -> Result<u64> {
    File::read_only("/proc/kpagecount")?
        .word(frame)?
        .ok_or(Errno::EINVAL)
}

/// How often some frames are mapped, over all processes.
#[derive(Debug, Default)]
pub struct TimesMapped(Vec<(u64, u64)>);

impl TimesMapped {
    /// Frames whose counts one read gives: the kernel looks at all processes for each.
    const WINDOW: u64 = 512;
    /// Reads at most: what frames are left is not counted.
    const MOST_READS: usize = 64;

    /// From /proc/kpagecount, with as few reads as are needed.
    pub fn of(mut frames: Vec<u64>) -> Result<TimesMapped> {
        frames.sort_unstable();
        frames.dedup();
        let mut counts = Vec::with_capacity(frames.len());
        let file = File::read_only("/proc/kpagecount")?;
        let mut rest = frames.as_slice();
        for _ in 0..Self::MOST_READS {
            let Some(&first) = rest.first() else { break };
            let len = rest.partition_point(|frame| frame - first < Self::WINDOW);
            let (window, behind) = rest.split_at(len);
            let last = window.last().copied().unwrap_or(first);
            let words = file.words(first, (last - first + 1) as usize)?;
            counts.extend(window.iter().filter_map(|&frame| {
                let count = words.get((frame - first) as usize)?;
                Some((frame, *count))
            }));
            rest = behind;
        }
        Ok(TimesMapped(counts))
    }

    /// How often that one is; `None`: it was not counted.
    pub fn get(&self, frame: u64) -> Option<u64> {
        let place = self.0.binary_search_by_key(&frame, |&(frame, _)| frame).ok()?;
        Some(self.0[place].1)
    }
}

/// What the kernel uses a frame for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFlags(u64);

impl FrameFlags {
    /// From /proc/kpageflags.
    pub fn of(frame: u64) -> Result<FrameFlags> {
        File::read_only("/proc/kpageflags")?
            .word(frame)?
            .map(FrameFlags)
            .ok_or(Errno::EINVAL)
    }

    /// The one frame of zeros that all untouched pages share.
    pub fn is_zero_frame(self) -> bool {
        self.0 >> KPF_ZERO_PAGE & 1 != 0
    }

    /// Memory that belongs to no file.
    pub fn is_anonymous(self) -> bool {
        self.0 >> KPF_ANON & 1 != 0
    }
}

/// A line of /proc/pid/maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// First address.
    pub start: usize,
    /// First address behind it.
    pub end: usize,
    /// `rw-p`
    pub rights: String,
    /// The file, `[stack]`, `[heap]` or nothing.
    pub name: String,
}

impl Area {
    fn parse(line: &str) -> Option<Area> {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let rights = fields.next()?.to_string();
        let name = fields.skip(3).collect::<Vec<_>>().join(" ");
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(Area {
            start: number(start)?,
            end: number(end)?,
            rights,
            name,
        })
    }
}

/// The areas of a process, in the order of addresses.
pub fn areas(process: &str) -> Result<Vec<Area>> {
    let text = file::read_text(&format!("/proc/{process}/maps"))?;
    Ok(text.lines().filter_map(Area::parse).collect())
}

/// The area of this process that holds an address.
pub fn area_of(address: usize) -> Option<Area> {
    areas("self")
        .ok()?
        .into_iter()
        .find(|area| (area.start..area.end).contains(&address))
}

/// An entry of a translation table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2 or 3.
    pub level: usize,
    /// Its place in the table.
    pub index: usize,
    /// The first address that it translates.
    pub address: usize,
    /// The descriptor.
    pub descriptor: u64,
    /// The table or page that it points to.
    pub frame: u64,
    /// How many references that has: descriptors that point there, and the kernel's own.
    pub references: u64,
}

impl Entry {
    /// Whether this descriptor forbids stores: `APTable[1]` (bit 62) in one that points to a table, `AP[2]` (bit 7) in one
    /// that points to a page.
    pub fn is_read_only(&self) -> bool {
        self.descriptor >> (if self.level < 3 { 62 } else { 7 }) & 1 != 0
    }

    /// How much memory it translates, as a shift.
    fn shift(&self) -> usize {
        [30, 30, 21, 12][self.level]
    }
}

/// The translation tables of a process: /proc/pid/translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The number by which the TLB tells this process's translations from others'.
    pub asid: u64,
    /// The frame of the root table.
    pub root: u64,
    /// Every valid entry.
    pub entries: Vec<Entry>,
}

impl Translation {
    /// Of a process by id, or `self`; ENOENT on kernels that do not show their tables.
    pub fn of(process: &str) -> Result<Translation> {
        Translation::read(&format!("/proc/{process}/translation"))
    }

    /// The entries of it that point to tables, without those of pages.
    pub fn tables_of(process: &str) -> Result<Translation> {
        Translation::read(&format!("/proc/{process}/tables"))
    }

    fn read(path: &str) -> Result<Translation> {
        Translation::parse(&file::read_text(path)?).ok_or(Errno::EIO)
    }

    fn parse(text: &str) -> Option<Translation> {
        let mut translation = Translation {
            asid: 0,
            root: 0,
            entries: Vec::new(),
        };
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
            match fields.as_slice() {
                ["asid", asid, ..] => translation.asid = asid.parse().ok()?,
                ["root", frame, ..] => translation.root = hex(frame)?,
                [
                    level @ ("L1" | "L2" | "L3"),
                    index,
                    address,
                    descriptor,
                    "->",
                    frame,
                    "references",
                    references,
                    ..,
                ] => {
                    translation.entries.push(Entry {
                        level: level[1..].parse().ok()?,
                        index: index.parse().ok()?,
                        address: hex(address)? as usize,
                        descriptor: hex(descriptor)?,
                        frame: hex(frame)?,
                        references: references.parse().ok()?,
                    });
                }
                _ => return None,
            }
        }
        Some(translation)
    }

    /// The entries that the MMU reads for an address, from level 1 down.
    pub fn walk(&self, address: usize) -> Vec<Entry> {
        let is_on_path = |entry: &&Entry| entry.address >> entry.shift() == address >> entry.shift();
        let mut path: Vec<Entry> = self.entries.iter().filter(is_on_path).copied().collect();
        path.sort_by_key(|entry| entry.level);
        path
    }
}

/// A counter of /proc/vmstat, if this kernel has it.
pub fn kernel_counter(name: &str) -> Option<u64> {
    let text = file::read_text("/proc/vmstat").ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?
        .trim()
        .parse()
        .ok()
}

/// A line of /proc/meminfo, in KiB.
pub fn memory_kib(name: &str) -> Option<u64> {
    let text = file::read_text("/proc/meminfo").ok()?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lines_are_read() {
        let area = Area::parse("00400000-0045a000 r-xp 00000000 00:02 7    /bin/a b").unwrap();
        assert_eq!((area.start, area.end), (0x400000, 0x45a000));
        assert_eq!((area.rights.as_str(), area.name.as_str()), ("r-xp", "/bin/a b"));
        assert_eq!(Area::parse("1000-2000 rw-p 0 00:00 0").unwrap().name, "");
    }

    #[test]
    fn a_walk_goes_down_one_path() {
        let text = "asid 7\nroot 0x40100 references 1\n\
            L1 0 0x0 0x4000000040101003 -> 0x40101 references 2\n\
            L2 2 0x400000 0x40102003 -> 0x40102 references 1\n\
            L3 0 0x400000 0x400000401037c3 -> 0x40103 references 1\n\
            L3 1 0x401000 0x400000401047c3 -> 0x40104 references 1\n\
            L1 511 0x7fc0000000 0x40105003 -> 0x40105 references 1\n";
        let translation = Translation::parse(text).unwrap();
        assert_eq!((translation.asid, translation.root), (7, 0x40100));
        let walk = translation.walk(0x401abc);
        assert_eq!(
            walk.iter().map(|entry| entry.frame).collect::<Vec<_>>(),
            [0x40101, 0x40102, 0x40104]
        );
        assert_eq!(
            walk.iter().map(Entry::is_read_only).collect::<Vec<_>>(),
            [true, false, true]
        );
        assert!(Translation::parse("nonsense").is_none());
    }
}
