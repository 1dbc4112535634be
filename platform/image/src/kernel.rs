//! The flat kernel Image: the kernel's bytes as they lie in memory from `_head` to `__end`, and behind them the
//! payload (symbols for the backtrace, embedded initramfs) that the kernel finds at `__end`.
//!
//! ```text
//! file 0                              __end - _head                       file length = image_size in the header
//! |  code, read-only data, data, zeros  |  payload header | symbols | pad | initramfs | pad to 4 KiB |
//! ```
//! Payload header, little endian, offsets from the payload's start: magic `HOLSTEIN`, then u64 total length (header and
//! padding included), symbols offset, symbols length, initramfs offset (page aligned), initramfs length.
//!
//! Symbol block: u32 count, u32 zero, then `count` pairs { u32 address - `_head`, u32 offset of the name in the block },
//! sorted by address, then the demangled names, NUL-terminated.

use crate::align_up;
use anyhow::{Context, Result, bail, ensure};
use object::elf::PT_LOAD;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::ops::Range;

const PAGE: usize = 4096;
const PAYLOAD_MAGIC: &[u8; 8] = b"HOLSTEIN";
const PAYLOAD_HEADER: usize = 48;

/// Fields of the arm64 Image header (Linux, Documentation/arch/arm64/booting.rst).
mod header {
    pub const LENGTH: usize = 64;
    pub const TEXT_OFFSET: usize = 8;
    pub const IMAGE_SIZE: usize = 16;
    pub const MAGIC: usize = 56;
    pub const MAGIC_BYTES: &[u8; 4] = b"ARM\x64";
}

type Elf<'a> = ElfFile64<'a, Endianness>;

/// The Image made from the kernel's ELF file and the embedded initramfs.
///
/// The ELF file must define `_head` and a page-aligned `__end`, hold an arm64 Image header with a text offset of 0 at
/// `_head`, and have every loaded segment between the two.
pub fn image(elf: &[u8], initramfs: &[u8]) -> Result<Vec<u8>> {
    let elf = Elf::parse(elf).context("not a 64-bit ELF file")?;
    let window = address_of(&elf, "_head")?..address_of(&elf, "__end")?;
    let mut image = memory(&elf, &window)?;
    check_header(&image)?;
    image.extend(payload(&symbol_block(&elf, &window)?, initramfs));
    let length = (image.len() as u64).to_le_bytes();
    image[header::IMAGE_SIZE..header::IMAGE_SIZE + 8].copy_from_slice(&length);
    Ok(image)
}

fn address_of(elf: &Elf, name: &str) -> Result<u64> {
    let symbol = elf
        .symbol_by_name(name)
        .with_context(|| format!("symbol {name} is missing"))?;
    Ok(symbol.address())
}

/// The loaded segments laid out by virtual address; what no segment fills (.bss) is zero.
fn memory(elf: &Elf, window: &Range<u64>) -> Result<Vec<u8>> {
    ensure!(
        window.start < window.end,
        "_head {:#x} is not below __end {:#x}",
        window.start,
        window.end
    );
    let length = usize::try_from(window.end - window.start)?;
    ensure!(
        length.is_multiple_of(PAGE),
        "__end - _head is {length:#x}, not a multiple of the page size"
    );
    ensure!(
        length < 1 << 30,
        "__end is {length:#x} bytes above _head: more than a kernel may be"
    );
    let mut memory = vec![0; length];
    for segment in elf.elf_program_headers() {
        if segment.p_type(elf.endian()) == PT_LOAD {
            place(&mut memory, elf, segment, window)?;
        }
    }
    Ok(memory)
}

/// Copies the file part of one segment to its place and checks that all of it lies in the window.
fn place<'a>(
    memory: &mut [u8],
    elf: &Elf<'a>,
    segment: &'a object::elf::ProgramHeader64<Endianness>,
    window: &Range<u64>,
) -> Result<()> {
    let endian = elf.endian();
    let (start, length) = (segment.p_vaddr(endian), segment.p_memsz(endian));
    let offset = start.checked_sub(window.start);
    let end = start.checked_add(length);
    let (Some(offset), true) = (offset, end.is_some_and(|end| end <= window.end)) else {
        bail!("segment at {start:#x}, {length:#x} bytes, is not inside _head..__end ({window:#x?})");
    };
    let Ok(bytes) = segment.data(endian, elf.data()) else {
        bail!("segment at {start:#x} is cut short")
    };
    ensure!(
        bytes.len() as u64 <= length,
        "segment at {start:#x} is longer in the file than in memory"
    );
    let offset = usize::try_from(offset)?;
    memory[offset..offset + bytes.len()].copy_from_slice(bytes);
    Ok(())
}

fn check_header(image: &[u8]) -> Result<()> {
    ensure!(
        image.len() >= header::LENGTH,
        "{} bytes are no Image",
        image.len()
    );
    let magic = &image[header::MAGIC..header::MAGIC + 4];
    ensure!(
        magic == header::MAGIC_BYTES,
        "no arm64 Image header at _head: magic {magic:02x?}"
    );
    let text_offset = &image[header::TEXT_OFFSET..header::TEXT_OFFSET + 8];
    ensure!(
        text_offset == [0; 8],
        "text_offset in the Image header is not 0: {text_offset:02x?}"
    );
    Ok(())
}

/// The functions between `_head` and `__end`, one name for each address.
fn functions(elf: &Elf, window: &Range<u64>) -> Result<BTreeMap<u32, String>> {
    let mut functions = BTreeMap::new();
    for symbol in elf.symbols() {
        if symbol.kind() == SymbolKind::Text && symbol.is_definition() && window.contains(&symbol.address()) {
            let name = symbol.name().context("symbol name is not text")?;
            let offset = u32::try_from(symbol.address() - window.start)?;
            functions
                .entry(offset)
                .or_insert_with(|| format!("{:#}", rustc_demangle::demangle(name)));
        }
    }
    Ok(functions)
}

fn symbol_block(elf: &Elf, window: &Range<u64>) -> Result<Vec<u8>> {
    let functions = functions(elf, window)?;
    let count = u32::try_from(functions.len())?;
    let mut block = [count.to_le_bytes(), [0; 4]].concat();
    let mut names = Vec::new();
    let names_start = block.len() + 8 * functions.len();
    for (address, name) in &functions {
        let name_offset = u32::try_from(names_start + names.len())?;
        block.extend(address.to_le_bytes());
        block.extend(name_offset.to_le_bytes());
        names.extend(name.bytes().chain([0]));
    }
    block.extend(names);
    Ok(block)
}

fn payload(symbols: &[u8], initramfs: &[u8]) -> Vec<u8> {
    let initramfs_offset = align_up(PAYLOAD_HEADER + symbols.len(), PAGE);
    let total = align_up(initramfs_offset + initramfs.len(), PAGE);
    let mut payload = Vec::with_capacity(total);
    payload.extend(PAYLOAD_MAGIC);
    for field in [
        total,
        PAYLOAD_HEADER,
        symbols.len(),
        initramfs_offset,
        initramfs.len(),
    ] {
        payload.extend((field as u64).to_le_bytes());
    }
    payload.extend(symbols);
    payload.resize(initramfs_offset, 0);
    payload.extend(initramfs);
    payload.resize(total, 0);
    payload
}

#[cfg(test)]
mod tests;
