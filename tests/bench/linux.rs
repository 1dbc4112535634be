//! Linux's figures: of a kernel that uses pages of 4 KiB, as Holstein does, and of one that uses huge ones wherever it can.

use crate::figures::Figures;
use crate::machine::{self, Machine};
use crate::parallel;
use anyhow::Result;
use std::path::Path;

/// What was measured on both.
#[derive(Clone, Debug, Default)]
pub struct Linux {
    /// Huge pages only where a program asks for them: `fork_huge`.
    pub small: Figures,
    /// Transparent huge pages everywhere: what distributions choose.
    pub huge: Figures,
}

/// The names of their files.
const FILES: [&str; 2] = ["linux.tsv", "linux-huge.tsv"];

impl Linux {
    /// Boots Debian's kernel twice.
    pub fn measure(machine: &Machine, words: &[String]) -> Result<Linux> {
        let kernel = machine::linux()?;
        let booted = |name, pages| Machine {
            name,
            kernel: kernel.clone(),
            append: format!("transparent_hugepage={pages}"),
            ..machine.clone()
        };
        Ok(Linux {
            small: parallel::run(&booted("Linux", "madvise"), words)?,
            huge: booted("Linux, huge", "always").run(words)?,
        })
    }

    /// From the files of a folder.
    pub fn load(folder: &Path) -> Result<Linux> {
        let [small, huge] = FILES.map(|name| Figures::load(&folder.join(name)));
        Ok(Linux {
            small: small?,
            huge: huge?,
        })
    }

    /// To files of a folder, whose names begin with `prefix`.
    pub fn save(&self, folder: &Path, prefix: &str) -> Result<()> {
        for (name, figures) in FILES.into_iter().zip([&self.small, &self.huge]) {
            figures.save(&folder.join(format!("{prefix}{name}")))?;
        }
        Ok(())
    }

    /// These, with what was measured anew in its place.
    pub fn updated(&self, anew: &Linux) -> Linux {
        Linux {
            small: self.small.updated(&anew.small),
            huge: self.huge.updated(&anew.huge),
        }
    }
}
