//! Who reads and writes the file of a disk: a thread of the kernel's own for each.

use alloc::sync::Arc;
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use core::ops::Range;

use abi::Errno;
use abi::file::{AccessMode, OpenFlags, S_IFBLK, S_IFREG};
use abi::loop_device::LO_FLAGS_READ_ONLY;
use abi::process::Pid;
use block::statistics::{RequestKind, Statistics};
use block::{Backing, DiskProperties, SECTOR_SIZE};
use lock::Mutex;
use memory::FrameHandle;
use memory::fallible::{self, TryVec};
use mm::PAGE_SIZE;
use platform::disk::DiskCommand;
use platform::{frame, timer};
use sched::SleepingMutex;
use sched::wait::WaitQueue;
use uaccess::{KernelSink, KernelSource};
use vfs::caller::{Caller, Requester};
use vfs::file_ops::{Io, SyncKind};
use vfs::{Credentials, OpenFile};

use super::{LoopWish, USUAL_BLOCK};

/// Pages of one request.
const MOST_PAGES: usize = 32;
/// How often a write is tried while there is no memory for it, and for how long it is waited in between, in nanoseconds.
const TRIES: u32 = 50;
const PAUSE: u64 = 100_000_000;

/// What such a disk is asked for.
struct LoopRequest {
    command: DiskCommand,
    /// Where in the file.
    at: u64,
    pages: ArrayVec<FrameHandle, MOST_PAGES>,
    len: usize,
}

/// Between who asks and who does it.
enum Exchange {
    Idle,
    Asked(LoopRequest),
    UnderWay,
    Done(Result<(), Errno>),
    /// There will be nothing any more.
    Ended,
}

/// A file as a disk.
pub struct LoopDisk {
    /// The file.
    pub file: Arc<OpenFile>,
    properties: DiskProperties,
    offset: u64,
    spare: (SleepingMutex, FrameHandle),
    /// Whose turn it is to ask.
    turn: SleepingMutex,
    exchange: Mutex<Exchange>,
    asked: WaitQueue,
    done: WaitQueue,
    /// A page through which bytes go; its thread takes it.
    buffer: Mutex<Vec<u8>>,
    /// By whose rights it writes.
    writer: KernelItself,
}

/// Disks whose thread was started and did not take them yet.
static NEW: Mutex<Vec<Arc<LoopDisk>>> = Mutex::new(Vec::new());

/// The thread that was or will be started serves that disk.
pub fn await_server(disk: Arc<LoopDisk>) -> Result<(), Errno> {
    NEW.lock().try_push(disk)
}

/// No thread will come for that disk.
pub fn await_none(disk: &Arc<LoopDisk>) {
    NEW.lock().retain(|other| !Arc::ptr_eq(other, disk));
}

/// Does what one disk is asked for, until it lets go of its file: the work of a thread of the kernel's own.
pub fn serve() {
    let Some(disk) = NEW.lock().pop() else {
        return;
    };
    let mut buffer = core::mem::take(&mut *disk.buffer.lock());
    loop {
        let next = || disk.exchange.lock().take_request();
        let Some(Some(request)) = disk.asked.wait_uninterruptible(None, next) else {
            return;
        };
        let result = disk.perform(&request, &mut buffer);
        drop(request);
        disk.exchange.lock().note_done(result);
        disk.done.wake_all();
    }
}

impl Exchange {
    /// What is to be done; `None` inside if there will be nothing any more.
    fn take_request(&mut self) -> Option<Option<LoopRequest>> {
        match self {
            Exchange::Asked(_) => match core::mem::replace(self, Exchange::UnderWay) {
                Exchange::Asked(request) => Some(Some(request)),
                _ => None,
            },
            Exchange::Ended => Some(None),
            _ => None,
        }
    }

    fn note_done(&mut self, result: Result<(), Errno>) {
        *self = Exchange::Done(result);
    }

    /// How it went, if it is done.
    fn take_done(&mut self) -> Option<Result<(), Errno>> {
        match *self {
            Exchange::Done(result) => {
                *self = Exchange::Idle;
                Some(result)
            }
            Exchange::Ended => Some(Err(Errno::EIO)),
            _ => None,
        }
    }
}

/// By which rights the kernel writes: the file was opened for that.
struct KernelItself(Arc<Credentials>);

impl Requester for KernelItself {
    fn credentials(&self) -> Arc<Credentials> {
        self.0.clone()
    }

    fn file_size_limit(&self) -> u64 {
        u64::MAX
    }

    fn process_id(&self) -> Pid {
        0
    }
}

impl LoopDisk {
    /// That file as a disk.
    ///
    /// # Errors
    /// `EINVAL`: no regular file and no disk, or blocks of another size than a power of two from 512 to a page; `ENOMEM`.
    pub fn new(wish: &LoopWish) -> Result<Arc<LoopDisk>, Errno> {
        let size = file_size(&wish.file)?;
        let block_size = match wish.block_size {
            0 => USUAL_BLOCK,
            size if size.is_power_of_two() && (USUAL_BLOCK..=PAGE_SIZE as u32).contains(&size) => size,
            _ => return Err(Errno::EINVAL),
        };
        let info = &wish.info;
        if i64::try_from(info.offset).is_err() || i64::try_from(info.size_limit).is_err() {
            return Err(Errno::EOVERFLOW);
        }
        let rest = size.saturating_sub(info.offset);
        let len = if info.size_limit == 0 {
            rest
        } else {
            rest.min(info.size_limit)
        };
        let cannot_write = wish.file.flags().access() == AccessMode::Read;
        let spare = FrameHandle::allocate().map_err(|_| Errno::ENOMEM)?;
        fallible::arc(LoopDisk {
            file: wish.file.clone(),
            properties: DiskProperties {
                sectors: len / SECTOR_SIZE as u64,
                block_size,
                most_pieces: MOST_PAGES,
                max_discard: 0,
                is_read_only: cannot_write || info.flags & LO_FLAGS_READ_ONLY != 0,
                has_cache: true,
            },
            offset: info.offset,
            spare: (SleepingMutex::new(), spare),
            turn: SleepingMutex::new(),
            exchange: Mutex::new(Exchange::Idle),
            asked: WaitQueue::new(),
            done: WaitQueue::new(),
            buffer: Mutex::new(fallible::filled(PAGE_SIZE, 0)?),
            writer: KernelItself(fallible::arc(Credentials::default())?),
        })
    }

    /// Its sectors.
    pub fn sectors(&self) -> u64 {
        self.properties.sectors
    }

    /// Whether it takes no writes.
    pub fn is_read_only(&self) -> bool {
        self.properties.is_read_only
    }

    /// Its thread has nothing to do any more: what it is asked for from now on is `EIO`.
    pub fn end(&self) {
        let _turn = self.turn.lock_uninterruptible();
        *self.exchange.lock() = Exchange::Ended;
        self.asked.wake_all();
    }

    /// Lets the thread do something, and sleeps until that is done.
    fn ask(&self, request: LoopRequest) -> Result<(), Errno> {
        let _turn = self.turn.lock_uninterruptible();
        {
            let mut exchange = self.exchange.lock();
            if matches!(*exchange, Exchange::Ended) {
                return Err(Errno::EIO);
            }
            *exchange = Exchange::Asked(request);
        }
        self.asked.wake_all();
        let is_done = || self.exchange.lock().take_done();
        self.done
            .wait_uninterruptible(None, is_done)
            .unwrap_or(Err(Errno::EIO))
    }

    fn perform(&self, request: &LoopRequest, buffer: &mut [u8]) -> Result<(), Errno> {
        if request.command == DiskCommand::Flush {
            return self.file.sync(0..u64::MAX, SyncKind::Data);
        }
        for (page, done) in request.pages.iter().zip((0..request.len).step_by(PAGE_SIZE)) {
            let piece = &mut buffer[..PAGE_SIZE.min(request.len - done)];
            let at = request.at + done as u64;
            if request.command == DiskCommand::Read {
                self.read(at, piece)?;
                frame::write(page.frame(), 0, piece);
            } else {
                frame::read(page.frame(), 0, piece);
                self.write(at, piece)?;
            }
        }
        Ok(())
    }

    fn io(&self, position: u64) -> Io {
        Io {
            position,
            flags: Io::BELOW_ANOTHER | OpenFlags::O_RDWR,
        }
    }

    /// Reads all of it; what the file does not have any more is zeros.
    fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut io = self.io(at);
        let mut done = 0;
        while done < buffer.len() {
            let mut rest = KernelSink::new(&mut buffer[done..]);
            match self.file.ops().read(&mut io, &mut rest)? {
                0 => break,
                count => done += count,
            }
        }
        buffer[done..].fill(0);
        Ok(())
    }

    /// Writes all of it. While there is no memory for the file's pages, what is dirty of them is written first.
    fn write(&self, at: u64, buffer: &[u8]) -> Result<(), Errno> {
        let mut io = self.io(at);
        let mut tries = 0;
        let mut done = 0;
        while done < buffer.len() {
            let mut rest = KernelSource(&buffer[done..]);
            let caller = Caller::new(&self.writer);
            match self.file.ops().write(&caller, &mut io, &mut rest) {
                Ok(0) => return Err(Errno::EIO),
                Ok(count) => done += count,
                Err(Errno::ENOMEM) if tries < TRIES => {
                    tries += 1;
                    self.file.sync(0..u64::MAX, SyncKind::Pages)?;
                    block::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Backing for LoopDisk {
    fn properties(&self) -> &DiskProperties {
        &self.properties
    }

    fn transfer(
        &self,
        command: DiskCommand,
        sector: u64,
        pages: &[FrameHandle],
        len: usize,
        statistics: &Statistics,
    ) -> Result<(), Errno> {
        let mut at = self.offset + sector * SECTOR_SIZE as u64;
        let mut left = len;
        for pages in pages.chunks(MOST_PAGES) {
            let len = left.min(pages.len() * PAGE_SIZE);
            let since = timer::ticks();
            self.ask(LoopRequest {
                command,
                at,
                pages: pages.iter().cloned().collect(),
                len,
            })
            .map_err(|error| match error {
                Errno::ENOSPC => error,
                _ => Errno::EIO,
            })?;
            statistics.count(RequestKind::of(command), (len / SECTOR_SIZE) as u64, since);
            at += len as u64;
            left -= len;
        }
        Ok(())
    }

    fn flush(&self, statistics: &Statistics) -> Result<(), Errno> {
        let since = timer::ticks();
        self.ask(LoopRequest {
            command: DiskCommand::Flush,
            at: 0,
            pages: ArrayVec::new(),
            len: 0,
        })?;
        statistics.count(RequestKind::Flush, 0, since);
        Ok(())
    }

    fn discard(&self, _sectors: Range<u64>, _statistics: &Statistics) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn spare(&self) -> &(SleepingMutex, FrameHandle) {
        &self.spare
    }
}

/// Bytes of what can be such a disk.
fn file_size(file: &OpenFile) -> Result<u64, Errno> {
    match file.inode().kind() {
        S_IFREG if file.inode().ops.as_regular().is_some() => Ok(file.inode().ops.size()),
        S_IFBLK => file.ops().size().ok_or(Errno::EINVAL),
        _ => Err(Errno::EINVAL),
    }
}
