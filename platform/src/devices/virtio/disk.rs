//! A disk of virtio (chapter 5.2): one queue of requests, each with a header, pieces of frames, and a byte that says how it went. All that
//! the driver needs itself is made when the disk is found, so that nothing is allocated afterwards.

use super::{Board, address_of, take, zeroed};
use crate::disk::{Completion, DiskCommand, DiskError, Piece, TICKETS, Ticket};
use crate::frame;
use crate::heap;
use crate::memory::ram::{self, Block};
use alloc::boxed::Box;
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use bitflags::bitflags;
use core::ptr::NonNull;
use core::slice;
use mm::PAGE_SIZE;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{DeviceStatus, DeviceType, SomeTransport, Transport};

/// Descriptors of the queue.
const QUEUE_LEN: usize = 128;
/// Number of the queue.
const REQUESTS: u16 = 0;
/// Requests that the device may have at a time.
const SLOTS: usize = TICKETS;
/// Pieces of one request.
const MOST_PIECES: usize = VirtioDisk::MOST_PIECES;
/// Descriptors of one request at most: header, pieces, status.
const MOST_PARTS: usize = MOST_PIECES + 2;

/// Bytes of a slot in the driver's page: the header, the status, and what else a command sends or gets.
const SLOT_LEN: usize = 64;
const HEADER_LEN: usize = 16;
const STATUS_OFFSET: usize = 16;
const DATA_OFFSET: usize = 32;
const SERIAL_LEN: usize = 20;
const DISCARD_LEN: usize = 16;

/// Offsets in the configuration (chapter 5.2.4).
const CAPACITY: usize = 0;
const SEG_MAX: usize = 12;
const BLOCK_SIZE: usize = 20;
const MAX_DISCARD: usize = 36;

/// What a request asks for (chapter 5.2.6).
const IN: u32 = 0;
const OUT: u32 = 1;
const FLUSH: u32 = 4;
const GET_ID: u32 = 8;
const DISCARD: u32 = 11;

/// What the status says, and what stands there before.
const OK: u8 = 0;
const UNSUPPORTED: u8 = 2;
const UNWRITTEN: u8 = 0xff;

bitflags! {
    /// What is asked of the device: no more than this.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        const SEG_MAX = 1 << 2;
        const READ_ONLY = 1 << 5;
        const BLOCK_SIZE = 1 << 6;
        const FLUSH = 1 << 9;
        const DISCARD = 1 << 13;
        const VERSION_1 = 1 << 32;
    }
}

/// What the device has of us.
#[derive(Clone)]
struct Lent {
    command: DiskCommand,
    pieces: ArrayVec<Piece, MOST_PIECES>,
}

/// A disk.
pub struct VirtioDisk {
    transport: SomeTransport<'static>,
    // Boxed: a disk is handed on while the boot stack is in use.
    queue: Box<VirtQueue<Board, QUEUE_LEN>>,
    /// A page with a slot for each request.
    page: Block,
    /// By slot.
    lent: Vec<Option<Lent>>,
    /// By the token of the queue: the slot.
    slots: [Option<u8>; QUEUE_LEN],
    features: Features,
    sectors: u64,
    block_size: u32,
    most_pieces: usize,
    max_discard: u32,
    interrupt: u32,
    /// It was given up: everything that it had failed.
    is_dead: bool,
}

impl VirtioDisk {
    /// Pieces of one request.
    pub const MOST_PIECES: usize = 32;

    /// Sets up the next disk of the machine; `None` if there is no further one.
    ///
    /// # Errors
    /// What [`DiskError`] lists. The device is reset.
    pub fn take() -> Option<Result<VirtioDisk, DiskError>> {
        let (transport, interrupt) = take(DeviceType::Block)?;
        Some(VirtioDisk::set_up(transport, interrupt))
    }

    fn set_up(mut transport: SomeTransport<'static>, interrupt: u32) -> Result<VirtioDisk, DiskError> {
        let features = transport.begin_init(Features::all());
        let word = |transport: &SomeTransport<'static>, offset| {
            let word: Result<u32, _> = transport.read_config_space(offset);
            word.map_err(|_| DiskError::Configuration)
        };
        // Two words: a device whose size changes meanwhile is not one of ours.
        let sectors =
            u64::from(word(&transport, CAPACITY)?) | u64::from(word(&transport, CAPACITY + 4)?) << 32;
        let asked = |flag, offset, usual| {
            if features.contains(flag) {
                word(&transport, offset)
            } else {
                Ok(usual)
            }
        };
        let block_size = asked(Features::BLOCK_SIZE, BLOCK_SIZE, 512)?;
        let seg_max = asked(Features::SEG_MAX, SEG_MAX, 1)?;
        let max_discard = asked(Features::DISCARD, MAX_DISCARD, 0)?;
        if !block_size.is_power_of_two() || !(512..=PAGE_SIZE as u32).contains(&block_size) || seg_max == 0 {
            return Err(DiskError::Configuration);
        }
        let queue =
            VirtQueue::new(&mut transport, REQUESTS, false, false).map_err(|_| DiskError::NoMemory)?;
        let queue = Box::try_new(queue).map_err(|_| DiskError::NoMemory)?;
        let page = zeroed(ram::take(PAGE_SIZE).map_err(|_| DiskError::NoMemory)?);
        let mut lent = Vec::new();
        lent.try_reserve_exact(SLOTS).map_err(|_| DiskError::NoMemory)?;
        heap::fill_within_capacity(&mut lent, SLOTS, &None);
        transport.finish_init();
        Ok(VirtioDisk {
            transport,
            queue,
            page,
            lent,
            slots: [None; QUEUE_LEN],
            features,
            sectors,
            block_size,
            most_pieces: MOST_PIECES.min(seg_max as usize),
            max_discard,
            interrupt,
            is_dead: false,
        })
    }

    /// The interrupt (INTID) that says that requests are done.
    pub fn interrupt(&self) -> u32 {
        self.interrupt
    }

    /// How many sectors of 512 bytes it has.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Bytes of its smallest piece.
    pub fn block_size(&self) -> u32 {
        self.block_size
    }

    /// Pieces that one request may have.
    pub fn most_pieces(&self) -> usize {
        self.most_pieces
    }

    /// Sectors that one discard may have; 0 if it knows none.
    pub fn max_discard(&self) -> u32 {
        self.max_discard
    }

    /// Whether it may not be written.
    pub fn is_read_only(&self) -> bool {
        self.features.contains(Features::READ_ONLY)
    }

    /// Whether it keeps written bytes back until a flush.
    pub fn has_cache(&self) -> bool {
        self.features.contains(Features::FLUSH)
    }

    /// Makes the device let go of its interrupt line. To be done before it is looked for what is done.
    pub fn acknowledge_interrupt(&mut self) {
        let _ = self.transport.ack_interrupt();
    }

    /// Hands a request to the device, which has the pieces of frames until [`VirtioDisk::complete`] names the ticket: the caller holds a
    /// reference to each of their frames for so long. Whether there was room for it.
    ///
    /// # Panics
    /// If there are more pieces than [`VirtioDisk::most_pieces`], or one of them is empty or not inside its frame, or the ticket is not
    /// below [`TICKETS`] or in use: bugs of the caller.
    pub fn submit(&mut self, ticket: Ticket, command: DiskCommand, sector: u64, pieces: &[Piece]) -> bool {
        assert!(
            pieces.len() <= self.most_pieces,
            "a request has as many pieces as the disk takes"
        );
        let needed = pieces.len() + 3;
        if self.is_dead || self.queue.available_desc() < needed {
            return false;
        }
        let slot = usize::from(ticket.0);
        assert!(
            self.lent[slot].is_none(),
            "the device has no two requests of one ticket"
        );
        let lent = Lent {
            command,
            pieces: pieces.iter().copied().collect(),
        };
        self.write_slot(slot, command, sector);
        let mut parts = self.parts(slot, &lent);
        let (inputs, outputs) = (
            &parts.inputs[..parts.input_count],
            &mut parts.outputs[..parts.output_count],
        );
        // SAFETY: the slot is ours until its token comes back, and the pieces are the device's by the caller's word; `parts` checked
        // that they lie inside their frames. No reference to them is kept beyond this call.
        let added = unsafe { self.queue.add(inputs, outputs) };
        let Ok(token) = added else {
            return false;
        };
        self.slots[usize::from(token)] = Some(slot as u8);
        self.lent[slot] = Some(lent);
        true
    }

    /// Tells the device of what was submitted.
    pub fn notify(&mut self) {
        if !self.is_dead && self.queue.should_notify() {
            self.transport.notify(REQUESTS);
        }
    }

    /// The next request that the device is done with.
    pub fn complete(&mut self) -> Option<Completion> {
        if self.is_dead {
            return self.fail_next();
        }
        let token = self.queue.peek_used()?;
        let slot = usize::from(self.slots.get_mut(usize::from(token))?.take()?);
        let lent = self.lent[slot].take()?;
        let mut parts = self.parts(slot, &lent);
        let (inputs, outputs) = (
            &parts.inputs[..parts.input_count],
            &mut parts.outputs[..parts.output_count],
        );
        // SAFETY: these parts were lent under this token, and the device has given them back.
        let popped = unsafe { self.queue.pop_used(token, inputs, outputs) };
        let result = match (popped, self.slot_byte(slot, STATUS_OFFSET)) {
            (Ok(_), OK) => Ok(()),
            (Ok(_), UNSUPPORTED) => Err(DiskError::Unsupported),
            _ => Err(DiskError::Failed),
        };
        Some(Completion {
            ticket: Ticket(slot as u8),
            result,
        })
    }

    /// Gives the device up: it is reset, touches no memory any more, and everything that it had has failed.
    pub fn give_up(&mut self) {
        self.transport.set_status(DeviceStatus::empty());
        self.is_dead = true;
    }

    fn fail_next(&mut self) -> Option<Completion> {
        let slot = self.lent.iter().position(Option::is_some)?;
        self.lent[slot] = None;
        Some(Completion {
            ticket: Ticket(slot as u8),
            result: Err(DiskError::Failed),
        })
    }

    /// What an [`DiskCommand::Identify`] with this ticket, completed last, was told: up to a byte of 0.
    pub fn serial(&self, ticket: Ticket) -> [u8; SERIAL_LEN] {
        core::array::from_fn(|index| self.slot_byte(usize::from(ticket.0), DATA_OFFSET + index))
    }

    /// Byte `offset` of a slot.
    fn slot(&self, slot: usize, offset: usize) -> NonNull<u8> {
        assert!(slot < SLOTS && offset < SLOT_LEN, "a place in a slot");
        // SAFETY: inside the page, which has room for all slots.
        unsafe { address_of(&self.page).add(slot * SLOT_LEN + offset) }
    }

    fn slot_byte(&self, slot: usize, offset: usize) -> u8 {
        // SAFETY: inside the page, which is ours; the device has given the slot back.
        unsafe { self.slot(slot, offset).read_volatile() }
    }

    /// Fills in what the device reads of a slot.
    fn write_slot(&mut self, slot: usize, command: DiskCommand, sector: u64) {
        let kind = match command {
            DiskCommand::Read => IN,
            DiskCommand::Write => OUT,
            DiskCommand::Flush => FLUSH,
            DiskCommand::Identify => GET_ID,
            DiskCommand::Discard(_) => DISCARD,
        };
        let mut bytes = [0; SLOT_LEN];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        let header_sector = if kind == IN || kind == OUT { sector } else { 0 };
        bytes[8..HEADER_LEN].copy_from_slice(&header_sector.to_le_bytes());
        bytes[STATUS_OFFSET] = UNWRITTEN;
        if let DiskCommand::Discard(count) = command {
            bytes[DATA_OFFSET..DATA_OFFSET + 8].copy_from_slice(&sector.to_le_bytes());
            bytes[DATA_OFFSET + 8..DATA_OFFSET + 12].copy_from_slice(&count.to_le_bytes());
        }
        // SAFETY: the slot is ours and has that many bytes.
        unsafe {
            self.slot(slot, 0)
                .copy_from_nonoverlapping(NonNull::from(&bytes).cast(), SLOT_LEN)
        };
    }

    /// What the device reads, and what it writes, of a request, in the order in which it wants them.
    fn parts<'a>(&self, slot: usize, lent: &Lent) -> Parts<'a> {
        let mut parts = Parts::default();
        // SAFETY: parts of the slot, which no reference is made to while the device has it, but these that the queue takes the
        // addresses of.
        parts.add_input(unsafe { slice::from_raw_parts(self.slot(slot, 0).as_ptr(), HEADER_LEN) });
        for piece in &lent.pieces {
            let at = frame::bytes(piece.frame, piece.offset.into(), piece.len.into());
            if lent.command == DiskCommand::Read {
                // SAFETY: bytes of a frame, which `frame::bytes` has checked. The queue takes the address and the length and looks
                // at nothing.
                parts.add_output(unsafe { slice::from_raw_parts_mut(at, piece.len.into()) });
            } else {
                // SAFETY: as above.
                parts.add_input(unsafe { slice::from_raw_parts(at, piece.len.into()) });
            }
        }
        let data = self.slot(slot, DATA_OFFSET).as_ptr();
        match lent.command {
            // SAFETY: a part of the slot, as above.
            DiskCommand::Identify => parts.add_output(unsafe { slice::from_raw_parts_mut(data, SERIAL_LEN) }),
            // SAFETY: as above.
            DiskCommand::Discard(_) => parts.add_input(unsafe { slice::from_raw_parts(data, DISCARD_LEN) }),
            DiskCommand::Read | DiskCommand::Write | DiskCommand::Flush => {}
        }
        // SAFETY: as above.
        parts.add_output(unsafe { slice::from_raw_parts_mut(self.slot(slot, STATUS_OFFSET).as_ptr(), 1) });
        parts
    }
}

/// The parts of a request as the queue takes them. Arrays: what is dropped cannot be lent for as long as the queue wants.
struct Parts<'a> {
    inputs: [&'a [u8]; MOST_PARTS],
    outputs: [&'a mut [u8]; MOST_PARTS],
    input_count: usize,
    output_count: usize,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Parts {
            inputs: [&[]; MOST_PARTS],
            outputs: core::array::from_fn(|_| <&mut [u8]>::default()),
            input_count: 0,
            output_count: 0,
        }
    }
}

impl<'a> Parts<'a> {
    fn add_input(&mut self, part: &'a [u8]) {
        self.inputs[self.input_count] = part;
        self.input_count += 1;
    }

    fn add_output(&mut self, part: &'a mut [u8]) {
        self.outputs[self.output_count] = part;
        self.output_count += 1;
    }
}
