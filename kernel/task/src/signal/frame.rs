//! The stack frame of a signal handler, and the return from it: `struct rt_sigframe` as Linux/arm64 lays it out
//! (`arch/arm64/kernel/signal.c`). From the top of the stack downwards: a frame record for unwinders, then the frame.
//!
//! Only the used part of the 4 KiB for further records is written: the FP registers, the syndrome of a fault, and the mark of
//! the end.

use super::send::set_default;
use super::{force, set_mask};
use crate::thread::{Thread, ThreadExt};
use crate::vdso::RT_SIGRETURN;
use abi::Errno;
use abi::signal::frame::{FrameRecord, RecordsError, WrittenFrame, find_fpsimd};
use abi::signal::info::{SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL};
use abi::signal::{FpsimdContext, RtSigFrame, SaFlags, SigAction, SigInfo, SigSet, Signal, SsFlags, StackT};
use abi::zerocopy::{FromBytes, FromZeros, IntoBytes};
use alloc::sync::Arc;
use core::mem::{offset_of, size_of};
use core::sync::atomic::Ordering;
use mm::{PageRange, USER_END, VirtAddr};
use platform::user::{self, Pstate, UserContext};

/// Mode, execution state and the masks D, A, I, F in PSTATE: all 0 at EL0.
const PSTATE_MODE: u64 = 0x3df;

/// Lays the frame on the stack and sets the registers so that the thread goes on in the handler.
///
/// # Errors
/// `EFAULT`: the stack cannot be written; nothing has changed then.
pub fn push(
    thread: &Arc<Thread>,
    context: &mut UserContext,
    signal: Signal,
    info: &SigInfo,
    action: &SigAction,
) -> Result<(), Errno> {
    let stack = thread.signals().stack();
    let top = stack_top(&stack, context, action);
    let record_at = top.wrapping_sub(size_of::<FrameRecord>() as u64) & !15;
    let frame_at = record_at.wrapping_sub(size_of::<RtSigFrame>() as u64) & !15;
    if is_overflow(&stack, context.sp, frame_at) {
        return Err(Errno::EFAULT);
    }
    let mut frame = WrittenFrame::new_zeroed();
    describe(&mut frame, thread, context, info, action);
    frame.stack = stack;
    uaccess::write_value(
        record_at,
        &FrameRecord {
            fp: context.x[29],
            lr: context.x[30],
        },
    )?;
    uaccess::write_bytes(frame_at, frame.used())?;
    thread.signals().forget_outer_mask();
    block_during_handler(thread, signal, action);
    if stack.flags.contains(SsFlags::SS_AUTODISARM) {
        thread.signals().set_stack(DISARMED);
    }
    context.x[0] = signal.number().into();
    context.x[1] = frame_at + offset_of!(RtSigFrame, info) as u64;
    context.x[2] = frame_at + offset_of!(RtSigFrame, ucontext) as u64;
    context.x[29] = record_at;
    context.x[30] = if action.flags.contains(SaFlags::SA_RESTORER) {
        action.restorer
    } else {
        RT_SIGRETURN
    };
    context.sp = frame_at;
    context.pc = action.handler;
    context.pstate = Pstate::default();
    Ok(())
}

/// No alternate stack: also what a handler has while it runs on one that disarms itself (`SS_AUTODISARM`), until the frame
/// brings that back.
pub const DISARMED: StackT = StackT {
    sp: 0,
    flags: SsFlags::SS_DISABLE,
    pad: 0,
    size: 0,
};

/// Where the frame begins: below the interrupted code's stack, or at the top of the alternate one.
fn stack_top(stack: &StackT, context: &UserContext, action: &SigAction) -> u64 {
    let is_wanted = action.flags.contains(SaFlags::SA_ONSTACK) && stack.size != 0;
    if is_wanted && !is_on_stack(stack, context.sp) {
        stack.sp.wrapping_add(stack.size)
    } else {
        context.sp
    }
}

/// Whether `sp` lies on the alternate stack. One that is disarmed while in use counts as free.
pub fn is_on_stack(stack: &StackT, sp: u64) -> bool {
    let is_inside = sp > stack.sp && sp - stack.sp <= stack.size;
    is_inside && !stack.flags.contains(SsFlags::SS_AUTODISARM)
}

/// What sigaltstack(2) says about it to code that runs at `sp`.
pub fn shown_stack(stack: &StackT, sp: u64) -> StackT {
    let state = match stack.size {
        0 => SsFlags::SS_DISABLE,
        _ if is_on_stack(stack, sp) => SsFlags::SS_ONSTACK,
        _ => SsFlags::empty(),
    };
    StackT {
        flags: state | stack.flags & SsFlags::SS_AUTODISARM,
        ..*stack
    }
}

/// A handler on the alternate stack must not grow out of it into what lies below.
fn is_overflow(stack: &StackT, sp: u64, frame_at: u64) -> bool {
    is_on_stack(stack, sp) && !is_on_stack(stack, frame_at)
}

/// What the frame says: why, and everything that [`restore`] needs but the alternate stack.
fn describe(
    frame: &mut WrittenFrame,
    thread: &Thread,
    context: &UserContext,
    info: &SigInfo,
    action: &SigAction,
) {
    frame.info = *info;
    if is_fault(info) {
        describe_fault(frame, thread, action);
    }
    frame.sigmask = thread.signals().outer_mask();
    frame.regs = context.x;
    frame.sp = context.sp;
    frame.pc = context.pc;
    frame.pstate = context.pstate.flags();
    let floating = &mut frame.fpsimd;
    floating.head = FpsimdContext::HEAD;
    (floating.fpsr, floating.fpcr) = user::take_vectors(&mut floating.vregs);
}

/// The syndrome of an access that failed, by which sanitizers tell loads from stores, and its address. The tag byte of a user
/// address is no part of it, and only who asks for it sees it (sigaction(2), `SA_EXPOSE_TAGBITS`).
#[cold]
fn describe_fault(frame: &mut WrittenFrame, thread: &Thread, action: &SigAction) {
    let syndrome = thread.signals().syndrome.swap(0, Ordering::Relaxed);
    let address = VirtAddr(frame.info.address()).untagged().0;
    if syndrome != 0 {
        frame.fault_address = address;
        frame.set_syndrome(syndrome);
    }
    let is_address_whole = frame.info.signo == i32::from(Signal::SIGTRAP.number());
    if !action.flags.contains(SaFlags::SA_EXPOSE_TAGBITS) && !is_address_whole {
        frame.info.set_address(address);
    }
}

fn block_during_handler(thread: &Thread, signal: Signal, action: &SigAction) {
    let blocked = thread.signals().mask().union(action.mask);
    let blocked = if action.flags.contains(SaFlags::SA_NODEFER) {
        blocked
    } else {
        blocked.with(signal)
    };
    set_mask(thread, blocked);
}

/// The frame could not be written: SIGSEGV, which ends the process if that is the signal that found no stack.
pub fn end_for_bad_stack(thread: &Arc<Thread>, signal: Signal) {
    if signal == Signal::SIGSEGV {
        set_default(thread, signal);
    }
    force(thread, SigInfo::new(Signal::SIGSEGV, SI_KERNEL));
}

/// rt_sigreturn(2): goes back to what the frame at SP describes. A frame that cannot be read, that no kernel wrote, or that
/// would leave EL0, is answered by SIGSEGV.
pub fn restore(thread: &Arc<Thread>, context: &mut UserContext) {
    let sp = context.sp;
    if try_restore(thread, context).is_err() {
        force(
            thread,
            SigInfo::fault(Signal::SIGSEGV, bad_frame_code(thread, sp), sp),
        );
    }
}

/// As Linux: `SEGV_ACCERR` unless nothing is mapped at SP nor above it.
#[cold]
fn bad_frame_code(thread: &Thread, sp: u64) -> i32 {
    let sp = VirtAddr(sp).untagged();
    let is_below_something = sp.is_user()
        && thread.process().with_space(|space| {
            let above = PageRange::new(sp.page_start(), USER_END - sp.page_start().0);
            above.is_some_and(|above| !space.areas().is_free(above))
        }) == Some(true);
    if is_below_something {
        SEGV_ACCERR
    } else {
        SEGV_MAPERR
    }
}

fn try_restore(thread: &Thread, context: &mut UserContext) -> Result<(), Errno> {
    if !context.sp.is_multiple_of(16) {
        return Err(Errno::EFAULT);
    }
    let mut frame = WrittenFrame::new_zeroed();
    uaccess::read_bytes(context.sp, frame.as_mut_bytes())?;
    if frame.pstate & PSTATE_MODE != 0 {
        return Err(Errno::EINVAL);
    }
    match find_fpsimd(&frame.as_bytes()[WrittenFrame::RECORDS_AT..]) {
        Ok(0) => {}
        Ok(_) | Err(RecordsError::Short) => frame.fpsimd = search_records(context.sp)?,
        Err(RecordsError::Bad) => return Err(Errno::EINVAL),
    }
    let floating = &frame.fpsimd;
    user::put_vectors(&floating.vregs, floating.fpsr, floating.fpcr);
    context.x = frame.regs;
    context.sp = frame.sp;
    context.pc = frame.pc;
    context.pstate = Pstate::with_flags(frame.pstate);
    // What the handler's mask held back may be delivered now.
    set_mask(thread, frame.sigmask);
    restore_stack(thread, context.sp, frame.stack);
    Ok(())
}

/// The FP registers from a frame whose records the program has rearranged.
#[cold]
fn search_records(frame_at: u64) -> Result<FpsimdContext, Errno> {
    let mut frame = memory::try_list::<u8>(size_of::<RtSigFrame>())?;
    uaccess::read_bytes(frame_at, &mut frame)?;
    let records = &frame[WrittenFrame::RECORDS_AT..];
    let at = find_fpsimd(records).map_err(|_| Errno::EINVAL)?;
    FpsimdContext::read_from_prefix(&records[at..])
        .map(|(record, _)| record)
        .map_err(|_| Errno::EINVAL)
}

/// The alternate stack of the interrupted code; a frame that asks for one that cannot be is not an error (Linux too).
fn restore_stack(thread: &Thread, sp: u64, stack: StackT) {
    let present = thread.signals().stack();
    if present != stack
        && !is_on_stack(&present, sp)
        && let Ok(stack) = super::checked_stack(stack)
    {
        thread.signals().set_stack(stack);
    }
}

/// Whether an instruction caused the signal.
fn is_fault(info: &SigInfo) -> bool {
    let is_synchronous =
        Signal::new(info.signo as u64).is_some_and(|signal| SigSet::SYNCHRONOUS.contains(signal));
    is_synchronous && info.code > 0 && info.code != SI_KERNEL
}
