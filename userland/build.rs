//! Links the programs with `linker/user.ld` when they are built for the bare target; a host build (tests, lints) links
//! as the host does.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let script = Path::new(&crate_folder).join("../linker/user.ld");
    println!("cargo:rerun-if-changed={}", script.display());
    for argument in [
        &format!("-T{}", script.display()),
        "-zmax-page-size=4096",
        "--strip-debug",
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
