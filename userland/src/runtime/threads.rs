//! Threads of this process that do one thing over and over, on registers alone: stores to pages of their own, and a system call. They
//! touch no memory of Rust's and have no stack, so that the program stays single-threaded for all that Rust knows.

use super::file::{self, File, pipe};
use super::memory::{Mapping, PAGE, Sharing};
use super::time::TimeSpec;
use super::{Errno, Result};
use abi::file::{POLLIN, PollFd};
use abi::memory::{MADV_DONTNEED, MapFlags, ProtFlags};
use abi::nr;
use alloc::vec::Vec;

/// What each thread does, with memory that it has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A store to each page, then madvise(2) `MADV_DONTNEED` of all.
    Fault,
    /// mmap(2) of fresh memory in place of the old.
    Map,
    /// madvise(2) `MADV_DONTNEED` of nothing: a call that looks at areas and changes nothing.
    Look,
}

/// Threads that wait to be let go.
pub struct Threads {
    ready: File,
    _ready_end: File,
    _gate: File,
    opener: Option<File>,
    /// How many have not said that they are done.
    running: usize,
    /// Read by the threads; both live as long as they do.
    orders: Vec<Order>,
    _memories: Vec<Mapping>,
}

/// What a thread loads into its registers. The order of the fields is known to [`start_thread`].
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Order {
    /// Where pages are stored to: from here
    start: usize,
    /// up to here.
    end: usize,
    rounds: usize,
    /// The call behind the stores.
    number: usize,
    arguments: [usize; 6],
    /// Written to when ready, and at the end.
    ready: usize,
    /// Read from before the first round.
    gate: usize,
    /// A byte of the thread's own memory.
    byte: usize,
}

impl Deed {
    /// The order for a thread whose memory, its last page apart, is this.
    fn order(self, memory: &Mapping, rounds: usize) -> Order {
        let (start, end) = (memory.address(), memory.page_address(memory.pages() - 1));
        let rights = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).bits() as usize;
        let fresh = Sharing::Private.flag() | MapFlags::MAP_ANONYMOUS | MapFlags::MAP_FIXED;
        let nowhere = -1_isize as usize;
        let (number, arguments, end) = match self {
            Deed::Fault => (
                nr::MADVISE,
                [start, end - start, MADV_DONTNEED as usize, 0, 0, 0],
                end,
            ),
            Deed::Map => (
                nr::MMAP,
                [start, end - start, rights, fresh.bits() as usize, nowhere, 0],
                start,
            ),
            Deed::Look => (nr::MADVISE, [start, 0, MADV_DONTNEED as usize, 0, 0, 0], start),
        };
        Order {
            start,
            end,
            rounds,
            number,
            arguments,
            ready: 0,
            gate: 0,
            byte: memory.page_address(memory.pages() - 1),
        }
    }
}

impl Threads {
    /// Starts one thread for each of these mappings of at least two pages; they wait. Of each mapping the last page is the thread's
    /// own use, which is touched here.
    pub fn start(deed: Deed, memories: Vec<Mapping>, rounds: usize) -> Result<Threads> {
        let (ready, ready_end) = pipe()?;
        let (gate, opener) = pipe()?;
        let mut orders = Vec::with_capacity(memories.len());
        for memory in &memories {
            memory.store((memory.pages() - 1) * PAGE, 0);
            orders.push(Order {
                ready: ready_end.descriptor() as usize,
                gate: gate.descriptor() as usize,
                ..deed.order(memory, rounds)
            });
        }
        let threads = Threads {
            ready,
            _ready_end: ready_end,
            _gate: gate,
            opener: Some(opener),
            running: orders.len(),
            orders,
            _memories: memories,
        };
        for order in &threads.orders {
            // SAFETY: order and memory live until `threads` is dropped, which waits for the end of all that were started; each
            // thread changes its own mapping only, of which Rust assumes nothing.
            let value = unsafe { start_thread(order) };
            if let Some(error) = Errno::from_return(value as u64) {
                // What was started reads orders that must not go.
                core::mem::forget(threads);
                return Err(error);
            }
        }
        for _ in &threads.orders {
            threads.hear()?;
        }
        Ok(threads)
    }

    /// A byte of a thread; an error if it failed.
    fn hear(&self) -> Result<()> {
        let mut byte = [0];
        if self.ready.read(&mut byte)? != 1 || byte != [0] {
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Lets them go.
    pub fn open(&mut self) {
        drop(self.opener.take());
    }

    /// Whether all have done their rounds, of those that were let go; an error if one failed.
    pub fn are_done(&mut self) -> Result<bool> {
        while self.running > 0 {
            let mut ready = [PollFd {
                fd: self.ready.descriptor(),
                events: POLLIN,
                revents: 0,
            }];
            if file::poll(&mut ready, Some(TimeSpec::from_nanoseconds(0)))? == 0 {
                return Ok(false);
            }
            self.hear()?;
            self.running -= 1;
        }
        Ok(true)
    }
}

impl Drop for Threads {
    /// Threads that were never let go do their rounds now: nothing goes that they use.
    fn drop(&mut self) {
        self.open();
        while self.running > 0 {
            // Whether they failed is nobody's business any more.
            let _ = self.hear();
            self.running -= 1;
        }
    }
}

/// Starts a thread that follows the order: says that it is ready, waits for the gate's end of file, does its rounds, says so, ends.
///
/// # Safety
/// The order and its memory live until the thread has written its second byte; nothing in Rust looks at the memory meanwhile.
#[cfg(target_arch = "aarch64")]
unsafe fn start_thread(order: &Order) -> usize {
    use super::process::THREAD;
    let value;
    // SAFETY: the new thread begins with the same registers, touches no stack, and jumps to no other code. It writes to its own
    // memory, by stores and by calls.
    unsafe {
        core::arch::asm!(
            "svc #0",
            "cbnz x0, 9f",
            "mov x27, {order}",
            "ldp x20, x21, [x27, {start}]",
            "ldp x22, x23, [x27, {rounds}]",
            "ldp x24, x25, [x27, {ready}]",
            "ldr x26, [x27, {byte}]",
            // Ready.
            "mov x0, x24",
            "mov x1, x26",
            "mov x2, #1",
            "mov x8, {write}",
            "svc #0",
            // The gate.
            "mov x0, x25",
            "mov x1, x26",
            "mov x2, #1",
            "mov x8, {read}",
            "svc #0",
            "cbnz x0, 7f",
            "2:",
            "cbz x22, 8f",
            "mov x9, x20",
            "3:",
            "cmp x9, x21",
            "b.hs 4f",
            "str x9, [x9]",
            "add x9, x9, #4096",
            "b 3b",
            "4:",
            "ldp x0, x1, [x27, {arguments}]",
            "ldp x2, x3, [x27, {arguments} + 16]",
            "ldp x4, x5, [x27, {arguments} + 32]",
            "mov x8, x23",
            "svc #0",
            "cmn x0, #4095",
            "b.hs 7f",
            "sub x22, x22, #1",
            "b 2b",
            // What failed is said by a byte that is not zero.
            "7:",
            "mov w9, #1",
            "strb w9, [x26]",
            "8:",
            "mov x0, x24",
            "mov x1, x26",
            "mov x2, #1",
            "mov x8, {write}",
            "svc #0",
            "mov x0, #0",
            "mov x8, {exit}",
            "svc #0",
            "9:",
            start = const core::mem::offset_of!(Order, start),
            rounds = const core::mem::offset_of!(Order, rounds),
            arguments = const core::mem::offset_of!(Order, arguments),
            ready = const core::mem::offset_of!(Order, ready),
            byte = const core::mem::offset_of!(Order, byte),
            write = const nr::WRITE,
            read = const nr::READ,
            exit = const nr::EXIT,
            order = in(reg) order,
            inlateout("x8") nr::CLONE => _,
            inlateout("x0") THREAD.bits() as usize => value,
            inlateout("x1") 0usize => _,
            inlateout("x2") 0usize => _,
            inlateout("x3") 0usize => _,
            inlateout("x4") 0usize => _,
            options(nostack),
        );
    }
    value
}

/// The host has no such call.
#[cfg(not(target_arch = "aarch64"))]
unsafe fn start_thread(_order: &Order) -> usize {
    Errno::ENOSYS.to_return() as usize
}
