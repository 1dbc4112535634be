// What a kernel without sockets answers, advisory locks of all three kinds, and signals that tell what a file can do: fcntl(2),
// flock(2), socket(2). Runs on Linux too (there sockets exist: those answers are asked for with a family that is none).
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))
#define NO_FAMILY 45

static int file;

static void sockets(void) {
    int pair[2], pipes[2], path = open("/tmp", O_PATH);
    char byte, address[200] = {0};
    struct msghdr message = {0};
    struct mmsghdr messages = {0};
    CHECK(FAILS(socket(NO_FAMILY, SOCK_STREAM, 0), EAFNOSUPPORT));
    CHECK(FAILS(socket(1000, SOCK_STREAM, 0), EAFNOSUPPORT));
    CHECK(FAILS(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT));
    CHECK(FAILS(socket(1000, SOCK_STREAM | 0x100, 0), EINVAL));
    CHECK(FAILS(socket(1000, 15, 0), EAFNOSUPPORT));
    CHECK(FAILS(socket(NO_FAMILY, 15, 0), EINVAL));
    CHECK(FAILS(socketpair(NO_FAMILY, SOCK_DGRAM, 0, pair), EAFNOSUPPORT));
    CHECK(FAILS(socketpair(NO_FAMILY, SOCK_DGRAM | 0x100, 0, pair), EINVAL));
    CHECK(pipe(pipes) == 0);
    int others[] = {pipes[0], file, 1};
    for (int i = 0; i < 3; i++) {
        int fd = others[i];
        CHECK(FAILS(bind(fd, (void *)address, 16), ENOTSOCK));
        CHECK(FAILS(connect(fd, (void *)address, 16), ENOTSOCK));
        CHECK(FAILS(connect(fd, (void *)address, -1), EINVAL));
        CHECK(FAILS(connect(fd, (void *)address, 129), EINVAL));
        CHECK(FAILS(connect(fd, (void *)16, 16), EFAULT));
        CHECK(FAILS(listen(fd, 1), ENOTSOCK));
        CHECK(FAILS(accept(fd, NULL, NULL), ENOTSOCK));
        CHECK(FAILS(accept4(fd, NULL, NULL, SOCK_CLOEXEC), ENOTSOCK));
        CHECK(FAILS(accept4(fd, NULL, NULL, 1), EINVAL));
        CHECK(FAILS(getsockname(fd, (void *)address, &(socklen_t){16}), ENOTSOCK));
        CHECK(FAILS(getpeername(fd, (void *)address, &(socklen_t){16}), ENOTSOCK));
        CHECK(FAILS(sendto(fd, &byte, 1, 0, NULL, 0), ENOTSOCK));
        CHECK(FAILS(recvfrom(fd, &byte, 1, 0, NULL, NULL), ENOTSOCK));
        CHECK(FAILS(setsockopt(fd, 1, 2, &(int){1}, 4), ENOTSOCK));
        CHECK(FAILS(setsockopt(fd, 1, 2, &(int){1}, -1), EINVAL));
        CHECK(FAILS(getsockopt(fd, 1, 2, &(int){1}, &(socklen_t){4}), ENOTSOCK));
        CHECK(FAILS(shutdown(fd, 0), ENOTSOCK));
        CHECK(FAILS(sendmsg(fd, &message, 0), ENOTSOCK));
        CHECK(FAILS(recvmsg(fd, &message, 0), ENOTSOCK));
        CHECK(FAILS(sendmmsg(fd, &messages, 1, 0), ENOTSOCK));
        CHECK(FAILS(recvmmsg(fd, &messages, 1, 0, NULL), ENOTSOCK));
        CHECK(FAILS(recvmmsg(fd, &messages, 1, 0, &(struct timespec){0, -1}), EINVAL));
    }
    int none[] = {-1, 900, path};
    for (int i = 0; i < 3; i++) {
        CHECK(FAILS(bind(none[i], (void *)address, 16), EBADF));
        CHECK(FAILS(connect(none[i], (void *)address, -1), EBADF));
        CHECK(FAILS(accept4(none[i], NULL, NULL, 1), EBADF));
        CHECK(FAILS(getpeername(none[i], (void *)address, &(socklen_t){16}), EBADF));
        CHECK(FAILS(recvmsg(none[i], &message, 0), EBADF));
    }
    close(path), close(pipes[0]), close(pipes[1]);
}

static struct flock lock_of(int type, long start, long len) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static int set(int fd, int type, long start, long len) {
    struct flock lock = lock_of(type, start, len);
    return fcntl(fd, F_SETLK, &lock);
}

static int set_own(int fd, int type, long start, long len) {
    struct flock lock = lock_of(type, start, len);
    return fcntl(fd, F_OFD_SETLK, &lock);
}

// In a child: the first obstacle to a lock of that kind on that range, as start + 1000000 * type; -1 for none.
static long obstacle(int type, long start, long len) {
    int answer[2];
    long found = -2;
    CHECK(pipe(answer) == 0);
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = lock_of(type, start, len);
        long said = fcntl(file, F_GETLK, &lock) == 0 ? lock.l_start + 1000000L * lock.l_type : -3;
        if (lock.l_type == F_UNLCK) said = -1;
        else if (lock.l_pid != getppid() && lock.l_pid != -1) said = -4;
        write(answer[1], &said, sizeof(said));
        _exit(0);
    }
    read(answer[0], &found, sizeof(found));
    waitpid(child, NULL, 0);
    close(answer[0]), close(answer[1]);
    return found;
}

static void ranges(void) {
    CHECK(set(file, F_WRLCK, 40, 10) == 0);
    CHECK(set(file, F_WRLCK, 20, 10) == 0);
    CHECK(set(file, F_RDLCK, 60, 10) == 0);
    CHECK(obstacle(F_RDLCK, 0, 0) == 20 + 1000000L * F_WRLCK);
    CHECK(obstacle(F_RDLCK, 25, 30) == 20 + 1000000L * F_WRLCK);
    CHECK(obstacle(F_RDLCK, 30, 10) == -1);
    CHECK(obstacle(F_RDLCK, 50, 0) == -1);
    CHECK(obstacle(F_WRLCK, 50, 0) == 60 + 1000000L * F_RDLCK);
    // The middle goes, both sides stay; what touches melts together.
    CHECK(set(file, F_UNLCK, 22, 2) == 0);
    CHECK(obstacle(F_RDLCK, 22, 2) == -1);
    CHECK(obstacle(F_RDLCK, 22, 0) == 24 + 1000000L * F_WRLCK);
    CHECK(set(file, F_WRLCK, 22, 2) == 0);
    CHECK(obstacle(F_RDLCK, 29, 1) == 20 + 1000000L * F_WRLCK);
    CHECK(FAILS(set(file, F_WRLCK, -1, 1), EINVAL));
    CHECK(FAILS(set(file, 17, 0, 1), EINVAL));
    struct flock none = lock_of(F_UNLCK, 0, 1);
    CHECK(FAILS(fcntl(file, F_GETLK, &none), EINVAL));
    // Any close of the file by the process ends them; the end of a child does not.
    int again = open("/tmp/locked", O_RDWR);
    pid_t child = fork();
    if (child == 0) _exit(set(file, F_UNLCK, 0, 0) == 0 ? 0 : 1);
    CHECK(child_passed(child));
    CHECK(obstacle(F_RDLCK, 40, 1) != -1);
    close(again);
    CHECK(obstacle(F_WRLCK, 0, 0) == -1);
}

static void open_file_locks(void) {
    int other = open("/tmp/locked", O_RDWR), read_only = open("/tmp/locked", O_RDONLY);
    struct flock asked = lock_of(F_WRLCK, 0, 0);
    CHECK(set_own(other, F_WRLCK, 10, 10) == 0);
    CHECK(fcntl(file, F_OFD_GETLK, &asked) == 0 && asked.l_type == F_WRLCK && asked.l_pid == -1);
    CHECK(asked.l_start == 10 && asked.l_len == 10);
    // They keep out locks of the same process, and other open files of it.
    CHECK(FAILS(set(file, F_WRLCK, 15, 1), EAGAIN));
    CHECK(FAILS(set_own(file, F_RDLCK, 15, 1), EAGAIN));
    CHECK(obstacle(F_RDLCK, 0, 0) == 10 + 1000000L * F_WRLCK);
    CHECK(set_own(other, F_RDLCK, 12, 2) == 0);
    CHECK(set_own(file, F_RDLCK, 12, 2) == 0);
    CHECK(FAILS(set_own(read_only, F_WRLCK, 90, 1), EBADF));
    CHECK(set_own(read_only, F_RDLCK, 90, 1) == 0);
    struct flock named = lock_of(F_WRLCK, 0, 1);
    named.l_pid = 1;
    CHECK(FAILS(fcntl(file, F_OFD_SETLK, &named), EINVAL));
    // A copy of the descriptor keeps them, a close by the process of another does not end them.
    int copy = dup(other);
    close(other), close(read_only);
    CHECK(FAILS(set(file, F_WRLCK, 18, 1), EAGAIN));
    // A child has the same open file.
    pid_t child = fork();
    if (child == 0) _exit(set_own(copy, F_UNLCK, 18, 2) == 0 ? 0 : 1);
    CHECK(child_passed(child));
    CHECK(set(file, F_WRLCK, 18, 1) == 0);
    CHECK(set(file, F_UNLCK, 0, 0) == 0 && set_own(file, F_UNLCK, 0, 0) == 0);
    close(copy);
    CHECK(obstacle(F_WRLCK, 0, 0) == -1);
}

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static int wait_for(int type, long start) {
    struct flock lock = lock_of(type, start, 1);
    return fcntl(file, F_SETLKW, &lock);
}

// Three processes lock a byte each and then want the next one's: the last to ask is told, and then all come through.
static void deadlocks(void) {
    int told = 0;
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            if (set(file, F_WRLCK, i, 1) != 0) _exit(2);
            sleep_ms(150 + 100 * i);
            int outcome = wait_for(F_WRLCK, (i + 1) % 3);
            if (outcome != 0 && errno != EDEADLK) _exit(3);
            _exit(outcome == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status = -1;
        waitpid(children[i], &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        told += WIFEXITED(status) && WEXITSTATUS(status) == 1;
    }
    CHECK(told == 1);
    // Waiting for one who waits for a third is no circle.
    CHECK(set(file, F_WRLCK, 0, 1) == 0);
    pid_t second = fork();
    if (second == 0) _exit(set(file, F_WRLCK, 1, 1) == 0 && wait_for(F_WRLCK, 0) == 0 ? 0 : 1);
    sleep_ms(100);
    pid_t third = fork();
    if (third == 0) _exit(wait_for(F_WRLCK, 1) == 0 ? 0 : 1);
    sleep_ms(100);
    CHECK(set(file, F_UNLCK, 0, 1) == 0);
    CHECK(child_passed(second) && child_passed(third));
}

static volatile sig_atomic_t handled;

static void handle(int signal) {
    handled = signal;
}

static void interrupted(void) {
    CHECK(set(file, F_WRLCK, 0, 1) == 0);
    pid_t child = start_child();
    if (child == 0) {
        struct sigaction action = {.sa_handler = handle};
        sigaction(SIGALRM, &action, NULL);
        alarm(1);
        CHECK(FAILS(wait_for(F_WRLCK, 0), EINTR) && handled == SIGALRM);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(set(file, F_UNLCK, 0, 1) == 0);
}

static void whole_files(void) {
    int other = open("/tmp/locked", O_RDWR);
    CHECK(flock(file, LOCK_SH) == 0 && flock(other, LOCK_SH | LOCK_NB) == 0);
    CHECK(FAILS(flock(file, LOCK_EX | LOCK_NB), EAGAIN));
    CHECK(flock(other, LOCK_UN) == 0 && flock(file, LOCK_EX | LOCK_NB) == 0);
    CHECK(FAILS(flock(other, LOCK_SH | LOCK_NB), EAGAIN));
    CHECK(FAILS(flock(other, 3), EINVAL));
    // They and record locks do not see each other.
    CHECK(set(other, F_WRLCK, 0, 0) == 0 && set(other, F_UNLCK, 0, 0) == 0);
    CHECK(flock(file, LOCK_UN) == 0 && flock(other, LOCK_EX | LOCK_NB) == 0);
    close(other);
    CHECK(flock(file, LOCK_EX | LOCK_NB) == 0 && flock(file, LOCK_UN) == 0);
}

static long now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000L + at.tv_nsec;
}

#define MANY 10000

// Every second byte: the cost of one more does not grow with their number, and all can go at once.
static void many(void) {
    long first = now_ns(), half = 0;
    int outcome = 0;
    for (long i = 0; i < MANY; i++) {
        if (i == 1000) half = now_ns();
        outcome |= set(file, F_RDLCK, 2 * i, 1);
    }
    CHECK(outcome == 0);
    long last = now_ns();
    printf("advisory: %d locks, first 1000 %ld us, the others %ld us for each 1000\n", MANY, (half - first) / 1000,
           (last - half) / 1000 / (MANY / 1000 - 1));
    CHECK(obstacle(F_WRLCK, 0, 0) == 0);
    CHECK(obstacle(F_RDLCK, 0, 0) == -1);
    CHECK(set(file, F_WRLCK, 0, 2 * MANY) == 0);
    CHECK(obstacle(F_RDLCK, 2 * MANY - 1, 1) == 1000000L * F_WRLCK);
    CHECK(set(file, F_UNLCK, 0, 0) == 0);
    CHECK(obstacle(F_WRLCK, 0, 0) == -1);
}

static volatile sig_atomic_t told, told_code, told_fd, told_band;

static void note(int signal, siginfo_t *info, void *context) {
    (void)context;
    told = signal, told_code = info->si_code, told_fd = info->si_fd, told_band = (int)info->si_band;
}

static void owners(void) {
    int ends[2], flags;
    struct f_owner_ex owner = {0};
    setpgid(0, 0);
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGIO, &action, NULL), sigaction(SIGRTMIN, &action, NULL);
    CHECK(pipe(ends) == 0);
    CHECK(fcntl(ends[0], F_GETOWN) == 0 && fcntl(ends[0], F_GETSIG) == 0);
    CHECK(fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_GETOWN) == getpid());
    CHECK(fcntl(ends[0], F_SETOWN, -getpgrp()) == 0 && fcntl(ends[0], F_GETOWN) == -getpgrp());
    CHECK(fcntl(ends[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
    CHECK(FAILS(fcntl(ends[0], F_SETOWN, 999999), ESRCH));
    CHECK(FAILS(fcntl(ends[0], F_SETOWN, (int)0x80000000), EINVAL));
    CHECK(FAILS(fcntl(ends[0], F_SETOWN_EX, &(struct f_owner_ex){7, getpid()}), EINVAL));
    CHECK(FAILS(fcntl(ends[0], F_SETOWN_EX, &(struct f_owner_ex){F_OWNER_PID, 999999}), ESRCH));
    CHECK(fcntl(ends[0], F_SETOWN_EX, &(struct f_owner_ex){F_OWNER_TID, (int)syscall(SYS_gettid)}) == 0);
    CHECK(fcntl(ends[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID && owner.pid == getpid());
    CHECK(FAILS(fcntl(ends[0], F_SETSIG, 65), EINVAL));
    flags = fcntl(ends[0], F_GETFL);
    CHECK(write(ends[1], "a", 1) == 1 && told == 0);
    CHECK(fcntl(ends[0], F_SETFL, flags | O_ASYNC) == 0 && fcntl(ends[0], F_GETFL) == (flags | O_ASYNC));
    CHECK(write(ends[1], "a", 1) == 1 && told == SIGIO && told_code == SI_KERNEL);
    CHECK(fcntl(ends[0], F_SETSIG, SIGRTMIN) == 0 && fcntl(ends[0], F_GETSIG) == SIGRTMIN);
    told = 0;
    CHECK(write(ends[1], "a", 1) == 1 && told == SIGRTMIN && told_code == POLL_IN && told_fd == ends[0]);
    CHECK(told_band == (POLLIN | POLLRDNORM));
    told = 0;
    CHECK(fcntl(ends[0], F_SETFL, flags) == 0 && write(ends[1], "a", 1) == 1 && told == 0);
    // The writing end is told of room.
    CHECK(fcntl(ends[1], F_SETOWN, getpid()) == 0 && fcntl(ends[1], F_SETSIG, SIGRTMIN) == 0);
    CHECK(fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) | O_ASYNC) == 0);
    char bytes[8];
    CHECK(read(ends[0], bytes, 8) == 4 && told == SIGRTMIN && told_code == POLL_OUT && told_fd == ends[1]);
    close(ends[0]), close(ends[1]);
    // A regular file cannot tell: the flag does not stay.
    CHECK(fcntl(file, F_SETFL, O_ASYNC) == 0 && (fcntl(file, F_GETFL) & O_ASYNC) == 0);
    CHECK(fcntl(file, F_GETLEASE) == F_UNLCK);
    CHECK(FAILS(fcntl(file, 5000, 0), EINVAL));
    int path = open("/tmp/locked", O_PATH);
    CHECK(FAILS(fcntl(path, F_SETOWN, 1), EBADF) && FAILS(fcntl(path, F_SETFL, 0), EBADF));
    CHECK(fcntl(path, F_GETFD) == 0 && (fcntl(path, F_GETFL) & O_PATH) != 0);
    close(path);
}

#include "advisory_tables.h"

static void checks(void) {
    file = open("/tmp/locked", O_RDWR | O_CREAT | O_TRUNC, 0666);
    CHECK(file >= 0);
    sockets();
    ranges();
    open_file_locks();
    deadlocks();
    interrupted();
    whole_files();
    many();
    owners();
    tables();
    kept_by_exec();
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "held") == 0) return held(argv + 2);
    return run_as_init("advisory", checks);
}
