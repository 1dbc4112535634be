//! What happens to pending signals on the way back to EL0: ignored, the default action, or a handler; and what becomes of
//! the system call that they interrupted.

use super::stop::Continues;
use super::{frame, is_ignoring, restore_mask};
use crate::core_dump;
use crate::process::{self, INIT};
use crate::rseq;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::process::WaitStatus;
use abi::signal::{DefaultAction, SIG_DFL, SaFlags, SigAction, SigInfo, SigSet, Signal};
use alloc::sync::Arc;
use platform::user::UserContext;

/// A system call that a signal interrupted before it had an effect.
#[derive(Clone, Copy, Debug)]
pub struct Restart {
    /// x0 as the program gave it: the call's result has taken its place.
    pub first_argument: u64,
    /// [`Errno::RESTART`], [`Errno::RESTART_NO_HANDLER`] or [`Errno::RESTART_ALWAYS`].
    pub reason: Errno,
}

/// Deals with everything that pends for the thread. `restart`: the system call that was interrupted. On return the thread
/// goes to EL0, unless it is to end (`Thread::is_ending`).
pub fn deliver(thread: &Arc<Thread>, context: &mut UserContext, mut restart: Option<Restart>) {
    loop {
        thread.take_pending_work();
        if thread.is_ending() {
            // For the sleeps on the way to its end.
            thread.set_pending_work();
            return;
        }
        let stop = &thread.process().signals.stop;
        if stop.is_requested() {
            thread.process().halt(thread);
            continue;
        }
        let known = stop.continues();
        let Some(info) = super::take_pending(thread, SigSet(!thread.signals().mask().0)) else {
            if restore_mask(thread) {
                continue;
            }
            break;
        };
        let Some(signal) = Signal::new(info.signo as u64) else {
            continue;
        };
        let action = thread.process().signals.use_action(signal);
        if is_ignoring(&action, signal) {
            continue;
        }
        if action.handler == SIG_DFL {
            act_by_default(thread, context, signal, &info, known);
        } else {
            settle_interrupted_call(thread, context, restart.take(), &action);
            enter_handler(thread, context, signal, &info, &action);
        }
    }
    if let Some(call) = restart {
        make_again(context, call);
    }
}

/// The instruction before PC is the SVC: x8 and the other arguments are as they were.
fn make_again(context: &mut UserContext, call: Restart) {
    context.x[0] = call.first_argument;
    context.pc = context.pc.wrapping_sub(4);
}

/// A handler is about to run: the call it interrupted is made again after it (`SA_RESTART`), or fails with `EINTR`.
fn settle_interrupted_call(
    thread: &Thread,
    context: &mut UserContext,
    call: Option<Restart>,
    action: &SigAction,
) {
    thread.forget_deadline();
    let Some(call) = call else { return };
    let is_made_again = match call.reason {
        Errno::RESTART_ALWAYS => true,
        Errno::RESTART => action.flags.contains(SaFlags::SA_RESTART),
        _ => false,
    };
    if is_made_again {
        make_again(context, call);
    } else {
        context.x[0] = Errno::EINTR.to_return();
    }
}

// Apart: what a frame for a handler needs is not to lie on the stack below a core dump.
#[inline(never)]
fn enter_handler(
    thread: &Arc<Thread>,
    context: &mut UserContext,
    signal: Signal,
    info: &SigInfo,
    action: &SigAction,
) {
    let left = rseq::leave(thread, context);
    let pushed = left.and_then(|()| frame::push(thread, context, signal, info, action));
    if pushed.is_err() {
        frame::end_for_bad_stack(thread, signal);
    }
}

/// The table in signal(7). The first process is ended by its own faults only: what it blocked when it was sent, and lets
/// in without a handler, comes to nothing.
fn act_by_default(
    thread: &Arc<Thread>,
    context: &UserContext,
    signal: Signal,
    info: &SigInfo,
    known: Continues,
) {
    let is_fault = signal.default_action() == DefaultAction::Core && info.code > 0;
    if thread.process().pid == INIT && !is_fault {
        return;
    }
    match signal.default_action() {
        DefaultAction::Ignore | DefaultAction::Continue => {}
        DefaultAction::Stop => stop_by(thread, signal, known),
        DefaultAction::Terminate => {
            thread.process().end(WaitStatus::Signaled {
                signal: signal.number(),
                core: false,
            });
        }
        DefaultAction::Core => end_by_fault(thread, context, signal, info),
    }
}

/// SIGTSTP, SIGTTIN and SIGTTOU do not stop a process that nobody could continue (setpgid(2)).
fn stop_by(thread: &Thread, signal: Signal, known: Continues) {
    let process = thread.process();
    if signal == Signal::SIGSTOP || !process::is_orphaned_group(process.group()) {
        process.request_stop(signal, known);
    }
}

/// Ends the process by a signal whose action is to dump core; the status says whether there is one.
#[inline(never)]
fn end_by_fault(thread: &Arc<Thread>, context: &UserContext, signal: Signal, info: &SigInfo) {
    let process = thread.process();
    if process.pid == INIT {
        klog::error!(
            "init: {} code {} at {:#x}",
            signal.name(),
            info.code,
            info.address()
        );
    }
    let core = core_dump::write(thread, context, signal, info);
    process.end(WaitStatus::Signaled {
        signal: signal.number(),
        core,
    });
}
