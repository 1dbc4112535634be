//! execve(2): another program in the same process. Everything that can fail happens first, in a new address space beside
//! the old one: the file is found (following `#!` lines), checked and mapped (`image`), arguments and environment are
//! copied to a new stack (`arguments`, `stack`). Then, at one point without return, the process takes the new space.

mod arguments;
mod image;
mod stack;
mod strings;

pub use arguments::Arguments;

use crate::futex;
use crate::process::{Comm, Process, Shared};
use crate::rseq;
use crate::thread::{Thread, ThreadExt};
use abi::Errno;
use abi::file::{AccessFlags, S_ISGID, S_ISUID, S_IXGRP};
use abi::mount::MountFlags;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use formats::elf::{ElfError, Executable};
use formats::script::Script;
use memory::DumpMode;
use memory::fallible;
use mm::{Access, Outcome, Refusal, VirtAddr};
use platform::user::{UserContext, UserRegisters};
use sched::scheduler;
use sched::space::Space;
use uaccess::{KernelSink, ListSink};
use vfs::{
    Credentials, FileTable, FsContext, LastLink, LookupContext, OpenFile, Restraint, SetIds, Subject,
    open_executable,
};

/// `#!` lines that lead to each other (Linux's limit).
const MOST_SCRIPTS: usize = 5;

/// Bytes of a file that are looked at first: `#!` lines and the headers of most programs lie there.
const HEAD: usize = 1024;
/// The headers of a program lie within so many bytes, or it is not run.
const MOST_HEAD: usize = 256 << 10;

/// A program that is ready to run: nothing of it can fail any more.
pub struct Program {
    /// Its memory.
    pub space: Arc<Space>,
    /// Its first instruction.
    start: u64,
    /// Its stack pointer.
    sp: u64,
    /// What the process is then.
    pub identity: Identity,
    /// That of its interpreter, kept from being written until the program is the process's: a file that becomes shorter looks for
    /// its pages in processes (`vfs::mappings`).
    _interpreter: Option<Arc<OpenFile>>,
}

/// What a process is called and who it acts for.
pub struct Identity {
    /// The file, kept from being written while it runs.
    file: Arc<OpenFile>,
    /// The last component of the path it was called by.
    name: Comm,
    /// Who it acts for: as its caller, unless its file says otherwise.
    credentials: Arc<Credentials>,
    /// Whether it has rights that its real user has not: `AT_SECURE`.
    is_secure: bool,
}

/// What is to be run, and how.
pub struct ExecRequest<'a> {
    /// The file.
    pub file: Arc<OpenFile>,
    /// The path by which it was asked for.
    pub path: Vec<u8>,
    /// Arguments and environment.
    pub arguments: Arguments,
    /// Where the paths of interpreters begin.
    pub fs_context: &'a FsContext,
    /// Who asks.
    pub credentials: &'a Arc<Credentials>,
    /// The limit of the stack's size (`RLIMIT_STACK`).
    pub stack_limit: u64,
    /// What keeps the program from getting more rights than the caller has.
    pub restraint: Restraint,
}

/// Prepares a program. Nothing has changed for the caller's process.
///
/// # Errors
/// `ENOEXEC`: no program, or a damaged one. `ELIBBAD`: its interpreter is. `ELOOP`: too many interpreters of scripts. `EACCES`: it
/// may not be run. `ETXTBSY`: it is open for writing. `E2BIG`, `ENOMEM`, those of paths. `EINTR`: the process is to end.
pub fn load(mut request: ExecRequest<'_>) -> Result<Program, Errno> {
    memory::has_room()?;
    let name = request
        .path
        .rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default();
    let name = Comm::new(name);
    let executable = find_executable(&mut request)?;
    let interpreter = find_interpreter(&request, &executable)?;
    let (credentials, is_secure) = credentials_for(&request)?;
    let space = Space::new().map_err(|_| Errno::ENOMEM)?;
    let is_readable = is_readable(&request, interpreter.as_ref());
    space.dumpable.set(
        match is_readable && !acts_for_somebody_else(&request, &credentials) {
            true => DumpMode::User,
            false => DumpMode::Disable,
        },
    );
    let image = image::map(&space, &request.file, &executable, interpreter.as_ref())?;
    let sp = stack::build(
        &space,
        &image,
        &request.arguments,
        &request.path,
        (&credentials, is_secure),
        &executable,
        request.stack_limit,
    )?;
    map_first_page(&space, VirtAddr(image.start))?;
    Ok(Program {
        space,
        start: image.start,
        sp,
        identity: Identity {
            file: request.file,
            name,
            credentials,
            is_secure,
        },
        _interpreter: interpreter.map(|interpreter| interpreter.file),
    })
}

/// Maps the page that the program fetches first, which spares it a fault. `ENOMEM`; what else is in the way, as a page that has to be
/// waited for, is the program's to find.
fn map_first_page(space: &Space, start: VirtAddr) -> Result<(), Errno> {
    match space.with(|space| space.handle_fault(memory::get(), start, Access::Execute)) {
        Outcome::Refused(Refusal::NoMemory) => Err(Errno::ENOMEM),
        _ => Ok(()),
    }
}

impl Program {
    /// The registers with which it begins.
    pub fn context(&self) -> UserContext {
        UserContext {
            sp: self.sp,
            pc: self.start,
            ..UserContext::default()
        }
    }
}

/// The calling process becomes `program`, with the caller as its only thread.
///
/// # Errors
/// `ENOMEM`, or that the caller is to end before that; from there on nothing fails.
pub fn become_program(
    current: &Arc<Thread>,
    context: &mut UserContext,
    program: Program,
) -> Result<(), Errno> {
    let process = current.process();
    // What may fail comes before anything has changed for the other threads, whose end is next.
    let is_any_closed = current.files().read(FileTable::has_closed_on_exec);
    let copy = if is_any_closed { own_files(current)? } else { None };
    process.signals.make_own()?;
    process.end_other_threads(current)?;
    futex::thread_ended(current);
    match copy {
        Some(copy) => current.files().separate_as(copy),
        None => current.files().separate(),
    }
    if is_any_closed {
        close_on_exec(current);
    }
    process.delete_timers();
    let reset = process.signals.reset_handlers();
    debug_assert!(reset.is_ok(), "exec: the actions are the process's own");
    reset_thread(current);
    *context = program.context();
    if process.has_executed() {
        process.note_resident_pages();
    }
    // First the memory, which says whether others may look into it; then the rights that they might be after.
    let old = process.replace_space(program.space);
    take_identity(process, program.identity);
    scheduler::enter_space_of(current);
    if let Some(old) = old {
        old.let_go();
    }
    current.vfork().complete();
    Ok(())
}

/// What exec is to close can be taken out of the table of descriptors without an allocation: out of the thread's own, or of a copy where
/// others have it as well, which is the thread's from its becoming the program on. `ENOMEM`: nothing has changed.
#[cold]
fn own_files(current: &Thread) -> Result<Option<Shared<FileTable>>, Errno> {
    if current.files().holders() == 1 {
        own_closed_on_exec(current.files())?;
        return Ok(None);
    }
    let copy = current.files().copy()?;
    own_closed_on_exec(&copy)?;
    Ok(Some(copy))
}

fn own_closed_on_exec(files: &Shared<FileTable>) -> Result<(), Errno> {
    files.make_own()?;
    let mut from = Some(0);
    while let Some(first) = from {
        from = files.change(|files| files.own_closed_on_exec(first))??;
        scheduler::cond_resched_killable()?;
    }
    Ok(())
}

/// What it takes out of the table is the thread's own.
#[cold]
fn close_on_exec(current: &Thread) {
    let mut first = 0;
    while let Ok(Ok(Some((descriptor, file)))) =
        current.files().change(|files| files.take_closed_on_exec(first))
    {
        if let Some(owner) = current.files().identity_if_any() {
            vfs::release_claims(&file, owner, scheduler::cond_resched);
        }
        drop(file);
        first = descriptor + 1;
        scheduler::cond_resched();
    }
}

/// What the process is called and who it acts for.
pub fn take_identity(process: &Process, new: Identity) {
    process.set_name(new.name);
    process.set_executable(Some(new.file));
    process.note_exec();
    if new.is_secure {
        process.forget_parent_death_signal();
    }
    if process.has_credentials(&new.credentials) {
        return;
    }
    // Of the same real user: nothing is allocated.
    let taken = process.take_credentials(new.credentials);
    debug_assert!(taken.is_ok(), "exec: nothing refuses a program its credentials");
}

fn reset_thread(current: &Thread) {
    current.signals().forget_stack();
    rseq::forget(current);
    UserRegisters::new().restore();
}

/// Follows `#!` lines until the file is a program; arguments and file of `request` become those of the interpreter.
fn find_executable(request: &mut ExecRequest<'_>) -> Result<Box<Executable>, Errno> {
    let mut last_interpreter: Option<Vec<u8>> = None;
    for _ in 0..=MOST_SCRIPTS {
        let path = last_interpreter.as_deref().unwrap_or(&request.path);
        let head = read_head(&request.file, HEAD)?;
        match Script::parse(&head) {
            Ok(Some(script)) => {
                if script.interpreter.is_empty() {
                    return Err(Errno::EACCES);
                }
                let interpreter = fallible::bytes(script.interpreter)?;
                request
                    .arguments
                    .prepend_interpreter(&interpreter, script.argument, path)?;
                request.file = open_program(request, &interpreter)?;
                last_interpreter = Some(interpreter);
            }
            Ok(None) => return parse(&request.file, head),
            Err(_) => return Err(Errno::ENOEXEC),
        }
    }
    Err(Errno::ELOOP)
}

/// The program named by `PT_INTERP`, if there is one.
fn find_interpreter(
    request: &ExecRequest<'_>,
    executable: &Executable,
) -> Result<Option<image::Interpreter>, Errno> {
    let Some((offset, len)) = executable.interpreter else {
        return Ok(None);
    };
    let mut path: Vec<u8> = memory::try_list(len as usize)?;
    read_at(&request.file, offset, &mut path)?;
    let end = path.iter().position(|&byte| byte == 0).ok_or(Errno::ENOEXEC)?;
    let file = open_program(request, &path[..end])?;
    let head = read_head(&file, HEAD)?;
    let executable = parse(&file, head).map_err(|_| Errno::ELIBBAD)?;
    Ok(Some(image::Interpreter { file, executable }))
}

fn open_program(request: &ExecRequest<'_>, path: &[u8]) -> Result<Arc<OpenFile>, Errno> {
    let context = LookupContext::current(request.fs_context, Subject::new(request.credentials.clone()));
    open_executable(&context, path, LastLink::Follow)
}

fn parse(file: &OpenFile, head: Vec<u8>) -> Result<Box<Executable>, Errno> {
    let len = file.inode().size();
    let mut executable = fallible::boxed_with(Executable::empty)?;
    let read = match executable.read(&head, len) {
        Err(ElfError::HeadTooShort(needed)) => {
            // The file says where its headers are, and it may be longer than memory: a sparse one.
            if needed > MOST_HEAD {
                return Err(Errno::ENOEXEC);
            }
            let head = read_head(file, needed)?;
            executable.read(&head, len)
        }
        read => read,
    };
    read.map_err(|_| Errno::ENOEXEC)?;
    Ok(executable)
}

fn read_head(file: &OpenFile, len: usize) -> Result<Vec<u8>, Errno> {
    let mut head = fallible::with_room(len)?;
    file.read_at(0, &mut ListSink(&mut head))?;
    Ok(head)
}

/// Reads from a file that may be executed, whether or not it may be read (execve(2), "mode 0111").
fn read_at(file: &OpenFile, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
    file.read_at(offset, &mut KernelSink::new(into))
}

/// Whether the caller may read what it runs: its memory would show what the file hides.
#[inline(always)]
fn is_readable(request: &ExecRequest<'_>, interpreter: Option<&image::Interpreter>) -> bool {
    let subject = Subject::new(request.credentials.clone());
    let files = [
        Some(&request.file),
        interpreter.map(|interpreter| &interpreter.file),
    ];
    files
        .into_iter()
        .flatten()
        .all(|file| subject.check(file.inode(), AccessFlags::R_OK).is_ok())
}

/// Whether the new program's rights are not those of its real user, or were not those of the old program.
#[inline(always)]
fn acts_for_somebody_else(request: &ExecRequest<'_>, new: &Credentials) -> bool {
    let old = request.credentials;
    old.uid != old.euid || old.gid != old.egid || new.acts_differently_from(old)
}

/// Who the program acts for, and whether it has rights that its real user has not. Set-user-ID and set-group-ID files act
/// for their owner, unless the caller gave that up.
fn credentials_for(request: &ExecRequest<'_>) -> Result<(Arc<Credentials>, bool), Errno> {
    let attributes = request.file.inode().attributes();
    let mut wanted = SetIds::default();
    let is_forbidden = request.file.inode().filesystem.flags.has(MountFlags::MS_NOSUID);
    if request.restraint != Restraint::NoNewPrivileges && !is_forbidden {
        wanted.user = (attributes.mode & S_ISUID != 0).then_some(attributes.uid);
        let is_set_group = attributes.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        wanted.group = is_set_group.then_some(attributes.gid);
    }
    let old = request.credentials;
    let rights = old.for_program(wanted, request.restraint);
    let credentials = if old.are_of_program(&rights) {
        old.clone()
    } else {
        fallible::arc(old.of_program(&rights))?
    };
    Ok((credentials, rights.is_secure))
}
