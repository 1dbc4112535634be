//! `litmus [NAME...]` answers the orders of `orders` whose names contain one of those, or all, and says which are not as written
//! down. `litmus FILE.litmus...` answers those files. With `--write DIR` the orders are written as herd7 reads them; with HERD7
//! set (and HERD7_LIBDIR, if its models stand elsewhere) that tool is asked as well, and must agree.

use anyhow::{Context, Result, bail, ensure};
use litmus::execution::{Answer, answer};
use litmus::order::{self, Order};
use litmus::program::Program;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> Result<ExitCode> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if !names.is_empty() && names.iter().all(|name| name.ends_with(".litmus")) {
        for file in names {
            let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
            let program = Program::parse(&text).with_context(|| file.clone())?;
            println!(
                "{}\t{:?}",
                program.name,
                answer(&program).with_context(|| file.clone())?
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    let folder = if names.first().is_some_and(|name| name == "--write") {
        ensure!(names.len() > 1, "--write wants a folder");
        names.remove(0);
        Some(PathBuf::from(names.remove(0)))
    } else {
        None
    };
    let herd = std::env::var_os("HERD7").map(|_| Herd::new()).transpose()?;
    let (mut passed, mut failed) = (0, 0);
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("cargo runs it: cargo run -p litmus")?;
    for order in order::read_all(&Path::new(&own).join("orders"))? {
        if !names.is_empty() && !names.iter().any(|name| order.name.contains(name.as_str())) {
            continue;
        }
        for (sabotage, expected) in &order.expected {
            let sabotage = sabotage.as_deref();
            if let Some(folder) = &folder {
                std::fs::create_dir_all(folder)?;
                std::fs::write(
                    folder.join(order.name_of(sabotage) + ".litmus"),
                    order.litmus(sabotage),
                )?;
            }
            match compare(&order, sabotage, *expected, herd.as_ref()) {
                Ok(()) => passed += 1,
                Err(error) => {
                    failed += 1;
                    println!(
                        "FAILED {}: {error:#}\n  must: {}",
                        order.name_of(sabotage),
                        order.must
                    );
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn compare(order: &Order, sabotage: Option<&str>, expected: Answer, herd: Option<&Herd>) -> Result<()> {
    let text = order.litmus(sabotage);
    let found = answer(&Program::parse(&text)?)?;
    ensure!(found == expected, "{found:?}, should be {expected:?}");
    if let Some(herd) = herd {
        let theirs = herd.answer(&text)?;
        ensure!(
            theirs == format!("{found:?}"),
            "herd7 says {theirs}, we say {found:?}"
        );
    }
    Ok(())
}

/// Arm's own tool, if somebody has it.
struct Herd {
    program: PathBuf,
    models: Option<PathBuf>,
    file: PathBuf,
}

impl Herd {
    fn new() -> Result<Herd> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let program = variable("HERD7").context("HERD7 is not set")?;
        let file = std::env::temp_dir().join(format!("order-{}.litmus", std::process::id()));
        Ok(Herd {
            program,
            models: variable("HERD7_LIBDIR"),
            file,
        })
    }

    fn answer(&self, text: &str) -> Result<String> {
        std::fs::write(&self.file, text)?;
        let mut command = Command::new(&self.program);
        if let Some(models) = &self.models {
            command.arg("-set-libdir").arg(models);
        }
        let output = command
            .arg(Path::new(&self.file))
            .output()
            .context("HERD7 does not run")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let observation = said.lines().find_map(|line| line.strip_prefix("Observation "));
        match observation.and_then(|line| line.split_whitespace().nth(1)) {
            Some(word) => Ok(word.to_owned()),
            None => bail!("herd7 said no observation: {said}"),
        }
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        // Nobody needs it any more, and nothing else can be done.
        let _ = std::fs::remove_file(&self.file);
    }
}
