//! One running QEMU: lines are typed into its serial port and its output is waited for, with time limits.

use crate::line::{Line, Typist};
use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest that one step may take when nothing else is said, on a machine that is busy with other things.
const STEP: Duration = Duration::from_secs(60);

/// What QEMU has printed so far, carriage returns left out. Filled by a thread of its own.
#[derive(Default)]
pub struct Transcript {
    state: Mutex<TranscriptState>,
    grown: Condvar,
}

#[derive(Default)]
struct TranscriptState {
    text: String,
    is_shown: bool,
    is_closed: bool,
}

impl Transcript {
    fn lock(&self) -> MutexGuard<'_, TranscriptState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lock().text.clone()
    }

    /// From now on what comes is printed as well.
    pub fn show(&self) {
        self.lock().is_shown = true;
    }

    fn add(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).replace('\r', "");
        let mut state = self.lock();
        if state.is_shown {
            print!("{text}");
        }
        state.text += &text;
        self.grown.notify_all();
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.grown.notify_all();
    }

    fn collect(&self, mut from: impl Read) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.add(&buffer[..length]);
        }
        self.close();
    }
}

/// Where keys go.
enum Keys {
    /// Straight into the UART.
    Port(ChildStdin),
    /// Along a slow line.
    Line(Typist),
}

impl Keys {
    fn type_all(&mut self, keys: &[u8]) -> std::io::Result<()> {
        let port: &mut dyn Write = match self {
            Keys::Port(port) => port,
            Keys::Line(typist) => typist,
        };
        port.write_all(keys)?;
        port.flush()
    }
}

/// A running QEMU. It ends with the session.
pub struct Session {
    child: Child,
    keys: Keys,
    transcript: Arc<Transcript>,
    /// Everything before this byte of the transcript was matched by an earlier step.
    seen: usize,
    prompt: Regex,
    step: Duration,
    /// By which each step is longer than its scene says.
    patience: u32,
    /// Between two keys.
    pace: Duration,
    deadline: Instant,
}

impl Session {
    /// Starts the command; no step may last beyond `deadline`. `prompt` is what [`Session::run`] waits for. With a `line`, the serial
    /// port is at its other end.
    pub fn start(
        mut command: Command,
        line: Option<&Line>,
        prompt: &str,
        deadline: Instant,
    ) -> Result<(Self, Arc<Transcript>)> {
        let prompt = Regex::new(prompt)?;
        let words: Vec<_> = command
            .get_args()
            .skip(3)
            .map(|word| word.to_string_lossy())
            .collect();
        let program = words.join(" ");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| program.clone())?;
        let transcript = Arc::new(Transcript::default());
        transcript.add(format!("$ {program}\n").as_bytes());
        let port = child.stdin.take().context("QEMU has no standard input")?;
        let keys = match line {
            Some(line) => Keys::Line(line.typist(port)?),
            None => Keys::Port(port),
        };
        let output = child.stdout.take().context("QEMU has no standard output")?;
        let mut errors = child.stderr.take().context("QEMU has no standard error")?;
        let (console, messages) = (transcript.clone(), transcript.clone());
        std::thread::spawn(move || console.collect(output));
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if errors.read_to_end(&mut text).is_ok() {
                messages.add(&text);
            }
        });
        Ok((
            Session {
                child,
                keys,
                transcript: transcript.clone(),
                seen: 0,
                prompt,
                step: STEP,
                patience: 1,
                pace: Duration::ZERO,
                deadline,
            },
            transcript,
        ))
    }

    /// From now on each step may take this long.
    pub fn set_step(&mut self, step: Duration) {
        self.step = step;
    }

    /// From now on each step may take this many times longer: the machine is slower than the scene thinks.
    pub fn set_patience(&mut self, patience: u32) {
        self.patience = patience;
    }

    /// Types these characters.
    pub fn type_keys(&mut self, keys: &str) -> Result<()> {
        if self.pace.is_zero() {
            return self.keys.type_all(keys.as_bytes()).context("typing");
        }
        for key in keys.bytes() {
            self.keys.type_all(&[key]).context("typing")?;
            std::thread::sleep(self.pace);
        }
        Ok(())
    }

    /// From now on so much time passes between two keys.
    pub fn set_pace(&mut self, pace: Duration) {
        self.pace = pace;
    }

    /// How many typed bytes came while the UART had no room. Only a line knows.
    pub fn lost_keys(&self) -> u64 {
        match &self.keys {
            Keys::Port(_) => 0,
            Keys::Line(typist) => typist.lost(),
        }
    }

    /// Types a line and Enter.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.type_keys(&format!("{line}\r"))
    }

    /// Waits until the regular expression (`^` and `$` match at lines) appears in what was not seen yet. Returns the
    /// unseen text up to the end of the match.
    pub fn expect(&mut self, pattern: &str) -> Result<String> {
        let pattern = Regex::new(&format!("(?m){pattern}"))?;
        self.expect_match(&pattern)
    }

    fn expect_match(&mut self, pattern: &Regex) -> Result<String> {
        let limit = self.deadline.min(Instant::now() + self.step * self.patience);
        let mut state = self.transcript.lock();
        loop {
            let unseen = &state.text[self.seen..];
            if let Some(found) = pattern.find(unseen) {
                let text = unseen[..found.end()].to_owned();
                self.seen += found.end();
                return Ok(text);
            }
            ensure!(
                !state.is_closed,
                "QEMU ended before {:?} appeared",
                pattern.as_str()
            );
            let now = Instant::now();
            ensure!(now < limit, "{:?} did not appear in time", pattern.as_str());
            let waited = self.transcript.grown.wait_timeout(state, limit - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the shell's prompt.
    pub fn expect_prompt(&mut self) -> Result<String> {
        self.expect_match(&self.prompt.clone())
    }

    /// Types a command at the shell's prompt, and waits for the next one. Returns what was printed in between, without
    /// the echo of the command.
    pub fn run(&mut self, command: &str) -> Result<String> {
        self.type_line(command)?;
        let text = self
            .expect_prompt()
            .with_context(|| format!("running {command:?}"))?;
        let output = text.split_once('\n').map_or("", |(_echo, output)| output);
        let end = self
            .prompt
            .find(output)
            .map_or(output.len(), |prompt| prompt.start());
        Ok(output[..end].to_owned())
    }

    /// Runs a command whose output must match the regular expression.
    pub fn check(&mut self, command: &str, pattern: &str) -> Result<String> {
        let output = self.run(command)?;
        let is_match = Regex::new(&format!("(?m){pattern}"))?.is_match(&output);
        ensure!(
            is_match,
            "{command:?} printed {output:?}, which does not match {pattern:?}"
        );
        Ok(output)
    }

    /// Waits until QEMU ends by itself; the board powered off or, as QEMU runs with `-no-reboot`, reset.
    pub fn expect_end(&mut self) -> Result<()> {
        let limit = self.deadline.min(Instant::now() + self.step * self.patience);
        let status = self.wait(limit)?;
        ensure!(status.success(), "QEMU ended with {status}");
        Ok(())
    }

    fn wait(&mut self, limit: Instant) -> Result<ExitStatus> {
        while Instant::now() < limit {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("QEMU did not end in time")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A QEMU that has ended cannot be killed or waited for again: both results say only that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
