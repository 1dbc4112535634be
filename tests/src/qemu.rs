//! The boards that QEMU offers, as command lines.

use crate::files;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interrupt controller of the virt board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gic {
    /// GICv2
    V2,
    /// GICv3
    V3,
}

/// How time passes on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// As the host's.
    Host,
    /// One nanosecond for each instruction; idle time passes at once. Only one processor runs at a time.
    Instructions,
}

/// What can be chosen about the virt board.
#[derive(Clone, Debug)]
pub struct Virt {
    /// Version of the interrupt controller.
    pub gic: Gic,
    /// The kernel is entered at EL2 instead of EL1.
    pub has_el2: bool,
    /// RAM as QEMU's `-m` takes it.
    pub memory: &'static str,
    /// Which processor, as QEMU's `-cpu` takes it.
    pub processor: &'static str,
    /// Number of processors.
    pub cpus: u32,
    /// How time passes.
    pub clock: Clock,
}

impl Default for Virt {
    fn default() -> Self {
        Virt {
            gic: Gic::V2,
            has_el2: false,
            memory: "1G",
            processor: "cortex-a72",
            cpus: 4,
            clock: Clock::Host,
        }
    }
}

/// A board.
#[derive(Clone, Debug)]
pub enum Machine {
    /// QEMU's virt board.
    Virt(Virt),
    /// Raspberry Pi 4; without a device tree QEMU hands the kernel none.
    Raspi4b {
        /// The device tree that the firmware would load.
        device_tree: Option<PathBuf>,
    },
}

impl Machine {
    /// A Raspberry Pi 4 with Debian's device tree for it.
    pub fn raspi4b() -> Result<Machine> {
        Ok(Machine::Raspi4b {
            device_tree: Some(files::raspi4b_device_tree()?),
        })
    }

    /// The QEMU command for this board: no screen, serial port on standard input and output, a reset ends QEMU.
    ///
    /// It runs under `setpriv --pdeathsig`, so that no QEMU outlives the thread that started it.
    pub fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "qemu-system-aarch64", "-no-reboot"]);
        command.args([
            "-nic", "none", "-display", "none", "-monitor", "none", "-serial", "stdio",
        ]);
        match self.clock() {
            // One host thread for each processor, so that they truly run at once.
            Clock::Host => command.args(["-accel", "tcg,thread=multi"]),
            Clock::Instructions => command.args(["-icount", "shift=0,sleep=off"]),
        };
        match self {
            Machine::Virt(virt) => {
                let gic = if virt.gic == Gic::V3 { 3 } else { 2 };
                let virtualization = if virt.has_el2 { "on" } else { "off" };
                command
                    .arg("-machine")
                    .arg(format!("virt,gic-version={gic},virtualization={virtualization}"));
                command.args([
                    "-cpu",
                    virt.processor,
                    "-m",
                    virt.memory,
                    "-smp",
                    &virt.cpus.to_string(),
                ]);
            }
            Machine::Raspi4b { device_tree } => {
                command.args(["-machine", "raspi4b"]);
                if let Some(device_tree) = device_tree {
                    command.arg("-dtb").arg(device_tree);
                }
            }
        }
        command
    }

    fn clock(&self) -> Clock {
        match self {
            Machine::Virt(virt) => virt.clock,
            Machine::Raspi4b { .. } => Clock::Host,
        }
    }
}

/// What is booted on a board.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// `-kernel`; none when `arguments` place it in memory
    pub kernel: Option<PathBuf>,
    /// `-initrd`
    pub initrd: Option<PathBuf>,
    /// `-append`
    pub command_line: String,
    /// Image of the SD card; writes to it are thrown away.
    pub card: Option<PathBuf>,
    /// Anything else.
    pub arguments: Vec<String>,
}

impl Load {
    /// Adds the options that name these files.
    pub fn add_to(&self, command: &mut Command) {
        if let Some(kernel) = &self.kernel {
            command.arg("-kernel").arg(kernel);
        }
        if let Some(initrd) = &self.initrd {
            command.arg("-initrd").arg(initrd);
        }
        if !self.command_line.is_empty() {
            command.args(["-append", &self.command_line]);
        }
        if let Some(card) = &self.card {
            command.arg("-drive").arg(card_option(card));
        }
        command.args(&self.arguments);
    }
}

fn card_option(card: &Path) -> String {
    format!("if=sd,format=raw,snapshot=on,file={}", card.display())
}
