//! A process group.

use crate::process::children::Siblings;
use crate::process::{Pid, Process};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// The processes of one group, all of one session.
pub(super) struct Group {
    pub session: Pid,
    pub members: Siblings,
    pub watch: Watch,
}

/// Whether a group is to be looked at when a process has left its relatives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// Nobody asked.
    Unasked,
    /// It needs not.
    No,
    /// It has a stopped member and somebody who could continue that.
    Yes,
}

impl Group {
    /// Puts a process without a group into this one, whose id is `id`.
    pub fn join(&mut self, process: Arc<Process>, id: Pid) {
        process.relations.group.store(id, Ordering::Relaxed);
        process.relations.session.store(self.session, Ordering::Relaxed);
        self.members
            .enter_member(process, |process| &process.places.group);
    }
}
