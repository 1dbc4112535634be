// Random system calls with hostile arguments, made by children of process 1, which checks after each round that the
// system still works and that nobody is left, and at the end that no memory is gone. Replayable: all that a child does
// follows from the seed and the number of its round.
//   fuzz FIRST-SEED ROUNDS CALLS [trace]     CALLS: how many each caller of a round makes; trace: prints each before it
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    CALLERS = 3,         // processes that make calls at the same time in one round
    MOST_FORKS = 12,     // that one line of descent makes in a round
    ROUND_MILLIS = 1500, // after that whoever still lives is killed
    TICK_MICROS = 3000,  // a signal that ends calls that sleep
    HIGHEST_ERROR = 133, // EHWPOISON; what lies beyond is never for a program to see
    TOLERATED_KIB = 640, // what the kernel may keep ready after a warm-up: of it 512 for packets of the loopback interface
};
// Far from all that a call may hit by running over an end.
#define REPORT ((void *)0x3000000000)
#define ARENA ((char *)0x2000000000)
#define ARENA_LEN (16ul << 20)

// What all processes of a round tell the parent.
struct report {
    uint64_t calls, wrong, wrong_number, wrong_result;
};
static struct report *report;

static uint64_t state;
static int is_traced, depth, forks, console;
static char *plain, *read_only, *edge, *beyond;

static uint64_t next(void) { // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static uint64_t below(uint64_t n) { return next() % n; }
#define ONE_OF(array) ((array)[below(sizeof(array) / sizeof *(array))])

static const char *const PATHS[] = {
    "fza", "fzb", "fzc", "fzd", "fze", "fzd/fza", "fzd/fzb", "fzd/fzd", "fzd/fzd/fza", "fzlink", "fzloop", "fza/fza", "/fzroot",
    "fzfifo", ".", "..", "", "/", "//../fzd/./fza", "/proc", "/proc/self/maps", "/proc/self/pagemap", "/proc/self/fd/3",
    "/proc/self/stat", "/proc/self/smaps", "/proc/self/cmdline", "/proc/self/exe", "/proc/self/status", "/proc/1/stat", "/proc/meminfo",
    "/proc/vmstat", "/proc/kpagecount", "/proc/kpageflags", "/proc/self/fd", "/proc/self/nothing", "/proc/mounts", "/dev/null",
    "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random", "/dev/nothing", "/init", "fzgarbage", "fzscript", "fzdeep/fzdeep/fzdeep",
    "/dev/ptmx", "/dev/pts/0", "/dev/pts/1", "/dev/pts", "/dev/tty", "/proc/net/tcp", "/proc/net/udp", "/proc/net/unix", "/proc/net/raw",
    "/proc/net/tcp6", "/proc/net/dev", "/proc/net/route", "/proc/net/arp", "/proc/net/sockstat", "/proc/sysvipc/shm", "/proc/locks",
    "/proc/self/translation", "/proc/self/environ", "/proc/self/mem", "/proc/loadavg", "/proc/uptime", "/proc/self/cwd/fza", "/proc/self/root/fzb",
};

static const uint64_t WORDS[] = {
    0, 1, 2, 3, 7, 8, 15, 16, 64, 255, 256, 4095, 4096, 4097, 8192, 65535, 65536, 1 << 20, 1 << 24, 0x7fffffff, 0x80000000, 0xffffffff,
    0x100000000, 0x7ffffffffffff000, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000, ~0ul, ~0ul - 1, ~0ul - 4095, ~0ul - 99,
};

static const uint64_t PLACES[] = {
    0, 1, 0xfff, 0x1000, 0x10000, 0x123456789000, 0x7ffffff000, 0x7fffffefff, 0x7ffffffff8, 0x7fffffffff, 0x8000000000, 0xffffffffffff,
    0x1000000000000, 0x00ff000000000000, 0xff00000000000000, 0x8000000000000000, 0xffffff7fffffffff, 0xffffff8000000000,
    0xffffff8040000000, 0xffffffc000000000, 0xffffffd000000000, 0xffffffff80000000, 0xffffffff80200000, ~0ul, ~0ul - 7, ~0ul - 4095,
};

static uint64_t word(void) {
    switch (below(6)) {
    case 0: return next();
    case 1: return next() >> below(64);
    case 2: return 1ul << below(64);
    case 3: return ONE_OF(WORDS) + below(3) - 1;
    default: return below(300);
    }
}

static uint64_t arena(void) {
    uint64_t place = (uint64_t)ARENA + below(ARENA_LEN / PAGE) * PAGE;
    return below(10) ? place : place + below(PAGE);
}

// An address that one may hope to write to, or not.
static uint64_t address(void) {
    switch (below(16)) {
    case 0: return ONE_OF(PLACES);
    case 1: return (uint64_t)edge + PAGE - below(below(2) ? 16 : 600); // ends before unmapped memory
    case 2: return (uint64_t)edge - below(600);                       // begins in unmapped memory
    case 3: return (uint64_t)read_only + below(PAGE);
    case 4: return (uint64_t)beyond + below(3 * PAGE); // a mapped file that is shorter than its mapping
    case 5: return arena();
    case 6: return (uint64_t)plain + below(16 * PAGE); // seldom aligned
    case 7: return 0;
    default: return (uint64_t)plain + below(256) * 8;
    }
}

static uint64_t length(void) {
    switch (below(8)) {
    case 0: return word();
    case 1: return 0;
    case 2: return below(1 << 20);
    default: return below(5000);
    }
}

static uint64_t descriptor(void) {
    static const int ODD[] = {-1, -2, AT_FDCWD, 1 << 30, 0x7fffffff, (int)0x80000000, 255, 1023, 1024, 65536};
    return below(12) ? below(36) : (uint64_t)ONE_OF(ODD);
}

static uint64_t path(void) {
    static char buffer[8192];
    switch (below(12)) {
    case 0: return address();
    case 1: // names too long, or just not
        memset(buffer, 'f', sizeof buffer);
        buffer[1] = 'z';
        buffer[253 + below(5)] = 0;
        return (uint64_t)buffer;
    case 2: // paths too long, or just not
        for (int i = 0; i < 5000; i += 2) buffer[i] = '.', buffer[i + 1] = '/';
        buffer[4090 + below(10)] = 0;
        return (uint64_t)buffer;
    default: return (uint64_t)ONE_OF(PATHS);
    }
}

static uint64_t process(void) {
    static const int ODD[] = {0, -1, -2, 1, 32767, 32768, (int)0x80000000, 0x7fffffff};
    // Nothing that would hit this very process too often.
    return below(3) ? (uint64_t)getpid() + below(6) : below(4) ? below(64) : (uint64_t)ONE_OF(ODD);
}

static uint64_t signal_number(void) {
    uint64_t number = below(8) ? 1 + below(64) : word();
    // Those that nobody can catch, but not too often.
    return (number == SIGKILL || number == SIGSTOP) && below(4) ? 0 : number;
}

// Structures of any kind: small numbers, addresses and times at every place.
static void fill_plain(void) {
    uint64_t *words = (uint64_t *)plain;
    for (int i = 0; i < 80; i++) {
        switch (below(6)) {
        case 0: words[i] = word(); break;
        case 1: words[i] = address(); break;
        case 2: words[i] = below(64) | below(64) << 32; break;
        case 3: words[i] = 0; break;
        case 4: words[i] = below(3000); break;
        }
    }
}

// A name of the file system or an abstract one.
static void name_unix(struct sockaddr_un *name) {
    name->sun_family = AF_UNIX;
    if (below(2)) name->sun_path[1] = 'a' + below(4);
    else snprintf(name->sun_path, sizeof name->sun_path, "fzsock%d", (int)below(4));
}

static uint16_t port(void) {
    static const uint16_t PORTS[] = {0, 7, 80, 1023, 1024, 5000, 5001, 5002, 5003, 65535};
    return htons(below(12) ? ONE_OF(PORTS) : below(65536));
}

static void name_ipv4(struct sockaddr_in *name) {
    static const uint32_t HOSTS[] = {0x7f000001, 0x7f000001, 0x7f000001, 0x7f000002, 0, 0x0a00020f, 0x0a000202, 0x0a000263, 0x0a0002ff,
                                     0xe0000001, 0xe0000005, 0xffffffff, 0x08080808};
    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port(), .sin_addr.s_addr = htonl(below(16) ? ONE_OF(HOSTS) : next())};
}

static void name_ipv6(struct sockaddr_in6 *name) {
    *name = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port(), .sin6_scope_id = below(4)};
    uint8_t *bytes = name->sin6_addr.s6_addr;
    switch (below(8)) {
    case 0: break;
    case 1: bytes[0] = 0xff, bytes[1] = below(16), bytes[15] = 1; break;
    case 2: bytes[0] = 0xfe, bytes[1] = 0x80, bytes[15] = below(256); break;
    case 3: bytes[10] = bytes[11] = 0xff, bytes[12] = 127, bytes[15] = 1; break;
    case 4:
        for (int i = 0; i < 16; i++) bytes[i] = next();
        break;
    default: bytes[15] = 1;
    }
}

// The address of a socket, of a family that is there, or is not.
static uint64_t socket_name(void) {
    static union {
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct {
            uint16_t family, pad;
            uint32_t port, groups;
        } netlink;
        struct sockaddr any;
    } name;
    memset(&name, 0, sizeof name);
    switch (below(8)) {
    case 0:
    case 1: name_unix(&name.un); break;
    case 2:
    case 3:
    case 4: name_ipv4(&name.in); break;
    case 5:
    case 6: name_ipv6(&name.in6); break;
    default: name.netlink.family = AF_NETLINK, name.netlink.port = below(3), name.netlink.groups = below(4) ? 0 : word();
    }
    if (below(12) == 0) name.any.sa_family = below(20);
    return (uint64_t)&name;
}

// Requests of netlink as iproute2 sends them, and worse ones.
static uint64_t netlink_request(void) {
    static const uint16_t KINDS[] = {18, 22, 26, 30, 16, 20, 20, 24, 28, 32, 17, 21};
    static struct {
        uint32_t len;
        uint16_t kind, flags;
        uint32_t sequence, port;
        uint8_t body[112];
    } requests[4];
    for (int i = 0; i < 4; i++) {
        requests[i].len = below(8) ? 16 + below(8) * 4 : word();
        requests[i].kind = below(8) ? ONE_OF(KINDS) : below(0x50);
        requests[i].flags = below(4) ? 0x301 : next();
        for (int at = 0; at < 112; at++) requests[i].body[at] = below(4) ? 0 : below(2) ? below(16) : next();
        requests[i].body[0] = below(4) ? below(3) * 2 : below(12);
        // Of questions about sockets: the protocol, the states.
        if (below(2)) requests[i].body[1] = below(2) ? 6 : 17, memset(requests[i].body + 4, 0xff, 4), requests[i].len = 72;
    }
    return below(12) ? (uint64_t)requests : address();
}

// A message that somebody could have meant: a few bytes, a few descriptors or credentials.
static uint64_t message(void) {
    static struct msghdr header;
    static struct iovec parts[3];
    static union {
        struct cmsghdr head;
        char bytes[512];
    } control;
    for (int i = 0; i < 3; i++) parts[i] = (struct iovec){(void *)address(), below(300)};
    header = (struct msghdr){.msg_iov = parts, .msg_iovlen = below(4)};
    if (below(3) == 0) header.msg_name = (void *)socket_name(), header.msg_namelen = below(2) ? 16 : below(40);
    if (below(4)) {
        int count = below(9);
        header.msg_control = &control, header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.head = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, below(8) ? SCM_RIGHTS : SCM_CREDENTIALS};
        int *fds = (int *)CMSG_DATA(&control.head);
        for (int i = 0; i < count; i++) fds[i] = descriptor();
        // What a datagram may say beside: its hop limit, its address.
        if (below(3) == 0) control.head.cmsg_level = below(2) ? IPPROTO_IP : IPPROTO_IPV6, control.head.cmsg_type = below(70);
        if (below(12) == 0) control.head.cmsg_len = word();
    }
    return below(10) ? (uint64_t)&header : address();
}

// Ranges of memory, a few of them.
static uint64_t ranges(void) {
    static struct iovec lists[2][4];
    struct iovec *list = lists[below(2)];
    for (int i = 0; i < 4; i++) list[i] = (struct iovec){(void *)(below(2) ? arena() : address()), below(2) ? below(20000) : length()};
    return below(8) ? (uint64_t)list : address();
}

// What is told of the processor; now and then it names a sequence that is none, which ends the caller.
static uint64_t sequence_area(void) {
    static uint64_t area[4] __attribute__((aligned(32)));
    area[1] = below(30) ? 0 : address();
    return (uint64_t)area;
}

static uint64_t strings(void) { // argv
    static uint64_t list[4096];
    unsigned count = below(5) ? below(5) : below(4096);
    uint64_t text = below(6) ? (uint64_t)PATHS[1] : address();
    for (unsigned i = 0; i < count; i++) list[i] = text;
    list[count] = below(40) ? 0 : address();
    return below(8) ? (uint64_t)list : address();
}

// f descriptor  p path  a address  l length  i small number  o bits  d process  s signal  w any word  m arena  g argv
// n small length  t a short time  I ranges of memory
// e area of rseq(2)
// k address of a socket  j its length  h family  y type  q protocol  x requests of netlink  c message with descriptors
// r name of a queue  A how it is opened  Q a queue  E how one is told (sigevent)  0 nothing
// b flags of messages  u level  v option  z ioctl of sockets and terminals
static const struct {
    uint16_t number;
    const char *arguments;
    uint8_t weight;
} KNOWN[] = {
    {SYS_openat, "fpoo", 12}, {SYS_openat, "fpiw", 4}, {SYS_close, "f", 2}, {SYS_read, "fal", 6}, {SYS_write, "fal", 6}, {SYS_readv, "fai", 4},
    {SYS_writev, "fai", 4}, {SYS_pread64, "falw", 3}, {SYS_pwrite64, "faln", 3}, {SYS_preadv, "faiw", 2}, {SYS_pwritev, "fain", 2},
    {SYS_lseek, "fwi", 3}, {SYS_dup, "f", 2}, {SYS_dup3, "ffo", 2}, {SYS_fcntl, "fiw", 4}, {SYS_fcntl, "fia", 3}, {SYS_pipe2, "ao", 4},
    {SYS_getdents64, "fal", 3}, {SYS_newfstatat, "fpao", 3}, {SYS_newfstatat, "fpa", 3}, {SYS_fstat, "fa", 2}, {SYS_statx, "fpiia", 2},
    {SYS_readlinkat, "fpal", 3}, {SYS_faccessat, "fpi", 2}, {SYS_chdir, "p", 1}, {SYS_fchdir, "f", 1}, {SYS_getcwd, "al", 2},
    {SYS_mkdirat, "fpo", 4}, {SYS_unlinkat, "fp", 3}, {SYS_unlinkat, "fpo", 2}, {SYS_renameat2, "fpfpi", 4}, {SYS_renameat, "fpfp", 2},
    {SYS_linkat, "fpfpo", 3}, {SYS_symlinkat, "pfp", 3}, {SYS_mknodat, "fpow", 2}, {SYS_ftruncate, "fn", 2}, {SYS_truncate, "pn", 1},
    {SYS_fallocate, "finn", 2}, {SYS_fchmod, "fo", 1}, {SYS_fchmodat, "fpo", 1}, {SYS_fchown, "fii", 1}, {SYS_fchownat, "fpiio", 1},
    {SYS_utimensat, "fpao", 2}, {SYS_sendfile, "ffal", 3}, {SYS_copy_file_range, "fafalo", 2}, {SYS_splice, "fafali", 6}, {SYS_splice, "fafalo", 1}, {SYS_tee, "ffli", 4}, {SYS_vmsplice, "faii", 4},
    {SYS_ioctl, "fwa", 4}, {SYS_ppoll, "aiaai", 3}, {SYS_pselect6, "iaaaaa", 3}, {SYS_flock, "fi", 1}, {SYS_memfd_create, "po", 2},
    {SYS_socket, "iii", 1}, {SYS_socket, "hyq", 8}, {SYS_socketpair, "iiia", 4}, {SYS_socketpair, "hyia", 2}, {SYS_bind, "fai", 1},
    {SYS_bind, "fkj", 8}, {SYS_listen, "fi", 4}, {SYS_accept, "faa", 3}, {SYS_accept4, "faao", 3}, {SYS_connect, "fkj", 9},
    {SYS_connect, "fai", 1}, {SYS_getsockname, "faa", 2}, {SYS_getpeername, "faa", 2}, {SYS_sendto, "falbkj", 8}, {SYS_sendto, "falb", 6},
    {SYS_sendto, "fxlb", 3}, {SYS_recvfrom, "falbaa", 6}, {SYS_sendmsg, "fcb", 6}, {SYS_recvmsg, "fcb", 6}, {SYS_sendmmsg, "faib", 1},
    {SYS_recvmmsg, "faiba", 1}, {SYS_shutdown, "fi", 2}, {SYS_getsockopt, "fuvaa", 5}, {SYS_setsockopt, "fuvai", 6},
    {SYS_ioctl, "fza", 5},
    {SYS_eventfd2, "io", 3}, {SYS_timerfd_create, "io", 2}, {SYS_timerfd_settime, "fiaa", 3}, {SYS_timerfd_gettime, "fa", 1},
    {SYS_signalfd4, "faio", 3}, {SYS_pidfd_open, "do", 2}, {SYS_pidfd_send_signal, "fsai", 2}, {SYS_pidfd_getfd, "ffi", 2}, {SYS_epoll_create1, "o", 3}, {SYS_epoll_ctl, "fifa", 8}, {SYS_epoll_pwait, "fait", 3},
    {SYS_epoll_pwait, "faiw", 1}, {SYS_epoll_pwait2, "faitai", 2},
    {SYS_inotify_init1, "o", 3}, {SYS_inotify_add_watch, "fpo", 4}, {SYS_inotify_add_watch, "fpw", 4}, {SYS_inotify_rm_watch, "fi", 2},
    {SYS_statfs, "pa", 1}, {SYS_fstatfs, "fa", 1}, {SYS_fsync, "f", 1}, {SYS_umask, "w", 1},
    {SYS_brk, "w", 1}, {SYS_brk, "m", 1}, {SYS_mmap, "mloowl", 4}, {SYS_mmap, "mlioff", 6}, {SYS_munmap, "ml", 5}, {SYS_mprotect, "mli", 6},
    {SYS_mremap, "mllim", 6}, {SYS_madvise, "mli", 4}, {SYS_mincore, "mla", 2}, {SYS_process_vm_readv, "dIiIi0", 2}, {SYS_process_vm_writev, "dIiIi0", 1}, {SYS_msync, "mli", 2}, {SYS_mlock, "ml", 1},
    {SYS_shmget, "ilo", 3}, {SYS_shmat, "imo", 3}, {SYS_shmat, "iio", 3}, {SYS_shmdt, "m", 2}, {SYS_shmctl, "iia", 3},
    {SYS_semget, "iio", 2}, {SYS_semop, "iai", 3}, {SYS_semtimedop, "iait", 4}, {SYS_semctl, "iiia", 4}, {SYS_semctl, "iiii", 2},
    {SYS_msgget, "io", 2}, {SYS_msgsnd, "iaio", 4}, {SYS_msgrcv, "iaiio", 4}, {SYS_msgctl, "iia", 3},
    {SYS_mq_open, "poon", 1}, {SYS_mq_open, "rAo0", 6}, {SYS_mq_open, "roia", 2}, {SYS_mq_unlink, "r", 1}, {SYS_mq_timedsend, "Qanit", 5},
    {SYS_mq_timedsend, "falwt", 1}, {SYS_mq_timedreceive, "Qalat", 5}, {SYS_mq_notify, "QE", 3}, {SYS_mq_notify, "fa", 1}, {SYS_mq_getsetattr, "Qaa", 2},
    {SYS_clone, "i", 3}, {SYS_clone3, "al", 2}, {SYS_clone, "oaaaa", 1}, {SYS_execve, "pgg", 2}, {SYS_execveat, "fpggo", 1},
    {SYS_wait4, "daia", 4}, {SYS_waitid, "idaia", 3}, {SYS_kill, "ds", 2}, {SYS_tkill, "ds", 1}, {SYS_tgkill, "dds", 1},
    {SYS_rt_sigaction, "saai", 6}, {SYS_rt_sigprocmask, "iaai", 3}, {SYS_rt_sigpending, "al", 1}, {SYS_rt_sigsuspend, "ai", 1},
    {SYS_rt_sigtimedwait, "aati", 2}, {SYS_rt_sigqueueinfo, "dsa", 2}, {SYS_rt_tgsigqueueinfo, "ddsa", 1}, {SYS_sigaltstack, "aa", 2},
    {SYS_rt_sigreturn, "", 1}, {SYS_nanosleep, "ta", 2}, {SYS_clock_nanosleep, "iota", 2}, {SYS_setitimer, "iaa", 2}, {SYS_getitimer, "ia", 1},
    {SYS_clock_gettime, "ia", 2}, {SYS_clock_getres, "ia", 1}, {SYS_gettimeofday, "aa", 1}, {SYS_times, "a", 1}, {SYS_getrusage, "ia", 2},
    {SYS_prlimit64, "diaa", 2}, {SYS_uname, "a", 1}, {SYS_sysinfo, "a", 1}, {SYS_getrandom, "alo", 2}, {SYS_sched_yield, "", 1},
    {SYS_rseq, "e", 1}, {SYS_rseq, "aliw", 1}, {SYS_membarrier, "oii", 2}, {SYS_futex, "aiitai", 4}, {SYS_set_tid_address, "a", 1}, {SYS_set_robust_list, "al", 1}, {SYS_prctl, "iwwww", 3}, {SYS_prctl, "iaaaa", 2},
    {SYS_setpgid, "dd", 3}, {SYS_getpgid, "d", 1}, {SYS_setsid, "", 1}, {SYS_getsid, "d", 1}, {SYS_setpriority, "idi", 1},
    {SYS_setuid, "i", 1}, {SYS_setresuid, "iii", 1}, {SYS_setgroups, "ia", 1}, {SYS_getgroups, "ia", 1}, {SYS_capget, "aa", 1},
    {SYS_syslog, "ial", 1}, {SYS_sched_getaffinity, "dla", 1}, {SYS_sched_setaffinity, "dla", 1}, {SYS_personality, "w", 1},
};

// The machine and what the parent stands on are left alone.
static int is_forbidden(uint64_t number) {
    switch (number) {
    case SYS_reboot:
    case SYS_mount:
    case SYS_umount2:
    case SYS_pivot_root:
    case SYS_vhangup:
    case SYS_clock_settime:
    case SYS_settimeofday:
    case SYS_kexec_load:
    case SYS_kexec_file_load:
    case SYS_delete_module:
    case SYS_swapoff: return 1;
    default: return 0;
    }
}

static const char *const QUEUES[] = {"q0", "q1", "q2", "fuzz/q", ".", ""};

// A queue that is open from now on: nothing else finds one among so many descriptors.
static uint64_t queue(void) {
    static int last = -1;
    if (below(4) == 0) return descriptor();
    if (last < 0 || below(8) == 0) last = (int)syscall(SYS_mq_open, QUEUES[below(3)], O_CREAT | O_NONBLOCK | O_RDWR, 0666, NULL);
    return last;
}

static uint64_t event(void) {
    static struct sigevent event;
    event.sigev_notify = below(8) ? (int)below(3) : (int)word();
    event.sigev_signo = event.sigev_notify == SIGEV_THREAD ? (int)descriptor() : (int)signal_number();
    event.sigev_value.sival_ptr = (void *)address();
    return below(8) ? (uint64_t)&event : address();
}

static uint64_t argument(char kind) {
    static const uint16_t LENGTHS[] = {16, 16, 28, 12, 110, 2}, FAMILIES[] = {AF_UNIX, AF_INET, AF_INET, AF_INET6, AF_NETLINK};
    static const uint16_t TYPES[] = {SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
    static const uint16_t PROTOCOLS[] = {0, 0, 0, 1, 4, 4, 6, 17, 58, 136, 255}, LEVELS[] = {0, 1, 1, 6, 17, 41, 58, 255, 270};
    // What carries its size, or a number in its name: of pseudo-terminals and of sockets.
    static const uint32_t REQUESTS[] = {TIOCGPTN, TIOCSPTLCK, TIOCPKT, TIOCSWINSZ, TIOCGWINSZ, TIOCGPTPEER, TIOCSCTTY, TIOCNOTTY, TIOCSPGRP,
                                        TCSETS, TCSETSF, TIOCSTI, FIONREAD, FIONBIO, FIOASYNC, SIOCGIFCONF, TIOCOUTQ, SIOCATMARK};
    static const uint64_t SHORT[][2] = {{0, 0}, {0, 1000}, {0, 2000000}, {0, 1000000000}, {~0ul, 5}, {0, ~0ul}, {1ul << 62, 999999999}};
    if (below(24) == 0) return below(2) ? word() : address();
    switch (kind) {
    case 'f': return descriptor();
    case 'p': return path();
    case 'a': return address();
    case 'l': return length();
    case 'i': return below(12);
    case 'o': return below(3) ? 1ul << below(32) | (below(2) ? 1ul << below(24) : 0) | below(4) : below(0x1000);
    case 'd': return process();
    case 's': return signal_number();
    case 'm': return arena();
    case 'g': return strings();
    case 'I': return ranges();
    case 'e': return sequence_area();
    case 'k': return socket_name();
    case 'j': return below(3) ? ONE_OF(LENGTHS) : below(130);
    case 'h': return below(10) ? ONE_OF(FAMILIES) : below(46);
    case 'y': return (below(8) ? ONE_OF(TYPES) : below(12)) | (below(2) ? SOCK_NONBLOCK : 0) | (below(8) ? 0 : SOCK_CLOEXEC);
    case 'q': return below(3) ? ONE_OF(PROTOCOLS) : below(260);
    case 'x': return netlink_request();
    case 'u': return below(8) ? ONE_OF(LEVELS) : below(300);
    case 'z': return below(3) == 0 ? ONE_OF(REQUESTS) : below(2) ? 0x8900 + below(0x60) : 0x5400 + below(0x70);
    case 'c': return message();
    case 'b': return (below(3) ? MSG_DONTWAIT : 0) | (below(2) ? 1ul << below(32) : 0);
    case 'v': return below(80);
    case 'n': return below(1 << 18);
    case 'r': return (uint64_t)ONE_OF(QUEUES);
    case 'A': return O_CREAT | below(4) | (below(2) ? O_NONBLOCK : 0) | (below(4) ? 0 : O_EXCL);
    case '0': return 0;
    case 'Q': return queue();
    case 'E': return event();
    case 't': return below(8) ? (uint64_t)ONE_OF(SHORT) : address();
    default: return word();
    }
}

static uint64_t system_call(uint64_t number, const uint64_t *a) {
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = a[0], x1 __asm__("x1") = a[1], x2 __asm__("x2") = a[2];
    register uint64_t x3 __asm__("x3") = a[3], x4 __asm__("x4") = a[4], x5 __asm__("x5") = a[5];
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

static void choose(uint64_t *number, uint64_t *a) {
    const char *kinds = "wwwwww";
    if (below(12)) {
        static unsigned total;
        if (total == 0)
            for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) total += KNOWN[i].weight;
        unsigned at = below(total), i = 0;
        while (at >= KNOWN[i].weight) at -= KNOWN[i++].weight;
        *number = KNOWN[i].number;
        kinds = KNOWN[i].arguments;
    } else {
        do *number = below(64) ? below(470) : word();
        while (is_forbidden(*number & 0xffffffff));
        if (below(2)) kinds = "faaaaa";
    }
    for (int i = 0; i < 6; i++) {
        a[i] = argument(*kinds ? *kinds : 'w');
        kinds += *kinds != 0;
    }
    if (*number == SYS_rseq && kinds[0] == 0) a[1] = 32, a[2] = below(3) == 0, a[3] = 5;
    if ((*number == SYS_exit || *number == SYS_exit_group) && below(16)) *number = SYS_getpid;
    // The parent's limits would be everybody's.
    if (*number == SYS_prlimit64 && a[0] == 1) a[0] = 0;
    // Root might write to the parent.
    if ((int)*number == SYS_process_vm_writev) a[0] = getpid();
}

static void trace(uint64_t number, const uint64_t *a) {
    char line[200];
    int len = snprintf(line, sizeof line, "%d.%d: %ld(%lx, %lx, %lx, %lx, %lx, %lx)\n", (int)(state >> 56), depth, (long)number, a[0], a[1],
                       a[2], a[3], a[4], a[5]);
    if (write(console, line, len) != len) _exit(9);
}

static sigjmp_buf after_fault;

static void on_signal(int number) { (void)number; }
static void on_fault(int number) { siglongjmp(after_fault, number); }

// Keeps the caller alive through the signals that it brings upon itself, until it changes that.
static void catch_signals(void) {
    for (int i = 1; i < 65; i++) signal(i, on_signal);
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    signal(SIGTSTP, SIG_DFL);
    signal(SIGTTIN, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
}

static void make_places(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    mmap(ARENA, ARENA_LEN, PROT_READ | PROT_WRITE, flags | MAP_FIXED | MAP_NORESERVE, -1, 0);
    plain = mmap(NULL, 17 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    read_only = mmap(NULL, PAGE, PROT_READ, flags, -1, 0);
    char *three = mmap(NULL, 3 * PAGE, PROT_NONE, flags, -1, 0);
    edge = three + PAGE;
    mprotect(edge, PAGE, PROT_READ | PROT_WRITE);
    int file = open("fza", O_RDWR | O_CREAT, 0644);
    if (ftruncate(file, 100) != 0) _exit(8);
    beyond = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
}

static void put(const char *name, const void *bytes, size_t len) {
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0755);
    if (write(file, bytes, len) < 0) _exit(8);
}

static void open_things(void) {
    static const char *const FILES[] = {"/dev/zero", "/dev/null", "/dev/full", "/proc/self/maps", "/proc/self/pagemap", "/", "/dev/urandom"};
    int ends[2];
    mkdir("fzd", 0777);
    mkdir("fzd/fzd", 0777);
    if (symlink("fzloop", "fzloop") + symlink("fzd/fzb", "fzlink") + mkfifo("fzfifo", 0666) < -3) _exit(8);
    put("fzb", PATHS, sizeof PATHS);
    put("fzscript", "#!fzscript x\n", 13);
    uint64_t garbage[64] = {0x00010102464c457f, 0, 0x0000000100b70002, 0x2000000000};
    for (int i = 4; i < 64; i++) garbage[i] = word();
    garbage[4] = 64;
    garbage[6] = 0x0003003800400000;
    put("fzgarbage", garbage, sizeof garbage);
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) open(FILES[i], i & 1 ? O_RDONLY : O_RDWR);
    for (int i = 0; i < 3; i++)
        if (pipe2(ends, i ? 0 : O_NONBLOCK) != 0) _exit(8);
    open("fzd", O_RDONLY | O_DIRECTORY);
    open("fzfifo", O_RDWR);
}

// Sockets that talk with each other, and a pair of a pseudo-terminal. What cannot be had is not there.
static void open_sockets(void) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind(listening, (void *)&name, sizeof name);
    listen(listening, 4);
    getsockname(listening, (void *)&name, &len);
    connect(client, (void *)&name, len);
    accept4(listening, NULL, NULL, below(2) ? SOCK_NONBLOCK : 0);
    int datagrams = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    bind(datagrams, (void *)&(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port()}, sizeof(struct sockaddr_in6));
    socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, below(2) * 4);
    socket(AF_INET, below(2) ? SOCK_RAW : SOCK_DGRAM, IPPROTO_ICMP);
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), no = 0;
    ioctl(master, TIOCSPTLCK, &no);
    ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
}

// Everything after a fork with other numbers; nobody has more than a few descendants.
static void after_fork(void) {
    if (++depth > 3 || ++forks > MOST_FORKS) _exit(0);
    state = next() ^ 0x5555 * depth;
}

static void make_calls(unsigned calls) {
    uint64_t a[6], number;
    struct itimerval tick = {{0, TICK_MICROS}, {0, TICK_MICROS}};
    setitimer(ITIMER_REAL, &tick, NULL);
    // Static: as it was before a fault's long jump.
    static unsigned i;
    (void)sigsetjmp(after_fault, 1);
    while (i++ < calls) {
        if (i % 64 == 0) {
            catch_signals();
            setitimer(ITIMER_REAL, &tick, NULL);
        }
        fill_plain();
        choose(&number, a);
        if (number == SYS_clone && forks++ > MOST_FORKS) continue;
        if (is_traced) trace(number, a);
        uint64_t result = system_call(number, a);
        report->calls++;
        int is_fork = number == SYS_clone || number == SYS_clone3;
        if (result == 0 && is_fork) after_fork();
        if ((int64_t)result < -HIGHEST_ERROR && (int64_t)result >= -4095) {
            report->wrong++;
            report->wrong_number = number;
            report->wrong_result = result;
        }
        if (i % 16 == 0) { // somebody uses the memory, too
            volatile char *touched = (volatile char *)arena();
            *touched = *touched + 1;
        }
    }
}

static void be_caller(uint64_t seed, unsigned calls, int with_console) {
    state = seed;
    setpgid(0, 0);
    console = fcntl(1, F_DUPFD, 100);
    if (!with_console)
        for (int i = 0; i < 3; i++) {
            close(i);
            open("/dev/null", O_RDWR);
        }
    // That of the C library makes room for others.
    syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
    catch_signals();
    make_places();
    open_things();
    open_sockets();
    // Half of them as somebody without rights.
    if (below(2) && setgid(1000) + setuid(1000) != 0) _exit(8);
    make_calls(calls);
    _exit(0);
}

static int remove_entry(const char *name, const struct stat *status, int type, struct FTW *at) {
    (void)status, (void)at;
    if (type == FTW_DP ? rmdir(name) : unlink(name)) printf("fuzz: %s: %m\n", name);
    return 0;
}

static uint64_t millis(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ul + now.tv_nsec / 1000000;
}

// Waits for every child, and kills what does not end by itself; whatever was orphaned is the parent's, too.
static int collect(void) {
    uint64_t end = millis() + ROUND_MILLIS;
    for (int is_killing = 0;;) {
        pid_t child = waitpid(-1, NULL, is_killing ? 0 : WNOHANG);
        if (child < 0) return errno == ECHILD ? 0 : -1;
        if (child == 0 && millis() > end) is_killing = 1;
        if (child == 0) usleep(1000);
        if (is_killing) kill(-1, SIGKILL);
    }
}

static long free_kib(void) {
    char text[4096], *line;
    int file = open("/proc/meminfo", O_RDONLY);
    ssize_t len = read(file, text, sizeof text - 1);
    close(file);
    if (len <= 0) return -1;
    text[len] = 0;
    line = strstr(text, "MemAvailable:");
    return line ? strtol(line + 13, NULL, 10) : -1;
}

// The system does what it should: a child, a pipe, a file, memory.
static int still_works(void) {
    int ends[2], status = -1;
    char byte = 0, *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || pipe(ends) != 0) return 0;
    memory[70000] = 5;
    pid_t child = fork();
    if (child == 0) {
        memory[70000]++;
        _exit(write(ends[1], memory + 70000, 1) == 1 ? 7 : 1);
    }
    int is_good = waitpid(child, &status, 0) == child && status == 7 << 8 && read(ends[0], &byte, 1) == 1 && byte == 6 && memory[70000] == 5;
    close(ends[0]);
    close(ends[1]);
    munmap(memory, 1 << 20);
    return is_good;
}

// Semaphores and messages outlive those who made them, as shared memory does.
static void remove_semaphores(void) {
    struct seminfo sets;
    struct msqid_ds status;
    int highest = semctl(0, 0, SEM_INFO, &sets);
    for (int index = 0; index <= highest; index++) {
        struct semid_ds set;
        int id = semctl(index, 0, SEM_STAT, &set);
        if (id >= 0) semctl(id, 0, IPC_RMID);
    }
    highest = msgctl(0, MSG_INFO, &status);
    for (int index = 0; index <= highest; index++) {
        int id = msgctl(index, MSG_STAT, &status);
        if (id >= 0) msgctl(id, IPC_RMID, NULL);
    }
}

static void remove_segments(void) {
    struct shmid_ds status;
    int highest = shmctl(0, SHM_INFO, &status);
    for (int index = 0; index <= highest; index++) {
        int id = shmctl(index, SHM_STAT, &status);
        if (id >= 0) shmctl(id, IPC_RMID, NULL);
    }
}

static int play_round(uint64_t seed, unsigned calls) {
    static struct termios terminal;
    static int is_known;
    if (!is_known) tcgetattr(0, &terminal), is_known = 1;
    if (mkdir("/fzwork", 0777) != 0 || chdir("/fzwork") != 0) return printf("fuzz: no room to work in: %m\n"), 0;
    for (int i = 0; i < CALLERS; i++)
        if (fork() == 0) be_caller(seed * CALLERS + i, calls, seed % 64 == 0);
    int is_good = collect() == 0;
    tcflow(0, TCOON);
    tcsetattr(0, TCSANOW, &terminal);
    chdir("/");
    remove_segments();
    remove_semaphores();
    nftw("/fzwork", remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++)
        if (strncmp(PATHS[i], "/fz", 3) == 0 || strncmp(PATHS[i], "fz", 2) == 0) unlink(PATHS[i]), rmdir(PATHS[i]);
    return is_good && still_works();
}

int main(int count, char **arguments) {
    uint64_t first = count > 1 ? strtoull(arguments[1], NULL, 0) : 1;
    unsigned rounds = count > 2 ? atoi(arguments[2]) : 100, calls = count > 3 ? atoi(arguments[3]) : 1000, broken = 0;
    is_traced = count > 4;
    if (getpid() != 1) return fputs("fuzz: to be run as process 1\n", stderr), 2;
    if (access("/proc/self", F_OK) != 0) mount("proc", "/proc", "proc", 0, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/dev/pts", 0755);
    mknod("/dev/ptmx", S_IFCHR | 0666, makedev(5, 2));
    mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666");
    int groups = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
    if (write(groups, "0 65535", 7) != 7) return fputs("fuzz: nobody may ask for echoes\n", stderr), 2;
    close(groups);
    umask(0);
    report = mmap(REPORT, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    // Twice the same: what the kernel keeps ready it has after the first time.
    long before = 0, after = 0;
    for (int pass = 0; pass < 2; pass++) {
        before = after;
        for (unsigned i = 0; i < rounds; i++) {
            int is_good = play_round(first + i, calls);
            broken += !is_good;
            if (!is_good || i % 50 == 49)
                printf("fuzz: pass %d, seed %lu: %s, %lu calls, %ld KiB free\n", pass, first + i, is_good ? "good" : "BROKEN", report->calls, free_kib());
        }
        after = free_kib();
    }
    if (report->wrong) printf("fuzz: call %ld returned %ld\n", (long)report->wrong_number, (long)report->wrong_result);
    printf("fuzz: %lu calls, %u rounds broken, %lu results wrong, %ld KiB lost: %s\n", report->calls, broken, report->wrong, before - after,
           broken + report->wrong == 0 && before - after <= TOLERATED_KIB ? "passed" : "failed");
    reboot(RB_POWER_OFF);
    return 0;
}
