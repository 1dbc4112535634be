//! The kernel's stacks, added up along the calls of the finished kernel (`tests::stacks`): nothing is booted.

use anyhow::{Result, bail, ensure};
use tests::stacks::{self, Stacks};
use tests::{Kernel, Scene, Stage, watch};

pub const SCENES: &[Scene] = &[Scene::holstein("stacks.are_deep_enough", are_deep_enough)];

/// Bytes of a thread's stack and of a processor's (`platform/src/memory/stacks.rs`).
const THREAD: u64 = 16 << 10;
const PROCESSOR: u64 = 32 << 10;
/// What lies at the base of a thread's stack, with what an exception of the kernel itself needs.
const BASE: u64 = 1 << 10;
/// No function but those of boot may take more for itself.
const LARGEST_FRAME: u64 = 4 << 10;
const BOOT: [&str; 5] = [
    "boot::",
    "find_devices",
    "dtb::",
    "exception_vectors",
    "storage::begin",
];
/// Calls of closures and the like that are not followed, by lines of the source.
const MOST_UNKNOWN: usize = 64;
/// Whom a thread calls on its processor's stack (`platform::thread::on_stack_of`).
const ON_LENT_STACK: [&str; 3] = [
    "call_on_stack",
    "sched::interrupts::serve",
    "sched::time::timers::expire",
];

fn are_deep_enough(stage: &mut Stage) -> Result<()> {
    let Kernel::Holstein(image) = &stage.kernel else {
        bail!("only for Holstein")
    };
    let stacks = Stacks::of(&watch::elf_of(image)?)?;
    let thread = stacks.deepest("kernel::user_loop::start", &ON_LENT_STACK)?;
    let boot = stacks.deepest("start", &[ON_LENT_STACK[0]])?;
    let secondary = stacks.deepest("start_secondary", &[ON_LENT_STACK[0]])?;
    let interrupts = stacks.deepest("sched::scheduler::run", &[ON_LENT_STACK[0]])?;
    let ways = [
        ("a thread", &thread, THREAD - BASE),
        ("boot", &boot, PROCESSOR),
        ("another processor", &secondary, PROCESSOR),
        ("interrupts", &interrupts, PROCESSOR / 2 + LARGEST_FRAME),
    ];
    let mut text = format!(
        "{} lines with calls that are not followed\n",
        stacks.unknown.len()
    );
    for (what, way, room) in ways {
        println!("       {what}: {} bytes of {room}", way.bytes);
        text += &format!(
            "\n{what}: {} bytes of {room}\n{}\n",
            way.bytes,
            way.lines.join("\n")
        );
    }
    text.extend(
        stacks
            .unknown
            .iter()
            .map(|line| format!("\nnot followed: {line}")),
    );
    let report = stage.file("stacks.txt");
    std::fs::write(&report, text)?;
    if image.ends_with("kernel8-inspect.img") {
        return Ok(()); // not optimised, and never shipped: told only
    }
    for (what, way, room) in ways {
        let report = report.display();
        ensure!(
            way.bytes <= room,
            "{what}: {} bytes of {room}, see {report}",
            way.bytes
        );
    }
    ensure!(stacks.unknown.len() <= MOST_UNKNOWN, "{:#?}", stacks.unknown);
    let is_boot = |name: &str| BOOT.iter().any(|part| name.contains(part));
    let large = stacks.largest(40).into_iter();
    let large: Vec<_> = large
        .filter(|&(frame, name)| frame > LARGEST_FRAME && !is_boot(name))
        .collect();
    ensure!(
        large.is_empty(),
        "frames of more than {LARGEST_FRAME} bytes: {large:#?}"
    );
    ensure!(
        thread.bytes > stacks::LEAST,
        "{} bytes: calls are not followed",
        thread.bytes
    );
    Ok(())
}
