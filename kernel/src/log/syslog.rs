//! syslog(2): the log as dmesg(1) reads it.

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use abi::Errno;
use abi::capability::CAP_SYSLOG;

use super::ring::{Record, TEXT_MAX};
use super::{CONSOLE_LEVEL, DEFAULT_CONSOLE_LEVEL, LOG, Line, Log, NEWS, SIZE, write_stamp};
use crate::fs::Subject;
use crate::thread::Thread;
use crate::user_memory;

const ACTION_CLOSE: u64 = 0;
const ACTION_OPEN: u64 = 1;
const ACTION_READ: u64 = 2;
const ACTION_READ_ALL: u64 = 3;
const ACTION_READ_CLEAR: u64 = 4;
const ACTION_CLEAR: u64 = 5;
const ACTION_CONSOLE_OFF: u64 = 6;
const ACTION_CONSOLE_ON: u64 = 7;
const ACTION_CONSOLE_LEVEL: u64 = 8;
const ACTION_SIZE_UNREAD: u64 = 9;
const ACTION_SIZE_BUFFER: u64 = 10;

/// syslog(2). `EPERM` for all but reading everything and the size, without `CAP_SYSLOG`; `EINVAL`, `EFAULT`.
pub fn syslog(_current: &Thread, action: u64, buffer: u64, len: u64) -> Result<usize, Errno> {
    let is_open_to_all = matches!(action, ACTION_READ_ALL | ACTION_SIZE_BUFFER);
    if !is_open_to_all && !Subject::current().can(CAP_SYSLOG) {
        return Err(Errno::EPERM);
    }
    let len = i32::try_from(len as i64)
        .ok()
        .and_then(|len| usize::try_from(len).ok())
        .ok_or(Errno::EINVAL);
    match action {
        ACTION_CLOSE | ACTION_OPEN => Ok(0),
        ACTION_READ => read(buffer, len?),
        ACTION_READ_ALL => read_all(buffer, len?),
        ACTION_READ_CLEAR => {
            let done = read_all(buffer, len?)?;
            clear();
            Ok(done)
        }
        ACTION_CLEAR => {
            clear();
            Ok(0)
        }
        ACTION_CONSOLE_OFF => set_level(1),
        ACTION_CONSOLE_ON => set_level(DEFAULT_CONSOLE_LEVEL),
        ACTION_CONSOLE_LEVEL => match len? {
            level @ 1..=8 => set_level(level as u8),
            _ => Err(Errno::EINVAL),
        },
        ACTION_SIZE_UNREAD => Ok(unread()),
        ACTION_SIZE_BUFFER => Ok(SIZE),
        _ => Err(Errno::EINVAL),
    }
}

fn set_level(level: u8) -> Result<usize, Errno> {
    CONSOLE_LEVEL.store(level, Ordering::Relaxed);
    Ok(0)
}

fn clear() {
    let mut log = LOG.lock();
    log.cleared = log.ring.next();
}

/// The record as `<level>[    0.000000] text`, each of its lines for itself.
fn show(log: &Log, record: &Record, to: &mut Vec<u8>) {
    let mut text = [0; TEXT_MAX];
    for line in log.ring.text(record, &mut text).split(|byte| *byte == b'\n') {
        let mut stamp = Line::new();
        let _cut = write_stamp(&mut stamp, record.time);
        to.extend_from_slice(alloc::format!("<{}>", record.level).as_bytes());
        to.extend_from_slice(stamp.bytes());
        to.extend_from_slice(line);
        to.push(b'\n');
    }
}

/// Waits for a record, then gives whole records as far as they fit; each is given once.
fn read(buffer: u64, len: usize) -> Result<usize, Errno> {
    if len == 0 {
        return Ok(0);
    }
    let text = NEWS.wait_until(|| {
        let mut log = LOG.lock();
        let mut text = Vec::new();
        let mut next = log.read;
        for record in log.ring.records(log.read) {
            let before = text.len();
            show(&log, &record, &mut text);
            if text.len() > len {
                text.truncate(if before == 0 { len } else { before });
                next = if before == 0 { record.sequence + 1 } else { next };
                break;
            }
            next = record.sequence + 1;
        }
        log.read = next;
        (!text.is_empty()).then_some(text)
    })?;
    user_memory::write_bytes(buffer, &text)?;
    Ok(text.len())
}

/// Gives the newest records that fit, oldest first.
fn read_all(buffer: u64, len: usize) -> Result<usize, Errno> {
    let text = {
        let log = LOG.lock();
        let mut text = Vec::new();
        let mut starts = Vec::new();
        for record in log.ring.records(log.cleared) {
            starts.push(text.len());
            show(&log, &record, &mut text);
        }
        let start = starts
            .into_iter()
            .find(|start| text.len() - start <= len)
            .unwrap_or(text.len());
        text.split_off(start)
    };
    user_memory::write_bytes(buffer, &text)?;
    Ok(text.len())
}

fn unread() -> usize {
    let log = LOG.lock();
    let mut text = Vec::new();
    log.ring
        .records(log.read)
        .for_each(|record| show(&log, &record, &mut text));
    text.len()
}
