//! Signals. Programs do not write handlers: a signal is noted ([`Disposition::Note`]) and asked for later, or a fault is
//! told to another process and ends this one ([`report_faults_to`]).

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::raw::syscall;
use super::{Result, file, process};
use abi::nr;
use abi::signal::{SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_SETMASK, SIGSET_SIZE, SaFlags};
use abi::signal::{SigAction, SigInfo, SigSet};

pub use abi::signal::Signal;

/// What is to happen at a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// As the table in signal(7) says.
    Default,
    /// Nothing.
    Ignore,
    /// It is noted for [`take`], and interrupts waiting calls (EINTR).
    Note,
}

/// Bit `number - 1`: noted and not yet taken.
static NOTED: AtomicU64 = AtomicU64::new(0);

/// Where faults are told; -1: nowhere.
static REPORT: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(signal: i32) {
    NOTED.fetch_or(1 << (signal - 1), Ordering::Relaxed);
}

/// Writes what the kernel told about the fault as three words and ends the process, with the signal in the status.
extern "C" fn report(signal: i32, info: &SigInfo, _context: usize) {
    let words = [signal as u64, info.code as u64, info.address()];
    let mut bytes = [0; 24];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    // The status tells that there was a fault even if the words cannot be written.
    let _ = file::write_all(REPORT.load(Ordering::Relaxed), &bytes);
    process::exit_now(128 + signal)
}

/// Where a handler returns to. Linux would use its vDSO; SA_RESTORER works with and without one.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn restorer() {
    core::arch::naked_asm!("mov x8, {number}", "svc #0", number = const nr::RT_SIGRETURN)
}

/// The host delivers no signals here: no action is ever set.
#[cfg(not(target_arch = "aarch64"))]
extern "C" fn restorer() {}

fn install(signal: Signal, handler: usize, flags: SaFlags) -> Result<()> {
    let action = SigAction {
        handler: handler as u64,
        flags: flags | SaFlags::SA_RESTORER,
        restorer: restorer as *const () as u64,
        mask: SigSet::EMPTY,
    };
    let arguments = [
        signal.number() as usize,
        &raw const action as usize,
        0,
        SIGSET_SIZE,
    ];
    // SAFETY: the handlers above use atomics and system calls only, so they may interrupt anything.
    unsafe { syscall(nr::RT_SIGACTION, arguments) }.map(drop)
}

/// Sets what happens at a signal; EINVAL for SIGKILL and SIGSTOP.
pub fn set(signal: Signal, disposition: Disposition) -> Result<()> {
    match disposition {
        Disposition::Default => install(signal, SIG_DFL as usize, SaFlags::empty()),
        Disposition::Ignore => install(signal, SIG_IGN as usize, SaFlags::empty()),
        Disposition::Note => install(signal, note as *const () as usize, SaFlags::empty()),
    }
}

/// Whether the signal was noted since the last time it was taken.
pub fn take(signal: Signal) -> bool {
    let bit = 1 << signal.index();
    NOTED.fetch_and(!bit, Ordering::Relaxed) & bit != 0
}

/// From now on a fault of this process is written to the descriptor as three words (signal, si_code, si_addr; 64 bits
/// each) and ends the process with status 128 + signal.
pub fn report_faults_to(descriptor: i32) -> Result<()> {
    REPORT.store(descriptor, Ordering::Relaxed);
    for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGTRAP] {
        install(
            signal,
            report as *const () as usize,
            SaFlags::SA_SIGINFO | SaFlags::SA_NODEFER,
        )?;
    }
    Ok(())
}

fn mask(how: u32, set: SigSet) -> Result<SigSet> {
    let mut old = SigSet::EMPTY;
    let arguments = [
        how as usize,
        &raw const set as usize,
        &raw mut old as usize,
        SIGSET_SIZE,
    ];
    // SAFETY: the kernel reads one set and writes one.
    unsafe { syscall(nr::RT_SIGPROCMASK, arguments) }?;
    Ok(old)
}

/// Keeps signals waiting; the mask before.
pub fn block(set: SigSet) -> Result<SigSet> {
    mask(SIG_BLOCK, set)
}

/// Sets the mask.
pub fn set_mask(set: SigSet) -> Result<()> {
    mask(SIG_SETMASK, set).map(drop)
}

/// kill(2): 0 is this process group, -1 everybody, below that a process group.
pub fn send(pid: i32, signal: Signal) -> Result<()> {
    // SAFETY: touches no memory.
    unsafe { syscall(nr::KILL, [pid as usize, signal.number() as usize]) }.map(drop)
}

/// Whether there is such a process that we may send signals to: signal 0.
pub fn probe(pid: i32) -> Result<()> {
    // SAFETY: touches no memory.
    unsafe { syscall(nr::KILL, [pid as usize, 0]) }.map(drop)
}

/// The signal of that name, with or without `SIG`, or of that number.
pub fn by_name(name: &str) -> Option<Signal> {
    if let Ok(number) = name.parse() {
        return Signal::new(number);
    }
    let upper = name.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    (1..32)
        .filter_map(Signal::new)
        .find(|signal| signal.name().strip_prefix("SIG") == Some(name))
}
