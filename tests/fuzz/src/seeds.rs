//! Real inputs to begin with, from the tools that `make test` needs anyway.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a program makes of its standard input.
///
/// # Panics
/// If the program is missing or fails.
pub fn filter(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("its output");
    writer
        .join()
        .expect("a writer")
        .expect("all of the input is read");
    assert!(output.status.success(), "{program}: {}", output.status);
    output.stdout
}

/// A file of this process' own that is made by `make`, which is told its path.
fn made_file(make: impl FnOnce(&str) -> Command) -> Vec<u8> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path: PathBuf = std::env::temp_dir().join(format!("holstein-seed-{}-{number}", std::process::id()));
    let mut command = make(&path.to_string_lossy());
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let bytes = std::fs::read(&path).expect("what was made");
    std::fs::remove_file(&path).expect("its own file");
    bytes
}

/// The tree that QEMU hands to a kernel on this machine, without what follows it.
///
/// # Panics
/// If QEMU is missing or knows no such machine.
pub fn device_tree(machine: &str) -> Vec<u8> {
    let mut tree = made_file(|path| {
        let mut command = Command::new("qemu-system-aarch64");
        command.args([
            "-M",
            &format!("{machine},dumpdtb={path}"),
            "-display",
            "none",
            "-nic",
            "none",
        ]);
        command
    });
    let len = formats::dtb::DeviceTree::claimed_len(&tree).expect("a tree of QEMU");
    tree.truncate(len);
    tree
}

/// A program of the cross compiler.
///
/// # Panics
/// If the compiler is missing or refuses the source.
pub fn arm64_program(source: &[u8], options: &[&str]) -> Vec<u8> {
    made_file(|path| {
        let code = format!("{path}.c");
        std::fs::write(&code, source).expect("the temporary folder");
        let mut command = Command::new("sh");
        command.args(["-c", "code=$1 out=$2; shift 2; aarch64-linux-gnu-gcc \"$@\" -o \"$out\" \"$code\"; s=$?; rm \"$code\"; exit $s", "sh"]);
        command.args([&code, path]).args(options);
        command
    })
}
