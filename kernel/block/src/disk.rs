//! A disk: hands requests to its driver, and lets whoever wants one sleep until the device's interrupt says that it is done.
//!
//! A request that is not done within [`PATIENCE`] has failed, and the disk with it: the driver resets the device, so that it touches no
//! memory any more, and everything else that it had fails too (`EIO`).

use alloc::boxed::Box;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::Errno;
use lock::{Mutex, rank};
use memory::{FrameHandle, fallible};
use mm::PAGE_SIZE;
use platform::disk::{Completion, DiskCommand, DiskError, Piece, SdCard, TICKETS, Ticket, VirtioDisk};
use sched::SleepingMutex;
use sched::interrupts::InterruptHandler;
use sched::time::{self, SECOND};
use sched::wait::WaitQueue;

use crate::device::SECTOR_SIZE;
use crate::driver::DiskDriver;
use crate::statistics::{RequestKind, Statistics};

/// For how long a device may be busy with one request, in nanoseconds.
const PATIENCE: u64 = 30 * SECOND;
/// For how long nothing may be heard of a request until its driver looks how the device is.
const CHECK_UP: u64 = SECOND;
/// Requests of one call that are under way together.
const DEPTH: usize = 4;

/// What a disk says of itself.
#[derive(Clone, Copy, Debug)]
pub struct DiskProperties {
    /// Sectors.
    pub sectors: u64,
    /// Bytes of its smallest piece.
    pub block_size: u32,
    /// Pieces of one request.
    pub most_pieces: usize,
    /// Sectors of one discard; 0 for none.
    pub max_discard: u32,
    /// It takes no writes.
    pub is_read_only: bool,
    /// Written bytes stay only after a flush.
    pub has_cache: bool,
}

impl DiskProperties {
    /// Those of a disk of virtio.
    pub fn of_virtio(disk: &VirtioDisk) -> DiskProperties {
        DiskProperties {
            sectors: disk.sectors(),
            block_size: disk.block_size(),
            most_pieces: disk.most_pieces(),
            max_discard: disk.max_discard(),
            is_read_only: disk.is_read_only(),
            has_cache: disk.has_cache(),
        }
    }
}

impl DiskProperties {
    /// Those of a card of SD. What it says that it has written stays.
    pub fn of_card(card: &SdCard) -> DiskProperties {
        DiskProperties {
            sectors: card.sectors(),
            block_size: SECTOR_SIZE as u32,
            most_pieces: SdCard::MOST_PIECES,
            max_discard: 0,
            is_read_only: card.is_read_only(),
            has_cache: false,
        }
    }
}

/// A disk of the machine.
pub struct Disk {
    properties: DiskProperties,
    state: Mutex<DiskState, { rank::DISK }>,
    /// Who waits for a request, by ticket.
    done: [WaitQueue; TICKETS],
    /// Who waits for room for a request.
    room: WaitQueue,
    /// The device was given up.
    is_dead: AtomicBool,
    /// For who finds no frame to copy through.
    pub(crate) spare: (SleepingMutex, FrameHandle),
}

struct DiskState {
    driver: Box<dyn DiskDriver>,
    /// By ticket.
    requests: [RequestState; TICKETS],
}

/// What is known of the request with one ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RequestState {
    /// There is none.
    Free,
    /// The device has it.
    UnderWay,
    /// It is done, and somebody is to look how it went.
    Done(Result<(), DiskError>),
}

impl Disk {
    /// The disk that the driver drives.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(properties: DiskProperties, driver: Box<dyn DiskDriver>) -> Result<Arc<Disk>, Errno> {
        let spare = FrameHandle::allocate().map_err(|_| Errno::ENOMEM)?;
        fallible::arc(Disk {
            properties,
            state: Mutex::new(DiskState {
                driver,
                requests: [RequestState::Free; TICKETS],
            }),
            done: [const { WaitQueue::new() }; TICKETS],
            room: WaitQueue::new(),
            is_dead: AtomicBool::new(false),
            spare: (SleepingMutex::new(), spare),
        })
    }

    /// What it says of itself.
    pub fn properties(&self) -> &DiskProperties {
        &self.properties
    }

    /// Reads into pages, or writes them, that follow each other from `sector` on; only the first `len` bytes of them.
    ///
    /// # Errors
    /// `EIO`.
    pub(crate) fn transfer(
        &self,
        command: DiskCommand,
        sector: u64,
        pages: &[FrameHandle],
        len: usize,
        statistics: &Statistics,
    ) -> Result<(), Errno> {
        let mut pieces = pages.iter().zip(lengths(len)).map(|(page, len)| Piece {
            frame: page.frame(),
            offset: 0,
            len,
        });
        let mut sector = sector;
        let mut under_way = ArrayVec::<Begun, DEPTH>::new();
        let mut result = Ok(());
        loop {
            let most = self.properties.most_pieces;
            let part: ArrayVec<Piece, { VirtioDisk::MOST_PIECES }> = pieces.by_ref().take(most).collect();
            if part.is_empty() || result.is_err() {
                break;
            }
            if under_way.is_full() {
                result = self.finish(under_way.remove(0), statistics).map(drop);
            }
            let bytes: usize = part.iter().map(|piece| usize::from(piece.len)).sum();
            match self.begin(command, sector, &part, bytes) {
                Ok(begun) => under_way.push(begun),
                Err(error) => result = result.and(Err(error)),
            }
            sector += (bytes / SECTOR_SIZE) as u64;
        }
        // The frames are the device's until it is done with them.
        for begun in under_way {
            result = result.and(self.finish(begun, statistics).map(drop));
        }
        result
    }

    /// Makes everything stay that was written by calls that have returned.
    ///
    /// # Errors
    /// `EIO`.
    pub(crate) fn flush(&self, statistics: &Statistics) -> Result<(), Errno> {
        if !self.properties.has_cache {
            return if self.is_dead() { Err(Errno::EIO) } else { Ok(()) };
        }
        let begun = self.begin(DiskCommand::Flush, 0, &[], 0)?;
        self.finish(begun, statistics).map(drop)
    }

    /// Forgets sectors.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EIO`.
    pub(crate) fn discard(&self, sectors: Range<u64>, statistics: &Statistics) -> Result<(), Errno> {
        let most = u64::from(self.properties.max_discard);
        if most == 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut at = sectors.start;
        while at < sectors.end {
            let count = most.min(sectors.end - at);
            let begun = self.begin(
                DiskCommand::Discard(count as u32),
                at,
                &[],
                count as usize * SECTOR_SIZE,
            )?;
            self.finish(begun, statistics)?;
            at += count;
        }
        Ok(())
    }

    /// The serial number, up to a byte of 0.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `EIO`.
    pub fn identify(&self) -> Result<[u8; 20], Errno> {
        let begun = self.begin(DiskCommand::Identify, 0, &[], 0)?;
        self.finish(begun, &Statistics::new())
    }

    fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Hands a request to the driver; sleeps until there is room.
    fn begin(
        &self,
        command: DiskCommand,
        sector: u64,
        pieces: &[Piece],
        bytes: usize,
    ) -> Result<Begun, Errno> {
        let deadline = time::deadline_after(PATIENCE);
        let submit = || {
            if self.is_dead() {
                return Some(None);
            }
            let (submitted, is_gone) = {
                let mut state = self.state.lock();
                let submitted = state.submit(command, sector, pieces);
                (submitted, state.driver.is_gone())
            };
            if is_gone {
                self.lose();
                self.look();
            }
            submitted.map(Some)
        };
        let submitted = self.room.wait_uninterruptible(Some(deadline), submit);
        let Some(Some(ticket)) = submitted else {
            return Err(Errno::EIO);
        };
        Ok(Begun {
            ticket,
            kind: RequestKind::of(command),
            sectors: (bytes / SECTOR_SIZE) as u64,
            since: platform::timer::ticks(),
        })
    }

    /// Sleeps until a request is done. Only then do its frames belong to the caller again. What the device said, if it was asked who it is.
    fn finish(&self, begun: Begun, statistics: &Statistics) -> Result<[u8; 20], Errno> {
        let ticket = begun.ticket;
        let result = self.wait_for(ticket).unwrap_or_else(|| self.give_up(ticket));
        self.room.wake_one();
        statistics.count(begun.kind, begun.sectors, begun.since);
        result.map_err(|error| match error {
            DiskError::Unsupported => Errno::EOPNOTSUPP,
            _ => Errno::EIO,
        })
    }

    /// Sleeps until a request is done, and has the driver look now and then. `None` after [`PATIENCE`].
    fn wait_for(&self, ticket: Ticket) -> Option<Result<[u8; 20], DiskError>> {
        let is_done = || self.state.lock().take_done(ticket);
        for _ in 0..PATIENCE / CHECK_UP {
            let deadline = time::deadline_after(CHECK_UP);
            let done = self.done[usize::from(ticket.0)].wait_uninterruptible(Some(deadline), is_done);
            if done.is_some() {
                return done;
            }
            self.serve(|driver| driver.check_up());
        }
        None
    }

    /// Has the driver look at its device, and hands on what is done.
    fn serve(&self, look: impl FnOnce(&mut dyn DiskDriver)) {
        let is_gone = {
            let driver = &mut *self.state.lock().driver;
            look(driver);
            driver.is_gone()
        };
        if is_gone {
            self.lose();
        }
        self.look();
    }

    /// The device did not answer in time.
    #[cold]
    fn give_up(&self, ticket: Ticket) -> Result<[u8; 20], DiskError> {
        // Its interrupt may have been lost.
        self.look();
        if let Some(result) = self.state.lock().take_done(ticket) {
            return result;
        }
        klog::error!(
            "A disk does not answer for {} s: it is given up",
            PATIENCE / SECOND
        );
        self.is_dead.store(true, Ordering::Release);
        self.state.lock().driver.give_up();
        self.look();
        self.room.wake_all();
        let result = self.state.lock().take_done(ticket);
        result.unwrap_or(Err(DiskError::Failed))
    }

    /// The device was taken away.
    #[cold]
    fn lose(&self) {
        if !self.is_dead.swap(true, Ordering::AcqRel) {
            klog::error!("A disk was taken away: everything that it is asked for fails");
        }
        self.room.wake_all();
    }

    /// Takes what the device is done with, and wakes who waits for it.
    fn look(&self) {
        loop {
            let completion = self.state.lock().next_done();
            let Some(Completion { ticket, .. }) = completion else {
                return;
            };
            self.done[usize::from(ticket.0)].wake_all();
        }
    }
}

impl DiskState {
    /// Hands a request to the driver, if there is room.
    fn submit(&mut self, command: DiskCommand, sector: u64, pieces: &[Piece]) -> Option<Ticket> {
        let slot = self
            .requests
            .iter()
            .position(|request| *request == RequestState::Free)?;
        let ticket = Ticket(slot as u8);
        if !self.driver.submit(ticket, command, sector, pieces) {
            return None;
        }
        self.requests[slot] = RequestState::UnderWay;
        self.driver.notify();
        Some(ticket)
    }

    /// Notes the next request that the device is done with.
    fn next_done(&mut self) -> Option<Completion> {
        let completion = self.driver.complete()?;
        self.requests[usize::from(completion.ticket.0)] = RequestState::Done(completion.result);
        Some(completion)
    }

    /// How a request went that is done; its ticket is free.
    fn take_done(&mut self, ticket: Ticket) -> Option<Result<[u8; 20], DiskError>> {
        let request = &mut self.requests[usize::from(ticket.0)];
        let RequestState::Done(result) = *request else {
            return None;
        };
        *request = RequestState::Free;
        Some(result.map(|()| self.driver.serial(ticket)))
    }
}

/// The device has a request.
struct Begun {
    ticket: Ticket,
    kind: RequestKind,
    sectors: u64,
    since: u64,
}

/// Bytes of each of the pages that hold `len` bytes.
fn lengths(len: usize) -> impl Iterator<Item = u16> {
    (0..len)
        .step_by(PAGE_SIZE)
        .map(move |at| (len - at).min(PAGE_SIZE) as u16)
}

/// What the interrupt of a disk's device calls.
pub struct DiskInterrupt(pub Arc<Disk>);

impl InterruptHandler for DiskInterrupt {
    fn handle(&self) {
        self.0.serve(|driver| driver.acknowledge());
    }
}
