//! The end: power off, restart, and an exit status for whoever runs the kernel in QEMU.

use crate::devices::likely;
use crate::devices::mmio::Mmio;
use crate::devices::watchdog::{self, Watchdog};
use crate::{arch, console, cpu, interrupt};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use formats::dtb::Conduit;
use smccc::{Hvc, Smc, psci};
use spin::{Mutex, Once};

/// Who turns this machine off.
#[derive(Clone, Copy)]
pub(crate) enum PowerControl {
    /// Firmware that speaks PSCI.
    Psci(Conduit),
    /// The Raspberry Pi's watchdog.
    Watchdog(Watchdog<Mmio>),
}

pub use crate::devices::watchdog::ResetReason;

/// The board's watchdog, where it has one.
static WATCHDOG: Once<Watchdog<Mmio>> = Once::new();

/// The board has this watchdog. One that was armed before us is stopped.
pub(crate) fn set_watchdog(watchdog: Watchdog<Mmio>) {
    let was_armed = WATCHDOG.call_once(|| watchdog).disarm();
    WAS_ARMED.store(was_armed, Ordering::Relaxed);
}

static WAS_ARMED: AtomicBool = AtomicBool::new(false);

/// Whether the watchdog was armed when the kernel came; it was stopped then.
pub fn found_watchdog_armed() -> bool {
    WAS_ARMED.load(Ordering::Relaxed)
}

/// Why the board was reset last, where a register tells.
pub fn reset_reason() -> Option<ResetReason> {
    WATCHDOG.get().map(Watchdog::reset_reason)
}

/// Arms the watchdog, or feeds it: it restarts the board when this was not called again for so many seconds. Returns after how many
/// it does, which are no more than it can count; `None` without a watchdog.
pub fn feed_watchdog(seconds: u32) -> Option<u32> {
    let watchdog = WATCHDOG.get()?;
    watchdog.feed(seconds);
    Some(seconds.min(watchdog::MOST_SECONDS))
}

static CONTROL: Mutex<Option<PowerControl>> = Mutex::new(None);

/// From now on `control` turns the machine off. Without it, the device that the load address suggests is tried.
pub(crate) fn set_control(control: PowerControl) {
    *CONTROL.lock() = Some(control);
}

fn control() -> Option<PowerControl> {
    // A processor that crashed while it held the lock must still be able to turn off.
    let known = CONTROL.try_lock().and_then(|control| *control);
    known.or_else(likely::power_control)
}

/// The processor that ends the machine, once one does.
static ENDS: AtomicUsize = AtomicUsize::new(NOBODY);
const NOBODY: usize = usize::MAX;

/// Makes this processor the only one that goes on: for the end of the machine. Another one stops as soon as it is at EL0, idle,
/// takes interrupts, or wants to write to the console, and it keeps the locks that it holds. Does not return on a second
/// processor that calls it: the first one ends the machine.
pub fn stop_others() {
    let own = cpu::number();
    // It says who goes on, and nothing that was stored before hangs on it.
    match ENDS.compare_exchange(NOBODY, own, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => interrupt::stop_others(),
        Err(ender) if ender == own => {}
        Err(_) => stop_here(),
    }
}

/// Whether another processor ends the machine, so that this one must stop.
pub(crate) fn is_ended_elsewhere() -> bool {
    let ender = ENDS.load(Ordering::Relaxed);
    ender != NOBODY && ender != cpu::number()
}

/// Before the machine ends: nobody else goes on, and the last words have left the UART.
fn come_to_rest() {
    stop_others();
    console::drain();
    arch::dsb_sy();
}

/// Turns the machine off. One that cannot be turned off halts.
pub fn off() -> ! {
    come_to_rest();
    match control() {
        Some(PowerControl::Psci(Conduit::Hvc)) => drop(psci::system_off::<Hvc>()),
        Some(PowerControl::Psci(Conduit::Smc)) => drop(psci::system_off::<Smc>()),
        Some(PowerControl::Watchdog(watchdog)) => watchdog.power_off(),
        None => {}
    }
    halt()
}

/// Restarts the machine. One that cannot be restarted halts.
pub fn restart() -> ! {
    come_to_rest();
    match control() {
        Some(PowerControl::Psci(Conduit::Hvc)) => drop(psci::system_reset::<Hvc>()),
        Some(PowerControl::Psci(Conduit::Smc)) => drop(psci::system_reset::<Smc>()),
        Some(PowerControl::Watchdog(watchdog)) => watchdog.restart(),
        None => {}
    }
    halt()
}

/// Ends QEMU with exit status `code`, if it was started with `-semihosting`. Elsewhere this is an undefined instruction, so it
/// is called only when the command line asks for it.
pub fn semihosting_exit(code: u32) -> ! {
    come_to_rest();
    arch::semihosting_exit(u64::from(code));
    off()
}

/// Sleeps for ever, deaf, as do all others.
pub fn halt() -> ! {
    come_to_rest();
    stop_here()
}

/// Stops this processor for ever. What it stored, and told devices, is complete: another one may wait for it and end the machine.
pub(crate) fn stop_here() -> ! {
    arch::mask_all();
    arch::dsb_sy();
    loop {
        arch::wfi();
    }
}
