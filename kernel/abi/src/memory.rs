//! Memory calls: mmap(2), mprotect(2), mremap(2), madvise(2), msync(2); `asm-generic/mman-common.h`, `asm-generic/mman.h`,
//! `linux/mman.h`.

/// The page cannot be accessed.
pub const PROT_NONE: u32 = 0;

flags! {
    /// What may be done with a page: mmap(2), mprotect(2). None of them: no access (`PROT_NONE`).
    pub struct ProtFlags: u32 {
        /// The page can be read.
        const PROT_READ = 0x1;
        /// The page can be written.
        const PROT_WRITE = 0x2;
        /// The page can be executed.
        const PROT_EXEC = 0x4;
        /// The page may hold atomics: no meaning on arm64, accepted.
        const PROT_SEM = 0x8;
        /// Branch-target guarded page (arm64).
        const PROT_BTI = 0x10;
        /// Tagged memory (arm64).
        const PROT_MTE = 0x20;
        /// mprotect: extend the change down to the start of a growing area.
        const PROT_GROWSDOWN = 0x0100_0000;
        /// mprotect: extend the change up to the end of a growing area.
        const PROT_GROWSUP = 0x0200_0000;
    }
}

/// Changes are seen by all who map the object.
pub const MAP_SHARED: u32 = 0x01;
/// Changes are private to this address space: copy-on-write.
pub const MAP_PRIVATE: u32 = 0x02;
/// Like `MAP_SHARED`, but unknown flags are refused.
pub const MAP_SHARED_VALIDATE: u32 = 0x03;
/// The bits that hold one of the three kinds above.
pub const MAP_TYPE: u32 = 0x0f;

flags! {
    /// How something is mapped, besides the kind in the bits of `MAP_TYPE`: mmap(2).
    pub struct MapFlags: u32 {
        /// Place the mapping exactly at the address, over whatever is there.
        const MAP_FIXED = 0x10;
        /// No file: zero-filled memory.
        const MAP_ANONYMOUS = 0x20;
        /// The area grows downwards like a stack.
        const MAP_GROWSDOWN = 0x0100;
        /// Ignored.
        const MAP_DENYWRITE = 0x0800;
        /// Ignored.
        const MAP_EXECUTABLE = 0x1000;
        /// Lock the pages as mlock(2) does.
        const MAP_LOCKED = 0x2000;
        /// Do not reserve swap space.
        const MAP_NORESERVE = 0x4000;
        /// Fill the translation tables at once.
        const MAP_POPULATE = 0x8000;
        /// With `MAP_POPULATE`: do not wait for input.
        const MAP_NONBLOCK = 0x1_0000;
        /// The area will be a stack: ignored.
        const MAP_STACK = 0x2_0000;
        /// Use huge pages.
        const MAP_HUGETLB = 0x4_0000;
        /// Synchronous faults for persistent memory.
        const MAP_SYNC = 0x8_0000;
        /// Like `MAP_FIXED`, but `EEXIST` where something is mapped already.
        const MAP_FIXED_NOREPLACE = 0x10_0000;
    }
}

flags! {
    /// Where a mapping may go: mremap(2).
    pub struct MremapFlags: u32 {
        /// mremap: the kernel may choose another place.
        const MREMAP_MAYMOVE = 1;
        /// mremap: the fifth argument is the new place.
        const MREMAP_FIXED = 2;
        /// mremap: leave the old range mapped, empty.
        const MREMAP_DONTUNMAP = 4;
    }
}

flags! {
    /// How mapped pages are written back: msync(2).
    pub struct MsyncFlags: u32 {
        /// msync: start writing.
        const MS_ASYNC = 1;
        /// msync: make other mappings see the file.
        const MS_INVALIDATE = 2;
        /// msync: write and wait.
        const MS_SYNC = 4;
    }
}

flags! {
    /// Which pages are locked: mlockall(2).
    pub struct MlockallFlags: u32 {
        /// mlockall: pages that are mapped now.
        const MCL_CURRENT = 1;
        /// mlockall: pages mapped from now on.
        const MCL_FUTURE = 2;
        /// mlockall: lock a page when it is first touched.
        const MCL_ONFAULT = 4;
    }
}

flags! {
    /// How pages are locked: mlock2(2).
    pub struct MlockFlags: u32 {
        /// mlock2: lock a page when it is first touched.
        const MLOCK_ONFAULT = 1;
    }
}

/// No special treatment.
pub const MADV_NORMAL: u32 = 0;
/// Expect accesses in random order.
pub const MADV_RANDOM: u32 = 1;
/// Expect accesses in order.
pub const MADV_SEQUENTIAL: u32 = 2;
/// The range will be needed soon.
pub const MADV_WILLNEED: u32 = 3;
/// Drop the pages: private memory reads as zero (or as the file) afterwards.
pub const MADV_DONTNEED: u32 = 4;
/// The kernel may drop the pages when memory is short.
pub const MADV_FREE: u32 = 8;
/// Punch a hole into the object behind the mapping.
pub const MADV_REMOVE: u32 = 9;
/// Do not give the range to a child.
pub const MADV_DONTFORK: u32 = 10;
/// Undo `MADV_DONTFORK`.
pub const MADV_DOFORK: u32 = 11;
/// Equal pages may be merged.
pub const MADV_MERGEABLE: u32 = 12;
/// Undo `MADV_MERGEABLE`.
pub const MADV_UNMERGEABLE: u32 = 13;
/// Huge pages are worth while here.
pub const MADV_HUGEPAGE: u32 = 14;
/// Huge pages are not worth while here.
pub const MADV_NOHUGEPAGE: u32 = 15;
/// Leave the range out of a core dump.
pub const MADV_DONTDUMP: u32 = 16;
/// Undo `MADV_DONTDUMP`.
pub const MADV_DODUMP: u32 = 17;
/// A child gets the range zeroed.
pub const MADV_WIPEONFORK: u32 = 18;
/// Undo `MADV_WIPEONFORK`.
pub const MADV_KEEPONFORK: u32 = 19;
/// The range is not needed soon.
pub const MADV_COLD: u32 = 20;
/// Reclaim the range.
pub const MADV_PAGEOUT: u32 = 21;
/// Fill the translation tables for reading.
pub const MADV_POPULATE_READ: u32 = 22;
/// Fill the translation tables for writing.
pub const MADV_POPULATE_WRITE: u32 = 23;
/// As `MADV_DONTNEED`, of locked pages too.
pub const MADV_DONTNEED_LOCKED: u32 = 24;
