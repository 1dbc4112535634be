//! The guest's RAM as the checker reads it: the file that QEMU keeps it in, or bytes of a test.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// What holds the bytes.
pub enum Store {
    /// The file behind QEMU's `memory-backend-file`.
    File(File),
    /// A test's.
    Bytes(Vec<u8>),
}

/// RAM: where it begins, how long it is, what it holds.
pub struct Ram {
    /// First physical address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    store: Store,
}

impl Ram {
    /// RAM of `size` bytes at `base`.
    pub fn new(base: u64, size: u64, store: Store) -> Ram {
        Ram { base, size, store }
    }

    /// Whether this physical address is RAM.
    pub fn holds(&self, address: u64) -> bool {
        address.wrapping_sub(self.base) < self.size
    }

    /// Fills `buffer` from physical address `from`; what is not RAM reads as zeros.
    pub fn read(&self, from: u64, buffer: &mut [u8]) {
        let offset = from.wrapping_sub(self.base);
        if offset > self.size.saturating_sub(buffer.len() as u64) {
            buffer.fill(0);
            return;
        }
        match &self.store {
            Store::File(file) => {
                if file.read_exact_at(buffer, offset).is_err() {
                    buffer.fill(0);
                }
            }
            Store::Bytes(bytes) => {
                let start = offset as usize;
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
            }
        }
    }

    /// The eight bytes at `address`.
    pub fn word(&self, address: u64) -> u64 {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// The 512 words of a page.
    pub fn page(&self, page: u64) -> Box<[u64; 512]> {
        let mut bytes = [0; 4096];
        self.read(page, &mut bytes);
        let mut words = Box::new([0; 512]);
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        }
        words
    }

    /// Changes a test's RAM.
    pub fn write(&mut self, address: u64, value: u64) {
        if let Store::Bytes(bytes) = &mut self.store {
            let start = (address - self.base) as usize;
            bytes[start..start + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
}

/// Pages of the kernel's half that were found to be RAM; they never become a device's.
const FOUND: usize = 4096;

thread_local! {
    static RAM_PAGES: RefCell<Vec<u64>> = RefCell::new(vec![0; FOUND]);
}

/// Whether a page of the kernel's half is known to be RAM; `is_ram` is asked the first time.
pub fn is_known_ram(address: u64, is_ram: impl FnOnce() -> bool) -> bool {
    let page = address >> 12;
    RAM_PAGES.with_borrow_mut(|pages| {
        let known = &mut pages[(page % FOUND as u64) as usize];
        if *known != page && is_ram() {
            *known = page;
        }
        *known == page
    })
}
