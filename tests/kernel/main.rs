//! The parts of the kernel that need no machine, compiled for the host with their own unit tests: the line discipline of the
//! terminal, the text of paths, descriptors, record locks, the ring of the log, the order of locks, the map.
#![expect(
    dead_code,
    reason = "the kernel uses more of these modules than their tests do"
)]

#[macro_use]
extern crate alloc;

mod fallible;

#[path = "../../kernel/src/fs"]
mod fs {
    mod file_table;
    mod path;
    mod record_locks;
}

#[path = "../../kernel/src/log"]
mod log {
    mod ring;
}

#[path = "../../kernel/src/sync"]
mod sync {
    mod order;
    mod rank;
}

#[path = "../../kernel/src/tty"]
mod tty {
    mod discipline;
    mod output;
}
