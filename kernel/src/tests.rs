//! The whole kernel on a host: it boots from an initramfs, its first process starts one process for each story, and each story is a
//! program that asks the kernel for what programs ask.

mod archive;
mod files;
mod internet;
mod io;
mod late_object;
mod late_pages;
mod memory;
mod proc_files;
mod processes;
mod program;
mod signals;
mod user_memory;
mod wire;

use abi::nr;
use abi::process::WaitStatus;
use abi::reboot::{LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2};
use io::Io;
use platform::host;
use platform::host::power::{self, End};
use program::User;
use std::time::Duration;

/// Where the first program stands.
const INIT: u64 = 0x40_0000;
/// Where another program stands that is there to be executed.
const OTHER: u64 = 0x80_0000;
/// Stories stand here, one behind the other; then what they start.
const STORIES: u64 = 0x100_0000;
const HELPERS: u64 = 0x200_0000;
const STEP: u64 = 0x10;
/// A page of data that every process has, for it is a copy of the first one.
const DATA: u64 = INIT + 0x1000;

type Story = (&'static str, fn(&Io));

const LISTS: [&[Story]; 9] = [
    files::STORIES,
    internet::STORIES,
    wire::STORIES,
    memory::STORIES,
    processes::STORIES,
    proc_files::STORIES,
    signals::STORIES,
    user_memory::STORIES,
    late_pages::STORIES,
];

fn stories() -> impl Iterator<Item = (u64, Story)> {
    let all = LISTS.iter().copied().flatten().copied();
    all.enumerate()
        .map(|(at, story)| (STORIES + at as u64 * STEP, story))
}

/// The first process: starts each story and waits for it, then turns the machine off.
fn init(user: &User) {
    let io = Io::new(user);
    assert_eq!(user.call(nr::GETPID, &[]), 1);
    for (at, (name, _)) in stories() {
        let child = io.fork(at);
        let status = io.wait(child);
        assert_eq!(status, WaitStatus::Exited(0).encode(), "story {name}");
    }
    let magic = [
        LINUX_REBOOT_MAGIC1,
        LINUX_REBOOT_MAGIC2,
        LINUX_REBOOT_CMD_POWER_OFF,
    ]
    .map(u64::from);
    user.call(nr::REBOOT, &magic);
}

fn initramfs() -> Vec<u8> {
    let folder = |path| (path, 0o040_755, Vec::new());
    archive::cpio(&[
        folder("dev"),
        folder("proc"),
        folder("sys"),
        folder("tmp"),
        ("init", 0o100_755, archive::elf(INIT)),
        ("other", 0o100_755, archive::elf(OTHER)),
        ("text", 0o100_644, b"some text\n".repeat(1_000)),
        ("script", 0o100_755, b"#!/other of a script\n".to_vec()),
    ])
}

#[test]
fn a_machine_boots_and_programs_tell_their_stories() {
    program::place(INIT, init);
    program::place(OTHER, processes::other);
    stories().for_each(|(at, (_, story))| program::place(at, move |user| story(&Io::new(user))));
    signals::place_handlers();
    processes::place_helpers();
    host::program::set_program(Box::new(program::step));
    std::thread::spawn(|| {
        let archive = Vec::leak(initramfs());
        let boot = host::boot(128 << 20, "loglevel=7 maxcpus=4 one two=three", Some(archive));
        crate::boot::start(boot)
    });
    let end = power::wait_for_end(Duration::from_secs(120));
    let written = host::console::take_written();
    let written = String::from_utf8_lossy(&written);
    assert_eq!(program::failure(), None, "{written}");
    assert_eq!(end, Some(End::Off), "{written}");
    assert!(written.contains("Run /init as init process"), "{written}");
    assert!(written.contains("reboot: Power down"), "{written}");
    assert!(processes::has_held_back(&written), "{written:?}");
}
