//! What measuring needs and no other program does: the counter as it is, loops that are nothing but the thing measured,
//! advice about memory, and a mount for programs that run as the first process.

use super::file::File;
use super::memory::{self, PAGE, Region};
use super::raw::syscall;
use super::{Errno, Result, time};
use abi::nr;
use alloc::vec::Vec;

/// The virtual counter, unscaled: [`nanoseconds`] turns differences into time.
pub fn ticks() -> u64 {
    time::counter().0
}

/// The processor's counters of cycles and of instructions, both from anywhere. Only where the kernel lets this program read them
/// (`pmu=programs`, CAP_PERFMON); else it is an illegal instruction.
pub fn processor_counters() -> (u64, u32) {
    #[cfg(target_arch = "aarch64")]
    {
        let (cycles, instructions): (u64, u64);
        // SAFETY: reads two counters, by the kernel's hand.
        unsafe {
            core::arch::asm!(
                "mrs {}, pmccntr_el0",
                "mrs {}, pmevcntr0_el0",
                out(reg) cycles,
                out(reg) instructions,
                options(nomem, nostack, preserves_flags)
            );
        }
        (cycles, instructions as u32)
    }
    #[cfg(not(target_arch = "aarch64"))]
    {
        (0, 0) // the host measures nothing
    }
}

/// The time of so many ticks. Under QEMU's `-icount shift=0` it is the number of instructions executed.
pub fn nanoseconds(ticks: u64) -> u64 {
    let rate = u128::from(time::counter().1);
    (u128::from(ticks) * 1_000_000_000 / rate) as u64
}

/// A place that who traces the machine's execution knows by its symbol: what is to be looked at begins here.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn mark_begin() {
    marked::<1>();
}

/// And ends here.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn mark_end() {
    marked::<2>();
}

/// What a machine that counts lines is told, by the number.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Deed {
    /// The next row begins.
    Row,
    /// It is done once more, with caches as they are.
    Warm,
    /// It is done, and caches and TLBs are to be empty when its measured part begins.
    Cold,
    /// It was done often enough.
    Over,
}

/// Such a machine reads the argument from its register.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn mark_deed(deed: Deed) {
    core::hint::black_box(deed);
}

/// Keeps the two marks from being taken for the same function, or for none.
#[inline(always)]
fn marked<const MARK: usize>() {
    core::hint::black_box(MARK);
}

/// Does something with a stack that begins on a page of its own. Where the stack of a program begins depends on the length of its
/// arguments, and how many pages it then writes between two forks depends on that.
#[cfg(target_arch = "aarch64")]
pub fn on_own_page<T>(deed: impl FnOnce() -> T) -> T {
    extern "C" fn call(deed: &mut &mut dyn FnMut()) {
        deed();
    }
    let (mut deed, mut result) = (Some(deed), None);
    let mut once: &mut dyn FnMut() = &mut || result = deed.take().map(|deed| deed());
    // SAFETY: the stack grows by less than a page more than by the call alone, and is where it was behind it; `call` gets the
    // reference that it is declared with.
    unsafe {
        core::arch::asm!(
            "mov x20, sp",
            "and x9, x20, #0xfffffffffffff000",
            "mov sp, x9",
            "blr x8",
            "mov sp, x20",
            in("x8") call as extern "C" fn(_),
            in("x0") &raw mut once,
            out("x20") _,
            clobber_abi("C"),
        );
    }
    result.expect("called once")
}

/// Makes `count` calls of getppid(2): two instructions of loop and the call.
#[cfg(target_arch = "aarch64")]
pub fn null_calls(count: u64) {
    // SAFETY: the call touches no memory and changes x0 only.
    unsafe {
        core::arch::asm!(
            "2:",
            "svc #0",
            "subs {count}, {count}, #1",
            "b.ne 2b",
            count = inout(reg) count.max(1) => _,
            in("x8") nr::GETPPID,
            out("x0") _,
            options(nostack),
        );
    }
}

/// The same loop as [`null_calls`] with an instruction that does nothing in place of the call.
#[cfg(target_arch = "aarch64")]
pub fn empty_calls(count: u64) {
    // SAFETY: counts a register down.
    unsafe {
        core::arch::asm!(
            "2:",
            "nop",
            "subs {count}, {count}, #1",
            "b.ne 2b",
            count = inout(reg) count.max(1) => _,
            options(nomem, nostack),
        );
    }
}

/// The host measures nothing.
#[cfg(not(target_arch = "aarch64"))]
pub fn on_own_page<T>(deed: impl FnOnce() -> T) -> T {
    deed()
}

/// The host makes no calls.
#[cfg(not(target_arch = "aarch64"))]
pub fn null_calls(_count: u64) {}

/// The host makes no calls.
#[cfg(not(target_arch = "aarch64"))]
pub fn empty_calls(_count: u64) {}

impl Region {
    /// The addresses of its pages from the first on, once it is certain that there are so many.
    fn first_pages(&self, pages: usize) -> impl Iterator<Item = *mut u64> {
        assert!(pages <= self.pages(), "{pages} pages of {}", self.pages());
        let start = self.address();
        (0..pages).map(move |page| (start + page * PAGE) as *mut u64)
    }

    /// Stores a word into each of the first pages: one store and the loop.
    pub fn store_pages(&self, pages: usize, value: u64) {
        for word in self.first_pages(pages) {
            // SAFETY: within the region, aligned, and no Rust reference to it exists.
            unsafe { word.write_volatile(value) }
        }
    }

    /// Loads a word from each of the first pages.
    pub fn load_pages(&self, pages: usize) {
        for word in self.first_pages(pages) {
            // SAFETY: as in `store_pages`.
            unsafe { word.read_volatile() };
        }
    }

    /// pread(2) into the region, which takes no memory of Rust's.
    pub fn read_at(&self, file: &File, position: u64, offset: usize, length: usize) -> Result<usize> {
        let length = length.min(self.length().saturating_sub(offset));
        let arguments = [
            file.descriptor() as usize,
            self.address() + offset,
            length,
            position as usize,
        ];
        // SAFETY: the kernel writes within the region only.
        unsafe { syscall(nr::PREAD64, arguments) }
    }

    /// A copy of bytes of the region. They must lie within it.
    pub fn copy(&self, offset: usize, length: usize) -> Vec<u8> {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.length()));
        let start = (self.address() + offset) as *const u8;
        // SAFETY: within the region; each is one volatile load.
        (0..length)
            .map(|index| unsafe { start.add(index).read_volatile() })
            .collect()
    }

    /// madvise(2) for the whole region.
    pub fn advise(&self, advice: u32) -> Result<()> {
        // SAFETY: Rust assumes nothing of the region's contents.
        unsafe { syscall(nr::MADVISE, [self.address(), self.length(), advice as usize]) }.map(drop)
    }
}

/// So many times: brk(2) up by a page, a store into it, brk(2) down again.
pub fn break_cycles(count: u64) -> Result<()> {
    let end = memory::set_break(0)?.next_multiple_of(PAGE);
    memory::set_break(end)?;
    for _ in 0..count {
        if memory::set_break(end + PAGE)? != end + PAGE {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: the call above has just added this page, and nobody else knows of it.
        unsafe { (end as *mut u64).write_volatile(1) };
        memory::set_break(end)?;
    }
    Ok(())
}
