//! GICv3 (Arm IHI 0069), as QEMU virt has it with `gic-version=3`: affinity routing, group 1, the processor interface in
//! system registers.

use super::gic::{PRIORITY, PRIORITY_MASK};
use super::mmio::Mmio;
use crate::arch;
use aarch64_cpu::registers::{MPIDR_EL1, Readable};

const GICD_CTLR: usize = 0x0000;
const GICD_TYPER: usize = 0x0004;
const GICD_IGROUPR: usize = 0x0080;
const GICD_IIDR: usize = 0x008;
const GICD_ISENABLER: usize = 0x0100;
const GICD_ICENABLER: usize = 0x0180;
const GICD_ISPENDR: usize = 0x0200;
const GICD_ICPENDR: usize = 0x0280;
const GICD_ICACTIVER: usize = 0x0380;
const GICD_IPRIORITYR: usize = 0x0400;
const GICD_IROUTER: usize = 0x6000;

const CTLR_ENABLE_GROUP_1: u32 = 1 << 0 | 1 << 1;
const CTLR_AFFINITY_ROUTING: u32 = 1 << 4;
const CTLR_WRITE_PENDING: u32 = 1 << 31;

const GICR_CTLR: usize = 0x00;
const GICR_TYPER: usize = 0x08;
const GICR_WAKER: usize = 0x14;
/// Second frame of a redistributor: SGIs and PPIs, at the offsets of the distributor.
const GICR_SGI_FRAME: usize = 0x1_0000;

const GICR_CTLR_WRITE_PENDING: u32 = 1 << 3;
/// GICR_TYPER, a register of 64 bits, which some controllers have only as a whole.
const TYPER_VIRTUAL_LPI: u64 = 1 << 1;
const TYPER_LAST: u64 = 1 << 4;
const TYPER_AFFINITY: u32 = 32;
const WAKER_PROCESSOR_SLEEP: u32 = 1 << 1;
const WAKER_CHILDREN_ASLEEP: u32 = 1 << 2;

const PRIVATE: usize = 32;

/// Regions that a device tree can name (`dtb::Gic`).
const MAX_REGIONS: usize = 8;

/// Where the processors' redistributors are.
pub(crate) struct Redistributors {
    /// Regions, each with some of them.
    pub(crate) regions: [Option<Mmio>; MAX_REGIONS],
    /// Distance of two in a region, if they do not say it themselves.
    pub(crate) stride: Option<usize>,
}

impl Redistributors {
    /// The one of the processor with that affinity.
    fn find(&self, affinity: u32) -> Option<Mmio> {
        self.regions
            .iter()
            .flatten()
            .find_map(|&region| self.find_in(region, affinity))
    }

    fn find_in(&self, region: Mmio, affinity: u32) -> Option<Mmio> {
        let mut frame = region;
        loop {
            let typer = frame.read_64(GICR_TYPER);
            if (typer >> TYPER_AFFINITY) as u32 == affinity {
                return Some(frame);
            }
            let len = self.stride.unwrap_or(if typer & TYPER_VIRTUAL_LPI != 0 {
                4 * GICR_SGI_FRAME
            } else {
                2 * GICR_SGI_FRAME
            });
            if typer & TYPER_LAST != 0 || frame.len() <= len {
                return None;
            }
            frame = frame.from(len);
        }
    }
}

pub(crate) struct GicV3 {
    distributor: Mmio,
    redistributors: Redistributors,
}

impl GicV3 {
    /// Sets up the distributor, everything disabled, and the running processor's redistributor and interface.
    pub(crate) fn new(distributor: Mmio, redistributors: Redistributors) -> GicV3 {
        let gic = GicV3 {
            distributor,
            redistributors,
        };
        distributor.write(GICD_CTLR, 0);
        gic.wait_for_distributor();
        let interrupts = PRIVATE * ((distributor.read(GICD_TYPER) & 0x1f) as usize + 1);
        for first in (PRIVATE..interrupts).step_by(32) {
            forget(distributor, first);
            distributor.write(GICD_IGROUPR + first / 8, u32::MAX);
        }
        for first in (PRIVATE..interrupts).step_by(4) {
            distributor.write(GICD_IPRIORITYR + first, u32::from_ne_bytes([PRIORITY; 4]));
        }
        gic.wait_for_distributor();
        distributor.write(GICD_CTLR, CTLR_AFFINITY_ROUTING | CTLR_ENABLE_GROUP_1);
        gic.wait_for_distributor();
        let affinity = own_affinity();
        for interrupt in PRIVATE..interrupts.min(1020) {
            distributor.write(GICD_IROUTER + interrupt * 8, affinity & 0x00ff_ffff);
            distributor.write(GICD_IROUTER + interrupt * 8 + 4, affinity >> 24);
        }
        gic.set_up_processor();
        gic
    }

    fn wait_for_distributor(&self) {
        while self.distributor.read(GICD_CTLR) & CTLR_WRITE_PENDING != 0 {
            arch::relax();
        }
    }

    /// The redistributor of the running processor.
    ///
    /// # Panics
    /// When the GIC has none for it: the device tree and the machine do not agree.
    fn own_redistributor(&self) -> Mmio {
        self.redistributors
            .find(own_affinity())
            .expect("the GICv3 has a redistributor for each processor")
    }

    /// Whether there is a redistributor for the running processor.
    pub(crate) fn serves_this_processor(&self) -> bool {
        self.redistributors.find(own_affinity()).is_some()
    }

    /// Wakes the running processor's redistributor, its private interrupts disabled, and sets up its interface.
    pub(crate) fn set_up_processor(&self) {
        let redistributor = self.own_redistributor();
        redistributor.modify(GICR_WAKER, WAKER_PROCESSOR_SLEEP, 0);
        while redistributor.read(GICR_WAKER) & WAKER_CHILDREN_ASLEEP != 0 {
            arch::relax();
        }
        let private = redistributor.from(GICR_SGI_FRAME);
        forget(private, 0);
        private.write(GICD_IGROUPR, u32::MAX);
        for first in (0..PRIVATE).step_by(4) {
            private.write(GICD_IPRIORITYR + first, u32::from_ne_bytes([PRIORITY; 4]));
        }
        while redistributor.read(GICR_CTLR) & GICR_CTLR_WRITE_PENDING != 0 {
            arch::relax();
        }
        arch::gic::enable_interface(PRIORITY_MASK);
    }

    pub(crate) fn enable(&self, interrupt: u32) {
        self.write_bit(GICD_ISENABLER, interrupt);
    }

    pub(crate) fn disable(&self, interrupt: u32) {
        self.write_bit(GICD_ICENABLER, interrupt);
        // Not in force before.
        self.wait_for_distributor();
    }

    /// Its maker and revision.
    pub(crate) fn identification(&self) -> u32 {
        self.distributor.read(GICD_IIDR)
    }

    pub(crate) fn raise(&self, interrupt: u32) {
        self.write_bit(GICD_ISPENDR, interrupt);
    }

    /// Writes the bit of `interrupt` in the registers from `first` on, of this processor's redistributor for a private one.
    fn write_bit(&self, first: usize, interrupt: u32) {
        let registers = if (interrupt as usize) < PRIVATE {
            self.own_redistributor().from(GICR_SGI_FRAME)
        } else {
            self.distributor
        };
        registers.write(first + interrupt as usize / 32 * 4, 1 << (interrupt % 32));
    }

    #[inline]
    pub(crate) fn acknowledge(&self) -> u32 {
        arch::gic::acknowledge()
    }

    #[inline]
    pub(crate) fn end(&self, acknowledged: u32) {
        arch::gic::end(acknowledged);
    }
}

/// Disables the 32 interrupts from `first` on; what another kernel, that loaded this one, left pending or active is over.
fn forget(registers: Mmio, first: usize) {
    for register in [GICD_ICENABLER, GICD_ICPENDR, GICD_ICACTIVER] {
        registers.write(register + first / 8, u32::MAX);
    }
}

/// Where the interrupt's number is in ICC_SGI1R_EL1.
const SGI1R_INTERRUPT: u32 = 24;

/// The fields of ICC_SGI1R_EL1 (Arm IHI 0069, 12.2.20) that name the running processor: Aff3, Aff2, Aff1 as they are, and of
/// Aff0 the upper half as range selector, the lower as one bit of the target list.
pub(crate) fn own_target() -> u64 {
    let [aff0, aff1, aff2, aff3] = own_affinity().to_le_bytes().map(u64::from);
    aff3 << 48 | (aff0 >> 4) << 44 | aff2 << 32 | aff1 << 16 | 1 << (aff0 & 0xf)
}

/// Sends a software-generated interrupt to the processor of which `target` is the [`own_target`].
pub(crate) fn send(interrupt: u32, target: u64) {
    arch::gic::send(target | u64::from(interrupt) << SGI1R_INTERRUPT);
}

/// Aff3.Aff2.Aff1.Aff0 of the running processor, as `GICR_TYPER[63:32]` has it.
fn own_affinity() -> u32 {
    let mpidr = MPIDR_EL1.get();
    (mpidr & 0x00ff_ffff | mpidr >> 8 & 0xff00_0000) as u32
}
