//! What of /proc/sys can be written: names, numbers, switches, the name of core files.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use abi::Errno;

use super::setting_file::{self, first_line};
use sched::scheduler::Setting;
use task::core_dump::pattern;
use task::uts::{MachineName, NAME_LEN};
use vfs::file_ops::FileOps;

/// Longer than any number.
const NUMBER_LEN: usize = 24;
/// A digit and a newline; what is longer is no switch.
const SWITCH_LEN: usize = 3;
/// The longest pattern, with its newline.
const PATTERN_LEN: usize = 128;

/// A number that can be written.
///
/// # Errors
/// `ENOMEM`. A write: `EINVAL` for what is no number, or none that it can be.
pub fn open_number(setting: &'static Setting) -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<NUMBER_LEN>(
        move |text| {
            text.add(format_args!("{}\n", setting.get()));
            Ok(())
        },
        move |written| setting.set(setting_file::number(written)?),
    )
}

/// A limit that can be written.
///
/// # Errors
/// `ENOMEM`. A write: `EINVAL` for what is no number, or none that it can be.
pub fn open_limit(get: fn() -> u64, set: fn(i64) -> Result<(), Errno>) -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<NUMBER_LEN>(
        move |text| {
            text.add(format_args!("{}\n", get()));
            Ok(())
        },
        move |written| set(setting_file::number(written)?),
    )
}

/// A switch, which reads 0 or 1.
///
/// # Errors
/// `ENOMEM`. A write: `EINVAL` for what is neither, as `proc_dointvec_minmax` of Linux has it.
pub fn open_switch(is_on: &'static AtomicBool) -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<SWITCH_LEN>(
        move |text| {
            text.add(format_args!("{}\n", u8::from(is_on.load(Ordering::Relaxed))));
            Ok(())
        },
        move |written| {
            let wanted = match written.trim_ascii() {
                b"0" => false,
                b"1" => true,
                _ => return Err(Errno::EINVAL),
            };
            is_on.store(wanted, Ordering::Relaxed);
            Ok(())
        },
    )
}

/// A name of the machine: the first line, cut to what fits.
///
/// # Errors
/// `ENOMEM`.
pub fn open_name(name: &'static MachineName) -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<NAME_LEN>(
        move |text| {
            name.with_bytes(|bytes| text.bytes(bytes));
            text.bytes(b"\n");
            Ok(())
        },
        move |written| {
            let line = first_line(written).split(|&byte| byte == 0).next();
            name.set(line.unwrap_or_default());
            Ok(())
        },
    )
}

/// The name of core files, core(5): the first line.
///
/// # Errors
/// `ENOMEM`. A write: `EINVAL` for a pipe to a program.
pub fn open_core_pattern() -> Result<Arc<dyn FileOps>, Errno> {
    setting_file::open::<PATTERN_LEN>(
        |text| {
            let (pattern, len) = pattern::get();
            text.bytes(&pattern[..len]);
            text.bytes(b"\n");
            Ok(())
        },
        |written| pattern::set(first_line(written)),
    )
}
