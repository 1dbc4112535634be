//! Where the pages of an area lie: on a disk that is its own, or in a file, which does not move meanwhile.

use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use block::volume::VolumeClaim;
use block::zram::{self, ZRAM_MAJOR, Zram};
use block::{BlockDevice, Volume};
use core::any::Any;
use core::ops::Range;
use memory::FrameHandle;
use memory::fallible::TryVec;
use mm::PAGE_SIZE;

/// Sectors of a page.
const PAGE_SECTORS: u64 = (PAGE_SIZE / block::SECTOR_SIZE) as u64;

/// Which area is meant, as long as it is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SwapPlaceId {
    /// The disk with that number.
    Disk((u32, u32)),
    /// A file: its file system's device, and its number there.
    File(u64, u64),
}

/// Where the pages of an area lie, the header first.
pub enum SwapPlace {
    /// On a disk, which is nobody else's meanwhile.
    Disk(VolumeClaim),
    /// In a file.
    File(SwapFile),
}

/// The pages of a file, on the disk of its file system.
pub struct SwapFile {
    volume: Arc<Volume>,
    id: SwapPlaceId,
    /// By page.
    runs: Vec<FileRun>,
    pages: u64,
    /// Keeps the file as it is.
    _kept: Arc<dyn Any + Send + Sync>,
}

/// Pages that lie behind each other.
struct FileRun {
    first: u64,
    sector: u64,
}

impl SwapFile {
    /// A file on `volume`, of which no page is known yet. `kept`: for as long as somebody has it, nobody changes the file.
    pub fn new(volume: Arc<Volume>, id: SwapPlaceId, kept: Arc<dyn Any + Send + Sync>) -> SwapFile {
        SwapFile {
            volume,
            id,
            runs: Vec::new(),
            pages: 0,
            _kept: kept,
        }
    }

    /// The next `pages` pages of the file begin at that sector.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn add(&mut self, sector: u64, pages: u32) -> Result<(), Errno> {
        let first = self.pages;
        self.pages += u64::from(pages);
        self.runs.try_push(FileRun { first, sector })
    }

    /// The sector of a page, and how many follow it there, itself included.
    fn locate(&self, page: u64) -> Result<(u64, u64), Errno> {
        let behind = self.runs.partition_point(|run| run.first <= page);
        let run = behind.checked_sub(1).and_then(|at| self.runs.get(at));
        let run = run.filter(|_| page < self.pages).ok_or(Errno::EIO)?;
        let end = self.runs.get(behind).map_or(self.pages, |next| next.first);
        Ok((run.sector + (page - run.first) * PAGE_SECTORS, end - page))
    }
}

impl SwapPlace {
    /// Which one it is.
    pub fn id(&self) -> SwapPlaceId {
        match self {
            SwapPlace::Disk(claim) => SwapPlaceId::Disk(claim.volume().number),
            SwapPlace::File(file) => file.id,
        }
    }

    /// The disk.
    pub fn volume(&self) -> &Arc<Volume> {
        match self {
            SwapPlace::Disk(claim) => claim.volume(),
            SwapPlace::File(file) => &file.volume,
        }
    }

    /// How many there are.
    pub fn pages(&self) -> u64 {
        match self {
            SwapPlace::Disk(claim) => claim.volume().sectors() / PAGE_SECTORS,
            SwapPlace::File(file) => file.pages,
        }
    }

    /// The memory that it lies in, if that is compressed.
    pub fn zram(&self) -> Option<&'static Zram> {
        match self {
            SwapPlace::Disk(claim) if claim.volume().number.0 == ZRAM_MAJOR => {
                zram::get().map(|zram| &**zram)
            }
            _ => None,
        }
    }

    /// Reads pages that follow each other.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    pub fn read(&self, first: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        self.for_each_run(first, pages.len(), |sector, part| {
            self.volume().read_pages(sector, &pages[part])
        })
    }

    /// Writes them.
    ///
    /// # Errors
    /// `EIO`, `ENOMEM`.
    pub fn write(&self, first: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        self.for_each_run(first, pages.len(), |sector, part| {
            self.volume().write_pages(sector, &pages[part])
        })
    }

    fn for_each_run(
        &self,
        first: u64,
        count: usize,
        mut work: impl FnMut(u64, Range<usize>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut done = 0;
        while done < count {
            let page = first + done as u64;
            let (sector, len) = match self {
                SwapPlace::Disk(_) => (page * PAGE_SECTORS, u64::MAX),
                SwapPlace::File(file) => file.locate(page)?,
            };
            let end = (done as u64).saturating_add(len).min(count as u64) as usize;
            work(sector, done..end)?;
            done = end;
        }
        Ok(())
    }
}
