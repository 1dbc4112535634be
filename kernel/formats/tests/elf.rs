//! ELF programs: those of the cross compiler, hand-made ones, damaged ones.

mod here;

use formats::elf::{ElfError, Executable, PAGE_SIZE, Placement, USER_END};
use proptest::prelude::*;
use std::process::Command;

const FILE_LEN: u64 = 0x4000;

/// A header and program headers `[kind, flags, offset, vaddr, filesz, memsz, align]`.
fn program(kind: u16, entry: u64, headers: &[[u64; 7]]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([kind.to_le_bytes(), 183u16.to_le_bytes()].concat());
    file.extend(1u32.to_le_bytes());
    for word in [entry, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64, 56, headers.len() as u16, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for &[kind, flags, offset, vaddr, filesz, memsz, align] in headers {
        file.extend([(kind as u32).to_le_bytes(), (flags as u32).to_le_bytes()].concat());
        for word in [offset, vaddr, vaddr, filesz, memsz, align] {
            file.extend(word.to_le_bytes());
        }
    }
    file
}

const TEXT: [u64; 7] = [1, 5, 0, 0x40_0000, 0x1800, 0x1800, 0x1_0000];
const DATA: [u64; 7] = [1, 6, 0x1800, 0x41_1800, 0x100, 0x2000, 0x1_0000];
const STACK: [u64; 7] = [0x6474_e551, 6, 0, 0, 0, 0, 16];

fn parse(kind: u16, headers: &[[u64; 7]]) -> Result<Executable, ElfError> {
    Executable::parse(&program(kind, 0x40_0100, headers), FILE_LEN)
}

#[test]
fn a_static_program() {
    let program = parse(2, &[TEXT, DATA, STACK]).unwrap();
    assert_eq!(
        (program.placement, program.entry, program.alignment),
        (Placement::Fixed, 0x40_0100, 0x1_0000)
    );
    assert_eq!(
        (program.program_headers, program.program_header_count),
        (Some(0x40_0040), 3)
    );
    assert_eq!(program.span(), 0x40_0000..0x41_4000);
    let [text, data] = program.segments[..] else {
        panic!("two segments expected")
    };
    assert!(text.is_readable && text.is_executable && !text.is_writable);
    assert!(data.is_readable && !data.is_executable && data.is_writable);
    assert_eq!(
        (data.address, data.memory_len, data.file_offset, data.file_len),
        (0x41_1800, 0x2000, 0x1800, 0x100)
    );
    assert!(!program.is_stack_executable && program.interpreter.is_none());
    let mut stack = STACK;
    stack[1] = 7;
    assert!(parse(2, &[TEXT, stack]).unwrap().is_stack_executable);
}

#[test]
fn what_linux_does_not_mind() {
    let with = |index: usize, value: u64| {
        let mut data = DATA;
        data[index] = value;
        parse(2, &[TEXT, data]).unwrap()
    };
    assert_eq!(with(6, 3).alignment, 0x1_0000);
    assert_eq!(with(6, 1 << 63).alignment, 0x1_0000);
    assert_eq!(with(3, 0x40_0800).span(), 0x40_0000..0x40_3000, "overlapping");
    assert_eq!(with(3, 0x30_0800).span(), 0x30_0000..0x40_2000, "descending");
    assert_eq!(parse(2, &[DATA]).unwrap().entry, 0x40_0100, "outside");
}

#[test]
fn every_check_has_its_name() {
    let with = |index: usize, value: u64| {
        let mut data = DATA;
        data[index] = value;
        parse(2, &[TEXT, data]).unwrap_err()
    };
    assert_eq!(with(4, 0x2001), ElfError::FileLongerThanMemory);
    assert_eq!(with(2, 0x5800), ElfError::SegmentOutsideFile);
    assert_eq!(with(2, u64::MAX - 0x7ff), ElfError::SegmentOutsideFile);
    assert_eq!(with(3, 0x41_1801), ElfError::Misaligned);
    assert_eq!(with(3, USER_END - 0x800), ElfError::AddressOutOfRange);
    assert_eq!(with(3, u64::MAX - 0x7ff), ElfError::AddressOutOfRange);
    assert_eq!(with(5, u64::MAX), ElfError::AddressOutOfRange);
    assert_eq!(parse(2, &[STACK]).unwrap_err(), ElfError::NoSegments);
    assert_eq!(parse(2, &[]).unwrap_err(), ElfError::BadProgramHeaders);
    assert_eq!(parse(1, &[TEXT]).unwrap_err(), ElfError::WrongKind(1));
    let low = program(2, 0x100, &[[1, 5, 0, 0, 0x1800, 0x1800, 0]]);
    assert_eq!(
        Executable::parse(&low, FILE_LEN).unwrap_err(),
        ElfError::AddressOutOfRange
    );
    let low = program(3, 0x100, &[[1, 5, 0, 0, 0x1800, 0x1800, 0]]);
    assert_eq!(
        Executable::parse(&low, FILE_LEN).unwrap().placement,
        Placement::Anywhere
    );
    let many: Vec<_> = (0..17)
        .map(|i| [1, 5, 0, 0x40_0000 + i * 0x1_0000, 0x1000, 0x1000, 0])
        .collect();
    assert_eq!(parse(2, &many).unwrap_err(), ElfError::TooManySegments);
    let interpreter =
        |offset, len| parse(3, &[TEXT, [3, 4, offset, 0, len, len, 1]]).map(|program| program.interpreter);
    assert_eq!(interpreter(0x200, 27), Ok(Some((0x200, 27))));
    assert_eq!(interpreter(0x200, 1), Err(ElfError::BadInterpreter));
    assert_eq!(interpreter(0x3ff0, 27), Err(ElfError::BadInterpreter));
    assert_eq!(interpreter(u64::MAX, 27), Err(ElfError::BadInterpreter));
}

#[test]
fn headers_are_checked_before_they_are_followed() {
    let good = program(2, 0x40_0100, &[TEXT, DATA]);
    assert_eq!(Executable::parse(b"#!/bin/sh", 9).unwrap_err(), ElfError::NotElf);
    assert_eq!(
        Executable::parse(&good[..40], 40).unwrap_err(),
        ElfError::Truncated
    );
    assert_eq!(
        Executable::parse(&good[..100], 100).unwrap_err(),
        ElfError::Truncated
    );
    assert_eq!(
        Executable::parse(&good[..100], FILE_LEN).unwrap_err(),
        ElfError::HeadTooShort(64 + 2 * 56)
    );
    let with = |at: usize, byte: u8| {
        let mut file = good.clone();
        file[at] = byte;
        Executable::parse(&file, FILE_LEN).unwrap_err()
    };
    assert_eq!(with(4, 1), ElfError::WrongClass);
    assert_eq!(with(5, 2), ElfError::WrongClass);
    assert_eq!(with(18, 62), ElfError::WrongMachine(62));
    assert_eq!(with(54, 32), ElfError::BadProgramHeaders);
    assert_eq!(with(39, 0xff), ElfError::Truncated);
}

/// Compiles and links an assembly program.
fn link(name: &str, flags: &[&str]) -> Vec<u8> {
    let directory = here::scratch();
    let (source, target) = (directory.join(format!("{name}.s")), directory.join(name));
    let text = ".globl _start\n_start: adrp x0, word\n ldr x0, [x0, :lo12:word]\n b _start\n.data\nword: .quad 5\n.bss\n.skip 70000\n";
    std::fs::write(&source, text).unwrap();
    let status = Command::new("aarch64-linux-gnu-gcc")
        .args(["-nostdlib", "-o"])
        .args([&target, &source])
        .args(flags)
        .status()
        .expect("aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu) is needed");
    assert!(status.success());
    std::fs::read(target).unwrap()
}

#[test]
fn what_the_linker_makes_is_accepted() {
    let parse = |file: &[u8]| {
        Executable::parse(&file[..file.len().min(PAGE_SIZE as usize)], file.len() as u64).unwrap()
    };
    let fixed = parse(&link("fixed", &["-static", "-no-pie"]));
    assert_eq!((fixed.placement, fixed.interpreter), (Placement::Fixed, None));
    let last = fixed.segments.last().unwrap();
    assert!(last.is_writable && last.memory_len >= last.file_len + 70000);
    assert_eq!(
        parse(&link("pie", &["-static-pie"])).placement,
        Placement::Anywhere
    );
    let file = link("dynamic", &["-pie", "-Wl,--dynamic-linker=/lib/ld.so"]);
    let (offset, len) = parse(&file).interpreter.unwrap();
    assert_eq!(&file[offset as usize..][..len as usize], b"/lib/ld.so\0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), file_len: u64) {
        let _ = Executable::parse(&bytes, file_len);
    }

    #[test]
    fn whatever_passes_keeps_the_promises(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        words in proptest::collection::vec((0usize..28, prop::sample::select(vec![0u64, 1, 0xfff, 0x1000, 0x40_0000, USER_END, 1 << 63, u64::MAX])), 0..2),
        kind in 2u16..4,
    ) {
        let mut file = program(kind, 0x40_0100, &[TEXT, DATA, STACK, [3, 4, 0x200, 0, 9, 9, 1]]);
        for (index, byte) in damage {
            *index.get_mut(&mut file) = byte;
        }
        for (index, word) in words {
            file[64 + index * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        let Ok(program) = Executable::parse(&file, FILE_LEN) else { return Ok(()) };
        prop_assert!(!program.segments.is_empty() && program.alignment.is_power_of_two());
        prop_assert!(program.span().end < USER_END);
        for segment in &program.segments {
            prop_assert!(segment.memory_len != 0 && segment.file_len <= segment.memory_len);
            prop_assert!(segment.file_offset + segment.file_len <= FILE_LEN && segment.end() < USER_END);
            prop_assert_eq!(segment.address % PAGE_SIZE, segment.file_offset % PAGE_SIZE);
        }
        for segment in &program.segments {
            prop_assert!(program.span().start <= segment.address && segment.end() <= program.span().end);
        }
    }
}
