//! The life of a thread: run the program, look at why it came back, serve that, repeat. The stories of kernel/README.md come
//! by here.
//!
//! * Story 1, a store to a shared page: [`Trap::Abort`] -> [`serve_abort`] -> `mm::fault` (where everything about it is
//!   decided) -> back to the same instruction.
//! * Story 2, fork: `user::run` -> `syscall::call` -> `syscall::clone` -> `mm::fork` -> the process table -> the run
//!   queue.
//! * Story 3, a key press: [`Trap::Interrupt`] -> the scheduler's interrupts -> the terminal.

use abi::Errno;
use abi::capability::{CAP_PERFMON, CAP_SYS_ADMIN};
use abi::signal::info::{
    BUS_ADRALN, BUS_ADRERR, BUS_OBJERR, FPE_FLTINV, ILL_ILLOPC, ILL_PRVOPC, SEGV_ACCERR, SEGV_MAPERR,
    SI_KERNEL, TRAP_BRKPT, TRAP_TRACE,
};
use abi::signal::{SigInfo, Signal};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use mm::{Refusal, SegvCode};
use platform::board::Counter;
use platform::timer;
use platform::user::{self, Abort, AbortCause, Trap, UserContext, UserStart};
use sched::deferred_free;
use sched::scheduler;
use task::core_dump;
use task::process;
use task::rseq;
use task::signal::{self, Restart};
use task::thread::{Thread, ThreadExt};

/// Where every thread's kernel stack begins.
pub fn start(start: &mut UserStart) {
    let thread = scheduler::current();
    start.registers.restore();
    store_id(&thread);
    run(&thread, &mut start.context);
    // Many that end at once follow each other without going back to their programs.
    scheduler::cond_resched();
    core_dump::leave_registers(&thread, &start.context);
    process::end_current(thread);
    scheduler::leave()
}

/// The thread is in its memory now: its thread library finds its id there. A bad address is the program's loss, as on Linux.
#[inline]
fn store_id(thread: &Thread) {
    let place = thread.id_place().load(Ordering::Relaxed);
    if place != 0 {
        let _ = uaccess::write_bytes(place, &thread.tid().to_le_bytes());
    }
}

/// Runs the thread until it is to end. Small, for what it keeps in registers is saved and loaded at each trap: calls are functions
/// of a table.
#[inline(never)]
fn run(thread: &Arc<Thread>, mut context: &mut UserContext) {
    loop {
        if thread.has_pending_work() && is_over(thread, context, None) {
            return;
        }
        thread.scheduling.enter_user(timer::ticks_unordered());
        let exception;
        (exception, context) = user::run(context);
        thread.scheduling.leave_user(timer::ticks_unordered());
        if exception.is_system_call() {
            let interrupted = thread.with_injected_fault(|| syscall::call(thread, context));
            if interrupted.is_some() && is_over(thread, context, interrupted) {
                return;
            }
        } else {
            serve(thread, context, exception.decode());
        }
    }
}

/// Looks at what pends for the thread; whether it is to end. Apart, so that the path of all others needs few registers.
#[cold]
#[inline(never)]
fn is_over(thread: &Arc<Thread>, context: &mut UserContext, interrupted: Option<Errno>) -> bool {
    let mut restart = interrupted.map(|reason| Restart {
        first_argument: context.x[0],
        reason,
    });
    // What was dropped from here on calls again.
    deferred_free::release();
    if thread.is_traced() {
        trace::look(thread, context);
    }
    loop {
        signal::deliver(thread, context, restart.take());
        if !thread.has_new_turn() || thread.is_ending() {
            break;
        }
        rseq::restart(thread, context);
    }
    if thread.is_traced() {
        come_by_again(thread);
    }
    thread.is_ending()
}

/// A traced thread comes by here before each return to EL0.
fn come_by_again(thread: &Arc<Thread>) {
    if thread.is_ending() {
        trace::note_end(thread);
    } else {
        thread.set_pending_work();
    }
}

/// Serves what is no system call.
#[inline]
fn serve(thread: &Arc<Thread>, context: &mut UserContext, trap: Trap) {
    match trap {
        Trap::Abort(abort) => serve_abort(thread, &abort),
        Trap::Interrupt => scheduler::serve_interrupts(thread),
        Trap::ClosedVectors => user::open_vectors(),
        Trap::WaitForEvent => wait_for_event(thread, context),
        Trap::TrappedRegister { esr } => use_register(thread, context, esr),
        fault => fault_signal(thread, context, fault),
    }
}

/// The program waits for whatever comes next. Nothing may come for long, for the timer is silent unless somebody needs it: so it
/// only lets others go first (WFI and WFE may end for no reason: Arm ARM D1.7, "Wait for Interrupt").
#[cold]
#[inline(never)]
fn wait_for_event(thread: &Arc<Thread>, context: &mut UserContext) {
    context.pc = context.pc.wrapping_add(4);
    thread.note_new_turn();
    scheduler::yield_now(thread);
}

/// The program uses a register that EL0 may not: its mistake, unless it reads a counter of its processor and may know what others
/// do there, too (`perfmon_capable` of Linux).
#[cold]
#[inline(never)]
fn use_register(thread: &Arc<Thread>, context: &mut UserContext, esr: u64) {
    let who = thread.process().credentials();
    match Counter::decode(esr) {
        Some((counter, register)) if who.can(CAP_PERFMON) || who.can(CAP_SYS_ADMIN) => {
            if let Some(register) = context.x.get_mut(register) {
                *register = counter.read();
            }
            context.pc = context.pc.wrapping_add(4);
        }
        _ => force_signal(thread, Signal::SIGILL, ILL_PRVOPC, context.pc),
    }
}

/// An access that the tables do not allow: made possible if the areas allow it, else the program's mistake.
fn serve_abort(thread: &Arc<Thread>, abort: &Abort) {
    let address = abort.address.untagged();
    let is_mapping_fault = match abort.cause {
        AbortCause::Translation | AbortCause::Permission | AbortCause::AccessFlag => address.is_user(),
        AbortCause::Alignment => return refuse(thread, abort, Signal::SIGBUS, BUS_ADRALN),
        AbortCause::External | AbortCause::Other(_) => {
            return refuse(thread, abort, Signal::SIGBUS, BUS_OBJERR);
        }
        AbortCause::AddressSize => false,
    };
    if !is_mapping_fault {
        return refuse(thread, abort, Signal::SIGSEGV, SEGV_MAPERR);
    }
    thread.note(abort.syndrome, address.0);
    match uaccess::handle_fault(thread.task(), thread, address, abort.access) {
        Some(Ok(())) | None => {}
        Some(Err(Refusal::Denied(SegvCode::MapErr))) => refuse(thread, abort, Signal::SIGSEGV, SEGV_MAPERR),
        Some(Err(Refusal::Denied(SegvCode::AccErr))) => refuse(thread, abort, Signal::SIGSEGV, SEGV_ACCERR),
        Some(Err(Refusal::BusError)) => refuse(thread, abort, Signal::SIGBUS, BUS_ADRERR),
        Some(Err(Refusal::NoMemory)) => process::oom_kill(thread.process()),
    }
}

/// Tells the program that its access failed. Not inlined: the table of actions may lie on its stack, and is not to take room on that
/// of every call.
#[cold]
#[inline(never)]
fn refuse(thread: &Arc<Thread>, abort: &Abort, signal: Signal, code: i32) {
    thread.signals().keep_syndrome(abort.shown_syndrome());
    signal::force(thread, SigInfo::fault(signal, code, abort.address.0));
}

/// Sends the signal for an exception that is neither a call nor an access to memory. Not inlined, as [`refuse`].
#[cold]
#[inline(never)]
fn fault_signal(thread: &Arc<Thread>, context: &UserContext, trap: Trap) {
    let (signal, code, address) = match trap {
        Trap::IllegalInstruction => (Signal::SIGILL, ILL_ILLOPC, context.pc),
        Trap::PcAlignment => (Signal::SIGBUS, BUS_ADRALN, context.pc),
        Trap::SpAlignment => (Signal::SIGBUS, BUS_ADRALN, context.sp),
        Trap::Breakpoint => (Signal::SIGTRAP, TRAP_BRKPT, context.pc),
        Trap::SingleStep => (Signal::SIGTRAP, TRAP_TRACE, context.pc),
        Trap::FloatingPoint => (Signal::SIGFPE, FPE_FLTINV, context.pc),
        // It may be the kernel's own, come late: what memory holds cannot be trusted any more (`arm64_serror_panic` of Linux).
        Trap::SystemError { esr } => panic!(
            "SError while {} ran, esr {esr:#x}{}",
            thread.name(),
            platform::crash::MemoryErrors
        ),
        Trap::Unknown { esr } => {
            klog::error!("{}: unknown exception, esr {esr:#x}", thread.name());
            (Signal::SIGILL, SI_KERNEL, context.pc)
        }
        Trap::Abort(_)
        | Trap::Interrupt
        | Trap::WaitForEvent
        | Trap::ClosedVectors
        | Trap::TrappedRegister { .. } => return,
    };
    force_signal(thread, signal, code, address);
}

#[cold]
fn force_signal(thread: &Arc<Thread>, signal: Signal, code: i32, address: u64) {
    thread.signals().keep_syndrome(0);
    signal::force(thread, SigInfo::fault(signal, code, address));
}
