//! Damages inputs, the same way for the same seed.

/// A source of numbers (xorshift*, Vigna) and what it does to bytes.
pub struct Mutator(u64);

/// Numbers at which lengths and signs change.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

impl Mutator {
    /// Seed 0 is as good as any other.
    pub fn new(seed: u64) -> Mutator {
        Mutator(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if that is 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> Option<&'a T> {
        all.get(self.below(all.len())).copied()
    }

    /// A part of `bytes`.
    fn part(&mut self, bytes: &[u8]) -> core::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let most = (bytes.len() - start).min(if self.below(4) == 0 { usize::MAX } else { 32 });
        start..start + self.below(most + 1)
    }

    /// One of the seeds with a few things changed in it, or two of them joined. `words` may be put into it.
    pub fn mutate(&mut self, seeds: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = seeds.get(self.below(seeds.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(6) {
            self.change(&mut bytes, seeds, words);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]]) {
        let at = self.below(bytes.len() + 1);
        match self.below(9) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(self.part(bytes))),
            2 => {
                let part = self.part(bytes);
                let copy = bytes[part].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => {
                let other = seeds.get(self.below(seeds.len())).map_or(&[][..], Vec::as_slice);
                let part = self.part(other);
                bytes.splice(at..at, other[part].iter().copied());
            }
            4 => {
                let word = self.one_of(words).unwrap_or_default();
                let over = if self.below(2) == 0 { 0 } else { word.len() };
                let end = (at + over).min(bytes.len());
                bytes.splice(at..end, word.iter().copied());
            }
            5 => self.put_edge(bytes, at),
            6 => bytes.insert(at, self.next() as u8),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }

    /// Overwrites a number of 1 to 8 bytes, in either order, mostly where fields are aligned.
    fn put_edge(&mut self, bytes: &mut [u8], at: usize) {
        let width = 1 << self.below(4);
        let at = if self.below(4) == 0 {
            at
        } else {
            at / width * width
        };
        let edge = EDGES[self.below(EDGES.len())]
            .wrapping_add(self.below(3) as u64)
            .wrapping_sub(1);
        let big = edge.to_be_bytes();
        let little = edge.to_le_bytes();
        let number = if self.below(2) == 0 {
            &big[8 - width..]
        } else {
            &little[..width]
        };
        for (byte, new) in bytes.iter_mut().skip(at).zip(number) {
            *byte = *new;
        }
    }
}
