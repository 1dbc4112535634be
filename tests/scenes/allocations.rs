//! Allocations that fail: the built kernels have no way to the end of the kernel for want of memory, but while they boot; and in
//! the kernel with checks the n-th allocation of a thread's system call or page fault is refused, for every n (`tests/programs/fail_nth.c`).

use crate::program;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tests::calls::Calls;
use tests::{Kernel, Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::holstein("allocations.all_may_fail", all_may_fail),
    Scene::holstein("allocations.all_may_fail_checked", all_may_fail).checked(),
    Scene::holstein("allocations.fail_nth", fail_nth)
        .within_seconds(400)
        .checked(),
];

/// Where an allocation that may not fail ends when it does: the handler, and what stands before it in `alloc`.
const ENDS: [&str; 4] = [
    "__rust_alloc_error_handler",
    "alloc::alloc::handle_alloc_error",
    "alloc::raw_vec::handle_error",
    "alloc::raw_vec::capacity_overflow",
];

/// What `alloc` does on the way, for whoever calls it.
const GROWTH: [&str; 6] = [
    "alloc::",
    "<alloc::raw_vec::",
    "<alloc::vec::",
    "<alloc::string::",
    "<alloc::collections::",
    "__rust",
];

/// Who may come there: what runs before the first program does.
const BOOT: [&str; 19] = [
    "start",
    "high",
    "holstein_main",
    "kernel::main",
    "kernel::boot::start",
    "kernel::boot::register_interrupts",
    "kernel::boot::fill_tree",
    "kernel::boot::finish",
    "kernel::storage::begin",
    "task::kernel_thread::begin::<kernel::storage::Boot>",
    "<kernel::storage::Boot as task::kernel_thread::KernelWork>::run",
    "kernel::boot::load_init",
    "kernel::boot::start_processors",
    "kernel::watchdog::start",
    "<fs::initramfs::Unpacker>::unpack_archives",
    "fs::initramfs::unpack",
    "<task::process::Process>::first",
    "<vfs::permission::Subject>::kernel",
    "formats::gzip::inflate",
];

/// What is made once, by those: `spin::Once` keeps the way to making it in whoever asks for it later.
const MADE_AT_BOOT: [&str; 2] = [
    "<spin::once::Once<task::vdso::MappedPages>>::try_call_once_slow::<",
    "<spin::once::Once<platform::thread::KernelThread>>::try_call_once_slow::<",
];

/// Who calls a function of another's that would grow a list if it had to, and sees to it that it has not.
const NEVER_GROWS: [&str; 1] = ["inet::single::set_of::<"];

/// No system call, fault or interrupt can cause an allocation that ends the kernel where it fails. Looked at is the machine code, so
/// that nothing that was inlined, or that `alloc` does by itself, is overlooked.
fn all_may_fail(stage: &mut Stage) -> Result<()> {
    let Kernel::Holstein(image) = &stage.kernel else {
        return Ok(());
    };
    let name = image
        .file_stem()
        .context("an image has a name")?
        .to_string_lossy();
    let elf = image.with_file_name(name.replacen("kernel8", "kernel", 1) + ".elf");
    let begins_with = |name: &str, list: &[&str]| list.iter().any(|start| name.starts_with(start));
    let is_boot = |name: &str| {
        BOOT.contains(&name) || begins_with(name, &MADE_AT_BOOT) || begins_with(name, &NEVER_GROWS)
    };
    let is_growth = |name: &str| begins_with(name, &GROWTH);
    let is_end = |name: &str| ENDS.iter().any(|end| name.contains(end));
    let ways = Calls::of(&elf)?.ways_to(is_end);
    ensure!(
        ways.iter().any(|(from, _)| is_boot(from)),
        "not even the boot allocates"
    );
    // What comes there by one of the others only is not said.
    let others = ways.iter().filter(|(from, to)| {
        !is_boot(from)
            && !is_growth(from)
            && !is_end(from)
            && (BOOT.contains(&to.as_str()) || is_growth(to) || is_end(to))
    });
    let others: Vec<String> = others.map(|(from, to)| format!("{from} -> {to}")).collect();
    ensure!(
        others.is_empty(),
        "ways to the end of the kernel:\n    {}",
        others.join("\n    ")
    );
    Ok(())
}

fn fail_nth(stage: &mut Stage) -> Result<()> {
    let machine = Machine::Virt(Virt::default());
    let mut board = program::boot(stage, &machine, "", "fail_nth", "")?;
    board.set_step(Duration::from_secs(300));
    program::expect_success(&mut board, "fail_nth")
}
