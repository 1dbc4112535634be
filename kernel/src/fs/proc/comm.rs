//! /proc/PID/comm and /proc/PID/task/TID/comm: the name, which threads of the same process may change
//! (proc_pid_comm(5); pthread_setname_np(3) does so).

use alloc::sync::Arc;

use crate::fallible;
use abi::Errno;
use abi::process::TASK_COMM_LEN;

use super::process::Subject;
use super::seq_file;
use crate::fs::object::{Io, Object, Positioning};
use crate::process::Name;
use crate::scheduler;
use crate::user_memory::{Sink, Source};

struct Comm {
    subject: Subject,
    text: Arc<dyn Object>,
}

/// Opens the file of a process or thread.
pub fn open(subject: &Subject) -> Result<Arc<dyn Object>, Errno> {
    let shown = subject.clone();
    let text = seq_file::open_whole(move |text| {
        text.bytes(shown.name().bytes());
        text.bytes(b"\n");
        Ok(())
    })?;
    let subject = subject.clone();
    Ok(fallible::arc(Comm { subject, text })?)
}

impl Object for Comm {
    fn read(&self, io: &mut Io, to: &mut dyn Sink) -> Result<usize, Errno> {
        self.text.read(io, to)
    }

    /// The name up to a newline, cut to 15 bytes; all that was given counts as written. `EINVAL` for another process.
    fn write(&self, _io: &mut Io, from: &mut dyn Source) -> Result<usize, Errno> {
        let given = from.left();
        let mut bytes = [0; TASK_COMM_LEN - 1];
        let wanted = given.min(bytes.len());
        let len = from.take(&mut bytes[..wanted])?;
        if !Arc::ptr_eq(&scheduler::current().process, &self.subject.process) {
            return Err(Errno::EINVAL);
        }
        let line = bytes[..len].split(|&byte| byte == b'\n').next();
        let name = Name::new(line.unwrap_or_default());
        match &self.subject.thread {
            Some(thread) => thread.set_name(name),
            None => self.subject.process.set_name(name),
        }
        Ok(given)
    }

    fn positioning(&self) -> Positioning {
        Positioning::Bytes
    }
}
