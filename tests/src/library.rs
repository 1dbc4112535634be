//! The C libraries that programs of `tests/programs` are linked with.

use crate::files;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A C library, and how it comes to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// glibc of the cross compiler, linked statically.
    Glibc,
    /// The same, linked dynamically against Debian's `ld.so` and `libc.so`.
    SharedGlibc,
    /// Debian's musl, linked statically.
    Musl,
}

const COMPILER: &str = "aarch64-linux-gnu-gcc";

/// What a dynamically linked program needs at run time: package, path. The last is what ends and cancels threads.
const SHARED_FILES: [(&str, &str); 3] = [
    ("libc6", "lib/ld-linux-aarch64.so.1"),
    ("libc6", "lib/aarch64-linux-gnu/libc.so.6"),
    ("libgcc-s1", "lib/aarch64-linux-gnu/libgcc_s.so.1"),
];

impl Library {
    /// Compiles `tests/programs/NAME.c` to `program`.
    pub fn compile(self, name: &str, program: &Path) -> Result<()> {
        let source = files::root()
            .join("tests/programs")
            .join(name)
            .with_extension("c");
        let mut compiler = Command::new(COMPILER);
        compiler.args([
            "-pthread",
            "-O1",
            "-std=gnu17",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-o",
        ]);
        compiler.arg(program);
        match self {
            Library::Glibc => compiler.arg("-static").arg(source),
            Library::SharedGlibc => compiler.arg(source),
            Library::Musl => link_with_musl(&mut compiler, &source)?,
        };
        files::run(&mut compiler)
    }

    /// The lines of an initramfs list for what the program needs at run time, and the folders where those files are.
    pub fn run_time_files(self) -> Result<(String, Vec<PathBuf>)> {
        let (mut list, mut folders) = (String::new(), Vec::new());
        if self == Library::SharedGlibc {
            for (package, path) in SHARED_FILES {
                let (folder, name) = files::debian_file(package, path)?;
                list += &format!("file /{path} {name} 755\n");
                folders.push(folder);
            }
        }
        Ok((list, folders))
    }
}

/// The compiler belongs to glibc: musl's headers, start files and library take the place of its own. Its library of atomics asks
/// glibc what the processor can do, so it must not be needed.
fn link_with_musl<'a>(compiler: &'a mut Command, source: &Path) -> Result<&'a mut Command> {
    let musl = files::debian("musl-dev")?.join("usr");
    let libraries = musl.join("lib/aarch64-linux-musl");
    Ok(compiler
        .args([
            "-static",
            "-no-pie",
            "-mno-outline-atomics",
            "-nostdinc",
            "-nostdlib",
        ])
        .arg("-isystem")
        .arg(compilers_headers()?)
        .arg("-isystem")
        .arg(musl.join("include/aarch64-linux-musl"))
        .arg(libraries.join("crt1.o"))
        .arg(libraries.join("crti.o"))
        .arg(source)
        .arg("-L")
        .arg(&libraries)
        .args(["-lc", "-lgcc"])
        .arg(libraries.join("crtn.o")))
}

/// The headers that come with the compiler and not with a library.
fn compilers_headers() -> Result<String> {
    let output = Command::new(COMPILER)
        .arg("-print-file-name=include")
        .output()
        .context(COMPILER)?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
