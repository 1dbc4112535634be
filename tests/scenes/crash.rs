//! The kernel's last words: a crash on purpose names the place, the way to it by function, and ends as `panic=` says.

use anyhow::{Result, ensure};
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::holstein("crash.virt", |stage| {
        crash(stage, &Machine::Virt(Virt::default()))
    }),
    Scene::holstein("crash.raspi4b", |stage| crash(stage, &Machine::raspi4b()?)),
    Scene::holstein("crash.amid_others", |stage| {
        amid_others(stage, &Machine::Virt(Virt::default()))
    }),
    Scene::holstein("crash.amid_others_on_raspi4b", |stage| {
        amid_others(stage, &Machine::raspi4b()?)
    }),
];

fn crash(stage: &mut Stage, machine: &Machine) -> Result<()> {
    stage.may_crash()?;
    let load = stage.load();
    let mut shell = stage.boot(machine, &load)?;
    shell.expect_prompt()?;
    shell.type_line("echo c > /proc/sysrq-trigger")?;
    shell.expect(r"kernel panic on cpu [0-3]: sysrq triggered crash")?;
    shell.expect(r"(?m)^    at kernel/procfs/src/trigger\.rs:[0-9]+")?;
    shell.expect(r"(?m)^backtrace:")?;
    shell.expect(r"0xffffffff8[0-9a-f]{7}  .*Trigger.*::write\+0x")?;
    shell.expect(r"syscall::read_write::write\+0x")?;
    shell.expect(r"kernel::user_loop::run\+0x")?;
    shell.expect_end()
}

/// Programs on the other processors write to the console without a pause: from the report on nothing of them is seen.
fn amid_others(stage: &mut Stage, machine: &Machine) -> Result<()> {
    stage.may_crash()?;
    let mut load = stage.load();
    // The machine stays for a second, in which others would be seen.
    load.command_line.push_str(" panic=1");
    let mut shell = stage.boot(machine, &load)?;
    shell.expect_prompt()?;
    for _ in 0..4 {
        shell.type_line("while true; do echo chatter; done &")?;
    }
    shell.expect("^chatter")?;
    shell.type_line("echo c > /proc/sysrq-trigger")?;
    shell.expect(r"^\*\*\* kernel panic on cpu [0-3]: sysrq triggered crash\n")?;
    let report = shell.expect(r"kernel::user_loop::run\+0x[0-9a-f]+\n")?;
    shell.expect_end()?;
    ensure!(!report.contains("chatter"), "others spoke amid {report:?}");
    ensure!(shell.expect("chatter").is_err(), "others went on");
    Ok(())
}
