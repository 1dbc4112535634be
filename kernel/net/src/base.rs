//! What is kept of the sockets of all families: what they are, and the options of `SOL_SOCKET` (`struct sock` of Linux).

use abi::Errno;
use abi::socket::option::Linger;
use abi::socket::{MessageFlags, option};
use alloc::sync::Weak;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use lock::Mutex;
use sched::time;
use spin::Once;
use vfs::file_owner::{self, Event, HasOwner};

use super::settings::{RMEM_DEFAULT, WMEM_DEFAULT};

/// No end of waiting.
const FOREVER: u64 = u64::MAX;

/// The options that are on or off, by their numbers.
const SWITCHES: [u32; 8] = [
    option::SO_DEBUG,
    option::SO_REUSEADDR,
    option::SO_REUSEPORT,
    option::SO_DONTROUTE,
    option::SO_BROADCAST,
    option::SO_KEEPALIVE,
    option::SO_OOBINLINE,
    option::SO_PASSCRED,
];

/// What all families keep of a socket.
pub struct SocketBase {
    /// `AF_*`.
    pub family: u32,
    /// `SOCK_*`.
    pub kind: u32,
    /// The protocol of the family.
    pub protocol: u32,
    /// The number of its inode; 0 as long as there is none.
    pub inode: AtomicU64,
    /// Whose it is, as long as it has an inode.
    pub user: AtomicU32,
    switches: AtomicU32,
    send_buffer: AtomicU32,
    receive_buffer: AtomicU32,
    /// Nanoseconds.
    send_timeout: AtomicU64,
    receive_timeout: AtomicU64,
    receive_low: AtomicI32,
    peek_offset: AtomicI32,
    priority: AtomicU32,
    /// The number of the error that waits; 0: none.
    error: AtomicU32,
    linger: Mutex<Linger>,
    /// Its open file, once somebody was to own it.
    owned: Once<Weak<dyn HasOwner>>,
}

impl SocketBase {
    /// That of a new socket.
    pub fn new(family: u32, kind: u32, protocol: u32) -> Self {
        SocketBase {
            family,
            kind,
            protocol,
            inode: AtomicU64::new(0),
            user: AtomicU32::new(0),
            switches: AtomicU32::new(0),
            send_buffer: AtomicU32::new(WMEM_DEFAULT.get()),
            receive_buffer: AtomicU32::new(RMEM_DEFAULT.get()),
            send_timeout: AtomicU64::new(FOREVER),
            receive_timeout: AtomicU64::new(FOREVER),
            receive_low: AtomicI32::new(1),
            peek_offset: AtomicI32::new(-1),
            priority: AtomicU32::new(0),
            error: AtomicU32::new(0),
            linger: Mutex::new(Linger::default()),
            owned: Once::new(),
        }
    }

    /// Somebody is to own its open file.
    pub fn note_owned(&self, file: Weak<dyn HasOwner>) {
        self.owned.call_once(|| file);
    }

    /// An urgent byte has come: its owner gets SIGURG. No lock may be held.
    pub fn tell_urgent(&self) {
        if let Some(file) = self.owned.get().and_then(Weak::upgrade) {
            file_owner::tell(&*file, Event::Urgent);
        }
    }

    /// Takes over what was set of `listening`: of a connection that it made.
    pub fn inherit(&self, listening: &SocketBase) {
        let switches = listening.switches.load(Ordering::Relaxed);
        self.switches.store(switches, Ordering::Relaxed);
        self.set_send_buffer(listening.send_buffer());
        self.set_receive_buffer(listening.receive_buffer());
        self.set_send_timeout(listening.send_timeout());
        self.set_receive_timeout(listening.receive_timeout());
        self.set_low_mark(listening.low_mark());
        self.set_priority(listening.priority());
        self.set_linger(listening.linger());
    }

    /// Whether that option, `SO_*`, is one that is on or off.
    pub fn is_switch(name: u32) -> bool {
        SWITCHES.contains(&name)
    }

    /// Whether that option is on.
    #[inline]
    pub fn is_on(&self, name: u32) -> bool {
        self.switches.load(Ordering::Relaxed) & (1 << name) != 0
    }

    /// Turns that option on, or off for 0.
    pub fn switch(&self, name: u32, value: i32) {
        if value != 0 {
            self.switches.fetch_or(1 << name, Ordering::Relaxed);
        } else {
            self.switches.fetch_and(!(1 << name), Ordering::Relaxed);
        }
    }

    /// Bytes that may wait to be sent, with what messages cost beside their own.
    #[inline]
    pub fn send_buffer(&self) -> u32 {
        self.send_buffer.load(Ordering::Relaxed)
    }

    /// Changes that.
    pub fn set_send_buffer(&self, bytes: u32) {
        self.send_buffer.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that may wait to be received, with what messages cost beside their own.
    #[inline]
    pub fn receive_buffer(&self) -> u32 {
        self.receive_buffer.load(Ordering::Relaxed)
    }

    /// Changes that.
    pub fn set_receive_buffer(&self, bytes: u32) {
        self.receive_buffer.store(bytes, Ordering::Relaxed);
    }

    /// Until when that message is waited for room for, in ticks of the timer; `None`: without end.
    pub fn send_deadline(&self) -> Option<u64> {
        deadline(&self.send_timeout)
    }

    /// Until when a message, or a connection, is waited for.
    pub fn receive_deadline(&self) -> Option<u64> {
        deadline(&self.receive_timeout)
    }

    /// Nanoseconds that a sender waits at most; `None`: without end.
    pub fn send_timeout(&self) -> Option<u64> {
        Some(self.send_timeout.load(Ordering::Relaxed)).filter(|nanos| *nanos != FOREVER)
    }

    /// Changes that.
    pub fn set_send_timeout(&self, nanos: Option<u64>) {
        self.send_timeout
            .store(nanos.unwrap_or(FOREVER), Ordering::Relaxed);
    }

    /// Nanoseconds that a receiver waits at most; `None`: without end.
    pub fn receive_timeout(&self) -> Option<u64> {
        Some(self.receive_timeout.load(Ordering::Relaxed)).filter(|nanos| *nanos != FOREVER)
    }

    /// Changes that.
    pub fn set_receive_timeout(&self, nanos: Option<u64>) {
        self.receive_timeout
            .store(nanos.unwrap_or(FOREVER), Ordering::Relaxed);
    }

    /// Bytes that a receiver of a stream waits for, if it wants `wanted`: all with `MSG_WAITALL`, else `SO_RCVLOWAT`; one at least, for
    /// who wants none waits for something nevertheless (`sock_rcvlowat` of Linux).
    #[inline]
    pub fn receive_low(&self, flags: MessageFlags, wanted: usize) -> usize {
        let low = if flags.contains(MessageFlags::MSG_WAITALL) {
            wanted
        } else {
            wanted.min(self.low_mark() as usize)
        };
        low.max(1)
    }

    /// `SO_RCVLOWAT`.
    pub fn low_mark(&self) -> i32 {
        self.receive_low.load(Ordering::Relaxed)
    }

    /// Changes it.
    pub fn set_low_mark(&self, bytes: i32) {
        let bytes = if bytes < 0 { i32::MAX } else { bytes.max(1) };
        self.receive_low.store(bytes, Ordering::Relaxed);
    }

    /// From which byte on `MSG_PEEK` looks; negative: from the first, always.
    pub fn peek_offset(&self) -> i32 {
        self.peek_offset.load(Ordering::Relaxed)
    }

    /// Changes that.
    pub fn set_peek_offset(&self, offset: i32) {
        self.peek_offset.store(offset, Ordering::Relaxed);
    }

    /// `SO_PRIORITY`.
    pub fn priority(&self) -> u32 {
        self.priority.load(Ordering::Relaxed)
    }

    /// Changes it.
    pub fn set_priority(&self, priority: u32) {
        self.priority.store(priority, Ordering::Relaxed);
    }

    /// `SO_LINGER`.
    pub fn linger(&self) -> Linger {
        *self.linger.lock()
    }

    /// Changes it.
    pub fn set_linger(&self, linger: Linger) {
        *self.linger.lock() = linger;
    }

    /// The next call, or `SO_ERROR`, answers that error.
    pub fn set_error(&self, error: Errno) {
        self.error.store(u32::from(error.number()), Ordering::Relaxed);
    }

    /// As [`SocketBase::set_error`], by its number; 0: none.
    pub fn set_error_number(&self, number: u32) {
        self.error.store(number, Ordering::Relaxed);
    }

    /// Whether an error waits.
    #[inline]
    pub fn has_error(&self) -> bool {
        self.error.load(Ordering::Relaxed) != 0
    }

    /// Takes the error that waits.
    ///
    /// # Errors
    /// That one.
    #[inline]
    pub fn take_error(&self) -> Result<(), Errno> {
        if !self.has_error() {
            return Ok(());
        }
        let number = self.error.swap(0, Ordering::Relaxed);
        match Errno::from_number(number as u16) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

fn deadline(timeout: &AtomicU64) -> Option<u64> {
    match timeout.load(Ordering::Relaxed) {
        FOREVER => None,
        nanos => Some(time::deadline_after(nanos)),
    }
}
