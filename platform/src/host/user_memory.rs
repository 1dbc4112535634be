//! User memory, reached by a walk through the tables of this processor's address space, with the rights of EL0: what LDTR and STTR
//! do on the board (arch/copy.s), under the same names.

use super::memory::{self, BoardMmu};
use super::{arch, layout};
use crate::cpu::{MAX_CPUS, PerCpu};
use crate::trap::Syndrome;
use crate::user::UserRegisters;
use core::sync::atomic::{AtomicU32, Ordering};
use mm::{Access, Level, Mmu, PAGE_SIZE, PhysAddr, VirtAddr};
use std::sync::{Mutex, PoisonError, RwLock};

/// Held to be read while somebody is between a walk and the memory that it found.
static WALKS: RwLock<()> = RwLock::new(());

/// Waits until nobody is on the way to memory that was found before.
pub(super) fn wait_for_walks() {
    drop(WALKS.write().unwrap_or_else(PoisonError::into_inner));
}

/// What the MMU says of an address that it does not translate (Arm ARM D24.2.40, DFSC).
const TRANSLATION: u64 = 0x04;
const PERMISSION: u64 = 0x0c;

/// Where the byte at `address` is, or the fault status and level.
fn walk(address: u64, access: Access) -> Result<*mut u8, u64> {
    let mut table = memory::root().ok_or(TRANSLATION)?;
    let mut level = Level::L1;
    let mut number = 1;
    let mut is_writable = true;
    loop {
        let descriptor = BoardMmu.load(table, VirtAddr(address).index(level));
        if !descriptor.is_valid() {
            return Err(TRANSLATION + number);
        }
        let Some(below) = level.below() else {
            let is_allowed = match access {
                Access::Read => descriptor.is_page_accessible(),
                Access::Write => is_writable && descriptor.is_page_writable(),
                Access::Execute => descriptor.is_page_executable(),
            };
            let page = descriptor.frame().start().0 + address % PAGE_SIZE as u64;
            return is_allowed
                .then(|| core::ptr::with_exposed_provenance_mut(layout::linear(PhysAddr(page))))
                .ok_or(PERMISSION + number);
        };
        is_writable &= descriptor.is_table_writable();
        (table, level, number) = (descriptor.frame(), below, number + 1);
    }
}

/// The fault status of an access; 0 if it is allowed by now.
pub(super) fn fault_status(address: u64, access: Access) -> u64 {
    walk(address, access).err().unwrap_or(0)
}

/// Notes the fault that a routine of the kernel ran into.
fn note(status: u64, address: u64, access: Access) {
    let class = (Syndrome::CLASS::Value::DataAbortKernel as u64) << Syndrome::CLASS.shift;
    arch::set_fault(class | status | u64::from(access == Access::Write) << 6, address);
}

/// Calls `piece` for what of `len` bytes at `at` lies in each page, with its place, and how many came before; how many bytes were
/// done until a fault.
fn by_page(at: u64, len: usize, access: Access, mut piece: impl FnMut(*mut u8, usize, usize)) -> usize {
    let mut done = 0;
    while done < len {
        let here = at + done as u64;
        let part = (PAGE_SIZE - here as usize % PAGE_SIZE).min(len - done);
        let _walk = WALKS.read().unwrap_or_else(PoisonError::into_inner);
        match walk(here, access) {
            Ok(memory) => piece(memory, done, part),
            Err(status) => {
                note(status, here, access);
                return done;
            }
        }
        done += part;
    }
    done
}

// SAFETY: nothing else has this name on a host; `user_copy` declares it so.
#[unsafe(no_mangle)]
unsafe extern "C" fn user_load(to: *mut u8, from: u64, len: usize) -> usize {
    by_page(from, len, Access::Read, |memory, done, part| {
        // SAFETY: the walk found `part` bytes of RAM there; the caller's `to` has room for `len` bytes. They may overlap.
        unsafe { core::ptr::copy(memory, to.add(done), part) }
    })
}

// SAFETY: as for `user_load`.
#[unsafe(no_mangle)]
unsafe extern "C" fn user_store(to: u64, from: *const u8, len: usize) -> usize {
    by_page(to, len, Access::Write, |memory, done, part| {
        // SAFETY: as in `user_load`, the other way.
        unsafe { core::ptr::copy(from.add(done), memory, part) }
    })
}

// SAFETY: as for `user_load`.
#[unsafe(no_mangle)]
unsafe extern "C" fn user_zero(to: u64, len: usize) -> usize {
    by_page(to, len, Access::Write, |memory, _, part| {
        // SAFETY: the walk found `part` bytes of RAM there.
        unsafe { core::ptr::write_bytes(memory, 0, part) }
    })
}

/// Two values, as `user_copy` has them.
#[repr(C)]
struct Pair {
    value: usize,
    status: usize,
}

const DONE: usize = 0;
const NOT_FOUND: usize = 1;
const FAULT: usize = 2;

#[unsafe(no_mangle)]
unsafe extern "C" fn user_string(to: *mut u8, from: u64, len: usize) -> Pair {
    for value in 0..len {
        // SAFETY: the caller's `to` has room for `len` bytes, this is one of them.
        let byte = unsafe {
            let place = to.add(value);
            (user_load(place, from + value as u64, 1) == 1).then(|| place.read())
        };
        match byte {
            Some(0) => return Pair { value, status: DONE },
            Some(_) => {}
            None => return Pair { value, status: FAULT },
        }
    }
    Pair {
        value: len,
        status: NOT_FOUND,
    }
}

/// Calls `with` for an aligned word of user memory.
fn word(at: u64, access: Access, with: impl Fn(&AtomicU32) -> u32) -> Pair {
    let mut value = 0;
    let done = by_page(at, size_of::<u32>(), access, |memory, _, _| {
        // SAFETY: the walk found the word in RAM; the caller has checked that it is aligned. It is used as an atomic here.
        value = with(unsafe { AtomicU32::from_ptr(memory.cast()) });
    });
    Pair {
        value: value as usize,
        status: if done == 0 { FAULT } else { DONE },
    }
}

#[unsafe(no_mangle)]
extern "C" fn user_load_u32(at: u64) -> Pair {
    word(at, Access::Read, |word| word.load(Ordering::SeqCst))
}

#[unsafe(no_mangle)]
extern "C" fn user_store_u32(at: u64, value: u32) -> Pair {
    word(at, Access::Write, |word| {
        word.store(value, Ordering::SeqCst);
        value
    })
}

#[unsafe(no_mangle)]
extern "C" fn user_compare_exchange_u32(at: u64, old: u32, new: u32) -> Pair {
    // As on the board: to be read first, and to be written only where the old value was found.
    let found = word(at, Access::Read, |word| word.load(Ordering::SeqCst));
    if found.status != DONE || found.value != old as usize {
        return found;
    }
    word(at, Access::Write, |word| {
        word.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
            .unwrap_or_else(|found| found)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn copy_frame_bytes(to: *mut u8, from: *const u8) {
    // SAFETY: the caller's promise: two frames of RAM that are apart.
    unsafe { core::ptr::copy_nonoverlapping(from, to, PAGE_SIZE) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn zero_frame_bytes(to: *mut u8) {
    // SAFETY: the caller's promise: a frame of RAM.
    unsafe { core::ptr::write_bytes(to, 0, PAGE_SIZE) }
}

/// FP/SIMD registers and thread pointer of each processor.
static REGISTERS: PerCpu<Mutex<UserRegisters>> =
    PerCpu::new([const { Mutex::new(UserRegisters::new()) }; MAX_CPUS]);

#[unsafe(no_mangle)]
unsafe extern "C" fn save_user_registers(to: *mut UserRegisters) {
    let registers = REGISTERS.get().lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise: room for the registers.
    unsafe { to.write(registers.clone()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn restore_user_registers(from: *const UserRegisters) {
    let mut registers = REGISTERS.get().lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise: registers.
    *registers = unsafe { (*from).clone() };
}

/// TPIDR_EL0.
pub(crate) fn thread_pointer() -> u64 {
    REGISTERS
        .get()
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .tpidr()
}

/// Sets TPIDR_EL0.
pub(crate) fn set_thread_pointer(value: u64) {
    let mut registers = REGISTERS.get().lock().unwrap_or_else(PoisonError::into_inner);
    registers.set_tpidr(value);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn save_vectors(to: *mut [u128; 32]) -> u64 {
    let registers = REGISTERS.get().lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise: room for the registers.
    unsafe { to.write(*registers.v()) }
    u64::from(registers.fpcr()) << 32 | u64::from(registers.fpsr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn restore_vectors(from: *const [u128; 32], fpsr: u32, fpcr: u32) {
    let mut registers = REGISTERS.get().lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller's promise: registers.
    registers.set_vectors(unsafe { *from }, fpsr, fpcr);
}
