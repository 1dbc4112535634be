//! Terminals: ioctl_tty(2), termios(3); `asm-generic/ioctls.h`, `asm-generic/termbits.h`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Read the [`Termios`].
pub const TCGETS: u32 = 0x5401;
/// Set the [`Termios`] at once.
pub const TCSETS: u32 = 0x5402;
/// Set the [`Termios`] after output has drained.
pub const TCSETSW: u32 = 0x5403;
/// Set the [`Termios`] after output has drained, drop input.
pub const TCSETSF: u32 = 0x5404;
/// Send a break.
pub const TCSBRK: u32 = 0x5409;
/// Suspend or restart output or input.
pub const TCXONC: u32 = 0x540a;
/// Drop what waits: `TCIFLUSH`, `TCOFLUSH`, `TCIOFLUSH`.
pub const TCFLSH: u32 = 0x540b;
/// Take the terminal as controlling terminal.
pub const TIOCSCTTY: u32 = 0x540e;
/// Read the foreground process group.
pub const TIOCGPGRP: u32 = 0x540f;
/// Set the foreground process group.
pub const TIOCSPGRP: u32 = 0x5410;
/// Bytes that wait to be sent.
pub const TIOCOUTQ: u32 = 0x5411;
/// Pretend that a character was typed.
pub const TIOCSTI: u32 = 0x5412;
/// Read the [`WinSize`].
pub const TIOCGWINSZ: u32 = 0x5413;
/// Set the [`WinSize`].
pub const TIOCSWINSZ: u32 = 0x5414;
/// Bytes that wait to be read.
pub const FIONREAD: u32 = 0x541b;
/// Take over console output.
pub const TIOCCONS: u32 = 0x541d;
/// Set or clear `O_NONBLOCK`.
pub const FIONBIO: u32 = 0x5421;
/// Give up the controlling terminal.
pub const TIOCNOTTY: u32 = 0x5422;
/// Set the line discipline.
pub const TIOCSETD: u32 = 0x5423;
/// Packet mode of a master, on or off: each read says what it is about (`TIOCPKT_*`).
pub const TIOCPKT: u32 = 0x5420;
/// Read whether packet mode is on.
pub const TIOCGPKT: u32 = 0x8004_5438;
/// Read the number of a master's slave.
pub const TIOCGPTN: u32 = 0x8004_5430;
/// Lock or unlock a master's slave: whether it can be opened.
pub const TIOCSPTLCK: u32 = 0x4004_5431;
/// Read whether a master's slave is locked.
pub const TIOCGPTLCK: u32 = 0x8004_5439;
/// Open a master's slave.
pub const TIOCGPTPEER: u32 = 0x5441;
/// Send a signal to the foreground group of a master's slave.
pub const TIOCSIG: u32 = 0x4004_5436;
/// Read the device number.
pub const TIOCGDEV: u32 = 0x8004_5432;

/// Packet mode: what the slave has sent.
pub const TIOCPKT_DATA: u8 = 0;
/// Packet mode: what was typed was dropped.
pub const TIOCPKT_FLUSHREAD: u8 = 1;
/// Packet mode: what the slave has sent was dropped.
pub const TIOCPKT_FLUSHWRITE: u8 = 2;
/// Packet mode: output was stopped.
pub const TIOCPKT_STOP: u8 = 4;
/// Packet mode: output goes on.
pub const TIOCPKT_START: u8 = 8;
/// Packet mode: ^S and ^Q do not control output any more.
pub const TIOCPKT_NOSTOP: u8 = 16;
/// Packet mode: ^S and ^Q control output.
pub const TIOCPKT_DOSTOP: u8 = 32;
/// Packet mode: settings have changed, with `EXTPROC`.
pub const TIOCPKT_IOCTL: u8 = 64;

/// Read which line discipline it has.
pub const TIOCGETD: u32 = 0x5424;
/// The line discipline of lines and job control.
pub const N_TTY: u32 = 0;
/// Send a break (POSIX).
pub const TCSBRKP: u32 = 0x5425;
/// Read the session id.
pub const TIOCGSID: u32 = 0x5429;
/// Set or take away O_ASYNC.
pub const FIOASYNC: u32 = 0x5452;
/// Read the [`Termios2`].
pub const TCGETS2: u32 = 0x802c_542a;
/// Set the [`Termios2`] at once.
pub const TCSETS2: u32 = 0x402c_542b;
/// Set the [`Termios2`] after output has drained.
pub const TCSETSW2: u32 = 0x402c_542c;
/// Set the [`Termios2`] after output has drained, drop input.
pub const TCSETSF2: u32 = 0x402c_542d;
/// Clear close-on-exec.
pub const FIONCLEX: u32 = 0x5450;
/// Set close-on-exec.
pub const FIOCLEX: u32 = 0x5451;

/// `TCFLSH`: drop input.
pub const TCIFLUSH: u32 = 0;
/// `TCFLSH`: drop output.
pub const TCOFLUSH: u32 = 1;
/// `TCFLSH`: drop both.
pub const TCIOFLUSH: u32 = 2;

/// Rows and columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct WinSize {
    /// Rows.
    pub row: u16,
    /// Columns.
    pub col: u16,
    /// Width in pixels, 0 if not known.
    pub xpixel: u16,
    /// Height in pixels, 0 if not known.
    pub ypixel: u16,
}
const _: () = assert!(size_of::<WinSize>() == 8);

/// Number of control characters in the kernel's [`Termios`] (the C library's has 32).
pub const NCCS: usize = 19;

/// The settings of a terminal as the kernel lays them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Termios {
    /// Input modes.
    pub iflag: u32,
    /// Output modes.
    pub oflag: u32,
    /// Control modes.
    pub cflag: u32,
    /// Local modes.
    pub lflag: u32,
    /// Line discipline: 0.
    pub line: u8,
    /// Control characters, indexed by `V*`; 0: none.
    pub cc: [u8; NCCS],
}
const _: () = assert!(size_of::<Termios>() == 36);

/// [`Termios`] with speeds as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Termios2 {
    /// The settings.
    pub termios: Termios,
    /// Input speed in baud.
    pub ispeed: u32,
    /// Output speed in baud.
    pub ospeed: u32,
}
const _: () = assert!(size_of::<Termios2>() == 44);

impl Default for Termios {
    /// A terminal as Linux opens it: `tty_std_termios` in `drivers/tty/tty_io.c`, at 115,200 baud.
    fn default() -> Termios {
        let mut cc = [0; NCCS];
        cc[VINTR] = control(b'C');
        cc[VQUIT] = control(b'\\');
        cc[VERASE] = 0x7f;
        cc[VKILL] = control(b'U');
        cc[VEOF] = control(b'D');
        cc[VMIN] = 1;
        cc[VSTART] = control(b'Q');
        cc[VSTOP] = control(b'S');
        cc[VSUSP] = control(b'Z');
        cc[VREPRINT] = control(b'R');
        cc[VDISCARD] = control(b'O');
        cc[VWERASE] = control(b'W');
        cc[VLNEXT] = control(b'V');
        Termios {
            iflag: ICRNL | IXON,
            oflag: OPOST | ONLCR,
            cflag: B115200 | CS8 | CREAD | HUPCL,
            lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
            line: 0,
            cc,
        }
    }
}

/// The character that Ctrl and that key send.
const fn control(key: u8) -> u8 {
    key & 0x1f
}

/// Index: sends SIGINT.
pub const VINTR: usize = 0;
/// Index: sends SIGQUIT.
pub const VQUIT: usize = 1;
/// Index: erases a character.
pub const VERASE: usize = 2;
/// Index: erases the line.
pub const VKILL: usize = 3;
/// Index: end of file.
pub const VEOF: usize = 4;
/// Index: time-out of a raw read in tenths of a second.
pub const VTIME: usize = 5;
/// Index: least characters of a raw read.
pub const VMIN: usize = 6;
/// Index: no meaning on Linux.
pub const VSWTC: usize = 7;
/// Index: restarts output.
pub const VSTART: usize = 8;
/// Index: stops output.
pub const VSTOP: usize = 9;
/// Index: sends SIGTSTP.
pub const VSUSP: usize = 10;
/// Index: further end of line.
pub const VEOL: usize = 11;
/// Index: shows the line again.
pub const VREPRINT: usize = 12;
/// Index: drops output.
pub const VDISCARD: usize = 13;
/// Index: erases a word.
pub const VWERASE: usize = 14;
/// Index: the next character has no special meaning.
pub const VLNEXT: usize = 15;
/// Index: further end of line.
pub const VEOL2: usize = 16;

/// Input: ignore break.
pub const IGNBRK: u32 = 0x1;
/// Input: break sends SIGINT.
pub const BRKINT: u32 = 0x2;
/// Input: ignore parity errors.
pub const IGNPAR: u32 = 0x4;
/// Input: mark parity errors.
pub const PARMRK: u32 = 0x8;
/// Input: check parity.
pub const INPCK: u32 = 0x10;
/// Input: strip the eighth bit.
pub const ISTRIP: u32 = 0x20;
/// Input: NL becomes CR.
pub const INLCR: u32 = 0x40;
/// Input: ignore CR.
pub const IGNCR: u32 = 0x80;
/// Input: CR becomes NL.
pub const ICRNL: u32 = 0x100;
/// Input: upper case becomes lower case.
pub const IUCLC: u32 = 0x200;
/// Input: start and stop characters control output.
pub const IXON: u32 = 0x400;
/// Input: any character restarts output.
pub const IXANY: u32 = 0x800;
/// Input: send start and stop characters.
pub const IXOFF: u32 = 0x1000;
/// Input: bell when the queue is full.
pub const IMAXBEL: u32 = 0x2000;
/// Input: erase whole UTF-8 characters.
pub const IUTF8: u32 = 0x4000;

/// Output: process at all.
pub const OPOST: u32 = 0x1;
/// Output: lower case becomes upper case.
pub const OLCUC: u32 = 0x2;
/// Output: NL becomes CR NL.
pub const ONLCR: u32 = 0x4;
/// Output: CR becomes NL.
pub const OCRNL: u32 = 0x8;
/// Output: no CR at column 0.
pub const ONOCR: u32 = 0x10;
/// Output: NL does what CR does.
pub const ONLRET: u32 = 0x20;
/// Output: the tab bits; with this value tabs become spaces.
pub const XTABS: u32 = 0x1800;

/// Control: the bits that hold the speed.
pub const CBAUD: u32 = 0x100f;
/// Control: 9,600 baud.
pub const B9600: u32 = 0xd;
/// Control: 38,400 baud.
pub const B38400: u32 = 0xf;
/// Control: 115,200 baud.
pub const B115200: u32 = 0x1002;
/// Control: the bits that hold the character size.
pub const CSIZE: u32 = 0x30;
/// Control: eight bits.
pub const CS8: u32 = 0x30;
/// Control: two stop bits.
pub const CSTOPB: u32 = 0x40;
/// Control: receive.
pub const CREAD: u32 = 0x80;
/// Control: parity.
pub const PARENB: u32 = 0x100;
/// Control: odd parity.
pub const PARODD: u32 = 0x200;
/// Control: hang up when the last user closes.
pub const HUPCL: u32 = 0x400;
/// Control: ignore modem lines.
pub const CLOCAL: u32 = 0x800;
/// Control: hardware flow control.
pub const CRTSCTS: u32 = 0x8000_0000;

/// Local: the characters of `VINTR`, `VQUIT`, `VSUSP` send signals.
pub const ISIG: u32 = 0x1;
/// Local: whole lines, with editing.
pub const ICANON: u32 = 0x2;
/// Local: no meaning on Linux.
pub const XCASE: u32 = 0x4;
/// Local: echo.
pub const ECHO: u32 = 0x8;
/// Local: erase shows by backspace, space, backspace.
pub const ECHOE: u32 = 0x10;
/// Local: kill shows by a new line.
pub const ECHOK: u32 = 0x20;
/// Local: echo NL even without `ECHO`.
pub const ECHONL: u32 = 0x40;
/// Local: signals do not drop what waits.
pub const NOFLSH: u32 = 0x80;
/// Local: output from the background sends SIGTTOU.
pub const TOSTOP: u32 = 0x100;
/// Local: control characters show as ^X.
pub const ECHOCTL: u32 = 0x200;
/// Local: erased characters are printed.
pub const ECHOPRT: u32 = 0x400;
/// Local: kill erases the line on the screen.
pub const ECHOKE: u32 = 0x800;
/// Local: output is being dropped.
pub const FLUSHO: u32 = 0x1000;
/// Local: print the waiting input again.
pub const PENDIN: u32 = 0x4000;
/// Local: the extended characters (`VLNEXT`, `VWERASE`, `VREPRINT`) work.
pub const IEXTEN: u32 = 0x8000;
/// Local: processing is done elsewhere.
pub const EXTPROC: u32 = 0x1_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_terminal_is_linuxs() {
        let termios = Termios::default();
        assert_eq!(termios.cc[..11], *b"\x03\x1c\x7f\x15\x04\0\x01\0\x11\x13\x1a");
        assert_eq!(
            (termios.iflag, termios.oflag, termios.lflag),
            (0x500, 0x5, 0x8a3b)
        );
    }
}
