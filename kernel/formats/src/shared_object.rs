//! A shared object as programs expect the vDSO to be, written into one page: ELF header, segments, symbols with a version, and code that
//! is not changed and lies at [`CODE`]. Both loaders and debuggers find what they look for: glibc, musl and Go by the dynamic section, gdb
//! by the sections.

/// Bytes of the object.
pub const LEN: usize = 4096;
/// Where the code lies in it.
pub const CODE: usize = 0x800;

/// A function of the code.
#[derive(Clone, Copy, Debug)]
pub struct ExportedFunction {
    /// Its name.
    pub name: &'static str,
    /// First byte and end in the code.
    pub start: usize,
    /// One behind its last byte.
    pub end: usize,
}

const HEADER_LEN: usize = 64;
const SEGMENT_LEN: usize = 56;
const SECTION_LEN: usize = 64;
const SYMBOL_LEN: usize = 24;
/// Segments: what is loaded, what a loader reads, the stack's rights.
const SEGMENTS: usize = 3;
/// The symbol of the version, before those of the functions.
const VERSION_SYMBOL: usize = 1;
/// The version's number: 1 is the object's own.
const VERSION: u16 = 2;
/// `vd_flags` of the object's own.
const VER_FLG_BASE: u16 = 1;

const SHN_ABS: u16 = 0xfff1;
/// Which section is the code's, of those in [`Sections`].
const TEXT_SECTION: u16 = 7;

const STB_GLOBAL: u8 = 1;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;

/// Writes into bytes from some place on; what is behind the end is lost, and [`write()`] sees it.
struct Writer<'a> {
    page: &'a mut [u8; LEN],
    at: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let (start, end) = (self.at.min(LEN), (self.at + bytes.len()).min(LEN));
        let room = &mut self.page[start..end];
        room.copy_from_slice(&bytes[..room.len()]);
        self.at += bytes.len();
    }

    fn half(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    fn word(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    fn long(&mut self, value: usize) {
        self.bytes(&(value as u64).to_le_bytes());
    }

    /// Goes on at a multiple of 8; where that is.
    fn align(&mut self) -> usize {
        self.at = self.at.next_multiple_of(8);
        self.at
    }
}

/// The hash of a name, as the generic ABI has it.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}

/// Where each part of the object lies: first byte and length.
#[derive(Default)]
struct Sections {
    hash: (usize, usize),
    symbols: (usize, usize),
    strings: (usize, usize),
    versions: (usize, usize),
    definitions: (usize, usize),
    dynamic: (usize, usize),
    text: (usize, usize),
    names: (usize, usize),
}

/// Writes the object that is called `name` and whose functions have the version `version`. The page is zeros. `None`: it does not fit.
pub fn write(
    page: &mut [u8; LEN],
    name: &str,
    version: &str,
    code: &[u8],
    functions: &[ExportedFunction],
) -> Option<()> {
    let mut sections = Sections::default();
    let symbols = 1 + VERSION_SYMBOL + functions.len();
    let mut writer = Writer {
        page,
        at: HEADER_LEN + SEGMENTS * SEGMENT_LEN,
    };

    // One bucket: all symbols in a row.
    let at = writer.align();
    for word in [1, symbols as u32, 1] {
        writer.word(word);
    }
    writer.word(0);
    for index in 1..symbols as u32 {
        let is_last = index + 1 == symbols as u32;
        writer.word(if is_last { 0 } else { index + 1 });
    }
    sections.hash = (at, writer.at - at);

    let at = writer.align();
    let first_string = 1;
    let version_string = first_string + name.len() + 1;
    let mut string = version_string + version.len() + 1;
    writer.at += SYMBOL_LEN;
    symbol(&mut writer, version_string, STT_OBJECT, SHN_ABS, 0, 0);
    for function in functions {
        let start = CODE + function.start;
        symbol(
            &mut writer,
            string,
            STT_FUNC,
            TEXT_SECTION,
            start,
            function.end - function.start,
        );
        string += function.name.len() + 1;
    }
    sections.symbols = (at, writer.at - at);

    let at = writer.at;
    for text in ["", name, version]
        .into_iter()
        .chain(functions.iter().map(|function| function.name))
    {
        writer.bytes(text.as_bytes());
        writer.bytes(&[0]);
    }
    sections.strings = (at, writer.at - at);

    let at = writer.align();
    writer.half(0);
    (1..symbols).for_each(|_| writer.half(VERSION));
    sections.versions = (at, writer.at - at);

    let at = writer.align();
    definition(&mut writer, VER_FLG_BASE, 1, name, first_string, Follows::Yes);
    definition(&mut writer, 0, VERSION, version, version_string, Follows::No);
    sections.definitions = (at, writer.at - at);

    let at = writer.align();
    for (tag, value) in [
        (14, first_string),                    // DT_SONAME
        (4, sections.hash.0),                  // DT_HASH
        (5, sections.strings.0),               // DT_STRTAB
        (6, sections.symbols.0),               // DT_SYMTAB
        (10, sections.strings.1),              // DT_STRSZ
        (11, SYMBOL_LEN),                      // DT_SYMENT
        (0x6fff_fffc, sections.definitions.0), // DT_VERDEF
        (0x6fff_fffd, 2),                      // DT_VERDEFNUM
        (0x6fff_fff0, sections.versions.0),    // DT_VERSYM
        (0, 0),                                // DT_NULL
    ] {
        writer.long(tag);
        writer.long(value);
    }
    sections.dynamic = (at, writer.at - at);
    if writer.at > CODE {
        return None;
    }

    writer.at = CODE;
    writer.bytes(code);
    sections.text = (CODE, code.len());
    let end = write_sections(&mut writer, &mut sections)?;
    write_header(&mut writer, &sections, end);
    Some(())
}

/// Whether another definition of a version follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    Yes,
    No,
}

fn symbol(writer: &mut Writer<'_>, name: usize, kind: u8, section: u16, value: usize, len: usize) {
    writer.word(name as u32);
    writer.bytes(&[STB_GLOBAL << 4 | kind, 0]);
    writer.half(section);
    writer.long(value);
    writer.long(len);
}

/// `Elf64_Verdef` and its `Elf64_Verdaux`.
fn definition(writer: &mut Writer<'_>, flags: u16, number: u16, name: &str, string: usize, follows: Follows) {
    for half in [1, flags, number, 1] {
        writer.half(half);
    }
    writer.word(hash(name));
    writer.word(20);
    writer.word(if follows == Follows::Yes { 28 } else { 0 });
    writer.word(string as u32);
    writer.word(0);
}

const SHF_ALLOC: usize = 2;
const SHF_EXECINSTR: usize = 4;

/// One section as the table tells of it.
#[derive(Default)]
struct SectionRow {
    kind: u32,
    flags: usize,
    place: (usize, usize),
    link: u32,
    info: u32,
    entry_len: usize,
}

impl SectionRow {
    /// One that is loaded.
    fn loaded(kind: u32, place: (usize, usize), link: u32, info: u32, entry_len: usize) -> SectionRow {
        SectionRow {
            kind,
            flags: SHF_ALLOC,
            place,
            link,
            info,
            entry_len,
        }
    }
}

/// The table of sections, with their names before it; where it begins. `None`: it does not fit.
fn write_sections(writer: &mut Writer<'_>, sections: &mut Sections) -> Option<usize> {
    const NAMES: [&str; 9] = [
        "",
        ".hash",
        ".dynsym",
        ".dynstr",
        ".gnu.version",
        ".gnu.version_d",
        ".dynamic",
        ".text",
        ".shstrtab",
    ];
    let at = writer.at;
    let mut names = [0; NAMES.len()];
    for (name, place) in NAMES.iter().zip(&mut names) {
        *place = writer.at - at;
        writer.bytes(name.as_bytes());
        writer.bytes(&[0]);
    }
    sections.names = (at, writer.at - at);
    let table = writer.align();
    if table + NAMES.len() * SECTION_LEN > LEN {
        return None;
    }
    let strings = 3;
    let rows = [
        SectionRow::default(),
        SectionRow::loaded(5, sections.hash, 2, 0, 4),
        SectionRow::loaded(11, sections.symbols, strings, 1, SYMBOL_LEN),
        SectionRow::loaded(3, sections.strings, 0, 0, 0),
        SectionRow::loaded(0x6fff_ffff, sections.versions, 2, 0, 2),
        SectionRow::loaded(0x6fff_fffd, sections.definitions, strings, 2, 0),
        SectionRow::loaded(6, sections.dynamic, strings, 0, 16),
        SectionRow {
            flags: SHF_ALLOC | SHF_EXECINSTR,
            ..SectionRow::loaded(1, sections.text, 0, 0, 0)
        },
        SectionRow {
            flags: 0,
            ..SectionRow::loaded(3, sections.names, 0, 0, 0)
        },
    ];
    for (row, name) in rows.iter().zip(names) {
        let (start, len) = row.place;
        writer.word(name as u32);
        writer.word(row.kind);
        writer.long(row.flags);
        writer.long(if row.flags == 0 { 0 } else { start });
        writer.long(start);
        writer.long(len);
        writer.word(row.link);
        writer.word(row.info);
        writer.long(8);
        writer.long(row.entry_len);
    }
    Some(table)
}

fn write_header(writer: &mut Writer<'_>, sections: &Sections, table: usize) {
    let end = writer.at;
    writer.at = 0;
    // 64 bits, little endian, version 1.
    writer.bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    writer.half(3); // ET_DYN
    writer.half(183); // EM_AARCH64
    writer.word(1);
    writer.long(CODE);
    writer.long(HEADER_LEN);
    writer.long(table);
    writer.word(0);
    for half in [HEADER_LEN, SEGMENT_LEN, SEGMENTS, SECTION_LEN, 9, 8] {
        writer.half(half as u16);
    }
    let read_and_execute = 5;
    // Kind, rights, place, alignment.
    for (kind, flags, (start, len), alignment) in [
        (1, read_and_execute, (0, end), LEN),
        (2, 4, sections.dynamic, 8),
        (0x6474_e551_u32, 6, (0, 0), 16),
    ] {
        writer.word(kind);
        writer.word(flags);
        for long in [start, start, start, len, len, alignment] {
            writer.long(long);
        }
    }
}

#[cfg(test)]
mod tests;
