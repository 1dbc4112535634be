//! What is known of files: stat(2), statx(2), statfs(2), access(2).

use abi::Errno;
use abi::file::stat::{
    STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID, Stat, StatFs, Statx, StatxTimestamp, device_major,
    device_minor,
};
use abi::file::{AT_FDCWD, AccessFlags, AtFlags, NAME_MAX, S_IFREG};
use abi::mount::MountFlags;
use abi::time::TimeSpec;

use super::flags::decode;
use super::lookup::{Lookup, file};
use task::thread::Thread;
use uaccess::write_value;
use vfs::super_block::SuperBlock;
use vfs::{Inode, LastLink};

/// `st_blksize`.
const BLOCK_SIZE: u32 = mm::PAGE_SIZE as u32;
/// Units of `st_blocks` in a page.
const UNITS_PER_PAGE: u64 = mm::PAGE_SIZE as u64 / 512;
/// In `f_flags`: there are flags.
const ST_VALID: u32 = 0x20;
/// Access times are set now and then.
const ST_RELATIME: u32 = 0x1000;
/// The flag of statx(2) that Linux keeps for itself.
const STATX_RESERVED: u32 = 0x8000_0000;

/// fstat(2).
///
/// # Errors
/// `EBADF`, those of user memory.
pub fn fstat(current: &Thread, descriptor: i32, buffer: u64) -> Result<usize, Errno> {
    let stat = stat(file(current, descriptor)?.inode());
    write_value(buffer, &stat)?;
    Ok(0)
}

/// newfstatat(2): fstatat(3).
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags. Those of user memory.
pub fn newfstatat(
    current: &Thread,
    directory: i32,
    path: u64,
    buffer: u64,
    flags: u32,
) -> Result<usize, Errno> {
    let flags = decode(
        flags,
        AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT | AtFlags::AT_EMPTY_PATH,
    )?;
    let found = Lookup::new(current, directory, path)?.find_with(flags)?;
    write_value(buffer, &stat(&found.inode))?;
    Ok(0)
}

fn stat(inode: &Inode) -> Stat {
    let attributes = inode.attributes();
    Stat {
        dev: inode.filesystem.device,
        ino: inode.number,
        mode: inode.kind() | attributes.mode,
        nlink: attributes.links,
        uid: attributes.uid,
        gid: attributes.gid,
        rdev: inode.device_number(),
        size: inode.size() as i64,
        blksize: BLOCK_SIZE as i32,
        blocks: (inode.page_count() * UNITS_PER_PAGE) as i64,
        atime: attributes.accessed,
        mtime: attributes.modified,
        ctime: attributes.changed,
        ..Stat::default()
    }
}

/// statx(2): everything that is known is always given.
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags, two ways to be fresh, or Linux's reserved bit in the mask. Those of user
/// memory.
pub fn statx(
    current: &Thread,
    directory: i32,
    path: u64,
    flags: u32,
    mask: u32,
    buffer: u64,
) -> Result<usize, Errno> {
    let flags = decode(
        flags,
        AtFlags::AT_SYMLINK_NOFOLLOW
            | AtFlags::AT_NO_AUTOMOUNT
            | AtFlags::AT_EMPTY_PATH
            | AtFlags::AT_STATX_SYNC_TYPE,
    )?;
    if mask & STATX_RESERVED != 0 || flags.contains(AtFlags::AT_STATX_SYNC_TYPE) {
        return Err(Errno::EINVAL);
    }
    let found = Lookup::new(current, directory, path)?.find_with(flags)?;
    write_value(buffer, &extended_stat(&found.inode))?;
    Ok(0)
}

fn extended_stat(inode: &Inode) -> Statx {
    let (attributes, device) = (inode.attributes(), inode.device_number());
    Statx {
        mask: STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID,
        blksize: BLOCK_SIZE,
        nlink: attributes.links,
        uid: attributes.uid,
        gid: attributes.gid,
        mode: (inode.kind() | attributes.mode) as u16,
        ino: inode.number,
        size: inode.size(),
        blocks: inode.page_count() * UNITS_PER_PAGE,
        atime: timestamp(attributes.accessed),
        btime: timestamp(attributes.born),
        ctime: timestamp(attributes.changed),
        mtime: timestamp(attributes.modified),
        rdev_major: device_major(device),
        rdev_minor: device_minor(device),
        dev_major: device_major(inode.filesystem.device),
        dev_minor: device_minor(inode.filesystem.device),
        mnt_id: inode.filesystem.mount_id(),
        ..Statx::default()
    }
}

fn timestamp(time: TimeSpec) -> StatxTimestamp {
    StatxTimestamp {
        sec: time.sec,
        nsec: time.nsec as u32,
        ..StatxTimestamp::default()
    }
}

/// statfs(2).
///
/// # Errors
/// Those of paths, and those of user memory.
pub fn statfs(current: &Thread, path: u64, buffer: u64) -> Result<usize, Errno> {
    let found = Lookup::new(current, AT_FDCWD, path)?.find(LastLink::Follow)?;
    write_value(buffer, &filesystem_stat(&found.inode)?)?;
    Ok(0)
}

/// fstatfs(2).
///
/// # Errors
/// `EBADF`, those of user memory.
pub fn fstatfs(current: &Thread, descriptor: i32, buffer: u64) -> Result<usize, Errno> {
    let stat = filesystem_stat(file(current, descriptor)?.inode())?;
    write_value(buffer, &stat)?;
    Ok(0)
}

/// `ST_RELATIME` has another number than `MS_RELATIME`, unlike all others.
fn relatime(flags: MountFlags) -> u32 {
    if flags.contains(MountFlags::MS_RELATIME) {
        ST_RELATIME
    } else {
        0
    }
}

fn filesystem_stat(inode: &Inode) -> Result<StatFs, Errno> {
    let filesystem = &inode.filesystem;
    let usual = usual_stat(filesystem);
    Ok(match filesystem.kind.usage(filesystem)? {
        None => usual,
        Some(usage) => StatFs {
            bsize: usage.block_size as i64,
            frsize: usage.block_size as i64,
            blocks: usage.blocks,
            bfree: usage.free_blocks,
            bavail: usage.available_blocks,
            files: usage.inodes,
            ffree: usage.free_inodes,
            ..usual
        },
    })
}

fn usual_stat(filesystem: &SuperBlock) -> StatFs {
    let flags = filesystem.flags.get();
    let (limit, used) = (filesystem.page_limit(), filesystem.page_count());
    let free = limit.saturating_sub(used).min(memory::available_frames() as u64);
    StatFs {
        kind: filesystem.kind.magic() as i64,
        bsize: BLOCK_SIZE.into(),
        blocks: limit,
        bfree: free,
        bavail: free,
        files: if limit == 0 {
            0
        } else {
            filesystem.inode_count() + free
        },
        ffree: if limit == 0 { 0 } else { free },
        fsid: [filesystem.device as i32, 0],
        namelen: NAME_MAX as i64,
        frsize: BLOCK_SIZE.into(),
        flags: i64::from(ST_VALID | (flags - MountFlags::MS_RELATIME).bits() | relatime(flags)),
        ..StatFs::default()
    }
}

/// faccessat(2): access(2) by the real ids.
///
/// # Errors
/// As for [`faccessat2`] without flags.
pub fn faccessat(current: &Thread, directory: i32, path: u64, mode: u32) -> Result<usize, Errno> {
    faccessat2(current, directory, path, mode, 0)
}

/// faccessat2(2).
///
/// # Errors
/// Those of paths. `EINVAL`: unknown flags or rights. `EACCES`: the mode, or a program of a mount without programs.
/// `EROFS`: written on a read-only mount. `ENOMEM`.
pub fn faccessat2(
    current: &Thread,
    directory: i32,
    path: u64,
    mode: u32,
    flags: u32,
) -> Result<usize, Errno> {
    let flags = decode(
        flags,
        AtFlags::AT_EACCESS | AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EMPTY_PATH,
    )?;
    let wanted = decode(mode, AccessFlags::all())?;
    let mut lookup = Lookup::new(current, directory, path)?;
    if !flags.contains(AtFlags::AT_EACCESS) {
        lookup.subject = lookup.subject.with_real_ids()?;
    }
    let found = lookup.find_with(flags)?;
    let is_program = wanted.contains(AccessFlags::X_OK) && found.inode.kind() == S_IFREG;
    if is_program && found.inode.filesystem.flags.has(MountFlags::MS_NOEXEC) {
        return Err(Errno::EACCES);
    }
    lookup.subject.check(&found.inode, wanted)?;
    Ok(0)
}
