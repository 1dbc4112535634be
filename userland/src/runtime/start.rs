//! From the kernel's `execve` to the program's `main`. The initial stack: argc, argv, NULL, envp, NULL, auxv (the
//! System V ABI; `fs/binfmt_elf.c`, create_elf_tables).

use alloc::string::String;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicPtr, Ordering};

/// The arguments as `main` receives them, the program's own name first.
pub type Arguments<'a> = &'a [&'a str];

/// Where the kernel put argc; null until `_start` ran.
static INITIAL_STACK: AtomicPtr<usize> = AtomicPtr::new(core::ptr::null_mut());

/// The first instruction of every program: hands the initial stack to [`enter`], with an empty frame-pointer chain.
#[cfg(target_os = "none")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn _start() -> ! {
    core::arch::naked_asm!("mov x29, xzr", "mov x30, xzr", "mov x0, sp", "b {enter}", enter = sym enter)
}

#[cfg(target_os = "none")]
unsafe extern "C" fn enter(stack: *mut usize) -> ! {
    unsafe extern "Rust" {
        /// Defined by `entry!` in the program.
        safe fn program_main(arguments: &[&str]) -> i32;
    }
    INITIAL_STACK.store(stack, Ordering::Relaxed);
    let arguments: alloc::vec::Vec<&str> = strings(1).collect();
    let status = program_main(&arguments);
    super::output::finish(arguments.first().copied().unwrap_or("?"), status)
}

/// One word of the initial stack; `None` where there is none to read (host).
fn word(index: usize) -> Option<usize> {
    let stack = INITIAL_STACK.load(Ordering::Relaxed);
    if stack.is_null() {
        return None;
    }
    // SAFETY: every caller stops at the NULL that ends argv, envp and auxv, so the index lies within what the kernel
    // wrote; nothing else writes there.
    Some(unsafe { stack.add(index).read() })
}

/// The strings whose addresses begin at `index` of the initial stack, up to the NULL.
fn strings(index: usize) -> impl Iterator<Item = &'static str> {
    (index..)
        .map_while(|index| word(index).filter(|&address| address != 0))
        .map(string)
}

/// The string at an address that the kernel wrote on the initial stack. What is not UTF-8 is shown with U+FFFD.
fn string(address: usize) -> &'static str {
    // SAFETY: an address from argv, envp or auxv: a NUL-terminated string that stays for the program's whole life.
    let string = unsafe { CStr::from_ptr(address as *const c_char) };
    string
        .to_str()
        .unwrap_or_else(|_| String::leak(string.to_string_lossy().into_owned()))
}

/// The path that this program was run by (AT_EXECFN).
pub fn program_path() -> Option<&'static str> {
    auxiliary(abi::process::AT_EXECFN as usize).map(string)
}

/// Index of the first word after the NULL that ends the list that begins at `index`.
fn after_list(index: usize) -> usize {
    (index..)
        .find(|&index| word(index).unwrap_or(0) == 0)
        .map_or(index, |end| end + 1)
}

/// The environment that the program was started with, as `NAME=value`. Text that is not UTF-8 is shown with U+FFFD.
pub fn environment() -> impl Iterator<Item = &'static str> {
    strings(after_list(1))
}

/// The value of that kind in the auxiliary vector (getauxval(3)).
pub fn auxiliary(kind: usize) -> Option<usize> {
    let first = after_list(after_list(1));
    let mut pairs = (first..).step_by(2).map_while(|index| {
        word(index)
            .filter(|&found| found != 0)
            .map(|found| (found, index))
    });
    pairs
        .find(|&(found, _)| found == kind)
        .and_then(|(_, index)| word(index + 1))
}
