//! What the walks over all spaces ask about the processes that live in them. The table of processes stands above, and says at boot
//! that it answers.

use super::Space;
use abi::process::Pid;
use alloc::sync::Arc;
use spin::Once;

/// Whoever knows all processes.
pub trait Tenants: Sync {
    /// The process with the lowest id that is `from` or higher: its id, and its space unless it has left it. Called with no lock held.
    fn next_from(&self, from: Pid) -> Option<(Pid, Option<Arc<Space>>)>;
}

static TENANTS: Once<&'static dyn Tenants> = Once::new();

/// Says who knows the processes. Once, at boot, before there are any.
pub fn register_tenants(tenants: &'static dyn Tenants) {
    TENANTS.call_once(|| tenants);
}

/// As [`Tenants::next_from`]; nobody before boot has said who knows.
pub fn next_from(from: Pid) -> Option<(Pid, Option<Arc<Space>>)> {
    TENANTS.get()?.next_from(from)
}
