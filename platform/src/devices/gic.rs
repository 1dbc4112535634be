//! The interrupt controller, of either version.

use super::gic_v2::GicV2;
use super::gic_v3::{self, GicV3};
use crate::cpu::{self, MAX_CPUS, PerCpu};
use core::sync::atomic::{AtomicU64, Ordering};
use mm::Event;
use spin::Once;

/// All interrupts have the same priority: none preempts another.
pub(super) const PRIORITY: u8 = 0xa0;
/// Lets that priority through, in the secure as in the non-secure view.
pub(super) const PRIORITY_MASK: u8 = 0xf0;
/// From this number on IAR means "none", or is not for us.
const SPECIAL: u32 = 1020;
/// Interrupt number in IAR; a GICv2 has the sender of an SGI above it, a GICv3 longer numbers only for LPIs (not used).
const NUMBER: u32 = 0x3ff;

pub(crate) enum Gic {
    V2(GicV2),
    V3(GicV3),
}

static GIC: Once<Gic> = Once::new();
/// How each processor is named as the target of a software-generated interrupt, by processor number; each version has its own
/// words for it.
static TARGETS: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(0) }; MAX_CPUS]);

/// Makes `gic`, which is set up, the one of this machine.
pub(crate) fn install(gic: impl FnOnce() -> Gic) {
    name_this_processor(GIC.call_once(gic));
}

/// Lets `interrupt` through, to the running processor if it is a private one, else to the boot processor.
pub(crate) fn enable(interrupt: u32) {
    match GIC.get() {
        Some(Gic::V2(gic)) => gic.enable(interrupt),
        Some(Gic::V3(gic)) => gic.enable(interrupt),
        None => {}
    }
}

/// Keeps `interrupt` back where [`enable`] let it through.
pub(crate) fn disable(interrupt: u32) {
    match GIC.get() {
        Some(Gic::V2(gic)) => gic.disable(interrupt),
        Some(Gic::V3(gic)) => gic.disable(interrupt),
        None => {}
    }
}

/// Makes the shared `interrupt` pending, as if its device raised it once more.
pub(crate) fn raise(interrupt: u32) {
    match GIC.get() {
        Some(Gic::V2(gic)) => gic.raise(interrupt),
        Some(Gic::V3(gic)) => gic.raise(interrupt),
        None => {}
    }
}

/// The controller's version, and what its distributor says of its maker: GICD_IIDR.
pub(crate) fn identification() -> Option<(u32, u32)> {
    GIC.get().map(|gic| match gic {
        Gic::V2(gic) => (2, gic.identification()),
        Gic::V3(gic) => (3, gic.identification()),
    })
}

/// Whether the controller has a part for the running processor.
pub(crate) fn serves_this_processor() -> bool {
    match GIC.get() {
        Some(Gic::V2(gic)) => gic.serves_this_processor(),
        Some(Gic::V3(gic)) => gic.serves_this_processor(),
        None => false,
    }
}

/// Sets up the part that each processor has for itself, for the running one.
pub(crate) fn set_up_processor() {
    let Some(gic) = GIC.get() else { return };
    match gic {
        Gic::V2(gic) => gic.set_up_processor(),
        Gic::V3(gic) => gic.set_up_processor(),
    }
    name_this_processor(gic);
}

fn name_this_processor(gic: &Gic) {
    let target = match gic {
        Gic::V2(gic) => gic.own_target(),
        Gic::V3(_) => gic_v3::own_target(),
    };
    TARGETS.get().store(target, Ordering::Relaxed);
}

/// Sends a software-generated interrupt to processor `cpu`, which has passed [`set_up_processor`]; it finds there what was
/// stored before.
pub(crate) fn send(interrupt: u32, cpu: usize) {
    // An interrupt overtakes stores that are on their way.
    crate::arch::dsb_ishst();
    cpu::counters().count(Event::Barrier);
    let target = TARGETS.of(cpu).load(Ordering::Relaxed);
    match GIC.get() {
        Some(Gic::V2(gic)) => gic.send(interrupt, target),
        Some(Gic::V3(_)) => gic_v3::send(interrupt, target),
        None => {}
    }
}

/// Takes the pending interrupt, which [`end`] ends: what IAR said. `None` when nothing is pending.
#[inline]
pub(crate) fn acknowledge() -> Option<u32> {
    // Read once; the same value goes back (platform/README.md, rule 16).
    let acknowledged = match GIC.get()? {
        Gic::V2(gic) => gic.acknowledge(),
        Gic::V3(gic) => gic.acknowledge(),
    };
    (number(acknowledged) < SPECIAL).then_some(acknowledged)
}

/// The number of the interrupt that was taken.
#[inline]
pub(crate) fn number(acknowledged: u32) -> u32 {
    acknowledged & NUMBER
}

/// Ends the interrupt that was taken.
#[inline]
pub(crate) fn end(acknowledged: u32) {
    // The device must have let go of its line before the interrupt ends.
    crate::arch::dsb_sy();
    cpu::counters().count(Event::Barrier);
    match GIC.get() {
        Some(Gic::V2(gic)) => gic.end(acknowledged),
        Some(Gic::V3(gic)) => gic.end(acknowledged),
        None => {}
    }
}
