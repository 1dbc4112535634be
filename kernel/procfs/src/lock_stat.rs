//! /proc/lock_stat: how often processors waited for the kernel's locks. The name is Linux's (`Documentation/locking/lockstat.rst`),
//! the columns are what this kernel counts.

use abi::Errno;

use super::text::Text;
use lock::contention;

/// One line for each rank, in the order of locking, and for the locks of the platform.
///
/// # Errors
/// None: that is the signature of entries. What finds no memory is told when the text is finished.
pub fn waits((): &(), text: &mut Text) -> Result<(), Errno> {
    text.add(format_args!(
        "{:<16} {:>12} {:>14} {:>12}\n",
        "class name", "contentions", "spins", "spins-max"
    ));
    for waits in contention::all() {
        row(text, waits.name, [waits.contentions, waits.spins, waits.longest]);
    }
    for waits in platform::lock::contention() {
        row(text, waits.name, [waits.contentions, waits.spins, waits.longest]);
    }
    Ok(())
}

fn row(text: &mut Text, name: &str, [contentions, spins, longest]: [u64; 3]) {
    text.add(format_args!(
        "{name:<16} {contentions:>12} {spins:>14} {longest:>12}\n"
    ));
}
