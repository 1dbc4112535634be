// Fault injection (/proc/self/fail-nth, kernels with checks): a broad set of system calls, each again and again with its first,
// second, third ... allocation refused, until none is. Each answers an error that it may answer or succeeds, and nothing is left
// behind: descriptors, areas, processes and free memory are what they were. And pages that have to be waited for.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/file.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <linux/futex.h>
#include <time.h>
#include "fail_nth.h"

static int try_open(void) { return close_of(open("/tmp/file", O_RDWR)); }
static int try_create(void) {
    int error = close_of(open("/tmp/new", O_RDWR | O_CREAT | O_EXCL, 0600));
    arm(0);
    unlink("/tmp/new");
    return error;
}
static int try_unnamed(void) { return close_of(open("/tmp", O_RDWR | O_TMPFILE, 0600)); }
static int try_memfd(void) { return close_of(memfd_create("name", MFD_CLOEXEC)); }
static int try_eventfd(void) { return close_of(syscall(SYS_eventfd2, 3, 0)); }
static int try_timerfd(void) { return close_of(syscall(SYS_timerfd_create, CLOCK_REALTIME, 0)); }
static int try_signalfd(void) { return close_of(syscall(SYS_signalfd4, -1, &(uint64_t){0}, 8, 0)); }
static int try_pidfd(void) { return close_of(syscall(SYS_pidfd_open, getpid(), 0)); }

static int try_epoll(void) {
    struct epoll_event event = {EPOLLIN | EPOLLOUT, {0}};
    int epoll = syscall(SYS_epoll_create1, 0), counter = syscall(SYS_eventfd2, 0, 0);
    int error = epoll < 0 || counter < 0 ? errno : 0;
    if (!error) error = error_of(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, counter, &event));
    if (!error) error = error_of(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_MOD, counter, &event));
    if (!error) error = error_of(syscall(SYS_epoll_pwait, epoll, &event, 1, -1, NULL, 8));
    arm(0);
    if (epoll >= 0) close(epoll);
    if (counter >= 0) close(counter);
    return error;
}

static int try_epoll_nested(void) {
    struct epoll_event event = {EPOLLIN, {0}};
    int outer = syscall(SYS_epoll_create1, 0), inner = syscall(SYS_epoll_create1, 0);
    int error = outer < 0 || inner < 0 ? errno : 0;
    if (!error) error = error_of(syscall(SYS_epoll_ctl, outer, EPOLL_CTL_ADD, inner, &event));
    arm(0);
    if (outer >= 0) close(outer);
    if (inner >= 0) close(inner);
    return error;
}

// An event that finds no memory is told as a loss, and no call fails by it.
static int try_inotify(void) {
    char events[512] __attribute__((aligned(8)));
    int fd = syscall(SYS_inotify_init1, O_NONBLOCK);
    if (fd < 0) return errno;
    int error = error_of(syscall(SYS_inotify_add_watch, fd, "/tmp", IN_ALL_EVENTS));
    if (!error) error = error_of(syscall(SYS_inotify_add_watch, fd, "/tmp/file", IN_ATTRIB));
    if (!error) error = error_of(chmod("/tmp/file", 0644));
    if (!error) {
        ssize_t len = read(fd, events, sizeof events);
        bool is_lost = ((struct inotify_event *)events)->mask == IN_Q_OVERFLOW;
        if (len < (ssize_t)sizeof(struct inotify_event)) error = EIO;
        if (!error && (is_lost || len != 16 + 16 + 16)) error = ENOMEM;
    }
    arm(0);
    close(fd);
    return error;
}

static int try_dup_high(void) { return close_of(fcntl(0, F_DUPFD, 900)); }
static int try_device(void) { return close_of(open("/dev/null", O_RDWR)); }
static int try_path_only(void) { return close_of(open("/tmp/link", O_PATH | O_NOFOLLOW)); }
static int try_follow(void) { return close_of(open("/tmp/link", O_RDONLY)); }

static int try_pipe(void) {
    int fds[2];
    if (pipe(fds) < 0) return errno;
    int error = error_of(write(fds[1], "text", 4));
    arm(0);
    close(fds[0]);
    close(fds[1]);
    return error;
}

static int try_write_file(void) {
    int fd = open("/tmp/pages", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return errno;
    static char page[3 * 4096];
    int error = error_of(pwrite(fd, page, sizeof page, 1 << 20));
    arm(0);
    close(fd);
    unlink("/tmp/pages");
    return error;
}

static int try_names(void) {
    int error = error_of(mkdir("/tmp/directory", 0700));
    if (!error) error = error_of(symlink("somewhere", "/tmp/directory/symlink"));
    if (!error) error = error_of(link("/tmp/file", "/tmp/directory/hard"));
    if (!error) error = error_of(mknod("/tmp/directory/fifo", S_IFIFO | 0600, 0));
    if (!error) error = error_of(rename("/tmp/directory/hard", "/tmp/directory/renamed"));
    if (!error)
        error = error_of(syscall(SYS_renameat2, AT_FDCWD, "/tmp/directory/fifo", AT_FDCWD, "/tmp/directory/renamed", 2));
    arm(0);
    unlink("/tmp/directory/symlink");
    unlink("/tmp/directory/hard");
    unlink("/tmp/directory/fifo");
    unlink("/tmp/directory/renamed");
    rmdir("/tmp/directory");
    return error;
}

static int try_places(void) {
    char text[200];
    int error = error_of(chdir("/tmp"));
    if (!error) error = error_of(syscall(SYS_getcwd, text, sizeof text));
    if (!error) error = error_of(readlink("/proc/self/cwd", text, sizeof text));
    arm(0);
    chdir("/");
    return error;
}

static int try_list(void) {
    int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (fd < 0) return errno;
    char entries[2048];
    int error = error_of(syscall(SYS_getdents64, fd, entries, sizeof entries));
    arm(0);
    close(fd);
    return error;
}

static int read_text(const char *name) {
    int fd = open(name, O_RDONLY);
    if (fd < 0) return errno;
    static char text[4096];
    int error = error_of(read(fd, text, sizeof text));
    arm(0);
    close(fd);
    return error;
}
static int try_maps(void) { return read_text("/proc/self/maps"); }
static int try_smaps(void) { return read_text("/proc/self/smaps"); }
static int try_status(void) { return read_text("/proc/self/status"); }
static int try_stat(void) { return read_text("/proc/self/stat"); }
static int try_mounts(void) { return read_text("/proc/self/mounts"); }
static int try_meminfo(void) { return read_text("/proc/meminfo"); }
static int try_vmstat(void) { return read_text("/proc/vmstat"); }
static int try_environ(void) { return read_text("/proc/self/environ"); }

static int try_fork(void) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    int error = child < 0 ? errno : 0;
    arm(0);
    if (child > 0) waitpid(child, NULL, 0);
    return error;
}

static int shared_child(void *unused) {
    (void)unused;
    _exit(0);
}

static int try_clone_shared(void) {
    static char stack[8192] __attribute__((aligned(16)));
    int flags = CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_VFORK | SIGCHLD;
    pid_t child = clone(shared_child, stack + sizeof stack, flags, NULL);
    int error = child < 0 ? errno : 0;
    arm(0);
    if (child > 0) waitpid(child, NULL, 0);
    return error;
}

static int try_lock(void) {
    int fd = open("/tmp/file", O_RDWR);
    if (fd < 0) return errno;
    int error = 0;
    for (int at = 0; at < 20 && !error; at += 2) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
        error = error_of(fcntl(fd, F_SETLK, &lock));
    }
    if (!error) error = error_of(flock(fd, LOCK_EX));
    arm(0);
    close(fd);
    return error;
}

static int try_poll(void) {
    struct pollfd entries[40];
    for (int i = 0; i < 40; i++) entries[i] = (struct pollfd){.fd = control - 1, .events = POLLIN};
    return error_of(poll(entries, 40, 0));
}

static int try_select(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(control - 1, &set);
    struct timeval wait = {0};
    return error_of(select(control, &set, NULL, NULL, &wait));
}

static void nothing(int signal) { (void)signal; }

static int try_signals(void) {
    struct sigaction action = {.sa_handler = nothing};
    int error = error_of(sigaction(SIGUSR1, &action, NULL));
    if (!error) error = error_of(sigqueue(getpid(), SIGUSR1, (union sigval){0}));
    return error;
}

static int try_limits(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    return error_of(setrlimit(RLIMIT_CORE, &limit));
}

static int try_users(void) { return error_of(setresgid(0, 0, 0)); }

static int try_groups(void) {
    gid_t groups[] = {1, 2, 3};
    return error_of(syscall(SYS_setgroups, 3, groups));
}

static int try_mount(void) {
    int error = error_of(mount("none", "/tmp/place", "tmpfs", 0, ""));
    arm(0);
    umount("/tmp/place");
    return error;
}

static int try_priority(void) {
    errno = 0;
    return getpriority(PRIO_USER, 0) == -1 ? errno : 0;
}

static int try_session(void) {
    pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) {
        int own = open("/proc/self/fail-nth", O_RDWR);
        if (write(own, "1", 1) != 1) _exit(99);
        _exit(setsid() < 0 && errno != ENOMEM ? 98 : 0);
    }
    arm(0);
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EIO;
}

static int try_vectors(void) {
    static char bytes[64];
    struct iovec pieces[40];
    for (int i = 0; i < 40; i++) pieces[i] = (struct iovec){bytes, 1};
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0) return errno;
    int error = error_of(writev(fd, pieces, 40));
    arm(0);
    close(fd);
    return error;
}

#include "fail_nth_memory.h"
#include "fail_nth_calls.h"
#include "fail_nth_faults.h"
#include "fail_nth_network.h"
#include "fail_nth_sockets.h"

static const struct {
    const char *name;
    Try make;
} tries[] = {
#define TRY(name) {#name, try_##name}
    TRY(open), TRY(create), TRY(unnamed), TRY(memfd), TRY(eventfd), TRY(timerfd), TRY(pidfd), TRY(signalfd), TRY(socket_pair), TRY(socket_rights), TRY(socket_names), TRY(socket_any_name), TRY(tcp), TRY(tcp_refused), TRY(udp), TRY(echo), TRY(netlink), TRY(diag), TRY(multicast), TRY(pty), TRY(net_files), TRY(epoll), TRY(epoll_nested), TRY(inotify), TRY(dup_high), TRY(device), TRY(path_only), TRY(follow),
    TRY(pipe), TRY(write_file), TRY(names), TRY(places), TRY(list), TRY(maps), TRY(smaps), TRY(status), TRY(stat),
    TRY(mounts), TRY(meminfo), TRY(vmstat), TRY(environ), TRY(fork),
    TRY(clone_shared), TRY(lock), TRY(poll), TRY(select), TRY(signals),
    TRY(limits), TRY(users), TRY(groups), TRY(mount), TRY(priority), TRY(session), TRY(vectors),
    TRY(map), TRY(map_shared), TRY(segment), TRY(map_file), TRY(split), TRY(protect), TRY(move), TRY(others_memory), TRY(grow_break), TRY(advise), TRY(populate),
    TRY(lock_memory), TRY(map_after_fork), TRY(sleep), TRY(interval_timer), TRY(timer), TRY(futex), TRY(poll_timeout),
    TRY(select_timeout), TRY(wait_signal), TRY(exec), TRY(exec_sharing), TRY(exec_arguments), TRY(thread), TRY(clone_everything), TRY(statistics),
    TRY(xattr), TRY(truncate), TRY(allocate), TRY(copy_file), TRY(send_file), TRY(splice_tee), TRY(semaphores), TRY(messages), TRY(posix_queue), TRY(posix_wait), TRY(chroot), TRY(stop_child),
    TRY(wait_child), TRY(links), TRY(owner), TRY(tasks), TRY(pagemap), TRY(limits_text), TRY(syslog), TRY(membarrier), TRY(capabilities),
    TRY(descriptors_grow), TRY(dup_many), TRY(orphans),
};

// What takes many frames.
static const struct {
    const char *name;
    Try make;
} frame_tries[] = {
    TRY(fill_pipe), TRY(write_file), TRY(fork), TRY(exec), TRY(thread),
};

// Of a page that has to be waited for no call says anything, nor of memory that is missing for the moment.
static int is_documented(int error) {
    if (!strcmp(counted, " waits") || !strcmp(counted, " short")) return error == 0;
    return error == 0 || error == ENOMEM || error == EAGAIN || error == ENOSPC || error == ENOLCK || error == ENFILE;
}

// A packet, an event or a part of an answer that finds no memory is lost, however much there is a moment later: so on Linux.
static int may_be_lost(const char *name, int error) {
    static const char *const NAMES[] = {"tcp", "tcp_refused", "udp", "echo", "netlink", "diag", "multicast", "inotify"};
    if (strcmp(counted, " short") || (error != ENOMEM && error != EAGAIN)) return 0;
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (!strcmp(name, NAMES[i])) return 1;
    return 0;
}

// One call with each of its allocations refused in turn; how many were.
static unsigned play(const char *name, Try make) {
    unsigned nth = first_nth;
    for (; nth < MOST; nth++) {
        is_noted = false;
        // A call that waits for what it has taken already, when it is made again, is interrupted.
        alarm(20);
        arm(nth);
        int error = make();
        alarm(0);
        // A try that succeeded says what was left of the count before it disarmed: something, if none of its own was refused.
        bool was_done = (is_noted ? noted : left_over()) != 0;
        arm(0);
        bool is_right = is_documented(error) || may_be_lost(name, error);
        if (!is_right) printf("%s: allocation %u: error %d\n", name, nth, error);
        CHECK(is_right);
        if (was_done) break;
    }
    CHECK(nth < MOST);
    injected += nth - first_nth;
    return nth - first_nth;
}

#include "fail_nth_waits.h"

static int count_entries(const char *name) {
    DIR *all = opendir(name);
    int count = 0;
    while (all && readdir(all)) count++;
    if (all) closedir(all);
    return count;
}

static int count_lines(const char *name) {
    FILE *file = fopen(name, "r");
    int lines = 0, c;
    while (file && (c = getc(file)) != EOF) lines += c == '\n';
    if (file) fclose(file);
    return lines;
}

static long free_kib(void) {
    FILE *file = fopen("/proc/meminfo", "r");
    char line[100];
    long free = -1;
    while (file && fgets(line, sizeof line, file)) sscanf(line, "MemAvailable: %ld", &free);
    if (file) fclose(file);
    return free;
}

static void play_all(void) {
    for (unsigned i = 0; i < sizeof tries / sizeof *tries; i++) {
        unsigned count = play(tries[i].name, tries[i].make);
        printf("%s: %u refused\n", tries[i].name, count);
    }
    counted = " frames";
    for (unsigned i = 0; i < sizeof frame_tries / sizeof *frame_tries; i++) {
        unsigned count = play(frame_tries[i].name, frame_tries[i].make);
        printf("%s: %u frames refused\n", frame_tries[i].name, count);
        CHECK(count > 0 || first_nth > 1);
    }
    counted = " short";
    for (unsigned i = 0; i < sizeof tries / sizeof *tries; i++) {
        unsigned count = play(tries[i].name, tries[i].make);
        printf("%s: found %u of short memory\n", tries[i].name, count);
    }
    counted = "";
    play_waits();
    play_faults();
}

static void checks(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    control = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
    if (control != ends[1] + 1) {
        CHECK(control == ends[1] + 1);
        return;
    }
    // Entry control - 1 of poll and select: an end of a pipe that never has anything.
    dup2(ends[0], control - 1);
    close(open("/tmp/file", O_RDWR | O_CREAT, 0600));
    truncate("/tmp/file", 4096);
    symlink("file", "/tmp/link");
    mkdir("/tmp/place", 0700);
    make_terminals();

    struct sigaction interrupted = {.sa_handler = nothing};
    CHECK(sigaction(SIGALRM, &interrupted, NULL) == 0);
    // Orphans of the tries are waited for.
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    // Once with nothing refused: what is made once and kept is there.
    first_nth = MOST - 1;
    play_all();
    first_nth = 1;
    int fds = count_entries("/proc/self/fd"), areas = count_lines("/proc/self/maps");
    int processes = count_entries("/proc"), files = count_entries("/tmp");
    long before = free_kib();
    play_all();
    CHECK(count_entries("/proc/self/fd") == fds);
    CHECK(count_lines("/proc/self/maps") == areas);
    int later = count_entries("/proc");
    printf("entries of /proc: %d before, %d after\n", processes, later);
    CHECK(later == processes);
    CHECK(count_entries("/tmp") == files);
    long after = free_kib();
    printf("free: %ld KiB before, %ld after\n", before, after);
    // Some buffers of 64 KiB are kept for the loopback interface's next packets; each refusal repeats what leaks.
    CHECK(before - after < 192);
    printf("fail_nth: %lu allocations refused\n", injected);
    CHECK(injected > 1000);
    printf("fail_nth: %lu allocations of page faults refused\n", faults_refused);
    CHECK(faults_refused > 50);
    printf("fail_nth: %lu pages waited for\n", waits_made);
    CHECK(waits_made > 30);
    change_while_waiting();
    lose_page();
    end_with_late_lock();

    // Others may not.
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setuid(1000) == 0);
        CHECK(open("/proc/self/fail-nth", O_RDWR) < 0 && (errno == EPERM || errno == EACCES));
        end_child();
    }
    CHECK(child_passed(child));
}

int main(void) {
    // Begun by a try: whether all that exec wanted was had.
    if (getenv("FAIL_NTH")) return left_of("/proc/self/fail-nth") != 0 ? 100 : 0;
    return run_as_init("fail_nth", checks);
}
