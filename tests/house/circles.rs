//! How large the circles of files inside a crate of the kernel are that all reach each other. That no crate reaches up says its
//! manifest (`floors::FLOORS`).

use crate::imports::Imports;
use crate::source::Source;

/// A crate of the kernel by its folder, and how many of its files may reach each other in a circle.
const LIMITS: &[(&str, usize)] = &[
    ("kernel/abi/src/", 9),
    ("kernel/formats/src/", 9),
    ("kernel/lock/src/", 9),
    ("kernel/memory/src/", 9),
    ("kernel/sched/src/", 9),
    ("kernel/klog/src/", 9),
    ("kernel/block/src/", 9),
    ("kernel/ext4/src/", 9),
    ("kernel/fat/src/", 9),
    ("kernel/uaccess/src/", 9),
    ("kernel/vfs/src/", 9),
    ("kernel/fs/src/", 9),
    ("kernel/net/src/", 9),
    ("kernel/inet/src/", 9),
    ("kernel/devices/src/", 9),
    ("kernel/ipc/src/", 9),
    ("kernel/events/src/", 9),
    ("kernel/pagecache/src/", 9),
    ("kernel/diskfs/src/", 9),
    ("kernel/task/src/", 24),
    ("kernel/trace/src/", 9),
    ("kernel/tty/src/", 9),
    ("kernel/procfs/src/", 9),
    ("kernel/swap/src/", 9),
    ("kernel/syscall/src/", 9),
    ("kernel/src/", 9),
];

/// Crates in which more files reach each other in a circle than may.
pub fn too_large(sources: &[Source]) -> Vec<String> {
    let too_large = |&(folder, limit): &(&str, usize)| {
        let inside: Vec<&Source> = sources
            .iter()
            .filter(|source| source.path.starts_with(folder))
            .collect();
        let files = inside.iter().map(|source| source.path.as_str()).collect();
        let imports = Imports::of(&inside);
        let circle = imports.largest_circle(&files);
        (circle.len() > limit).then(|| {
            format!(
                "{folder}: {} files, {limit} allowed: {}",
                circle.len(),
                circle.join(" ")
            )
        })
    };
    LIMITS.iter().filter_map(too_large).collect()
}

/// Folders of the kernel's crates that have no limit.
pub fn unlimited(sources: &[Source]) -> Vec<String> {
    let folder = |source: &Source| {
        let end = source.path.find("/src/")? + "/src/".len();
        let folder = &source.path[..end];
        let is_meant = folder.starts_with("kernel/") && folder != "kernel/mm/src/";
        is_meant.then(|| folder.to_owned())
    };
    let folders: std::collections::BTreeSet<String> = sources.iter().filter_map(folder).collect();
    let has_limit = |folder: &String| LIMITS.iter().any(|(known, _)| known == folder);
    folders.into_iter().filter(|folder| !has_limit(folder)).collect()
}

#[test]
fn a_circle_that_is_too_large_is_noticed() {
    let file = |at: usize| {
        let next = (at + 1) % 10;
        Source::new(
            &format!("kernel/vfs/src/file{at}.rs"),
            &format!("use crate::file{next}::X;"),
        )
    };
    let ten: Vec<_> = (0..10).map(file).collect();
    let broken = too_large(&ten);
    assert_eq!(broken.len(), 1);
    assert!(broken[0].starts_with("kernel/vfs/src/: 10 files, 9 allowed"));
    assert!(too_large(&ten[..9]).is_empty());
    assert_eq!(
        unlimited(&[Source::new("kernel/new/src/lib.rs", "")]),
        ["kernel/new/src/"]
    );
}
