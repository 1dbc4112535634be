//! Sockets: what all families have in common, and the family of programs on one machine (unix(7)).
//!
//! A family registers itself at boot ([`family`]); socket(2) asks it for a socket ([`SocketOps`]), which becomes an open file
//! ([`mod@file`]) that read(2), write(2), poll(2) and close(2) know as any other. The calls of sockets find it by its descriptor. What
//! all families keep of a socket, as its options, stands in [`SocketBase`].
//!
//! No lock of this crate is held while user memory is touched: messages are copied before they are queued and after they are taken.
//!
//! For the system calls, for other families, which stand above, and for boot. It knows no processes: who asks travels along
//! ([`Request`]).
//!
//! Where to read on: `socket_ops`, `family`; kernel/README.md, Seams.
#![warn(clippy::missing_errors_doc)]
#![cfg_attr(target_os = "none", no_std)]
#![feature(allocator_api)]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod base;
pub mod control;
pub mod family;
pub mod file;
pub mod interfaces;
pub mod option;
mod request;
pub mod settings;
mod socket_ops;
pub mod unix;

pub use address::Address;
pub use base::SocketBase;
pub use control::{ControlSink, NoControl};
pub use family::Family;
pub use option::OptionValue;
pub use request::{ProgramContext, ReceivedMessage, Request, SentMessage};
pub use socket_ops::{Half, Note, SocketOps};
