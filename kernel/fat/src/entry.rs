//! An entry of a directory: 32 bytes.

use crate::name::Short;

/// Bytes of it.
pub const SIZE: usize = 32;

/// The first moment that a file may have: the year 1980.
pub const DATE_FIRST: i64 = 315_532_800;
/// The last: the end of 2107.
pub const DATE_LAST: i64 = 4_354_819_199;

/// `attr`.
pub mod attribute {
    pub const READ_ONLY: u8 = 0x01;
    pub const VOLUME: u8 = 0x08;
    pub const DIRECTORY: u8 = 0x10;
    pub const ARCHIVE: u8 = 0x20;
    pub const LONG: u8 = 0x0f;
}

/// What kind of file there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FatKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
}

/// The bytes of one entry, with what they mean.
#[derive(Clone, Copy)]
pub struct Raw(pub [u8; SIZE]);

impl Raw {
    fn word(&self, at: usize) -> u16 {
        u16::from(self.0[at]) | u16::from(self.0[at + 1]) << 8
    }

    fn set_word(&mut self, at: usize, value: u16) {
        self.0[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// One of a short name.
    pub fn new(short: &Short, attributes: u8) -> Raw {
        let mut raw = Raw([0; SIZE]);
        raw.0[..11].copy_from_slice(short);
        raw.0[11] = attributes;
        raw
    }

    /// The same file by the short name of another entry.
    pub fn named_as(&self, other: &Raw) -> Raw {
        let mut raw = *self;
        raw.0[..11].copy_from_slice(&other.0[..11]);
        raw.0[12] = other.0[12];
        raw
    }

    /// Nothing stands there or behind it.
    pub fn is_end(&self) -> bool {
        self.0[0] == 0
    }

    pub fn is_free(&self) -> bool {
        self.0[0] == 0xe5
    }

    pub fn attributes(&self) -> u8 {
        self.0[11]
    }

    pub fn is_long(&self) -> bool {
        self.0[11] & 0x3f == attribute::LONG
    }

    pub fn is_directory(&self) -> bool {
        self.0[11] & attribute::DIRECTORY != 0
    }

    pub fn short(&self) -> Short {
        let mut short = [0; 11];
        short.copy_from_slice(&self.0[..11]);
        short
    }

    /// Which halves of the short name are meant in small letters.
    pub fn case(&self) -> u8 {
        self.0[12]
    }

    pub fn cluster(&self) -> u32 {
        u32::from(self.word(20)) << 16 | u32::from(self.word(26))
    }

    pub fn set_cluster(&mut self, cluster: u32) {
        self.set_word(20, (cluster >> 16) as u16);
        self.set_word(26, cluster as u16);
    }

    pub fn size(&self) -> u32 {
        u32::from(self.word(28)) | u32::from(self.word(30)) << 16
    }

    pub fn set_size(&mut self, size: u32) {
        self.0[28..32].copy_from_slice(&size.to_le_bytes());
    }

    pub fn modified(&self, zone: i64) -> i64 {
        seconds(self.word(24), self.word(22)) - zone
    }

    pub fn accessed(&self, zone: i64) -> i64 {
        seconds(self.word(18), 0) - zone
    }

    pub fn created(&self, zone: i64) -> i64 {
        seconds(self.word(16), self.word(14)) - zone + i64::from(self.0[13] / 100)
    }

    pub fn set_modified(&mut self, moment: i64, zone: i64) {
        let (date, time) = date(moment + zone);
        self.set_word(24, date);
        self.set_word(22, time);
    }

    pub fn set_accessed(&mut self, moment: i64, zone: i64) {
        self.set_word(18, date(moment + zone).0);
    }

    pub fn set_created(&mut self, moment: i64, zone: i64) {
        let local = (moment + zone).clamp(DATE_FIRST, DATE_LAST);
        let (date, time) = date(local);
        self.set_word(16, date);
        self.set_word(14, time);
        self.0[13] = (local & 1) as u8 * 100;
    }

    /// The number of this part of a long name, and whether it is the last one, which comes first.
    pub fn part(&self) -> (usize, bool) {
        (usize::from(self.0[0] & 0x1f), self.0[0] & 0x40 != 0)
    }

    /// The sum of the short name that this part of a long one belongs to.
    pub fn part_sum(&self) -> u8 {
        self.0[13]
    }

    /// The thirteen units of this part.
    pub fn units(&self) -> [u16; 13] {
        UNITS.map(|at| self.word(at))
    }

    /// A part of a long name.
    pub fn long(number: u8, sum: u8, units: &[u16]) -> Raw {
        let mut raw = Raw([0; SIZE]);
        raw.0[0] = number;
        raw.0[11] = attribute::LONG;
        raw.0[13] = sum;
        for (index, at) in UNITS.into_iter().enumerate() {
            // A zero ends it, and what follows is filled.
            let filler = if index == units.len() { 0 } else { 0xffff };
            raw.set_word(at, units.get(index).copied().unwrap_or(filler));
        }
        raw
    }
}

/// Where the units of a long name stand.
const UNITS: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// Days from 1970 to the first of March of a year that begins in March (the days of civil calendars, by Hinnant).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn seconds(date: u16, time: u16) -> i64 {
    let (date, time) = (i64::from(date), i64::from(time));
    let (month, day) = ((date >> 5 & 15).clamp(1, 12), (date & 31).max(1));
    let of_day = (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2;
    days(1980 + (date >> 9), month, day) * 86400 + of_day
}

fn date(moment: i64) -> (u16, u16) {
    let moment = moment.clamp(DATE_FIRST, DATE_LAST);
    let (day, of_day) = (moment / 86400 + 719_468, moment % 86400);
    let era = day / 146_097;
    let of_era = day - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2) - 1980;
    let time = ((of_day / 3600) << 11) | ((of_day / 60 % 60) << 5) | (of_day % 60 / 2);
    ((year << 9 | month << 5 | of_month) as u16, time as u16)
}

#[test]
fn dates() {
    for moment in [
        DATE_FIRST,
        951_782_400,
        951_868_798,
        1_709_164_800,
        1_900_000_000,
        DATE_LAST - 1,
    ] {
        let (date, time) = date(moment);
        assert_eq!(seconds(date, time), moment, "{moment}");
    }
    assert_eq!(date(0), date(DATE_FIRST));
    assert_eq!(date(1_732_924_800), (44 << 9 | 11 << 5 | 30, 0));
}
