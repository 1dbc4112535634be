//! /proc/PID/oom_score_adj: how gladly the process is ended when memory runs out (proc_pid_oom_score_adj(5)).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use crate::fallible;
use abi::Errno;
use abi::capability::CAP_SYS_RESOURCE;

use super::process::Subject;
use super::seq_file;
use crate::fs::object::{Io, Object, Positioning};
use crate::process::Process;
use crate::process::shortage;
use crate::scheduler;
use crate::user_memory::{Sink, Source};

/// More characters than a number in range has.
const MOST_CHARACTERS: usize = 12;

struct Adjustment {
    process: Arc<Process>,
    text: Arc<dyn Object>,
}

/// Opens the file of a process.
pub fn open(process: &Subject) -> Result<Arc<dyn Object>, Errno> {
    let shown = process.process.clone();
    let text = seq_file::open_whole(move |text| {
        let adjustment = shown.attributes.shortage.adjustment.load(Ordering::Relaxed);
        text.add(format_args!("{adjustment}\n"));
        Ok(())
    })?;
    let process = process.process.clone();
    Ok(fallible::arc(Adjustment { process, text })?)
}

impl Object for Adjustment {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.text.read(io, to)
    }

    /// `EINVAL` for what is not a number in range, `EACCES` for less than a privileged process has set.
    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let mut bytes = [0; MOST_CHARACTERS];
        let wanted = from.left().min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        let text = core::str::from_utf8(&bytes[..len]).map_err(|_| Errno::EINVAL)?;
        let value = text.trim().parse().map_err(|_| Errno::EINVAL)?;
        if !(shortage::NEVER..=shortage::FIRST).contains(&value) {
            return Err(Errno::EINVAL);
        }
        let kept = &self.process.attributes.shortage;
        if scheduler::current().process.credentials().can(CAP_SYS_RESOURCE) {
            kept.least.store(value, Ordering::Relaxed);
        } else if value < kept.least.load(Ordering::Relaxed) {
            return Err(Errno::EACCES);
        }
        kept.adjustment.store(value, Ordering::Relaxed);
        Ok(len)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
