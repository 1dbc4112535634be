//! `trace [--kernel FILE] fork | COMMAND`: runs a command under `cowtrace` on virt, where one instruction is a nanosecond, and draws what it
//! came to the kernel for, as a picture beside the kernel. `fork` is a shell that forks once, from the fork on.

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::time::Duration;
use tests::timeline::{self, FORK};
use tests::{Kernel, Stage, files};

const LIMIT: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut kernel = files::built().join("kernel8.img");
    if arguments.first().is_some_and(|word| word == "--kernel") && arguments.len() > 1 {
        kernel = PathBuf::from(arguments.remove(1));
        arguments.remove(0);
    }
    let what = arguments.join(" ");
    if what.is_empty() {
        bail!("usage: trace [--kernel FILE] fork | COMMAND");
    }
    let is_fork = what == "fork";
    let command = if is_fork { FORK } else { &what };
    let mut stage = Stage::alone("trace", Kernel::Holstein(kernel), LIMIT)?;
    let text = timeline::record(&mut stage, command)?;
    let moments = timeline::parse(&text)?;
    let shown = if is_fork {
        timeline::from_fork(&moments)?
    } else {
        &moments
    };
    let path = files::built().join("trace.svg");
    let title = format!("{command}: one instruction is a nanosecond");
    timeline::draw(&path, &title, shown)?;
    println!("{}: {} records", path.display(), shown.len());
    Ok(())
}
