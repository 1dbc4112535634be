//! The hashes by which the entries of a directory are ordered (`fs/ext4/hash.c`).

use crate::superblock::Geometry;

/// `s_def_hash_version` and the version in the root of an index.
pub mod version {
    pub const LEGACY: u8 = 0;
    pub const HALF_MD4: u8 = 1;
    pub const TEA: u8 = 2;
    /// Added to the three where bytes count as unsigned.
    pub const UNSIGNED: u8 = 3;
    pub const LAST: u8 = 5;
}

/// Whether bytes of names above 127 are negative.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Signed,
    Unsigned,
}

impl Sign {
    fn value(self, byte: u8) -> u32 {
        match self {
            Sign::Signed => i32::from(byte as i8) as u32,
            Sign::Unsigned => u32::from(byte),
        }
    }
}

fn half_md4(buffer: &mut [u32; 4], input: &[u32; 8]) {
    const K2: u32 = 0x5a82_7999;
    const K3: u32 = 0x6ed9_eba1;
    let f = |x: u32, y: u32, z: u32| z ^ (x & (y ^ z));
    let g = |x: u32, y: u32, z: u32| (x & y).wrapping_add((x ^ y) & z);
    let h = |x: u32, y: u32, z: u32| x ^ y ^ z;
    let [mut a, mut b, mut c, mut d] = *buffer;
    let mut round = |mix: &dyn Fn(u32, u32, u32) -> u32, key: u32, order: [usize; 8], turns: [u32; 4]| {
        for (step, place) in order.into_iter().enumerate() {
            let word = input[place].wrapping_add(key);
            let turn = turns[step % 4];
            let slot = match step % 4 {
                0 => (&mut a, mix(b, c, d)),
                1 => (&mut d, mix(a, b, c)),
                2 => (&mut c, mix(d, a, b)),
                _ => (&mut b, mix(c, d, a)),
            };
            *slot.0 = slot.0.wrapping_add(slot.1).wrapping_add(word).rotate_left(turn);
        }
    };
    round(&f, 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]);
    round(&g, K2, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]);
    round(&h, K3, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]);
    for (slot, value) in buffer.iter_mut().zip([a, b, c, d]) {
        *slot = slot.wrapping_add(value);
    }
}

fn tea(buffer: &mut [u32; 4], input: &[u32; 8]) {
    let (mut low, mut high) = (buffer[0], buffer[1]);
    let mut sum = 0u32;
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        let part = |value: u32, first: u32, second: u32| {
            (value << 4).wrapping_add(first) ^ value.wrapping_add(sum) ^ (value >> 5).wrapping_add(second)
        };
        low = low.wrapping_add(part(high, input[0], input[1]));
        high = high.wrapping_add(part(low, input[2], input[3]));
    }
    buffer[0] = buffer[0].wrapping_add(low);
    buffer[1] = buffer[1].wrapping_add(high);
}

fn legacy(name: &[u8], sign: Sign) -> u32 {
    let (mut hash, mut last) = (0x12a3_fe2du32, 0x37ab_e8f9u32);
    for &byte in name {
        let mixed = last.wrapping_add(hash ^ sign.value(byte).wrapping_mul(7_152_373));
        let mixed = if mixed & 0x8000_0000 != 0 {
            mixed.wrapping_sub(0x7fff_ffff)
        } else {
            mixed
        };
        (last, hash) = (hash, mixed);
    }
    hash << 1
}

/// The part of a name that is mixed in next, as words.
fn words<const N: usize>(name: &[u8], sign: Sign) -> [u32; 8] {
    let len = name.len() as u32;
    let pad = len | len << 8;
    let pad = pad | pad << 16;
    let mut words = [pad; 8];
    for (chunk, word) in name.chunks(4).take(N).zip(&mut words) {
        let start = if chunk.len() == 4 { 0 } else { pad };
        *word = chunk
            .iter()
            .fold(start, |word, byte| sign.value(*byte).wrapping_add(word << 8));
    }
    words
}

/// The hash of a name, major and minor. The version is one of those that there are.
pub fn of(geometry: &Geometry, hash_version: u8, name: &[u8]) -> (u32, u32) {
    with_seed(geometry.hash_seed, hash_version, name)
}

fn with_seed(seed: [u32; 4], hash_version: u8, name: &[u8]) -> (u32, u32) {
    let sign = if hash_version >= version::UNSIGNED {
        Sign::Unsigned
    } else {
        Sign::Signed
    };
    let mut buffer = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    if seed != [0; 4] {
        buffer = seed;
    }
    let (major, minor) = match hash_version % version::UNSIGNED {
        version::LEGACY => (legacy(name, sign), 0),
        version::HALF_MD4 => {
            for start in (0..name.len()).step_by(32) {
                half_md4(&mut buffer, &words::<8>(&name[start..], sign));
            }
            (buffer[1], buffer[2])
        }
        _ => {
            for start in (0..name.len()).step_by(16) {
                tea(&mut buffer, &words::<4>(&name[start..], sign));
            }
            (buffer[0], buffer[1])
        }
    };
    let major = major & !1;
    // The largest one means the end.
    (if major == 0xffff_fffe { 0xffff_fffc } else { major }, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What debugfs says (`dx_hash -h VERSION NAME`).
    #[test]
    fn hashes_are_those_of_debugfs() {
        let long = "a name of more than thirty-two bytes, as there are some";
        let known = [
            (version::LEGACY, "a", (0xe74b_53e2, 0)),
            (version::LEGACY, "lost+found", (0x5e2a_ba24, 0)),
            (version::LEGACY, long, (0x51bb_104e, 0)),
            (version::HALF_MD4, "a", (0xd5fa_7d7a, 0xacb4_8187)),
            (version::HALF_MD4, "lost+found", (0x591d_e422, 0x6ffc_56e0)),
            (version::HALF_MD4, long, (0xc94f_6a7e, 0x82d5_fc72)),
            (version::TEA, "a", (0x6d0e_a4c0, 0xc189_22df)),
            (version::TEA, "lost+found", (0x2dbf_9e80, 0xbfeb_ee4f)),
            (version::TEA, long, (0x754d_60ba, 0xc8c4_907b)),
        ];
        for (used, name, hash) in known {
            assert_eq!(with_seed([0; 4], used, name.as_bytes()), hash, "{used} {name}");
        }
    }
}
