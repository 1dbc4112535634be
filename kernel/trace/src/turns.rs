//! What others tell of traced threads: the scheduler of their turns, who pages out of their pages, who meets them in a call.

use mm::{Access, VirtAddr};
use sched::scheduler::{self, Turn};
use swap::Eviction;
use task::process;
use task::thread::Thread;

use crate::ring::{self, Glance};
use crate::{Span, What, note};

/// They tell from now on.
pub(crate) fn observe() {
    scheduler::set_observer(see);
    swap::set_observer(note_eviction);
    uaccess::set_observer(note_fault_in_kernel);
}

/// Called on the stack of the scheduler's loop.
fn see(thread: &Thread, turn: Turn) {
    match turn {
        Turn::Begins => ring::own().lock().last = Some(Glance::at_begin(thread)),
        Turn::Ends { begin, end, state } => {
            let counts = ring::since_last_look(thread);
            let span = Span {
                begin,
                end,
                has_slept: false,
                counts,
            };
            note(thread, What::Switch { state }, span);
        }
    }
}

/// The kernel met a page of the program that it had to make accessible, in a call.
fn note_fault_in_kernel(thread: &Thread, address: VirtAddr, access: Access) {
    let seen = Glance::now(thread);
    let Some(last) = ring::look(&seen) else { return };
    let what = What::Fault {
        address: address.0,
        access,
        is_kernels: true,
    };
    let span = Span {
        begin: seen.now,
        end: seen.now,
        has_slept: last.begins_turn,
        counts: Some(seen.counts.since(&last.counts)),
    };
    note(thread, what, span);
}

fn note_eviction(eviction: Eviction) {
    let thread = match eviction.owner {
        Some(pid) => process::find(pid).and_then(|process| process.first_thread()),
        None => Some(scheduler::current()),
    };
    let what = What::PagedOut {
        from: eviction.from.0,
        to: eviction.to.0,
        pages: eviction.pages,
    };
    if let Some(thread) = thread.filter(|thread| thread.is_traced()) {
        note(&thread, what, Span::now());
    }
}
