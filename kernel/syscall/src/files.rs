//! The calls on files: from the number to the function, one line each; the other half of the table in `syscall`.

use super::arguments::arguments;
use super::table::calls;
use super::xattr::File::{Descriptor, Path};
use super::{
    attribute, copy, descriptor, directory, epoll, eventfd, fcntl, file_lock, inotify, ioctl, link, memfd,
    mount, open, poll, read_write, select, signalfd, socket, socket_batch, socket_message, socket_option,
    splice, stat, swap, timerfd, truncate, writeback, xattr,
};
use vfs::LastLink;
use vfs::file_ops::SyncKind;

calls! { current, context, [a, b, c, d, e, f]:
    // Opening and closing
    nr::OPENAT => open::openat(current, a as i32, b, c as u32, d as u32),
    nr::CLOSE => open::close(current, a as i32),
    nr::CLOSE_RANGE => open::close_range(current, a as u32, b as u32, c as u32),
    nr::MEMFD_CREATE => memfd::memfd_create(current, a, b as u32),

    // Reading and writing
    nr::READ => read_write::read(current, a as i32, b, c),
    nr::WRITE => read_write::write(current, a as i32, b, c),
    nr::READV => read_write::readv(current, a as i32, b, c),
    nr::WRITEV => read_write::writev(current, a as i32, b, c),
    nr::PREAD64 => read_write::pread64(current, a as i32, b, c, d as i64),
    nr::PWRITE64 => read_write::pwrite64(current, a as i32, b, c, d as i64),
    nr::PREADV => read_write::preadv(current, a as i32, b, c, d as i64),
    nr::PWRITEV => read_write::pwritev(current, a as i32, b, c, d as i64),
    nr::PREADV2 => read_write::preadv2(current, a as i32, b, c, d as i64, f as u32),
    nr::PWRITEV2 => read_write::pwritev2(current, a as i32, b, c, d as i64, f as u32),
    nr::LSEEK => read_write::lseek(current, a as i32, b as i64, c as u32),
    nr::SPLICE => splice::splice(current, a as i32, b, c as i32, d, [e, f]),
    nr::TEE => splice::tee(current, a as i32, b as i32, c, d as u32),
    nr::VMSPLICE => splice::vmsplice(current, a as i32, b, c, d as u32),
    nr::SENDFILE => copy::sendfile(current, a as i32, b as i32, c, d),
    nr::COPY_FILE_RANGE => copy::copy_file_range(current, a as i32, b, c as i32, d, e, f as u32),

    // Descriptors
    nr::DUP => descriptor::dup(current, a as i32),
    nr::DUP3 => descriptor::dup3(current, a as i32, b as i32, c as u32),
    nr::FCNTL => fcntl::fcntl(current, a as i32, b as u32, c),
    nr::FLOCK => file_lock::flock(current, a as i32, b as u32),
    nr::PIPE2 => descriptor::pipe2(current, a, b as u32),
    nr::EPOLL_CREATE1 => epoll::epoll_create1(current, a as u32),
    nr::EPOLL_CTL => epoll::epoll_ctl(current, a as i32, b as u32, c as i32, d),
    nr::EPOLL_PWAIT => epoll::epoll_pwait(current, arguments(context)),
    nr::EPOLL_PWAIT2 => epoll::epoll_pwait2(current, arguments(context)),
    nr::INOTIFY_INIT1 => inotify::inotify_init1(current, a as u32),
    nr::INOTIFY_ADD_WATCH => inotify::inotify_add_watch(current, a as i32, b, c as u32),
    nr::INOTIFY_RM_WATCH => inotify::inotify_rm_watch(current, a as i32, b as i32),
    nr::TIMERFD_CREATE => timerfd::timerfd_create(current, a as u32, b as u32),
    nr::TIMERFD_SETTIME => timerfd::timerfd_settime(current, a as i32, b as u32, c, d),
    nr::TIMERFD_GETTIME => timerfd::timerfd_gettime(current, a as i32, b),
    nr::SIGNALFD4 => signalfd::signalfd4(current, a as i32, b, c, d as u32),
    nr::EVENTFD2 => eventfd::eventfd2(current, a as u32, b as u32),
    nr::IOCTL => ioctl::ioctl(current, a as i32, b as u32, c),
    nr::PPOLL => poll::ppoll(current, a, b as u32 as u64, c, d, e),
    nr::PSELECT6 => select::pselect6(current, a as i32, [b, c, d], e, f),

    // Directories and names
    nr::GETDENTS64 => directory::getdents64(current, a as i32, b, c as u32),
    nr::MKDIRAT => directory::mkdirat(current, a as i32, b, c as u32),
    nr::CHDIR => directory::chdir(current, a),
    nr::FCHDIR => directory::fchdir(current, a as i32),
    nr::CHROOT => directory::chroot(current, a),
    nr::GETCWD => directory::getcwd(current, a, b),
    nr::UMASK => directory::umask(current, a as u32),
    nr::MKNODAT => link::mknodat(current, a as i32, b, c as u32, d as u32),
    nr::SYMLINKAT => link::symlinkat(current, a, b as i32, c),
    nr::LINKAT => link::linkat(current, a as i32, b, c as i32, d, e as u32),
    nr::UNLINKAT => link::unlinkat(current, a as i32, b, c as u32),
    nr::RENAMEAT => link::renameat(current, a as i32, b, c as i32, d),
    nr::RENAMEAT2 => link::renameat2(current, a as i32, b, c as i32, d, e as u32),
    nr::READLINKAT => link::readlinkat(current, a as i32, b, c, d as i32),
    nr::MOUNT => mount::mount(current, arguments(context)),
    nr::UMOUNT2 => mount::umount2(current, a, b as u32),

    // What is known of files
    nr::NEWFSTATAT => stat::newfstatat(current, a as i32, b, c, d as u32),
    nr::FSTAT => stat::fstat(current, a as i32, b),
    nr::STATX => stat::statx(current, a as i32, b, c as u32, d as u32, e),
    nr::STATFS => stat::statfs(current, a, b),
    nr::FSTATFS => stat::fstatfs(current, a as i32, b),
    nr::FACCESSAT => stat::faccessat(current, a as i32, b, c as u32),
    nr::FACCESSAT2 => stat::faccessat2(current, a as i32, b, c as u32, d as u32),
    nr::FCHMOD => attribute::fchmod(current, a as i32, b as u32),
    nr::FCHMODAT => attribute::fchmodat(current, a as i32, b, c as u32),
    nr::FCHMODAT2 => attribute::fchmodat2(current, a as i32, b, c as u32, d as u32),
    nr::FCHOWN => attribute::fchown(current, a as i32, b as u32, c as u32),
    nr::FCHOWNAT => attribute::fchownat(current, a as i32, b, c as u32, d as u32, e as u32),
    nr::UTIMENSAT => attribute::utimensat(current, a as i32, b, c, d as u32),
    nr::TRUNCATE => truncate::truncate(current, a, b as i64),
    nr::FTRUNCATE => truncate::ftruncate(current, a as i32, b as i64),
    nr::FALLOCATE => truncate::fallocate(current, a as i32, b as u32, c as i64, d as i64),

    // Extended attributes
    nr::SETXATTR => xattr::set(current, Path(a, LastLink::Follow), [b, c, d, e]),
    nr::LSETXATTR => xattr::set(current, Path(a, LastLink::Keep), [b, c, d, e]),
    nr::FSETXATTR => xattr::set(current, Descriptor(a as i32), [b, c, d, e]),
    nr::GETXATTR => xattr::get(current, Path(a, LastLink::Follow), b, c, d),
    nr::LGETXATTR => xattr::get(current, Path(a, LastLink::Keep), b, c, d),
    nr::FGETXATTR => xattr::get(current, Descriptor(a as i32), b, c, d),
    nr::LISTXATTR => xattr::list(current, Path(a, LastLink::Follow), b, c),
    nr::LLISTXATTR => xattr::list(current, Path(a, LastLink::Keep), b, c),
    nr::FLISTXATTR => xattr::list(current, Descriptor(a as i32), b, c),
    nr::REMOVEXATTR => xattr::remove(current, Path(a, LastLink::Follow), b),
    nr::LREMOVEXATTR => xattr::remove(current, Path(a, LastLink::Keep), b),
    nr::FREMOVEXATTR => xattr::remove(current, Descriptor(a as i32), b),

    // Sockets
    nr::SOCKET => socket::socket(current, a as u32, b as u32, c as u32),
    nr::SOCKETPAIR => socket::socketpair(current, a as u32, b as u32, c as u32, d),
    nr::BIND => socket::bind(current, a as i32, b, c as i32),
    nr::LISTEN => socket::listen(current, a as i32, b as i32),
    nr::ACCEPT => socket::accept(current, a as i32, b, c),
    nr::ACCEPT4 => socket::accept4(current, a as i32, b, c, d as u32),
    nr::CONNECT => socket::connect(current, a as i32, b, c as i32),
    nr::GETSOCKNAME => socket::getsockname(current, a as i32, b, c),
    nr::GETPEERNAME => socket::getpeername(current, a as i32, b, c),
    nr::SHUTDOWN => socket::shutdown(current, a as i32, b as u32),
    nr::SENDTO => socket_message::sendto(current, a as i32, [b, c], d as u32, e, f as i32),
    nr::RECVFROM => socket_message::recvfrom(current, a as i32, [b, c], d as u32, e, f),
    nr::SENDMSG => socket_message::sendmsg(current, a as i32, b, c as u32),
    nr::RECVMSG => socket_message::recvmsg(current, a as i32, b, c as u32),
    nr::SENDMMSG => socket_batch::sendmmsg(current, a as i32, b, c as u32, d as u32),
    nr::RECVMMSG => socket_batch::recvmmsg(current, a as i32, b, c as u32, d as u32, e),
    nr::GETSOCKOPT => socket_option::getsockopt(current, a as i32, b as u32, c as u32, d, e),
    nr::SETSOCKOPT => socket_option::setsockopt(current, a as i32, b as u32, c as u32, d, e as i32),

    // Swapping
    nr::SWAPON => swap::swapon(current, a, b as u32),
    nr::SWAPOFF => swap::swapoff(current, a),

    // Writing back
    nr::FSYNC => writeback::fsync(current, a as i32, SyncKind::All),
    nr::FDATASYNC => writeback::fsync(current, a as i32, SyncKind::Data),
    nr::SYNC_FILE_RANGE => writeback::sync_file_range(current, a as i32, b as i64, c as i64, d as u32),
    nr::READAHEAD => writeback::readahead(current, a as i32),
    nr::SYNC => writeback::sync(),
    nr::SYNCFS => writeback::syncfs(current, a as i32),
    nr::FADVISE64 => writeback::fadvise64(current, a as i32, c as i64, d as u32),
}
