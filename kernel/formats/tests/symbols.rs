//! The payload of the kernel image.

use formats::symbols::{HEADER_LEN, MAGIC, Payload, PayloadError};
use proptest::prelude::*;

/// A payload as the image tool writes it.
fn payload(symbols: &[(u32, &str)], initramfs: &[u8]) -> Vec<u8> {
    let mut block = [(symbols.len() as u32).to_le_bytes(), [0; 4]].concat();
    let mut names = Vec::new();
    for (address, name) in symbols {
        block.extend(address.to_le_bytes());
        block.extend((8 + 8 * symbols.len() as u32 + names.len() as u32).to_le_bytes());
        names.extend(name.as_bytes());
        names.push(0);
    }
    block.extend(names);
    let symbols_at = HEADER_LEN as u64;
    let initramfs_at = symbols_at + block.len() as u64;
    let total = initramfs_at + initramfs.len() as u64;
    let mut bytes = MAGIC.to_vec();
    for field in [
        total,
        symbols_at,
        block.len() as u64,
        initramfs_at,
        initramfs.len() as u64,
    ] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(block);
    bytes.extend(initramfs);
    bytes
}

fn sample() -> Vec<u8> {
    payload(
        &[
            (0x40, "_start"),
            (0x1000, "kernel::main"),
            (0x1000, "alias"),
            (0x2000, "last"),
        ],
        b"070701",
    )
}

#[test]
fn symbols_are_found_by_address() {
    let mut bytes = sample();
    let len = bytes.len();
    bytes.extend([0; 100]);
    let payload = Payload::parse(&bytes).unwrap();
    assert_eq!(
        (payload.len(), payload.symbol_count(), payload.initramfs()),
        (len, 4, &b"070701"[..])
    );
    assert_eq!(payload.symbol(0x3f), None, "before the first");
    assert_eq!(payload.symbol(0x40), Some(("_start", 0)));
    assert_eq!(payload.symbol(0xfff), Some(("_start", 0xfbf)));
    assert_eq!(payload.symbol(0x1004), Some(("alias", 4)));
    assert_eq!(payload.symbol(u32::MAX), Some(("last", u32::MAX - 0x2000)));
}

#[test]
fn what_is_missing_is_empty() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(
        [HEADER_LEN as u64, 0, 0, 0, 0]
            .iter()
            .flat_map(|field| field.to_le_bytes()),
    );
    let payload = Payload::parse(&bytes).unwrap();
    assert!(payload.is_empty() && payload.symbol(5).is_none() && payload.initramfs().is_empty());
}

#[test]
fn damage_is_named() {
    assert_eq!(Payload::parse(&[0; 64]).unwrap_err(), PayloadError::NoMagic);
    let bytes = sample();
    assert_eq!(
        Payload::parse(&bytes[..bytes.len() - 1]).unwrap_err(),
        PayloadError::Truncated
    );
    assert_eq!(Payload::parse(&bytes[..20]).unwrap_err(), PayloadError::Truncated);
    let mut outside = bytes.clone();
    outside[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(Payload::parse(&outside).unwrap_err(), PayloadError::PartOutside);
    let mut many = bytes.clone();
    many[HEADER_LEN..HEADER_LEN + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Payload::parse(&many).unwrap_err(), PayloadError::SymbolsTooShort);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_payloads_never_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        at in any::<u32>(),
    ) {
        let mut bytes = sample();
        for (index, byte) in damage {
            *index.get_mut(&mut bytes) = byte;
        }
        if let Ok(payload) = Payload::parse(&bytes) {
            let _ = (payload.symbol(at), payload.symbol(at & 0xffff), payload.initramfs());
        }
    }

    #[test]
    fn the_nearest_symbol_is_found(mut addresses in proptest::collection::vec(0u32..10_000, 1..50), at in 0u32..11_000) {
        addresses.sort_unstable();
        addresses.dedup();
        let names: Vec<_> = addresses.iter().map(|address| format!("f{address}")).collect();
        let symbols: Vec<_> = addresses.iter().copied().zip(names.iter().map(String::as_str)).collect();
        let bytes = payload(&symbols, b"");
        let expected = symbols.iter().rev().find(|(address, _)| *address <= at).map(|&(address, name)| (name, at - address));
        prop_assert_eq!(Payload::parse(&bytes).unwrap().symbol(at), expected);
    }
}
