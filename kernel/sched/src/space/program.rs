//! Where exec laid the program, its stack and the strings on it, for /proc.

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

/// The strings on the stack that exec laid down, for /proc/PID/cmdline and environ: first byte, one past the last.
#[derive(Default)]
pub struct Strings {
    arguments: AtomicU64,
    environment: AtomicU64,
    end: AtomicU64,
    /// The auxiliary vector: first byte, length.
    auxiliary: [AtomicU64; 2],
}

impl Strings {
    /// Says where the strings lie: the environment follows the arguments.
    pub fn set(&self, arguments: u64, environment: u64, end: u64) {
        self.arguments.store(arguments, Ordering::Relaxed);
        self.environment.store(environment, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }

    /// Says where the auxiliary vector lies.
    pub fn set_auxiliary(&self, start: u64, len: u64) {
        self.auxiliary[0].store(start, Ordering::Relaxed);
        self.auxiliary[1].store(len, Ordering::Relaxed);
    }

    /// Address and length of the auxiliary vector.
    pub fn auxiliary(&self) -> (u64, usize) {
        let [start, len] = &self.auxiliary;
        (
            start.load(Ordering::Relaxed),
            len.load(Ordering::Relaxed) as usize,
        )
    }

    /// Address and length of the argument strings.
    pub fn arguments(&self) -> (u64, usize) {
        span(&self.arguments, &self.environment)
    }

    /// Address and length of the environment strings.
    pub fn environment(&self) -> (u64, usize) {
        span(&self.environment, &self.end)
    }

    #[inline]
    pub(super) fn copy(&self) -> Strings {
        let copy = |word: &AtomicU64| AtomicU64::new(word.load(Ordering::Relaxed));
        Strings {
            arguments: copy(&self.arguments),
            environment: copy(&self.environment),
            end: copy(&self.end),
            auxiliary: self.auxiliary.each_ref().map(copy),
        }
    }
}

fn span(start: &AtomicU64, end: &AtomicU64) -> (u64, usize) {
    let start = start.load(Ordering::Relaxed);
    (start, end.load(Ordering::Relaxed).saturating_sub(start) as usize)
}
