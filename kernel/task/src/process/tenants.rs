//! The processes as a walk over all address spaces finds them.

use super::{Pid, table};
use alloc::sync::Arc;
use sched::space::{self, Space, Tenants};

/// The table of processes.
struct ProcessTable;

impl Tenants for ProcessTable {
    fn next_from(&self, from: Pid) -> Option<(Pid, Option<Arc<Space>>)> {
        let process = table::next_from(from)?;
        Some((process.pid, process.space()))
    }
}

/// Walks over all spaces find the processes from now on. Once, at boot.
pub fn register_tenants() {
    space::register_tenants(&ProcessTable);
}
