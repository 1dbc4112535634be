//! Who called whom, by the frame pointers (AAPCS64 6.4.6: x29 points to { caller's x29, return address }), with the names of
//! the image's symbol table.

use crate::cpu;
use crate::layout::image;
use aarch64_cpu::registers::{FP, Readable};
use core::fmt::{Result, Write};
use core::ops::Range;
use formats::symbols::Payload;
use spin::Once;

/// Frames after which a chain is believed to be a circle.
const MAX_FRAMES: usize = 48;

static SYMBOLS: Once<Payload<'static>> = Once::new();

/// From now on addresses have names.
pub(crate) fn set_symbols(payload: Payload<'static>) {
    SYMBOLS.call_once(|| payload);
}

/// Prints the callers of the caller.
pub(super) fn print_own(out: &mut impl Write) -> Result {
    print(out, FP.get() as usize)
}

/// Prints the chain that begins at `frame_pointer`.
pub(super) fn print(out: &mut impl Write, frame_pointer: usize) -> Result {
    writeln!(out, "backtrace:")?;
    let mut at = frame_pointer;
    for _ in 0..MAX_FRAMES {
        let Some((next, return_to)) = record(at) else {
            break;
        };
        if return_to == 0 {
            break;
        }
        // The call is the instruction before the one that it returns to.
        line(out, return_to.wrapping_sub(4))?;
        if next <= at && stack_of(next) == stack_of(at) {
            break;
        }
        at = next;
    }
    Ok(())
}

/// Prints one code address, with its name if it has one.
pub(super) fn line(out: &mut impl Write, address: usize) -> Result {
    write!(out, "  {address:#018x}")?;
    let offset = image::text()
        .contains(&address)
        .then(|| (address - image::text_start()) as u32);
    if let Some((name, beyond)) = offset.and_then(|offset| SYMBOLS.get()?.symbol(offset)) {
        write!(out, "  {name}+{beyond:#x}")?;
    }
    writeln!(out)
}

/// The record at `frame_pointer`: the caller's frame pointer and the return address. `None` for an address that cannot be one.
fn record(frame_pointer: usize) -> Option<(usize, usize)> {
    let stack = stack_of(frame_pointer)?;
    let inside = frame_pointer.is_multiple_of(16) && frame_pointer + 16 <= stack.end;
    let words = core::ptr::with_exposed_provenance::<usize>(frame_pointer);
    // SAFETY: two aligned words on a stack. If it is not a mapped one, this is a second crash, which says so and ends.
    inside.then(|| unsafe { (words.read_volatile(), words.add(1).read_volatile()) })
}

/// The stack that holds `address`: the upper half of a 64 KiB slot, which a thread's does not fill, or this processor's emergency stack.
fn stack_of(address: usize) -> Option<Range<usize>> {
    const HALF: usize = crate::memory::stacks::BOOT_STACK_SIZE;
    let emergency = cpu::emergency_stack();
    if emergency.contains(&address) {
        return Some(emergency);
    }
    let start = address & !(HALF - 1);
    let is_upper_half = start & HALF != 0;
    let is_stack =
        start == image::boot_stack_top() - HALF || crate::memory::stacks::region().contains(&start);
    (is_upper_half && is_stack).then(|| start..start + HALF)
}
