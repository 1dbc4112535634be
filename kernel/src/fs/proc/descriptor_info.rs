//! /proc/PID/fdinfo: a text about each descriptor (proc_pid_fdinfo(5)).

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;
use abi::file::{O_CLOEXEC, S_IFREG};

use super::access::may_inspect;
use super::descriptors::{next_descriptor, number_of, open_file};
use super::process::Subject;
use super::text::Text;
use super::{FIRST, locks, seq_file};
use crate::fallible;
use crate::fs::file_table::OnExec;
use crate::fs::filesystem::Filesystem;
use crate::fs::inode::{Attributes, Body, Generated, Inode, Listed, Listing};
use crate::fs::object::Object;

/// The directory.
pub fn directory(
    process: &Subject,
    filesystem: &Arc<Filesystem>,
    inode: u64,
) -> Result<Box<dyn Listing>, Errno> {
    Ok(fallible::boxed(Descriptors {
        process: process.clone(),
        filesystem: filesystem.clone(),
        inode,
    })?)
}

struct Descriptors {
    process: Subject,
    filesystem: Arc<Filesystem>,
    inode: u64,
}

impl Descriptors {
    fn number(&self, descriptor: usize) -> u64 {
        self.inode + ((descriptor as u64 + 1) << 40)
    }
}

impl Listing for Descriptors {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>, Errno> {
        may_inspect(&self.process)?;
        let descriptor = number_of(name).ok_or(Errno::ENOENT)?;
        open_file(&self.process, descriptor)?;
        let credentials = self.process.credentials();
        let information = Information {
            process: self.process.clone(),
            descriptor,
        };
        Inode::numbered(
            &self.filesystem,
            self.number(descriptor),
            Body::Generated(fallible::boxed(information)?),
            Attributes::new(0o400, credentials.euid, credentials.egid),
        )
    }

    fn next(&self, from: u64) -> Result<Option<Listed>, Errno> {
        let Some(descriptor) = next_descriptor(&self.process, from) else {
            return Ok(None);
        };
        Ok(Some(Listed {
            name: fallible::text_bytes(format_args!("{descriptor}"))?,
            inode: self.number(descriptor),
            kind: S_IFREG,
            next: descriptor as u64 + FIRST + 1,
        }))
    }
}

struct Information {
    process: Subject,
    descriptor: usize,
}

impl Generated for Information {
    fn open(&self) -> Result<Arc<dyn Object>, Errno> {
        let (process, descriptor) = (self.process.clone(), self.descriptor);
        seq_file::open_whole(move |text| show(&process, descriptor, text))
    }
}

fn show(process: &Subject, descriptor: usize, text: &mut Text) -> Result<(), Errno> {
    may_inspect(process)?;
    let file = open_file(process, descriptor)?;
    let thread = process.own_thread().ok_or(Errno::ENOENT)?;
    let is_closed = thread.files.read(|files| files.on_exec(descriptor));
    let flags = file.flags()
        | if is_closed == Ok(OnExec::Close) {
            O_CLOEXEC
        } else {
            0
        };
    let inode = file.inode();
    let mount = inode.filesystem.mount_id();
    text.add(format_args!(
        "pos:\t{}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{}\n",
        file.position(),
        inode.number
    ));
    locks::of_open_file(process.pid, &file, text)
}
