//! What is counted, and what follows from it: how many barriers, TLB invalidations and bytes moved an operation took.
//! Instructions do not show what those cost a real processor.
//!
//! Barriers are not counted one by one. Each stands in a sequence that is an [`Event`], and [`Event::cost`] says what one of
//! it holds; so a counter is touched once for a sequence. The random lives of `tests/` compare the sums with what the machine
//! was asked to do.

use core::ops::AddAssign;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::addr::PAGE_SIZE;
use crate::fault::Resolution;

/// What the heart and the machine under it count, for /proc/vmstat, the demos and the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A fault gave a page of its own to whoever shared one.
    Copied,
    /// A page was given back writable to its last owner, by a fault on it.
    Regained,
    /// A page was given back writable together with a neighbour that faulted.
    RegainedInBulk,
    /// A fresh frame of zeros was mapped.
    ZeroFilled,
    /// The shared zero frame was mapped.
    ZeroShared,
    /// A page of a file or shared object was mapped.
    SourceMapped,
    /// A page of a file was mapped together with a neighbour that faulted.
    MappedAround,
    /// A page was taken out of a table, into the swap cache.
    Evicted,
    /// A page came back from a swap area or the swap cache, by a fault on it.
    SwappedIn,
    /// The tables allowed the access already.
    Spurious,
    /// A shared table was copied.
    TableCopied,
    /// A table was given back to its last owner.
    TableRegained,
    /// An address space was forked.
    Fork,
    /// DSB ISHST, TLBI ASIDE1IS, DSB ISH.
    FlushAsid,
    /// DSB ISHST, TLBI VAE1IS or VALE1IS, DSB ISH.
    FlushAddress,
    /// DSB ISHST, TLBI VAAE1IS or VMALLE1IS, DSB ISH.
    FlushEverywhere,
    /// TLBI VAE1, DSB NSH.
    FlushOwn,
    /// TLBI VMALLE1, DSB NSH.
    FlushAllOwn,
    /// TLBI VAALE1IS, for a page of the kernel's own half.
    FlushKernelPage,
    /// Descriptors of pages were put where none were: DMB ISHST before them, DSB ISHST after them.
    Fill,
    /// A DSB by itself, of any kind.
    Barrier,
    /// DC CVAU, DSB ISH, IC IVAU, DSB ISH of a frame.
    InstructionsSynced,
    /// A frame was copied.
    FrameCopied,
    /// A frame was filled with zeros.
    FrameZeroed,
    /// Bytes of tables that were copied.
    TableBytes,
    /// Bytes copied to or from user memory.
    UserBytes,
    /// Bytes of user memory filled with zeros.
    UserBytesZeroed,
}

impl Event {
    /// Every event, with its name in /proc/vmstat, in the order of their numbers.
    pub const ALL: [(Event, &'static str); 27] = [
        (Event::Copied, "cow_copied"),
        (Event::Regained, "cow_regained"),
        (Event::RegainedInBulk, "cow_regained_in_bulk"),
        (Event::ZeroFilled, "zero_filled"),
        (Event::ZeroShared, "zero_shared"),
        (Event::SourceMapped, "file_mapped"),
        (Event::MappedAround, "file_mapped_around"),
        (Event::Evicted, "pages_evicted"),
        (Event::SwappedIn, "pages_swapped_in"),
        (Event::Spurious, "faults_spurious"),
        (Event::TableCopied, "cow_tables_copied"),
        (Event::TableRegained, "cow_tables_regained"),
        (Event::Fork, "forks"),
        (Event::FlushAsid, "tlbi_asid"),
        (Event::FlushAddress, "tlbi_address"),
        (Event::FlushEverywhere, "tlbi_everywhere"),
        (Event::FlushOwn, "tlbi_own_address"),
        (Event::FlushAllOwn, "tlbi_own_all"),
        (Event::FlushKernelPage, "tlbi_kernel"),
        (Event::Fill, "descriptors_filled"),
        (Event::Barrier, "barriers_alone"),
        (Event::InstructionsSynced, "frames_icache_synced"),
        (Event::FrameCopied, "frames_copied"),
        (Event::FrameZeroed, "frames_zeroed"),
        (Event::TableBytes, "table_bytes_copied"),
        (Event::UserBytes, "user_bytes_copied"),
        (Event::UserBytesZeroed, "user_bytes_zeroed"),
    ];

    /// What one of it costs beyond its instructions.
    pub const fn cost(self) -> Cost {
        const PAGE: u64 = PAGE_SIZE as u64;
        match self {
            Event::FlushAsid | Event::FlushAddress | Event::FlushEverywhere => Cost::of(1, 2),
            Event::FlushOwn | Event::FlushAllOwn => Cost::of(1, 1),
            Event::FlushKernelPage => Cost::of(1, 0),
            Event::InstructionsSynced => Cost::of(0, 2),
            Event::Fill | Event::Barrier => Cost::of(0, 1),
            Event::FrameCopied => Cost::of_copying(PAGE),
            Event::TableBytes => Cost::of_copying(1),
            Event::FrameZeroed => Cost::of_zeroing(PAGE),
            Event::UserBytesZeroed => Cost::of_zeroing(1),
            Event::UserBytes => Cost {
                user_bytes: 1,
                ..Cost::NONE
            },
            Event::Copied
            | Event::Regained
            | Event::RegainedInBulk
            | Event::ZeroFilled
            | Event::ZeroShared
            | Event::SourceMapped
            | Event::MappedAround
            | Event::Evicted
            | Event::SwappedIn
            | Event::Spurious
            | Event::TableCopied
            | Event::TableRegained
            | Event::Fork => Cost::NONE,
        }
    }
}

impl From<Resolution> for Event {
    fn from(resolution: Resolution) -> Event {
        match resolution {
            Resolution::Spurious => Event::Spurious,
            Resolution::ZeroShared => Event::ZeroShared,
            Resolution::ZeroFilled => Event::ZeroFilled,
            Resolution::SourceMapped => Event::SourceMapped,
            Resolution::Copied => Event::Copied,
            Resolution::SwappedIn => Event::SwappedIn,
            Resolution::Regained | Resolution::Upgraded => Event::Regained,
        }
    }
}

/// What instructions do not show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// TLBI instructions, to all processors or to one.
    pub tlbis: u64,
    /// DSB instructions of any kind.
    pub dsbs: u64,
    /// Bytes of pages and tables copied within the kernel.
    pub bytes_copied: u64,
    /// Bytes filled with zeros.
    pub bytes_zeroed: u64,
    /// Bytes copied between the kernel and user memory.
    pub user_bytes: u64,
}

impl Cost {
    const NONE: Cost = Cost::of(0, 0);

    const fn of(tlbis: u64, dsbs: u64) -> Cost {
        Cost {
            tlbis,
            dsbs,
            bytes_copied: 0,
            bytes_zeroed: 0,
            user_bytes: 0,
        }
    }

    const fn of_copying(bytes_copied: u64) -> Cost {
        Cost {
            bytes_copied,
            ..Cost::NONE
        }
    }

    const fn of_zeroing(bytes_zeroed: u64) -> Cost {
        Cost {
            bytes_zeroed,
            ..Cost::NONE
        }
    }

    /// The sum over all events, of which `counted` says how often each happened.
    pub fn total(counted: impl Fn(Event) -> u64) -> Cost {
        let mut total = Cost::NONE;
        for (event, _) in Event::ALL {
            total += event.cost().times(counted(event));
        }
        total
    }

    fn times(self, count: u64) -> Cost {
        Cost {
            tlbis: self.tlbis * count,
            dsbs: self.dsbs * count,
            bytes_copied: self.bytes_copied * count,
            bytes_zeroed: self.bytes_zeroed * count,
            user_bytes: self.user_bytes * count,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.tlbis += other.tlbis;
        self.dsbs += other.dsbs;
        self.bytes_copied += other.bytes_copied;
        self.bytes_zeroed += other.bytes_zeroed;
        self.user_bytes += other.user_bytes;
    }
}

/// One processor's counters: only it counts here, with interrupts masked, and everybody reads.
#[derive(Debug)]
#[repr(align(64))]
pub struct Counters([AtomicU64; Event::ALL.len()]);

impl Counters {
    /// All zero.
    pub const fn new() -> Counters {
        Counters([const { AtomicU64::new(0) }; Event::ALL.len()])
    }

    /// Counts `event` once.
    #[inline(always)]
    pub fn count(&self, event: Event) {
        self.add(event, 1);
    }

    /// Counts `event` so many times: bytes, for example.
    #[inline(always)]
    pub fn add(&self, event: Event, times: u64) {
        // A plain read and write lose nothing where only one writes.
        let counter = &self.0[event as usize];
        counter.store(
            counter.load(Ordering::Relaxed).wrapping_add(times),
            Ordering::Relaxed,
        );
    }

    /// How often `event` was counted here.
    pub fn get(&self, event: Event) -> u64 {
        self.0[event as usize].load(Ordering::Relaxed)
    }
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::new()
    }
}

/// The table of names is in the order of the numbers.
const _: () = {
    let mut index = 0;
    while index < Event::ALL.len() {
        assert!(Event::ALL[index].0 as usize == index);
        index += 1;
    }
};
