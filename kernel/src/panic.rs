//! The end by our own fault: the message, where it happened and how it came there, then what `panic=` says.

use core::panic::PanicInfo;
use klog::power;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    platform::crash::panic(info, power::after_panic())
}
