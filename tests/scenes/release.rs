//! What `make release` writes, from the kernel that is built: twice the same bytes, sums that are right, and a list of crates in which none is missing.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{Scene, Stage, files, release};

pub const SCENES: &[Scene] = &[Scene::holstein("release.is_the_same_twice", same_twice).within_seconds(600)];

const VERSION: &str = "0.1.0-test";

/// Makes the card and the release anew in a folder of its own, and returns where.
fn make(stage: &Stage, name: &str) -> Result<PathBuf> {
    let out = stage.file(name);
    std::fs::create_dir_all(&out)?;
    let out = out.canonicalize()?;
    for file in ["kernel8.img", "initramfs.cpio"] {
        std::fs::copy(files::built().join(file), out.join(file))?;
    }
    for script in [".ci/sdcard", ".ci/release"] {
        let mut command = Command::new(files::root().join(script));
        // A small card: compressing its room takes most of the time. The address of the files is in the repository for Imager.
        command.env("MEBIBYTES", "128");
        command
            .env("OUT", &out)
            .env("VERSION", VERSION)
            .env("URL", "https://example.org/");
        files::run(&mut command)?;
    }
    std::fs::remove_file(out.join("sdcard.img"))?;
    Ok(out.join("release"))
}

fn contents(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        found.insert(
            entry.file_name().to_string_lossy().into_owned(),
            std::fs::read(entry.path())?,
        );
    }
    Ok(found)
}

fn same_twice(stage: &mut Stage) -> Result<()> {
    let folder = make(stage, "once")?;
    let (once, again) = (contents(&folder)?, contents(&make(stage, "again")?)?);
    ensure!(once.len() == 6, "{:?}", once.keys());
    for (name, bytes) in &once {
        ensure!(again.get(name) == Some(bytes), "{name} differs the second time");
    }
    files::run(
        Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(&folder),
    )?;
    files::run(
        Command::new("xz")
            .arg("--test")
            .arg(folder.join(format!("holstein-{VERSION}-rpi4.img.xz"))),
    )?;
    let bill = once
        .get(&format!("holstein-{VERSION}.cdx.json"))
        .context("no bill")?;
    let bill = String::from_utf8_lossy(bill);
    // Whatever crate a file of the linked kernel is of stands in the bill.
    let named = release::named_in(&std::fs::read(files::built().join("kernel.elf"))?);
    ensure!(named.len() > 5, "the kernel names {named:?}");
    for name in named {
        let (name, version) = name.rsplit_once('-').context("name-version")?;
        ensure!(
            bill.contains(&format!("pkg:cargo/{name}@{version}")),
            "{name} {version} is not in the bill"
        );
    }
    Ok(())
}
