//! The console on a serial line that is as slow as a real one.

use crate::boot::power_off;
use anyhow::{Context, Result, ensure};
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    Scene::holstein("console.typed_while_it_prints", |stage| {
        typed_while_it_prints(stage, &Machine::Virt(Virt::default()))
    }),
    Scene::holstein("console.typed_while_it_prints_gic3", |stage| {
        let gic3 = Virt {
            gic: tests::Gic::V3,
            ..Virt::default()
        };
        typed_while_it_prints(stage, &Machine::Virt(gic3))
    }),
];

/// Somebody pastes a long line while a program prints for a second, and again while the kernel does: not a byte is lost.
fn typed_while_it_prints(stage: &mut Stage, machine: &Machine) -> Result<()> {
    stage.use_a_line();
    let load = stage.load();
    let mut shell = stage.boot(machine, &load)?;
    shell.expect_prompt()?;
    for printer in [
        "seq 1 160",
        "for i in 1 2 3 4; do echo \"<3>$i$(seq 1 45)\" >/dev/kmsg; done",
    ] {
        let pasted: String = ('a'..='z').cycle().take(160).collect();
        shell.type_line(printer)?;
        shell.type_line(&format!("echo [{pasted}]"))?;
        shell
            .expect(&format!("^\\[{pasted}\\]$"))
            .with_context(|| format!("{} keys were lost", shell.lost_keys()))?;
        shell.expect_prompt()?;
    }
    ensure!(shell.lost_keys() == 0, "{} keys were lost", shell.lost_keys());
    power_off(&mut shell)
}
