//! The code of the vDSO, which programs run: the kernel copies it into a page of its own (`kernel/task/src/vdso.rs`).

use crate::arch;
use core::ops::Range;

/// Functions that programs call, by the names that they are exported under.
const NAMES: [&str; 5] = [
    "__kernel_rt_sigreturn",
    "__kernel_clock_gettime",
    "__kernel_gettimeofday",
    "__kernel_clock_getres",
    "__kernel_getcpu",
];

/// All of it. It refers to nothing outside of itself but the page before the one that it lies in.
pub fn code() -> &'static [u8] {
    arch::vdso::code()
}

/// Where each function lies in it.
pub fn functions() -> [(&'static str, Range<usize>); NAMES.len()] {
    let starts = arch::vdso::functions();
    core::array::from_fn(|index| {
        let end = starts.get(index + 1).copied().unwrap_or(code().len());
        (NAMES[index], starts[index]..end)
    })
}
