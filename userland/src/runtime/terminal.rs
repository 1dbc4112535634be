//! Terminals: termios(3), tcsetpgrp(3).

use super::Result;
use super::file::File;
use super::raw::syscall;
use abi::file::OpenFlags;
use abi::nr;
use abi::terminal::{ECHO, ICANON, ICRNL, IEXTEN, ISIG, IXON, VMIN, VTIME};
use abi::terminal::{
    TCGETS, TCSETSW, TIOCGPGRP, TIOCGPTPEER, TIOCGWINSZ, TIOCSCTTY, TIOCSPGRP, TIOCSPTLCK, TIOCSWINSZ,
};

pub use abi::terminal::{Termios, WinSize};

/// ioctl(2) with a value that the kernel reads or writes.
fn control<T>(descriptor: i32, request: u32, value: &mut T) -> Result<()> {
    // SAFETY: each request below is used with the type that ioctl_tty(2) names for it.
    unsafe {
        syscall(
            nr::IOCTL,
            [
                descriptor as usize,
                request as usize,
                core::ptr::from_mut(value) as usize,
            ],
        )
    }
    .map(drop)
}

/// The settings of a terminal; ENOTTY if it is none.
pub fn settings(descriptor: i32) -> Result<Termios> {
    let mut termios = Termios::default();
    control(descriptor, TCGETS, &mut termios)?;
    Ok(termios)
}

/// Sets them, once what was written has gone out.
pub fn set(descriptor: i32, termios: &Termios) -> Result<()> {
    control(descriptor, TCSETSW, &mut termios.clone())
}

/// Those settings, but for keys one by one, without echo and signals; output is processed as before.
pub fn raw(termios: &Termios) -> Termios {
    let mut raw = *termios;
    raw.iflag &= !(ICRNL | IXON);
    raw.lflag &= !(ECHO | ICANON | ISIG | IEXTEN);
    raw.cc[VMIN] = 1;
    raw.cc[VTIME] = 0;
    raw
}

/// Those settings, but for input by keys instead of lines, as it is typed; ^C and its like still work.
pub fn by_key(termios: &Termios) -> Termios {
    let mut by_key = *termios;
    by_key.lflag &= !ICANON;
    by_key.cc[VMIN] = 1;
    by_key.cc[VTIME] = 0;
    by_key
}

/// The slave of a pseudo-terminal's master, which is unlocked for it.
///
/// # Errors
/// `ENOTTY`: it is no master. `EMFILE`, `ENOMEM`.
pub fn slave_of(master: &File) -> Result<File> {
    let flags = OpenFlags::O_RDWR | OpenFlags::O_NOCTTY | OpenFlags::O_CLOEXEC;
    control(master.descriptor(), TIOCSPTLCK, &mut 0_i32)?;
    let arguments = [
        master.descriptor() as usize,
        TIOCGPTPEER as usize,
        flags.bits() as usize,
    ];
    // SAFETY: the request takes numbers only.
    let descriptor = unsafe { syscall(nr::IOCTL, arguments) }?;
    Ok(File::from_descriptor(descriptor as i32))
}

/// isatty(3).
pub fn is_terminal(descriptor: i32) -> bool {
    settings(descriptor).is_ok()
}

/// Rows and columns as they were last set; zeros where nobody did, as on a serial line.
pub fn size(descriptor: i32) -> Result<WinSize> {
    let mut size = WinSize::default();
    control(descriptor, TIOCGWINSZ, &mut size)?;
    Ok(size)
}

/// Sets them: who reads from the terminal in the foreground gets SIGWINCH.
pub fn set_size(descriptor: i32, mut size: WinSize) -> Result<()> {
    control(descriptor, TIOCSWINSZ, &mut size)
}

/// Width in columns; 80 where the terminal does not know, as a serial line.
pub fn columns(descriptor: i32) -> usize {
    match size(descriptor) {
        Ok(size) if size.col > 0 => usize::from(size.col),
        _ => 80,
    }
}

/// The process group that reads from the terminal.
pub fn foreground(descriptor: i32) -> Result<i32> {
    let mut group = 0i32;
    control(descriptor, TIOCGPGRP, &mut group)?;
    Ok(group)
}

/// Gives the terminal to a process group.
pub fn set_foreground(descriptor: i32, mut group: i32) -> Result<()> {
    control(descriptor, TIOCSPGRP, &mut group)
}

/// Makes it the controlling terminal of this session, whose leader we must be.
pub fn take_control(descriptor: i32) -> Result<()> {
    // SAFETY: the argument of TIOCSCTTY is a number, not an address.
    unsafe { syscall(nr::IOCTL, [descriptor as usize, TIOCSCTTY as usize, 0]) }.map(drop)
}
