//! How a demo speaks: titles, sentences, tables, checks.

use alloc::format;
use alloc::string::{String, ToString};

use crate::pages::{self, Page};
use crate::runtime::process::{self, RUSAGE_SELF};
use crate::runtime::{Result, output};

/// How wide the text is.
const COLUMNS: usize = 78;

/// A demo being told, and what its checks gave.
#[derive(Debug, Default)]
pub struct Story {
    passed: usize,
    failed: usize,
}

impl Story {
    /// Begins a question.
    pub fn title(&mut self, number: u32, text: &str) {
        println!("\n== Q{number}: {text}");
    }

    /// A paragraph, broken into lines.
    pub fn say(&self, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > COLUMNS {
                println!("{line}");
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        println!("{line}");
    }

    /// A line as it is, indented: a row of a table.
    pub fn row(&self, text: &str) {
        println!("    {}", text.trim_end());
    }

    /// A check: `ok:` or `FAILED:` and what was expected.
    pub fn check(&mut self, is_true: bool, text: &str) {
        if is_true {
            self.passed += 1;
            println!("ok: {text}");
        } else {
            self.failed += 1;
            println!("FAILED: {text}");
        }
        // The line must be out before anything that may end this process; the end reports errors of the output.
        let _ = output::flush();
    }

    /// What this kernel does not have. Neither passed nor failed.
    pub fn not_here(&self, text: &str) {
        println!("not on this kernel: {text}");
    }

    /// A check that makes sense only where the kernel shows a counter or file.
    pub fn check_if_known(&mut self, known: Option<bool>, text: &str) {
        match known {
            Some(is_true) => self.check(is_true, text),
            None => self.not_here(text),
        }
    }

    /// The last line, and the exit status.
    pub fn finish(&self) -> i32 {
        println!("\ndemo: {} passed, {} failed", self.passed, self.failed);
        i32::from(self.failed > 0)
    }

    /// A row that describes a page: who, frame, how often that is mapped, and what a store would do.
    pub fn page_row(&self, who: &str, page: Page) {
        self.row(&format!("{who:<22} {}", describe(page)));
    }
}

/// `frame 4a2f1  mapped 2x  shared, ...`
pub fn describe(page: Page) -> String {
    let Some(frame) = page.frame() else {
        return "no frame".to_string();
    };
    let is_zero = pages::FrameFlags::of(frame).is_ok_and(|flags| flags.is_zero_frame());
    let times = pages::times_mapped(frame).map_or("?".to_string(), |times| times.to_string());
    match () {
        _ if is_zero => format!("frame {frame:>7x}  the zero frame"),
        _ if page.is_exclusive() => format!("frame {frame:>7x}  mapped {times}x  its own"),
        _ if page.is_file() => format!("frame {frame:>7x}  mapped {times}x  a file's or shared memory"),
        _ => format!("frame {frame:>7x}  mapped {times}x  shared, read-only for the MMU"),
    }
}

/// How many minor faults this process takes while it runs something.
pub fn minor_faults(run: impl FnOnce()) -> Result<i64> {
    faults(run).map(|(minor, _)| minor)
}

/// How many minor and major faults this process takes while it runs something.
pub fn faults(run: impl FnOnce()) -> Result<(i64, i64)> {
    // The first call brings in the stack and the tables that the second one uses.
    process::usage(RUSAGE_SELF)?;
    let before = process::usage(RUSAGE_SELF)?;
    run();
    let after = process::usage(RUSAGE_SELF)?;
    Ok((after.minflt - before.minflt, after.majflt - before.majflt))
}
