//! What a handler is told about its signal: `siginfo_t`, `asm-generic/siginfo.h`, sigaction(2). Named constructors only:
//! the structure is a C union, and which fields count is said by signal and code.

use super::Signal;
use crate::file::{POLLIN, POLLMSG, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM};
use core::mem::offset_of;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Code: kill(2).
pub const SI_USER: i32 = 0;
/// Code: the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// Code: sigqueue(3).
pub const SI_QUEUE: i32 = -1;
/// Code: a message has come to a POSIX message queue.
pub const SI_MESGQ: i32 = -3;
/// Code: a POSIX timer.
pub const SI_TIMER: i32 = -2;
/// Code: tkill(2) or tgkill(2).
pub const SI_TKILL: i32 = -6;

/// SIGILL: illegal opcode.
pub const ILL_ILLOPC: i32 = 1;
/// SIGILL: illegal operand.
pub const ILL_ILLOPN: i32 = 2;
/// SIGILL: illegal trap.
pub const ILL_ILLTRP: i32 = 4;
/// SIGILL: privileged opcode.
pub const ILL_PRVOPC: i32 = 5;

/// SIGFPE: integer division by zero.
pub const FPE_INTDIV: i32 = 1;
/// SIGFPE: floating-point division by zero.
pub const FPE_FLTDIV: i32 = 3;
/// SIGFPE: overflow.
pub const FPE_FLTOVF: i32 = 4;
/// SIGFPE: underflow.
pub const FPE_FLTUND: i32 = 5;
/// SIGFPE: inexact result.
pub const FPE_FLTRES: i32 = 6;
/// SIGFPE: invalid operation.
pub const FPE_FLTINV: i32 = 7;

/// SIGSEGV: nothing is mapped there.
pub const SEGV_MAPERR: i32 = 1;
/// SIGSEGV: the access is not permitted there.
pub const SEGV_ACCERR: i32 = 2;

/// SIGBUS: not aligned.
pub const BUS_ADRALN: i32 = 1;
/// SIGBUS: no memory there, for example behind the end of a mapped file.
pub const BUS_ADRERR: i32 = 2;
/// SIGBUS: hardware error of the object.
pub const BUS_OBJERR: i32 = 3;

/// SIGTRAP: breakpoint instruction.
pub const TRAP_BRKPT: i32 = 1;
/// SIGTRAP: single step.
pub const TRAP_TRACE: i32 = 2;
/// SIGTRAP: hardware breakpoint or watchpoint.
pub const TRAP_HWBKPT: i32 = 4;

/// SIGIO and what `F_SETSIG` names: there is input.
pub const POLL_IN: i32 = 1;
/// SIGIO and what `F_SETSIG` names: there is room for output.
pub const POLL_OUT: i32 = 2;
/// SIGIO: a message, of a directory that something happened in it.
pub const POLL_MSG: i32 = 3;
/// SIGIO and what `F_SETSIG` names: there is an urgent byte.
pub const POLL_PRI: i32 = 5;

/// SIGCHLD: the child ended by exit.
pub const CLD_EXITED: i32 = 1;
/// SIGCHLD: the child was ended by a signal.
pub const CLD_KILLED: i32 = 2;
/// SIGCHLD: the child was ended by a signal whose action dumps core.
pub const CLD_DUMPED: i32 = 3;
/// SIGCHLD: a traced child trapped.
pub const CLD_TRAPPED: i32 = 4;
/// SIGCHLD: the child stopped.
pub const CLD_STOPPED: i32 = 5;
/// SIGCHLD: the child went on.
pub const CLD_CONTINUED: i32 = 6;

/// `siginfo_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigInfo {
    /// The signal's number.
    pub signo: i32,
    /// An error number, mostly 0.
    pub errno: i32,
    /// Why: `SI_*`, `SEGV_*`, `CLD_*`...
    pub code: i32,
    /// Zero.
    pub pad: i32,
    /// The union, as little-endian words.
    pub fields: [u64; 14],
}
const _: () = assert!(size_of::<SigInfo>() == 128);
const _: () = assert!(offset_of!(SigInfo, fields) == 16);

impl SigInfo {
    /// Signal and code, nothing more.
    pub fn new(signal: Signal, code: i32) -> SigInfo {
        SigInfo {
            signo: signal.number() as i32,
            code,
            ..SigInfo::default()
        }
    }

    /// Sent by a process: kill(2) (`SI_USER`) or tkill(2) (`SI_TKILL`).
    pub fn sent(signal: Signal, code: i32, pid: u32, uid: u32) -> SigInfo {
        let mut info = SigInfo::new(signal, code);
        info.fields[0] = pair(pid, uid);
        info
    }

    /// Caused by an instruction: SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP with the address of the access or instruction.
    pub fn fault(signal: Signal, code: i32, address: u64) -> SigInfo {
        let mut info = SigInfo::new(signal, code);
        info.fields[0] = address;
        info
    }

    /// Something can be read (`POLL_IN`, of an urgent byte `POLL_PRI`) or written (`POLL_OUT`) through the descriptor: fcntl(2),
    /// `F_SETSIG`.
    pub fn poll(signal: Signal, code: i32, descriptor: i32) -> SigInfo {
        let events = match code {
            POLL_IN => POLLIN | POLLRDNORM,
            POLL_MSG => POLLIN | POLLRDNORM | POLLMSG,
            POLL_PRI => POLLPRI | POLLRDBAND,
            _ => POLLOUT | POLLWRNORM | POLLWRBAND,
        };
        let mut info = SigInfo::new(signal, code);
        info.fields[..2].copy_from_slice(&[events as u64, descriptor as u32 as u64]);
        info
    }

    /// A process sent a message to a POSIX message queue, with `si_value` of who asked to be told: mq_notify(3).
    pub fn message(signal: Signal, pid: u32, uid: u32, value: u64) -> SigInfo {
        let mut info = SigInfo::new(signal, SI_MESGQ);
        info.fields[..2].copy_from_slice(&[pair(pid, uid), value]);
        info
    }

    /// Sent by a timer, with its id and `si_value`: timer_create(2).
    pub fn timer(signal: Signal, id: i32, value: u64) -> SigInfo {
        let mut info = SigInfo::new(signal, SI_TIMER);
        info.fields[..2].copy_from_slice(&[pair(id as u32, 0), value]);
        info
    }

    /// Says how many periods a timer's signal is late.
    pub fn set_overrun(&mut self, overrun: i32) {
        self.fields[0] = pair(self.fields[0] as u32, overrun as u32);
    }

    /// SIGCHLD. `status` is the exit code or the signal's number, the times are in units of 1/`USER_HZ` second.
    pub fn child(code: i32, pid: u32, uid: u32, status: u32, utime: u64, stime: u64) -> SigInfo {
        let mut info = SigInfo::new(Signal::SIGCHLD, code);
        info.fields[..4].copy_from_slice(&[pair(pid, uid), status as u64, utime, stime]);
        info
    }

    /// The sender, for a signal sent by a process or about a child.
    pub fn pid(&self) -> u32 {
        self.fields[0] as u32
    }

    /// The sender's user, for a signal sent by a process or about a child.
    pub fn uid(&self) -> u32 {
        (self.fields[0] >> 32) as u32
    }

    /// The address, for a signal caused by an instruction.
    pub fn address(&self) -> u64 {
        self.fields[0]
    }

    /// Changes the address, for a signal caused by an instruction.
    pub fn set_address(&mut self, address: u64) {
        self.fields[0] = address;
    }

    /// The exit code or signal, for SIGCHLD.
    pub fn status(&self) -> u32 {
        self.fields[1] as u32
    }
}

/// Two 32-bit fields of the union in one word, the first lower.
fn pair(first: u32, second: u32) -> u64 {
    first as u64 | (second as u64) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_where_c_programs_read_them() {
        let child = SigInfo::child(CLD_EXITED, 12, 1000, 3, 7, 8);
        let bytes = child.as_bytes();
        let word = |offset: usize| i32::from_le_bytes(*bytes[offset..].first_chunk().unwrap());
        assert_eq!([word(0), word(4), word(8)], [17, 0, CLD_EXITED]);
        assert_eq!(
            [word(16), word(20), word(24), word(32), word(40)],
            [12, 1000, 3, 7, 8]
        );
        let fault = SigInfo::fault(Signal::SIGSEGV, SEGV_ACCERR, 0x7f_0000_1234);
        assert_eq!(fault.as_bytes()[16..24], 0x7f_0000_1234u64.to_le_bytes());
    }
}
