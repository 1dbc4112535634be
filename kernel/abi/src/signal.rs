//! Signals: signal(7), sigaction(2), sigaltstack(2), sigreturn(2). Here the numbers, their names and default actions,
//! sets and dispositions; [`info`] has what a handler is told, [`frame`] what lies on its stack.

pub mod frame;
pub mod info;

pub use frame::{FpsimdContext, RtSigFrame, SigContext, UContext};
pub use info::SigInfo;

use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// What happens to a process that did not say otherwise: the table in signal(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// The process ends and dumps core.
    Core,
    /// Nothing.
    Ignore,
    /// The process stops.
    Stop,
    /// A stopped process goes on.
    Continue,
}

/// Writes one constant for each signal and the tables of names, messages and default actions.
macro_rules! signals {
    ($($name:ident = $number:literal, $action:ident, $message:literal;)*) => {
        impl Signal {
            $(
                #[doc = concat!($message, ".")]
                pub const $name: Signal = Signal($number);
            )*

            /// The symbolic name, such as `SIGSEGV`; `SIGRT` for a real-time signal.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    _ => "SIGRT",
                }
            }

            /// What a shell prints of a process ended by it (strsignal(3)), such as "Segmentation fault".
            pub const fn message(self) -> &'static str {
                match self.0 {
                    $($number => $message,)*
                    _ => "Real-time signal",
                }
            }

            /// What it does to a process that did not say otherwise.
            pub const fn default_action(self) -> DefaultAction {
                match self.0 {
                    $($number => DefaultAction::$action,)*
                    _ => DefaultAction::Terminate,
                }
            }
        }
    };
}

signals! {
    SIGHUP = 1, Terminate, "Hangup";
    SIGINT = 2, Terminate, "Interrupt";
    SIGQUIT = 3, Core, "Quit";
    SIGILL = 4, Core, "Illegal instruction";
    SIGTRAP = 5, Core, "Trace/breakpoint trap";
    SIGABRT = 6, Core, "Aborted";
    SIGBUS = 7, Core, "Bus error";
    SIGFPE = 8, Core, "Floating point exception";
    SIGKILL = 9, Terminate, "Killed";
    SIGUSR1 = 10, Terminate, "User defined signal 1";
    SIGSEGV = 11, Core, "Segmentation fault";
    SIGUSR2 = 12, Terminate, "User defined signal 2";
    SIGPIPE = 13, Terminate, "Broken pipe";
    SIGALRM = 14, Terminate, "Alarm clock";
    SIGTERM = 15, Terminate, "Terminated";
    SIGSTKFLT = 16, Terminate, "Stack fault";
    SIGCHLD = 17, Ignore, "Child exited";
    SIGCONT = 18, Continue, "Continued";
    SIGSTOP = 19, Stop, "Stopped (signal)";
    SIGTSTP = 20, Stop, "Stopped";
    SIGTTIN = 21, Stop, "Stopped (tty input)";
    SIGTTOU = 22, Stop, "Stopped (tty output)";
    SIGURG = 23, Ignore, "Urgent I/O condition";
    SIGXCPU = 24, Core, "CPU time limit exceeded";
    SIGXFSZ = 25, Core, "File size limit exceeded";
    SIGVTALRM = 26, Terminate, "Virtual timer expired";
    SIGPROF = 27, Terminate, "Profiling timer expired";
    SIGWINCH = 28, Ignore, "Window changed";
    SIGIO = 29, Terminate, "I/O possible";
    SIGPWR = 30, Terminate, "Power failure";
    SIGSYS = 31, Core, "Bad system call";
}

impl Signal {
    /// The highest number (`_NSIG`).
    pub const COUNT: usize = 64;
    /// The first real-time signal.
    pub const SIGRTMIN: Signal = Signal(32);

    /// The signal of that number; `None` (`EINVAL`) outside 1 to 64.
    pub const fn new(number: u64) -> Option<Signal> {
        if number >= 1 && number <= Signal::COUNT as u64 {
            Some(Signal(number as u8))
        } else {
            None
        }
    }

    /// The number, 1 to 64.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The index in a table of 64: number - 1.
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// Whether it can be neither caught nor blocked nor ignored.
    pub const fn is_uncatchable(self) -> bool {
        matches!(self, Signal::SIGKILL | Signal::SIGSTOP)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

/// A set of signals: bit `number - 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// The two that can never be blocked.
    pub const UNBLOCKABLE: SigSet = SigSet::EMPTY.with(Signal::SIGKILL).with(Signal::SIGSTOP);
    /// The signals that an instruction of the process itself causes: they are delivered before all others.
    pub const SYNCHRONOUS: SigSet = SigSet::EMPTY
        .with(Signal::SIGSEGV)
        .with(Signal::SIGBUS)
        .with(Signal::SIGILL)
        .with(Signal::SIGTRAP)
        .with(Signal::SIGFPE)
        .with(Signal::SIGSYS);

    /// The set and that signal.
    pub const fn with(self, signal: Signal) -> SigSet {
        SigSet(self.0 | 1 << signal.index())
    }

    /// The set without that signal.
    pub const fn without(self, signal: Signal) -> SigSet {
        SigSet(self.0 & !(1 << signal.index()))
    }

    /// What is in either.
    pub const fn union(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    pub const fn difference(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }

    /// What is in both.
    pub const fn intersection(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }

    /// Whether the signal is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << signal.index()) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The signal of the lowest number.
    pub const fn first(self) -> Option<Signal> {
        if self.0 == 0 {
            None
        } else {
            Some(Signal(self.0.trailing_zeros() as u8 + 1))
        }
    }
}

/// Length of a set as rt_sigprocmask(2) and its sisters demand it in their last argument.
pub const SIGSET_SIZE: usize = 8;
const _: () = assert!(size_of::<SigSet>() == SIGSET_SIZE);

/// Disposition: the default action.
pub const SIG_DFL: u64 = 0;
/// Disposition: ignore.
pub const SIG_IGN: u64 = 1;
/// rt_sigprocmask: add to the mask.
pub const SIG_BLOCK: u32 = 0;
/// rt_sigprocmask: take from the mask.
pub const SIG_UNBLOCK: u32 = 1;
/// rt_sigprocmask: replace the mask.
pub const SIG_SETMASK: u32 = 2;

flags! {
    /// How a signal is handled: sigaction(2).
    pub struct SaFlags: u64 {
        /// No SIGCHLD when children stop.
        const SA_NOCLDSTOP = 0x1;
        /// Children leave nothing to wait for.
        const SA_NOCLDWAIT = 0x2;
        /// The handler takes three arguments.
        const SA_SIGINFO = 0x4;
        /// Never supported: lets programs see that unknown flags are cleared.
        const SA_UNSUPPORTED = 0x400;
        /// Tag bits of the address are shown.
        const SA_EXPOSE_TAGBITS = 0x800;
        /// The restorer field is set.
        const SA_RESTORER = 0x0400_0000;
        /// Run on the alternate stack.
        const SA_ONSTACK = 0x0800_0000;
        /// Restart the interrupted call.
        const SA_RESTART = 0x1000_0000;
        /// Do not block the signal in its handler.
        const SA_NODEFER = 0x4000_0000;
        /// Back to the default action when the handler is entered.
        const SA_RESETHAND = 0x8000_0000;
    }
}

/// What to do with a signal, as rt_sigaction(2) takes it (`asm-generic/signal.h`, with arm64's `SA_RESTORER`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigAction {
    /// Address of the handler, `SIG_DFL` or `SIG_IGN`.
    pub handler: u64,
    /// How.
    pub flags: SaFlags,
    /// Where the handler returns to, with `SA_RESTORER`.
    pub restorer: u64,
    /// Blocked while the handler runs.
    pub mask: SigSet,
}
const _: () = assert!(size_of::<SigAction>() == 32);

flags! {
    /// The state of an alternate stack: sigaltstack(2).
    pub struct SsFlags: u32 {
        /// The alternate stack is in use (answer only).
        const SS_ONSTACK = 1;
        /// There is no alternate stack.
        const SS_DISABLE = 2;
        /// The alternate stack is disabled while a handler runs on it.
        const SS_AUTODISARM = 1 << 31;
    }
}

/// Least size of an alternate stack (arm64's value).
pub const MINSIGSTKSZ: u64 = 5120;
/// Usual size of an alternate stack (arm64's value).
pub const SIGSTKSZ: u64 = 16384;

/// An alternate stack: sigaltstack(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StackT {
    /// Its lowest byte.
    pub sp: u64,
    /// Its state.
    pub flags: SsFlags,
    /// Zero.
    pub pad: u32,
    /// Its size.
    pub size: u64,
}
const _: () = assert!(size_of::<StackT>() == 24);

/// How a timer tells: by a signal to the process.
pub const SIGEV_SIGNAL: i32 = 0;
/// Not at all.
pub const SIGEV_NONE: i32 = 1;
/// By a thread of libc's: a signal, to the kernel.
pub const SIGEV_THREAD: i32 = 2;
/// By a signal to one thread.
pub const SIGEV_THREAD_ID: i32 = 4;

/// How a timer tells that it expired: timer_create(2), sigevent(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigEvent {
    /// `si_value` of the signal.
    pub value: u64,
    /// The signal.
    pub signo: i32,
    /// `SIGEV_*`.
    pub notify: i32,
    /// The thread, for `SIGEV_THREAD_ID`.
    pub thread: i32,
    /// Not used.
    pub pad: [u32; 11],
}
const _: () = assert!(size_of::<SigEvent>() == 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_1_to_64_are_no_signals() {
        assert_eq!(Signal::new(0), None);
        assert_eq!(Signal::new(65), None);
        assert_eq!(Signal::new(1 << 32 | 9), None);
        assert_eq!(Signal::new(11), Some(Signal::SIGSEGV));
        assert_eq!(
            Signal::new(64).unwrap().default_action(),
            DefaultAction::Terminate
        );
    }

    #[test]
    fn a_set_is_a_word_of_bits() {
        let set = SigSet::EMPTY.with(Signal::SIGCHLD).with(Signal::SIGHUP);
        assert_eq!(set.0, 1 << 16 | 1);
        assert_eq!(set.first(), Some(Signal::SIGHUP));
        assert_eq!(set.without(Signal::SIGHUP).first(), Some(Signal::SIGCHLD));
        assert!(
            SigSet(u64::MAX)
                .difference(SigSet::UNBLOCKABLE)
                .contains(Signal::new(64).unwrap())
        );
        assert_eq!(SigSet::UNBLOCKABLE.0, 1 << 8 | 1 << 18);
        assert_eq!(SigSet::EMPTY.first(), None);
    }
}
