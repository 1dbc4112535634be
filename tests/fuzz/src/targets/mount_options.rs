//! The options of mount(2) for a file system in memory.

use crate::tmpfs::options::{Options, parse};
use mm::PAGE_SIZE;

pub const WORDS: &[&[u8]] = &[
    b"size=",
    b"nr_blocks=",
    b"mode=",
    b",",
    b"%",
    b"k",
    b"G",
    b"18446744073709551615",
];

/// Pages of a machine of 1 GiB.
const RAM: u64 = (1 << 30) / PAGE_SIZE as u64;

pub fn run(bytes: &[u8]) -> bool {
    let usual = Options {
        pages: RAM / 2,
        mode: 0o1777,
    };
    let Ok(options) = parse(bytes, usual, RAM) else {
        return false;
    };
    assert!(options.mode <= 0o7777);
    let says = |name: &[u8]| bytes.windows(name.len()).any(|part| part == name);
    assert!(options.mode == usual.mode || says(b"mode="));
    assert!(options.pages == usual.pages || says(b"size=") || says(b"nr_blocks="));
    // What was read is not changed by being read again, after itself.
    let twice = [bytes, b",", bytes].concat();
    assert_eq!(parse(&twice, usual, RAM), Ok(options));
    true
}

pub fn seeds() -> Vec<Vec<u8>> {
    let options: [&[u8]; 4] = [b"size=50%,mode=755", b"size=64m", b"nr_blocks=2k,,mode=1777", b""];
    options.map(<[u8]>::to_vec).to_vec()
}
