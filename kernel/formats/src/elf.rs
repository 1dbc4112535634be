//! Programs for AArch64: elf(5), the System V ABI (gABI) chapters 4 and 5, and what Linux's `fs/binfmt_elf.c` makes of
//! them. All that exec maps is checked here; a program that passes can be mapped without further questions to the file.

use arrayvec::ArrayVec;
use core::fmt;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Loadable segments of one program: more are refused.
pub const MAX_SEGMENTS: usize = 16;
/// Program headers of one program: more are refused, as by Linux (64 KiB of them).
pub const MAX_PROGRAM_HEADERS: usize = 65536 / 56;
/// The page that segments are mapped in.
pub const PAGE_SIZE: u64 = 4096;
/// Where user addresses end: 39 bits.
pub const USER_END: u64 = 1 << 39;
/// Longest interpreter path, NUL included.
const PATH_MAX: u64 = 4096;

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_AARCH64: u16 = 183;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;

/// `Elf64_Ehdr`.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileHeader {
    ident: [u8; 16],
    kind: U16,
    machine: U16,
    version: U32,
    entry: U64,
    phoff: U64,
    shoff: U64,
    flags: U32,
    ehsize: U16,
    phentsize: U16,
    phnum: U16,
    shentsize: U16,
    shnum: U16,
    shstrndx: U16,
}

/// `Elf64_Phdr`.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ProgramHeader {
    kind: U32,
    flags: U32,
    offset: U64,
    vaddr: U64,
    paddr: U64,
    filesz: U64,
    memsz: U64,
    align: U64,
}

/// Whether the program says where it wants to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// `ET_EXEC`: at the addresses of its segments.
    Fixed,
    /// `ET_DYN`: anywhere; all addresses count from a base that exec chooses.
    Anywhere,
}

/// A part of the file to be mapped. Addresses count from 0 or from the base, see [`Placement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First byte in memory; `address` and `file_offset` are equal modulo the page.
    pub address: u64,
    /// Length in memory, not 0. What is beyond `file_len` is zero.
    pub memory_len: u64,
    /// First byte in the file.
    pub file_offset: u64,
    /// Length in the file, at most `memory_len`.
    pub file_len: u64,
    /// May be read.
    pub is_readable: bool,
    /// May be written.
    pub is_writable: bool,
    /// May be executed.
    pub is_executable: bool,
}

impl Segment {
    /// The first byte behind the segment.
    pub const fn end(&self) -> u64 {
        self.address + self.memory_len
    }
}

/// A program that passed all checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Whether it says where it wants to lie.
    pub placement: Placement,
    /// The first instruction. That it can be executed is the program's own concern, as on Linux.
    pub entry: u64,
    /// The program headers in memory, for `AT_PHDR`; `None` if no segment holds them.
    pub program_headers: Option<u64>,
    /// Size of a program header, for `AT_PHENT`.
    pub program_header_len: u16,
    /// Number of program headers, for `AT_PHNUM`.
    pub program_header_count: u16,
    /// The loadable segments, at least one, in the order in which they are to be mapped: where two overlap, the later one is
    /// seen.
    pub segments: ArrayVec<Segment, MAX_SEGMENTS>,
    /// Largest alignment that a segment asks for, a power of two of at least a page: the base is a multiple of it. What is no
    /// power of two is not looked at, as on Linux.
    pub alignment: u64,
    /// Whether the stack is to be executable: `PT_GNU_STACK` says so.
    pub is_stack_executable: bool,
    /// Where the path of the interpreter lies in the file: offset and length, NUL included.
    pub interpreter: Option<(u64, u64)>,
}

/// Why a file is no program for this machine. execve fails with `ENOEXEC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// It does not begin with 7f "ELF".
    NotElf,
    /// Not of 64 bits, little endian, version 1.
    WrongClass,
    /// For another processor; its `e_machine`.
    WrongMachine(u16),
    /// Neither `ET_EXEC` nor `ET_DYN`; its `e_type`.
    WrongKind(u16),
    /// The file ends inside the headers.
    Truncated,
    /// The headers reach beyond the bytes given: call again with so many bytes of the file.
    HeadTooShort(usize),
    /// Program headers of a strange size, or too many, or none.
    BadProgramHeaders,
    /// No loadable segment.
    NoSegments,
    /// More than [`MAX_SEGMENTS`].
    TooManySegments,
    /// A segment is longer in the file than in memory.
    FileLongerThanMemory,
    /// A segment reaches beyond the end of the file.
    SegmentOutsideFile,
    /// Address and file offset of a segment differ modulo the page.
    Misaligned,
    /// A segment reaches beyond the user addresses, or into the first page.
    AddressOutOfRange,
    /// The path of the interpreter is empty, too long, outside the file, or there are two.
    BadInterpreter,
}

impl Executable {
    /// Reads the headers. `head` is the start of the file (its first page is mostly enough), `file_len` its whole
    /// length.
    ///
    /// ```
    /// use formats::elf::{ElfError, Executable};
    ///
    /// assert_eq!(Executable::parse(b"#!/bin/sh", 9), Err(ElfError::NotElf));
    /// assert_eq!(Executable::parse(b"\x7fELF", 4), Err(ElfError::Truncated));
    /// ```
    ///
    /// # Errors
    /// What [`ElfError`] lists, the first that is met; [`ElfError::HeadTooShort`] is an answer, not a verdict.
    pub fn parse(head: &[u8], file_len: u64) -> Result<Executable, ElfError> {
        let mut executable = Executable::empty();
        executable.read(head, file_len)?;
        Ok(executable)
    }

    /// A program without segments, to be [read](Executable::read) where it stays.
    #[inline]
    pub fn empty() -> Executable {
        Executable {
            placement: Placement::Fixed,
            entry: 0,
            program_headers: None,
            program_header_len: 0,
            program_header_count: 0,
            segments: ArrayVec::new(),
            alignment: PAGE_SIZE,
            is_stack_executable: false,
            interpreter: None,
        }
    }

    /// As [`Executable::parse`], into an empty one, which stays empty after [`ElfError::HeadTooShort`].
    ///
    /// # Errors
    /// As [`Executable::parse`].
    pub fn read(&mut self, head: &[u8], file_len: u64) -> Result<(), ElfError> {
        let head = &head[..head.len().min(usize::try_from(file_len).unwrap_or(usize::MAX))];
        let (header, _) =
            FileHeader::ref_from_prefix(head).map_err(|_| match head.starts_with(b"\x7fELF") {
                true => ElfError::Truncated,
                false => ElfError::NotElf,
            })?;
        self.placement = header.check()?;
        let program_headers = header.program_headers(head, file_len)?;
        self.entry = header.entry.get();
        self.program_header_len = header.phentsize.get();
        self.program_header_count = header.phnum.get();
        for program_header in program_headers {
            self.take(program_header, file_len)?;
        }
        self.check_segments()?;
        self.program_headers = self.locate_program_headers(program_headers, header);
        Ok(())
    }

    /// The range of addresses from the first page to the last.
    pub fn span(&self) -> core::ops::Range<u64> {
        let start = self.segments.iter().map(|segment| segment.address).min();
        let end = self.segments.iter().map(Segment::end).max();
        let (start, end) = (start.unwrap_or(0), end.unwrap_or(0));
        start / PAGE_SIZE * PAGE_SIZE..end.next_multiple_of(PAGE_SIZE)
    }

    /// Notes what one program header says.
    fn take(&mut self, header: &ProgramHeader, file_len: u64) -> Result<(), ElfError> {
        match header.kind.get() {
            PT_LOAD if header.memsz.get() != 0 => {
                let segment = header.segment(file_len)?;
                self.alignment = self.alignment.max(header.alignment());
                self.segments
                    .try_push(segment)
                    .map_err(|_| ElfError::TooManySegments)
            }
            PT_INTERP => {
                let (offset, len) = (header.offset.get(), header.filesz.get());
                let is_inside = offset.checked_add(len).is_some_and(|end| end <= file_len);
                if !is_inside || !(2..=PATH_MAX).contains(&len) || self.interpreter.is_some() {
                    return Err(ElfError::BadInterpreter);
                }
                self.interpreter = Some((offset, len));
                Ok(())
            }
            PT_GNU_STACK => {
                self.is_stack_executable = header.flags.get() & PF_X != 0;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Checks that there are segments, and none of a program that says where it lies in the first page.
    fn check_segments(&self) -> Result<(), ElfError> {
        if self.segments.is_empty() {
            return Err(ElfError::NoSegments);
        }
        if self.placement == Placement::Fixed && self.span().start < PAGE_SIZE {
            return Err(ElfError::AddressOutOfRange);
        }
        Ok(())
    }

    /// Where the program headers lie in memory: `PT_PHDR` says it, or the segment that holds that part of the file.
    fn locate_program_headers(&self, headers: &[ProgramHeader], file: &FileHeader) -> Option<u64> {
        let said = headers
            .iter()
            .find(|header| header.kind.get() == PT_PHDR)
            .map(|header| header.vaddr.get());
        let offset = file.phoff.get();
        let found = || {
            let holds = |s: &&Segment| (s.file_offset..s.file_offset + s.file_len).contains(&offset);
            self.segments
                .iter()
                .find(holds)
                .map(|s| s.address + (offset - s.file_offset))
        };
        said.filter(|&address| address < USER_END).or_else(found)
    }
}

impl FileHeader {
    fn check(&self) -> Result<Placement, ElfError> {
        let [m0, m1, m2, m3, class, data, version, ..] = self.ident;
        if [m0, m1, m2, m3] != *b"\x7fELF" {
            return Err(ElfError::NotElf);
        }
        if (class, data, version) != (2, 1, 1) {
            return Err(ElfError::WrongClass);
        }
        if self.machine.get() != EM_AARCH64 {
            return Err(ElfError::WrongMachine(self.machine.get()));
        }
        match self.kind.get() {
            ET_EXEC => Ok(Placement::Fixed),
            ET_DYN => Ok(Placement::Anywhere),
            kind => Err(ElfError::WrongKind(kind)),
        }
    }

    fn program_headers<'a>(&self, head: &'a [u8], file_len: u64) -> Result<&'a [ProgramHeader], ElfError> {
        let count = self.phnum.get() as usize;
        let is_size_right = self.phentsize.get() as usize == size_of::<ProgramHeader>();
        if !is_size_right || !(1..=MAX_PROGRAM_HEADERS).contains(&count) {
            return Err(ElfError::BadProgramHeaders);
        }
        let len = count * size_of::<ProgramHeader>();
        let end = self
            .phoff
            .get()
            .checked_add(len as u64)
            .filter(|&end| end <= file_len);
        let end = end
            .and_then(|end| usize::try_from(end).ok())
            .ok_or(ElfError::Truncated)?;
        let bytes = head.get(end - len..end).ok_or(ElfError::HeadTooShort(end))?;
        <[ProgramHeader]>::ref_from_bytes(bytes).map_err(|_| ElfError::BadProgramHeaders)
    }
}

impl ProgramHeader {
    fn segment(&self, file_len: u64) -> Result<Segment, ElfError> {
        let (address, memory_len) = (self.vaddr.get(), self.memsz.get());
        let (file_offset, segment_file_len) = (self.offset.get(), self.filesz.get());
        if segment_file_len > memory_len {
            return Err(ElfError::FileLongerThanMemory);
        }
        if file_offset
            .checked_add(segment_file_len)
            .is_none_or(|end| end > file_len)
        {
            return Err(ElfError::SegmentOutsideFile);
        }
        if !(address.wrapping_sub(file_offset)).is_multiple_of(PAGE_SIZE) {
            return Err(ElfError::Misaligned);
        }
        if address
            .checked_add(memory_len)
            .is_none_or(|end| end > USER_END - PAGE_SIZE)
        {
            return Err(ElfError::AddressOutOfRange);
        }
        let flags = self.flags.get();
        Ok(Segment {
            address,
            memory_len,
            file_offset,
            file_len: segment_file_len,
            is_readable: flags & PF_R != 0,
            is_writable: flags & PF_W != 0,
            is_executable: flags & PF_X != 0,
        })
    }

    fn alignment(&self) -> u64 {
        let align = self.align.get();
        if align.is_power_of_two() && align < USER_END {
            align
        } else {
            1
        }
    }
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ElfError::NotElf => "not an ELF file",
            ElfError::WrongClass => "not a 64-bit little-endian ELF file",
            ElfError::WrongMachine(machine) => {
                return write!(f, "a program for another processor (machine {machine})");
            }
            ElfError::WrongKind(kind) => return write!(f, "an ELF file that is no program (type {kind})"),
            ElfError::Truncated => "the ELF file ends inside its headers",
            ElfError::HeadTooShort(needed) => return write!(f, "the ELF headers reach to byte {needed}"),
            ElfError::BadProgramHeaders => "no, too many, or strangely sized program headers",
            ElfError::NoSegments => "no segment to load",
            ElfError::TooManySegments => "too many segments",
            ElfError::FileLongerThanMemory => "a segment is longer in the file than in memory",
            ElfError::SegmentOutsideFile => "a segment reaches beyond the end of the file",
            ElfError::Misaligned => "a segment's address and file offset do not agree",
            ElfError::AddressOutOfRange => "a segment lies outside the user addresses",
            ElfError::BadInterpreter => "the path of the interpreter is damaged",
        })
    }
}

impl core::error::Error for ElfError {}
