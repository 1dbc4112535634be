//! The signals of open files for their owners: fcntl(2), `F_SETOWN`, `F_SETSIG`. Which files, and when, `vfs::file_owner` says.

use super::{Audience, send_to_many, send_to_process, send_to_thread};
use crate::process::{self, Process};
use crate::thread::ThreadExt;
use abi::Errno;
use abi::signal::info::{POLL_IN, POLL_MSG, POLL_OUT, POLL_PRI, SI_KERNEL};
use abi::signal::{SigInfo, Signal};
use vfs::file_owner::{self, Event, FileOwner, Messenger, Whom};

/// From now on owners are told. Called once, at boot.
pub fn tell_file_owners() {
    file_owner::set_messenger(&Signals);
}

/// Whether there is such a thread, process or group.
pub fn exists(whom: Whom) -> bool {
    match whom {
        Whom::Thread(id) => process::find_thread(id).is_some(),
        Whom::Process(id) => process::find(id).is_some() || process::find_thread(id).is_some(),
        Whom::Group(id) => process::session_of_group(id).is_some(),
    }
}

struct Signals;

impl Messenger for Signals {
    fn tell(&self, owner: &FileOwner, descriptor: i32, event: Event) {
        let Some(info) = info(owner, descriptor, event) else {
            return;
        };
        match owner.whom() {
            Some(Whom::Thread(id)) => {
                let thread = process::find_thread(id).filter(|thread| may_tell(owner, thread.process()));
                thread.iter().for_each(|thread| send_to_thread(thread, info));
            }
            Some(Whom::Process(id)) => {
                let process = process::find(id).filter(|process| may_tell(owner, process));
                process.iter().for_each(|process| send_to_process(process, info));
            }
            Some(Whom::Group(id)) => {
                let check = |process: &Process| may_tell(owner, process).then_some(()).ok_or(Errno::EPERM);
                // Nobody to be told is no error.
                let _sent = send_to_many(Audience::Group(id), Some(info), check);
            }
            None => {}
        }
    }
}

/// `None`: SIGURG alone tells it.
fn info(owner: &FileOwner, descriptor: i32, event: Event) -> Option<SigInfo> {
    let code = match event {
        Event::Urgent => return Some(SigInfo::new(Signal::SIGURG, SI_KERNEL)),
        Event::Input => POLL_IN,
        Event::Output => POLL_OUT,
        Event::Message => POLL_MSG,
        Event::Priority => {
            return owner
                .signal
                .map(|signal| SigInfo::poll(signal, POLL_PRI, descriptor));
        }
    };
    Some(match owner.signal {
        Some(signal) => SigInfo::poll(signal, code, descriptor),
        None => SigInfo::new(Signal::SIGIO, SI_KERNEL),
    })
}

/// `sigio_perm` of Linux.
fn may_tell(owner: &FileOwner, target: &Process) -> bool {
    let (uid, euid) = owner.named_by();
    let target = target.credentials();
    euid == 0
        || [uid, euid]
            .iter()
            .any(|id| *id == target.uid || *id == target.suid)
}
