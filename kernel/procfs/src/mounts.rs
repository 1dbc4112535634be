//! /proc/PID/mounts and mountinfo: what is mounted where, as the process sees it (proc(5)). One record for each mount, found by
//! its number.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{POLLIN, POLLRDNORM};

use super::proc_task::ProcTask;
use super::seq_file::SeqFile;
use super::text::Text;
use formats::escape::Escaped;
use vfs::Dentry;
use vfs::file_ops::FileOps;
use vfs::mount::{self, Mount};

/// Opens mounts.
///
/// # Errors
/// `EINVAL`: the process has ended. `ENOMEM`.
pub fn open(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    open_list(process, |mount, path, text| {
        text.escaped(&Escaped::source(&mount.source));
        text.bytes(b" ");
        text.escaped(&Escaped::field(path));
        text.add(format_args!(" {} ", mount.kind.name()));
        mount.flags().words().for_each(|word| text.bytes(word.as_bytes()));
        text.bytes(b" 0 0\n");
    })
}

/// Opens mountinfo: the mounts with their numbers. Every mount shows the whole of its filesystem.
///
/// # Errors
/// `EINVAL`: the process has ended. `ENOMEM`.
pub fn open_information(process: &ProcTask) -> Result<Arc<dyn FileOps>, Errno> {
    open_list(process, |mount, path, text| {
        let (id, parent, device) = (mount.id, mount.parent, mount.root.inode.filesystem.device);
        text.add(format_args!("{id} {parent} {}:{} / ", device >> 8, device & 0xff));
        text.escaped(&Escaped::field(path));
        text.bytes(b" ");
        mount.flags().words().for_each(|word| text.bytes(word.as_bytes()));
        text.add(format_args!(" - {} ", mount.kind.name()));
        text.escaped(&Escaped::source(&mount.source));
        let is_read_only = mount.flags().is_read_only();
        text.bytes(if is_read_only { b" ro\n" } else { b" rw\n" });
    })
}

fn open_list(process: &ProcTask, line: fn(&Mount, &[u8], &mut Text)) -> Result<Arc<dyn FileOps>, Errno> {
    let root = process.root().ok_or(Errno::EINVAL)?;
    // Linux says nothing of writing here, unlike of other texts (`mounts_poll`).
    let events = POLLIN | POLLRDNORM;
    SeqFile::open_ready(move |from, text| add(&root, from, text, line), events)
}

fn add(
    root: &Arc<Dentry>,
    from: u64,
    text: &mut Text,
    line: fn(&Mount, &[u8], &mut Text),
) -> Result<Option<u64>, Errno> {
    let Some(mount) = mount::next_from(from) else {
        return Ok(None);
    };
    if let Some(path) = mount.root.path_below(root)? {
        line(&mount, &path, text);
    }
    Ok(Some(mount.id + 1))
}
