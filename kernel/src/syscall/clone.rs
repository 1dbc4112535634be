//! clone(2), clone3(2): story 2. First all of the request is decoded and refused if need be, then everything that can fail
//! is made, then the child is put together, which cannot.

use crate::process::{self, Process, Space};
use crate::thread::Thread;
use crate::{memory, scheduler, user_memory};
use abi::Errno;
use abi::process::{
    CLONE_ARGS_SIZE_VER0, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_CLEAR_SIGHAND, CLONE_DETACHED,
    CLONE_FILES, CLONE_FS, CLONE_IO, CLONE_PARENT_SETTID, CLONE_PTRACE, CLONE_SETTLS, CLONE_SIGHAND,
    CLONE_SYSVSEM, CLONE_THREAD, CLONE_UNTRACED, CLONE_VFORK, CLONE_VM, CSIGNAL, CloneArgs, RLIMIT_NPROC,
};
use abi::signal::Signal;
use abi::zerocopy::IntoBytes;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use platform::user::{UserContext, UserRegisters};

/// What a new process is to be like.
struct Request {
    flags: u64,
    /// The signal to the parent at the end; 0 for none.
    exit_signal: u8,
    /// The child's stack pointer; 0: the parent's.
    stack: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
}

/// Flags that are done.
const DONE: u64 = CLONE_VM
    | CLONE_VFORK
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_CLEAR_SIGHAND;

/// Flags that make no difference here: there is no tracing, no System V semaphore and no input/output scheduling.
const WITHOUT_EFFECT: u64 = CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED | CLONE_SYSVSEM | CLONE_IO;

/// Flags that Linux knows and this kernel does not yet: threads, and processes that share more than memory.
const NOT_YET: u64 = CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES;

/// clone(2), with arm64's order of arguments.
pub fn clone(
    current: &Arc<Thread>,
    context: &UserContext,
    [flags, stack, parent_tid, tls, child_tid, _]: [u64; 6],
) -> Result<usize, Errno> {
    // The upper half of the word is not looked at, as on Linux: these flags exist for clone3 only.
    let flags = flags & u64::from(u32::MAX);
    let request = Request::decode(
        flags & !CSIGNAL,
        flags & CSIGNAL,
        stack,
        parent_tid,
        child_tid,
        tls,
    )?;
    perform(current, context, &request)
}

/// clone3(2): the same by a structure that may grow. What this kernel does not know must be zero: `E2BIG`.
pub fn clone3(current: &Arc<Thread>, context: &UserContext, at: u64, size: u64) -> Result<usize, Errno> {
    let known = size_of::<CloneArgs>();
    let size = usize::try_from(size).map_err(|_| Errno::E2BIG)?;
    if size < CLONE_ARGS_SIZE_VER0 {
        return Err(Errno::EINVAL);
    }
    let mut given = CloneArgs::default();
    user_memory::read_bytes(at, &mut given.as_mut_bytes()[..size.min(known)])?;
    super::check_rest_is_zero(at, known, size)?;
    if given.set_tid_size != 0 || given.cgroup != 0 || given.flags & CSIGNAL != 0 {
        return Err(Errno::EINVAL);
    }
    if (given.stack == 0) != (given.stack_size == 0) {
        return Err(Errno::EINVAL);
    }
    let stack = given.stack.checked_add(given.stack_size).ok_or(Errno::EINVAL)?;
    let request = Request::decode(
        given.flags,
        given.exit_signal,
        stack,
        given.parent_tid,
        given.child_tid,
        given.tls,
    )?;
    perform(current, context, &request)
}

impl Request {
    fn decode(
        flags: u64,
        exit_signal: u64,
        stack: u64,
        parent_tid: u64,
        child_tid: u64,
        tls: u64,
    ) -> Result<Request, Errno> {
        if flags & CLONE_SIGHAND != 0 && flags & CLONE_VM == 0
            || flags & CLONE_THREAD != 0 && flags & CLONE_SIGHAND == 0
        {
            return Err(Errno::EINVAL);
        }
        if flags & NOT_YET != 0 {
            return Err(Errno::ENOSYS);
        }
        if flags & !(DONE | WITHOUT_EFFECT) != 0 || (exit_signal != 0 && Signal::new(exit_signal).is_none()) {
            return Err(Errno::EINVAL);
        }
        Ok(Request {
            flags,
            exit_signal: exit_signal as u8,
            stack,
            parent_tid,
            child_tid,
            tls,
        })
    }

    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }
}

fn perform(current: &Arc<Thread>, context: &UserContext, request: &Request) -> Result<usize, Errno> {
    memory::has_room()?;
    let parent = &current.process;
    let claim = process::claim(parent.credentials().uid, process_limit(parent))?;
    let pid = claim.pid();
    let stack = Thread::make_stack().map_err(|_| Errno::EAGAIN)?;
    let space = child_space(parent, context, request)?;

    let child = parent.child(pid, space, request.exit_signal);
    if request.has(CLONE_CLEAR_SIGHAND) {
        child.signals.reset_handlers();
    }
    let (start, registers) = (child_context(context, request), child_registers(request));
    let thread = Thread::new(
        child.clone(),
        stack,
        current.signals.for_child(),
        start,
        registers,
    );
    store_ids(&thread, request);
    child.add_thread(thread.clone());
    if request.has(CLONE_VFORK) {
        child.open_loan();
    }
    claim.fill(&child, Some(parent));
    scheduler::begin(thread);
    if request.has(CLONE_VFORK) {
        child.wait_for_loan();
    }
    Ok(pid as usize)
}

/// How many processes the user may have; user 0 as many as there can be.
fn process_limit(parent: &Process) -> Option<u64> {
    (!parent.credentials().is_privileged()).then(|| parent.limit(RLIMIT_NPROC))
}

/// The child's memory: the parent's own, or a copy-on-write copy (`mm::fork`).
fn child_space(parent: &Process, context: &UserContext, request: &Request) -> Result<Arc<Space>, Errno> {
    let space = parent.space().ok_or(Errno::ESRCH)?;
    if request.has(CLONE_VM) {
        return Ok(space);
    }
    let stack_pointer = if request.stack == 0 {
        context.sp
    } else {
        request.stack
    };
    space.fork(stack_pointer).map_err(|_| Errno::ENOMEM)
}

/// The child returns 0 from the same call.
fn child_context(context: &UserContext, request: &Request) -> UserContext {
    let mut child = *context;
    child.x[0] = 0;
    if request.stack != 0 {
        child.sp = request.stack;
    }
    child
}

/// The FP registers and thread pointer of the caller: they are in the processor.
fn child_registers(request: &Request) -> Box<UserRegisters> {
    let mut registers = Box::<UserRegisters>::default();
    registers.save();
    if request.has(CLONE_SETTLS) {
        registers.set_tpidr(request.tls);
    }
    registers
}

/// Stores the child's id where its thread library wants it. A bad address is the caller's loss, as on Linux.
fn store_ids(child: &Thread, request: &Request) {
    let id = child.tid.to_le_bytes();
    if request.has(CLONE_PARENT_SETTID) {
        let _ = user_memory::write_bytes(request.parent_tid, &id);
    }
    if request.has(CLONE_CHILD_SETTID)
        && let Some(space) = child.process.space()
    {
        let _ = space.write(request.child_tid, &id);
    }
    if request.has(CLONE_CHILD_CLEARTID) {
        child.clear_child_tid.store(request.child_tid, Ordering::Relaxed);
    }
}
