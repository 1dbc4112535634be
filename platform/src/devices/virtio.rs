//! Virtio devices (Virtual I/O Device specification 1.2): what crate `virtio-drivers` asks of the machine, and where the device tree
//! says that devices may be. The queues are in RAM that device and processors see alike: a device is used only if the tree says
//! `dma-coherent`, so that no cache has to be cleaned. Order between processor and device is kept by the crate's fences (DMB ISH),
//! which is what a device without VIRTIO_F_ORDER_PLATFORM, that runs on processors of the same machine, asks for (chapter 6.1).
//!
//! Nothing that a device says is trusted: [`net`] and [`disk`] check each index and length before it is used.

pub(crate) mod disk;
pub(crate) mod net;
pub(crate) mod pci;

use super::mmio::Mmio;
use crate::layout::{LINEAR_BASE, STACK_BASE, linear_to_physical};
use crate::memory::ram::{self, Block};
use arrayvec::ArrayVec;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use mm::PAGE_SIZE;
use spin::Mutex;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, SomeTransport, Transport};
use virtio_drivers::{BufferDirection, Hal, PhysAddr};

/// A place where a device may be, mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) registers: Mmio,
    pub(crate) interrupt: u32,
}

/// How many places there can be.
pub(crate) const MOST: usize = 32;

static SLOTS: Mutex<ArrayVec<Slot, MOST>> = Mutex::new(ArrayVec::new_const());

/// Devices may be in these places.
pub(crate) fn set_slots(slots: ArrayVec<Slot, MOST>) {
    *SLOTS.lock() = slots;
}

/// The first device of this kind that nobody has taken, with its interrupt: those in places of their own come before those of PCI.
fn take(kind: DeviceType) -> Option<(SomeTransport<'static>, u32)> {
    take_from_slot(kind).or_else(|| {
        let (transport, interrupt) = pci::take(kind)?;
        Some((transport.into(), interrupt))
    })
}

fn take_from_slot(kind: DeviceType) -> Option<(SomeTransport<'static>, u32)> {
    let mut slots = SLOTS.lock();
    let found = slots.iter().enumerate().find_map(|(index, slot)| {
        let transport = probe(slot.registers, kind)?;
        Some((index, transport, slot.interrupt))
    });
    let (index, transport, interrupt) = found?;
    slots.remove(index);
    Some((transport.into(), interrupt))
}

/// The device in this place, if it is of that kind.
fn probe(registers: Mmio, kind: DeviceType) -> Option<MmioTransport<'static>> {
    let header = core::ptr::with_exposed_provenance_mut::<VirtIOHeader>(registers.base());
    // SAFETY: device registers, mapped for ever; the tree says that they are those of a virtio device. Each place is taken out of the
    // list by whoever keeps its transport, under the list's lock.
    let transport = unsafe { MmioTransport::new(NonNull::new(header)?, registers.len()) }.ok()?;
    if transport.device_type() == kind {
        return Some(transport);
    }
    // Its drop would reset a device that is somebody else's.
    let _ = ManuallyDrop::new(transport);
    None
}

/// The machine, as the crate asks for it.
#[derive(Debug)]
pub(crate) struct Board;

// SAFETY: blocks of RAM come zeroed from the allocator, page aligned, and belong to the caller until they are given back; the addresses
// that a device is told are those of the linear map's RAM, which it reaches as the processors do (the tree says `dma-coherent`).
unsafe impl Hal for Board {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let block = ram::take(pages * PAGE_SIZE).map(zeroed);
        // No device is given address 0: the crate takes it for "no memory".
        block.map_or((0, NonNull::dangling()), |block| {
            (block.physical().0, address_of(&block))
        })
    }

    unsafe fn dma_dealloc(_: PhysAddr, at: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: `dma_alloc` took the block and forgot it.
        ram::give_back(unsafe { Block::from_address(at.addr().get(), pages * PAGE_SIZE) });
        0
    }

    unsafe fn mmio_phys_to_virt(on_bus: PhysAddr, len: usize) -> NonNull<u8> {
        pci::mapped(on_bus, len)
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        let address = buffer.cast::<u8>().addr().get();
        assert!(
            (LINEAR_BASE..STACK_BASE).contains(&address),
            "a device reaches only RAM of the linear map"
        );
        linear_to_physical(address).0
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

fn zeroed(block: Block) -> Block {
    // SAFETY: the block is RAM in the linear map that belongs to us.
    unsafe { address_of(&block).write_bytes(0, block.len()) };
    block
}

fn address_of(block: &Block) -> NonNull<u8> {
    let address = core::ptr::with_exposed_provenance_mut(block.address());
    NonNull::new(address).expect("the linear map does not begin at 0")
}
