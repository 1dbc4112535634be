//! Where exec laid the program and its stack, for /proc.

use core::sync::atomic::{AtomicU64, Ordering};

/// First byte and end of what exec laid down. 0: nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ProgramLayout {
    /// The segments that may be executed.
    pub code: (u64, u64),
    /// The last segment.
    pub data: (u64, u64),
    /// The stack pointer with which the program began.
    pub stack: u64,
}

/// A layout that is written once and read at any time.
#[derive(Default)]
pub struct KeptLayout([AtomicU64; 5]);

impl ProgramLayout {
    /// Bytes of the pages that the code touches.
    pub fn text_len(&self) -> u64 {
        const PAGE: u64 = mm::PAGE_SIZE as u64;
        self.code.1.next_multiple_of(PAGE) - self.code.0 / PAGE * PAGE
    }
}

impl KeptLayout {
    /// Writes it down.
    pub fn store(&self, layout: &ProgramLayout) {
        let ProgramLayout { code, data, stack } = *layout;
        let words = [code.0, code.1, data.0, data.1, stack];
        let store = |(kept, word): (&AtomicU64, u64)| kept.store(word, Ordering::Relaxed);
        self.0.iter().zip(words).for_each(store);
    }

    /// Reads it.
    pub fn load(&self) -> ProgramLayout {
        let word = |index: usize| self.0[index].load(Ordering::Relaxed);
        ProgramLayout {
            code: (word(0), word(1)),
            data: (word(2), word(3)),
            stack: word(4),
        }
    }

    /// A fork's is that of its parent.
    #[inline]
    pub fn copy(&self) -> KeptLayout {
        KeptLayout(
            self.0
                .each_ref()
                .map(|word| AtomicU64::new(word.load(Ordering::Relaxed))),
        )
    }
}
