// Sockets: what goes along with messages; small helpers.
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif
#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static char *volatile nowhere = (char *)8;

// The number in a file of /proc/sys.
static int setting(const char *path) {
    FILE *file = fopen(path, "r");
    int value = -1;
    if (file != NULL && fscanf(file, "%d", &value) != 1) value = -2;
    if (file != NULL) fclose(file);
    return value;
}

static volatile int signals;
static void note_signal(int number) {
    (void)number;
    signals++;
}

static void close_both(int *ends) {
    close(ends[0]);
    close(ends[1]);
}

static int option(int fd, int name) {
    int value = -2;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 && len == sizeof value ? value : -3;
}

static int set(int fd, int name, int value) { return setsockopt(fd, SOL_SOCKET, name, &value, sizeof value); }

static int events(int fd) {
    struct pollfd one = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
    return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

static int unread(int fd) {
    int len = -1;
    return ioctl(fd, FIONREAD, &len) == 0 ? len : -2;
}

static int at_mark(int fd) {
    int is = -1;
    return ioctl(fd, SIOCATMARK, &is) == 0 ? is : -2;
}

// A message of one byte with control messages.
static long send_with(int fd, int kind, const void *data, size_t len) {
    char byte = 'c', control[2048] = "";
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(len)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET, head->cmsg_type = kind, head->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(head), data, len);
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long send_fds(int fd, const int *fds, int count) { return send_with(fd, SCM_RIGHTS, fds, count * sizeof *fds); }

// Receives one byte and up to `most` descriptors; how many, or -1. What is said of the message.
static int told;
static int receive_fds(int fd, int *fds, int most, int flags) {
    char byte, control[2048];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = most ? CMSG_LEN(most * sizeof *fds) : 0};
    if (recvmsg(fd, &message, flags | MSG_DONTWAIT) != 1) return -1;
    told = message.msg_flags;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head == NULL) return 0;
    int count = (head->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    memcpy(fds, CMSG_DATA(head), count * sizeof *fds);
    return head->cmsg_type == SCM_RIGHTS ? count : -2;
}

static int is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void rights(void) {
    int ends[2], line[2], fds[300], got[300];
    char byte = 0;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(line) == 0);
    CHECK(send_fds(ends[0], &line[1], 1) == 1 && close(line[1]) == 0 && receive_fds(ends[1], got, 4, 0) == 1);
    CHECK(write(got[0], "k", 1) == 1 && read(line[0], &byte, 1) == 1 && byte == 'k' && fcntl(got[0], F_GETFD) == 0);
    fds[0] = got[0], fds[1] = -1;
    CHECK(FAILS(send_fds(ends[0], fds, 2), EBADF));
    // Cut, unwanted, looked at only.
    fds[1] = line[0];
    CHECK(send_fds(ends[0], fds, 2) == 1 && receive_fds(ends[1], got, 1, MSG_CMSG_CLOEXEC) == 1 && (told & MSG_CTRUNC));
    CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC && close(got[0]) == 0);
    CHECK(send_fds(ends[0], fds, 2) == 1 && receive_fds(ends[1], got, 0, 0) == 0 && (told & MSG_CTRUNC));
    CHECK(send_fds(ends[0], fds, 2) == 1 && receive_fds(ends[1], got, 2, MSG_PEEK) == 2 && receive_fds(ends[1], got + 2, 2, 0) == 2);
    for (int i = 0; i < 4; i++) CHECK(close(got[i]) == 0);
    // Bytes with descriptors end a read(2).
    CHECK(write(ends[0], "ab", 2) == 2 && send_fds(ends[0], fds, 1) == 1 && write(ends[0], "de", 2) == 2);
    char bytes[8];
    CHECK(read(ends[1], bytes, 8) == 3 && read(ends[1], bytes, 8) == 2);
    // How many at most.
    for (int i = 0; i < 254; i++) fds[i] = line[0];
    CHECK(FAILS(send_fds(ends[0], fds, 254), EINVAL) && send_fds(ends[0], fds, 253) == 1);
    CHECK(receive_fds(ends[1], got, 253, 0) == 253);
    for (int i = 0; i < 253; i++) close(got[i]);
    // Read by nobody: closed with the socket.
    int other[2];
    CHECK(pipe(other) == 0 && send_fds(ends[0], &other[1], 1) == 1 && close(other[1]) == 0);
    close_both(ends);
    CHECK(read(other[0], &byte, 1) == 0);
    close(other[0]), close(line[0]);
    for (int fd = 3; fd < 40; fd++) close(fd);
}

static void limit_of_user(void) {
    struct rlimit limit = {20, 20};
    int ends[2], sent = 0, fds[10];
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && setgid(1000) == 0 && setuid(1000) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (int i = 0; i < 10; i++) fds[i] = 0;
    while (sent < 10 && send_fds(ends[0], fds, 10) == 1) sent++;
    CHECK(sent == 3 && errno == ETOOMANYREFS);
}

static void credentials(void) {
    int ends[2];
    char byte, control[256];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct ucred who = {getpid(), getuid(), getgid()}, wrong = {1, 0, 0}, nobody = {30000, 0, 0};
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && set(ends[1], SO_PASSCRED, 1) == 0);
    CHECK(write(ends[0], "x", 1) == 1 && recvmsg(ends[1], &message, 0) == 1);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    CHECK(head != NULL && head->cmsg_type == SCM_CREDENTIALS && head->cmsg_len == CMSG_LEN(12) && memcmp(CMSG_DATA(head), &who, 12) == 0);
    CHECK(send_with(ends[0], SCM_CREDENTIALS, &who, 12) == 1 && FAILS(send_with(ends[0], SCM_CREDENTIALS, &who, 11), EINVAL));
    CHECK(send_with(ends[0], SCM_CREDENTIALS, &wrong, 12) == 1 && FAILS(send_with(ends[0], SCM_CREDENTIALS, &nobody, 12), ESRCH));
    CHECK(FAILS(send_with(ends[0], 3, &who, 12), EINVAL));
    pid_t child = start_child();
    if (child == 0) {
        who.pid = getpid(), who.uid = who.gid = 1000;
        CHECK(setgid(1000) == 0 && setuid(1000) == 0 && send_with(ends[0], SCM_CREDENTIALS, &who, 12) == 1);
        CHECK(FAILS(send_with(ends[0], SCM_CREDENTIALS, &wrong, 12), EPERM));
        who.uid = 0;
        CHECK(FAILS(send_with(ends[0], SCM_CREDENTIALS, &who, 12), EPERM));
        end_child();
    }
    CHECK(child_passed(child));
    close_both(ends);
    child = start_child();
    if (child == 0) {
        limit_of_user();
        end_child();
    }
    CHECK(child_passed(child));
}

// Whether the pipe has no writer any more, within a second.
static int is_ended(int fd) {
    struct pollfd one = {fd, POLLIN, 0};
    for (int i = 0; i < 100 && poll(&one, 1, 10) == 0; i++) {
        // Closing any socket may bring a collection about.
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) close_both(pair);
    }
    return one.revents == POLLHUP;
}

// Many sockets wait in the queue of `to`, so that to look at all in flight takes its time.
static void keep_in_flight(int to) {
    enum { MESSAGES = 5, PAIRS = 100 };
    for (int message = 0; message < MESSAGES; message++) {
        int fds[2 * PAIRS];
        for (int i = 0; i < PAIRS; i++) CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 2 * i) == 0);
        CHECK(send_fds(to, fds, 2 * PAIRS) == 1);
        for (int i = 0; i < PAIRS; i++) close_both(fds + 2 * i);
    }
}

// A socket that holds itself and the end of a pipe, which is closed behind the last close of the two: nobody closes another then.
static int is_collected(void) {
    int ends[2], line[2];
    if (pipe(line) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 0;
    int is_good = send_fds(ends[0], &ends[1], 1) == 1 && send_fds(ends[0], &line[1], 1) == 1;
    close(line[1]), close(ends[1]), close(ends[0]);
    struct pollfd one = {line[0], POLLIN, 0};
    is_good = is_good && poll(&one, 1, 20000) == 1 && one.revents == POLLHUP;
    close(line[0]);
    return is_good;
}

// Several leave such sockets at the same time, and wait for each other before the next: none is left to a later close.
static void cycles_side_by_side(void) {
    enum { CHILDREN = 4, ROUNDS = 8 };
    int kept[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, kept) == 0);
    keep_in_flight(kept[0]);
    pthread_barrier_t *all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrierattr_t shared;
    pthread_barrierattr_init(&shared), pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    CHECK(pthread_barrier_init(all, &shared, CHILDREN) == 0);
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        if ((children[i] = start_child()) != 0) continue;
        int are_good = 1;
        for (int round = 0; round < ROUNDS; round++) {
            pthread_barrier_wait(all);
            are_good &= is_collected();
        }
        CHECK(are_good);
        end_child();
    }
    for (int i = 0; i < CHILDREN; i++) CHECK(child_passed(children[i]));
    munmap(all, 4096);
    close_both(kept);
}

// Sockets that only messages hold are found, and what they hold is closed.
static void cycles(void) {
    int ends[2], other[2], line[2];
    // One that holds itself, and the end of a pipe.
    CHECK(pipe(line) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(send_fds(ends[0], &ends[1], 1) == 1 && send_fds(ends[0], &line[1], 1) == 1 && close(line[1]) == 0);
    close(ends[1]), close(ends[0]);
    CHECK(is_ended(line[0]) && close(line[0]) == 0);
    // Two pairs that hold each other.
    CHECK(pipe(line) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, other) == 0);
    CHECK(send_fds(ends[0], other, 2) == 1 && send_fds(other[0], ends, 2) == 1 && send_fds(ends[1], &line[1], 1) == 1);
    close(line[1]), close_both(ends), close_both(other);
    CHECK(is_ended(line[0]) && close(line[0]) == 0);
    // One that waits to be accepted by the one that it holds.
    struct sockaddr_un name = {AF_UNIX, "\0sk-cycle"};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(pipe(line) == 0 && bind(server, (void *)&name, 11) == 0 && listen(server, 3) == 0 && connect(client, (void *)&name, 11) == 0);
    CHECK(send_fds(client, &server, 1) == 1 && send_fds(client, &line[1], 1) == 1);
    close(line[1]), close(client), close(server);
    CHECK(is_ended(line[0]) && close(line[0]) == 0);
    // One that can be reached by way of another is kept.
    int fds[2];
    CHECK(pipe(line) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0);
    CHECK(send_fds(other[0], &line[1], 1) == 1 && send_fds(ends[0], &other[1], 1) == 1);
    close(line[1]), close_both(other);
    struct pollfd one = {line[0], POLLIN, 0};
    CHECK(poll(&one, 1, 30) == 0 && receive_fds(ends[1], fds, 1, 0) == 1 && receive_fds(fds[0], fds + 1, 1, 0) == 1);
    CHECK(write(fds[1], "x", 1) == 1 && close(fds[0]) == 0 && close(fds[1]) == 0 && close(line[0]) == 0);
    close_both(ends);
    // A chain: each holds the one before it.
    CHECK(pipe(line) == 0);
    int before = line[1];
    for (int i = 0; i < 400; i++) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && send_fds(ends[0], &before, 1) == 1);
        close(before), close(ends[0]);
        before = ends[1];
    }
    close(before);
    CHECK(is_ended(line[0]) && close(line[0]) == 0 && !is_open(before));
}

static void batches(void) {
    int ends[2];
    char in[4][4] = {"a", "bc", "def", ""}, out[4][4];
    struct iovec from[4], to[4];
    struct mmsghdr sent[4] = {0}, got[4] = {0};
    for (int i = 0; i < 4; i++) {
        from[i] = (struct iovec){in[i], i < 3 ? i + 1 : 0}, to[i] = (struct iovec){out[i], 4};
        sent[i].msg_hdr.msg_iov = &from[i], sent[i].msg_hdr.msg_iovlen = 1;
        got[i].msg_hdr.msg_iov = &to[i], got[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    CHECK(sendmmsg(ends[0], sent, 3, 0) == 3 && sent[1].msg_len == 2 && sent[2].msg_len == 3);
    CHECK(recvmmsg(ends[1], got, 4, MSG_WAITFORONE, NULL) == 3 && got[2].msg_len == 3 && memcmp(out[2], "def", 3) == 0);
    struct timespec wrong = {0, 1000000000};
    CHECK(FAILS(recvmmsg(ends[1], got, 4, 0, &wrong), EINVAL) && FAILS(recvmmsg(ends[1], got, 4, MSG_DONTWAIT, NULL), EAGAIN));
    struct msghdr many = {.msg_iov = from, .msg_iovlen = 1025};
    CHECK(FAILS(sendmsg(ends[0], &many, 0), EMSGSIZE) && FAILS(recvmsg(ends[1], &many, 0), EMSGSIZE) && FAILS(sendmsg(ends[0], (void *)8, 0), EFAULT));
    struct msghdr large = {.msg_iov = from, .msg_iovlen = 1, .msg_control = out, .msg_controllen = 1 << 20};
    CHECK(FAILS(sendmsg(ends[0], &large, 0), ENOBUFS));
    close_both(ends);
}
