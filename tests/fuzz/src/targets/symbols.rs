//! What the image tool appends to the kernel: the kernel finds it behind itself in memory.

use formats::symbols::{HEADER_LEN, MAGIC, Payload};

pub const WORDS: &[&[u8]] = &[b"HOLSTEIN", b"\x30\0\0\0\0\0\0\0", b"\xff\xff\xff\xff"];

pub fn run(bytes: &[u8]) -> bool {
    let payload = match Payload::parse(bytes) {
        Ok(payload) => payload,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    assert!((HEADER_LEN..=bytes.len()).contains(&payload.len()));
    assert!(payload.initramfs().len() <= payload.len());
    assert!(payload.symbol_count() * 8 <= payload.len());
    let addresses = bytes
        .chunks_exact(4)
        .filter_map(|word| Some(u32::from_le_bytes(*word.first_chunk()?)));
    for address in addresses.chain([0, u32::MAX]) {
        if let Some((name, behind)) = payload.symbol(address) {
            assert!(behind <= address && name.len() < payload.len());
        }
    }
    true
}

pub fn seeds() -> Vec<Vec<u8>> {
    let names = b"_start\0kernel::main\0";
    let entries = [2u32, 0, 0x40, 24, 0x1000, 31].map(u32::to_le_bytes).concat();
    let block = [&entries[..], &names[..]].concat();
    let symbols = block.len() as u64;
    let start = HEADER_LEN as u64;
    let initramfs = b"070701";
    let fields = [start + symbols + 6, start, symbols, start + symbols, 6].map(u64::to_le_bytes);
    let whole = [&MAGIC[..], &fields.concat(), &block, initramfs].concat();
    let fields = [start, 0, 0, 0, 0].map(u64::to_le_bytes);
    vec![whole, [&MAGIC[..], &fields.concat()].concat()]
}
