//! Images made from small ELF files that are written here.

use super::*;

const HEAD: u64 = 0xffff_ffff_8000_0000;
const END: u64 = HEAD + 0x3000;
const FILE_OFFSET: u64 = 0x1000;
const SHT_SYMTAB: u64 = 2;
const SHT_STRTAB: u64 = 3;
const NO_TYPE: u64 = 0;
const OBJECT: u64 = 1;
const FUNCTION: u64 = 2;

/// What the ELF file of a test holds: bytes at `_head`, a memory size, and symbols with their type.
struct Kernel<'a> {
    text: Vec<u8>,
    memory_size: u64,
    symbols: Vec<(&'a str, u64, u64)>,
}

impl Default for Kernel<'_> {
    fn default() -> Self {
        let mut text = vec![0xd5; 0x1100];
        text[header::TEXT_OFFSET..header::TEXT_OFFSET + 8].fill(0);
        text[header::MAGIC..header::MAGIC + 4].copy_from_slice(header::MAGIC_BYTES);
        let symbols = vec![("_head", HEAD, NO_TYPE), ("__end", END, NO_TYPE)];
        Kernel {
            text,
            memory_size: 0x2f00,
            symbols,
        }
    }
}

impl Kernel<'_> {
    /// Header, one program header, the text at 0x1000, then symbol table, its names and three section headers, as the
    /// ELF-64 object file format lays them out.
    fn elf(&self) -> Vec<u8> {
        let (symbols, names) = self.symbol_table();
        let symbols_at = FILE_OFFSET as usize + self.text.len();
        let names_at = symbols_at + symbols.len();
        let sections_at = names_at + names.len();

        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        put(&mut file, 2, &[2, 183]); // an executable for AArch64
        put(&mut file, 4, &[1]);
        put(&mut file, 8, &[HEAD, 64, sections_at as u64]);
        put(&mut file, 4, &[0]);
        put(&mut file, 2, &[64, 56, 1, 64, 3, 2]);
        put(&mut file, 4, &[1, 5]); // PT_LOAD, readable and executable
        put(
            &mut file,
            8,
            &[
                FILE_OFFSET,
                HEAD,
                HEAD,
                self.text.len() as u64,
                self.memory_size,
                0x1000,
            ],
        );
        file.resize(FILE_OFFSET as usize, 0);
        file.extend_from_slice(&self.text);
        file.extend_from_slice(&symbols);
        file.extend_from_slice(&names);
        section(&mut file, 0, [0; 2], [0; 2]);
        section(&mut file, SHT_SYMTAB, [symbols_at, symbols.len()], [2, 24]);
        section(&mut file, SHT_STRTAB, [names_at, names.len()], [0; 2]);
        file
    }

    /// The symbols, 24 bytes each after an empty first one, and their names.
    fn symbol_table(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut symbols, mut names) = (vec![0; 24], vec![0]);
        for (name, value, kind) in &self.symbols {
            const GLOBAL: u64 = 1 << 4;
            const SECTION: u64 = 1;
            put(&mut symbols, 4, &[names.len() as u64]);
            put(&mut symbols, 1, &[GLOBAL | kind, 0]);
            put(&mut symbols, 2, &[SECTION]);
            put(&mut symbols, 8, &[*value, 0]);
            names.extend(name.bytes().chain([0]));
        }
        (symbols, names)
    }

    fn image(&self) -> Result<Vec<u8>> {
        image(&self.elf(), b"070701 archive")
    }

    fn error(&self) -> String {
        format!("{:#}", self.image().expect_err("this file must be refused"))
    }
}

/// Appends each value in `size` little-endian bytes.
fn put(bytes: &mut Vec<u8>, size: usize, values: &[u64]) {
    for value in values {
        bytes.extend(&value.to_le_bytes()[..size]);
    }
}

/// Appends a section header: type, place in the file, and { linked section, entry size }.
fn section(file: &mut Vec<u8>, kind: u64, [offset, length]: [usize; 2], [link, entry]: [u64; 2]) {
    put(file, 4, &[0, kind]);
    put(file, 8, &[0, 0, offset as u64, length as u64]);
    put(file, 4, &[link, 1]);
    put(file, 8, &[1, entry]);
}

fn u64_at(bytes: &[u8], offset: usize) -> usize {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap()) as usize
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

#[test]
fn memory_is_laid_out_by_address_and_the_rest_is_zero() {
    let kernel = Kernel::default();
    let image = kernel.image().unwrap();
    assert_eq!(image[64..0x1100], kernel.text[64..]);
    assert!(image[0x1100..0x3000].iter().all(|&byte| byte == 0));
    assert_eq!(u64_at(&image, header::IMAGE_SIZE), image.len());
    assert_eq!(image.len() % PAGE, 0);
}

#[test]
fn the_payload_holds_the_initramfs_on_a_page() {
    let image = Kernel::default().image().unwrap();
    let payload = &image[0x3000..];
    assert_eq!(&payload[..8], PAYLOAD_MAGIC);
    assert_eq!(u64_at(payload, 8), payload.len());
    let (start, length) = (u64_at(payload, 32), u64_at(payload, 40));
    assert_eq!(start % PAGE, 0);
    assert_eq!(&payload[start..start + length], b"070701 archive");
}

#[test]
fn symbols_are_functions_sorted_by_address_with_demangled_names() {
    let mut kernel = Kernel::default();
    kernel.symbols.extend([
        ("_ZN2mm4fork4fork17h0123456789abcdefE", HEAD + 0x900, FUNCTION),
        ("vectors", HEAD + 0x800, FUNCTION),
        ("TABLE", HEAD + 0x880, OBJECT),
        ("outside", END, FUNCTION),
    ]);
    let image = kernel.image().unwrap();
    let payload = &image[0x3000..];
    let (start, length) = (u64_at(payload, 16), u64_at(payload, 24));
    let block = &payload[start..start + length];
    let name = |pair: usize| {
        let bytes = &block[u32_at(block, 12 + 8 * pair) as usize..];
        std::str::from_utf8(bytes.split(|&byte| byte == 0).next().unwrap()).unwrap()
    };
    assert_eq!((u32_at(block, 0), u32_at(block, 4)), (2, 0));
    assert_eq!((u32_at(block, 8), name(0)), (0x800, "vectors"));
    assert_eq!((u32_at(block, 16), name(1)), (0x900, "mm::fork::fork"));
}

#[test]
fn what_is_no_kernel_is_refused_with_the_reason() {
    let mut no_magic = Kernel::default();
    no_magic.text[header::MAGIC] = 0;
    assert!(no_magic.error().contains("no arm64 Image header"));

    let mut displaced = Kernel::default();
    displaced.text[header::TEXT_OFFSET + 2] = 8;
    assert!(displaced.error().contains("text_offset"));

    let mut no_end = Kernel::default();
    no_end.symbols.pop();
    assert!(no_end.error().contains("symbol __end is missing"));

    let mut ragged = Kernel::default();
    ragged.symbols[1].1 = END + 8;
    assert!(ragged.error().contains("not a multiple of the page size"));

    let too_long = Kernel {
        memory_size: 0x3001,
        ..Kernel::default()
    };
    assert!(too_long.error().contains("is not inside"));

    assert!(image(b"#!/bin/sh", b"").is_err());
}
