//! The stage on which the scenes of `scenes/` play: QEMU with its serial port on a pipe ([`qemu`]), a [`session`] that
//! types and waits, the slow [`mod@line`] that can be put between both, the files a scene boots from ([`files`], [`library`], [`program`]), and
//! the [`runner`] that plays them all and counts, and the checker ([`watch`]); and what is known of the kernel's stacks without
//! booting it ([`stacks`]), and of the orders between processors that its barriers make ([`barriers`], [`frames`]). What the benchmark measures in the same way lies here too
//! ([`latency`]), and how a trace is drawn ([`timeline`]).

pub mod accesses;
pub mod barriers;
pub mod book;
pub mod calls;
pub mod code;
pub mod deletions;
pub mod files;
pub mod frames;
pub mod harmless;
pub mod kept;
pub mod latency;
pub mod library;
pub mod line;
pub mod made;
pub mod monitor;
pub mod mutations;
pub mod paths;
pub mod plants;
pub mod program;
pub mod progress;
pub mod qemu;
pub mod ram_file;
pub mod release;
pub mod rule_mutants;
pub mod runner;
pub mod session;
pub mod sites;
pub mod stacks;
pub mod stage;
pub mod timeline;
pub mod watch;
mod watched_sites;
pub mod words;

pub use library::Library;
pub use qemu::{Clock, Gic, Machine, Virt};
pub use runner::{Scene, Setting, Soak};
pub use session::Session;
pub use stage::{Build, Kernel, Stage};
