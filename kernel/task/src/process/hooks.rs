//! What floors above the processes do when a session or the first process ends, and where a thread begins: each says so once, at
//! boot, and nothing down here names them.

use super::Pid;
use abi::process::WaitStatus;
use platform::thread::ThreadEntry;
use spin::Once;

static SESSION_ENDED: Once<fn(Pid)> = Once::new();
static INIT_ENDED: Once<fn(WaitStatus) -> !> = Once::new();
static THREAD_ENTRY: Once<ThreadEntry> = Once::new();

/// Has `act` called with each session whose leader has ended (setsid(2)), before its parent learns of the end. The leader's last
/// thread calls it, with no lock held.
pub fn on_session_end(act: fn(Pid)) {
    SESSION_ENDED.call_once(|| act);
}

/// Has `act` called with the status of the first process when that has ended. It does not come back.
pub fn on_init_end(act: fn(WaitStatus) -> !) {
    INIT_ENDED.call_once(|| act);
}

/// From now on threads begin with `entry`, on their own kernel stacks, when they are first switched to.
pub fn set_thread_entry(entry: ThreadEntry) {
    THREAD_ENTRY.call_once(|| entry);
}

/// The leader of the session ended.
pub(super) fn session_ended(session: Pid) {
    if let Some(act) = SESSION_ENDED.get() {
        act(session);
    }
}

/// The first process ended.
///
/// # Panics
/// Before [`on_init_end`].
pub(super) fn init_ended(status: WaitStatus) -> ! {
    let act = INIT_ENDED.get();
    act.expect("who makes the first process has said what its end means")(status)
}

/// Where threads begin.
///
/// # Panics
/// Before [`set_thread_entry`].
pub fn thread_entry() -> ThreadEntry {
    let entry = THREAD_ENTRY.get();
    *entry.expect("who makes threads has said where they begin")
}
