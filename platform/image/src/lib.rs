//! The files that the boards boot, made on the host from bytes and returned as bytes: the flat kernel Image
//! ([`kernel`]), the initramfs ([`initramfs`], by way of the newc writer [`cpio`]; [`busybox`] beside it, or a [`folder`] in its place) and the
//! card image ([`sdcard`]).
//! The same input always gives the same bytes: no clock, no host owner, no host order enters the output.

pub mod busybox;
pub mod cpio;
pub mod folder;
pub mod initramfs;
pub mod kernel;
pub mod sdcard;

/// `length` rounded up to a multiple of `unit`, a power of two.
pub(crate) fn align_up(length: usize, unit: usize) -> usize {
    length.next_multiple_of(unit)
}
