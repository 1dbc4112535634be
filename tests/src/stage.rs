//! What a scene works with: the kernel under test, a folder for its files, and the boards it starts.

use crate::files;
use crate::library::Library;
use crate::line::Line;
use crate::progress::Tally;
use crate::qemu::{Load, Machine, Virt};
use crate::runner::{Scene, Setting, Soak};
use crate::session::{Session, Transcript};
use crate::watch::Watch;
use crate::watched_sites::Sites;
use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which of Holstein's builds a scene boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As it is released.
    Normal,
    /// The same with debug assertions, overflow checks and the checker of the lock order.
    Checked,
}

/// The kernel under test. Linux is there to prove the scenes themselves: what fails on it is a wrong scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Holstein, with the default userland embedded.
    Holstein(PathBuf),
    /// Debian's Linux for arm64.
    Linux(PathBuf),
}

/// How much longer a watched board may take: twice for the checker, twice for what else this host does.
const WATCHED: u32 = 4;

/// Text that no scene may show, unless it says so: a crash of the kernel.
const CRASH: &str = r"panicked at|[Kk]ernel panic|\*\*\* kernel|Unable to handle kernel";

/// The prompts of our shell, and of busybox as root.
const PROMPT: &str = r"(?m)^(holstein:\S*|/\S*|~) ?# (\x1b\[6n)?$";

/// A scene's view of the world. Everything that it starts ends with it.
pub struct Stage {
    /// The kernel that the scene boots.
    pub kernel: Kernel,
    /// What a soak is asked for.
    pub soak: Soak,
    is_shown: bool,
    is_watched: bool,
    sites: Sites,
    watches: Vec<Watch>,
    is_on_a_line: bool,
    name: &'static str,
    folder: PathBuf,
    deadline: Instant,
    forbidden: Regex,
    transcripts: Vec<Arc<Transcript>>,
}

impl Stage {
    pub(crate) fn new(scene: &Scene, setting: &Setting) -> Result<Self> {
        let limit = if setting.is_watched {
            scene.limit * WATCHED
        } else {
            scene.limit
        };
        let stage = Stage::alone(scene.name, setting.kernel(scene.build).clone(), limit)?;
        Ok(Stage {
            soak: setting.soak,
            is_shown: setting.is_shown,
            is_watched: setting.is_watched,
            is_on_a_line: setting.is_on_a_line,
            ..stage
        })
    }

    /// A stage outside of all scenes; what is started on it must be over after `limit`. It shows nothing, and soaks nothing.
    pub fn alone(name: &'static str, kernel: Kernel, limit: Duration) -> Result<Self> {
        let (Kernel::Holstein(file) | Kernel::Linux(file)) = &kernel;
        files::existing(file.clone())?;
        let folder = files::built().join("scenes").join(name);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let deadline = Instant::now() + limit;
        let forbidden = Regex::new(CRASH)?;
        Ok(Stage {
            kernel,
            soak: Soak { seconds: 0, seed: 0 },
            is_shown: false,
            is_watched: false,
            sites: Sites::References,
            watches: Vec::new(),
            is_on_a_line: false,
            name,
            folder,
            deadline,
            forbidden,
            transcripts: Vec::new(),
        })
    }

    /// A file of this scene's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// From now on boards run under the checker, as they do by themselves with `--watch`.
    pub fn watch(&mut self) {
        self.is_watched = true;
    }

    /// Whether they do.
    pub fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// As [`Stage::watch`], and the order between processors is looked at, which takes about three times as long.
    pub fn watch_order(&mut self) {
        self.is_watched = true;
        self.sites = Sites::Roles;
    }

    /// The board that was started last must have been watched to its end; returns what was watched.
    pub fn watched(&self) -> Result<String> {
        self.watches.last().context("no board was watched")?.watched()
    }

    /// The checker's log of the board that was started last.
    pub fn watch_log(&self) -> Result<String> {
        self.watches.last().context("no board was watched")?.text()
    }

    /// How much was watched on all boards.
    pub fn tally(&self) -> Result<Tally> {
        let mut sum = Tally::default();
        for watch in &self.watches {
            sum.add(&Tally::of_log(&watch.text()?));
        }
        Ok(sum)
    }

    /// This scene wants a crash: text that says so does not fail it.
    pub fn may_crash(&mut self) -> Result<()> {
        self.forbidden = Regex::new("no text is forbidden here: a^")?;
        Ok(())
    }

    /// What is booted when nothing else is said: the kernel, and where it embeds none, the default initramfs.
    pub fn load(&self) -> Load {
        match &self.kernel {
            Kernel::Holstein(kernel) => Load {
                kernel: Some(kernel.clone()),
                ..Load::default()
            },
            Kernel::Linux(kernel) => Load {
                kernel: Some(kernel.clone()),
                initrd: Some(files::built().join("initramfs.cpio")),
                command_line: "console=ttyAMA0 quiet loglevel=1".into(),
                ..Load::default()
            },
        }
    }

    /// Like [`Stage::load`], with this initramfs and these words at the end of the command line.
    pub fn load_with(&self, initrd: PathBuf, command_line: &str) -> Load {
        let load = self.load();
        let command_line = format!("{} {command_line}", load.command_line).trim().to_owned();
        Load {
            initrd: Some(initrd),
            command_line,
            ..load
        }
    }

    /// Starts a board.
    pub fn boot(&mut self, machine: &Machine, load: &Load) -> Result<Session> {
        let mut command = machine.command();
        load.add_to(&mut command);
        if self.is_watched
            && let Some(image) = &load.kernel
        {
            let watch = Watch::new(machine, load, image, &self.folder, self.sites)?;
            command.args(watch.arguments()?);
            self.watches.push(watch);
        }
        let line = self
            .is_on_a_line
            .then(|| Line::try_new(&self.folder))
            .transpose()?;
        if let Some(line) = &line {
            line.add_to(&mut command);
        }
        let (mut session, transcript) = Session::start(command, line.as_ref(), PROMPT, self.deadline)?;
        if self.is_watched {
            session.set_patience(WATCHED);
        }
        if self.is_shown {
            transcript.show();
        }
        self.transcripts.push(transcript);
        Ok(session)
    }

    /// From now on boards have a serial line as slow as a real one ([`Line`]).
    pub fn use_a_line(&mut self) {
        self.is_on_a_line = true;
    }

    /// From now on the scene may take this much longer than its limit says.
    pub fn extend(&mut self, time: Duration) {
        self.deadline += time;
    }

    /// Starts the virt board with four processors and 1 GiB.
    pub fn boot_virt(&mut self, load: &Load) -> Result<Session> {
        self.boot(&Machine::Virt(Virt::default()), load)
    }

    /// Makes an initramfs from a list (see [`image::initramfs`]); its programs are looked up in `folders`.
    pub fn initramfs(&self, list: &str, folders: &[&Path]) -> Result<PathBuf> {
        let path = self.file("initramfs.cpio");
        std::fs::write(&path, image::initramfs::archive(list, folders)?)?;
        Ok(path)
    }

    /// Compiles `tests/programs/NAME.c` to a static arm64 program of that name in the scene's folder.
    pub fn compile(&self, name: &str) -> Result<PathBuf> {
        let program = self.file(name);
        Library::Glibc.compile(name, &program)?;
        Ok(program)
    }

    /// How many KiB of free memory may be gone after something that gives all of its memory back: what the kernel keeps
    /// ready for the next process. Linux keeps more, and moves it about by itself.
    pub fn tolerated_loss(&self) -> i64 {
        match self.kernel {
            Kernel::Holstein(_) => 64,
            Kernel::Linux(_) => 6 << 10,
        }
    }

    /// Whether Linux is the kernel under test.
    pub fn is_linux(&self) -> bool {
        matches!(self.kernel, Kernel::Linux(_))
    }

    /// Everything that the scene's boards printed.
    pub fn transcript(&self) -> String {
        self.transcripts
            .iter()
            .map(|transcript| transcript.text())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Writes the transcript beside the scene's folder, and fails if it holds text that is forbidden, or the checker found
    /// something.
    pub fn close(&self) -> Result<()> {
        let text = self.transcript();
        std::fs::write(self.folder.with_file_name(format!("{}.log", self.name)), &text)?;
        let crash = self.forbidden.find(&text);
        ensure!(
            crash.is_none(),
            "{} shows a crash: {:?}",
            self.name,
            crash.map(|found| found.as_str())
        );
        self.watches.iter().try_for_each(Watch::check)
    }
}
