//! /proc/pid/pagemap, /proc/kpageflags: `Documentation/admin-guide/mm/pagemap.rst`, `linux/kernel-page-flags.h`. Both
//! files, and /proc/kpagecount, are arrays of 64-bit words, one for each page or frame.

/// pagemap: bits 0 to 54, the frame number of a page that is present.
pub const PM_PFN_MASK: u64 = (1 << 55) - 1;
/// pagemap: the page was written since the bits were cleared.
pub const PM_SOFT_DIRTY: u64 = 1 << 55;
/// pagemap: the frame is mapped in this address space only.
pub const PM_MMAP_EXCLUSIVE: u64 = 1 << 56;
/// pagemap: write-protected through userfaultfd.
pub const PM_UFFD_WP: u64 = 1 << 57;
/// pagemap: the page is of a file, or shared anonymous memory.
pub const PM_FILE: u64 = 1 << 61;
/// pagemap: the page is in swap space.
pub const PM_SWAP: u64 = 1 << 62;
/// pagemap: the page is in memory.
pub const PM_PRESENT: u64 = 1 << 63;

/// kpageflags, bit number: locked.
pub const KPF_LOCKED: u32 = 0;
/// kpageflags, bit number: an input or output error occurred.
pub const KPF_ERROR: u32 = 1;
/// kpageflags, bit number: referenced since it was last looked at.
pub const KPF_REFERENCED: u32 = 2;
/// kpageflags, bit number: holds current data.
pub const KPF_UPTODATE: u32 = 3;
/// kpageflags, bit number: holds data that is not on the disk yet.
pub const KPF_DIRTY: u32 = 4;
/// kpageflags, bit number: on one of the reclaim lists.
pub const KPF_LRU: u32 = 5;
/// kpageflags, bit number: on the active reclaim list.
pub const KPF_ACTIVE: u32 = 6;
/// kpageflags, bit number: belongs to the kernel's small-object allocator.
pub const KPF_SLAB: u32 = 7;
/// kpageflags, bit number: being written to the disk.
pub const KPF_WRITEBACK: u32 = 8;
/// kpageflags, bit number: to be reclaimed after writing.
pub const KPF_RECLAIM: u32 = 9;
/// kpageflags, bit number: free, held by the buddy allocator.
pub const KPF_BUDDY: u32 = 10;
/// kpageflags, bit number: mapped by some address space.
pub const KPF_MMAP: u32 = 11;
/// kpageflags, bit number: anonymous memory.
pub const KPF_ANON: u32 = 12;
/// kpageflags, bit number: has a place in swap space.
pub const KPF_SWAPCACHE: u32 = 13;
/// kpageflags, bit number: would be written to swap space.
pub const KPF_SWAPBACKED: u32 = 14;
/// kpageflags, bit number: first frame of a compound page.
pub const KPF_COMPOUND_HEAD: u32 = 15;
/// kpageflags, bit number: further frame of a compound page.
pub const KPF_COMPOUND_TAIL: u32 = 16;
/// kpageflags, bit number: hugetlb page.
pub const KPF_HUGE: u32 = 17;
/// kpageflags, bit number: cannot be reclaimed.
pub const KPF_UNEVICTABLE: u32 = 18;
/// kpageflags, bit number: damaged memory.
pub const KPF_HWPOISON: u32 = 19;
/// kpageflags, bit number: no such frame.
pub const KPF_NOPAGE: u32 = 20;
/// kpageflags, bit number: merged with equal pages.
pub const KPF_KSM: u32 = 21;
/// kpageflags, bit number: part of a transparent huge page.
pub const KPF_THP: u32 = 22;
/// kpageflags, bit number: logically offline.
pub const KPF_OFFLINE: u32 = 23;
/// kpageflags, bit number: the shared zero frame.
pub const KPF_ZERO_PAGE: u32 = 24;
/// kpageflags, bit number: not accessed since it was marked.
pub const KPF_IDLE: u32 = 25;
/// kpageflags, bit number: holds a translation table.
pub const KPF_PGTABLE: u32 = 26;
/// kpageflags, bit number: reserved, not for the allocator (a bit for kernel developers).
pub const KPF_RESERVED: u32 = 32;
