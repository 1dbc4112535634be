//! GICv2 (Arm IHI 0048): QEMU virt's default, and the Raspberry Pi 4's GIC-400. Only what is the same in the non-secure view
//! of the real board and in QEMU, whose Pi has no security extensions: no groups, no FIQ.

use super::gic::{PRIORITY, PRIORITY_MASK};
use super::mmio::Mmio;

const GICD_CTLR: usize = 0x000;
const GICD_TYPER: usize = 0x004;
const GICD_IIDR: usize = 0x008;
const GICD_ISENABLER: usize = 0x100;
const GICD_ICENABLER: usize = 0x180;
const GICD_ISPENDR: usize = 0x200;
const GICD_ICPENDR: usize = 0x280;
const GICD_ICACTIVER: usize = 0x380;
const GICD_IPRIORITYR: usize = 0x400;
const GICD_ITARGETSR: usize = 0x800;
const GICD_SGIR: usize = 0xf00;
const GICC_CTLR: usize = 0x00;
const GICC_PMR: usize = 0x04;
const GICC_IAR: usize = 0x0c;
const GICC_EOIR: usize = 0x10;
/// Active priorities: four words, of which an implementation may have fewer.
const GICC_APR: usize = 0xd0;
const APRS: usize = 4;

const ENABLE: u32 = 1;
/// GICC_CTLR: whether the legacy signals of a board get past the GIC is its firmware's decision (FIQBypDisGrp0 to IRQBypDisGrp1).
const BYPASS: u32 = 0x1e0;
/// Interrupts below this number are private to a processor, their registers banked.
const PRIVATE: usize = 32;

pub(crate) struct GicV2 {
    distributor: Mmio,
    interface: Mmio,
}

/// Where GICD_TYPER has the number of the last interface.
const TYPER_LAST_INTERFACE: u32 = 5;
/// Where the targets of a software-generated interrupt begin in GICD_SGIR.
const SGIR_TARGETS: u32 = 16;

impl GicV2 {
    /// Sets up the distributor, everything disabled, and the running processor's interface.
    pub(crate) fn new(distributor: Mmio, interface: Mmio) -> GicV2 {
        let gic = GicV2 {
            distributor,
            interface,
        };
        distributor.write(GICD_CTLR, 0);
        let interrupts = PRIVATE * ((distributor.read(GICD_TYPER) & 0x1f) as usize + 1);
        let own_target = gic.own_target() as u32;
        for first in (PRIVATE..interrupts).step_by(32) {
            gic.forget(first);
        }
        for first in (PRIVATE..interrupts).step_by(4) {
            distributor.write(GICD_IPRIORITYR + first, u32::from_ne_bytes([PRIORITY; 4]));
            distributor.write(GICD_ITARGETSR + first, own_target * 0x0101_0101);
        }
        distributor.write(GICD_CTLR, ENABLE);
        gic.set_up_processor();
        gic
    }

    /// The bit of the running processor's interface: the banked registers of interrupts 0 to 3 name the reader itself. A controller
    /// with one interface has no such registers, they read as zero (GICv2 specification, 4.3.12); its interface is the first.
    pub(crate) fn own_target(&self) -> u64 {
        let named = u64::from(self.distributor.read(GICD_ITARGETSR) & 0xff);
        let last = self.distributor.read(GICD_TYPER) >> TYPER_LAST_INTERFACE & 7;
        if last == 0 { 1 } else { named }
    }

    /// Whether there is an interface for the running processor.
    pub(crate) fn serves_this_processor(&self) -> bool {
        self.own_target() != 0
    }

    /// Disables the 32 interrupts from `first` on; what another kernel, that loaded this one, left pending or active is over.
    fn forget(&self, first: usize) {
        for register in [GICD_ICENABLER, GICD_ICPENDR, GICD_ICACTIVER] {
            self.distributor.write(register + first / 8, u32::MAX);
        }
    }

    /// Sets up the running processor's private interrupts, disabled, and its interface.
    pub(crate) fn set_up_processor(&self) {
        self.forget(0);
        for first in (0..PRIVATE).step_by(4) {
            self.distributor
                .write(GICD_IPRIORITYR + first, u32::from_ne_bytes([PRIORITY; 4]));
        }
        self.interface.write(GICC_PMR, u32::from(PRIORITY_MASK));
        for at in 0..APRS {
            self.interface.write(GICC_APR + 4 * at, 0);
        }
        let kept = self.interface.read(GICC_CTLR) & BYPASS;
        self.interface.write(GICC_CTLR, kept | ENABLE);
    }

    pub(crate) fn enable(&self, interrupt: u32) {
        self.write_bit(GICD_ISENABLER, interrupt);
    }

    pub(crate) fn disable(&self, interrupt: u32) {
        self.write_bit(GICD_ICENABLER, interrupt);
    }

    /// Its maker and revision.
    pub(crate) fn identification(&self) -> u32 {
        self.distributor.read(GICD_IIDR)
    }

    pub(crate) fn raise(&self, interrupt: u32) {
        self.write_bit(GICD_ISPENDR, interrupt);
    }

    /// Writes the bit of `interrupt` in the registers from `first` on.
    fn write_bit(&self, first: usize, interrupt: u32) {
        let register = first + interrupt as usize / 32 * 4;
        self.distributor.write(register, 1 << (interrupt % 32));
    }

    /// Sends a software-generated interrupt to the processor of which `target` is the [`GicV2::own_target`].
    pub(crate) fn send(&self, interrupt: u32, target: u64) {
        self.distributor
            .write(GICD_SGIR, (target as u32) << SGIR_TARGETS | interrupt);
    }

    /// Reads IAR: the whole word is what [`GicV2::end`] wants back.
    #[inline]
    pub(crate) fn acknowledge(&self) -> u32 {
        self.interface.read(GICC_IAR)
    }

    #[inline]
    pub(crate) fn end(&self, acknowledged: u32) {
        self.interface.write(GICC_EOIR, acknowledged);
    }
}
