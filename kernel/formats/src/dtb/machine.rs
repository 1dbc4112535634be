//! What the kernel knows of the machine it runs on. Owned values of bounded size, so that the blob's memory can be given
//! back.

use super::{DeviceTree, DtbError, decode};
use arrayvec::{ArrayString, ArrayVec};

/// A range of physical addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhysRange {
    /// First byte.
    pub start: u64,
    /// Length.
    pub size: u64,
}

impl PhysRange {
    /// The first byte behind the range; a range that would wrap ends at the end of all addresses.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }
}

/// Everything taken from the device tree. What the tree does not have is `None` or empty: the platform decides what it
/// can do without.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The board's name, as `model` gives it.
    pub model: ArrayString<64>,
    /// The board's `compatible` names, most exact first.
    pub compatible: ArrayVec<ArrayString<48>, 8>,
    /// RAM, in the order of the tree, empty ranges left out; there may be holes. Empty: the firmware filled in nothing.
    pub ram: ArrayVec<PhysRange, 32>,
    /// Parts of RAM, or beside it, that are not for the kernel. They may overlap.
    pub reserved: ArrayVec<Reserved, 64>,
    /// What the boot loader says.
    pub chosen: Chosen,
    /// The PL011 for the console: the one that `stdout-path` names, else the first.
    pub uart: Option<Uart>,
    /// The interrupt controller.
    pub gic: Option<Gic>,
    /// The generic timer's interrupts.
    pub timer: Timer,
    /// The PL031 real-time clock.
    pub wall_clock: Option<PhysRange>,
    /// How PSCI is called, where there is PSCI.
    pub psci: Option<Conduit>,
    /// The processors, in the order of the tree.
    pub cpus: ArrayVec<Cpu, 16>,
    /// Raspberry Pi: the mailbox of the VideoCore.
    pub mailbox: Option<PhysRange>,
    /// Raspberry Pi: power management and watchdog.
    pub watchdog: Option<PhysRange>,
    /// Raspberry Pi: the pins.
    pub gpio: Option<PhysRange>,
    /// Raspberry Pi: the random number generator.
    pub generator: Option<PhysRange>,
    /// Raspberry Pi: the controllers of SD cards, in the order of the tree.
    pub sd: ArrayVec<SdController, 2>,
    /// Places where a virtio device may be, in the order of the tree. Those behind the 32nd are left out.
    pub virtio: ArrayVec<VirtioTransport, 32>,
    /// The host bridge of PCI.
    pub pci: Option<PciHost>,
}

/// A controller of SD cards (SD Host Controller Specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdController {
    /// Its registers.
    pub registers: PhysRange,
    /// Its interrupt, as GIC INTID.
    pub interrupt: u32,
    /// Which of the two that a BCM2711 has.
    pub kind: SdKind,
    /// Whether it sees that there is a card: the tree says neither `broken-cd` nor `non-removable`.
    pub sees_card: bool,
}

/// Which controller of SD cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdKind {
    /// `brcm,bcm2711-emmc2`: where a Raspberry Pi 4 has its card.
    Emmc2,
    /// `brcm,bcm2835-sdhci`, of Arasan: where it has its wireless network, and QEMU has the card.
    Emmc1,
}

/// A host bridge of PCI whose configuration space is memory (binding `pci-host-ecam-generic`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciHost {
    /// The configuration space, from its first bus on.
    pub configuration: PhysRange,
    /// Where the 32-bit registers of its devices may be.
    pub window: PhysRange,
    /// The address of the window as devices see it.
    pub window_on_bus: u32,
    /// Whether its devices see what the processors' caches hold.
    pub is_coherent: bool,
    /// Which bits of a device's address, and of its pin, choose an interrupt.
    pub interrupt_mask: (u32, u32),
    /// The interrupts of its devices' pins.
    pub interrupts: ArrayVec<PciInterrupt, 32>,
}

impl PciHost {
    /// The interrupt, as GIC INTID, of a pin (from 1 on) of the device of that number on the first bus.
    pub fn interrupt(&self, device: u8, pin: u8) -> Option<u32> {
        let (of_device, of_pin) = self.interrupt_mask;
        let wanted = (u32::from(device) << 11 & of_device, u32::from(pin) & of_pin);
        let mut all = self.interrupts.iter();
        let found = all.find(|known| (known.device, known.pin) == wanted)?;
        Some(found.interrupt)
    }
}

/// The interrupt of a pin: an entry of `interrupt-map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciInterrupt {
    /// The device's address, as far as the mask goes.
    pub device: u32,
    /// Its pin, from 1 on.
    pub pin: u32,
    /// GIC INTID.
    pub interrupt: u32,
}

/// The registers of a virtio device, or of none: the device says which it is (binding `virtio,mmio`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioTransport {
    /// Its registers.
    pub registers: PhysRange,
    /// Its interrupt, as GIC INTID.
    pub interrupt: u32,
    /// Whether the device sees what the processors' caches hold: `dma-coherent`, here or above.
    pub is_coherent: bool,
}

/// A reserved range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Where.
    pub range: PhysRange,
    /// Who says so.
    pub by: ReservedBy,
}

/// Who reserves a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedBy {
    /// The memory reservation block.
    Block,
    /// A node below /reserved-memory.
    Node,
    /// A node below /reserved-memory with `no-map`: the range must not even be mapped.
    NodeNoMap,
}

/// The node /chosen.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// The command line, cut at 2048 bytes (Linux: `COMMAND_LINE_SIZE`).
    pub bootargs: ArrayString<2048>,
    /// The initramfs.
    pub initrd: InitrdRange,
    /// Random bytes from the boot loader, cut at 64.
    pub rng_seed: ArrayVec<u8, 64>,
    /// A random number from the boot loader.
    pub kaslr_seed: Option<u64>,
    /// Where the boot loader wants messages to go.
    pub stdout: Option<Stdout>,
}

/// Where the boot loader put the initramfs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitrdRange {
    /// There is none.
    #[default]
    None,
    /// It lies there.
    At(PhysRange),
    /// One of both ends is missing, or not a number, or the end is before the start.
    Malformed,
}

/// `stdout-path`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stdout {
    /// Path of the node, aliases resolved.
    pub path: ArrayString<128>,
    /// What follows the colon, such as "115200n8".
    pub options: ArrayString<32>,
}

/// A PL011.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uart {
    /// Its registers.
    pub registers: PhysRange,
    /// Its interrupt, as GIC INTID.
    pub interrupt: Option<u32>,
    /// The frequency of its clock, if that is fixed.
    pub clock_hz: Option<u32>,
    /// Whether `stdout-path` names it.
    pub is_stdout: bool,
}

/// An Arm generic interrupt controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gic {
    /// Version 2: GIC-400 and its like.
    V2 {
        /// GICD.
        distributor: PhysRange,
        /// GICC.
        cpu_interface: PhysRange,
    },
    /// Version 3.
    V3 {
        /// GICD.
        distributor: PhysRange,
        /// GICR regions.
        redistributors: ArrayVec<PhysRange, 8>,
        /// Distance of two GICR frames, if the tree gives one.
        stride: Option<u64>,
    },
}

/// The generic timer's interrupts, as GIC INTIDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    /// Of the virtual timer.
    pub virtual_interrupt: Option<u32>,
    /// Of the EL1 physical timer.
    pub physical_interrupt: Option<u32>,
}

/// The instruction that calls PSCI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// HVC #0.
    Hvc,
    /// SMC #0.
    Smc,
}

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The affinity fields of its MPIDR_EL1.
    pub mpidr: u64,
    /// How it is started.
    pub enable: EnableMethod,
}

/// How a processor is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnableMethod {
    /// By PSCI CPU_ON.
    Psci,
    /// By writing the entry point to that address, then SEV.
    SpinTable {
        /// Where the entry point goes.
        release_address: u64,
    },
    /// The tree does not say, or says something else.
    Unknown,
}

impl Machine {
    /// Reads a device tree.
    ///
    /// # Errors
    /// What [`DtbError`] lists: the tree is damaged, or what it says of memory cannot be trusted; a device that is described wrongly is
    /// left out.
    pub fn from_device_tree(bytes: &[u8]) -> Result<Machine, DtbError> {
        decode::machine(&DeviceTree::new(bytes)?)
    }

    /// Whether `compatible` has that name.
    pub fn is_compatible(&self, name: &str) -> bool {
        self.compatible.iter().any(|known| known.as_str() == name)
    }
}
