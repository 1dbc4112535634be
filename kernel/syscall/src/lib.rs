//! System calls: from the number to the function, one line each. The number is in x8, the arguments in x0 to x5, the result
//! goes to x0; an error is its negated number (syscall(2)).
//!
//! The doc of each call names its errors and what it does not support; `kernel/CALLS.md` is made of that. Two groups of errors
//! are named by their group alone, and `EINTR` never where only the end of the process interrupts, for no program sees it:
//!
//! * *Those of user memory*: `EFAULT` where the program could not access an address so itself, `ENOMEM` where no page is to be had.
//! * *Those of paths*: `ENOENT`, `ENOTDIR`, `EACCES` where a directory may not be searched, `ELOOP`, `ENAMETOOLONG`, `EBADF` for
//!   the descriptor of a directory, and those of user memory.
//!
//! For the kernel's user loop alone, which comes to [`call`]. Its locks are leaves; what is about files has its table in `files`.
//!
//! Where to read on: kernel/README.md, Where is it served?
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod adjust;
mod advice;
mod area_flags;
mod arguments;
mod attribute;
mod backing;
mod caller;
mod capability;
mod clone;
mod copy;
mod descriptor;
mod directory;
mod epoll;
mod eventfd;
mod exec;
mod exit;
mod fcntl;
mod file_lock;
mod files;
mod flags;
mod identity;
mod inotify;
mod ioctl;
mod link;
mod lookup;
mod membarrier;
mod memfd;
mod memory_limits;
mod message_queue;
mod missing;
mod mlock;
mod mmap;
mod mount;
mod open;
mod others_memory;
mod pidfd;
mod policy;
mod poll;
mod posix_notify;
mod posix_queue;
mod process;
mod protect;
mod read_write;
mod remap;
mod residency;
mod resource;
mod select;
mod semaphore;
mod shared_memory;
mod signal;
mod signalfd;
mod socket;
mod socket_batch;
mod socket_control;
mod socket_message;
mod socket_option;
mod space;
mod splice;
mod stat;
mod swap;
mod syslog;
mod system;
mod table;
mod target;
mod time;
mod timer;
mod timerfd;
mod truncate;
mod unshare;
mod wait;
mod writeback;
mod xattr;

pub use posix_queue::tell_makers as tell_makers_of_queues;

use abi::Errno;
use alloc::sync::Arc;
use arguments::arguments;
use platform::user::UserContext;
use table::calls;
use task::futex;
use task::thread::Thread;

/// Makes the call that the registers ask for. `Some` if a signal interrupted it before it had an effect, and why: whether it is made
/// again is decided when the signal is delivered. Such a call has left the registers as they were.
#[inline(always)]
pub fn call(current: &Arc<Thread>, context: &mut UserContext) -> Option<Errno> {
    match table::dispatch(current, context) {
        Ok(value) => {
            context.x[0] = value as u64;
            None
        }
        Err(error) => failed(current, context, error),
    }
}

#[cold]
#[inline(never)]
fn failed(current: &Arc<Thread>, context: &mut UserContext, error: Errno) -> Option<Errno> {
    // What fails for want of memory has changed nothing.
    let again = match table::may_be_repeated(context) {
        true => current.try_again(error, &mut || table::dispatch(current, context)),
        false => Err(error),
    };
    match again {
        Err(Errno::RESTART | Errno::RESTART_NO_HANDLER | Errno::RESTART_ALWAYS) => again.err(),
        Err(error) => {
            context.x[0] = error.to_return();
            None
        }
        Ok(value) => {
            context.x[0] = value as u64;
            None
        }
    }
}

calls! { current, context, [a, b, c, d, e, f]:
    // Processes
    nr::GETPID => process::getpid(current),
    nr::GETPPID => process::getppid(current),
    nr::GETTID => process::gettid(current),
    [traced] nr::CLONE => clone::clone(current, context, arguments(context)),
    nr::UNSHARE => unshare::unshare(current, a),
    [traced] nr::CLONE3 => clone::clone3(current, context, a, b),
    [traced] nr::EXECVE => exec::execve(current, context, a, b, c),
    [traced] nr::EXECVEAT => exec::execveat(current, context),
    [traced] nr::EXIT => exit::exit(current, a),
    [traced] nr::EXIT_GROUP => exit::exit_group(current, a),
    [traced] nr::WAIT4 => wait::wait4(current, a, b, c, d),
    nr::WAITID => wait::waitid(current, a, b, c, d, e),
    nr::PIDFD_OPEN => pidfd::pidfd_open(current, a as i32, b as u32),
    nr::PIDFD_SEND_SIGNAL => pidfd::pidfd_send_signal(current, a as i32, b, c, d as u32),
    nr::PIDFD_GETFD => pidfd::pidfd_getfd(current, a as i32, b as i32, c as u32),
    nr::SETPGID => process::setpgid(current, a, b),
    nr::GETPGID => process::getpgid(current, a),
    nr::SETSID => process::setsid(current),
    nr::GETSID => process::getsid(current, a),
    nr::SET_TID_ADDRESS => process::set_tid_address(current, a),
    nr::SET_ROBUST_LIST => process::set_robust_list(current, a, b),
    nr::RSEQ => process::rseq(current, a, b as u32, c as u32, d as u32),
    nr::GET_ROBUST_LIST => process::get_robust_list(current, a, b, c),
    nr::PRCTL => process::prctl(current, arguments(context)),
    nr::PERSONALITY => process::personality(current, a),
    nr::GETPRIORITY => process::getpriority(current, a, b),
    nr::SETPRIORITY => process::setpriority(current, a, b, c),
    nr::FUTEX => futex::futex(current, arguments(context)),
    nr::MEMBARRIER => membarrier::membarrier(current, a, b, c),
    nr::FUTEX_WAKE => futex::futex_wake(current, a, b, c, d),
    nr::FUTEX_WAIT => futex::futex_wait(current, arguments(context)),
    nr::FUTEX_REQUEUE => futex::futex_requeue(current, a, b, c, d),
    nr::FUTEX_WAITV => futex::futex_waitv(current, a, b, c, d, e),

    // Users and groups
    nr::GETUID => identity::getuid(current),
    nr::GETEUID => identity::geteuid(current),
    nr::GETGID => identity::getgid(current),
    nr::GETEGID => identity::getegid(current),
    nr::GETRESUID => identity::getresuid(current, a, b, c),
    nr::GETRESGID => identity::getresgid(current, a, b, c),
    nr::SETUID => identity::setuid(current, a),
    nr::SETGID => identity::setgid(current, a),
    nr::SETREUID => identity::setreuid(current, a, b),
    nr::SETREGID => identity::setregid(current, a, b),
    nr::SETRESUID => identity::setresuid(current, a, b, c),
    nr::SETRESGID => identity::setresgid(current, a, b, c),
    nr::SETFSUID => identity::setfsuid(current, a),
    nr::SETFSGID => identity::setfsgid(current, a),
    nr::GETGROUPS => identity::getgroups(current, a, b),
    nr::SETGROUPS => identity::setgroups(current, a, b),
    nr::CAPGET => capability::capget(current, a, b),
    nr::CAPSET => capability::capset(current, a, b),

    // Memory
    [traced] nr::BRK => mmap::brk(current, a),
    [traced] nr::MMAP => mmap::mmap(current, arguments(context)),
    [traced] nr::MUNMAP => mmap::munmap(current, a, b),
    [traced] nr::MPROTECT => protect::mprotect(current, a, b, c),
    [traced] nr::MREMAP => remap::mremap(current, arguments(context)),
    [traced] nr::MADVISE => advice::madvise(current, a, b, c),
    nr::MINCORE => residency::mincore(current, a, b, c),
    nr::PROCESS_VM_READV => others_memory::process_vm_readv(current, arguments(context)),
    nr::PROCESS_VM_WRITEV => others_memory::process_vm_writev(current, arguments(context)),
    nr::MSYNC => residency::msync(current, a, b, c),
    nr::MLOCK => mlock::mlock2(current, a, b, 0),
    nr::MLOCK2 => mlock::mlock2(current, a, b, c),
    nr::MUNLOCK => mlock::munlock(current, a, b),
    nr::MLOCKALL => mlock::mlockall(current, a),
    nr::MUNLOCKALL => mlock::munlockall(current),

    nr::SHMGET => shared_memory::shmget(current, a, b, c),
    nr::SHMAT => shared_memory::shmat(current, a, b, c),
    nr::SHMDT => shared_memory::shmdt(current, a),
    nr::SHMCTL => shared_memory::shmctl(current, a, b, c),

    nr::SEMGET => semaphore::semget(current, a, b, c),
    nr::SEMOP => semaphore::semtimedop(current, a, b, c, 0),
    nr::SEMTIMEDOP => semaphore::semtimedop(current, a, b, c, d),
    nr::SEMCTL => semaphore::semctl(current, a, b, c, d),
    nr::MSGGET => message_queue::msgget(current, a, b),
    nr::MSGSND => message_queue::msgsnd(current, a, b, c, d),
    nr::MSGRCV => message_queue::msgrcv(current, a, [b, c], d as i64, e),
    nr::MSGCTL => message_queue::msgctl(current, a, b, c),
    nr::MQ_OPEN => posix_queue::mq_open(current, a, b as u32, c as u32, d),
    nr::MQ_UNLINK => posix_queue::mq_unlink(current, a),
    nr::MQ_TIMEDSEND => posix_queue::mq_timedsend(current, a as i32, [b, c], d as u32, e),
    nr::MQ_TIMEDRECEIVE => posix_queue::mq_timedreceive(current, a as i32, [b, c], d, e),
    nr::MQ_NOTIFY => posix_notify::mq_notify(current, a as i32, b),
    nr::MQ_GETSETATTR => posix_queue::mq_getsetattr(current, a as i32, b, c),

    // Signals
    nr::RT_SIGACTION => signal::rt_sigaction(current, a, b, c, d),
    nr::RT_SIGPROCMASK => signal::rt_sigprocmask(current, a, b, c, d),
    nr::RT_SIGPENDING => signal::rt_sigpending(current, a, b),
    nr::RT_SIGSUSPEND => signal::rt_sigsuspend(current, a, b),
    nr::RT_SIGTIMEDWAIT => signal::rt_sigtimedwait(current, a, b, c, d),
    nr::RT_SIGQUEUEINFO => signal::rt_sigqueueinfo(current, a, b, c),
    nr::RT_TGSIGQUEUEINFO => signal::rt_tgsigqueueinfo(current, a, b, c, d),
    nr::RT_SIGRETURN => signal::rt_sigreturn(current, context),
    nr::SIGALTSTACK => signal::sigaltstack(current, context, a, b),
    nr::KILL => signal::kill(current, a, b),
    nr::TKILL => signal::tkill(current, a, b),
    nr::TGKILL => signal::tgkill(current, a, b, c),

    // Time and resources
    nr::CLOCK_GETTIME => time::clock_gettime(current, a, b),
    nr::CLOCK_GETRES => time::clock_getres(current, a, b),
    nr::CLOCK_SETTIME => time::clock_settime(current, a, b),
    nr::CLOCK_NANOSLEEP => time::clock_nanosleep(current, a, b, c, d),
    nr::NANOSLEEP => time::nanosleep(current, a, b),
    nr::GETTIMEOFDAY => time::gettimeofday(a, b),
    nr::SETTIMEOFDAY => time::settimeofday(current, a),
    nr::GETITIMER => time::getitimer(current, a, b),
    nr::SETITIMER => time::setitimer(current, a, b, c),
    nr::TIMER_CREATE => timer::timer_create(current, a, b, c),
    nr::TIMER_SETTIME => timer::timer_settime(current, a, b, c, d),
    nr::TIMER_GETTIME => timer::timer_gettime(current, a, b),
    nr::TIMER_GETOVERRUN => timer::timer_getoverrun(current, a),
    nr::TIMER_DELETE => timer::timer_delete(current, a),
    nr::TIMES => time::times(current, a),
    nr::GETRUSAGE => resource::getrusage(current, a, b),
    nr::PRLIMIT64 => resource::prlimit64(current, a, b, c, d),
    nr::GETRLIMIT => resource::getrlimit(current, a, b),
    nr::SETRLIMIT => resource::setrlimit(current, a, b),

    // The machine
    nr::UNAME => system::uname(a),
    nr::SETHOSTNAME => system::sethostname(current, a, b),
    nr::SETDOMAINNAME => system::setdomainname(current, a, b),
    nr::ADJTIMEX => adjust::adjtimex(current, a),
    nr::CLOCK_ADJTIME => adjust::clock_adjtime(current, a, b),
    nr::SYSINFO => system::sysinfo(a),
    nr::SYSLOG => syslog::syslog(current, a, b, c),
    nr::GETRANDOM => system::getrandom(a, b, c),
    nr::GETCPU => system::getcpu(a, b),
    nr::SCHED_YIELD => system::sched_yield(current),
    nr::SCHED_GETAFFINITY => system::sched_getaffinity(current, a, b, c),
    nr::SCHED_SETAFFINITY => system::sched_setaffinity(current, a, b, c),
    nr::SCHED_GETSCHEDULER => policy::sched_getscheduler(current, a),
    nr::SCHED_SETSCHEDULER => policy::sched_setscheduler(current, a, b, c),
    nr::SCHED_SETPARAM => policy::sched_setparam(current, a, b),
    nr::SCHED_SETATTR => policy::sched_setattr(current, a, b, c),
    nr::SCHED_GETATTR => policy::sched_getattr(current, a, b, c, d),
    nr::SCHED_GETPARAM => policy::sched_getparam(current, a, b),
    nr::SCHED_GET_PRIORITY_MAX => policy::sched_get_priority_max(a),
    nr::SCHED_GET_PRIORITY_MIN => policy::sched_get_priority_min(a),
    nr::SCHED_RR_GET_INTERVAL => policy::sched_rr_get_interval(current, a, b),
    nr::REBOOT => system::reboot(current, arguments(context)),
}
