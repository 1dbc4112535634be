//! The floors inside the kernel: which part of `kernel/src` stands on which, what still reaches up, and how large the
//! circles of files are that all reach each other.

use crate::imports::Imports;
use crate::source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Which crate of the future each file or folder of `kernel/src` belongs to: a path and a name a line; the longest path
/// that fits counts.
const PLACES: &str = include_str!("rooms.txt");

/// A part of the kernel: it may use all that stand before it in the list, but for one beside it.
struct Room {
    name: &'static str,
    beside: &'static str,
    /// How many files may reach each other in a circle.
    circle: usize,
}

const fn room(name: &'static str, circle: usize) -> Room {
    Room {
        name,
        beside: "",
        circle,
    }
}

/// From the ground up.
const ROOMS: &[Room] = &[
    room("formats", 9),
    room("lock", 9),
    room("memory", 9),
    room("sched", 9),
    room("log", 9),
    room("uaccess", 9),
    room("vfs", 9),
    room("fs", 9),
    Room {
        name: "devices",
        beside: "fs",
        circle: 9,
    },
    room("task", 24),
    room("tty", 9),
    room("procfs", 9),
    room("syscall", 9),
    room("kernel", 9),
];

/// Parts of which the first still names the second, which stands above it, with the number of imports from file to file.
/// They become fewer; none may come.
const EXCEPTIONS: &[(&str, &str, usize)] = &[];

fn place(name: &str) -> Option<usize> {
    ROOMS.iter().position(|room| room.name == name)
}

/// Whether the first part may use the second.
fn may_use(from: &str, to: &str) -> bool {
    match (place(from), place(to)) {
        (Some(above), Some(below)) => above >= below && ROOMS[above].beside != to,
        _ => false,
    }
}

/// The part of the kernel that a file belongs to.
fn room_of(path: &str) -> Option<&'static str> {
    let path = path.strip_prefix("kernel/src/")?;
    let places = PLACES.lines().filter_map(|line| line.split_once(' '));
    let fitting = places.filter(|(place, _)| path.starts_with(place));
    fitting.max_by_key(|(place, _)| place.len()).map(|(_, room)| room)
}

fn kernel(sources: &[Source]) -> Vec<&Source> {
    sources
        .iter()
        .filter(|source| source.path.starts_with("kernel/src/"))
        .collect()
}

/// Files that have no part of the kernel, and lines of the plan that name no part.
pub fn homeless(sources: &[Source]) -> Vec<String> {
    let files = kernel(sources)
        .into_iter()
        .filter(|source| room_of(&source.path).is_none());
    let mut found: Vec<_> = files.map(|source| source.path.clone()).collect();
    let names = PLACES.lines().filter_map(|line| line.split_once(' '));
    found.extend(
        names
            .filter(|(_, room)| place(room).is_none())
            .map(|(at, room)| format!("{at} {room}")),
    );
    found
}

/// Imports that reach up where no exception is left, and exceptions that nobody needs any more.
pub fn upward(sources: &[Source]) -> Vec<String> {
    let imports = Imports::of(&kernel(sources));
    let mut found: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for ((from, to), names) in imports.edges.iter().chain(&imports.signposts) {
        if let (Some(room), Some(other)) = (room_of(from), room_of(to))
            && !may_use(room, other)
        {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            found
                .entry((room, other))
                .or_default()
                .push(format!("{from} -> {to} {}", names.join(" ")));
        }
    }
    let allowed: BTreeMap<_, _> = EXCEPTIONS
        .iter()
        .map(|&(from, to, count)| ((from, to), count))
        .collect();
    let pairs: BTreeSet<_> = found.keys().chain(allowed.keys()).collect();
    let describe = |pair: &&(&str, &str)| -> Option<String> {
        let (is, may) = (
            found.get(*pair).map_or(&[][..], Vec::as_slice),
            allowed.get(*pair).copied().unwrap_or(0),
        );
        let list = is.join("\n    ");
        (is.len() != may).then(|| {
            format!(
                "{} -> {}: {} imports, {may} in EXCEPTIONS\n    {list}",
                pair.0,
                pair.1,
                is.len()
            )
        })
    };
    pairs.iter().filter_map(describe).collect()
}

/// Parts in which more files reach each other in a circle than may.
pub fn circles(sources: &[Source]) -> Vec<String> {
    let kernel = kernel(sources);
    let imports = Imports::of(&kernel);
    let too_long = |room: &Room| {
        let inside = kernel.iter().map(|source| source.path.as_str());
        let files = inside.filter(|path| room_of(path) == Some(room.name)).collect();
        let circle = imports.largest_circle(&files);
        (circle.len() > room.circle).then(|| {
            format!(
                "{}: {} files, {} allowed: {}",
                room.name,
                circle.len(),
                room.circle,
                circle.join(" ")
            )
        })
    };
    ROOMS.iter().filter_map(too_long).collect()
}

#[test]
fn an_import_that_reaches_up_is_noticed() {
    assert!(may_use("task", "vfs") && may_use("vfs", "vfs") && !may_use("vfs", "task"));
    assert!(!may_use("devices", "fs") && !may_use("fs", "devices") && may_use("devices", "vfs"));
    let file = |path: &str, text: &str| Source::new(path, text);
    let sources = [
        file("kernel/src/main.rs", ""),
        file("kernel/src/escape.rs", "use crate::panic;"),
        file("kernel/src/panic.rs", "use crate::escape;"),
    ];
    let broken = upward(&sources);
    assert!(
        broken
            .iter()
            .any(|line| line.starts_with("lock -> kernel: 1 imports, 0 in EXCEPTIONS"))
    );
    assert!(!broken.iter().any(|line| line.starts_with("kernel -> lock")));
    assert_eq!(
        homeless(&[file("kernel/src/stranger.rs", "")]),
        ["kernel/src/stranger.rs"]
    );
}
