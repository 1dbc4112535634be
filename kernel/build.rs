//! Links the kernel by `linker/kernel.ld`, which takes `linker/hot.ld`.

use std::path::Path;

fn main() {
    // Asked for when it runs, not when it is compiled: the checkout may have moved since.
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let folder = Path::new(&crate_folder).join("../linker");
    let script = folder.join("kernel.ld");
    for read in [&script, &folder.join("hot.ld")] {
        println!("cargo::rerun-if-changed={}", read.display());
    }
    // On a host only tests are built.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    println!("cargo::rustc-link-arg-bins=-zmax-page-size=4096");
}
