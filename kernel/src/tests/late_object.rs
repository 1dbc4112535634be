//! An object whose pages have to be waited for, each time that one is asked for.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use memory::FrameHandle;
use mm::{FileIdentity, Frame, Interrupted, PAGE_SIZE, PageError, PageSource};
use sched::time;
use sched::wait::WaitQueue;
use std::boxed::Box;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

/// What is done while somebody waits.
type Event = Box<dyn FnOnce() + Send>;

pub struct LateObject {
    pages: Vec<FrameHandle>,
    has_come: Vec<AtomicBool>,
    waits: AtomicUsize,
    meanwhile: Mutex<Option<Event>>,
}

/// A byte of the object.
pub fn content(page: u64, byte: usize) -> u8 {
    (page as usize * 31 + byte * 7 % 251) as u8 | 1
}

impl LateObject {
    pub fn new(pages: usize) -> Arc<LateObject> {
        Arc::new(LateObject {
            pages: (0..pages as u64).map(page).collect(),
            has_come: (0..pages).map(|_| AtomicBool::new(false)).collect(),
            waits: AtomicUsize::new(0),
            meanwhile: Mutex::new(None),
        })
    }

    /// How often a page was waited for.
    pub fn waits(&self) -> usize {
        self.waits.load(Ordering::Relaxed)
    }

    /// Says what happens during the next wait; no page has come yet.
    pub fn during_next_wait(&self, event: impl FnOnce() + Send + 'static) {
        let forget = |has_come: &AtomicBool| has_come.store(false, Ordering::Relaxed);
        self.has_come.iter().for_each(forget);
        *self.meanwhile.lock().unwrap() = Some(Box::new(event));
    }
}

fn page(index: u64) -> FrameHandle {
    let page = FrameHandle::allocate().expect("there is memory for the object");
    memory::get().frames().note_object(page.frame());
    let bytes: Vec<u8> = (0..PAGE_SIZE).map(|at| content(index, at)).collect();
    platform::frame::write(page.frame(), 0, &bytes);
    page
}

impl PageSource for LateObject {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        let has_come = &self.has_come[index as usize];
        if has_come.swap(false, Ordering::Relaxed) {
            Ok(self.pages[index as usize].clone().into_reference())
        } else {
            Err(PageError::NotYet)
        }
    }

    fn wait_for_page(&self, index: u64) -> Result<(), Interrupted> {
        static NOBODY: WaitQueue = WaitQueue::new();
        lock::assert_none_held();
        let deadline = time::deadline_after(1_000);
        let slept = NOBODY.wait_for_page(Some(deadline), || None::<()>);
        slept.map_err(|_| Interrupted)?;
        let event = self.meanwhile.lock().unwrap().take();
        event.into_iter().for_each(|event| event());
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.has_come[index as usize].store(true, Ordering::Relaxed);
        Ok(())
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity::default()
    }

    fn object(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        write(b"late");
    }
}
