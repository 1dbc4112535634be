//! The store of the log: records in a ring of bytes, the oldest dropped when room is needed. It never allocates, so the
//! log works when nothing else does.
//!
//! A record is a header (length of the text, level, time) and the text; it may run over the end of the ring to its start.

/// Bytes of a header: length (2), level (1), time in nanoseconds (8).
const HEADER_LEN: usize = 11;
/// The longest text that is kept.
pub const TEXT_MAX: usize = 976;

/// What is known of one record; its text is copied out apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogRecord {
    /// Its number: the first record of a run has number 0.
    pub sequence: u64,
    /// syslog(2) level, 0 to 7.
    pub level: u8,
    /// Nanoseconds since boot.
    pub time: u64,
    /// Length of the text.
    pub len: usize,
    at: u64,
}

impl LogRecord {
    /// Where the one behind it stands, or will.
    pub fn behind(&self) -> Place {
        Place {
            sequence: self.sequence + 1,
            at: self.at + self.len as u64,
        }
    }
}

/// Where a record stands, or the next one will.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The record's number.
    pub sequence: u64,
    at: u64,
}

impl Place {
    /// Where the first record stood.
    pub const START: Place = Place { sequence: 0, at: 0 };
}

/// The ring. Positions count all bytes ever written.
pub struct Ring<const N: usize> {
    bytes: [u8; N],
    start: u64,
    end: u64,
    first: u64,
    next: u64,
}

impl<const N: usize> Ring<N> {
    /// An empty ring.
    pub const fn new() -> Self {
        assert!(
            N >= 2 * (HEADER_LEN + TEXT_MAX),
            "the ring holds at least two records"
        );
        Ring {
            bytes: [0; N],
            start: 0,
            end: 0,
            first: 0,
            next: 0,
        }
    }

    /// Adds a record; text behind [`TEXT_MAX`] is cut.
    pub fn push(&mut self, level: u8, time: u64, text: &[u8]) {
        let text = &text[..text.len().min(TEXT_MAX)];
        while self.end - self.start + (HEADER_LEN + text.len()) as u64 > N as u64 {
            self.drop_oldest();
        }
        let len = (text.len() as u16).to_le_bytes();
        self.put(&[len[0], len[1], level]);
        self.put(&time.to_le_bytes());
        self.put(text);
        self.next += 1;
    }

    fn drop_oldest(&mut self) {
        let len = self.read_record(self.start, self.first).len;
        self.start += (HEADER_LEN + len) as u64;
        self.first += 1;
    }

    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.bytes[(self.end % N as u64) as usize] = *byte;
            self.end += 1;
        }
    }

    fn take(&self, at: u64, into: &mut [u8]) {
        for (offset, byte) in into.iter_mut().enumerate() {
            *byte = self.bytes[((at + offset as u64) % N as u64) as usize];
        }
    }

    fn read_record(&self, at: u64, sequence: u64) -> LogRecord {
        let mut header = [0; HEADER_LEN];
        self.take(at, &mut header);
        let [l0, l1, level, time @ ..] = header;
        let len = u16::from_le_bytes([l0, l1]).into();
        LogRecord {
            sequence,
            level,
            time: u64::from_le_bytes(time),
            len,
            at: at + HEADER_LEN as u64,
        }
    }

    /// Where the oldest record stands.
    pub fn oldest(&self) -> Place {
        Place {
            sequence: self.first,
            at: self.start,
        }
    }

    /// Where the next record will stand.
    pub fn end(&self) -> Place {
        Place {
            sequence: self.next,
            at: self.end,
        }
    }

    /// The record at a place, or the oldest one if that is gone; `None` if there is none yet. A few steps, however many there are.
    pub fn at(&self, place: Place) -> Option<LogRecord> {
        let place = place.max(self.oldest());
        (place.sequence < self.next).then(|| self.read_record(place.at, place.sequence))
    }

    /// Copies the text of a record that stands in the ring; `into` is at least as long.
    pub fn text<'a>(&self, record: &LogRecord, into: &'a mut [u8]) -> &'a [u8] {
        let into = &mut into[..record.len];
        self.take(record.at, into);
        into
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Small = Ring<2048>;

    fn records(ring: &Small) -> Vec<LogRecord> {
        let first = ring.at(Place::START);
        core::iter::successors(first, |record| ring.at(record.behind())).collect()
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut ring = Small::new();
        ring.push(6, 1_000, b"one");
        ring.push(3, 2_000, b"");
        let mut text = [0; TEXT_MAX];
        let records = records(&ring);
        assert_eq!(
            (records[0].sequence, records[0].level, records[0].time),
            (0, 6, 1_000)
        );
        assert_eq!(ring.text(&records[0], &mut text), b"one");
        assert_eq!(ring.text(&records[1], &mut text), b"");
        assert_eq!(ring.at(records[0].behind()), Some(records[1]));
        assert_eq!(records[1].behind(), ring.end());
        assert_eq!(ring.at(ring.end()), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let mut ring = Small::new();
        for number in 0..100u8 {
            ring.push(6, 0, &[number; 100]);
        }
        assert_eq!((ring.oldest().sequence, ring.end().sequence), (82, 100));
        let mut text = [0; TEXT_MAX];
        for record in records(&ring) {
            assert_eq!(ring.text(&record, &mut text), [record.sequence as u8; 100]);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let mut ring = Small::new();
        ring.push(6, 0, &[b'x'; 5000]);
        assert_eq!(ring.at(Place::START).unwrap().len, TEXT_MAX);
    }
}
