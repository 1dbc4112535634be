//! Names as the kernel takes them (NUL-terminated), and the handling of `/`.

use alloc::ffi::CString;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Errno, Result};

/// A string for the kernel; EINVAL if it holds a NUL.
pub(super) fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}

/// Strings for the kernel and the NULL-terminated array of their addresses, as execve(2) takes it.
pub(super) fn c_array<S: AsRef<str>>(texts: &[S]) -> Result<(Vec<CString>, Vec<usize>)> {
    let strings: Vec<CString> = texts
        .iter()
        .map(|text| c_string(text.as_ref()))
        .collect::<Result<_>>()?;
    let addresses = strings
        .iter()
        .map(|string| string.as_ptr() as usize)
        .chain([0])
        .collect();
    Ok((strings, addresses))
}

/// The last component: basename(1).
pub fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() && !path.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// All but the last component: dirname(1).
pub fn directory_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        None if trimmed.is_empty() && !path.is_empty() => "/",
        None => ".",
        Some(slash) => match trimmed[..slash].trim_end_matches('/') {
            "" => "/",
            directory => directory,
        },
    }
}

/// A name within a directory.
pub fn join(directory: &str, name: &str) -> String {
    let slash = if directory.is_empty() || directory.ends_with('/') {
        ""
    } else {
        "/"
    };
    alloc::format!("{directory}{slash}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_as_basename_and_dirname_cut_them() {
        assert_eq!(
            (base_name("/usr/bin/"), directory_name("/usr/bin/")),
            ("bin", "/usr")
        );
        assert_eq!((base_name("sh"), directory_name("sh")), ("sh", "."));
        assert_eq!((base_name("//"), directory_name("//")), ("/", "/"));
        assert_eq!((base_name("/a"), directory_name("/a")), ("a", "/"));
        assert_eq!((base_name(""), directory_name("")), ("", "."));
        assert_eq!(join("/", "a"), "/a");
    }
}
