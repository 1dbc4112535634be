//! The pattern for names of core files: core(5), "Naming of core dump files"; the rules of `format_corename` in Linux's
//! `fs/coredump.c`.

/// What a `%` and its letter stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `%e`: the name of the thread.
    ThreadName,
    /// `%h`: the name of the host.
    HostName,
    /// `%p`, `%P`: the id of the process.
    ProcessId,
    /// `%i`, `%I`: the id of the thread.
    ThreadId,
    /// `%u`: the real user id.
    UserId,
    /// `%g`: the real group id.
    GroupId,
    /// `%d`: whether the process may be dumped.
    Dumpable,
    /// `%s`: the number of the signal.
    Signal,
    /// `%t`: seconds since 1970.
    Time,
    /// `%c`: the soft limit of the size of cores.
    SizeLimit,
}

/// One piece of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes as they stand in the pattern; never empty.
    Text(&'a [u8]),
    /// Something that is known when the process dies.
    Field(Field),
}

/// Iterates over the pieces of a pattern, and is what remains of it. Every pattern has a meaning: letters that are not known,
/// and a `%` at the end, are nothing.
///
/// ```
/// use formats::core_name::{Field, Piece, Pieces};
///
/// let pieces: Vec<_> = Pieces::new(b"core.%p%?").collect();
/// assert_eq!(pieces, [Piece::Text(b"core."), Piece::Field(Field::ProcessId)]);
/// ```
#[derive(Clone, Debug)]
pub struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    /// The pieces of this pattern.
    pub fn new(pattern: &'a [u8]) -> Pieces<'a> {
        Pieces(pattern)
    }

    /// Takes the first `len` bytes, all of them if there are fewer.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        while !self.0.is_empty() {
            let plain = self.0.iter().position(|&byte| byte == b'%');
            match plain.unwrap_or(self.0.len()) {
                0 => {}
                len => return Some(Piece::Text(self.take(len))),
            }
            match self.take(2) {
                b"%%" => return Some(Piece::Text(b"%")),
                [_, letter] => {
                    if let Some(field) = field(*letter) {
                        return Some(Piece::Field(field));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

impl core::iter::FusedIterator for Pieces<'_> {}

fn field(letter: u8) -> Option<Field> {
    Some(match letter {
        b'e' => Field::ThreadName,
        b'h' => Field::HostName,
        b'p' | b'P' => Field::ProcessId,
        b'i' | b'I' => Field::ThreadId,
        b'u' => Field::UserId,
        b'g' => Field::GroupId,
        b'd' => Field::Dumpable,
        b's' => Field::Signal,
        b't' => Field::Time,
        b'c' => Field::SizeLimit,
        _ => return None,
    })
}

/// A name that a program chose, as it may stand in a core's name: it must lead nowhere, so its slashes become exclamation marks.
///
/// ```
/// assert!(formats::core_name::without_slashes(b"../sh").eq(*b"..!sh"));
/// ```
pub fn without_slashes(name: &[u8]) -> impl Iterator<Item = u8> + use<'_> {
    name.iter().map(|&byte| if byte == b'/' { b'!' } else { byte })
}
