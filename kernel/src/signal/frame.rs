//! The stack frame of a signal handler, and the return from it: `struct rt_sigframe` as Linux/arm64 lays it out
//! (`arch/arm64/kernel/signal.c`). From the top of the stack downwards: a frame record for unwinders, then the frame.
//!
//! Only the used part of the 4 KiB for further records is written: the FP registers and the mark of the end.

use super::{TRAMPOLINE, force, set_action, set_mask};
use crate::thread::Thread;
use crate::user_memory;
use abi::Errno;
use abi::signal::frame::FrameRecord;
use abi::signal::info::{SEGV_MAPERR, SI_KERNEL};
use abi::signal::{
    FpsimdContext, RtSigFrame, SA_NODEFER, SA_ONSTACK, SA_RESTORER, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK,
    SigAction, SigContext, SigInfo, SigSet, Signal, StackT,
};
use abi::zerocopy::IntoBytes;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem::{offset_of, size_of};
use platform::user::UserContext;

/// The flags N, Z, C, V: all of PSTATE that a program may set by a frame (Arm ARM C5.2.19).
const PSTATE_FLAGS: u64 = 0xf000_0000;

/// The mode and execution state in PSTATE: 0 is EL0, AArch64.
const PSTATE_MODE: u64 = 0x1f;

/// Bytes of the frame that are written: up to the FP record, and 16 zeros that end the list.
const USED: usize = offset_of!(RtSigFrame, ucontext)
    + offset_of!(abi::signal::UContext, mcontext)
    + offset_of!(SigContext, reserved)
    + size_of::<FpsimdContext>()
    + 16;

/// Lays the frame on the stack and sets the registers so that the thread goes on in the handler. Fails with `EFAULT` if
/// the stack cannot be written; nothing has changed then.
pub fn push(
    thread: &Arc<Thread>,
    context: &mut UserContext,
    signal: Signal,
    info: &SigInfo,
    action: &SigAction,
) -> Result<(), Errno> {
    let record_at = (stack_top(thread, context, action).wrapping_sub(size_of::<FrameRecord>() as u64)) & !15;
    let frame_at = record_at.wrapping_sub(size_of::<RtSigFrame>() as u64) & !15;
    if is_overflow(&thread.signals.stack(), context.sp, frame_at) {
        return Err(Errno::EFAULT);
    }
    let frame = describe(thread, context, info);
    user_memory::write_value(
        record_at,
        &FrameRecord {
            fp: context.x[29],
            lr: context.x[30],
        },
    )?;
    user_memory::write_bytes(frame_at, &frame.as_bytes()[..USED])?;
    block_during_handler(thread, signal, action);
    disarm_stack(thread);
    context.x[0] = signal.number().into();
    context.x[1] = frame_at + offset_of!(RtSigFrame, info) as u64;
    context.x[2] = frame_at + offset_of!(RtSigFrame, ucontext) as u64;
    context.x[29] = record_at;
    context.x[30] = if action.flags & SA_RESTORER != 0 {
        action.restorer
    } else {
        TRAMPOLINE
    };
    context.sp = frame_at;
    context.pc = action.handler;
    context.pstate = 0;
    Ok(())
}

/// Where the frame begins: below the interrupted code's stack, or at the top of the alternate one.
fn stack_top(thread: &Thread, context: &UserContext, action: &SigAction) -> u64 {
    let stack = thread.signals.stack();
    let is_wanted = action.flags & SA_ONSTACK != 0 && stack.flags & SS_DISABLE == 0;
    if is_wanted && !is_on_stack(&stack, context.sp) {
        stack.sp.wrapping_add(stack.size)
    } else {
        context.sp
    }
}

/// Whether `sp` lies on the alternate stack. One that is disarmed while in use counts as free.
pub fn is_on_stack(stack: &StackT, sp: u64) -> bool {
    let is_inside = sp > stack.sp && sp - stack.sp <= stack.size;
    is_inside && stack.flags & (SS_DISABLE | SS_AUTODISARM) == 0
}

/// A handler on the alternate stack must not grow out of it into what lies below.
fn is_overflow(stack: &StackT, sp: u64, frame_at: u64) -> bool {
    is_on_stack(stack, sp) && !is_on_stack(stack, frame_at)
}

/// What the frame says: why, and everything that [`restore`] needs.
fn describe(thread: &Thread, context: &UserContext, info: &SigInfo) -> Box<RtSigFrame> {
    let mut frame = Box::<RtSigFrame>::default();
    frame.info = *info;
    let stack = thread.signals.stack();
    let in_use = if is_on_stack(&stack, context.sp) {
        SS_ONSTACK
    } else {
        0
    };
    frame.ucontext.stack = StackT {
        flags: stack.flags | in_use,
        ..stack
    };
    frame.ucontext.sigmask = thread.signals.take_outer_mask();
    let is_fault = is_synchronous(info) && info.code > 0 && info.code != SI_KERNEL;
    let machine = &mut frame.ucontext.mcontext;
    machine.fault_address = if is_fault { info.address() } else { 0 };
    machine.regs = context.x;
    machine.sp = context.sp;
    machine.pc = context.pc;
    machine.pstate = context.pstate;
    let mut registers = thread.registers.lock();
    registers.save();
    machine.set_records(
        &FpsimdContext::new(*registers.v(), registers.fpsr(), registers.fpcr()),
        None,
    );
    frame
}

fn block_during_handler(thread: &Thread, signal: Signal, action: &SigAction) {
    let blocked = thread.signals.mask().union(action.mask);
    let blocked = if action.flags & SA_NODEFER != 0 {
        blocked
    } else {
        blocked.with(signal)
    };
    set_mask(thread, blocked);
}

/// `SS_AUTODISARM`: the alternate stack is free again while a handler runs, and comes back from the frame.
fn disarm_stack(thread: &Thread) {
    if thread.signals.stack().flags & SS_AUTODISARM != 0 {
        thread.signals.set_stack(StackT {
            flags: SS_DISABLE,
            ..StackT::default()
        });
    }
}

/// The frame could not be written: SIGSEGV, which ends the process if that is the signal that found no stack.
pub fn end_for_bad_stack(thread: &Arc<Thread>, signal: Signal, sp: u64) {
    if signal == Signal::SIGSEGV {
        set_action(&thread.process, signal, SigAction::default());
    }
    force(thread, SigInfo::fault(Signal::SIGSEGV, SEGV_MAPERR, sp));
}

/// rt_sigreturn(2): goes back to what the frame at SP describes. A frame that cannot be read, or would leave EL0, is
/// answered by SIGSEGV.
pub fn restore(thread: &Arc<Thread>, context: &mut UserContext) {
    if try_restore(thread, context).is_err() {
        force(thread, SigInfo::fault(Signal::SIGSEGV, SEGV_MAPERR, context.sp));
    }
}

fn try_restore(thread: &Thread, context: &mut UserContext) -> Result<(), Errno> {
    if !context.sp.is_multiple_of(16) {
        return Err(Errno::EFAULT);
    }
    let mut frame = Box::<RtSigFrame>::default();
    user_memory::read_bytes(context.sp, &mut frame.as_mut_bytes()[..USED])?;
    let machine = &frame.ucontext.mcontext;
    if machine.pstate & PSTATE_MODE != 0 {
        return Err(Errno::EINVAL);
    }
    if machine.fpsimd().is_none() {
        user_memory::read_bytes(context.sp, frame.as_mut_bytes())?;
    }
    let machine = &frame.ucontext.mcontext;
    let floating = machine.fpsimd().ok_or(Errno::EINVAL)?;
    restore_floating_point(thread, &floating);
    context.x = machine.regs;
    context.sp = machine.sp;
    context.pc = machine.pc;
    context.pstate = machine.pstate & PSTATE_FLAGS;
    set_mask(thread, frame.ucontext.sigmask);
    // What the handler's mask held back may be delivered now.
    thread.call_attention();
    restore_stack(thread, context.sp, frame.ucontext.stack);
    Ok(())
}

/// The registers of a running thread are in the processor: the thread pointer among them stays as it is.
fn restore_floating_point(thread: &Thread, floating: &FpsimdContext) {
    let mut registers = thread.registers.lock();
    registers.save();
    *registers.v_mut() = floating.vregs;
    registers.set_fpsr(floating.fpsr);
    registers.set_fpcr(floating.fpcr);
    registers.restore();
}

/// The alternate stack of the interrupted code; a frame that asks for one that cannot be is not an error (Linux too).
fn restore_stack(thread: &Thread, sp: u64, stack: StackT) {
    if !is_on_stack(&thread.signals.stack(), sp) {
        thread.signals.set_stack(StackT {
            flags: stack.flags & !SS_ONSTACK,
            pad: 0,
            ..stack
        });
    }
}

fn is_synchronous(info: &SigInfo) -> bool {
    Signal::new(info.signo as u64).is_some_and(|signal| SigSet::SYNCHRONOUS.contains(signal))
}
