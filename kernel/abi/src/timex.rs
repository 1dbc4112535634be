//! The discipline of the clock: adjtimex(2), clock_adjtime(2), ntp_adjtime(3); `linux/timex.h`.

use super::time::TimeVal;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is to be changed, and how the clock is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timex {
    /// What is to be changed: `ADJ_...`.
    pub modes: u32,
    pad: u32,
    /// What the clock is off by, in microseconds; with `STA_NANO` in nanoseconds.
    pub offset: i64,
    /// How much faster it runs: parts per million, times 2^16.
    pub freq: i64,
    /// Largest error, in microseconds.
    pub maxerror: i64,
    /// Estimated error, in microseconds.
    pub esterror: i64,
    /// `STA_...`.
    pub status: i32,
    pad2: u32,
    /// Time constant of the phase-locked loop.
    pub constant: i64,
    /// In microseconds.
    pub precision: i64,
    /// The largest `freq`.
    pub tolerance: i64,
    /// The time; with `STA_NANO` in nanoseconds, with `ADJ_SETOFFSET` what is to be added.
    pub time: TimeVal,
    /// Microseconds between ticks, of which there are `USER_HZ` in a second.
    pub tick: i64,
    /// Of a signal once a second, which there is none of here.
    pub pps: [i64; 8],
    /// Seconds that international atomic time is ahead.
    pub tai: i32,
    rest: [u32; 11],
}
const _: () = assert!(size_of::<Timex>() == 208);
const _: () = assert!(core::mem::offset_of!(Timex, tick) == 88 && core::mem::offset_of!(Timex, tai) == 160);

/// Sets `offset`.
pub const ADJ_OFFSET: u32 = 0x0001;
/// Sets `freq`.
pub const ADJ_FREQUENCY: u32 = 0x0002;
/// Sets `maxerror`.
pub const ADJ_MAXERROR: u32 = 0x0004;
/// Sets `esterror`.
pub const ADJ_ESTERROR: u32 = 0x0008;
/// Sets `status`.
pub const ADJ_STATUS: u32 = 0x0010;
/// Sets `constant`.
pub const ADJ_TIMECONST: u32 = 0x0020;
/// Sets `tai` from `constant`.
pub const ADJ_TAI: u32 = 0x0080;
/// Adds `time` to the clock.
pub const ADJ_SETOFFSET: u32 = 0x0100;
/// From now on microseconds.
pub const ADJ_MICRO: u32 = 0x1000;
/// From now on nanoseconds.
pub const ADJ_NANO: u32 = 0x2000;
/// Sets `tick`.
pub const ADJ_TICK: u32 = 0x4000;
/// adjtime(3): `offset` is added slowly.
pub const ADJ_OFFSET_SINGLESHOT: u32 = 0x8001;
/// adjtime(3) without a change.
pub const ADJ_OFFSET_SS_READ: u32 = 0xa001;

/// The phase-locked loop is on.
pub const STA_PLL: u32 = 0x0001;
/// It learns by frequency.
pub const STA_FLL: u32 = 0x0008;
/// A leap second is to be inserted.
pub const STA_INS: u32 = 0x0010;
/// A leap second is to be left out.
pub const STA_DEL: u32 = 0x0020;
/// The clock is not synchronised.
pub const STA_UNSYNC: u32 = 0x0040;
/// The frequency is held.
pub const STA_FREQHOLD: u32 = 0x0080;
/// Nanoseconds.
pub const STA_NANO: u32 = 0x2000;
/// It learns by frequency now.
pub const STA_MODE: u32 = 0x4000;
/// What nobody sets.
pub const STA_RONLY: u32 = 0xff00;

/// The clock is synchronised.
pub const TIME_OK: u32 = 0;
/// It is not.
pub const TIME_ERROR: u32 = 5;
