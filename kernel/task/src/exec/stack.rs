//! The first stack of a program, as the System V ABI for AArch64 and ld.so(8) expect it:
//!
//! ```text
//! STACK_TOP   8 zero bytes
//!             path of the program (AT_EXECFN)
//!             strings of the environment
//!             strings of the arguments
//!             "aarch64" (AT_PLATFORM), 16 random bytes (AT_RANDOM)
//!             auxiliary vector: pairs of words, AT_NULL last
//!             pointers to the environment, 0
//!             pointers to the arguments, 0
//!       sp -> number of arguments                          (16-byte aligned)
//! ```

use super::arguments::Arguments;
use super::image::Image;
use super::strings::nul_in;
use crate::processor_features;
use crate::rseq;
use crate::vdso::VDSO;
use abi::Errno;
use abi::process::{
    AT_BASE, AT_CLKTCK, AT_EGID, AT_ENTRY, AT_EUID, AT_EXECFN, AT_FLAGS, AT_GID, AT_HWCAP, AT_HWCAP2,
    AT_MINSIGSTKSZ, AT_NULL, AT_PAGESZ, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PLATFORM, AT_RANDOM, AT_RSEQ_ALIGN,
    AT_RSEQ_FEATURE_SIZE, AT_SECURE, AT_SYSINFO_EHDR, AT_UID,
};
use abi::signal::RtSigFrame;
use abi::signal::frame::FrameRecord;
use abi::zerocopy::IntoBytes;
use alloc::vec::Vec;
use formats::elf::Executable;
use memory::fallible::{self, TryVec};
use memory::map_errno;
use mm::{Backing, MapRequest, PAGE_SIZE, Protection, Purpose, Sharing, VirtAddr};
use sched::scheduler;
use sched::space::{ProgramLayout, Space};
use vfs::Credentials;

/// One past the highest byte of the stack.
const STACK_TOP: u64 = 0x7f_ffff_f000;
/// What exec lays down stays above, in the top GiB, which is the stack's alone unless it grows beyond.
const STACK_FLOOR: u64 = STACK_TOP - (1 << 30) + (1 << 21);
/// Mapped from the start, beside what the arguments need.
const FIRST_ROOM: u64 = 128 << 10;

const WORD: u64 = size_of::<u64>() as u64;
const PLATFORM: &[u8] = b"aarch64\0";
/// Bytes at `AT_RANDOM`.
const RANDOM: usize = 16;

/// Maps the stack and lays down everything that a program finds there. `acting`: who it acts for, and whether that is more
/// than its real user may. Returns the stack pointer.
///
/// # Errors
/// `E2BIG`: the limit of the stack does not let it be as large. `ENOMEM`. `EINTR`: the process is to end.
pub fn build(
    space: &Space,
    image: &Image,
    arguments: &Arguments,
    path: &[u8],
    acting: (&Credentials, bool),
    executable: &Executable,
    limit: u64,
) -> Result<u64, Errno> {
    let layout = Layout::of(arguments, path);
    let protection = Protection {
        read: true,
        write: true,
        execute: executable.is_stack_executable,
    };
    map(space, layout.sp, limit, protection)?;
    let mut random = [0; RANDOM];
    platform::random::fill(&mut random);
    let mut stack = Writer::new(space, layout.sp)?;
    stack.put(&(arguments.argument_count() as u64).to_ne_bytes())?;
    pointers(arguments, layout.arguments, &mut stack)?;
    stack.put(auxiliary_vector(image, executable, acting, &layout).as_bytes())?;
    stack.put(&random)?;
    stack.put(PLATFORM)?;
    stack.put_zeros(layout.arguments)?;
    for part in arguments.parts() {
        stack.put(part)?;
    }
    stack.put(path)?;
    stack.put_zeros(STACK_TOP)?;
    stack.flush()?;
    space
        .strings
        .set(layout.arguments, layout.environment, layout.path);
    let auxiliary_len = AUXILIARY * 2 * WORD;
    space
        .strings
        .set_auxiliary(layout.random - auxiliary_len, auxiliary_len);
    space.program.store(&ProgramLayout {
        code: image.code,
        data: image.data,
        stack: layout.sp,
    });
    Ok(layout.sp)
}

/// Where everything lies.
struct Layout {
    path: u64,
    environment: u64,
    arguments: u64,
    platform: u64,
    random: u64,
    sp: u64,
}

/// Entries of the auxiliary vector, `AT_NULL` included.
const AUXILIARY: u64 = 23;

impl Layout {
    fn of(arguments: &Arguments, path: &[u8]) -> Layout {
        let path = STACK_TOP - WORD - (path.len() as u64 + 1);
        let environment = path - arguments.variable_len() as u64;
        let strings = environment - arguments.argument_len() as u64;
        let platform = (strings - PLATFORM.len() as u64) & !15;
        let random = platform - RANDOM as u64;
        let words = 1 + arguments.argument_count() + 1 + arguments.variable_count() + 1;
        let sp = (random - AUXILIARY * 2 * WORD - words as u64 * WORD) & !15;
        let random = sp + words as u64 * WORD + AUXILIARY * 2 * WORD;
        Layout {
            path,
            environment,
            arguments: strings,
            platform: random + RANDOM as u64,
            random,
            sp,
        }
    }
}

/// Lays down the stack from below, a page at a time.
struct Writer<'a> {
    space: &'a Space,
    /// Where the bytes belong that are to be written next.
    at: u64,
    bytes: Vec<u8>,
    /// How many more lie in the same page.
    room: usize,
}

impl Writer<'_> {
    fn new(space: &Space, start: u64) -> Result<Writer<'_>, Errno> {
        let bytes = fallible::with_room(PAGE_SIZE.min((STACK_TOP - start) as usize))?;
        Ok(Writer {
            space,
            at: start,
            bytes,
            room: PAGE_SIZE - start as usize % PAGE_SIZE,
        })
    }

    /// Where the next byte belongs.
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.len() > self.room {
            return self.put_over_pages(bytes);
        }
        self.room -= bytes.len();
        self.bytes.try_extend(bytes)
    }

    #[cold]
    fn put_over_pages(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while bytes.len() > self.room {
            let (part, rest) = bytes.split_at(self.room);
            self.bytes.try_extend(part)?;
            self.flush()?;
            self.room = PAGE_SIZE;
            bytes = rest;
        }
        self.put(bytes)
    }

    /// Zeros up to that address: less than two paddings of 16 bytes.
    fn put_zeros(&mut self, end: u64) -> Result<(), Errno> {
        let len = (end - self.end()) as usize;
        self.put(&[0; 32][..len])
    }

    /// Writes what is there, within one page. `ENOMEM`; `EINTR` if the process is to end.
    fn flush(&mut self) -> Result<(), Errno> {
        self.space.write(self.at, &self.bytes)?;
        self.at = self.end();
        self.bytes.clear();
        scheduler::cond_resched_killable()
    }
}

/// A pointer to each argument, 0, a pointer to each variable, 0. The strings begin at `start`.
fn pointers(arguments: &Arguments, start: u64, stack: &mut Writer<'_>) -> Result<(), Errno> {
    let mut string = start;
    let mut left = arguments.argument_count();
    let mut part_start = start;
    for part in arguments.parts() {
        let mut at = 0;
        while let Some(len) = nul_in(&part[at..]) {
            if left == 0 {
                stack.put(&[0; WORD as usize])?;
            }
            left = left.wrapping_sub(1);
            stack.put(&string.to_ne_bytes())?;
            at += len + 1;
            string = part_start + at as u64;
        }
        part_start += part.len() as u64;
        scheduler::cond_resched_killable()?;
    }
    let ends = if left == 0 { 2 } else { 1 };
    stack.put(&[0; 2 * WORD as usize][..ends * WORD as usize])
}

fn auxiliary_vector(
    image: &Image,
    executable: &Executable,
    (credentials, is_secure): (&Credentials, bool),
    layout: &Layout,
) -> [[u64; 2]; AUXILIARY as usize] {
    [
        [AT_SYSINFO_EHDR, VDSO],
        [AT_HWCAP, processor_features::bits()],
        [AT_HWCAP2, 0],
        [AT_PAGESZ, PAGE_SIZE as u64],
        [AT_CLKTCK, abi::time::USER_HZ],
        [AT_PHDR, image.program_headers],
        [AT_PHENT, executable.program_header_len.into()],
        [AT_PHNUM, executable.program_header_count.into()],
        [AT_BASE, image.interpreter_base],
        [AT_FLAGS, 0],
        [AT_ENTRY, image.entry],
        [AT_UID, credentials.uid.into()],
        [AT_EUID, credentials.euid.into()],
        [AT_GID, credentials.gid.into()],
        [AT_EGID, credentials.egid.into()],
        [AT_SECURE, is_secure.into()],
        [AT_RANDOM, layout.random],
        [AT_PLATFORM, layout.platform],
        [AT_RSEQ_FEATURE_SIZE, rseq::FEATURE_LEN.into()],
        [AT_RSEQ_ALIGN, rseq::FIRST_LEN.into()],
        [AT_EXECFN, layout.path],
        [
            AT_MINSIGSTKSZ,
            (size_of::<RtSigFrame>() + size_of::<FrameRecord>()) as u64,
        ],
        [AT_NULL, 0],
    ]
}

/// Maps what is needed at once; the rest grows on demand down to the limit.
fn map(space: &Space, sp: u64, limit: u64, protection: Protection) -> Result<(), Errno> {
    let page = PAGE_SIZE as u64;
    let lowest = STACK_TOP
        .saturating_sub(limit)
        .max(STACK_FLOOR)
        .next_multiple_of(page);
    let start = (sp - FIRST_ROOM.min(sp)) & !(page - 1);
    let start = start.max(lowest);
    if start > sp {
        return Err(Errno::E2BIG);
    }
    let request = MapRequest {
        placement: mm::Placement::Fixed(VirtAddr(start)),
        len: STACK_TOP - start,
        protection,
        sharing: Sharing::Private,
        flags: mm::AreaFlags::NONE,
        backing: Backing::Anonymous,
        purpose: Purpose::Stack,
    };
    space
        .with(|space| space.map(memory::get(), request))
        .map(drop)
        .map_err(map_errno)
}
