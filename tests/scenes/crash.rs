//! The kernel's last words: a crash on purpose names the place, the way to it by function, and ends as `panic=` says.

use anyhow::Result;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::holstein("crash.virt", |stage| {
        crash(stage, &Machine::Virt(Virt::default()))
    }),
    Scene::holstein("crash.raspi4b", |stage| crash(stage, &Machine::raspi4b()?)),
];

fn crash(stage: &mut Stage, machine: &Machine) -> Result<()> {
    stage.may_crash()?;
    let load = stage.load();
    let mut shell = stage.boot(machine, &load)?;
    shell.expect_prompt()?;
    shell.type_line("echo c > /proc/sysrq-trigger")?;
    shell.expect(r"kernel panic on cpu 0: sysrq triggered crash")?;
    shell.expect(r"(?m)^    at kernel/src/fs/proc/trigger\.rs:[0-9]+")?;
    shell.expect(r"(?m)^backtrace:")?;
    shell.expect(r"0xffffffff8[0-9a-f]{7}  .*Trigger.*::write\+0x")?;
    shell.expect(r"kernel::syscall::read_write::write\+0x")?;
    shell.expect(r"kernel::user_loop::run\+0x")?;
    shell.expect_end()
}
