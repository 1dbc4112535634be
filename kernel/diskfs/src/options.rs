//! The last argument of mount(2).

use abi::Errno;

use crate::fat_tree::FatOptions;
use crate::mounted::AfterDamage;

/// Options of ext4 that say what is so anyway. `EINVAL` for others.
///
/// # Errors
/// `EINVAL`.
pub fn check_ext4(options: &[u8]) -> Result<(), Errno> {
    let known: [&[u8]; 6] = [
        b"",
        b"errors=remount-ro",
        b"errors=continue",
        b"data=ordered",
        b"barrier=1",
        b"barrier",
    ];
    let mut all = options.split(|byte| *byte == b',');
    if all.all(|option| known.contains(&option)) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

/// What the options say of damage.
pub fn after_damage(options: &[u8]) -> AfterDamage {
    let mut all = options.split(|byte| *byte == b',');
    match all.any(|option| option == b"errors=remount-ro") {
        true => AfterDamage::Stops,
        false => AfterDamage::GoesOn,
    }
}

/// What nobody may do with the files of FAT, if mount(2) does not say: the usual umask.
const USUAL_MASK: u16 = 0o022;

/// Who owns the files of FAT; other options say what is so anyway. `EINVAL` for others.
///
/// # Errors
/// `EINVAL`.
pub fn of_fat(options: &[u8]) -> Result<FatOptions, Errno> {
    let mut found = FatOptions {
        user: 0,
        group: 0,
        file_mask: USUAL_MASK,
        directory_mask: USUAL_MASK,
    };
    for option in options.split(|byte| *byte == b',') {
        let option = core::str::from_utf8(option).map_err(|_| Errno::EINVAL)?;
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let mask = || {
            u16::from_str_radix(value, 8)
                .map(|mask| mask & 0o777)
                .map_err(|_| Errno::EINVAL)
        };
        let id = || value.parse().map_err(|_| Errno::EINVAL);
        match (name, value) {
            ("uid", _) => found.user = id()?,
            ("gid", _) => found.group = id()?,
            ("umask", _) => (found.file_mask, found.directory_mask) = (mask()?, mask()?),
            ("fmask", _) => found.file_mask = mask()?,
            ("dmask", _) => found.directory_mask = mask()?,
            ("" | "utf8" | "flush", "")
            | ("iocharset", "utf8" | "ascii" | "iso8859-1")
            | ("codepage", "437")
            | ("shortname", "mixed")
            | ("tz", "UTC")
            | ("errors", "remount-ro" | "continue") => {}
            _ => return Err(Errno::EINVAL),
        }
    }
    Ok(found)
}
