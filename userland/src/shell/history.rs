//! The lines typed, in the file that `$HISTFILE` names: it is read as soon as the variable is set, and each line is added at once, so
//! that none is lost with the power. Shells beside each other add to the same file.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::editor::HISTORY;
use super::state::Shell;
use crate::runtime::Result;
use crate::runtime::file::{self, File};
use abi::file::OpenFlags;

/// A file with more lines than this is cut to what is remembered.
const LONGEST: usize = 2 * HISTORY;

impl Shell {
    /// Takes in the lines of `$HISTFILE`, if it names another file than before.
    pub fn read_history(&mut self) {
        let path = self.text("HISTFILE").to_string();
        if path.is_empty() || self.history_file.as_ref() == Some(&path) {
            return;
        }
        // A file that is not there, or cannot be read, holds no lines.
        let bytes = file::read_file(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let newest = &lines[lines.len().saturating_sub(HISTORY)..];
        for line in newest {
            self.editor.remember(line);
        }
        if lines.len() > LONGEST && rewrite(&path, newest).is_err() {
            self.complain(&format!("{path}: cannot be cut to its last {HISTORY} lines"));
        }
        self.history_file = Some(path);
    }

    /// Remembers a line that was typed, here and in `$HISTFILE`.
    pub fn remember(&mut self, line: &str) {
        if !self.editor.remember(line) {
            return;
        }
        let path = self.text("HISTFILE");
        if path.is_empty() {
            return;
        }
        let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_APPEND | OpenFlags::O_CLOEXEC;
        // A history that cannot be written is none that a person at work should hear of at each line.
        let _ = File::open(path, flags, MODE)
            .and_then(|file| file.write(format!("{}\n", line.trim_end()).as_bytes()));
    }
}

/// What a person types is nobody else's.
const MODE: u32 = 0o600;

/// Puts another file in its place, so that there is one at every moment.
fn rewrite(path: &str, lines: &[&str]) -> Result<()> {
    let new = format!("{path}.new");
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC | OpenFlags::O_CLOEXEC;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    File::open(&new, flags, MODE)?.write(text.as_bytes())?;
    file::rename(&new, path)
}
