//! clone(2), clone3(2): story 2. First all of the request is decoded and refused if need be, then everything that can fail
//! is made, then the child is put together. The last step makes it known, which is refused only if a signal has come: the
//! call then begins anew behind the signal.

use super::descriptor::withdraw;
use super::pidfd;
use abi::Errno;
use abi::capability::{CAP_SYS_ADMIN, CAP_SYS_RESOURCE};
use abi::process::{CLONE_ARGS_SIZE_VER0, CSIGNAL, CloneArgs, CloneFlags, RLIMIT_NPROC};
use abi::signal::Signal;
use abi::zerocopy::IntoBytes;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use platform::thread::KernelStack;
use platform::user::{UserContext, UserStart};
use sched::scheduler;
use sched::space::Space;
use sched::space::mappings::{self, Walks};
use task::process::{self, INIT, Kinship, Process, ProcessInit, Shared};
use task::rseq;
use task::signal::{self, Actions, InheritedSignals};
use task::thread::{self, Thread, ThreadExt, ThreadInit};
use vfs::{Credentials, FileTable, FsContext};

/// What a new process is to be like.
struct CloneRequest {
    flags: CloneFlags,
    /// The signal to the parent at the end; 0 for none.
    exit_signal: u8,
    /// The child's stack pointer; 0: the parent's.
    stack: u64,
    parent_tid: u64,
    child_tid: u64,
    tls: u64,
    /// Where the descriptor of the child goes (`CLONE_PIDFD`).
    pidfd: u64,
}

/// Flags that are done.
const DONE: CloneFlags = CloneFlags::CLONE_VM
    .union(CloneFlags::CLONE_FS)
    .union(CloneFlags::CLONE_FILES)
    .union(CloneFlags::CLONE_SIGHAND)
    .union(CloneFlags::CLONE_THREAD)
    .union(CloneFlags::CLONE_PARENT)
    .union(CloneFlags::CLONE_VFORK)
    .union(CloneFlags::CLONE_SETTLS)
    .union(CloneFlags::CLONE_PARENT_SETTID)
    .union(CloneFlags::CLONE_CHILD_SETTID)
    .union(CloneFlags::CLONE_CHILD_CLEARTID)
    .union(CloneFlags::CLONE_PIDFD)
    .union(CloneFlags::CLONE_CLEAR_SIGHAND);

/// Flags that make no difference here: there is no tracing, no System V semaphore and no input/output scheduling.
const WITHOUT_EFFECT: CloneFlags = CloneFlags::CLONE_PTRACE
    .union(CloneFlags::CLONE_UNTRACED)
    .union(CloneFlags::CLONE_DETACHED)
    .union(CloneFlags::CLONE_SYSVSEM)
    .union(CloneFlags::CLONE_IO);

/// clone(2), with arm64's order of arguments.
///
/// Not supported: `CLONE_PIDFD` of a thread, namespaces (`EINVAL`); `CLONE_PTRACE`, `CLONE_UNTRACED`, `CLONE_SYSVSEM`, `CLONE_IO`
/// as if they were not there.
///
/// # Errors
/// `EINVAL`: flags that lack what they want, that are not supported or not known; a signal that is none; `CLONE_PARENT`
/// by the first process. `EAGAIN`: no id is left, or `RLIMIT_NPROC`. `ENOMEM`.
pub fn clone(
    current: &Arc<Thread>,
    context: &UserContext,
    [flags, stack, parent_tid, tls, child_tid, _]: [u64; 6],
) -> Result<usize, Errno> {
    // The upper half of the word is not looked at, as on Linux: these flags exist for clone3 only.
    let flags = flags & u64::from(u32::MAX);
    let flags_of_child = CloneFlags::from_bits_retain(flags & !CSIGNAL);
    if flags_of_child.contains(CloneFlags::CLONE_PIDFD)
        && flags_of_child.intersects(CloneFlags::CLONE_PARENT_SETTID | CloneFlags::CLONE_DETACHED)
    {
        // There is one place for both; the other flag has another meaning.
        return Err(Errno::EINVAL);
    }
    let request = CloneRequest::decode(
        flags_of_child,
        flags & CSIGNAL,
        stack,
        [parent_tid, child_tid, parent_tid],
        tls,
    )?;
    perform(current, context, &request)
}

/// clone3(2): the same by a structure that may grow.
///
/// Not supported: `CLONE_PIDFD` of a thread, `CLONE_INTO_CGROUP`, `set_tid`, namespaces (`EINVAL`).
///
/// # Errors
/// As for [`clone`]. `EINVAL`: a structure that is too short, `set_tid`, a stack without a size. `E2BIG`: it is too
/// long, or has something that is not known here. Those of user memory.
pub fn clone3(current: &Arc<Thread>, context: &UserContext, at: u64, size: u64) -> Result<usize, Errno> {
    let known = size_of::<CloneArgs>();
    let size = usize::try_from(size).map_err(|_| Errno::E2BIG)?;
    if size < CLONE_ARGS_SIZE_VER0 {
        return Err(Errno::EINVAL);
    }
    let mut given = CloneArgs::default();
    uaccess::read_bytes(at, &mut given.as_mut_bytes()[..size.min(known)])?;
    super::arguments::check_rest_is_zero(at, known, size)?;
    let never = CloneFlags::from_bits_retain(CSIGNAL) | CloneFlags::CLONE_DETACHED;
    if given.set_tid_size != 0 || given.cgroup != 0 || given.flags.intersects(never) {
        return Err(Errno::EINVAL);
    }
    if given
        .flags
        .intersects(CloneFlags::CLONE_THREAD | CloneFlags::CLONE_PARENT)
        && given.exit_signal != 0
    {
        return Err(Errno::EINVAL);
    }
    if (given.stack == 0) != (given.stack_size == 0) {
        return Err(Errno::EINVAL);
    }
    let stack = given.stack.checked_add(given.stack_size).ok_or(Errno::EINVAL)?;
    let places = [given.parent_tid, given.child_tid, given.pidfd];
    let request = CloneRequest::decode(given.flags, given.exit_signal, stack, places, given.tls)?;
    perform(current, context, &request)
}

impl CloneRequest {
    fn decode(
        flags: CloneFlags,
        exit_signal: u64,
        stack: u64,
        [parent_tid, child_tid, pidfd]: [u64; 3],
        tls: u64,
    ) -> Result<CloneRequest, Errno> {
        let has = |flag| flags.contains(flag);
        let lacks_partner = has(CloneFlags::CLONE_SIGHAND) && !has(CloneFlags::CLONE_VM)
            || has(CloneFlags::CLONE_THREAD) && !has(CloneFlags::CLONE_SIGHAND);
        if lacks_partner || has(CloneFlags::CLONE_SIGHAND) && has(CloneFlags::CLONE_CLEAR_SIGHAND) {
            return Err(Errno::EINVAL);
        }
        if has(CloneFlags::CLONE_PIDFD) && has(CloneFlags::CLONE_THREAD) {
            return Err(Errno::EINVAL);
        }
        if !(DONE | WITHOUT_EFFECT).contains(flags)
            || (exit_signal != 0 && Signal::new(exit_signal).is_none())
        {
            return Err(Errno::EINVAL);
        }
        Ok(CloneRequest {
            flags,
            exit_signal: exit_signal as u8,
            stack,
            parent_tid,
            child_tid,
            tls,
            pidfd,
        })
    }

    fn has(&self, flag: CloneFlags) -> bool {
        self.flags.contains(flag)
    }
}

fn perform(current: &Arc<Thread>, context: &UserContext, request: &CloneRequest) -> Result<usize, Errno> {
    memory::has_room()?;
    if request.has(CloneFlags::CLONE_THREAD) {
        make_thread(current, context, request)
    } else {
        make_process(current, context, request)
    }
}

fn make_process(
    current: &Arc<Thread>,
    context: &UserContext,
    request: &CloneRequest,
) -> Result<usize, Errno> {
    let walks = mappings::walks();
    let thread = if walks.is_one_under_way() {
        build_process_alone(current, context, request)?
    } else {
        build_process(current, context, request, walks)?
    };
    let pid = thread.tid();
    if current.is_restartable() && !request.has(CloneFlags::CLONE_VM) {
        rseq::inherit(&thread, current);
    }
    begin(current, thread, request);
    Ok(pid as usize)
}

/// A file has lost pages, and they are being taken from all spaces: the parent may not have been asked yet.
#[cold]
fn build_process_alone(
    current: &Arc<Thread>,
    context: &UserContext,
    request: &CloneRequest,
) -> Result<Arc<Thread>, Errno> {
    let _alone = mappings::keep_walks_away()?;
    build_process(current, context, request, mappings::walks())
}

/// `walks`: those of before, none of them under way.
fn build_process(
    current: &Arc<Thread>,
    context: &UserContext,
    request: &CloneRequest,
    walks: Walks,
) -> Result<Arc<Thread>, Errno> {
    let parent = current.process();
    if request.has(CloneFlags::CLONE_PARENT) && parent.pid == INIT {
        return Err(Errno::EINVAL);
    }
    parent.take_over_left();
    let inherited = parent.inherited();
    let credentials = &inherited.credentials;
    let reserved = process::reserve_pid(credentials.uid, process_limit(parent, credentials))?;
    let pid = reserved.pid();
    let stack = KernelStack::take().map_err(|_| Errno::ENOMEM)?;
    let space = child_space(parent, context, request)?;

    let child = parent.child(ProcessInit {
        pid,
        space: Some(space.clone()),
        actions: child_actions(parent, request)?,
        inherited,
        name: current.name(),
        exit_signal: exit_signal(parent, request),
    })?;
    let init = ThreadInit {
        tid: pid,
        process: child,
        files: child_files(current, request)?,
        fs_context: child_fs_context(current, request)?,
        signals: child_mask(current, request),
        kernel: thread::on_stack(stack, context, |start| begin_child(start, request)),
    };
    let thread = thread::new(init)?;
    prepare(&thread, &space, request);
    let pidfd = request.has(CloneFlags::CLONE_PIDFD);
    let pidfd = pidfd.then(|| pidfd::install_for_child(current, &thread, request.pidfd));
    let pidfd = pidfd.transpose().inspect_err(|_| space.leave())?;
    current.note_fork();
    reserved
        .assign(&thread, current, kinship(request), walks)
        .inspect_err(|_| {
            space.leave();
            withdraw(current, pidfd.as_slice());
        })?;
    Ok(thread)
}

fn make_thread(current: &Arc<Thread>, context: &UserContext, request: &CloneRequest) -> Result<usize, Errno> {
    let process = current.process();
    process.take_over_left();
    let credentials = process.credentials();
    let reserved = process::reserve_tid(credentials.uid, process_limit(process, &credentials))?;
    let tid = reserved.tid();
    let space = process.space().ok_or(Errno::ESRCH)?;
    let stack = KernelStack::take().map_err(|_| Errno::ENOMEM)?;
    let init = ThreadInit {
        tid,
        process: process.clone(),
        files: child_files(current, request)?,
        fs_context: child_fs_context(current, request)?,
        signals: child_mask(current, request),
        kernel: thread::on_stack(stack, context, |start| begin_child(start, request)),
    };
    let thread = thread::new(init)?;
    thread.set_name(current.name());
    prepare(&thread, &space, request);
    reserved.assign(&thread, current).inspect_err(|_| space.leave())?;
    begin(current, thread, request);
    Ok(tid as usize)
}

/// The last preparations of a thread that nobody knows yet.
fn prepare(thread: &Thread, space: &Space, request: &CloneRequest) {
    space.enter();
    store_ids(thread, request);
    if request.has(CloneFlags::CLONE_VFORK) {
        thread.vfork().begin();
    }
}

fn begin(current: &Thread, thread: Arc<Thread>, request: &CloneRequest) {
    if current.is_traced() {
        thread.begin_traced();
    }
    if request.has(CloneFlags::CLONE_VFORK) {
        scheduler::begin(thread.clone());
        thread.vfork().wait();
    } else {
        scheduler::begin(thread);
    }
}

/// A sibling tells the common parent as the caller will (`CLONE_PARENT`).
fn exit_signal(parent: &Process, request: &CloneRequest) -> u8 {
    if request.has(CloneFlags::CLONE_PARENT) {
        parent.exit_signal()
    } else {
        request.exit_signal
    }
}

fn kinship(request: &CloneRequest) -> Kinship {
    if request.has(CloneFlags::CLONE_PARENT) {
        Kinship::Sibling
    } else {
        Kinship::Child
    }
}

fn child_actions(parent: &Process, request: &CloneRequest) -> Result<Shared<Actions>, Errno> {
    if request.has(CloneFlags::CLONE_SIGHAND) {
        return parent.signals.actions_for_sharing_child();
    }
    let actions = parent.signals.actions_for_child()?;
    if request.has(CloneFlags::CLONE_CLEAR_SIGHAND) {
        signal::reset_handlers(&actions)?;
    }
    Ok(actions)
}

fn child_files(current: &Thread, request: &CloneRequest) -> Result<Shared<FileTable>, Errno> {
    if request.has(CloneFlags::CLONE_FILES) {
        current.files().share()
    } else {
        current.files().copy()
    }
}

fn child_fs_context(current: &Thread, request: &CloneRequest) -> Result<Shared<FsContext>, Errno> {
    if request.has(CloneFlags::CLONE_FS) {
        current.fs_context().share()
    } else {
        current.fs_context().copy()
    }
}

/// Two threads that run at once in one memory cannot use one alternate stack.
fn child_mask(current: &Thread, request: &CloneRequest) -> InheritedSignals {
    if request.has(CloneFlags::CLONE_VM) && !request.has(CloneFlags::CLONE_VFORK) {
        current.signals().for_thread()
    } else {
        current.signals().for_child()
    }
}

/// How many processes the user may have, whose credentials `own` are; user 0, and who administers the system, as many as there can be.
fn process_limit(parent: &Process, own: &Credentials) -> Option<u64> {
    let is_unlimited = own.uid == 0 || own.can(CAP_SYS_RESOURCE) || own.can(CAP_SYS_ADMIN);
    (!is_unlimited).then(|| parent.limit(RLIMIT_NPROC))
}

/// The child's memory: the parent's own, or a copy-on-write copy (`mm::fork`).
fn child_space(parent: &Process, context: &UserContext, request: &CloneRequest) -> Result<Arc<Space>, Errno> {
    let space = parent.space().ok_or(Errno::ESRCH)?;
    if request.has(CloneFlags::CLONE_VM) {
        return Ok(space);
    }
    let stack_pointer = if request.stack == 0 {
        context.sp
    } else {
        request.stack
    };
    space.fork(stack_pointer).map_err(|_| Errno::ENOMEM)
}

/// The child returns 0 from the same call, with the caller's FP registers and thread pointer, which are in the processor.
fn begin_child(start: &mut UserStart, request: &CloneRequest) {
    start.context.x[0] = 0;
    if request.stack != 0 {
        start.context.sp = request.stack;
    }
    start.registers.take();
    if request.has(CloneFlags::CLONE_SETTLS) {
        start.registers.set_tpidr(request.tls);
    }
}

/// Stores the child's id where its thread library wants it. A bad address is the caller's loss, as on Linux.
fn store_ids(child: &Thread, request: &CloneRequest) {
    if request.has(CloneFlags::CLONE_PARENT_SETTID) {
        let _ = uaccess::write_bytes(request.parent_tid, &child.tid().to_le_bytes());
    }
    if request.has(CloneFlags::CLONE_CHILD_SETTID) {
        // By the child itself, as on Linux: in a memory of its own that copies a page.
        child.id_place().store(request.child_tid, Ordering::Relaxed);
    }
    if request.has(CloneFlags::CLONE_CHILD_CLEARTID) {
        child
            .clear_child_tid()
            .store(request.child_tid, Ordering::Relaxed);
    }
}
