//! Stories of memory: mappings, faults, what fork shares.

use super::Story;
use super::io::{BUFFER, Io};
use super::processes::{MEMORY_CHILD, SHARED};
use abi::file::OpenFlags;
use abi::ipc::{IPC_RMID, IPC_STAT, ShmAtFlags, ShmGetFlags, ShmIdDs};
use abi::memory::{MADV_DONTNEED, MAP_PRIVATE, MAP_SHARED, MapFlags, MremapFlags, ProtFlags};
use abi::nr;
use core::mem::offset_of;

pub const STORIES: &[Story] = &[
    ("mappings", mappings),
    ("copies", copies),
    ("heap", heap),
    ("segments", segments),
];

/// Where the child of [`copies`] looks.
pub const PRIVATE: u64 = 0x1000_0000;
pub const PAGES: u64 = 600;
const PAGE: u64 = 4096;
const READ: u64 = ProtFlags::PROT_READ.bits() as u64;
const READ_WRITE: u64 = READ | ProtFlags::PROT_WRITE.bits() as u64;
const ANONYMOUS: u32 = MapFlags::MAP_ANONYMOUS.bits();

fn map(io: &Io, at: u64, pages: u64, flags: u32, file: u64) -> u64 {
    let fixed = if at == 0 { 0 } else { MapFlags::MAP_FIXED.bits() };
    io.ok(
        nr::MMAP,
        &[at, pages * PAGE, READ_WRITE, u64::from(flags | fixed), file, 0],
    )
}

fn mappings(io: &Io) {
    let at = map(io, 0, 16, MAP_PRIVATE | ANONYMOUS, u64::MAX);
    io.user.store(at + PAGE - 2, b"over the edge");
    assert_eq!(io.user.load(at + PAGE, 11), b"er the edge");
    io.ok(nr::MPROTECT, &[at, PAGE, READ]);
    assert_eq!(io.user.load(at + PAGE - 2, 2), b"ov");
    io.ok(nr::MPROTECT, &[at, PAGE, READ_WRITE]);
    let moved = io.ok(
        nr::MREMAP,
        &[
            at,
            16 * PAGE,
            64 * PAGE,
            u64::from(MremapFlags::MREMAP_MAYMOVE.bits()),
        ],
    );
    assert_eq!(io.user.load(moved + PAGE, 11), b"er the edge");
    io.ok(nr::MADVISE, &[moved + PAGE, PAGE, u64::from(MADV_DONTNEED)]);
    assert_eq!(io.user.load(moved + PAGE, 2), [0, 0]);
    io.ok(nr::MLOCK, &[moved, 4 * PAGE]);
    io.ok(nr::MINCORE, &[moved, 4 * PAGE, BUFFER]);
    assert_eq!(io.user.load(BUFFER, 4), [1; 4]);
    io.ok(nr::MUNLOCK, &[moved, 4 * PAGE]);
    io.ok(nr::MUNMAP, &[moved, 64 * PAGE]);
    let file = io.open("/text", OpenFlags::O_RDONLY);
    let text = map(io, 0, 2, MAP_PRIVATE, file);
    assert_eq!(io.user.load(text + 5, 4), b"text");
    io.user.store(text, b"SOME");
    assert_eq!(io.user.load(text, 9), b"SOME text");
    assert_eq!(&io.read(file)[..4], b"some", "a private mapping is not the file");
    let maps = io.text_of("/proc/self/maps");
    assert!(maps.contains("/text") && maps.contains("[stack]"), "{maps}");
}

fn copies(io: &Io) {
    map(io, PRIVATE, PAGES, MAP_PRIVATE | ANONYMOUS, u64::MAX);
    map(io, SHARED, 1, MAP_SHARED | ANONYMOUS, u64::MAX);
    for page in 0..PAGES {
        io.user.store(PRIVATE + page * PAGE, &page.to_le_bytes());
    }
    let child = io.fork(MEMORY_CHILD);
    for page in (0..PAGES).step_by(3) {
        io.user.store(PRIVATE + page * PAGE, &[0xff; 8]);
    }
    assert_eq!(io.wait(child), 0, "the child saw the pages as they were");
    assert_eq!(io.user.word(SHARED), PAGES, "what it stored is shared");
    for page in 0..PAGES {
        let expected = if page % 3 == 0 { u64::MAX } else { page };
        assert_eq!(io.user.word(PRIVATE + page * PAGE), expected);
    }
}

fn segments(io: &Io) {
    let made = u64::from((ShmGetFlags::IPC_CREAT | ShmGetFlags::IPC_EXCL).bits()) | 0o600;
    let id = io.ok(nr::SHMGET, &[0x51ea, 3 * PAGE - 5, made]);
    let attachments = || {
        io.ok(nr::SHMCTL, &[id, IPC_STAT.into(), BUFFER]);
        io.user.word(BUFFER + offset_of!(ShmIdDs, shm_nattch) as u64)
    };
    assert_eq!(attachments(), 0);
    let at = io.ok(nr::SHMAT, &[id, 0, 0]);
    let again = io.ok(nr::SHMAT, &[id, 0, ShmAtFlags::SHM_RDONLY.bits().into()]);
    io.user.store(at + PAGE - 2, b"over the edge");
    assert_eq!(io.user.load(again + PAGE, 11), b"er the edge");
    io.ok(nr::MPROTECT, &[at + PAGE, PAGE, READ]);
    assert_eq!(attachments(), 4, "three pieces and the second one");
    let listed = io.text_of("/proc/sysvipc/shm");
    assert!(
        listed.contains("     20970 ") && listed.lines().count() == 2,
        "{listed}"
    );
    io.ok(nr::SHMDT, &[at]);
    assert_eq!(attachments(), 1);
    io.ok(nr::SHMCTL, &[id, IPC_RMID.into(), 0]);
    assert_eq!(
        io.user.load(again + PAGE, 2),
        b"er",
        "it is there as long as somebody has it"
    );
    io.ok(nr::SHMDT, &[again]);
    assert_eq!(io.text_of("/proc/sysvipc/shm").lines().count(), 1);
    let next = io.ok(nr::SHMGET, &[0x51ea, PAGE, made]);
    assert_ne!(next, id);
    io.ok(nr::SHMCTL, &[next, IPC_RMID.into(), 0]);
}

fn heap(io: &Io) {
    let start = io.ok(nr::BRK, &[0]);
    assert_eq!(io.ok(nr::BRK, &[start + 10 * PAGE]), start + 10 * PAGE);
    io.user.store(start + 9 * PAGE, b"heap");
    assert_eq!(io.ok(nr::BRK, &[start]), start);
    let deep = io.user.stack() - 40 * PAGE;
    io.user.store(deep, b"the stack has grown");
    assert_eq!(io.user.load(deep, 3), b"the");
}
