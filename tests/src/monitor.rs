//! QEMU's monitor, on a socket: what a person would do to the machine while it runs, such as pulling out its card.

use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long QEMU may take to open the socket, and to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the monitor ends every answer with.
const PROMPT: &[u8] = b"(qemu) ";

/// Where the monitor of a machine will be found.
pub struct Monitor {
    path: PathBuf,
}

impl Monitor {
    /// The monitor of a machine that is given [`Monitor::arguments`].
    pub fn new(path: PathBuf) -> Monitor {
        Monitor { path }
    }

    /// What QEMU must be told.
    pub fn arguments(&self) -> [String; 4] {
        let socket = format!(
            "socket,id=monitor,path={},server=on,wait=off",
            self.path.display()
        );
        ["-chardev", &socket, "-mon", "chardev=monitor,mode=readline"].map(String::from)
    }

    /// Gives orders, one after the other; what is answered to the last.
    ///
    /// # Errors
    /// The machine has ended, or does not answer.
    pub fn order(&self, orders: &[&str]) -> Result<String> {
        let mut stream = self.connect().context("QEMU's monitor")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut text = answer(&mut stream)?;
        for order in orders {
            writeln!(stream, "{order}")?;
            text = answer(&mut stream).with_context(|| (*order).to_owned())?;
        }
        Ok(text)
    }

    fn connect(&self) -> Result<UnixStream> {
        let start = Instant::now();
        loop {
            match UnixStream::connect(&self.path) {
                Ok(stream) => return Ok(stream),
                Err(error) if start.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // QEMU may have removed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Reads up to the prompt.
fn answer(stream: &mut impl Read) -> Result<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(PROMPT) {
        ensure!(stream.read(&mut byte)? == 1, "QEMU's monitor was closed");
        text.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_the_prompt() {
        let mut text = &b"one-insn-per-tb on\r\n(qemu) log"[..];
        answer(&mut text).expect("an answer");
        assert_eq!(text, b"log");
        assert!(answer(&mut text).is_err());
    }
}
