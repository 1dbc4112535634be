//! Where a test puts its files. Asked for when it runs: a path compiled into it is wrong once the checkout has moved.

use std::path::PathBuf;

/// A folder for this test program's own files.
pub fn scratch() -> PathBuf {
    let program = std::env::current_exe().expect("the test's own path");
    let folder = program.with_extension("files");
    std::fs::create_dir_all(&folder).expect("a folder beside the test program");
    folder
}
