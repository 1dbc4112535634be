//! The end: power off, restart, and an exit status for whoever runs the kernel in QEMU.

use crate::arch;
use crate::devices::mmio::Mmio;
use crate::devices::{likely, rpi4};
use formats::dtb::Conduit;
use smccc::{Hvc, Smc, psci};
use spin::Mutex;

/// Who turns this machine off.
#[derive(Clone, Copy)]
pub(crate) enum PowerControl {
    /// Firmware that speaks PSCI.
    Psci(Conduit),
    /// The Raspberry Pi's watchdog.
    Watchdog(Mmio),
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

/// Turns the machine off. One that cannot be turned off halts.
pub fn off() -> ! {
    arch::dsb_sy();
    match control() {
        Some(PowerControl::Psci(Conduit::Hvc)) => drop(psci::system_off::<Hvc>()),
        Some(PowerControl::Psci(Conduit::Smc)) => drop(psci::system_off::<Smc>()),
        Some(PowerControl::Watchdog(watchdog)) => rpi4::power_off(watchdog),
        None => {}
    }
    halt()
}

/// Restarts the machine. One that cannot be restarted halts.
pub fn restart() -> ! {
    arch::dsb_sy();
    match control() {
        Some(PowerControl::Psci(Conduit::Hvc)) => drop(psci::system_reset::<Hvc>()),
        Some(PowerControl::Psci(Conduit::Smc)) => drop(psci::system_reset::<Smc>()),
        Some(PowerControl::Watchdog(watchdog)) => rpi4::restart(watchdog),
        None => {}
    }
    halt()
}

/// Ends QEMU with exit status `code`, if it was started with `-semihosting`. Elsewhere this is an undefined instruction, so it
/// is called only when the command line asks for it.
pub fn semihosting_exit(code: u32) -> ! {
    arch::semihosting_exit(u64::from(code));
    off()
}

/// Sleeps for ever, deaf.
pub fn halt() -> ! {
    stop_here()
}

/// Stops this processor for ever.
pub(crate) fn stop_here() -> ! {
    arch::mask_all();
    loop {
        arch::wfi();
    }
}
