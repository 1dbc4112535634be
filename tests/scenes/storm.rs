//! Everything at once on all processors (`tests/programs/storm.c`), and shells that work side by side as `make` has them.

use crate::{busybox, memory, program};
use anyhow::{Result, ensure};
use std::time::Duration;
use tests::{Machine, Scene, Stage, Virt};

pub const SCENES: &[Scene] = &[
    scene("storm.forks", |stage| on_virt(stage, "forks", 60)),
    scene("storm.threads", |stage| on_virt(stage, "threads", 600)),
    scene("storm.execs", |stage| on_virt(stage, "execs", 150)),
    scene("storm.kills", |stage| on_virt(stage, "kills", 250)),
    scene("storm.shortage", |stage| {
        let small = Machine::Virt(Virt {
            memory: "160M",
            ..Virt::default()
        });
        play(stage, &small, "", "shortage", 10)
    }),
    scene("storm.shells", shells),
    Scene {
        is_portable: false,
        ..scene("storm.raspi4b", on_raspi4b)
    },
    Scene {
        is_portable: false,
        ..scene("storm.one_asid", |stage| {
            play(
                stage,
                &Machine::Virt(Virt::default()),
                "asid=fixed",
                "threads",
                300,
            )
        })
    },
];

const fn scene(name: &'static str, play: fn(&mut Stage) -> Result<()>) -> Scene {
    Scene::portable(name, play).within_seconds(300).checked().busy()
}

fn on_virt(stage: &mut Stage, case: &str, rounds: u32) -> Result<()> {
    play(stage, &Machine::Virt(Virt::default()), "", case, rounds)
}

fn on_raspi4b(stage: &mut Stage) -> Result<()> {
    let machine = Machine::raspi4b()?;
    for (case, rounds) in [("forks", 10), ("threads", 200), ("execs", 30), ("kills", 80)] {
        play(stage, &machine, "", case, rounds)?;
    }
    Ok(())
}

/// One case of the storm, so many rounds of it.
pub fn play(stage: &mut Stage, machine: &Machine, boot_words: &str, case: &str, rounds: u32) -> Result<()> {
    let arguments = format!("{case} {rounds}");
    let mut board = program::boot(stage, machine, boot_words, "storm", &arguments)?;
    board.set_step(Duration::from_secs(240));
    program::expect_success(&mut board, "storm")
}

/// Ten jobs at a time, each with pipes, subshells, files and programs; each file that comes out is checked.
const MAKE: &str = r#"
job() {
    seq 1 $((300 + $1)) | sort -rn | sort -n > out/$1.n
    ( cat out/$1.n | while read n; do [ $((n % 97)) = 0 ] && echo $n; done ) > out/$1.some
    sh -c "wc -l < out/$1.n; grep -c . out/$1.some" | xargs > out/$1.count
    [ "$(cat out/$1.count)" = "$((300 + $1)) $(((300 + $1) / 97))" ] && echo right > out/$1.done
}
mkdir -p out
for round in 1 2 3 4; do
    for i in 0 1 2 3 4 5 6 7 8 9; do job $((round * 10 + i)) & done
    wait
done
cat out/*.done | sort | uniq -c
rm -r out
"#;

fn shells(stage: &mut Stage) -> Result<()> {
    let mut shell = busybox::boot_to_shell(stage)?;
    shell.set_step(Duration::from_secs(120));
    shell.run("stty -echo")?;
    shell.type_line("cat > make.sh")?;
    for line in MAKE.trim().lines() {
        shell.type_line(line)?;
    }
    shell.type_keys("\x04")?;
    shell.expect_prompt()?;
    shell.run("stty echo")?;
    let mut free = Vec::new();
    for _ in 0..2 {
        shell.check("sh make.sh", "^ *40 right$")?;
        free.push(memory::free_memory(&mut shell)?);
    }
    let lost = free[0] - free[1];
    ensure!(lost <= stage.tolerated_loss(), "{lost} KiB were lost");
    shell.check("ps | grep -c '[m]ake.sh'", "^0$")?;
    shell.type_line("poweroff")?;
    shell.expect_end()
}
