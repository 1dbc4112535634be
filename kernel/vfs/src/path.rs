//! The text of paths: path_resolution(7), without any file.

/// The first component of a path and what follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Component<'a> {
    /// The component, without slashes.
    pub name: &'a [u8],
    /// What follows it, beginning with a slash, or nothing.
    pub rest: &'a [u8],
    /// Nothing but slashes follows.
    pub is_last: bool,
    /// It is the last one and a slash follows: it must be a directory.
    pub has_trailing_slash: bool,
}

/// Splits off the first component; `None` if there is none.
///
/// ```
/// use vfs::path::first_component;
///
/// let mut rest = &b"//usr/bin/"[..];
/// let mut names = Vec::new();
/// while let Some(component) = first_component(rest) {
///     names.push(component.name);
///     assert_eq!(component.has_trailing_slash, component.name == b"bin");
///     rest = component.rest;
/// }
/// assert_eq!(names, [&b"usr"[..], b"bin"]);
/// ```
pub fn first_component(path: &[u8]) -> Option<Component<'_>> {
    let start = path.iter().position(|byte| *byte != b'/')?;
    let path = &path[start..];
    let len = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    let (name, rest) = path.split_at(len);
    let is_last = rest.iter().all(|byte| *byte == b'/');
    Some(Component {
        name,
        rest,
        is_last,
        has_trailing_slash: is_last && !rest.is_empty(),
    })
}

/// Whether the path starts at the root.
pub fn is_absolute(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_skipped_and_the_last_component_known() {
        let first = first_component(b"//usr//bin/").unwrap();
        assert_eq!(
            (first.name, first.rest, first.is_last),
            (&b"usr"[..], &b"//bin/"[..], false)
        );
        let second = first_component(first.rest).unwrap();
        assert_eq!((second.name, second.rest), (&b"bin"[..], &b"/"[..]));
        assert!(second.is_last && second.has_trailing_slash);
        assert_eq!(first_component(second.rest), None);
    }

    #[test]
    fn a_path_of_slashes_has_no_component() {
        assert_eq!(first_component(b"///"), None);
        assert_eq!(first_component(b""), None);
    }

    #[test]
    fn a_bare_name_has_no_trailing_slash() {
        let only = first_component(b"init").unwrap();
        assert!(only.is_last && !only.has_trailing_slash && only.rest.is_empty());
    }
}
