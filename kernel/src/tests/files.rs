//! Stories of files, directories and pipes.

use super::io::{BUFFER, HERE, Io};
use super::processes::{PIPE_WRITER, WRITTEN};
use super::{DATA, Story};
use abi::file::{F_GETFL, OpenFlags, SEEK_END, SEEK_SET};
use abi::{Errno, nr};

pub const STORIES: &[Story] = &[
    ("file", file),
    ("links", links),
    ("directories", directories),
    ("descriptors", descriptors),
    ("pipe", pipe),
    ("poll", poll),
    ("mounts", mounts),
    ("attributes", attributes),
];

fn error(errno: Errno) -> i64 {
    -i64::from(errno.number())
}

fn file(io: &Io) {
    let file = io.open(
        "/tmp/file",
        OpenFlags::O_RDWR | OpenFlags::O_CREAT | OpenFlags::O_EXCL,
    );
    let text: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
    io.write(file, &text);
    assert_eq!(io.ok(nr::LSEEK, &[file, 0, u64::from(SEEK_SET)]), 0);
    assert_eq!(io.read_all(file), text);
    assert_eq!(io.ok(nr::LSEEK, &[file, 0, u64::from(SEEK_END)]), 20_000);
    io.ok(nr::FTRUNCATE, &[file, 5_000]);
    assert_eq!(io.call(nr::PREAD64, &[file, BUFFER, 100, 4_990]), 10);
    io.ok(nr::FALLOCATE, &[file, 0, 0, 10_000]);
    io.ok(nr::FSTAT, &[file, BUFFER]);
    assert_eq!(io.user.word(BUFFER + 48), 10_000, "st_size");
    let appending = io.open("/tmp/file", OpenFlags::O_RDWR | OpenFlags::O_APPEND);
    io.write(appending, b"end");
    assert_eq!(io.ok(nr::LSEEK, &[appending, 0, u64::from(SEEK_END)]), 10_003);
    let without_meaning = 1 << 31 | 0o100_000_000;
    let odd = io.ok(nr::OPENAT, &[HERE, io.path("/tmp/file"), without_meaning, 0]);
    let kept = io.ok(nr::FCNTL, &[odd, u64::from(F_GETFL)]);
    assert_eq!(
        kept,
        u64::from(OpenFlags::O_LARGEFILE.bits()),
        "bits without a meaning are not kept"
    );
    io.close(odd);
    let again = [
        HERE,
        io.path("/tmp/file"),
        u64::from((OpenFlags::O_CREAT | OpenFlags::O_EXCL).bits()),
        0o644,
    ];
    assert_eq!(io.call(nr::OPENAT, &again), error(Errno::EEXIST));
    assert_eq!(io.text_of("/text").len(), 10_000);
    io.ok(nr::UNLINKAT, &[HERE, io.path("/tmp/file"), 0]);
    assert_eq!(
        io.call(nr::OPENAT, &[HERE, io.path("/tmp/file"), 0, 0]),
        error(Errno::ENOENT)
    );
    io.close(file);
    io.close(appending);
    assert_eq!(io.call(nr::CLOSE, &[file]), error(Errno::EBADF));
}

fn links(io: &Io) {
    io.ok(
        nr::SYMLINKAT,
        &[io.path("/text"), HERE, io.other_path("/tmp/link")],
    );
    assert_eq!(io.text_of("/tmp/link").len(), 10_000);
    let len = io.ok(nr::READLINKAT, &[HERE, io.path("/tmp/link"), BUFFER, 100]);
    assert_eq!(io.user.load(BUFFER, len as usize), b"/text");
    io.ok(
        nr::LINKAT,
        &[HERE, io.path("/text"), HERE, io.other_path("/tmp/hard"), 0],
    );
    io.ok(
        nr::RENAMEAT2,
        &[HERE, io.path("/tmp/hard"), HERE, io.other_path("/tmp/harder"), 0],
    );
    assert_eq!(io.text_of("/tmp/harder").len(), 10_000);
    let swap = 2;
    io.ok(
        nr::RENAMEAT2,
        &[
            HERE,
            io.path("/tmp/harder"),
            HERE,
            io.other_path("/tmp/link"),
            swap,
        ],
    );
    io.ok(
        nr::SYMLINKAT,
        &[io.path("/tmp/loop"), HERE, io.other_path("/tmp/loop")],
    );
    assert_eq!(
        io.call(nr::OPENAT, &[HERE, io.path("/tmp/loop/x"), 0, 0]),
        error(Errno::ELOOP)
    );
    for path in ["/tmp/link", "/tmp/harder", "/tmp/loop"] {
        io.ok(nr::UNLINKAT, &[HERE, io.path(path), 0]);
    }
}

fn directories(io: &Io) {
    let remove_directory = 0x200;
    io.ok(nr::MKDIRAT, &[HERE, io.path("/tmp/folder"), 0o755]);
    for number in 0..40 {
        let file = io.open(&format!("/tmp/folder/file{number}"), OpenFlags::O_CREAT);
        io.close(file);
    }
    assert_eq!(io.list("/tmp/folder").len(), 42);
    let full = io.call(nr::UNLINKAT, &[HERE, io.path("/tmp/folder"), remove_directory]);
    assert_eq!(full, error(Errno::ENOTEMPTY));
    io.ok(nr::CHDIR, &[io.path("/tmp/folder")]);
    let len = io.ok(nr::GETCWD, &[BUFFER, 100]);
    assert_eq!(io.user.load(BUFFER, len as usize), b"/tmp/folder\0");
    (0..40).for_each(|number| {
        io.ok(nr::UNLINKAT, &[HERE, io.path(&format!("file{number}")), 0]);
    });
    io.ok(nr::CHDIR, &[io.path("..")]);
    io.ok(nr::UNLINKAT, &[HERE, io.path("folder"), remove_directory]);
    io.ok(nr::STATFS, &[io.path("/tmp"), BUFFER]);
    io.ok(nr::FACCESSAT, &[HERE, io.path("/init"), 1]);
    let many: Vec<_> = io.list("/dev").into_iter().map(|(name, _)| name).collect();
    for name in ["null", "zero", "console", "tty", "full", "random"] {
        assert!(many.iter().any(|entry| entry == name), "{name} in {many:?}");
    }
    let zero = io.open("/dev/zero", OpenFlags::O_RDWR);
    assert!(io.read(zero).iter().all(|byte| *byte == 0));
    let full = io.open("/dev/full", OpenFlags::O_RDWR);
    assert_eq!(io.call(nr::WRITE, &[full, BUFFER, 1]), error(Errno::ENOSPC));
    let random = io.open("/dev/urandom", OpenFlags::O_RDONLY);
    assert_ne!(io.read(random), io.read(random));
}

fn descriptors(io: &Io) {
    let file = io.open("/text", OpenFlags::O_RDONLY);
    let copy = io.ok(nr::DUP, &[file]);
    assert_eq!(io.ok(nr::DUP3, &[file, 100, 0]), 100);
    io.ok(nr::LSEEK, &[copy, 5, u64::from(SEEK_SET)]);
    assert_eq!(&io.read(100)[..5], b"text\n");
    let (get_flags, set_flags, set_lock) = (1, 2, 6);
    io.ok(nr::FCNTL, &[100, set_flags, 1]);
    assert_eq!(io.ok(nr::FCNTL, &[100, get_flags, 0]), 1);
    // struct flock: a write lock needs a file that may be written.
    io.user.store(BUFFER, &[0; 32]);
    io.ok(nr::FCNTL, &[file, set_lock, BUFFER]);
    io.user.store(BUFFER, &[1, 0]);
    assert_eq!(io.call(nr::FCNTL, &[file, set_lock, BUFFER]), error(Errno::EBADF));
    io.ok(nr::FLOCK, &[file, 2]);
    let vectors = [BUFFER + 0x100, 10, BUFFER + 0x200, 20];
    io.user.store(BUFFER, &vectors.map(u64::to_le_bytes).concat());
    assert_eq!(io.ok(nr::PREADV, &[file, BUFFER, 2, 0, 0]), 30);
    io.ok(nr::CLOSE_RANGE, &[file, u64::from(u32::MAX), 0]);
    assert_eq!(io.call(nr::READ, &[100, BUFFER, 1]), error(Errno::EBADF));
}

fn pipe(io: &Io) {
    let (reader, writer) = io.pipe();
    io.user.store(DATA, &writer.to_le_bytes());
    let child = io.fork(PIPE_WRITER);
    io.close(writer);
    // More than a pipe holds: the writer sleeps until it is read.
    let got = io.read_all(reader);
    assert_eq!(got.len(), WRITTEN);
    assert!(got.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
    assert_eq!(io.wait(child), 0);
    let (reader, writer) = io.pipe();
    let set_size = 1031;
    io.ok(nr::FCNTL, &[writer, set_size, 4096]);
    io.close(reader);
    // SIGPIPE is ignored first.
    io.user
        .store(BUFFER, &[1_u64, 0, 0, 0].map(u64::to_le_bytes).concat());
    io.ok(nr::RT_SIGACTION, &[13, BUFFER, 0, 8]);
    assert_eq!(io.call(nr::WRITE, &[writer, BUFFER, 1]), error(Errno::EPIPE));
}

fn poll(io: &Io) {
    let (reader, writer) = io.pipe();
    let entry = |file: u64| file | 1 << 32;
    io.user.store(BUFFER, &entry(reader).to_le_bytes());
    let short = [0_u64, 1_000_000].map(u64::to_le_bytes).concat();
    io.user.store(BUFFER + 64, &short);
    assert_eq!(
        io.call(nr::PPOLL, &[BUFFER, 1, BUFFER + 64, 0, 8]),
        0,
        "nothing to read"
    );
    io.write(writer, b"x");
    io.user.store(BUFFER, &entry(reader).to_le_bytes());
    assert_eq!(io.call(nr::PPOLL, &[BUFFER, 1, 0, 0, 8]), 1);
    assert_eq!(io.user.word(BUFFER) >> 48, 1, "POLLIN");
    let set = 1_u64 << reader;
    io.user.store(BUFFER, &set.to_le_bytes());
    assert_eq!(io.call(nr::PSELECT6, &[reader + 1, BUFFER, 0, 0, 0, 0]), 1);
    assert_eq!(io.user.word(BUFFER), set);
}

fn mounts(io: &Io) {
    io.ok(nr::MKDIRAT, &[HERE, io.path("/tmp/mounted"), 0o755]);
    let kind = DATA + 0x300;
    io.user.store(kind, b"tmpfs\0");
    io.ok(nr::MOUNT, &[kind, io.path("/tmp/mounted"), kind, 0, 0]);
    let file = io.open("/tmp/mounted/file", OpenFlags::O_CREAT | OpenFlags::O_RDWR);
    io.write(file, b"over there");
    assert!(io.text_of("/proc/mounts").contains("tmpfs /tmp/mounted tmpfs rw"));
    assert_eq!(
        io.call(nr::UMOUNT2, &[io.path("/tmp/mounted"), 0]),
        error(Errno::EBUSY)
    );
    io.close(file);
    io.ok(nr::UMOUNT2, &[io.path("/tmp/mounted"), 0]);
    assert_eq!(io.list("/tmp/mounted").len(), 2);
}

fn attributes(io: &Io) {
    let file = io.open("/tmp/attributed", OpenFlags::O_CREAT | OpenFlags::O_RDWR);
    io.ok(nr::FCHMOD, &[file, 0o600]);
    io.ok(nr::FCHOWN, &[file, 5, 6]);
    io.ok(nr::UTIMENSAT, &[HERE, io.path("/tmp/attributed"), 0, 0]);
    let name = io.other_path("user.colour");
    io.user.store(BUFFER, b"blue");
    io.ok(nr::FSETXATTR, &[file, name, BUFFER, 4, 0]);
    assert_eq!(io.ok(nr::FGETXATTR, &[file, name, BUFFER + 8, 10]), 4);
    assert_eq!(io.user.load(BUFFER + 8, 4), b"blue");
    assert_eq!(io.ok(nr::FLISTXATTR, &[file, BUFFER, 100]), 12);
    io.ok(nr::FREMOVEXATTR, &[file, name]);
    io.ok(nr::STATX, &[HERE, io.path("/tmp/attributed"), 0, 0xfff, BUFFER]);
    assert_eq!(io.user.word(BUFFER + 20) & 0xffff_ffff, 5, "stx_uid");
}
