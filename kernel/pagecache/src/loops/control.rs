//! /dev/loop-control: which disk has no file.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::OpenFlags;
use abi::loop_device::{LOOP_CTL_ADD, LOOP_CTL_GET_FREE, LOOP_CTL_REMOVE, LOOP_CTRL_MINOR};
use memory::fallible;
use vfs::device_registry::DeviceDriver;
use vfs::file_ops::FileOps;

use super::{COUNT, SLOTS};
use core::sync::atomic::Ordering;

/// Serves /dev/loop-control.
pub struct ControlDriver;

impl DeviceDriver for ControlDriver {
    fn open(&self, minor: u32, _flags: OpenFlags) -> Result<Arc<dyn FileOps>, Errno> {
        if minor != LOOP_CTRL_MINOR {
            return Err(Errno::ENODEV);
        }
        Ok(fallible::arc(Control)?)
    }
}

struct Control;

impl FileOps for Control {
    /// There are as many as there are: none is made (`ENOSPC`), none goes (`EBUSY`).
    fn ioctl(&self, request: u32, argument: u64) -> Result<usize, Errno> {
        let wanted = argument as i32;
        let index = usize::try_from(wanted).ok().filter(|index| *index < COUNT);
        match request {
            LOOP_CTL_GET_FREE => {
                let free = SLOTS.iter().position(|slot| slot.bound().is_none());
                free.ok_or(Errno::ENOSPC)
            }
            LOOP_CTL_ADD => match index {
                Some(_) => Err(Errno::EEXIST),
                None => Err(Errno::ENOSPC),
            },
            LOOP_CTL_REMOVE => {
                let slot = &SLOTS[index.ok_or(Errno::ENODEV)?];
                let _is_used = slot.bound().is_some() || slot.users.load(Ordering::Relaxed) > 0;
                Err(Errno::EBUSY)
            }
            _ => Err(Errno::ENOSYS),
        }
    }
}
