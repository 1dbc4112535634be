//! Running a program: the smallest there is, which the row writes itself, so that one binary is all that is needed.

use super::children::expect_success;
use super::report::Report;
use super::settings::Settings;
use super::{Row, filled, pages_of};
use crate::runtime::Result;
use crate::runtime::file::File;
use crate::runtime::process::{self, Fork};
use abi::file::OpenFlags;
use alloc::vec::Vec;

/// The rows of this file.
pub const ROWS: &[Row] = &[
    Row {
        name: "fork_exec_wait",
        run: fork_exec_wait,
    },
    Row {
        name: "vfork_exec_wait",
        run: vfork_exec_wait,
    },
];

/// Where the program lies.
pub const TINY: &str = "/tiny";

/// Programs run in one repeat. Each is given 16 random bytes (AT_RANDOM), which kernels make many at a time: so a repeat has
/// its share of that, and no repeat has all of it.
const PROGRAMS: u64 = 16;

/// fork, execve, wait; from a small parent and from one of 256 MiB.
fn fork_exec_wait(settings: &Settings, report: &mut Report) -> Result<()> {
    write_tiny()?;
    let sizes = settings.sizes_that_fit();
    for size in sizes.into_iter().filter(|size| [0, 256].contains(size)) {
        let _memory = filled(pages_of(size))?;
        let name = alloc::format!("fork_exec_wait/{size}");
        report.measure(&name, PROGRAMS, settings.repeats, |meter| {
            meter.time(|| (0..PROGRAMS).try_for_each(|_| fork_and_execute()))
        })?;
    }
    Ok(())
}

fn fork_and_execute() -> Result<()> {
    match process::fork_keeping_output()? {
        Fork::Child => {
            process::execute(TINY, &[TINY], &[]);
            process::exit_now(127)
        }
        Fork::Parent(child) => expect_success(process::wait_for_end(child)?),
    }
}

/// vfork, execve, wait.
fn vfork_exec_wait(settings: &Settings, report: &mut Report) -> Result<()> {
    write_tiny()?;
    report.measure("vfork_exec_wait", PROGRAMS, settings.repeats, |meter| {
        meter.time(|| (0..PROGRAMS).try_for_each(|_| vfork_and_execute()))
    })
}

fn vfork_and_execute() -> Result<()> {
    let child = process::vfork_exec(TINY, &[TINY], &[])?;
    expect_success(process::wait_for_end(child)?)
}

/// Writes it there.
pub fn write_tiny() -> Result<()> {
    write_program(TINY, &EXIT)
}

/// Writes a program of these instructions to `path`.
pub fn write_program(path: &str, code: &[u32]) -> Result<()> {
    let file = File::open(
        path,
        OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC,
        0o755,
    )?;
    file.write(&program(code))
}

/// `mov x0, #0`, `mov x8, #94`, `svc #0`: exit_group(0).
pub const EXIT: [u32; 3] = [0xd280_0000, 0xd280_0bc8, 0xd400_0001];

/// An ELF file of one segment that begins with the first of these instructions; elf(5).
fn program(code: &[u32]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let length = HEADERS + 4 * code.len() as u64;
    let mut file = Vec::new();
    // 64 bits, little-endian, version 1, System V.
    file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    // ET_EXEC, EM_AARCH64, EV_CURRENT; entry, program headers behind this one, no sections, no flags.
    file.extend_from_slice(&[2, 0, 183, 0, 1, 0, 0, 0]);
    for word in [BASE + HEADERS, 64, 0] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    // PT_LOAD, readable and executable: all of the file.
    for word in [1u32, 5] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for word in [0, BASE, BASE, length, length, 4096] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for instruction in code {
        file.extend_from_slice(&instruction.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tiny_program_is_as_long_as_its_headers_say() {
        let file = program(&EXIT);
        let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes"));
        assert_eq!(file.len(), 64 + 56 + 12);
        assert_eq!((word(24), word(32)), (0x40_0078, 64));
        assert_eq!(word(64 + 32), file.len() as u64);
    }
}
