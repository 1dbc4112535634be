//! Line speeds: the codes in `c_cflag` and the numbers they stand for, `asm-generic/termbits.h`.

use abi::terminal::CBAUD;

/// The code that says: the speed stands in `c_ospeed`.
const BOTHER: u32 = 0x1000;

const SPEEDS: [(u32, u32); 30] = [
    (0x0, 0),
    (0x1, 50),
    (0x2, 75),
    (0x3, 110),
    (0x4, 134),
    (0x5, 150),
    (0x6, 200),
    (0x7, 300),
    (0x8, 600),
    (0x9, 1200),
    (0xa, 1800),
    (0xb, 2400),
    (0xc, 4800),
    (0xd, 9600),
    (0xe, 19200),
    (0xf, 38400),
    (0x1001, 57600),
    (0x1002, 115_200),
    (0x1003, 230_400),
    (0x1004, 460_800),
    (0x1005, 500_000),
    (0x1006, 576_000),
    (0x1007, 921_600),
    (0x1008, 1_000_000),
    (0x1009, 1_152_000),
    (0x100a, 1_500_000),
    (0x100b, 2_000_000),
    (0x100c, 2_500_000),
    (0x100d, 3_000_000),
    (0x100e, 3_500_000),
];

/// The speed in baud that the control flags give; `None` if it stands apart.
pub fn of_flags(cflag: u32) -> Option<u32> {
    SPEEDS
        .iter()
        .find(|(code, _)| *code == cflag & CBAUD)
        .map(|(_, speed)| *speed)
}

/// The control flags with the code of that speed.
pub fn into_flags(cflag: u32, speed: u32) -> u32 {
    let code = SPEEDS
        .iter()
        .find(|(_, known)| *known == speed)
        .map_or(BOTHER, |(code, _)| *code);
    (cflag & !CBAUD) | code
}
