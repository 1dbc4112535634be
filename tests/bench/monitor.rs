//! QEMU's monitor, on a socket: the trace is turned on when the machine has come to what is to be looked at, because
//! tracing makes it some hundred times slower.

use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
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
    /// Gives the machine a monitor.
    pub fn add_to(command: &mut Command) -> Monitor {
        let path = std::env::temp_dir().join(format!("holstein-monitor-{}", std::process::id()));
        let socket = format!("socket,id=monitor,path={},server=on,wait=off", path.display());
        command.args(["-chardev", &socket, "-mon", "chardev=monitor,mode=readline"]);
        Monitor { path }
    }

    /// From now on the machine executes instructions one by one and writes each one's address to the log.
    pub fn trace(&self) -> Result<()> {
        let mut stream = self.connect().context("QEMU's monitor")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        answer(&mut stream)?;
        for order in ["one-insn-per-tb on", "log exec,nochain"] {
            writeln!(stream, "{order}")?;
            answer(&mut stream).with_context(|| order.to_owned())?;
        }
        Ok(())
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
fn answer(stream: &mut impl Read) -> Result<()> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(PROMPT) {
        ensure!(stream.read(&mut byte)? == 1, "QEMU's monitor was closed");
        text.push(byte[0]);
    }
    Ok(())
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
