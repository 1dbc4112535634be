// POSIX message queues: mq_overview(7). Linux 6.12 says what is right.
#include "check.h"
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (intptr_t)(call) == -1 && errno == (error))

static const char NAME[] = "/queue";
static char text[8192];

static mqd_t make(long messages, long bytes, int flags) {
    struct mq_attr wanted = {.mq_maxmsg = messages, .mq_msgsize = bytes};
    mqd_t queue = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &wanted);
    CHECK(queue >= 0);
    return queue;
}

static void end(mqd_t queue) {
    CHECK(mq_unlink(NAME) == 0 && mq_close(queue) == 0);
}

static struct timespec from_now(long milliseconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    long nanos = now.tv_nsec + milliseconds * 1000000;
    return (struct timespec){now.tv_sec + nanos / 1000000000, nanos % 1000000000};
}

static long count(mqd_t queue) {
    struct mq_attr is;
    return mq_getattr(queue, &is) == 0 ? is.mq_curmsgs : -1;
}

static void names(void) {
    CHECK(FAILS(mq_open(NAME, O_RDWR), ENOENT) && FAILS(mq_unlink(NAME), ENOENT));
    // The call itself gets a name without its slash.
    CHECK(FAILS(syscall(SYS_mq_open, NAME, O_RDWR | O_CREAT, 0600, NULL), EACCES));
    CHECK(FAILS(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES));
    CHECK(FAILS(syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL), EACCES));
    CHECK(FAILS(syscall(SYS_mq_open, "..", O_RDONLY, 0600, NULL), EACCES));
    CHECK(FAILS(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT));
    CHECK(FAILS(syscall(SYS_mq_open, (void *)16, O_RDWR | O_CREAT, 0600, NULL), EFAULT));
    CHECK(FAILS(syscall(SYS_mq_open, "queue", O_RDWR, 0600, 16), EFAULT));
    char name[300] = "/";
    memset(name + 1, 'n', 255);
    mqd_t longest = mq_open(name, O_RDONLY | O_CREAT, 0600, NULL);
    CHECK(longest >= 0 && mq_close(longest) == 0 && mq_unlink(name) == 0);
    name[256] = 'n';
    CHECK(FAILS(mq_open(name, O_RDONLY | O_CREAT, 0600, NULL), ENAMETOOLONG) && FAILS(mq_unlink(name), ENAMETOOLONG));

    mqd_t queue = make(3, 100, 0), other = mq_open(NAME, O_RDONLY);
    CHECK(fcntl(queue, F_GETFD) == FD_CLOEXEC && other >= 0 && other != queue);
    CHECK(FAILS(mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST) && FAILS(mq_open(NAME, O_ACCMODE), EINVAL));
    mqd_t same = mq_open(NAME, O_RDWR | O_CREAT, 0600, NULL);
    CHECK(same >= 0 && mq_send(same, "x", 1, 0) == 0 && count(other) == 1);
    CHECK(FAILS(mq_send(other, "x", 1, 0), EBADF));
    mqd_t writer = mq_open(NAME, O_WRONLY);
    CHECK(FAILS(mq_receive(writer, text, sizeof text, NULL), EBADF) && mq_send(writer, "yz", 2, 0) == 0);
    // It lives on without a name, and another gets the name.
    CHECK(mq_unlink(NAME) == 0 && FAILS(mq_open(NAME, O_RDWR), ENOENT));
    CHECK(mq_receive(other, text, sizeof text, NULL) == 1 && mq_receive(other, text, sizeof text, NULL) == 2);
    mqd_t next = make(1, 1, 0);
    CHECK(count(next) == 0 && mq_send(queue, "old", 3, 0) == 0 && count(next) == 0);
    end(next);
    CHECK(mq_close(queue) == 0 && mq_close(other) == 0 && mq_close(same) == 0 && mq_close(writer) == 0);
    CHECK(FAILS(mq_send(queue, "x", 1, 0), EBADF) && FAILS(mq_send(1, "x", 1, 0), EBADF) && FAILS(mq_notify(1, NULL), EBADF));
}

static void shapes(void) {
    // As root, who may go beyond the limits of /proc/sys/fs/mqueue.
    static const struct {
        long messages, bytes;
        int error;
    } WANTED[] = {
        {0, 1, EINVAL}, {1, 0, EINVAL}, {-1, 1, EINVAL}, {1, -1, EINVAL}, {65537, 1, EINVAL}, {1, (16 << 20) + 1, EINVAL},
        {65536, 16 << 20, EMFILE}, {100, 8192, EMFILE}, {1, 1, 0}, {99, 8000, 0}, {11, 9000, 0},
    };
    for (unsigned i = 0; i < sizeof WANTED / sizeof *WANTED; i++) {
        struct mq_attr wanted = {.mq_flags = O_NONBLOCK, .mq_maxmsg = WANTED[i].messages, .mq_msgsize = WANTED[i].bytes, .mq_curmsgs = 5};
        errno = 0;
        mqd_t queue = mq_open(NAME, O_RDWR | O_CREAT, 0600, &wanted);
        check((queue < 0) == !!WANTED[i].error && errno == WANTED[i].error, __FILE__, i, "a shape");
        if (queue < 0) continue;
        struct mq_attr is;
        CHECK(mq_getattr(queue, &is) == 0 && is.mq_maxmsg == wanted.mq_maxmsg && is.mq_msgsize == wanted.mq_msgsize);
        CHECK(is.mq_flags == 0 && is.mq_curmsgs == 0);
        end(queue);
    }
    mqd_t queue = mq_open(NAME, O_RDWR | O_CREAT | O_NONBLOCK, 0600, NULL);
    struct mq_attr is, new = {.mq_flags = 0, .mq_maxmsg = 1, .mq_msgsize = 1};
    CHECK(mq_getattr(queue, &is) == 0 && is.mq_maxmsg == 10 && is.mq_msgsize == 8192 && is.mq_flags == O_NONBLOCK);
    CHECK(mq_setattr(queue, &new, &is) == 0 && is.mq_flags == O_NONBLOCK && is.mq_maxmsg == 10);
    CHECK(mq_getattr(queue, &is) == 0 && is.mq_flags == 0 && is.mq_maxmsg == 10 && !(fcntl(queue, F_GETFL) & O_NONBLOCK));
    new.mq_flags = O_APPEND;
    CHECK(FAILS(mq_setattr(queue, &new, NULL), EINVAL));
    CHECK(FAILS(syscall(SYS_mq_getsetattr, queue, 16, NULL), EFAULT) && FAILS(syscall(SYS_mq_getsetattr, queue, NULL, 16), EFAULT));
    CHECK(FAILS(syscall(SYS_mq_getsetattr, 1, NULL, &is), EBADF) && FAILS(syscall(SYS_mq_getsetattr, 99, NULL, &is), EBADF));
    end(queue);
}

static void order(void) {
    mqd_t queue = make(8, 16, 0);
    static const unsigned PRIORITIES[] = {3, 0, 32767, 3, 7, 0, 32767, 3};
    for (unsigned i = 0; i < 8; i++) {
        char letter = 'a' + i;
        CHECK(mq_send(queue, &letter, 1, PRIORITIES[i]) == 0);
    }
    char got[9] = "";
    for (unsigned i = 0; i < 8; i++) {
        unsigned priority = 99;
        CHECK(mq_receive(queue, text, 16, &priority) == 1);
        got[i] = text[0];
        CHECK(priority == PRIORITIES[text[0] - 'a']);
    }
    check(strcmp(got, "cgeadhbf") == 0, __FILE__, __LINE__, got);
    CHECK(mq_send(queue, "", 0, 0) == 0 && mq_receive(queue, text, 16, NULL) == 0);
    CHECK(FAILS(mq_send(queue, text, 17, 0), EMSGSIZE) && FAILS(mq_receive(queue, text, 15, NULL), EMSGSIZE));
    CHECK(FAILS(mq_send(queue, text, 1, 32768), EINVAL) && FAILS(mq_send(queue, (void *)16, 1, 0), EFAULT) && count(queue) == 0);
    // What cannot be put where it is wanted is lost.
    CHECK(mq_send(queue, "lost", 4, 0) == 0 && FAILS(mq_receive(queue, (void *)16, 16, NULL), EFAULT) && count(queue) == 0);
    end(queue);
}

static void times(void) {
    mqd_t queue = make(1, 8, 0);
    struct timespec past = {1, 0}, bad = {1, 1000000000}, negative = {-1, 0}, soon = from_now(20);
    CHECK(FAILS(mq_timedreceive(queue, text, 8, NULL, &past), ETIMEDOUT) && FAILS(mq_timedreceive(queue, text, 8, NULL, &bad), EINVAL));
    CHECK(FAILS(mq_timedreceive(queue, text, 8, NULL, &negative), EINVAL));
    CHECK(FAILS(mq_timedreceive(queue, text, 8, NULL, &soon), ETIMEDOUT));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
    // A time that is none is told before anything else; whoever need not wait does not look whether it is over.
    CHECK(FAILS(mq_timedsend(99, text, 8, 0, &bad), EINVAL) && mq_timedsend(queue, text, 8, 0, &past) == 0);
    soon = from_now(20);
    CHECK(FAILS(mq_timedsend(queue, text, 8, 0, &past), ETIMEDOUT) && FAILS(mq_timedsend(queue, text, 8, 0, &soon), ETIMEDOUT));
    CHECK(FAILS(syscall(SYS_mq_timedsend, queue, text, 8, 0, 16), EFAULT));
    struct mq_attr nonblocking = {.mq_flags = O_NONBLOCK};
    CHECK(mq_setattr(queue, &nonblocking, NULL) == 0 && FAILS(mq_send(queue, text, 1, 0), EAGAIN));
    CHECK(FAILS(mq_timedsend(queue, text, 1, 0, &soon), EAGAIN) && count(queue) == 1);
    CHECK(mq_receive(queue, text, 8, NULL) == 8 && FAILS(mq_receive(queue, text, 8, NULL), EAGAIN));
    end(queue);
}

static volatile sig_atomic_t signals;
static siginfo_t last_info;
static void note(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    last_info = *info;
    signals++;
}

static void handle(int signal, int flags) {
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signal, &action, NULL) == 0);
    signals = 0;
}

// Sends `signal` to the parent after a while, then what lets it go on.
static pid_t disturb(int signal, mqd_t queue) {
    pid_t child = start_child();
    if (child != 0) return child;
    usleep(50000);
    CHECK(kill(getppid(), signal) == 0);
    usleep(50000);
    if (queue >= 0) CHECK(mq_send(queue, "end", 3, 0) == 0);
    end_child();
    return 0;
}

static void interrupted(void) {
    mqd_t queue = make(1, 8, 0);
    handle(SIGUSR1, 0);
    pid_t child = disturb(SIGUSR1, -1);
    CHECK(FAILS(mq_receive(queue, text, 8, NULL), EINTR) && signals == 1 && child_passed(child));
    struct timespec later = from_now(10000);
    child = disturb(SIGUSR1, -1);
    CHECK(FAILS(mq_timedreceive(queue, text, 8, NULL, &later), EINTR) && signals == 2 && child_passed(child));
    CHECK(mq_send(queue, "full", 4, 0) == 0);
    child = disturb(SIGUSR1, -1);
    CHECK(FAILS(mq_send(queue, text, 8, 0), EINTR) && signals == 3 && child_passed(child) && count(queue) == 1);
    CHECK(mq_receive(queue, text, 8, NULL) == 4);
    handle(SIGUSR1, SA_RESTART);
    child = disturb(SIGUSR1, queue);
    CHECK(mq_receive(queue, text, 8, NULL) == 3 && signals == 1 && child_passed(child));
    child = disturb(SIGUSR1, queue);
    later = from_now(10000);
    CHECK(mq_timedreceive(queue, text, 8, NULL, &later) == 3 && signals == 2 && child_passed(child) && count(queue) == 0);
    end(queue);
}

static void by_signal(void) {
    mqd_t queue = make(4, 8, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 4711};
    handle(SIGRTMIN + 2, SA_RESTART);
    CHECK(mq_notify(queue, &event) == 0 && FAILS(mq_notify(queue, &event), EBUSY));
    CHECK(mq_send(queue, "one", 3, 0) == 0 && signals == 1);
    CHECK(last_info.si_code == SI_MESGQ && last_info.si_value.sival_int == 4711 && last_info.si_pid == getpid() && last_info.si_uid == getuid());
    // Once, and only of the empty queue.
    CHECK(mq_notify(queue, &event) == 0 && mq_send(queue, "two", 3, 0) == 0 && signals == 1);
    CHECK(mq_receive(queue, text, 8, NULL) == 3 && mq_receive(queue, text, 8, NULL) == 3);
    pid_t child = start_child();
    if (child == 0) {
        // Of another process: it is told, too, whose message it is.
        CHECK(FAILS(mq_notify(queue, &event), EBUSY) && mq_notify(queue, NULL) == 0 && mq_close(queue) == 0);
        mqd_t own = mq_open(NAME, O_WRONLY);
        CHECK(mq_send(own, "three", 5, 0) == 0);
        end_child();
    }
    CHECK(child_passed(child) && signals == 2 && last_info.si_pid == child && count(queue) == 1);
    CHECK(mq_receive(queue, text, 8, NULL) == 5);
    // Whoever waits gets the message, and nobody is told.
    CHECK(mq_notify(queue, &event) == 0);
    child = start_child();
    if (child == 0) {
        CHECK(mq_receive(queue, text, 8, NULL) == 4);
        end_child();
    }
    usleep(100000);
    CHECK(mq_send(queue, "four", 4, 0) == 0 && child_passed(child) && signals == 2);
    // Given up; by a close of any descriptor of it, too.
    CHECK(mq_notify(queue, NULL) == 0 && mq_notify(queue, &event) == 0);
    mqd_t other = mq_open(NAME, O_RDONLY);
    CHECK(mq_close(other) == 0 && mq_send(queue, "five", 4, 0) == 0 && signals == 2 && mq_receive(queue, text, 8, NULL) == 4);
    child = start_child();
    if (child == 0) {
        // Ends with the process.
        CHECK(mq_notify(queue, &event) == 0);
        end_child();
    }
    CHECK(child_passed(child) && mq_notify(queue, &event) == 0);
    CHECK(mq_notify(queue, NULL) == 0);
    struct sigevent silent = {.sigev_notify = SIGEV_NONE}, zero = {.sigev_notify = SIGEV_SIGNAL}, wrong = {.sigev_notify = 77},
                    large = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65}, negative = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = -1};
    CHECK(mq_notify(queue, &silent) == 0 && FAILS(mq_notify(queue, &event), EBUSY) && mq_notify(queue, NULL) == 0);
    CHECK(mq_notify(queue, &zero) == 0 && mq_send(queue, "six", 3, 0) == 0 && mq_notify(queue, &event) == 0 && mq_notify(queue, NULL) == 0);
    CHECK(FAILS(mq_notify(queue, &wrong), EINVAL) && FAILS(mq_notify(queue, &large), EINVAL) && FAILS(mq_notify(queue, &negative), EINVAL));
    CHECK(FAILS(syscall(SYS_mq_notify, queue, 16), EFAULT) && FAILS(mq_notify(1, &event), EBADF) && FAILS(mq_notify(99, &event), EBADF));
    end(queue);
}

static volatile int told;
static void tell(union sigval value) { told = value.sival_int; }

// libc's thread waits at a socket of netlink.
static void by_thread(void) {
    mqd_t queue = make(4, 8, 0);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell, .sigev_value.sival_int = 55};
    CHECK(mq_notify(queue, &event) == 0 && FAILS(mq_notify(queue, &event), EBUSY));
    CHECK(mq_send(queue, "one", 3, 0) == 0);
    for (int i = 0; i < 1000 && told == 0; i++) usleep(10000);
    CHECK(told == 55);
    CHECK(mq_receive(queue, text, 8, NULL) == 3);
    end(queue);
}

// The same by hand: a note of 32 bytes, the last of which says why it came.
static void by_note(void) {
    mqd_t queue = make(4, 8, 0);
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), plain = socket(AF_UNIX, SOCK_STREAM, 0);
    char cookie[32] = "a cookie of thirty-two bytes...", note[64];
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_signo = netlink, .sigev_value.sival_ptr = cookie};
    CHECK(syscall(SYS_mq_notify, queue, &event) == 0 && FAILS(syscall(SYS_mq_notify, queue, &event), EBUSY));
    struct pollfd entry = {.fd = netlink, .events = POLLIN};
    // Who is refused is told that it is over, as of one that is given up.
    CHECK(mq_send(queue, "one", 3, 0) == 0 && poll(&entry, 1, 1000) == 1);
    int woken = 0, removed = 0, other = 0;
    while (poll(&entry, 1, 0) == 1) {
        memset(note, 0, sizeof note);
        CHECK(recv(netlink, note, sizeof note, 0) == 32 && memcmp(note, cookie, 31) == 0);
        note[31] == 1 ? woken++ : note[31] == 2 ? removed++ : other++;
    }
    CHECK(woken == 1 && other == 0);
    CHECK(mq_receive(queue, text, 8, NULL) == 3 && syscall(SYS_mq_notify, queue, &event) == 0 && mq_notify(queue, NULL) == 0);
    CHECK(recv(netlink, note, sizeof note, MSG_DONTWAIT) == 32 && note[31] == 2 && FAILS(recv(netlink, note, sizeof note, MSG_DONTWAIT), EAGAIN));
    event.sigev_signo = plain;
    CHECK(FAILS(syscall(SYS_mq_notify, queue, &event), EINVAL));
    event.sigev_signo = queue;
    CHECK(FAILS(syscall(SYS_mq_notify, queue, &event), ENOTSOCK));
    event.sigev_signo = 99;
    CHECK(FAILS(syscall(SYS_mq_notify, queue, &event), EBADF));
    event.sigev_signo = netlink, event.sigev_value.sival_ptr = (void *)16;
    CHECK(FAILS(syscall(SYS_mq_notify, queue, &event), EFAULT));
    close(netlink), close(plain);
    end(queue);
}

static void readiness(void) {
    mqd_t queue = make(2, 8, 0);
    struct pollfd entry = {.fd = queue, .events = POLLIN | POLLOUT};
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT);
    int epoll = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET}, got;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, queue, &wanted) == 0 && epoll_wait(epoll, &got, 1, 0) == 0);
    CHECK(mq_send(queue, "one", 3, 0) == 0 && epoll_wait(epoll, &got, 1, 0) == 1 && got.events == EPOLLIN);
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == (POLLIN | POLLOUT) && epoll_wait(epoll, &got, 1, 0) == 0);
    CHECK(mq_send(queue, "two", 3, 0) == 0 && poll(&entry, 1, 0) == 1 && entry.revents == POLLIN);
    pid_t child = start_child();
    if (child == 0) {
        usleep(50000);
        CHECK(mq_receive(queue, text, 8, NULL) == 3);
        end_child();
    }
    entry.events = POLLOUT;
    CHECK(poll(&entry, 1, 10000) == 1 && entry.revents == POLLOUT && child_passed(child));
    close(epoll);
    end(queue);
}

// Many threads on a queue of two: nothing is lost, and nothing comes twice.
enum { THREADS = 4, EACH = 250 };
static mqd_t shared;
static _Atomic unsigned char seen[THREADS * EACH];
static void *sender(void *first) {
    for (int i = 0; i < EACH; i++) {
        int number = (int)(intptr_t)first + i;
        CHECK(mq_send(shared, (char *)&number, sizeof number, number % 3) == 0);
    }
    return NULL;
}
static void *receiver(void *unused) {
    (void)unused;
    for (int i = 0; i < EACH; i++) {
        int number = -1;
        CHECK(mq_receive(shared, (char *)&number, 8, NULL) == sizeof number && number >= 0 && number < THREADS * EACH);
        seen[number]++;
    }
    return NULL;
}
static void crowd(void) {
    shared = make(2, 8, 0);
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, sender, (void *)(intptr_t)(i * EACH)) == 0);
        CHECK(pthread_create(&threads[THREADS + i], NULL, receiver, NULL) == 0);
    }
    for (int i = 0; i < 2 * THREADS; i++) pthread_join(threads[i], NULL);
    int missing = 0;
    for (int i = 0; i < THREADS * EACH; i++) missing += seen[i] != 1;
    CHECK(missing == 0 && count(shared) == 0);
    end(shared);
}

static long setting(const char *name, const char *value) {
    char path[100], number[30] = "";
    snprintf(path, sizeof path, "/proc/sys/fs/mqueue/%s", name);
    int fd = open(path, value ? O_WRONLY : O_RDONLY);
    if (fd < 0) return -1;
    long done = value ? write(fd, value, strlen(value)) : read(fd, number, sizeof number - 1);
    close(fd);
    return value ? (done == (long)strlen(value) ? 0 : -1) : atol(number);
}

static void settings(void) {
    CHECK(setting("queues_max", NULL) == 256 && setting("msg_max", NULL) == 10 && setting("msgsize_max", NULL) == 8192);
    CHECK(setting("msg_default", NULL) == 10 && setting("msgsize_default", NULL) == 8192);
    CHECK(FAILS(setting("msg_max", "0"), EINVAL) && FAILS(setting("msg_max", "65537"), EINVAL) && FAILS(setting("msgsize_max", "127"), EINVAL));
    CHECK(setting("msg_default", "5") == 0 && setting("msgsize_default", "200") == 0);
    mqd_t queue = mq_open(NAME, O_RDWR | O_CREAT, 0600, NULL);
    struct mq_attr is;
    CHECK(mq_getattr(queue, &is) == 0 && is.mq_maxmsg == 5 && is.mq_msgsize == 200);
    end(queue);
    CHECK(setting("msg_default", "10") == 0 && setting("msgsize_default", "8192") == 0);
    CHECK(setting("queues_max", "0") == 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setresuid(1000, 1000, 1000) == 0 && FAILS(mq_open(NAME, O_RDWR | O_CREAT, 0600, NULL), ENOSPC));
        end_child();
    }
    CHECK(child_passed(child));
    // Root goes beyond it.
    queue = mq_open(NAME, O_RDWR | O_CREAT, 0600, NULL);
    CHECK(queue >= 0 && setting("queues_max", "256") == 0);
    end(queue);
}

static void of_a_user(void) {
    CHECK(setresuid(1000, 1000, 1000) == 0);
    struct mq_attr eleven = {.mq_maxmsg = 11, .mq_msgsize = 1}, longer = {.mq_maxmsg = 1, .mq_msgsize = 8193};
    CHECK(FAILS(mq_open("/mine", O_RDWR | O_CREAT, 0600, &eleven), EINVAL) && FAILS(mq_open("/mine", O_RDWR | O_CREAT, 0600, &longer), EINVAL));
    CHECK(FAILS(mq_open(NAME, O_RDWR), EACCES) && mq_open(NAME, O_RDONLY) >= 0 && FAILS(syscall(SYS_mq_unlink, NAME + 1), EPERM));
    // Of 819,200 bytes that a user may have: ten messages of 8 KiB count for 82,880.
    char name[20];
    int made = 0;
    mqd_t last = -1;
    for (;; made++) {
        snprintf(name, sizeof name, "/u%d", made);
        mqd_t next = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
        if (next < 0) break;
        last = next;
    }
    CHECK(errno == EMFILE && made == 9);
    // One that is open has its bytes without a name.
    snprintf(name, sizeof name, "/u%d", made - 1);
    CHECK(mq_unlink(name) == 0 && FAILS(mq_open(name, O_RDWR | O_CREAT, 0600, NULL), EMFILE));
    CHECK(mq_close(last) == 0 && (last = mq_open(name, O_RDWR | O_CREAT, 0600, NULL)) >= 0);
    struct rlimit none = {0, 0};
    CHECK(setrlimit(RLIMIT_MSGQUEUE, &none) == 0);
    struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 1};
    CHECK(FAILS(mq_open("/small", O_RDWR | O_CREAT, 0600, &small), EMFILE));
    for (int i = 0; i < made; i++) {
        snprintf(name, sizeof name, "/u%d", i);
        CHECK(mq_unlink(name) == 0);
    }
}

static void users(void) {
    mqd_t queue = make(1, 1, 0);
    CHECK(fchmod(queue, 0644) == 0);
    pid_t child = start_child();
    if (child == 0) of_a_user(), end_child();
    CHECK(child_passed(child));
    end(queue);
}

static void tree(void) {
    mkdir("/mq", 0755);
    CHECK(mount("none", "/mq", "mqueue", 0, NULL) == 0);
    struct statfs kind;
    struct stat status;
    CHECK(statfs("/mq", &kind) == 0 && kind.f_type == 0x19800202 && stat("/mq", &status) == 0 && status.st_mode == (S_IFDIR | 01777));
    mqd_t queue = make(3, 8, 0);
    CHECK(stat("/mq/queue", &status) == 0 && status.st_mode == (S_IFREG | 0600) && status.st_size == 80 && status.st_nlink == 1);
    CHECK(mq_send(queue, "12345", 5, 0) == 0 && mq_send(queue, "678", 3, 0) == 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK(mq_notify(queue, &event) == 0);
    char line[200] = "", wanted[200];
    int fd = open("/mq/queue", O_RDONLY);
    CHECK(read(fd, line, sizeof line - 1) > 0);
    sprintf(wanted, "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 8, SIGEV_SIGNAL, SIGUSR1, getpid());
    check(strcmp(line, wanted) == 0, __FILE__, __LINE__, line);
    CHECK(read(fd, line, sizeof line) == 0 && pread(fd, line, 6, 0) == 6 && close(fd) == 0);
    // What was opened by its path is a queue, too.
    fd = open("/mq/queue", O_RDWR);
    CHECK(mq_receive(fd, text, 8, NULL) == 5 && FAILS(write(fd, "x", 1), EINVAL) && close(fd) == 0);
    fd = open("/mq/made", O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0 && mq_send(fd, "x", 1, 0) == 0 && close(fd) == 0);
    mqd_t made = mq_open("/made", O_RDONLY);
    struct mq_attr is;
    CHECK(mq_getattr(made, &is) == 0 && is.mq_maxmsg == 10 && is.mq_curmsgs == 1 && mq_close(made) == 0);
    CHECK(FAILS(mkdir("/mq/sub", 0755), EPERM) && FAILS(symlink("a", "/mq/link"), EPERM) && FAILS(link("/mq/made", "/mq/other"), EPERM));
    CHECK(FAILS(rename("/mq/made", "/mq/other"), EPERM) && FAILS(mknod("/mq/pipe", S_IFIFO | 0600, 0), EPERM));
    CHECK(umount("/mq") == 0 && FAILS(stat("/mq/made", &status), ENOENT));
    // It is there without a mount, and at the next.
    made = mq_open("/made", O_RDONLY);
    CHECK(made >= 0 && mq_receive(made, text, sizeof text, NULL) == 1 && mq_close(made) == 0);
    CHECK(mount("none", "/mq", "mqueue", 0, NULL) == 0 && unlink("/mq/made") == 0 && FAILS(mq_open("/made", O_RDONLY), ENOENT));
    CHECK(unlink("/mq/queue") == 0 && FAILS(mq_unlink(NAME), ENOENT) && mq_send(queue, "x", 1, 0) == 0 && mq_close(queue) == 0);
    CHECK(umount("/mq") == 0);
    // Queues with messages end all at once.
    struct mq_attr many = {.mq_maxmsg = 4000, .mq_msgsize = 8};
    queue = mq_open(NAME, O_RDWR | O_CREAT, 0600, &many);
    for (int i = 0; i < 4000; i++) CHECK(mq_send(queue, "message", 7, i) == 0);
    end(queue);
}

static void checks(void) {
    names();
    shapes();
    order();
    times();
    interrupted();
    by_signal();
    by_note();
    readiness();
    crowd();
    settings();
    users();
    tree();
    by_thread();
}

int main(void) { return run_as_init("queues", checks); }
