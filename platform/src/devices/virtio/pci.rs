//! Virtio devices behind a host bridge of PCI (chapter 4.1): those of its first bus. Nobody has given them addresses before a kernel is
//! loaded without firmware, so they are given here, within the first registers of the bridge's window, and interrupts by their pins.

use crate::devices::mmio::Mmio;
use arrayvec::ArrayVec;
use core::ptr::NonNull;
use formats::dtb::PciHost;
use spin::{Mutex, Once};
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::bus::{
    BarInfo, Cam, Command, ConfigurationAccess, DeviceFunction, MemoryBarType, PciRoot,
};
use virtio_drivers::transport::pci::{PciTransport, virtio_device_type};

/// Bytes that are mapped of the configuration space, which are those of two buses, and of the window: a block each.
pub(crate) const CONFIGURATION_LEN: u64 = 2 << 20;
pub(crate) const WINDOW_LEN: u64 = 2 << 20;

/// Devices at most.
const MOST: usize = 32;
/// Where a function says which pin it has.
const INTERRUPT_PIN: u8 = 0x3c;
/// The least that the registers of two devices are apart, that one page is not of both.
const PAGE: u64 = 4096;

/// The configuration space, as the crate asks for it.
struct Configuration(Mmio);

impl Configuration {
    fn offset(function: DeviceFunction, register: u8) -> usize {
        Cam::Ecam.cam_offset(function, register) as usize
    }
}

impl ConfigurationAccess for Configuration {
    fn read_word(&self, function: DeviceFunction, register: u8) -> u32 {
        let offset = Self::offset(function, register);
        // What is not mapped is not there.
        if offset < self.0.len() {
            self.0.read(offset)
        } else {
            u32::MAX
        }
    }

    fn write_word(&mut self, function: DeviceFunction, register: u8, value: u32) {
        let offset = Self::offset(function, register);
        if offset < self.0.len() {
            self.0.write(offset, value);
        }
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Configuration(self.0)
    }
}

/// A device that nobody has taken.
struct Found {
    function: DeviceFunction,
    kind: DeviceType,
    interrupt: u32,
}

struct Bus {
    root: PciRoot<Configuration>,
    found: ArrayVec<Found, MOST>,
}

static BUS: Mutex<Option<Bus>> = Mutex::new(None);

/// Registers of devices: where they are mapped, and their address on the bus.
struct Window {
    mapped: Mmio,
    on_bus: u64,
}

static WINDOW: Once<Window> = Once::new();

/// Gives the devices of the bridge their addresses. `configuration` and `window` are the first registers of both.
pub(crate) fn set_up(host: &PciHost, configuration: Mmio, window: Mmio) {
    let window = WINDOW.call_once(|| Window {
        mapped: window,
        on_bus: u64::from(host.window_on_bus),
    });
    let mut root = PciRoot::new(Configuration(configuration));
    // No device has address 0.
    let mut next = window.on_bus.max(PAGE);
    let end = window.on_bus + window.mapped.len() as u64;
    let mut found = ArrayVec::new();
    for (function, info) in root.enumerate_bus(0).take(MOST) {
        let Some(kind) = virtio_device_type(&info) else {
            continue;
        };
        let pin = (Configuration(configuration).read_word(function, INTERRUPT_PIN) >> 8) as u8;
        let interrupt = host.interrupt(function.device, pin);
        if let (Some(interrupt), Some(())) = (interrupt, place(&mut root, function, &mut next, end)) {
            found.push(Found {
                function,
                kind,
                interrupt,
            });
        }
    }
    *BUS.lock() = Some(Bus { root, found });
}

/// Gives the registers of a device their addresses, from `next` on; `None` if there is no room for them.
fn place(
    root: &mut PciRoot<Configuration>,
    function: DeviceFunction,
    next: &mut u64,
    end: u64,
) -> Option<()> {
    let bars = root.bars(function).ok()?;
    for (index, bar) in (0..).zip(bars) {
        let Some(BarInfo::Memory {
            address_type, size, ..
        }) = bar
        else {
            continue;
        };
        let address = next.checked_next_multiple_of(size.max(PAGE))?;
        *next = address.checked_add(size).filter(|next| *next <= end)?;
        match address_type {
            MemoryBarType::Width64 => root.set_bar_64(function, index, address),
            MemoryBarType::Width32 | MemoryBarType::Below1MiB => {
                root.set_bar_32(function, index, address as u32)
            }
        }
    }
    root.set_command(function, Command::MEMORY_SPACE | Command::BUS_MASTER);
    Some(())
}

/// The first device of this kind that nobody has taken, with its interrupt.
pub(super) fn take(kind: DeviceType) -> Option<(PciTransport, u32)> {
    let mut bus = BUS.lock();
    let Bus { root, found } = bus.as_mut()?;
    loop {
        let at = found.iter().position(|one| one.kind == kind)?;
        let one = found.remove(at);
        // One that is no device of virtio after all is left out.
        if let Ok(transport) = PciTransport::new::<super::Board, _>(root, one.function) {
            return Some((transport, one.interrupt));
        }
    }
}

/// Where registers are mapped that are at that address on the bus.
///
/// # Panics
/// They are not in the window.
pub(super) fn mapped(on_bus: u64, len: usize) -> NonNull<u8> {
    let window = WINDOW.get().expect("a device was found behind the bridge");
    let offset = on_bus.checked_sub(window.on_bus).map(|offset| offset as usize);
    let is_inside = |offset: &usize| {
        offset
            .checked_add(len)
            .is_some_and(|end| end <= window.mapped.len())
    };
    let offset = offset.filter(is_inside).expect("registers lie in the window");
    let at = core::ptr::with_exposed_provenance_mut(window.mapped.base() + offset);
    NonNull::new(at).expect("devices are not mapped at 0")
}
