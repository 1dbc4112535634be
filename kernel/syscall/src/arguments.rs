//! What a program hands to a call: registers, and structures that grow with the years.

use abi::Errno;
use platform::user::UserContext;

/// x0 to x5. Loaded anew by the calls that take all of them, so that the others keep them in registers.
#[inline(always)]
pub fn arguments(context: &UserContext) -> [u64; 6] {
    let x = &context.x;
    [x[0], x[1], x[2], x[3], x[4], x[5]]
}

/// The part of a structure that is longer than this kernel knows must be zero (`copy_struct_from_user` of Linux).
///
/// # Errors
/// `E2BIG`: the program wants something of it.
pub fn check_rest_is_zero(at: u64, known: usize, size: usize) -> Result<(), Errno> {
    if size > mm::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    for offset in known..size {
        if uaccess::read_value::<u8>(at.wrapping_add(offset as u64))? != 0 {
            return Err(Errno::E2BIG);
        }
    }
    Ok(())
}
