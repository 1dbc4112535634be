//! What a program named, on its way into a text or a line of the kernel's: bytes that would end the line, or pass for something
//! else, stand there escaped, as Linux does it (`string_escape_mem`).

use core::fmt;

/// How a byte that must not stand as it is is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `\012`, as in /proc/mounts.
    Octal,
    /// `\n` and `\\`, as the name in /proc/PID/status.
    Letter,
    /// `\x0a`, as in /dev/kmsg.
    Hexadecimal,
}

/// Bytes that a program chose.
#[derive(Clone, Copy)]
pub struct Escaped<'a> {
    bytes: &'a [u8],
    form: Form,
    is_special: fn(u8) -> bool,
}

impl<'a> Escaped<'a> {
    /// The path of a file in /proc/PID/maps: only a line end is special.
    pub fn path(bytes: &'a [u8]) -> Self {
        Escaped {
            bytes,
            form: Form::Octal,
            is_special: |byte| byte == b'\n',
        }
    }

    /// A field of /proc/mounts: blanks end it.
    pub fn field(bytes: &'a [u8]) -> Self {
        Escaped {
            bytes,
            form: Form::Octal,
            is_special: |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\\'),
        }
    }

    /// The device in /proc/mounts: as a field, and it cannot begin a comment.
    pub fn source(bytes: &'a [u8]) -> Self {
        Escaped {
            bytes,
            form: Form::Octal,
            is_special: |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\\' | b'#'),
        }
    }

    /// The name of a process in /proc/PID/status.
    pub fn name(bytes: &'a [u8]) -> Self {
        Escaped {
            bytes,
            form: Form::Letter,
            is_special: |byte| matches!(byte, b'\n' | b'\\'),
        }
    }

    /// Part of a line of the kernel's log, which goes to terminals: nothing but printable ASCII.
    pub fn log(bytes: &'a [u8]) -> Self {
        Escaped {
            bytes,
            form: Form::Hexadecimal,
            is_special: |byte| !matches!(byte, b' '..=b'~') || byte == b'\\',
        }
    }

    /// Gives `put` the escaped bytes, piece by piece.
    pub fn for_each_piece(&self, mut put: impl FnMut(&[u8])) {
        let mut rest = self.bytes;
        while let Some(at) = rest.iter().position(|byte| (self.is_special)(*byte)) {
            put(&rest[..at]);
            let (escape, len) = self.form.escape(rest[at]);
            put(&escape[..len]);
            rest = &rest[at + 1..];
        }
        put(rest);
    }
}

impl Form {
    fn escape(self, byte: u8) -> ([u8; 4], usize) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| DIGITS[usize::from(value & 15)];
        match self {
            Form::Letter if byte == b'\n' => (*b"\\n\0\0", 2),
            Form::Letter => ([b'\\', byte, 0, 0], 2),
            Form::Octal => (
                [b'\\', digit(byte >> 6), digit(byte >> 3 & 7), digit(byte & 7)],
                4,
            ),
            Form::Hexadecimal => ([b'\\', b'x', digit(byte >> 4), digit(byte)], 4),
        }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.for_each_piece(|piece| {
            for chunk in piece.utf8_chunks() {
                result =
                    result
                        .and_then(|()| to.write_str(chunk.valid()))
                        .and_then(|()| match chunk.invalid() {
                            [] => Ok(()),
                            _ => to.write_str("\u{fffd}"),
                        });
            }
        });
        result
    }
}
