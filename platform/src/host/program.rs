//! Programs. A host does not run instructions of the board: a program is a function that is given the registers and changes them
//! until it wants something of the kernel. Its program counter is what it makes of it.

use crate::timer;
use crate::trap::{Exception, Syndrome};
use crate::user::UserContext;
use mm::Access;
use std::boxed::Box;
use std::sync::{Arc, PoisonError, RwLock};

/// What a program does until it comes back.
pub type Program = dyn Fn(&mut UserContext) -> Return + Send + Sync;

/// How a program comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Return {
    /// SVC: number in x8, arguments from x0 on.
    SystemCall,
    /// An access that the tables do not allow.
    Abort {
        /// Where.
        address: u64,
        /// How.
        access: Access,
    },
    /// BRK.
    Breakpoint,
    /// An instruction that does not exist.
    IllegalInstruction,
}

/// Time that a program takes each time it runs.
const STEP_NANOS: u64 = 10_000;

static PROGRAM: RwLock<Option<Arc<Program>>> = RwLock::new(None);

/// For tests: what all programs are from now on.
pub fn set_program(program: Box<Program>) {
    *PROGRAM.write().unwrap_or_else(PoisonError::into_inner) = Some(program.into());
}

/// Runs the program until it comes back, with its registers.
///
/// # Panics
/// When there is none.
pub fn run(context: &mut UserContext) -> (Exception, &mut UserContext) {
    timer::advance(STEP_NANOS);
    if crate::interrupt::is_pending() {
        return (Exception::interrupt(), context);
    }
    let program = PROGRAM.read().unwrap_or_else(PoisonError::into_inner).clone();
    let program = program.expect("set_program comes first");
    let exception = Exception::from_vector(word(program(context)));
    (exception, context)
}

/// What the vectors would say.
fn word(back: Return) -> u64 {
    use Syndrome::CLASS::Value as Class;
    let class = |class: Class| (class as u64) << Syndrome::CLASS.shift;
    match back {
        Return::SystemCall => class(Class::Svc64),
        Return::Breakpoint => class(Class::Brk64),
        Return::IllegalInstruction => class(Class::Unknown),
        Return::Abort { address, access } => {
            let (base, is_write) = match access {
                Access::Read => (Class::DataAbortUser, 0),
                Access::Write => (Class::DataAbortUser, 1),
                Access::Execute => (Class::InstructionAbortUser, 0),
            };
            let syndrome = class(base) | super::user_memory::fault_status(address, access) | is_write << 6;
            super::arch::set_fault(syndrome, address);
            syndrome
        }
    }
}
