//! execve(2), execveat(2).

use super::flags::decode;
use super::identity::has_too_many_processes;
use abi::Errno;
use abi::file::{AT_FDCWD, AtFlags, PATH_MAX};
use abi::process::RLIMIT_STACK;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use memory::fallible::{self, TryVec};
use platform::user::UserContext;
use task::exec::{self, Arguments, ExecRequest};
use task::thread::{Thread, ThreadExt};
use vfs::Restraint;
use vfs::{LastLink, LookupContext, OpenFile, Subject, open_executable, open_executable_entry};

/// execve(2).
///
/// # Errors
/// Those of paths. `EACCES`: no regular file, no right to execute it, a mount without programs, an empty interpreter.
/// `ENOEXEC`: no program. `ELIBBAD`: its interpreter is none. `ELOOP`: too many scripts. `E2BIG`: too many arguments.
/// `ETXTBSY`: open for writing. `EAGAIN`: beyond `RLIMIT_NPROC` since the user was changed. `ENOMEM`, those of user
/// memory.
pub fn execve(
    current: &Arc<Thread>,
    context: &mut UserContext,
    path: u64,
    argv: u64,
    envp: u64,
) -> Result<usize, Errno> {
    execute(current, context, [AT_FDCWD as u64, path, argv, envp, 0])
}

/// execveat(2).
///
/// # Errors
/// As for [`execve`]. `EINVAL`: unknown flags. `ELOOP`: a link, with `AT_SYMLINK_NOFOLLOW`. `EBADF`.
pub fn execveat(current: &Arc<Thread>, context: &mut UserContext) -> Result<usize, Errno> {
    let [directory, path, argv, envp, flags, _] = super::arguments::arguments(context);
    execute(current, context, [directory, path, argv, envp, flags])
}

fn execute(
    current: &Arc<Thread>,
    context: &mut UserContext,
    [directory, path, argv, envp, flags]: [u64; 5],
) -> Result<usize, Errno> {
    let flags = decode(
        flags as u32,
        AtFlags::AT_EMPTY_PATH | AtFlags::AT_SYMLINK_NOFOLLOW,
    )?;
    let is_beyond = &current.process().attributes.is_beyond_processes;
    if is_beyond.load(Ordering::Relaxed) && has_too_many_processes(current) {
        return Err(Errno::EAGAIN);
    }
    is_beyond.store(false, Ordering::Relaxed);
    let path = uaccess::read_string(path, PATH_MAX)?;
    let process = current.process();
    let fs_context = current.fs_context().snapshot()?;
    let credentials = process.credentials();
    let base = LookupContext::current(&fs_context, Subject::new(credentials.clone()));
    let file = find(current, base, directory as i32, &path, flags)?;
    let path = if path.first() == Some(&b'/') || directory as i32 == AT_FDCWD {
        path
    } else {
        descriptor_path(directory as i32, &path)?
    };
    let stack_limit = process.limit(RLIMIT_STACK);
    let mut request = ExecRequest {
        file,
        path,
        arguments: Arguments::new(stack_limit),
        fs_context: &fs_context,
        credentials: &credentials,
        stack_limit,
        restraint: restraint(current),
    };
    request.arguments.read(argv, envp)?;
    let program = exec::load(request)?;
    exec::become_program(current, context, program)?;
    Ok(0)
}

fn restraint(current: &Thread) -> Restraint {
    let process = current.process();
    if process.attributes.has_no_new_privileges.load(Ordering::Relaxed) {
        return Restraint::NoNewPrivileges;
    }
    let holders = current.fs_context().holders();
    // Threads that exec ends do not count.
    let mut own = 1;
    if holders > 1 {
        own = 0;
        process
            .for_each_thread(|thread| own += usize::from(thread.fs_context().is_same(current.fs_context())));
    }
    if holders > own {
        Restraint::SharedFsContext
    } else {
        Restraint::None
    }
}

/// The file to be run; `base` is where the caller is.
fn find(
    current: &Thread,
    mut base: LookupContext,
    directory: i32,
    path: &[u8],
    flags: AtFlags,
) -> Result<Arc<OpenFile>, Errno> {
    if path.is_empty() && !flags.contains(AtFlags::AT_EMPTY_PATH) {
        return Err(Errno::ENOENT);
    }
    if directory != AT_FDCWD && path.first() != Some(&b'/') {
        let descriptor = usize::try_from(directory).map_err(|_| Errno::EBADF)?;
        let file = current.files().read(|files| files.get(descriptor).cloned())?;
        base.start = file.dentry.clone();
    }
    if path.is_empty() {
        return open_executable_entry(base.start, &base.subject);
    }
    let last_link = if flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW) {
        LastLink::Keep
    } else {
        LastLink::Follow
    };
    open_executable(&base, path, last_link)
}

/// The path that a script's interpreter is given for a file named by descriptor (execveat(2), NOTES).
fn descriptor_path(directory: i32, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut whole = fallible::text_bytes(format_args!("/dev/fd/{directory}"))?;
    if !path.is_empty() {
        whole.try_push(b'/')?;
        whole.try_extend(path)?;
    }
    Ok(whole)
}
