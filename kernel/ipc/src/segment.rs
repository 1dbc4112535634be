//! One segment, and its attachments as areas see them.

use super::now;
use super::rights::Owners;
use super::totals;
use abi::Errno;
use abi::ipc::{IpcPerm, SHM_DEST, SHM_LOCKED, ShmIdDs};
use abi::process::Pid;
use alloc::sync::Arc;
use core::ops::Range;
use fs::shared_zeros::SharedZeros;
pub use fs::shared_zeros::Stores;
use lock::Mutex;
use memory::fallible;
use mm::{Attachment, FileIdentity, Frame, Interrupted, PAGE_SIZE, PageError, PageSource, RemoveError};
use sched::space::mappings;
use vfs::Credentials;

/// Memory that programs find by a number.
pub struct SharedSegment {
    id: i32,
    key: i32,
    bytes: u64,
    maker: Pid,
    memory: Arc<SharedZeros>,
    account: Mutex<SegmentAccount>,
}

/// What changes.
struct SegmentAccount {
    owners: Owners,
    attached_at: i64,
    detached_at: i64,
    changed_at: i64,
    last_user: Pid,
    is_leaving: bool,
    is_locked: bool,
}

/// A segment as it is mapped.
struct Attached {
    segment: Arc<SharedSegment>,
    stores: Stores,
}

impl SharedSegment {
    /// A segment that nobody knows yet. Its pages count among those of all segments until it is dropped.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn new(
        [id, key]: [i32; 2],
        bytes: u64,
        mode: u32,
        (maker, process): (&Credentials, Pid),
    ) -> Result<Arc<SharedSegment>, Errno> {
        let memory = SharedZeros::new(pages_of(bytes), Stores::Allowed)?;
        let place = fallible::arc_place()?;
        let changed_at = now();
        Ok(place.fill(|| SharedSegment {
            id,
            key,
            bytes,
            maker: process,
            memory,
            account: Mutex::new(SegmentAccount {
                owners: Owners::new(maker, mode),
                attached_at: 0,
                detached_at: 0,
                changed_at,
                last_user: 0,
                is_leaving: false,
                is_locked: false,
            }),
        }))
    }

    /// By what programs know it.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// By what it is found.
    pub fn key(&self) -> i32 {
        self.key
    }

    /// Its size as it was asked for.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many pages it has.
    pub fn pages(&self) -> u64 {
        pages_of(self.bytes)
    }

    /// How many of them are in memory.
    pub fn resident_pages(&self) -> u64 {
        self.memory.page_count()
    }

    /// Whether it goes when nobody has it attached any more.
    pub fn is_leaving(&self) -> bool {
        self.account.lock().is_leaving
    }

    pub(super) fn leave(&self) {
        self.account.lock().is_leaving = true;
    }

    /// Whether `who` may do that with it.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn check(&self, who: &Credentials, wanted: u32) -> Result<(), Errno> {
        self.account.lock().owners.check(who, wanted)
    }

    /// Whether it is theirs, or was made by them.
    pub fn is_owner(&self, who: &Credentials) -> bool {
        self.account.lock().owners.is_owner(who)
    }

    /// Gives it to somebody else, with other rights.
    pub fn give(&self, uid: u32, gid: u32, mode: u32) {
        let now = now();
        let mut account = self.account.lock();
        account.owners.give(uid, gid, mode);
        account.changed_at = now;
    }

    /// Notes that it is to stay in memory, which it does anyway.
    pub fn note_locked(&self) {
        self.account.lock().is_locked = true;
    }

    /// Notes that it need not stay in memory.
    pub fn note_unlocked(&self) {
        self.account.lock().is_locked = false;
    }

    /// What an area of it maps.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn source(segment: &Arc<SharedSegment>, stores: Stores) -> Result<Arc<dyn PageSource>, Errno> {
        Ok(fallible::arc(Attached {
            segment: Arc::clone(segment),
            stores,
        })?)
    }

    /// A process has attached it.
    pub fn note_attached(&self, process: Pid) {
        let now = now();
        let mut account = self.account.lock();
        account.attached_at = now;
        account.last_user = process;
    }

    /// How often it is attached: as many areas of all spaces as show it. Who forks meanwhile waits. No lock is held.
    ///
    /// # Errors
    /// The process is to end.
    pub fn attachments(segment: &Arc<SharedSegment>) -> Result<u64, Errno> {
        // Whoever has it attached holds it, and so do the caller and, until it leaves, the table.
        let others = if segment.is_leaving() { 1 } else { 2 };
        if Arc::strong_count(segment) <= others {
            return Ok(0);
        }
        mappings::count(segment.memory.object())
    }

    /// What is known of it.
    ///
    /// # Errors
    /// The process is to end.
    pub fn status(segment: &Arc<SharedSegment>) -> Result<ShmIdDs, Errno> {
        let attachments = SharedSegment::attachments(segment)?;
        let account = segment.account.lock();
        let owners = &account.owners;
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        Ok(ShmIdDs {
            shm_perm: IpcPerm {
                key: if account.is_leaving { 0 } else { segment.key },
                mode: owners.mode | bit(account.is_leaving, SHM_DEST) | bit(account.is_locked, SHM_LOCKED),
                seq: (segment.id >> totals::INDEX_BITS) as u16,
                ..owners.perm()
            },
            shm_segsz: segment.bytes,
            shm_atime: account.attached_at,
            shm_dtime: account.detached_at,
            shm_ctime: account.changed_at,
            shm_cpid: segment.maker as i32,
            shm_lpid: account.last_user as i32,
            shm_nattch: attachments,
            unused: [0; 2],
        })
    }
}

impl Drop for SharedSegment {
    fn drop(&mut self) {
        totals::note_end(self.pages());
    }
}

/// Whole pages.
pub(super) fn pages_of(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE_SIZE as u64)
}

impl PageSource for Attached {
    fn page(&self, index: u64) -> Result<Frame, PageError> {
        self.segment.memory.page(index)
    }

    fn wait_for_page(&self, index: u64) -> Result<(), Interrupted> {
        self.segment.memory.wait_for_page(index)
    }

    fn identity(&self) -> FileIdentity {
        FileIdentity {
            inode: self.segment.id as u64,
            ..self.segment.memory.identity()
        }
    }

    fn name(&self, write: &mut dyn FnMut(&[u8])) {
        write(b"/SYSV");
        for shift in (0..8).rev() {
            let digit = self.segment.key as u32 >> (4 * shift) & 0xf;
            write(&[b"0123456789abcdef"[digit as usize]]);
        }
        write(b" (deleted)");
    }

    fn object(&self) -> usize {
        self.segment.memory.object()
    }

    fn remove_pages(&self, pages: Range<u64>) -> Result<(), RemoveError> {
        self.segment.memory.remove_pages(pages)
    }

    fn has_page(&self, index: u64) -> bool {
        self.segment.memory.has_page(index)
    }

    fn may_write(&self) -> bool {
        self.stores == Stores::Allowed
    }

    fn attachment(&self) -> Option<&dyn Attachment> {
        Some(self)
    }
}

impl Attachment for Attached {
    fn pages(&self) -> u64 {
        self.segment.pages()
    }

    fn note_detached(&self, process: u32) {
        let now = now();
        let mut account = self.segment.account.lock();
        account.detached_at = now;
        account.last_user = process;
    }
}
