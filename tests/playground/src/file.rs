//! A file: pages that are mapped from it, and what they should hold.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use machine::{PROBES, SoftMmu};
use mm::{AT_HAND, FileIdentity, Frame, Frames, Memory, NoMemory, PageError, PageSource};
use spin::Mutex;

/// The word of a page that programs use: its first.
pub const WORD: usize = 0;

/// It holds one reference to each of its frames.
pub struct File {
    name: String,
    /// Whether neighbours of a page that faults are mapped, too.
    is_at_hand: AtomicBool,
    inode: u64,
    /// Counts references for whoever is given a page: the frames' records are the machine's.
    frames: Frames,
    pages: Vec<Frame>,
    expected: Mutex<Vec<u64>>,
}

impl File {
    /// A file whose pages hold `contents`.
    ///
    /// # Errors
    /// [`NoMemory`]: no frame for a page.
    pub fn new(
        memory: &Memory<SoftMmu>,
        frames: Frames,
        (name, inode): (&str, u64),
        contents: &[u64],
    ) -> Result<File, NoMemory> {
        let mut pages = Vec::new();
        for content in contents {
            let frame = memory.frames().allocate(memory.mmu())?;
            memory.frames().note_object(frame);
            memory.mmu().write_probe(frame, WORD, *content);
            pages.push(frame);
        }
        memory.mmu().give_back_lock();
        Ok(File {
            name: name.to_string(),
            is_at_hand: AtomicBool::new(false),
            inode,
            frames,
            pages,
            expected: Mutex::new(contents.to_vec()),
        })
    }

    /// Its name.
    pub fn file_name(&self) -> &str {
        &self.name
    }

    /// Neighbours of a page that faults are mapped with it from now on.
    pub fn put_at_hand(&self) {
        self.is_at_hand.store(true, Ordering::Relaxed);
    }

    /// Its frames.
    pub fn pages(&self) -> &[Frame] {
        &self.pages
    }

    /// What page `index` should hold.
    pub fn expected(&self, index: u64) -> u64 {
        self.expected.lock().get(index as usize).copied().unwrap_or(0)
    }

    /// A program has stored `value` to page `index` through a shared mapping.
    pub fn expect(&self, index: u64, value: u64) {
        if let Some(expected) = self.expected.lock().get_mut(index as usize) {
            *expected = value;
        }
    }
}

impl PageSource for File {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        let frame = *self.pages.get(index as usize).ok_or(PageError::BeyondEnd)?;
        self.frames.share(frame);
        Ok(frame)
    }

    fn pages_at_hand(&self, first: u64, wanted: u16, found: &mut [Option<Frame>; AT_HAND]) {
        for (nth, place) in found.iter_mut().enumerate() {
            let is_wanted = self.is_at_hand.load(Ordering::Relaxed) && wanted >> nth & 1 != 0;
            *place = self
                .pages
                .get(first as usize + nth)
                .filter(|_| is_wanted)
                .copied();
            place.inspect(|frame| self.frames.share(*frame));
        }
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity {
            device: 1,
            inode: self.inode,
        }
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        write(self.name.as_bytes());
    }
}

/// The words that the machine's own tests use begin with the first of a page.
const _: () = assert!(PROBES[WORD] == 0);

/// A source as areas hold it says whether it is one of ours by its inode.
pub fn inode_of(source: &dyn PageSource) -> u64 {
    source.identity().inode
}

/// What a name is worth in a list.
pub fn name_of(source: &dyn PageSource) -> Box<str> {
    let mut name = Vec::new();
    source.name(&mut |part| name.extend_from_slice(part));
    alloc::string::String::from_utf8_lossy(&name).into()
}
