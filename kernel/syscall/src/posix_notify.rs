//! mq_notify(2): a process is told, by a signal or through a socket of netlink, that a message has come.

use abi::Errno;
use abi::posix_queue::{NOTIFY_COOKIE_LEN, NOTIFY_REMOVED, NOTIFY_WOKENUP};
use abi::signal::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SigEvent, SigInfo, Signal};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use ipc::posix::{QueueNotice, Registration, Sender, ShownNotice};
use memory::fallible;
use net::SocketOps;
use task::process::Process;
use task::signal::send_to_process;
use task::thread::{Thread, ThreadExt};

use super::lookup::file;
use super::posix_queue::queue_of;

/// The process is registered, and not told: `SIGEV_NONE`.
struct Silent;

/// A signal for a process: `SIGEV_SIGNAL`.
struct BySignal {
    process: Weak<Process>,
    signal: Signal,
    value: u64,
}

/// A note for a thread of libc's, which waits at a socket: `SIGEV_THREAD`. The socket keeps a place for it.
struct ByNote {
    socket: Arc<dyn SocketOps>,
    cookie: [u8; NOTIFY_COOKIE_LEN],
}

/// mq_notify(2).
///
/// # Errors
/// `EBADF`: no queue, or no descriptor of a socket. `EBUSY`: somebody is registered. `EINVAL`: no such way of telling, no such signal, or
/// a socket of another family. `ENOTSOCK`: no socket. `ENOMEM`, those of user memory.
pub fn mq_notify(current: &Thread, descriptor: i32, event_at: u64) -> Result<usize, Errno> {
    if event_at == 0 {
        let file = file(current, descriptor)?;
        let queue = queue_of(&file)?;
        if let Some(table) = current.files().identity_if_any() {
            queue.unregister(table);
        }
        return Ok(0);
    }
    let event: SigEvent = uaccess::read_value(event_at)?;
    memory::has_room()?;
    let notice = notice(current, &event)?;
    let withdraw = |error| {
        notice.withdrawn();
        error
    };
    let file = file(current, descriptor).map_err(withdraw)?;
    let queue = queue_of(&file).map_err(withdraw)?;
    queue.register(Registration {
        table: current.files().identity(),
        shown: ShownNotice {
            notify: event.notify,
            signal: if event.notify == SIGEV_SIGNAL {
                event.signo
            } else {
                0
            },
            pid: current.process().pid,
        },
        notice,
    })?;
    Ok(0)
}

/// How the caller wants to be told.
fn notice(current: &Thread, event: &SigEvent) -> Result<Box<dyn QueueNotice>, Errno> {
    match event.notify {
        SIGEV_NONE => silence(),
        // It may be, and nobody is told, as on Linux.
        SIGEV_SIGNAL if event.signo == 0 => silence(),
        SIGEV_SIGNAL => {
            let signal = u64::try_from(event.signo).ok().and_then(Signal::new);
            let signal = signal.ok_or(Errno::EINVAL)?;
            let process = Arc::downgrade(current.process());
            Ok(fallible::boxed(BySignal {
                process,
                signal,
                value: event.value,
            })?)
        }
        SIGEV_THREAD => {
            let mut cookie = [0; NOTIFY_COOKIE_LEN];
            uaccess::read_bytes(event.value, &mut cookie)?;
            let socket = net::file::of(&*file(current, event.signo)?)?.ops().clone();
            let notice = fallible::boxed(ByNote { socket, cookie })?;
            notice.socket.keep_place_for_note()?;
            Ok(notice)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn silence() -> Result<Box<dyn QueueNotice>, Errno> {
    Ok(fallible::boxed(Silent)?)
}

impl QueueNotice for Silent {
    fn arrived(&self, _sender: Sender) {}

    fn withdrawn(&self) {}
}

impl QueueNotice for BySignal {
    fn arrived(&self, sender: Sender) {
        if let Some(process) = self.process.upgrade() {
            send_to_process(
                &process,
                SigInfo::message(self.signal, sender.pid, sender.uid, self.value),
            );
        }
    }

    fn withdrawn(&self) {}
}

impl ByNote {
    fn put(&self, why: u8) {
        let mut note = self.cookie;
        note[NOTIFY_COOKIE_LEN - 1] = why;
        self.socket.put_note(note);
    }
}

impl QueueNotice for ByNote {
    fn arrived(&self, _sender: Sender) {
        self.put(NOTIFY_WOKENUP);
    }

    fn withdrawn(&self) {
        self.put(NOTIFY_REMOVED);
    }
}
