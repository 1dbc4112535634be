//! The machine that the benchmark runs on: QEMU's virt board, which counts instructions instead of time, or does not.

use crate::figures::Figures;
use crate::table::number;
use ::tests::files;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// The initramfs: the benchmark is the first process and the only program.
const ROOT: &str = "\
dir /dev 755
dir /proc 555
nod /dev/console c 5 1 600
file /bench bench 755
";

/// How long the console may be silent: between two rows Linux fills 4 GiB, perhaps on a busy machine.
const SILENCE: Duration = Duration::from_secs(1800);

/// How time passes in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// One nanosecond for each instruction, and idle time passes at once: the same at every run.
    Instructions,
    /// The host's: noisy.
    Wall,
}

/// What to boot, and on what.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What the progress is shown under.
    pub name: &'static str,
    /// The kernel image.
    pub kernel: PathBuf,
    /// The program's folder and where its initramfs goes.
    pub built: PathBuf,
    /// RAM as QEMU's `-m` takes it.
    pub memory: String,
    /// Number of processors.
    pub cpus: u32,
    /// How time passes.
    pub clock: Clock,
    /// For the kernel's own command line.
    pub append: String,
}

/// The folder of userland's programs, beside that of the images.
pub fn programs(built: &Path) -> PathBuf {
    built.join("../aarch64-unknown-none-softfloat/release")
}

impl Machine {
    /// The QEMU command that boots the kernel into the benchmark with these arguments. It does not outlive us.
    pub fn command(&self, words: &[String]) -> Result<Command> {
        let initramfs = self.built.join("bench/initramfs.cpio");
        let programs = programs(&self.built);
        std::fs::write(&initramfs, image::initramfs::archive(ROOT, &[&programs])?)
            .with_context(|| initramfs.display().to_string())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "qemu-system-aarch64"]);
        command.args([
            "-machine",
            "virt,gic-version=2",
            "-cpu",
            "cortex-a72",
            "-no-reboot",
        ]);
        command.args([
            "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio",
        ]);
        command.args(["-m", &self.memory, "-smp", &self.cpus.to_string()]);
        // The seed in the device tree is part of what Linux does at every system call; so it is always the same.
        command.args(["-seed", "1"]);
        match self.clock {
            Clock::Instructions => command.args(["-icount", "shift=0,sleep=off"]),
            Clock::Wall => command.args(["-accel", "tcg,thread=multi"]),
        };
        command
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(initramfs);
        command.arg("-append").arg(format!(
            "rdinit=/bench quiet {} -- {}",
            self.append,
            words.join(" ")
        ));
        Ok(command)
    }

    /// Boots, and collects the figures until the machine powers off.
    pub fn run(&self, words: &[String]) -> Result<Figures> {
        let mut child = self
            .command(words)?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("qemu-system-aarch64")?;
        let output = child.stdout.take().context("QEMU has no standard output")?;
        pass_on(child.stderr.take().context("QEMU has no standard error")?);
        let figures = collect(self.name, &lines(output));
        end(&mut child)?;
        let figures = figures?;
        ensure!(figures.is_complete(), "the benchmark did not come to its end");
        Ok(figures)
    }
}

/// Shows what QEMU complains of, but for its remark that a machine whose idle time passes at once has nothing to wait for.
fn pass_on(errors: ChildStderr) {
    std::thread::spawn(move || {
        let lines = BufReader::new(errors).lines().map_while(std::result::Result::ok);
        for line in lines.filter(|line| !line.contains("icount sleep disabled")) {
            eprintln!("{line}");
        }
    });
}

/// QEMU is over, or is made to be.
pub fn end(child: &mut Child) -> Result<()> {
    if child.try_wait()?.is_none() {
        child.kill()?;
    }
    child.wait()?;
    Ok(())
}

/// The console's lines, read by a thread of its own.
pub fn lines(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(output)
            .split(b'\n')
            .map_while(std::result::Result::ok);
        for line in lines {
            // The UART's self test at boot sends a carriage return, and each line ends with one.
            let line = String::from_utf8_lossy(&line);
            if sender.send(line.trim_matches('\r').to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn collect(name: &str, lines: &Receiver<String>) -> Result<Figures> {
    let start = Instant::now();
    let mut figures = Figures::default();
    let mut shown = 0;
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                if !figures.read_console_line(&line)? && !line.trim().is_empty() {
                    eprintln!("| {}", line.trim_end());
                }
                for figure in figures.all.iter().skip(shown) {
                    let (row, median) = (&figure.row, number(figure.median));
                    eprintln!(
                        "{:>6} s  {name:<16}{row:<24}{median:>14}",
                        start.elapsed().as_secs()
                    );
                }
                shown = figures.all.len();
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(figures),
            Err(mpsc::RecvTimeoutError::Timeout) => anyhow::bail!("the console was silent for too long"),
        }
    }
}

/// Debian's kernel: that of the release, or a newer one from its backports where there is one.
pub fn linux() -> Result<PathBuf> {
    let fetched = Command::new(files::root().join(".ci/bench"))
        .arg("linux")
        .stderr(Stdio::inherit())
        .output()
        .context(".ci/bench linux")?;
    ensure!(fetched.status.success(), "Debian's kernel could not be fetched");
    files::existing(files::root().join(String::from_utf8(fetched.stdout)?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_carriage_returns_around_it() {
        let mut printf = Command::new("printf");
        let mut child = printf
            .arg(r"\rbench-marked\tfork/0\t1\r\nbench\r\n")
            .stdout(Stdio::piped())
            .spawn()
            .expect("printf(1)");
        let all: Vec<String> = lines(child.stdout.take().expect("a pipe")).iter().collect();
        assert_eq!(all, ["bench-marked\tfork/0\t1", "bench"]);
        assert!(child.wait().expect("its end").success());
    }
}
