//! The text of paths.

use crate::fs::path::{first_component, is_absolute};

pub const WORDS: &[&[u8]] = &[b"/", b"//", b".", b"..", b"../", b"/./"];

/// Splitting at slashes must give the same components.
pub fn run(bytes: &[u8]) -> bool {
    let mut expected = bytes
        .split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty())
        .peekable();
    let mut rest = bytes;
    let mut count = 0;
    while let Some(component) = first_component(rest) {
        assert_eq!(Some(component.name), expected.next());
        assert!(component.rest.is_empty() || component.rest[0] == b'/');
        assert!(component.rest.len() < rest.len() && bytes.ends_with(component.rest));
        assert_eq!(component.is_last, expected.peek().is_none());
        assert_eq!(
            component.has_trailing_slash,
            component.is_last && bytes.ends_with(b"/")
        );
        rest = component.rest;
        count += 1;
    }
    assert!(expected.next().is_none());
    assert_eq!(is_absolute(bytes), bytes.starts_with(b"/"));
    count > 0
}

pub fn seeds() -> Vec<Vec<u8>> {
    let paths: [&[u8]; 4] = [b"/usr/bin/env", b"../a//b/./c/", b"name", b"//proc/self/fd/3"];
    paths.map(<[u8]>::to_vec).to_vec()
}
