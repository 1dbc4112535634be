//! Programs, which anybody may write and execute.

use crate::seeds;
use formats::elf::{ElfError, Executable, MAX_PROGRAM_HEADERS, PAGE_SIZE, Placement, USER_END};

pub const WORDS: &[&[u8]] = &[
    b"\x7fELF\x02\x01\x01",
    b"\xb7\0",
    b"\x01\0\0\0",
    b"\x03\0\0\0",
    b"\x06\0\0\0",
    b"\x51\xe5\x74\x64",
    b"\x38\0",
    b"\0\0\0\0\x80\0\0\0",
    b"\0\x10\0\0\0\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// As a whole file, and as the head of a long one.
pub fn run(bytes: &[u8]) -> bool {
    check(bytes, bytes.len() as u64) | check(bytes, i64::MAX as u64)
}

fn check(head: &[u8], file_len: u64) -> bool {
    let program = match Executable::parse(head, file_len) {
        Ok(program) => program,
        Err(ElfError::HeadTooShort(needed)) => {
            assert!(needed > head.len() && needed as u64 <= file_len);
            return false;
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let span = program.span();
    assert!(span.end <= USER_END && span.start < span.end);
    assert!(program.placement == Placement::Anywhere || span.start >= PAGE_SIZE);
    assert!(program.alignment.is_power_of_two() && (PAGE_SIZE..USER_END).contains(&program.alignment));
    assert!((1..=MAX_PROGRAM_HEADERS).contains(&program.program_header_count.into()));
    assert!(program.program_headers.is_none_or(|address| address < USER_END));
    for segment in &program.segments {
        assert!(segment.memory_len > 0 && segment.file_len <= segment.memory_len);
        assert!(segment.file_offset + segment.file_len <= file_len);
        assert!(span.start <= segment.address && segment.end() <= span.end);
        assert_eq!(segment.address % PAGE_SIZE, segment.file_offset % PAGE_SIZE);
    }
    if let Some((offset, len)) = program.interpreter {
        assert!(offset + len <= file_len && len >= 2);
    }
    true
}

/// A whole program of a few KiB, and the heads of larger ones.
pub fn seeds() -> Vec<Vec<u8>> {
    const SMALL: &[u8] = b"int data[9] = {1}; void _start(void) { data[2]++; for (;;); }\n";
    const LARGE: &[u8] = b"int main(void) { return 0; }\n";
    let head = |options: &[&str]| {
        let mut program = seeds::arm64_program(LARGE, options);
        program.truncate(PAGE_SIZE as usize);
        program
    };
    let small = [
        "-static",
        "-nostdlib",
        "-s",
        "-Wl,-z,max-page-size=4096,--build-id=none",
    ];
    vec![
        seeds::arm64_program(SMALL, &small),
        head(&["-static"]),
        head(&["-pie"]),
        head(&["-no-pie", "-z", "execstack"]),
    ]
}
