//! /proc/sys: the settings that programs ask for. They can be read only, but for `vm/fork_copies_stack`, which only this kernel
//! has: whether fork gives the child a copy of the page under the stack pointer at once (`mm::fork`).

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;

use super::text::Text;
use super::{Directory, Entry, core_pattern, switch};
use crate::fs::file_table::MAX_DESCRIPTORS;
use crate::fs::filesystem::Filesystem;
use crate::fs::inode::Listing;
use crate::fs::pipe;
use crate::memory;
use crate::syscall::system;

/// One more than the highest process id.
const PID_MAX: u32 = 32768;
/// Distance of the inode numbers of directories.
const SPREAD: u64 = 64;

static ROOT: [Entry<()>; 3] = [
    Entry::directory("fs", 0o555, |(), filesystem, inode| {
        directory(filesystem, inode * SPREAD, &FILES)
    }),
    Entry::directory("kernel", 0o555, |(), filesystem, inode| {
        directory(filesystem, inode * SPREAD, &KERNEL)
    }),
    Entry::directory("vm", 0o555, |(), filesystem, inode| {
        directory(filesystem, inode * SPREAD, &MEMORY)
    }),
];

static FILES: [Entry<()>; 2] = [
    Entry::text("nr_open", |(), text| {
        line(text, format_args!("{MAX_DESCRIPTORS}"))
    }),
    Entry::text("pipe-max-size", |(), text| {
        line(text, format_args!("{}", pipe::CAPACITY))
    }),
];

static KERNEL: [Entry<()>; 7] = [
    Entry::object("core_pattern", 0o644, |()| core_pattern::open()),
    Entry::text("domainname", |(), text| name(text, &system::names().1)),
    Entry::text("hostname", |(), text| name(text, &system::names().0)),
    Entry::text("osrelease", |(), text| {
        line(text, format_args!("{}", system::RELEASE))
    }),
    Entry::text("ostype", |(), text| line(text, format_args!("Linux"))),
    Entry::text("pid_max", |(), text| line(text, format_args!("{PID_MAX}"))),
    Entry::directory("random", 0o555, |(), filesystem, inode| {
        directory(filesystem, inode * SPREAD, &RANDOM)
    }),
];

static RANDOM: [Entry<()>; 2] = [
    // The generator is seeded at boot and never runs dry: 256 bits, as Linux says it (random(4)).
    Entry::text("entropy_avail", |(), text| line(text, format_args!("256"))),
    Entry::text("uuid", |(), text| uuid(text)),
];

static MEMORY: [Entry<()>; 3] = [
    Entry::object("fork_copies_stack", 0o644, |()| {
        switch::open(&memory::IS_STACK_COPIED_AT_FORK)
    }),
    Entry::text("mmap_min_addr", |(), text| {
        line(text, format_args!("{}", mm::space::LOWEST.0))
    }),
    // Memory is promised without counting: fork and mmap fail only when there is nothing at all.
    Entry::text("overcommit_memory", |(), text| line(text, format_args!("1"))),
];

/// The directory /proc/sys.
pub fn root((): &(), filesystem: &Arc<Filesystem>, inode: u64) -> Box<dyn Listing> {
    directory(filesystem, inode * SPREAD, &ROOT)
}

fn directory(filesystem: &Arc<Filesystem>, inode: u64, entries: &'static [Entry<()>]) -> Box<dyn Listing> {
    let filesystem = filesystem.clone();
    Box::new(Directory {
        filesystem,
        subject: (),
        entries,
        inode,
        owner: (0, 0),
        directory_owner: (0, 0),
    })
}

fn line(text: &mut Text, arguments: core::fmt::Arguments<'_>) -> Result<(), Errno> {
    text.add(format_args!("{arguments}\n"));
    Ok(())
}

fn name(text: &mut Text, name: &[u8]) -> Result<(), Errno> {
    text.bytes(name);
    text.bytes(b"\n");
    Ok(())
}

/// A random UUID, version 4 (RFC 9562), another one each time.
fn uuid(text: &mut Text) -> Result<(), Errno> {
    let mut bytes = [0; 16];
    platform::random::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    for (index, byte) in bytes.iter().enumerate() {
        let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
        text.add(format_args!("{dash}{byte:02x}"));
    }
    text.bytes(b"\n");
    Ok(())
}
