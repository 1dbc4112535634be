//! A network device of virtio (chapter 5.1): a queue of frames that came, one of frames to be sent. All buffers are made when the
//! device is found, so that nothing is allocated afterwards. Neither checksums nor segments are left to the device.

use super::{Board, address_of, take, zeroed};
use crate::memory::ram::{self, Block};
use alloc::boxed::Box;
use arrayvec::ArrayVec;
use bitflags::bitflags;
use core::fmt;
use core::ptr::NonNull;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::{DeviceType, SomeTransport, Transport};

/// Buffers of each queue.
const QUEUE_LEN: usize = 64;
/// Bytes of a buffer: header and frame.
const BUFFER_LEN: usize = 2048;
/// Bytes in front of each frame (chapter 5.1.6); a device of the old kind leaves `num_buffers` out.
const HEADER_LEN: usize = 12;
const OLD_HEADER_LEN: usize = 10;
/// The longest frame that fits in either case.
const MAX_FRAME: usize = 1514;
/// Numbers of the queues.
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;
/// Offset of the hardware address in the configuration.
const MAC_OFFSET: usize = 0;

bitflags! {
    /// What is asked of the device: no more than this.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        const MAC = 1 << 5;
        const VERSION_1 = 1 << 32;
    }
}

/// Why a device cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// It has no hardware address, or none that is a single station's.
    NoAddress,
    /// Its queues are too short, or there is no memory for them.
    Queues,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NetworkError::NoAddress => "it has no hardware address",
            NetworkError::Queues => "its queues cannot be set up",
        })
    }
}

/// Buffers of one queue, and which of them the device has.
struct Buffers {
    block: Block,
    /// What the device has, by the token of the queue: the buffer's number, and how much of it.
    lent: [Option<(u8, u16)>; QUEUE_LEN],
}

impl Buffers {
    fn new() -> Result<Buffers, NetworkError> {
        let block = ram::take(QUEUE_LEN * BUFFER_LEN).map_err(|_| NetworkError::Queues)?;
        Ok(Buffers {
            block: zeroed(block),
            lent: [None; QUEUE_LEN],
        })
    }

    /// The first `len` bytes of a buffer.
    fn bytes(&self, buffer: u8, len: usize) -> NonNull<[u8]> {
        let offset = usize::from(buffer) * BUFFER_LEN;
        assert!(usize::from(buffer) < QUEUE_LEN && len <= BUFFER_LEN);
        // SAFETY: inside the block, which has a buffer for each number.
        NonNull::slice_from_raw_parts(unsafe { address_of(&self.block).add(offset) }, len)
    }

    /// Takes back the buffer that was lent under a token of the device's choice.
    fn take_back(&mut self, token: u16) -> Option<(u8, NonNull<[u8]>)> {
        let (buffer, len) = self.lent.get_mut(usize::from(token))?.take()?;
        Some((buffer, self.bytes(buffer, usize::from(len))))
    }
}

/// A network device.
pub struct NetworkDevice {
    transport: SomeTransport<'static>,
    // Boxed: a device is handed on while the boot stack is in use.
    received: Box<VirtQueue<Board, QUEUE_LEN>>,
    sent: Box<VirtQueue<Board, QUEUE_LEN>>,
    receive_buffers: Buffers,
    send_buffers: Buffers,
    /// Buffers for sending that the device does not have.
    free: ArrayVec<u8, QUEUE_LEN>,
    header_len: usize,
    address: [u8; 6],
    interrupt: u32,
}

impl NetworkDevice {
    /// Sets up the next network device of the machine; `None` if there is no further one.
    ///
    /// # Errors
    /// What [`NetworkError`] lists. The device is reset.
    pub fn take() -> Option<Result<NetworkDevice, NetworkError>> {
        let (transport, interrupt) = take(DeviceType::Network)?;
        Some(NetworkDevice::set_up(transport, interrupt))
    }

    fn set_up(mut transport: SomeTransport<'static>, interrupt: u32) -> Result<NetworkDevice, NetworkError> {
        let features = transport.begin_init(Features::all());
        if !features.contains(Features::MAC) {
            return Err(NetworkError::NoAddress);
        }
        let address: [u8; 6] = transport
            .read_config_space(MAC_OFFSET)
            .map_err(|_| NetworkError::NoAddress)?;
        if address[0] & 1 != 0 || address == [0; 6] {
            return Err(NetworkError::NoAddress);
        }
        let queue = |transport: &mut SomeTransport<'static>, number| {
            let queue = VirtQueue::new(transport, number, false, false).map_err(|_| NetworkError::Queues)?;
            Box::try_new(queue).map_err(|_| NetworkError::Queues)
        };
        let received = queue(&mut transport, RECEIVE)?;
        let mut sent = queue(&mut transport, TRANSMIT)?;
        // What was sent is looked for when the next frame is.
        sent.set_dev_notify(false);
        transport.finish_init();
        let is_new = features.contains(Features::VERSION_1);
        let mut device = NetworkDevice {
            transport,
            received,
            sent,
            receive_buffers: Buffers::new()?,
            send_buffers: Buffers::new()?,
            free: (0..QUEUE_LEN as u8).collect(),
            header_len: if is_new { HEADER_LEN } else { OLD_HEADER_LEN },
            address,
            interrupt,
        };
        (0..QUEUE_LEN as u8).for_each(|buffer| device.lend(buffer));
        Ok(device)
    }

    /// The hardware address.
    pub fn address(&self) -> [u8; 6] {
        self.address
    }

    /// The interrupt (INTID) that says that frames have come.
    pub fn interrupt(&self) -> u32 {
        self.interrupt
    }

    /// The longest frame, in bytes.
    pub fn max_frame(&self) -> usize {
        MAX_FRAME
    }

    /// Makes the device let go of its interrupt line. To be done before it is looked for frames.
    pub fn acknowledge_interrupt(&mut self) {
        let _ = self.transport.ack_interrupt();
    }

    /// Copies the next frame that came into `to`: its length. One that is longer than `to`, or is said to be shorter than its header,
    /// is dropped. `None` if none has come, or the device has lost its mind.
    pub fn receive(&mut self, to: &mut [u8]) -> Option<usize> {
        // As many as there are buffers: who drops them all is not kept here by a device that sends on.
        (0..QUEUE_LEN).find_map(|_| {
            let token = self.received.peek_used()?;
            let (buffer, mut bytes) = self.receive_buffers.take_back(token)?;
            // SAFETY: the buffer was lent under this token, as this slice, and the device has given it back.
            let written = unsafe { self.received.pop_used(token, &[], &mut [bytes.as_mut()]) }.ok()?;
            let len = (written as usize).min(BUFFER_LEN).checked_sub(self.header_len);
            let frame = len.filter(|&len| len <= to.len());
            if let Some(len) = frame {
                // SAFETY: within the buffer, which is ours at the moment. `to` is the caller's own memory.
                unsafe {
                    bytes
                        .cast::<u8>()
                        .add(self.header_len)
                        .copy_to_nonoverlapping(NonNull::from(&mut *to).cast(), len)
                };
            }
            self.lend(buffer);
            Some(frame)
        })?
    }

    /// Gives the device a buffer for a frame to come.
    fn lend(&mut self, buffer: u8) {
        let mut bytes = self.receive_buffers.bytes(buffer, BUFFER_LEN);
        // SAFETY: the buffer is ours, and is not touched until its token comes back (`receive`).
        let token = unsafe { self.received.add(&[], &mut [bytes.as_mut()]) };
        // There is room: the queue is as long as there are buffers.
        if let Ok(token) = token {
            self.receive_buffers.lent[usize::from(token)] = Some((buffer, BUFFER_LEN as u16));
            if self.received.should_notify() {
                self.transport.notify(RECEIVE);
            }
        }
    }

    /// Sends a frame; whether there was room for it. There is none for what is longer than [`NetworkDevice::max_frame`].
    pub fn transmit(&mut self, frame: &[u8]) -> bool {
        self.collect_sent();
        let Some(&buffer) = self.free.last().filter(|_| frame.len() <= MAX_FRAME) else {
            return false;
        };
        let bytes = self.send_buffers.bytes(buffer, self.header_len + frame.len());
        let at = bytes.cast::<u8>();
        // SAFETY: the buffer is ours while it is free, and long enough for header and frame. A header of zeros asks for nothing.
        // It stays as it is until its token comes back (`collect_sent`).
        let token = unsafe {
            at.write_bytes(0, self.header_len);
            at.add(self.header_len)
                .copy_from_nonoverlapping(NonNull::from(frame).cast(), frame.len());
            self.sent.add(&[bytes.as_ref()], &mut [])
        };
        let Ok(token) = token else {
            return false;
        };
        self.free.pop();
        self.send_buffers.lent[usize::from(token)] = Some((buffer, bytes.len() as u16));
        if self.sent.should_notify() {
            self.transport.notify(TRANSMIT);
        }
        true
    }

    /// Takes back the buffers of what was sent.
    fn collect_sent(&mut self) {
        while let Some(token) = self.sent.peek_used()
            && let Some((buffer, bytes)) = self.send_buffers.take_back(token)
        {
            // SAFETY: the buffer was lent under this token, as this slice, and the device has given it back.
            if unsafe { self.sent.pop_used(token, &[bytes.as_ref()], &mut []) }.is_err() {
                return;
            }
            self.free.push(buffer);
        }
    }
}
