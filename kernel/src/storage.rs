//! Disks at boot. Whatever is on one has to be waited for, so the rest of the boot is done by a thread of the kernel's own if there
//! is any.

use crate::boot;
use core::sync::atomic::{AtomicU64, Ordering};
use formats::bootargs::CommandLine;
use klog::{boot_arguments, error};
use pagecache::{reclaim, writeback};
use task::kernel_thread::{self, KernelWork};

/// What [`boot::finish`] is told.
static MOST_PROCESSES: AtomicU64 = AtomicU64::new(0);

/// Finds the disks, and sees to it that init is started.
pub fn begin(line: CommandLine<'static>, most_processes: u64) {
    if !block::find_disks() {
        return boot::finish(line, most_processes);
    }
    memory::register_shrinker(reclaim::shrink);
    MOST_PROCESSES.store(most_processes, Ordering::Relaxed);
    kernel_thread::start::<WriteBack>()
        .and_then(|()| kernel_thread::start::<Boot>())
        .expect("a machine that booted has memory for two threads");
}

/// What is left to do at boot.
struct Boot;

impl KernelWork for Boot {
    const NAME: &'static str = "boot";

    fn run() {
        block::scan_disks();
        if let Err(reason) = pagecache::register() {
            error!("Disks cannot be opened: {}", reason.message());
        }
        let line = boot_arguments::command_line().expect("it was kept");
        boot::finish(line, MOST_PROCESSES.load(Ordering::Relaxed));
    }
}

/// Writes back what is dirty.
struct WriteBack;

impl KernelWork for WriteBack {
    const NAME: &'static str = "writeback";

    fn run() {
        writeback::run()
    }
}
