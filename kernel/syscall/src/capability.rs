//! capabilities(7): capget(2), capset(2), and what prctl(2) does about them. The rules are in `vfs::capabilities`.

use super::target::meant;
use abi::Errno;
use abi::capability::{
    _LINUX_CAPABILITY_VERSION_1, _LINUX_CAPABILITY_VERSION_2, _LINUX_CAPABILITY_VERSION_3, CapSet,
};
use abi::process::{
    PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER, PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_KEEPCAPS, PR_GET_SECUREBITS, PR_SET_KEEPCAPS, PR_SET_SECUREBITS,
};
use task::process::Pid;
use task::thread::{Thread, ThreadExt};
use vfs::{Credentials, KeepCapabilities, valid_capability};

/// The most words that a set has in a call.
const MOST_WORDS: usize = 2;

/// Effective, permitted, inheritable: one word of each.
type Words = [u32; 3];

/// capget(2): effective, permitted and inheritable sets.
///
/// # Errors
/// `EINVAL`: a negative id, or a version that is not known; the newest is written to the header then, and a caller that
/// asked for nothing else gets no error. `ESRCH`: no such process. Those of user memory.
pub fn capget(current: &Thread, header: u64, data: u64) -> Result<usize, Errno> {
    let words = match words(header) {
        Err(Errno::EINVAL) | Ok(_) if data == 0 => return Ok(0),
        words => words?,
    };
    let [_, pid] = uaccess::read_value::<[u32; 2]>(header)?;
    if (pid as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let held = meant(current, pid.into())?.credentials();
    for (word, at) in (0..words).zip((data..).step_by(size_of::<Words>())) {
        let part = |set: CapSet| (set.0 >> (32 * word)) as u32;
        let part: Words = [part(held.effective), part(held.permitted), part(held.inheritable)];
        uaccess::write_value(at, &part)?;
    }
    Ok(0)
}

/// capset(2), for the caller alone.
///
/// # Errors
/// `EINVAL`: a version that is not known; the newest is written to the header. `EPERM`: another process, or more than
/// is allowed. `ENOMEM`, those of user memory.
pub fn capset(current: &Thread, header: u64, data: u64) -> Result<usize, Errno> {
    let words = words(header)?;
    let [_, pid] = uaccess::read_value::<[u32; 2]>(header)?;
    if pid != 0 && pid as Pid != current.process().pid {
        return Err(Errno::EPERM);
    }
    let mut sets = [0u64; 3];
    for (word, at) in (0..words).zip((data..).step_by(size_of::<Words>())) {
        let given: Words = uaccess::read_value(at)?;
        for (set, part) in sets.iter_mut().zip(given) {
            *set |= u64::from(part) << (32 * word);
        }
    }
    let [effective, permitted, inheritable] = sets.map(|set| CapSet(set).intersection(CapSet::ALL));
    change(current, |own| {
        own.set_capabilities(effective, permitted, inheritable)
    })
}

/// How many words each set has in the version of a header. `EINVAL` for an unknown one, and the newest in its place.
fn words(header: u64) -> Result<usize, Errno> {
    match uaccess::read_value::<u32>(header)? {
        _LINUX_CAPABILITY_VERSION_1 => Ok(1),
        _LINUX_CAPABILITY_VERSION_2 | _LINUX_CAPABILITY_VERSION_3 => Ok(MOST_WORDS),
        _ => {
            uaccess::write_value(header, &_LINUX_CAPABILITY_VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

fn change(current: &Thread, how: impl FnOnce(&mut Credentials) -> Result<(), Errno>) -> Result<usize, Errno> {
    current.process().change_credentials(how).map(|()| 0)
}

/// The options of prctl(2) about capabilities. `EINVAL`, `EPERM`.
pub fn control(current: &Thread, [option, a, b, c, d]: [u64; 5]) -> Result<usize, Errno> {
    let own = || current.process().credentials();
    match option as u32 {
        PR_GET_KEEPCAPS => Ok(usize::from(own().keeps_capabilities())),
        PR_SET_KEEPCAPS => {
            let what = match a {
                0 => KeepCapabilities::No,
                1 => KeepCapabilities::Yes,
                _ => return Err(Errno::EINVAL),
            };
            change(current, |own| own.set_keep_capabilities(what))
        }
        PR_GET_SECUREBITS => Ok(own().secure_bits as usize),
        PR_SET_SECUREBITS => change(current, |own| own.set_secure_bits(a)),
        PR_CAPBSET_READ => Ok(usize::from(own().bounding.has(valid_capability(a)?))),
        PR_CAPBSET_DROP => change(current, |own| own.drop_bounding(a)),
        _ if (c, d) != (0, 0) => Err(Errno::EINVAL),
        _ => ambient(current, a, b),
    }
}

/// `PR_CAP_AMBIENT`.
fn ambient(current: &Thread, action: u64, capability: u64) -> Result<usize, Errno> {
    match action {
        PR_CAP_AMBIENT_CLEAR_ALL if capability == 0 => change(current, |own| {
            own.ambient = CapSet::EMPTY;
            Ok(())
        }),
        PR_CAP_AMBIENT_IS_SET => {
            let held = current.process().credentials().ambient;
            Ok(usize::from(held.has(valid_capability(capability)?)))
        }
        PR_CAP_AMBIENT_RAISE => change(current, |own| own.raise_ambient(capability)),
        PR_CAP_AMBIENT_LOWER => change(current, |own| own.lower_ambient(capability)),
        _ => Err(Errno::EINVAL),
    }
}
