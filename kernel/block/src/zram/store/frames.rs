//! The frames of a store, each with its record: which of its blocks are free. Neither a frame nor room for its record can be had when
//! memory is out, so that both are kept in reserve.

use abi::Errno;
use memory::FrameHandle;
use memory::fallible::{self, TryVec};
use mm::PAGE_SIZE;

use super::{NONE, Store};

/// Records that lie together: they fit in a frame, so that they can be had wherever one is free.
pub(super) const RECORDS: usize = 128;
const _: () = assert!(RECORDS * size_of::<KeptFrame>() <= PAGE_SIZE);

/// A frame and its free blocks.
pub(super) struct KeptFrame {
    /// `None`: there is no such frame.
    pub(super) frame: Option<FrameHandle>,
    /// A bit for each block that is free.
    pub(super) free: u32,
    /// Its neighbours among the frames with free blocks; `behind` is, of one that is not there, the next such.
    pub(super) before: u32,
    pub(super) behind: u32,
}

impl Store {
    pub(super) fn record(&mut self, index: u32) -> &mut KeptFrame {
        &mut self.records[index as usize / RECORDS][index as usize % RECORDS]
    }

    /// The frame of a record that has one.
    pub(super) fn frame(&self, index: u32) -> mm::Frame {
        let record = &self.records[index as usize / RECORDS][index as usize % RECORDS];
        let frame = record.frame.as_ref();
        frame.expect("what is kept is in a frame").frame()
    }

    /// One more frame, with these free blocks, in no list; its record.
    pub(super) fn add_frame(&mut self, limit: usize, free: u32) -> Result<u32, Errno> {
        if limit != 0 && self.usage.frames >= limit as u64 {
            return Err(Errno::ENOMEM);
        }
        let index = self.vacant_record()?;
        let frame = FrameHandle::allocate().ok().or_else(|| self.reserve.pop());
        let frame = frame.ok_or(Errno::ENOMEM)?;
        let record = self.record(index);
        let behind = record.behind;
        *record = KeptFrame {
            frame: Some(frame),
            free,
            before: NONE,
            behind: NONE,
        };
        self.vacant = behind;
        self.usage.frames += 1;
        self.usage.most_frames = self.usage.most_frames.max(self.usage.frames);
        Ok(index)
    }

    /// A record without a frame, which is the first of those.
    fn vacant_record(&mut self) -> Result<u32, Errno> {
        if self.vacant == NONE {
            if self.known as usize == self.records.len() * RECORDS {
                let records = fallible::with_room(RECORDS).ok();
                let records = records.or_else(|| self.next_records.take());
                self.records.try_push(records.ok_or(Errno::ENOMEM)?)?;
            }
            let piece = self.records.last_mut().ok_or(Errno::ENOMEM)?;
            piece.try_push(KeptFrame {
                frame: None,
                free: 0,
                before: NONE,
                behind: NONE,
            })?;
            self.vacant = self.known;
            self.known += 1;
        }
        Ok(self.vacant)
    }

    /// The frame is not needed any more, and in no list.
    pub(super) fn remove_frame(&mut self, index: u32) {
        let vacant = self.vacant;
        let record = self.record(index);
        record.behind = vacant;
        let frame = record.frame.take();
        self.vacant = index;
        self.usage.frames -= 1;
        if let Some(frame) = frame
            && !self.reserve.is_full()
        {
            self.reserve.push(frame);
        }
    }

    /// Puts a frame in front of those with free blocks.
    pub(super) fn link(&mut self, index: u32) {
        let first = self.partial;
        let record = self.record(index);
        (record.before, record.behind) = (NONE, first);
        if first != NONE {
            self.record(first).before = index;
        }
        self.partial = index;
    }

    /// Takes a frame out of them.
    pub(super) fn unlink(&mut self, index: u32) {
        let record = self.record(index);
        let (before, behind) = (record.before, record.behind);
        match before {
            NONE => self.partial = behind,
            before => self.record(before).behind = behind,
        }
        if behind != NONE {
            self.record(behind).before = before;
        }
    }
}
