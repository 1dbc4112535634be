//! The final map, planned from the device tree and made from a pool of tables in the boot window, before anything but the
//! image is mapped.

use super::kernel_tables::{KernelTables, Rights};
use super::ranges::Ranges;
use crate::boot::window;
use crate::handover::InitrdError;
use crate::layout::{IMAGE_BASE, LINEAR_END, image, linear, page_down, page_up};
use core::fmt;
use core::ops::Range;
use formats::dtb::{Cpu, EnableMethod, InitrdRange, Machine, PhysRange, ReservedBy};
use mm::{FrameWord, PAGE_SIZE, PhysAddr};

/// Why there can be no map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PlanError {
    /// The device tree names no RAM.
    NoRam,
    /// What RAM there is, is reserved, or too little for tables and records.
    TooLittleRam,
}

/// Who gets which RAM.
pub(crate) struct Plan {
    /// RAM to be used by the buddy allocator.
    pub(crate) free: Ranges,
    /// RAM to be mapped readable and writable.
    writable: Ranges,
    /// The image and its payload.
    pub(crate) image: Range<u64>,
    /// Bytes of RAM, without what the device tree forbids to map.
    pub(crate) ram_bytes: u64,
    /// From the lowest byte of RAM to the highest.
    span: Range<u64>,
    /// The initrd, if it can be used.
    pub(crate) initrd: Result<Option<Range<u64>>, InitrdError>,
    /// Tables for the final map: zeroed page by page, given out from the start.
    pool: Pool,
    /// Where the records of all frames go.
    pub(crate) frame_infos: Range<u64>,
}

/// Memory for tables. What is left over when the map is made is free RAM.
struct Pool {
    next: u64,
    end: u64,
    /// Physical address + this = address in the boot window.
    reach: usize,
}

impl Pool {
    fn new_table(&mut self) -> Option<PhysAddr> {
        if self.next == self.end {
            return None;
        }
        let table = self.next;
        self.next += PAGE_SIZE as u64;
        let bytes = core::ptr::with_exposed_provenance_mut::<u8>(self.reach.wrapping_add(table as usize));
        // SAFETY: a page of the pool, which is free RAM mapped in the boot window, given out once.
        unsafe { bytes.write_bytes(0, PAGE_SIZE) }
        Some(PhysAddr(table))
    }
}

/// The whole pages of `range`, below the end of the linear map.
fn whole_pages(range: PhysRange) -> Range<u64> {
    let end = page_down(range.end().min(LINEAR_END));
    page_up(range.start.min(LINEAR_END))..end
}

/// All pages that `range` touches.
fn touched_pages(range: &Range<u64>) -> Range<u64> {
    page_down(range.start)..page_up(range.end.min(u64::MAX - PAGE_SIZE as u64))
}

/// The page in which a processor of the firmware's spin table looks for its way out: not every tree reserves it.
fn release_page(cpu: &Cpu) -> Option<Range<u64>> {
    match cpu.enable {
        EnableMethod::SpinTable { release_address } => Some(touched_pages(
            &(release_address..release_address.saturating_add(8)),
        )),
        EnableMethod::Psci | EnableMethod::Unknown => None,
    }
}

impl Plan {
    /// Plans for `machine`; `image` is the image with its payload.
    pub(crate) fn new(machine: &Machine, image: Range<u64>) -> Result<Plan, PlanError> {
        let mut ram = Ranges::new();
        machine.ram.iter().for_each(|range| ram.add(whole_pages(*range)));
        let span = ram.span().ok_or(PlanError::NoRam)?;
        let mut ram_bytes = ram.bytes();

        let (mut writable, mut free) = (ram.clone(), ram);
        let image = touched_pages(&image);
        writable.remove(image.clone());
        free.remove(image.clone());
        for reserved in &machine.reserved {
            let range = touched_pages(&(reserved.range.start..reserved.range.end()));
            if reserved.by == ReservedBy::NodeNoMap {
                let before = writable.bytes();
                writable.remove(range.clone());
                ram_bytes -= before - writable.bytes();
            }
            free.remove(range);
        }
        for page in machine.cpus.iter().filter_map(release_page) {
            free.remove(page);
        }
        let initrd = usable_initrd(machine.chosen.initrd, &writable, &image);
        if let Ok(Some(range)) = &initrd {
            free.remove(touched_pages(range));
        }
        let pool = take_pool(&mut free, &writable)?;
        let frame_infos = take_frame_infos(&mut free, &span)?;
        Ok(Plan {
            free,
            writable,
            image,
            ram_bytes,
            span,
            initrd,
            pool,
            frame_infos,
        })
    }

    /// The first frame that has a record, and how many have one.
    pub(crate) fn frames(&self) -> (PhysAddr, usize) {
        (PhysAddr(self.span.start), frames_in(&self.span))
    }

    /// A table for the map.
    pub(crate) fn new_table(&mut self) -> Option<PhysAddr> {
        self.pool.new_table()
    }

    /// Makes the map of RAM and image: RAM writable, the image and its payload read-only there, and the image at its link
    /// address with the rights of each section.
    pub(crate) fn make_map(&mut self) -> Result<KernelTables, PlanError> {
        let root = self.pool.new_table().ok_or(PlanError::TooLittleRam)?;
        // SAFETY: all tables come from the pool, which is mapped at `reach` as long as the boot tables are in use.
        let tables = unsafe { KernelTables::new(root, self.pool.reach) };
        for range in self.writable.iter() {
            let addresses = linear(PhysAddr(range.start))..linear(PhysAddr(range.end));
            map(tables, addresses, range.start, Rights::Data, &mut self.pool)?;
        }
        let image = self.image.clone();
        let addresses = linear(PhysAddr(image.start))..linear(PhysAddr(image.end));
        map(tables, addresses, image.start, Rights::Constants, &mut self.pool)?;
        let guard = image::boot_guard();
        let sections = [
            (image::text(), Rights::Text),
            (image::rodata(), Rights::Constants),
            (image::data().start..guard.start, Rights::Data),
            (guard.end..image::data().end, Rights::Data),
        ];
        for (addresses, rights) in sections {
            let to = image.start + (addresses.start - IMAGE_BASE) as u64;
            map(tables, addresses, to, rights, &mut self.pool)?;
        }
        Ok(tables)
    }

    /// Ends the making of tables: what is left of the pool is free RAM.
    pub(crate) fn close_pool(&mut self) {
        self.free.add(self.pool.next..self.pool.end);
        self.pool.next = self.pool.end;
    }
}

fn map(
    tables: KernelTables,
    addresses: Range<usize>,
    to: u64,
    rights: Rights,
    pool: &mut Pool,
) -> Result<(), PlanError> {
    let made = tables.map(addresses, PhysAddr(to), rights, &mut || pool.new_table());
    made.map_err(|_| PlanError::TooLittleRam)
}

/// Checks where the boot loader says that the initrd is.
fn usable_initrd(
    initrd: InitrdRange,
    writable: &Ranges,
    image: &Range<u64>,
) -> Result<Option<Range<u64>>, InitrdError> {
    let range = match initrd {
        InitrdRange::None => return Ok(None),
        InitrdRange::Malformed => return Err(InitrdError::Malformed),
        InitrdRange::At(range) => range.start..range.end(),
    };
    if range.start < image.end && image.start < range.end {
        return Err(InitrdError::OverKernel);
    }
    if range.is_empty()
        || !writable
            .iter()
            .any(|ram| ram.start <= range.start && range.end <= ram.end)
    {
        return Err(InitrdError::OutsideRam);
    }
    Ok(Some(range))
}

/// Takes the pool from the longest free range: one boot-window block at most, so that nothing beside it is mapped there.
fn take_pool(free: &mut Ranges, writable: &Ranges) -> Result<Pool, PlanError> {
    let longest = free.longest().ok_or(PlanError::TooLittleRam)?;
    let start = longest.start.next_multiple_of(window::BLOCK);
    let len = tables_needed(writable) * PAGE_SIZE as u64;
    if len > window::BLOCK || start + window::BLOCK > longest.end {
        return Err(PlanError::TooLittleRam);
    }
    free.remove(start..start + len);
    let shown = window::show(window::Slot::Tables, start, len, window::Memory::Normal);
    Ok(Pool {
        next: start,
        end: start + len,
        reach: shown.wrapping_sub(start as usize),
    })
}

/// An upper bound: a level-2 table for each GiB that a range touches, level-3 tables for both its ends; the image; devices.
fn tables_needed(writable: &Ranges) -> u64 {
    const IMAGE_AND_DEVICES: u64 = 96;
    let of_range = |range: Range<u64>| 4 + ((range.end - range.start) >> 30);
    IMAGE_AND_DEVICES + writable.iter().map(of_range).sum::<u64>()
}

fn frames_in(span: &Range<u64>) -> usize {
    ((span.end - span.start) / PAGE_SIZE as u64) as usize
}

/// Takes room for a record of each frame of RAM from the longest free range.
fn take_frame_infos(free: &mut Ranges, span: &Range<u64>) -> Result<Range<u64>, PlanError> {
    let longest = free.longest().ok_or(PlanError::TooLittleRam)?;
    let len = page_up((frames_in(span) * 2 * size_of::<FrameWord>()) as u64);
    // At the end: low RAM is for devices that reach no further.
    let range = longest.end.checked_sub(len).ok_or(PlanError::TooLittleRam)?..longest.end;
    if range.start < longest.start {
        return Err(PlanError::TooLittleRam);
    }
    free.remove(range.clone());
    Ok(range)
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PlanError::NoRam => "the device tree names no RAM",
            PlanError::TooLittleRam => "there is too little RAM",
        })
    }
}
