//! A file or shared memory object whose pages can be mapped, together with what its pages should hold.

use super::waiting::LatePages;
use machine::{PROBES, SoftMmu};
use mm::{AT_HAND, FileIdentity, Frame, Interrupted, Memory, NoMemory, PageError, PageSource};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The probed words of one page.
pub type Words = [u64; PROBES.len()];

thread_local! {
    /// The machine of the world that this thread runs: a `PageSource` is Send and Sync, the machine is not.
    static MACHINE: RefCell<Option<Rc<Memory<SoftMmu>>>> = const { RefCell::new(None) };
}

/// Says which machine the objects of this thread live in.
pub fn enter_machine(memory: Option<Rc<Memory<SoftMmu>>>) {
    MACHINE.set(memory);
}

/// The machine of this thread's world.
pub fn machine() -> Rc<Memory<SoftMmu>> {
    MACHINE.with_borrow(|memory| Rc::clone(memory.as_ref().expect("a world is entered")))
}

/// Does something in the machine of this thread's world.
pub fn with_machine<R>(act: impl FnOnce(&Memory<SoftMmu>) -> R) -> R {
    act(&machine())
}

/// What an object is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Program text: never changed but by private copies.
    Text,
    /// Shared memory: mapped only MAP_SHARED.
    SharedMemory,
    /// A file that is mapped both ways and written through either.
    Data,
}

/// The object. It holds one reference to each of its frames.
pub struct Object {
    number: u64,
    /// What it is used for.
    pub role: Role,
    frames: Mutex<Vec<Frame>>,
    /// How many pages faults get.
    end: AtomicU64,
    expected: Mutex<Vec<Words>>,
    /// It cannot have a frame for a page just now.
    pub is_without_memory: AtomicBool,
    /// Which of its pages have to be waited for.
    pub late: LatePages,
}

impl Object {
    /// An object of `pages` pages, filled with values that say where they belong.
    pub fn new(memory: &Memory<SoftMmu>, number: u64, role: Role, pages: u64) -> Object {
        let mut frames = Vec::new();
        let mut expected = Vec::new();
        for page in 0..pages {
            let frame = new_frame(memory).expect("room for the objects");
            let words: Words =
                std::array::from_fn(|probe| 0xf11e_0000 + (number << 12) + (page << 4) + probe as u64);
            words
                .iter()
                .enumerate()
                .for_each(|(probe, word)| memory.mmu().write_probe(frame, probe, *word));
            frames.push(frame);
            expected.push(words);
        }
        Object {
            number,
            role,
            frames: Mutex::new(frames),
            end: AtomicU64::new(pages),
            expected: Mutex::new(expected),
            is_without_memory: AtomicBool::new(false),
            late: LatePages::default(),
        }
    }

    /// How many pages it has.
    pub fn pages(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Its frames.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames.lock().unwrap().clone()
    }

    /// Faults get no page from `end` on; what is mapped stays.
    pub fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Relaxed);
    }

    /// Gives back the frames behind the end.
    pub fn give_back(&self, memory: &Memory<SoftMmu>) {
        let end = self.pages() as usize;
        self.expected.lock().unwrap().truncate(end);
        for frame in self.frames.lock().unwrap().drain(end..) {
            memory.frames().release(memory.mmu(), frame);
        }
    }

    /// One more page, of zeros; false if there is no frame.
    pub fn lengthen(&self, memory: &Memory<SoftMmu>) -> bool {
        let Ok(frame) = new_frame(memory) else {
            return false;
        };
        self.frames.lock().unwrap().push(frame);
        self.expected.lock().unwrap().push([0; PROBES.len()]);
        self.set_end(self.pages() + 1);
        true
    }

    /// Puts a frame of zeros in the place of a page's; returns the old one, or nothing if there is no frame.
    pub fn punch(&self, memory: &Memory<SoftMmu>, index: u64) -> Option<Frame> {
        let frame = new_frame(memory).ok()?;
        self.expected.lock().unwrap()[index as usize] = [0; PROBES.len()];
        Some(std::mem::replace(
            &mut self.frames.lock().unwrap()[index as usize],
            frame,
        ))
    }

    /// What page `index` should hold; zeros beyond the end, where nobody can look.
    pub fn words(&self, index: u64) -> Words {
        self.expected
            .lock()
            .unwrap()
            .get(index as usize)
            .copied()
            .unwrap_or([0; PROBES.len()])
    }

    /// A program or the kernel has stored `value`.
    pub fn expect(&self, index: u64, probe: usize, value: u64) {
        self.expected.lock().unwrap()[index as usize][probe] = value;
    }
}

impl PageSource for Object {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        if self.is_without_memory.load(Ordering::Relaxed) {
            return Err(PageError::NoMemory);
        }
        if index >= self.pages() {
            return Err(PageError::BeyondEnd);
        }
        let frame = self.frames.lock().unwrap()[index as usize];
        self.late.ask(index, || share(frame))?;
        share(frame);
        Ok(frame)
    }

    /// What is not late, whether or not a request for it alone would be late.
    fn pages_at_hand(&self, first: u64, wanted: u16, found: &mut [Option<Frame>; AT_HAND]) {
        let frames = self.frames.lock().unwrap();
        let present = |nth: u64| {
            let index = first + nth;
            let is_there = wanted >> nth & 1 != 0 && index < self.pages() && !self.late.is_late(index);
            is_there.then(|| frames[index as usize])
        };
        for (nth, place) in (0..).zip(found) {
            *place = present(nth);
            place.inspect(|frame| share(*frame));
        }
    }

    /// The page has come: the sleep is what others did in the meantime.
    fn wait_for_page(&self, index: u64) -> Result<(), Interrupted> {
        self.late.arrive(index);
        Ok(())
    }

    fn object(&self) -> usize {
        self.number as usize
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity {
            device: 1,
            inode: self.number,
        }
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        write(format!("/object/{}", self.number).as_bytes());
    }
}

/// One reference more, for whoever asked for the page.
fn share(frame: Frame) {
    MACHINE.with_borrow(|memory| memory.as_ref().expect("a world is entered").frames().share(frame));
}

fn new_frame(memory: &Memory<SoftMmu>) -> Result<Frame, NoMemory> {
    let frame = memory.frames().allocate(memory.mmu())?;
    memory.frames().note_object(frame);
    memory.mmu().give_back_lock();
    Ok(frame)
}
