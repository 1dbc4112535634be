//! Exceptions of the kernel: a fault on user memory goes on at its landing (`fixup.rs`), one that is true no more is tried again,
//! anything else is the end.

use super::{after_exception, backtrace, end, names};
use crate::layout::is_below_a_stack;
use crate::trap::{self, Abort, Syndrome, SyndromeValue};
use crate::{arch, cpu};
use core::fmt::{self, Result, Write};
use core::sync::atomic::{AtomicU64, Ordering};
use mm::VirtAddr;

/// The registers at an exception of the kernel, as the vectors store them (arch/vectors.s).
#[repr(C)]
pub(super) struct KernelFrame {
    x: [u64; 31],
    sp: u64,
    pc: u64,
    pstate: u64,
    esr: u64,
    far: u64,
}

/// Why the vectors call; the numbers are theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind(u64);

const SYNCHRONOUS: Kind = Kind(0);
const SYSTEM_ERROR: Kind = Kind(3);
/// The vectors found the stack pointer outside of all stacks ...
const STACK_OVERFLOW: Kind = Kind(6);
/// ... and not even where one is that ran over.
const NO_STACK: Kind = Kind(7);

impl Kind {
    fn name(self) -> &'static str {
        match self.0 {
            0 => "synchronous exception",
            1 => "interrupt while interrupts are masked",
            2 => "fast interrupt, which nobody uses",
            3 => "SError: imprecise, what is shown below came later than its cause",
            4 => "exception on SP_EL0, which the kernel never uses",
            5 => "exception from AArch32, which nobody runs",
            6 => "kernel stack overflow",
            _ => "the stack pointer points nowhere",
        }
    }
}

/// Faults of the kernel that were true no more when the MMU was asked.
static SPURIOUS: AtomicU64 = AtomicU64::new(0);

/// How many faults of the kernel on its own memory were over when they were looked at.
pub fn spurious_faults() -> u64 {
    SPURIOUS.load(Ordering::Relaxed)
}

/// What the processor and its L2 cache say of errors in their memories, behind a comma; nothing where they have no such registers.
#[derive(Clone, Copy, Debug)]
pub struct MemoryErrors;

impl fmt::Display for MemoryErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> Result {
        match arch::memory_errors() {
            Some([cpu, l2]) => write!(f, ", CPUMERRSR_EL1 {cpu:#018x}, L2MERRSR_EL1 {l2:#018x}"),
            None => Ok(()),
        }
    }
}

/// Called by the vectors for each exception of the kernel. Returns only when the kernel goes on at `frame.pc`.
#[unsafe(no_mangle)]
extern "C" fn handle_kernel_exception(frame: &mut KernelFrame, kind: u64) {
    let kind = Kind(kind);
    if kind == SYNCHRONOUS && is_spurious(frame) {
        SPURIOUS.fetch_add(1, Ordering::Relaxed);
        return;
    }
    if kind == SYNCHRONOUS
        && is_user_data_abort(frame)
        && let Some(landing) = super::fixup::landing(frame.pc as usize)
    {
        frame.pc = landing as u64;
        return;
    }
    end(after_exception(), |out| report(out, frame, kind))
}

/// Whether a load or store of the kernel failed at an address of the user half.
fn is_user_data_abort(frame: &KernelFrame) -> bool {
    let syndrome = SyndromeValue::new(frame.esr);
    syndrome.matches_all(Syndrome::CLASS::DataAbortKernel) && VirtAddr(frame.far).is_user()
}

/// Whether the address that failed is mapped by now. FAR and the tables are the same as at the fault: nothing came in between.
fn is_spurious(frame: &KernelFrame) -> bool {
    trap::may_be_spurious(frame.esr, frame.far) && arch::is_mapped(frame.far)
}

fn report(out: &mut impl Write, frame: &KernelFrame, kind: Kind) -> Result {
    // The vectors looked at where the frame would have been.
    let no_place = (frame.sp as usize).wrapping_sub(size_of::<KernelFrame>());
    let kind = if kind == STACK_OVERFLOW && !is_below_a_stack(no_place) {
        NO_STACK
    } else {
        kind
    };
    writeln!(
        out,
        "\n*** kernel exception on cpu {}: {}",
        cpu::number(),
        kind.name()
    )?;
    print_syndrome(out, frame, kind)?;
    write!(out, "ELR ")?;
    backtrace::line(out, frame.pc as usize)?;
    // A function that calls no other has no frame: who called it is in x30 alone.
    write!(out, "LR  ")?;
    backtrace::line(out, frame.x[30] as usize)?;
    writeln!(out, "SPSR  {:#010x}   SP {:#018x}", frame.pstate, frame.sp)?;
    for (number, value) in frame.x.iter().enumerate() {
        let separator = if number % 4 == 3 || number == 30 {
            '\n'
        } else {
            ' '
        };
        write!(out, "x{number:<2} {value:#018x}{separator}")?;
    }
    backtrace::print(out, frame.x[29] as usize)
}

fn print_syndrome(out: &mut impl Write, frame: &KernelFrame, kind: Kind) -> Result {
    let syndrome = SyndromeValue::new(frame.esr);
    writeln!(out, "ESR   {:#010x}   {}", frame.esr, names::class(frame.esr))?;
    if kind == SYSTEM_ERROR {
        return writeln!(out, "      nothing more is known of it{MemoryErrors}");
    }
    let is_abort = syndrome.matches_any(&[
        Syndrome::CLASS::DataAbortKernel,
        Syndrome::CLASS::InstructionAbortKernel,
    ]);
    if is_abort {
        let abort = Abort::decode(frame.esr, frame.far);
        writeln!(
            out,
            "      {:?} of {:#x}: {}",
            abort.access,
            frame.far,
            names::fault_status(frame.esr)
        )?;
    }
    writeln!(out, "FAR   {:#018x}", frame.far)
}
