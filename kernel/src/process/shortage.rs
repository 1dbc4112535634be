//! When there is no frame for a page that a program may well use, somebody has to end: the process that maps most memory,
//! whoever asked. Never the first process while there is another one: the machine would not outlive it.

use super::{INIT, Process, all};
use crate::{memory, scheduler};
use abi::process::WaitStatus;
use abi::signal::Signal;
use alloc::sync::Arc;

/// Lets another process end, so that the caller may try again; false if the caller is to make do without. `process` is the
/// running one. No lock may be held: others run meanwhile.
#[cold]
pub fn make_room(process: &Process) -> bool {
    if process.is_ending() {
        return false;
    }
    let others = all()
        .into_iter()
        .filter(|other| other.pid != INIT && !other.is_zombie());
    let Some(victim) = others.max_by_key(|other| weight(other)) else {
        return false;
    };
    if victim.pid == process.pid {
        return false;
    }
    if !victim.is_ending() {
        end(&victim);
    }
    scheduler::yield_now(&scheduler::current());
    true
}

/// Ends a process by a signal that it cannot catch, and says why.
#[cold]
pub fn end(process: &Arc<Process>) {
    crate::error!(
        "Out of memory: killed process {} ({})",
        process.pid,
        process.name()
    );
    process.end(WaitStatus::Signaled {
        signal: Signal::SIGKILL.number(),
        core: false,
    });
}

/// What its end gives back, roughly. One that ends already comes first: nobody else has to while it does.
fn weight(process: &Process) -> u64 {
    if process.is_ending() {
        return u64::MAX;
    }
    process
        .with_space(|space| space.resident_pages(memory::get()))
        .unwrap_or(0)
}
