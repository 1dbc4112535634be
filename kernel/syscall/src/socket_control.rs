//! Control messages in a program's memory: cmsg(3), and the descriptors that they bring.

use abi::Errno;
use abi::socket::{CMsgHdr, MessageFlags, MsgHdr, SCM_RIGHTS, option};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::open::install;
use net::control::{ControlSink, HEAD_LEN, message_len, message_space};
use task::thread::Thread;
use uaccess::{write_bytes, write_value};
use vfs::{OnExec, OpenFile};

/// The room for control messages of a header.
pub(super) struct UserControl<'a> {
    current: &'a Thread,
    at: u64,
    room: u64,
    pub(super) used: u64,
    on_exec: OnExec,
    pub(super) told: MessageFlags,
}

impl<'a> UserControl<'a> {
    pub(super) fn new(current: &'a Thread, header: &MsgHdr, flags: MessageFlags) -> Self {
        let on_exec = if flags.contains(MessageFlags::MSG_CMSG_CLOEXEC) {
            OnExec::Close
        } else {
            OnExec::Keep
        };
        UserControl {
            current,
            at: header.control,
            room: if header.control == 0 { 0 } else { header.controllen },
            used: 0,
            on_exec,
            told: MessageFlags::empty(),
        }
    }

    fn write_head(&self, level: u32, kind: u32, len: u64) -> Result<(), Errno> {
        write_value(self.at, &CMsgHdr { len, level, kind })
    }

    /// The next message begins behind one with that much data.
    fn advance(&mut self, data: usize) {
        let space = (message_space(data) as u64).min(self.room);
        self.at = self.at.wrapping_add(space);
        self.room -= space;
        self.used += space;
    }

    /// Gives the program descriptors for the first of `files`, and says how many it got.
    fn put_descriptors(&mut self, files: &mut Vec<Arc<OpenFile>>, most: usize) -> usize {
        let data_at = self.at.wrapping_add(HEAD_LEN as u64);
        for (index, file) in files.drain(..).enumerate() {
            let place = data_at.wrapping_add(index as u64 * 4);
            if index >= most || !self.put_descriptor(file, place) {
                return index;
            }
        }
        most
    }

    /// Gives the program a descriptor of that file, which it finds at `place`; whether it could.
    fn put_descriptor(&self, file: Arc<OpenFile>, place: u64) -> bool {
        // Written first, as far as it is known where: a descriptor that the program does not hear of would stay open.
        if write_value(place, &-1_i32).is_err() {
            return false;
        }
        let installed = install(self.current, file, self.on_exec, 0);
        installed.is_ok_and(|descriptor| write_value(place, &(descriptor as i32)).is_ok())
    }
}

impl ControlSink for UserControl<'_> {
    fn put(&mut self, level: u32, kind: u32, data: &[u8]) {
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        if room < HEAD_LEN {
            self.told |= MessageFlags::MSG_CTRUNC;
            return;
        }
        let cut = &data[..data.len().min(room - HEAD_LEN)];
        if cut.len() < data.len() {
            self.told |= MessageFlags::MSG_CTRUNC;
        }
        let head = self.write_head(level, kind, message_len(cut.len()) as u64);
        // As in Linux, a message that cannot be written is not there.
        if head.is_ok() && write_bytes(self.at.wrapping_add(HEAD_LEN as u64), cut).is_ok() {
            self.advance(cut.len());
        }
    }

    fn put_files(&mut self, mut files: Vec<Arc<OpenFile>>) {
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        let most = (room.saturating_sub(HEAD_LEN) / size_of::<i32>()).min(files.len());
        let wanted = files.len();
        let given = self.put_descriptors(&mut files, most);
        if given < wanted {
            self.told |= MessageFlags::MSG_CTRUNC;
        }
        let len = given * size_of::<i32>();
        let head = || self.write_head(option::SOL_SOCKET, SCM_RIGHTS, message_len(len) as u64);
        if given > 0 && head().is_ok() {
            self.advance(len);
        }
    }
}
