//! The shared object that the kernel maps into every program (vdso(7)): what it exports is called as any function.

use super::start::auxiliary;
use abi::process::AT_SYSINFO_EHDR;
use abi::time::TimeSpec;
use core::ffi::{CStr, c_char, c_int};

/// Where the dynamic section tells of the symbols.
const DT_NULL: u64 = 0;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const PT_DYNAMIC: u64 = 2;
const SYMBOL_LEN: usize = 24;

/// clock_gettime(2) as the object exports it.
#[derive(Clone, Copy)]
pub struct ClockFunction(extern "C" fn(c_int, *mut TimeSpec) -> c_int);

impl ClockFunction {
    /// The function, if the kernel has it.
    pub fn find() -> Option<ClockFunction> {
        let address = find(auxiliary(AT_SYSINFO_EHDR as usize)?, "__kernel_clock_gettime")?;
        // SAFETY: the kernel exports a function of this type under that name (`Documentation/ABI/stable/vdso` of Linux).
        Some(ClockFunction(unsafe {
            core::mem::transmute::<usize, extern "C" fn(c_int, *mut TimeSpec) -> c_int>(address)
        }))
    }

    /// What that clock says.
    #[inline]
    pub fn now(self, clock: u32) -> TimeSpec {
        let mut time = TimeSpec::default();
        (self.0)(clock as c_int, &raw mut time);
        time
    }
}

/// A number of `len` bytes in the object.
fn number(address: usize, len: usize) -> u64 {
    (0..len).rev().fold(0, |value, at| {
        // SAFETY: every caller asks for what the headers of the object say is there; its pages stay for the program's whole life.
        value << 8 | u64::from(unsafe { *(core::ptr::with_exposed_provenance::<u8>(address + at)) })
    })
}

/// The address of the symbol of that name in the object at `object`, which counts its own addresses from 0.
fn find(object: usize, name: &str) -> Option<usize> {
    let segments = object + number(object + 32, 8) as usize;
    let (size, count) = (number(object + 54, 2) as usize, number(object + 56, 2) as usize);
    let mut segments = (0..count).map(|index| segments + index * size);
    let dynamic = segments.find(|segment| number(*segment, 4) == PT_DYNAMIC)?;
    let dynamic = object + number(dynamic + 8, 8) as usize;
    let entry = |tag: u64| {
        let mut entries = (0..).map(|index| dynamic + index * 16);
        let found = entries.find(|at| [tag, DT_NULL].contains(&number(*at, 8)))?;
        (number(found, 8) == tag).then(|| object + number(found + 8, 8) as usize)
    };
    let (hash, strings, symbols) = (entry(DT_HASH)?, entry(DT_STRTAB)?, entry(DT_SYMTAB)?);
    let symbol_count = number(hash + 4, 4) as usize;
    let found = (1..symbol_count)
        .map(|index| symbols + index * SYMBOL_LEN)
        .find(|symbol| {
            let string = strings + number(*symbol, 4) as usize;
            // SAFETY: a NUL-terminated string of the object's.
            let string = unsafe { CStr::from_ptr(core::ptr::with_exposed_provenance::<c_char>(string)) };
            string.to_bytes() == name.as_bytes()
        })?;
    Some(object + number(found + 8, 8) as usize)
}
