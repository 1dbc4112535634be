//! Debian's busybox beside the programs of a list file: it fills the names that those leave free.

use crate::cpio::{self, Entry, file_type};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

/// How the names of the applets begin in the program: in the order of the alphabet, each with a zero behind it.
const FIRST: &[u8] = b"\0[\0[[\0";

/// The archive of /bin/busybox and of a link to it for each of its applets, but for those whose name in /bin the list has.
///
/// # Errors
/// That is no busybox.
pub fn archive(list: &str, busybox: Vec<u8>) -> Result<Vec<u8>> {
    let taken: BTreeSet<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1)?.strip_prefix("/bin/"))
        .collect();
    let names = applets(&busybox)?;
    let is_free = |name: &str| name != "busybox" && !taken.contains(name);
    let free = names.iter().filter(|name| is_free(name));
    let links: Vec<Entry> = free
        .map(|name| Entry {
            path: format!("bin/{name}"),
            mode: file_type::LINK | 0o777,
            data: b"busybox".to_vec(),
            ..Entry::default()
        })
        .collect();
    let program = Entry {
        path: "bin/busybox".into(),
        mode: file_type::REGULAR | 0o755,
        data: busybox,
        ..Entry::default()
    };
    let all: Vec<Entry> = [program].into_iter().chain(links).collect();
    cpio::archive(&all)
}

/// The names of the applets.
fn applets(busybox: &[u8]) -> Result<Vec<String>> {
    let start = busybox.windows(FIRST.len()).position(|bytes| bytes == FIRST);
    let names = &busybox[start.context("no names of applets: is that a busybox?")? + 1..];
    let names = names.split(|byte| *byte == 0).take_while(|name| !name.is_empty());
    let names: Vec<String> = names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let is_sorted = names.is_sorted() && names.iter().all(|name| !name.contains(['/', ' ']));
    ensure!(is_sorted, "the names of the applets are in no order");
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_the_names_that_are_free() {
        let busybox = b"\x7fELF code\0[\0[[\0ash\0busybox\0cat\0vi\0\0rest".to_vec();
        let packed = archive("file /bin/cat box 755\ndir /bin 755\n", busybox.clone()).unwrap();
        let has = |text: &[u8]| packed.windows(text.len()).any(|bytes| bytes == text);
        assert!(has(b"bin/busybox\0") && has(&busybox));
        assert!(has(b"bin/[[\0") && has(b"bin/ash\0") && has(b"bin/vi\0") && !has(b"bin/cat\0"));
        let program = b"bin/busybox\0";
        let named = packed.windows(program.len()).filter(|bytes| bytes == program);
        assert_eq!(named.count(), 1);
        assert!(archive("", b"something else".to_vec()).is_err());
    }
}
