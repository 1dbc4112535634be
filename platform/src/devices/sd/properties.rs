//! What a card says of itself (SD Physical Layer Simplified Specification 9.00, chapters 5.2, 5.3 and 5.6).

/// What the answer to a command says of the one before or of itself (chapter 4.10.1): errors, but that of a block behind the last, which
/// a read of the last blocks may cause.
pub(super) const CARD_ERRORS: u32 = 0x7df9_8008;
pub(super) const WRITE_PROTECTED: u32 = 1 << 26;
/// The state in which a card takes commands for data, and that it is ready.
pub(super) const STATE: u32 = 0xf << 9;
pub(super) const STATE_TRANSFER: u32 = 4 << 9;
pub(super) const READY_FOR_DATA: u32 = 1 << 8;

/// Bits `first..first + count` of a register of 128 bits, of which `long_answer` has those from bit 8 on.
fn bits(register: [u32; 4], first: usize, count: usize) -> u32 {
    (0..count).fold(0, |value, bit| {
        let at = first + bit - 8;
        value | (register[at / 32] >> (at % 32) & 1) << bit
    })
}

/// The register CSD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CardData {
    /// Sectors of 512 bytes.
    pub sectors: u64,
    /// It is protected against writes, for ever or for now.
    pub is_read_only: bool,
    /// It knows the command that changes its speed.
    pub knows_switch: bool,
}

impl CardData {
    /// Reads it; `None` for a layout that nobody knows.
    pub fn of(csd: [u32; 4]) -> Option<CardData> {
        let sectors = match bits(csd, 126, 2) {
            // Up to 2 GB: a number of blocks, whose length varies.
            0 => {
                let shift = bits(csd, 47, 3) + 2 + bits(csd, 80, 4);
                (u64::from(bits(csd, 62, 12)) + 1) << shift >> 9
            }
            // Above: pieces of 512 KiB.
            1 => (u64::from(bits(csd, 48, 22)) + 1) << 10,
            _ => return None,
        };
        Some(CardData {
            sectors,
            is_read_only: bits(csd, 12, 2) != 0,
            knows_switch: bits(csd, 84, 12) & 1 << 10 != 0,
        })
    }
}

/// The register CID, as far as it is told: the serial number, in digits.
pub(super) fn serial(cid: [u32; 4]) -> [u8; 20] {
    let number = bits(cid, 24, 32);
    let mut text = [0; 20];
    text[..2].copy_from_slice(b"0x");
    for (index, digit) in text[2..10].iter_mut().enumerate() {
        let nibble = number >> (28 - 4 * index) & 0xf;
        *digit = char::from_digit(nibble, 16).expect("below 16") as u8;
    }
    text
}

/// Whether the register SCR says that the card has four lines.
pub(super) fn has_four_lines(scr: [u8; 8]) -> bool {
    scr[1] & 0b100 != 0
}

/// Whether the answer to a switch says that high speed (function 1 of group 1) can be had.
pub(super) fn offers_high_speed(answer: &[u8; 64]) -> bool {
    answer[13] & 0b10 != 0
}

/// Whether the answer to a switch says that high speed is what there is now.
pub(super) fn is_high_speed(answer: &[u8; 64]) -> bool {
    answer[16] & 0xf == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a field where the controller shows it.
    fn set(register: &mut [u32; 4], first: usize, value: u32) {
        for bit in 0..32 {
            let at = first + bit - 8;
            if value >> bit & 1 != 0 {
                register[at / 32] |= 1 << (at % 32);
            }
        }
    }

    #[test]
    fn sizes_of_both_layouts() {
        let mut small = [0; 4];
        // 64 MiB as QEMU tells it: blocks of 512 bytes in groups of 512.
        set(&mut small, 80, 9);
        set(&mut small, 47, 7);
        set(&mut small, 62, 255);
        set(&mut small, 84, 1 << 10);
        let data = CardData::of(small).unwrap();
        assert_eq!(data.sectors, 1 << 17);
        assert!(data.knows_switch && !data.is_read_only);
        let mut large = [0; 4];
        set(&mut large, 126, 1);
        set(&mut large, 48, 60_000);
        set(&mut large, 12, 2);
        let data = CardData::of(large).unwrap();
        assert_eq!(data.sectors, 60_001 * 1024);
        assert!(data.is_read_only);
        set(&mut large, 126, 2);
        assert_eq!(CardData::of(large), None);
    }

    #[test]
    fn a_serial_number_is_eight_digits() {
        let mut cid = [0; 4];
        set(&mut cid, 24, 0xdead_beef);
        assert_eq!(&serial(cid)[..11], b"0xdeadbeef\0");
    }
}
