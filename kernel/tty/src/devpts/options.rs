//! The options of a devpts: the last argument of mount(2), as `Documentation/filesystems/devpts.rst` of Linux lists them.

use abi::Errno;

use super::super::pty::MOST;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlaveOptions {
    /// Whose the slaves are; `None`: of who opens the master.
    pub uid: Option<u32>,
    /// Their group.
    pub gid: Option<u32>,
    /// Their permission bits.
    pub mode: u32,
    /// Those of `ptmx`.
    pub ptmx_mode: u32,
    /// One more than the highest number that a slave may have.
    pub most: u32,
}

impl Default for SlaveOptions {
    fn default() -> Self {
        SlaveOptions {
            uid: None,
            gid: None,
            mode: 0o600,
            ptmx_mode: 0,
            most: MOST,
        }
    }
}

/// Reads options that are separated by commas; what is not said stays as in `options`. `newinstance` says nothing: each mount is one.
///
/// # Errors
/// `EINVAL` for those that are not known.
pub fn parse(text: &[u8], mut options: SlaveOptions) -> Result<SlaveOptions, Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    for option in text.split(',').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "uid" => options.uid = Some(decimal(value)?),
            "gid" => options.gid = Some(decimal(value)?),
            "mode" => options.mode = mode(value)?,
            "ptmxmode" => options.ptmx_mode = mode(value)?,
            "max" => {
                options.most = Some(decimal(value)?)
                    .filter(|most| *most <= MOST)
                    .ok_or(Errno::EINVAL)?
            }
            "newinstance" if option == name => {}
            _ => return Err(Errno::EINVAL),
        }
    }
    Ok(options)
}

fn decimal(value: &str) -> Result<u32, Errno> {
    value.parse().map_err(|_| Errno::EINVAL)
}

fn mode(value: &str) -> Result<u32, Errno> {
    let mode = u32::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)?;
    Ok(mode & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_linuxs() {
        let usual = SlaveOptions::default();
        let read = |text: &str| parse(text.as_bytes(), usual);
        assert_eq!(read("").unwrap(), usual);
        assert_eq!(
            read("newinstance,gid=5,mode=620,ptmxmode=0666,max=4").unwrap(),
            SlaveOptions {
                uid: None,
                gid: Some(5),
                mode: 0o620,
                ptmx_mode: 0o666,
                most: 4
            }
        );
        for wrong in [
            "gid",
            "gid=x",
            "gid=-1",
            "mode=8",
            "max=1048577",
            "size=1",
            "newinstance=1",
        ] {
            assert_eq!(read(wrong), Err(Errno::EINVAL), "{wrong}");
        }
    }
}
