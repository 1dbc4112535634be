//! The files that scenes boot from: the project's own, Debian's, and programs compiled for the purpose.

use anyhow::{Context, Result, anyhow, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The repository's root.
pub fn root() -> PathBuf {
    // Where the checkout is now, not where it was when this was compiled.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    Path::new(&folder).join("..")
}

/// The folder of what is built: `target/holstein`, or `OUT` in the environment.
pub fn built() -> PathBuf {
    std::env::var_os("OUT").map_or_else(|| root().join("target/holstein"), |folder| root().join(folder))
}

/// A file that must be there already.
pub fn existing(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.is_file(), "{} is missing", path.display());
    Ok(path)
}

/// An unpacked Debian package (arm64), fetched on first use.
pub fn debian(package: &str) -> Result<PathBuf> {
    // Scenes play side by side, and apt wants its folder for itself.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _fetching = FETCHING.lock().map_err(|_| anyhow!("a fetch failed"))?;
    let folder = root().join("target/debian").join(package);
    if !folder.is_dir() {
        run(Command::new(root().join(".ci/fetch")).arg(package))?;
    }
    Ok(folder)
}

/// The folder and the name of a package's file; releases differ in whether it lies below /usr.
pub fn debian_file(package: &str, path: &str) -> Result<(PathBuf, String)> {
    let unpacked = debian(package)?;
    let places = [unpacked.join(path), unpacked.join("usr").join(path)];
    let place = places
        .iter()
        .find(|place| place.is_file())
        .with_context(|| format!("{package} holds no {path}"))?;
    let name = place.file_name().context("a path ends in a name")?;
    let folder = place.parent().context("a file lies in a folder")?;
    Ok((folder.to_owned(), name.to_string_lossy().into_owned()))
}

/// Debian's statically linked busybox; the folder it lies in has differed between releases.
pub fn busybox() -> Result<PathBuf> {
    let package = debian("busybox-static")?;
    let places = ["bin/busybox", "usr/bin/busybox"].map(|path| package.join(path));
    places
        .into_iter()
        .find(|path| path.is_file())
        .context("busybox-static holds no busybox")
}

/// The device tree of the Raspberry Pi 4, as Debian's kernel package has it.
pub fn raspi4b_device_tree() -> Result<PathBuf> {
    let package = debian("linux-image-arm64")?;
    let versions = std::fs::read_dir(package.join("usr/lib"))?;
    let mut files = versions
        .flatten()
        .map(|version| version.path().join("broadcom/bcm2711-rpi-4-b.dtb"));
    files
        .find(|file| file.is_file())
        .context("linux-image holds no bcm2711-rpi-4-b.dtb")
}

/// Debian's own kernel.
pub fn linux() -> Result<PathBuf> {
    let mut files = std::fs::read_dir(debian("linux-image-arm64")?.join("boot"))?.flatten();
    let kernel = files.find(|file| file.file_name().to_string_lossy().starts_with("vmlinuz-"));
    Ok(kernel.context("linux-image holds no vmlinuz")?.path())
}

/// Runs a command to its end; its failure is an error that carries what it printed.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {errors}");
    Ok(())
}
