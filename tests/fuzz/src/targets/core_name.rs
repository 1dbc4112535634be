//! The pattern for names of core files, which root writes.

use formats::core_name::{Piece, Pieces, without_slashes};

pub const WORDS: &[&[u8]] = &[b"%", b"%%", b"%p", b"%e", b"/", b"|"];

pub fn run(bytes: &[u8]) -> bool {
    let mut len = 0;
    let mut fields = 0;
    for piece in Pieces::new(bytes) {
        match piece {
            Piece::Text(text) => {
                assert!(!text.is_empty());
                len += text.len();
            }
            Piece::Field(_) => fields += 1,
        }
    }
    assert!(len + 2 * fields <= bytes.len());
    let percent_signs = bytes.iter().filter(|&&byte| byte == b'%').count();
    assert!(fields <= percent_signs && (percent_signs > 0 || len == bytes.len()));
    assert!(without_slashes(bytes).all(|byte| byte != b'/'));
    assert_eq!(without_slashes(bytes).count(), bytes.len());
    fields > 0
}

pub fn seeds() -> Vec<Vec<u8>> {
    let patterns: [&[u8]; 3] = [b"core.%p", b"/var/crash/%e-%t-%s.core", b"%%%h%I%i%u%g%d%c%z%"];
    patterns.map(<[u8]>::to_vec).to_vec()
}
