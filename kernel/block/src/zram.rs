//! A disk whose bytes are in memory, compressed: /dev/zram0, for swapping. It has no size until it is given one
//! (/sys/block/zram0/disksize), and then so many pages; each is compressed by itself as it is written ([`store`] keeps the result).
//!
//! Memory for it is needed where memory is short: it keeps some frames in reserve, which come back when pages are
//! forgotten. One spin lock: a page is compressed under it, which takes some ten microseconds.

mod packing;
mod store;

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use abi::Errno;
use lock::{Mutex, rank};
use memory::FrameHandle;
use mm::PAGE_SIZE;
use platform::disk::DiskCommand;
use platform::frame;
use sched::SleepingMutex;
use sched::scheduler;
use spin::Once;

use crate::backing::Backing;
use crate::device::{PAGE_SECTORS, SECTOR_SIZE};
use crate::disk::DiskProperties;
use crate::statistics::{RequestKind, Statistics};
use crate::volume::{self, Volume};
use packing::Packing;
use store::Store;
pub use store::StoreUsage;

/// Major number of its kind, as Linux happens to give it where nothing else was given one.
pub const ZRAM_MAJOR: u32 = 252;
/// Its name.
pub const ZRAM_NAME: &str = "zram0";

/// The disk.
pub struct Zram {
    /// Pages; 0: it was given no size.
    pages: AtomicU64,
    state: Mutex<ZramState, { rank::DISK }>,
    spare: (SleepingMutex, FrameHandle),
}

struct ZramState {
    packing: Packing,
    /// `None`: it was given no size.
    store: Option<Store>,
    /// Frames that it may take; 0: any number.
    limit: usize,
    failed_reads: u64,
    failed_writes: u64,
}

/// What /sys/block/zram0 shows.
#[derive(Clone, Copy, Default)]
pub struct ZramUsage {
    /// What is kept.
    pub store: StoreUsage,
    /// Frames that it may take; 0: any number.
    pub limit: usize,
    /// Pages that could not be read, and not written.
    pub failed: (u64, u64),
}

static ZRAM: Once<Arc<Zram>> = Once::new();

/// The one that there is, once [`start`] has made it.
pub fn get() -> Option<&'static Arc<Zram>> {
    ZRAM.get()
}

/// Makes it. At boot.
///
/// # Errors
/// `ENOMEM`.
pub fn start() -> Result<(), Errno> {
    let zram = memory::fallible::arc(Zram {
        pages: AtomicU64::new(0),
        state: Mutex::new(ZramState {
            packing: Packing::new()?,
            store: None,
            limit: 0,
            failed_reads: 0,
            failed_writes: 0,
        }),
        spare: (
            SleepingMutex::new(),
            FrameHandle::allocate().map_err(|_| Errno::ENOMEM)?,
        ),
    })?;
    volume::add(memory::fallible::arc(Volume {
        name: ZRAM_NAME,
        number: (ZRAM_MAJOR, 0),
        partition: None,
        partition_uuid: "",
        start: 0,
        len: AtomicU64::new(0),
        disk: ZRAM.call_once(|| zram).clone(),
        statistics: Statistics::new(),
        is_claimed: AtomicBool::new(false),
    })?)
}

impl Zram {
    /// Pages; 0: it was given no size.
    pub fn pages(&self) -> u64 {
        self.pages.load(Ordering::Acquire)
    }

    /// Gives it a size, in pages.
    ///
    /// # Errors
    /// `EBUSY`: it has one. `EINVAL`: 0. `ENOMEM`: there is no memory for its table.
    pub fn set_size(&self, pages: u64) -> Result<(), Errno> {
        if pages == 0 || pages > u64::from(store::MOST_PAGES) {
            return Err(Errno::EINVAL);
        }
        let store = Store::new(pages as u32)?;
        let mut state = self.state.lock();
        if state.store.is_some() {
            drop(state);
            drop(store);
            return Err(Errno::EBUSY);
        }
        state.store = Some(store);
        drop(state);
        self.pages.store(pages, Ordering::Release);
        note_size(pages);
        Ok(())
    }

    /// Forgets all that is kept, and the size. The caller sees to it that nobody uses it.
    pub fn reset(&self) {
        self.pages.store(0, Ordering::Release);
        note_size(0);
        let store = {
            let mut state = self.state.lock();
            (state.limit, state.failed_reads, state.failed_writes) = (0, 0, 0);
            state.store.take()
        };
        let Some(mut store) = store else {
            return;
        };
        while store.forget_some() {
            scheduler::cond_resched();
        }
    }

    /// So many frames it may take from now on; 0: any number.
    pub fn set_limit(&self, frames: usize) {
        self.state.lock().limit = frames;
    }

    /// What it keeps, and what that takes.
    pub fn usage(&self) -> ZramUsage {
        let state = self.state.lock();
        ZramUsage {
            store: state.store.as_ref().map(Store::usage).unwrap_or_default(),
            limit: state.limit,
            failed: (state.failed_reads, state.failed_writes),
        }
    }

    /// Fills up what it keeps for when there is no memory: for who has just made some free.
    pub fn fill_reserve(&self) {
        if let Some(store) = &mut self.state.lock().store {
            store.fill_reserve();
        }
    }

    /// Puts a frame into what it keeps for when there is no memory. It comes back if that is full, or somebody else refers to the frame.
    pub fn take_for_reserve(&self, frame: FrameHandle) -> Option<FrameHandle> {
        match &mut self.state.lock().store {
            Some(store) if frame.is_only() => store.take_for_reserve(frame),
            _ => Some(frame),
        }
    }

    /// Nobody needs what stands in page `index`. Takes its lock and does not sleep.
    pub fn forget(&self, index: u64) {
        if let Some(store) = &mut self.state.lock().store {
            store.forget(index as u32);
        }
    }

    /// Does `work` with the bytes of page `index`.
    fn with_page(&self, index: u64, work: impl FnOnce(&[u8])) -> Result<(), Errno> {
        let mut state = self.state.lock();
        let ZramState { packing, store, .. } = &mut *state;
        let store = store.as_ref().ok_or(Errno::EIO)?;
        let result = packing.unpack(store, index as u32).map(work);
        state.failed_reads += u64::from(result.is_err());
        result
    }

    /// Keeps what `fill` makes of a page's bytes as page `index`.
    fn keep_page(&self, index: u64, fill: impl FnOnce(&mut [u8])) -> Result<(), Errno> {
        let mut state = self.state.lock();
        let limit = state.limit;
        let ZramState { packing, store, .. } = &mut *state;
        let store = store.as_mut().ok_or(Errno::EIO)?;
        fill(packing.page());
        let result = packing.pack(store, index as u32, limit);
        state.failed_writes += u64::from(result.is_err());
        result
    }

    /// Does `work` with the number of each page from `sector` on, `len` bytes of them, others run in between.
    fn for_each_page(
        sector: u64,
        len: usize,
        mut work: impl FnMut(u64, usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        for nth in 0..len / PAGE_SIZE {
            work(sector / PAGE_SECTORS + nth as u64, nth)?;
            scheduler::cond_resched();
        }
        Ok(())
    }

    fn read_pages(&self, sector: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        Zram::for_each_page(sector, pages.len() * PAGE_SIZE, |index, nth| {
            self.with_page(index, |bytes| frame::write(pages[nth].frame(), 0, bytes))
        })
    }

    fn write_pages(&self, sector: u64, pages: &[FrameHandle]) -> Result<(), Errno> {
        Zram::for_each_page(sector, pages.len() * PAGE_SIZE, |index, nth| {
            self.keep_page(index, |bytes| frame::read(pages[nth].frame(), 0, bytes))
        })
    }

    fn forget_all(&self, sectors: Range<u64>) {
        for index in sectors.start.div_ceil(PAGE_SECTORS)..sectors.end / PAGE_SECTORS {
            self.forget(index);
            scheduler::cond_resched();
        }
    }
}

impl Backing for Zram {
    fn properties(&self) -> &DiskProperties {
        &PROPERTIES
    }

    fn transfer(
        &self,
        command: DiskCommand,
        sector: u64,
        pages: &[FrameHandle],
        len: usize,
        statistics: &Statistics,
    ) -> Result<(), Errno> {
        let since = platform::timer::ticks();
        let pages = &pages[..pages.len().min(len / PAGE_SIZE)];
        match command {
            DiskCommand::Read => self.read_pages(sector, pages)?,
            DiskCommand::Write => self.write_pages(sector, pages)?,
            _ => return Err(Errno::EOPNOTSUPP),
        }
        statistics.count(RequestKind::of(command), (len / SECTOR_SIZE) as u64, since);
        Ok(())
    }

    fn flush(&self, _: &Statistics) -> Result<(), Errno> {
        Ok(())
    }

    fn discard(&self, sectors: Range<u64>, _: &Statistics) -> Result<(), Errno> {
        self.forget_all(sectors);
        Ok(())
    }

    fn spare(&self) -> &(SleepingMutex, FrameHandle) {
        &self.spare
    }
}

/// What is the same for all sizes.
const PROPERTIES: DiskProperties = DiskProperties {
    sectors: 0,
    block_size: PAGE_SIZE as u32,
    most_pieces: 1,
    max_discard: u32::MAX,
    is_read_only: false,
    has_cache: false,
};

/// The volume that lies on it has as many sectors as it has pages for.
fn note_size(pages: u64) {
    let volume = volume::all().find(|volume| volume.name == ZRAM_NAME);
    volume.inspect(|volume| volume.len.store(pages * PAGE_SECTORS, Ordering::Relaxed));
}
