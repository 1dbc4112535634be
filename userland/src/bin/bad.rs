//! `bad NAME`: a program that does what programs must not do, to see what becomes of it. `bad list` names the deeds
//! and what each should end in. A deed that the machine lets pass ends with exit status 2.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

use userland::runtime::memory::{Mapping, PAGE, Sharing};
use userland::runtime::{Errno, process, system, trespass};
use userland::{eprintln, println};

userland::entry!(program);

/// An address that no process has: the middle of the 39-bit range stays empty.
const WILD: usize = 0x20_0000_0000;

/// An address of the kernel's half.
const KERNEL: usize = 0xffff_ff80_0000_0000;

/// An address of neither half: not canonical.
const BETWEEN: usize = 0x00ff_0000_0000_0000;

/// A deed: its name, what it should end in, and the function.
type Deed = (&'static str, &'static str, fn() -> i32);

const DEEDS: [Deed; 29] = [
    ("wild-read", "SIGSEGV", || trespass::load(WILD)),
    ("wild-write", "SIGSEGV", || trespass::store(WILD)),
    ("wild-zero", "SIGSEGV", || trespass::zero_line(WILD)),
    ("null-read", "SIGSEGV", || trespass::load(0)),
    ("null-write", "SIGSEGV", || trespass::store(0)),
    ("null-jump", "SIGSEGV", || trespass::jump(0)),
    ("wild-jump", "SIGSEGV", || trespass::jump(WILD)),
    ("text-write", "SIGSEGV", || {
        trespass::store(program as fn(&[&str]) -> i32 as usize & !7)
    }),
    ("rodata-write", "SIGSEGV", || {
        trespass::store(DEEDS.as_ptr() as usize)
    }),
    ("data-jump", "SIGSEGV", data_jump),
    ("stack-jump", "SIGSEGV", || trespass::jump_to_stack()),
    ("kernel-read", "SIGSEGV", || trespass::load(KERNEL)),
    ("kernel-write", "SIGSEGV", || trespass::store(KERNEL)),
    ("kernel-jump", "SIGSEGV", || trespass::jump(KERNEL)),
    ("kernel-zero", "SIGSEGV", || trespass::zero_line(KERNEL)),
    ("between-read", "SIGSEGV", || trespass::load(BETWEEN)),
    ("stack-overflow", "SIGSEGV", || trespass::overflow_stack()),
    ("after-unmap", "SIGSEGV", after_unmap),
    ("undefined", "SIGILL", || trespass::undefined_instruction()),
    ("read-system", "SIGILL", || trespass::read_system_register()),
    ("write-system", "SIGILL", || trespass::write_system_register()),
    ("mask-interrupts", "SIGILL", || trespass::mask_interrupts()),
    ("hypervisor", "SIGILL", || trespass::call_hypervisor()),
    ("firmware", "SIGILL", || trespass::call_firmware()),
    ("breakpoint", "SIGTRAP", || trespass::breakpoint()),
    ("misaligned-sp", "SIGBUS (QEMU lets it pass)", || {
        trespass::misalign_stack()
    }),
    ("misaligned-pc", "SIGBUS", || trespass::misalign_program_counter()),
    ("misaligned-exclusive", "SIGBUS", || {
        trespass::misalign_exclusive()
    }),
    ("unknown-call", "ENOSYS and exit status 0", unknown_call),
];

fn program(arguments: &[&str]) -> i32 {
    let name = arguments.get(1).copied().unwrap_or("list");
    if name == "list" {
        DEEDS
            .iter()
            .for_each(|(name, end, _)| println!("{name:<22} {end}"));
        return 0;
    }
    match DEEDS.iter().find(|(found, ..)| *found == name) {
        Some((_, _, deed)) => deed(),
        None => {
            eprintln!("bad: {name}: no such deed; `bad list` lists them");
            1
        }
    }
}

/// Memory of our own, executable for nobody: holds a `ret`.
fn data_jump() -> i32 {
    const RET: u64 = 0xd65f_03c0;
    match Mapping::anonymous(PAGE, Sharing::Private) {
        Ok(memory) => {
            memory.store(0, RET);
            trespass::jump(memory.address())
        }
        Err(error) => fail(error),
    }
}

/// A page that was ours, had a frame, and is no longer.
fn after_unmap() -> i32 {
    match Mapping::anonymous(PAGE, Sharing::Private) {
        Ok(memory) => {
            memory.store(0, 1);
            let address = memory.address();
            drop(memory);
            trespass::load(address)
        }
        Err(error) => fail(error),
    }
}

/// Numbers that are no calls, also far outside the table.
fn unknown_call() -> i32 {
    for number in [244, 1000, 0xffff_ffff, usize::MAX] {
        let result = system::unknown_call(number);
        println!("call {number:#x}: {result:?}");
        if result != Err(Errno::ENOSYS) {
            return 2;
        }
    }
    println!("process {} lives on", process::id());
    0
}

fn fail(error: Errno) -> i32 {
    eprintln!("bad: {error}");
    1
}
