//! Calls that write to files: for whom, and which signals their failures bring.

use abi::signal::info::SI_KERNEL;
use abi::signal::{SigInfo, Signal};
use sched::scheduler;
use task::signal;
use task::thread::{Thread, ThreadExt};
use vfs::caller::{Caller, IoFailure};

/// Makes a request for `current`, the thread that runs, and raises the signal that its failure brings: SIGPIPE (pipe(7)),
/// SIGXFSZ (setrlimit(2)).
#[inline(always)]
pub fn with_caller<R>(current: &Thread, request: impl FnOnce(&Caller<'_>) -> R) -> R {
    let caller = Caller::new(&**current.process());
    let result = request(&caller);
    if caller.failure() != IoFailure::None {
        tell(caller.failure());
    }
    result
}

/// Sends the running thread the signal that it has brought on itself.
#[cold]
fn tell(failure: IoFailure) {
    let signal = match failure {
        IoFailure::None => return,
        IoFailure::BrokenPipe => Signal::SIGPIPE,
        IoFailure::FileSizeLimit => Signal::SIGXFSZ,
    };
    signal::send_to_thread(&scheduler::current(), SigInfo::new(signal, SI_KERNEL));
}
