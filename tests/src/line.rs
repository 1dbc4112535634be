//! A serial line as slow as a real one, for QEMU's UART sends and receives in no time: 32 bytes of FIFO each way. What the kernel sends
//! waits in a plugin (`tests/line/line.c`); what is typed goes byte by byte, and one that comes while the kernel has not read the 32
//! before it is lost, as on a board.
//!
//! The line is [`SLOWNESS`] times slower than 115,200 baud in both directions, so that what a kernel has time for on a board it has
//! time for here, too, where QEMU shares its host with others.

use crate::files;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Ten bits at 115,200 baud.
const BYTE_NANOS: u64 = 86_806;
/// How much slower than that the line is.
pub const SLOWNESS: u64 = 12;
/// Bytes that wait in a UART for somebody to read them.
const FIFO: u64 = 32;

/// The line of one board.
pub struct Line {
    plugin: PathBuf,
    counter: PathBuf,
}

impl Line {
    /// A line whose files are in `folder`.
    ///
    /// # Errors
    /// The plugin cannot be compiled.
    pub fn try_new(folder: &Path) -> Result<Line> {
        let line = Line {
            plugin: folder.join("line.so"),
            counter: folder.join("line.count"),
        };
        let mut compiler = Command::new("cc");
        compiler.args([
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-std=gnu17",
            "-shared",
            "-fPIC",
            "-o",
        ]);
        files::run(
            compiler
                .arg(&line.plugin)
                .arg(files::root().join("tests/line/line.c")),
        )?;
        std::fs::write(&line.counter, 0u64.to_ne_bytes()).context("the counter of the line")?;
        Ok(line)
    }

    /// Puts the line between QEMU's UART and its serial port.
    pub fn add_to(&self, command: &mut Command) {
        let plugin = self.plugin.display();
        let counter = self.counter.display();
        let nanos = BYTE_NANOS * SLOWNESS;
        command
            .arg("-plugin")
            .arg(format!("{plugin},nanos={nanos},counter={counter}"));
    }

    /// Whoever types at its other end: `port` is QEMU's serial port.
    ///
    /// # Errors
    /// The counter cannot be read.
    pub fn typist(&self, port: impl Write + Send + 'static) -> Result<Typist> {
        let counter = File::open(&self.counter).context("the counter of the line")?;
        let (keys, typed) = channel();
        let lost = Arc::new(AtomicU64::new(0));
        let counts = lost.clone();
        std::thread::spawn(move || carry(&typed, port, &counter, &counts));
        Ok(Typist { keys, lost })
    }
}

/// The end of a line at which somebody types.
pub struct Typist {
    keys: Sender<u8>,
    lost: Arc<AtomicU64>,
}

impl Typist {
    /// How many bytes came while the UART had no room.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Write for Typist {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for &byte in bytes {
            self.keys.send(byte).map_err(std::io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Carries bytes until nobody types any more, or QEMU has ended.
fn carry(typed: &Receiver<u8>, mut port: impl Write, counter: &File, lost: &AtomicU64) {
    let step = Duration::from_nanos(BYTE_NANOS * SLOWNESS);
    let mut sent = 0;
    let mut next = Instant::now();
    while let Ok(byte) = typed.recv() {
        next = next.max(Instant::now()) + step;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        if sent >= read(counter) + FIFO {
            lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        if port.write_all(&[byte]).and_then(|()| port.flush()).is_err() {
            return;
        }
        sent += 1;
    }
}

/// How many bytes the kernel has read.
fn read(counter: &File) -> u64 {
    let mut bytes = [0; 8];
    counter
        .read_exact_at(&mut bytes, 0)
        .map_or(0, |()| u64::from_ne_bytes(bytes))
}
