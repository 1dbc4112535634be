//! What threads leave behind that end because another dumps their process.

use crate::process::Pid;
use crate::thread::{Thread, ThreadExt};
use platform::user::{UserContext, UserRegisters};

/// The registers of a thread when it last ran at EL0.
pub struct Registers {
    /// Whose they are.
    pub tid: Pid,
    /// General registers.
    pub general: UserContext,
    /// v0 to v31.
    pub vectors: [u128; 32],
    /// Floating-point status and control.
    pub floating: [u32; 2],
    /// The thread pointer.
    pub tpidr: u64,
    /// Its signals: those that wait for it, those that it blocks.
    pub signals: [u64; 2],
}

impl Registers {
    /// Those of the running thread.
    pub fn of_running(thread: &Thread, context: &UserContext) -> Registers {
        let known = UserRegisters::running();
        Registers {
            tid: thread.tid(),
            general: *context,
            vectors: *known.v(),
            floating: [known.fpsr(), known.fpcr()],
            tpidr: known.tpidr(),
            signals: [thread.signals().pending().0, thread.signals().mask().0],
        }
    }
}

/// The running thread is about to end. If its process is being dumped its registers are kept for that, unless there is no memory
/// for them.
#[inline]
pub fn leave_registers(thread: &Thread, context: &UserContext) {
    if thread.process().is_being_dumped() {
        thread
            .process()
            .keep_registers(Registers::of_running(thread, context));
    }
}
