//! Programs that do what they must not. Each is ended by the right signal, and the kernel does not mind.
//! A misaligned stack pointer is not among them: QEMU's processor does not check it.

use crate::busybox;
use crate::memory::free_memory;
use anyhow::{Context, Result, bail, ensure};
use tests::{Machine, Scene, Stage};

pub const SCENES: &[Scene] = &[
    Scene::portable("bad_programs.virt", |stage| all_of_them(stage, None)),
    Scene::holstein("bad_programs.raspi4b", |stage| {
        all_of_them(stage, Some(Machine::raspi4b()?))
    }),
    Scene::portable("bad_programs.our_own", our_own),
];

const ABORTED: u32 = 128 + 6;
const BUS_ERROR: u32 = 128 + 7;
const ILLEGAL_INSTRUCTION: u32 = 128 + 4;
const SEGMENTATION_FAULT: u32 = 128 + 11;
const TRAP: u32 = 128 + 5;

/// What `tests/programs/bad.c` does, and the exit status that the shell sees.
const ACTS: &[(&str, u32)] = &[
    ("load_null", SEGMENTATION_FAULT),
    ("store_null", SEGMENTATION_FAULT),
    ("load_wild", SEGMENTATION_FAULT),
    ("load_kernel", SEGMENTATION_FAULT),
    ("store_kernel", SEGMENTATION_FAULT),
    ("load_not_canonical", SEGMENTATION_FAULT),
    ("store_text", SEGMENTATION_FAULT),
    ("jump_null", SEGMENTATION_FAULT),
    ("jump_data", SEGMENTATION_FAULT),
    ("jump_stack", SEGMENTATION_FAULT),
    ("jump_kernel", SEGMENTATION_FAULT),
    ("jump_odd", BUS_ERROR),
    ("stack_overflow", SEGMENTATION_FAULT),
    ("stack_pointer_away", SEGMENTATION_FAULT),
    ("undefined", ILLEGAL_INSTRUCTION),
    ("privileged", ILLEGAL_INSTRUCTION),
    ("system_register", ILLEGAL_INSTRUCTION),
    ("read_counters", ILLEGAL_INSTRUCTION),
    ("read_counters_as_user", ILLEGAL_INSTRUCTION),
    ("set_counter", ILLEGAL_INSTRUCTION),
    ("hypervisor_call", ILLEGAL_INSTRUCTION),
    ("breakpoint", TRAP),
    ("unaligned_exclusive", BUS_ERROR),
    ("abort_itself", ABORTED),
    ("protected_page", SEGMENTATION_FAULT),
    ("beyond_file", BUS_ERROR),
    ("handler_without_stack", SEGMENTATION_FAULT),
    ("return_from_no_signal", SEGMENTATION_FAULT),
];

fn all_of_them(stage: &mut Stage, machine: Option<Machine>) -> Result<()> {
    let mut shell = busybox::boot_with_program(stage, "bad", machine)?;
    let mut wrong = Vec::new();
    let mut before = None;
    for (act, expected) in ACTS {
        let output = shell.run(&format!("/bad {act}; echo status $?"))?;
        if !output.contains(&format!("status {expected}\n")) {
            wrong.push(format!("{act}: expected {expected}, got {output:?}"));
        }
        // The first one has warmed the caches up.
        if before.is_none() {
            before = Some(free_memory(&mut shell)?);
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n    "));
    shell.check("/bad nothing; echo status $?", "^nothing happened\nstatus 1$")?;
    let lost = before.unwrap_or_default() - free_memory(&mut shell)?;
    ensure!(lost <= stage.tolerated_loss(), "{lost} KiB were lost");
    shell.type_line("poweroff")?;
    shell.expect_end()
}

/// The deeds of our own `bad`, which lists the signal that each must bring, from our own shell.
fn our_own(stage: &mut Stage) -> Result<()> {
    let load = stage.load();
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    let list = shell.check("bad list", "^wild-read +SIGSEGV$")?;
    for line in list.lines() {
        let (deed, outcome) = line.split_once(' ').with_context(|| line.to_owned())?;
        let expected = match outcome.trim() {
            "SIGSEGV" => "Segmentation fault\nstatus 139",
            "SIGBUS" => "Bus error\nstatus 135",
            "SIGILL" => "Illegal instruction\nstatus 132",
            "SIGTRAP" => "Trace/breakpoint trap\nstatus 133",
            "SIGBUS (QEMU lets it pass)" => "the machine let it pass\nstatus 2",
            "ENOSYS and exit status 0" => "process \\d+ lives on\nstatus 0",
            other => bail!("{deed}: {other:?} is not known to this scene"),
        };
        shell.check(&format!("bad {deed}; echo status $?"), &format!("{expected}$"))?;
    }
    shell.type_line("poweroff")?;
    shell.expect_end()
}
