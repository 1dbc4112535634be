//! capabilities(7): the rights of user 0 are not divided here, so a process has all of them or none.

use super::process::meant;
use crate::thread::Thread;
use crate::user_memory;
use abi::Errno;

/// `_LINUX_CAPABILITY_VERSION_1`: one word for each set.
const VERSION_1: u32 = 0x1998_0330;
/// `_LINUX_CAPABILITY_VERSION_2` and `_3`: two.
const VERSION_2: u32 = 0x2007_1026;
const VERSION_3: u32 = 0x2008_0522;

/// One bit for each capability, up to `CAP_LAST_CAP`.
const ALL: u64 = (1 << (super::process::LAST_CAPABILITY + 1)) - 1;

/// capget(2): effective, permitted and inheritable sets. For a version that is not known, `EINVAL` and the newest one in the
/// header; that is no error for who asked for nothing else.
pub fn capget(current: &Thread, header: u64, data: u64) -> Result<usize, Errno> {
    let [version, pid] = user_memory::read_value::<[u32; 2]>(header)?;
    let words = match version {
        VERSION_1 => 1,
        VERSION_2 | VERSION_3 => 2,
        _ => {
            user_memory::write_value(header, &VERSION_3)?;
            return if data == 0 { Ok(0) } else { Err(Errno::EINVAL) };
        }
    };
    if (pid as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let is_privileged = meant(current, pid.into())?.credentials().is_privileged();
    let held = if is_privileged { ALL } else { 0 };
    for (word, at) in (0..words).zip((data..).step_by(size_of::<[u32; 3]>())) {
        let part = (held >> (32 * word)) as u32;
        user_memory::write_value(at, &[part, part, 0])?;
    }
    Ok(0)
}
