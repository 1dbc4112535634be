//! The other processors: started one after the other by the boot processor, when the kernel is ready for them, by what the
//! device tree says of each: PSCI, or the spin table of the Raspberry Pi's firmware.
//!
//! The new processor runs with its caches off at first. What it then reads is [`STARTS`], one row for each processor that was
//! ever asked for, written once and cleaned to memory: so one that comes late, when nobody waits any more, still finds what is
//! its own, and goes to sleep.

use crate::board::{self, selftest};
use crate::cpu::{self, CpuBlock, MAX_CPUS, MPIDR_AFFINITY};
use crate::devices::gic;
use crate::memory::{self, stacks};
use crate::{arch, boot, interrupt, power, timer};
use aarch64_cpu::registers::{Readable, TCR_EL1};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use formats::dtb::{Conduit, Cpu, EnableMethod, Machine};
use mm::PhysAddr;
use smccc::psci::error::Error as PsciError;
use smccc::{Hvc, Smc, psci};

/// How long a processor has to answer.
const PATIENCE_NANOS: u64 = 1_000_000_000;
/// Rows: as many processors as a [`Machine`] lists.
const ROWS: usize = 16;
/// No processor has this affinity: the row is free, and there are no further ones.
const NOBODY: u64 = u64::MAX;

/// What a processor reads before its MMU is on. head.s knows the order of the words.
#[repr(C, align(64))]
struct Starts {
    /// The final map.
    root: AtomicU64,
    unused: u64,
    rows: [Row; ROWS + 1],
}

/// Which [`Secondary`] a processor finds by its affinity.
#[repr(C)]
struct Row {
    affinity: AtomicU64,
    secondary: AtomicU64,
}

#[unsafe(export_name = "secondary_starts")]
static STARTS: Starts = Starts {
    root: AtomicU64::new(0),
    unused: 0,
    rows: [const {
        Row {
            affinity: AtomicU64::new(NOBODY),
            secondary: AtomicU64::new(0),
        }
    }; ROWS + 1],
};

/// A processor on its way. Never dropped: it may come at any time.
#[repr(C)]
struct Secondary {
    /// First, for head.s.
    block: CpuBlock,
    state: AtomicU8,
    entry: fn() -> !,
}

// What `Secondary::state` says.
/// Nobody came yet; the boot processor waits.
const AWAITED: u8 = 0;
/// It runs Rust.
const HERE: u8 = 1;
/// It is ready for the kernel.
const READY: u8 = 2;
/// It lacks what the kernel needs, and sleeps for ever.
const UNFIT: u8 = 3;
/// Nobody waits any more.
const GIVEN_UP: u8 = 4;

/// Why a processor does not run the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// There are more processors than [`MAX_CPUS`].
    TooMany,
    /// The device tree does not say, or not properly, how it is started.
    NoMethod,
    /// Its word of the spin table is not in RAM that the kernel may write.
    Unreachable,
    /// PSCI refused.
    Refused(PsciError),
    /// It did not come within a second.
    Silent,
    /// It lacks what the boot processor has.
    Unlike,
    /// There is no memory for its stacks.
    NoMemory,
}

/// A processor that does not run the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotStarted {
    /// Its affinity in MPIDR_EL1, as the device tree has it.
    pub affinity: u64,
    /// Why.
    pub obstacle: Obstacle,
}

/// Starts the other processors, `most` in all with this one; each calls `entry` on its own boot stack, with its interrupts
/// enabled at the controller and masked in the processor, no address space, and counted by [`cpu::count`]: some before this
/// returns. Returns those that should run and do not.
///
/// # Panics
/// When called by another processor than the first, or twice.
pub fn start_others(most: usize, entry: fn() -> !) -> Vec<NotStarted> {
    assert!(
        cpu::number() == 0 && STARTS.root.load(Ordering::Relaxed) == 0,
        "the boot processor starts the others, once"
    );
    STARTS.root.store(memory::kernel_root(), Ordering::Relaxed);
    selftest::alone();
    let machine = boot::machine();
    let own = cpu::affinity();
    let mut failures = Vec::new();
    let mut rows = STARTS.rows[..ROWS].iter();
    for described in others(machine, own) {
        let affinity = described.mpidr;
        let started = if cpu::count() >= most {
            break;
        } else if cpu::count() == MAX_CPUS {
            Err(Obstacle::TooMany)
        } else {
            let row = rows.next().ok_or(Obstacle::TooMany);
            row.and_then(|row| start(machine, described, row, entry))
        };
        match started {
            Ok(()) => {}
            Err(obstacle) => failures.push(NotStarted { affinity, obstacle }),
        }
    }
    failures
}

/// The processors besides this one, in the order of the tree, each once.
fn others(machine: &Machine, own: u64) -> impl Iterator<Item = &Cpu> {
    machine
        .cpus
        .iter()
        .enumerate()
        .filter_map(move |(at, described)| {
            let is_again = machine.cpus[..at]
                .iter()
                .any(|before| before.mpidr == described.mpidr);
            (described.mpidr != own && !is_again).then_some(described)
        })
}

/// Starts one processor, and waits until it is ready.
fn start(machine: &Machine, described: &Cpu, row: &Row, entry: fn() -> !) -> Result<(), Obstacle> {
    let release = Release::of(machine, described)?;
    let stack = stacks::take_for_processor().map_err(|_| Obstacle::NoMemory)?;
    let secondary = Box::leak(Box::new(Secondary {
        block: CpuBlock::new(cpu::count(), stack.emergency_top, stack.top),
        state: AtomicU8::new(AWAITED),
        entry,
    }));
    let address = (&raw const *secondary).expose_provenance() as u64;
    row.secondary.store(address, Ordering::Relaxed);
    row.affinity.store(described.mpidr, Ordering::Relaxed);
    arch::clean_and_invalidate((&raw const STARTS).addr(), size_of::<Starts>());
    let number = cpu::count();
    release.perform(described.mpidr)?;
    wait_for(secondary)?;
    selftest::with(number);
    Ok(())
}

/// How a processor is let go.
enum Release {
    Psci(Conduit),
    /// The word of the spin table, in the linear map.
    SpinTable(&'static AtomicU64),
}

impl Release {
    fn of(machine: &Machine, described: &Cpu) -> Result<Release, Obstacle> {
        if described.mpidr & !MPIDR_AFFINITY != 0 {
            return Err(Obstacle::NoMethod);
        }
        match described.enable {
            EnableMethod::Psci => machine.psci.map(Release::Psci).ok_or(Obstacle::NoMethod),
            EnableMethod::SpinTable { release_address } => {
                spin_table(release_address).map(Release::SpinTable)
            }
            EnableMethod::Unknown => Err(Obstacle::NoMethod),
        }
    }

    fn perform(self, affinity: u64) -> Result<(), Obstacle> {
        unsafe extern "C" {
            /// head.s; it takes no arguments, and nobody calls it here.
            fn secondary_entry();
        }
        let entry = boot::image_physical((secondary_entry as *const ()).addr());
        let answer = match self {
            Release::Psci(Conduit::Hvc) => psci::cpu_on::<Hvc>(affinity, entry, 0),
            Release::Psci(Conduit::Smc) => psci::cpu_on::<Smc>(affinity, entry, 0),
            Release::SpinTable(word) => {
                word.store(entry, Ordering::Relaxed);
                // The waiter reads past the caches.
                arch::clean_and_invalidate(core::ptr::from_ref(word).addr(), size_of::<u64>());
                arch::sev();
                Ok(())
            }
        };
        match answer {
            // Somebody else has asked for it, with our entry or another: it will come or not.
            Ok(()) | Err(PsciError::OnPending) => Ok(()),
            Err(error) => Err(Obstacle::Refused(error)),
        }
    }
}

/// The word at a physical address that the device tree names, if it is RAM that the kernel may write.
fn spin_table(physical: u64) -> Result<&'static AtomicU64, Obstacle> {
    let is_aligned = physical.is_multiple_of(size_of::<u64>() as u64);
    if !is_aligned || !memory::is_writable_ram(PhysAddr(physical)) {
        return Err(Obstacle::Unreachable);
    }
    let address = crate::layout::linear(PhysAddr(physical));
    // SAFETY: RAM in the linear map, writable and aligned; the firmware's, so that nobody has a reference to it, and the
    // spinning processor only reads.
    Ok(unsafe { &*core::ptr::with_exposed_provenance(address) })
}

/// Waits for a processor that was let go. One that arrives in the last moment is waited for as long as it takes: it runs our
/// own code by then.
fn wait_for(secondary: &Secondary) -> Result<(), Obstacle> {
    let end = timer::ticks().saturating_add(timer::nanos_to_ticks(PATIENCE_NANOS));
    loop {
        match secondary.state.load(Ordering::Acquire) {
            READY => return Ok(()),
            UNFIT => return Err(Obstacle::Unlike),
            AWAITED if timer::ticks() > end => {
                let gave_up = secondary.change(AWAITED, GIVEN_UP);
                if gave_up {
                    return Err(Obstacle::Silent);
                }
            }
            _ => arch::relax(),
        }
    }
}

impl Secondary {
    fn change(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// First Rust of another processor, called by head.s: at the link address, on its boot stack, the identity under TTBR0.
#[unsafe(no_mangle)]
extern "C" fn start_secondary(secondary: &'static Secondary) -> ! {
    secondary.block.adopt();
    // The identity's translations are global, in the half of programs: they go first.
    memory::deactivate();
    arch::tlbi_vmalle1();
    arch::dsb_nsh();
    arch::isb();
    if !secondary.change(AWAITED, HERE) {
        power::stop_here();
    }
    if !is_like_the_first() {
        secondary.state.store(UNFIT, Ordering::Release);
        power::stop_here();
    }
    arch::unmask_system_errors();
    board::apply_hardening();
    board::apply_counters();
    cpu::set_up();
    timer::set_up_processor();
    interrupt::set_up_processor();
    cpu::count_one_more();
    secondary.state.store(READY, Ordering::Release);
    selftest::serve();
    (secondary.entry)()
}

/// Whether this processor has what was checked, and chosen, on the boot processor.
fn is_like_the_first() -> bool {
    super::check_processor().is_ok()
        && TCR_EL1.get() == super::translation_control()
        && gic::serves_this_processor()
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "processor {:#x}: {}", self.affinity, self.obstacle)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::TooMany => write!(f, "there are more than the {MAX_CPUS} that this kernel can use"),
            Obstacle::NoMethod => f.write_str("the device tree does not say properly how it is started"),
            Obstacle::Unreachable => f.write_str("its spin table is not in memory that the kernel may write"),
            Obstacle::Refused(error) => write!(f, "the firmware refuses: {error}"),
            Obstacle::Silent => f.write_str("it does not answer"),
            Obstacle::Unlike => f.write_str("it lacks what the boot processor has"),
            Obstacle::NoMemory => f.write_str("there is no memory for its stacks"),
        }
    }
}
