//! Texts of /proc: made when they are read from the start, given out in pieces.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::sync::Mutex;
use abi::Errno;

use crate::fs::object::{Io, Object, Positioning};
use crate::user_memory::Sink;

/// A text being made.
#[derive(Default)]
pub struct Text(pub Vec<u8>);

impl Text {
    /// Adds formatted text: `text.add(format_args!(..))`.
    pub fn add(&mut self, arguments: fmt::Arguments<'_>) {
        self.write_fmt(arguments).expect("a text takes everything");
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Adds a path: blanks, newlines and backslashes as `\040` and so on (proc(5), mounts).
    pub fn path(&mut self, path: &[u8]) {
        for byte in path {
            match byte {
                b' ' | b'\t' | b'\n' | b'\\' => self.add(format_args!("\\{byte:03o}")),
                _ => self.0.push(*byte),
            }
        }
    }

    /// Adds a line of a table of sizes: name, tab, kibibytes.
    pub fn kibibytes(&mut self, name: &str, bytes: u64) {
        self.add(format_args!("{name}:\t{:8} kB\n", bytes / 1024));
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

type Make = Box<dyn Fn(&mut Text) -> Result<(), Errno> + Send + Sync>;

/// An open file of text.
pub struct TextFile {
    make: Make,
    text: Mutex<Arc<Vec<u8>>>,
}

impl TextFile {
    /// Opens the text that `make` makes.
    pub fn open(
        make: impl Fn(&mut Text) -> Result<(), Errno> + Send + Sync + 'static,
    ) -> Result<Arc<dyn Object>, Errno> {
        Ok(Arc::new(TextFile {
            make: Box::new(make),
            text: Mutex::default(),
        }))
    }
}

impl Object for TextFile {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        if io.position == 0 {
            let mut text = Text::default();
            (self.make)(&mut text)?;
            let old = core::mem::replace(&mut *self.text.lock(), Arc::new(text.0));
            drop(old);
        }
        let text = self.text.lock().clone();
        let start = usize::try_from(io.position).unwrap_or(usize::MAX).min(text.len());
        let rest = &text[start..];
        let done = if rest.is_empty() {
            0
        } else {
            to.put(&rest[..rest.len().min(to.room())])?
        };
        io.position += done as u64;
        Ok(done)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
