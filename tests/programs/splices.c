// splice(2), tee(2), vmsplice(2), sendfile(2) into pipes: errors as Linux has them, and no byte lost, doubled or changed.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

enum { PAGE = 4096, LARGE = 300000 };

static uint64_t state = 1;
static uint64_t next(void) { // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static unsigned below(unsigned n) { return next() % n; }

static char byte_at(uint64_t number) { return (char)(number * 31 + (number >> 8) * 7 + (number >> 16)); }

static void fill(char *to, uint64_t from, size_t len) {
    for (size_t i = 0; i < len; i++) to[i] = byte_at(from + i);
}

static int is_filled(const char *bytes, uint64_t from, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != byte_at(from + i)) return 0;
    return 1;
}

static char buffer[1 << 20];

static int make_file(const char *name, size_t len) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    fill(buffer, 0, len);
    CHECK(write(fd, buffer, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static int unread(int fd) {
    int count = -1;
    ioctl(fd, FIONREAD, &count);
    return count;
}

static void check_misuse(void) {
    int ends[2], others[2], file = make_file("/tmp/splices_a", 10000), out = open("/tmp/splices_b", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int reading = open("/tmp/splices_a", O_RDONLY), appending = open("/tmp/splices_b", O_WRONLY | O_APPEND), event = eventfd(1, 0);
    int directory = open("/tmp", O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDWR), place = open("/tmp", O_PATH);
    loff_t at = 0, negative = -1;
    CHECK(pipe(ends) == 0 && pipe(others) == 0);
    CHECK(splice(-1, NULL, -1, NULL, 0, ~0u) == 0 && tee(-1, -1, 0, 0) == 0);
    CHECK(FAILS(splice(file, NULL, ends[1], NULL, 1, 16), EINVAL) && FAILS(tee(ends[0], others[1], 1, 16), EINVAL) && FAILS(vmsplice(ends[1], NULL, 0, 16), EINVAL));
    CHECK(FAILS(splice(-1, NULL, ends[1], NULL, 1, 0), EBADF) && FAILS(splice(file, NULL, 1000, NULL, 1, 0), EBADF));
    CHECK(FAILS(splice(place, NULL, ends[1], NULL, 1, 0), EBADF) && FAILS(splice(file, NULL, place, NULL, 1, 0), EBADF));
    CHECK(FAILS(splice(file, NULL, out, NULL, 1, 0), EINVAL) && FAILS(splice(ends[0], NULL, ends[1], NULL, 1, 0), EINVAL));
    CHECK(FAILS(splice(ends[0], &at, out, NULL, 1, 0), ESPIPE) && FAILS(splice(file, NULL, ends[1], &at, 1, 0), ESPIPE));
    CHECK(FAILS(splice(ends[1], NULL, out, NULL, 1, 0), EBADF) && FAILS(splice(file, NULL, ends[0], NULL, 1, 0), EBADF));
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(FAILS(splice(ends[0], NULL, reading, NULL, 1, 0), EBADF) && FAILS(splice(ends[0], NULL, appending, NULL, 1, 0), EINVAL));
    CHECK(FAILS(splice(event, NULL, ends[1], NULL, 8, 0), EINVAL) && FAILS(splice(directory, NULL, ends[1], NULL, 8, 0), EINVAL));
    CHECK(FAILS(splice(null, NULL, ends[1], NULL, 8, 0), EINVAL));
    CHECK(FAILS(splice(file, &negative, ends[1], NULL, 1, 0), EINVAL) && FAILS(splice(ends[0], NULL, out, &negative, 1, 0), EINVAL));
    CHECK(FAILS(splice(file, (loff_t *)8, ends[1], NULL, 1, 0), EFAULT));
    CHECK(FAILS(tee(file, ends[1], 1, 0), EINVAL) && FAILS(tee(ends[0], file, 1, 0), EINVAL) && FAILS(tee(ends[0], ends[1], 1, 0), EINVAL));
    CHECK(FAILS(tee(ends[1], others[1], 1, 0), EBADF) && FAILS(tee(ends[0], others[0], 1, 0), EBADF));
    struct iovec part = {buffer, 1};
    CHECK(FAILS(vmsplice(file, &part, 1, 0), EBADF) && FAILS(vmsplice(ends[1], &part, 1025, 0), EINVAL) && FAILS(vmsplice(ends[1], (void *)8, 1, 0), EFAULT));
    part.iov_base = (void *)8;
    CHECK(FAILS(vmsplice(others[1], &part, 1, 0), EFAULT) && vmsplice(ends[1], &part, 0, 0) == 0 && unread(others[0]) == 0 && unread(ends[0]) == 1);
    // It waits for nothing.
    CHECK(FAILS(splice(others[0], NULL, out, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN) && FAILS(splice(others[0], NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN));
    CHECK(FAILS(tee(others[0], ends[1], 1, SPLICE_F_NONBLOCK), EAGAIN));
    part.iov_base = buffer;
    CHECK(FAILS(vmsplice(others[0], &part, 1, SPLICE_F_NONBLOCK), EAGAIN));
    fcntl(others[1], F_SETFL, O_NONBLOCK);
    while (write(others[1], buffer, PAGE) > 0) {
    }
    CHECK(FAILS(splice(file, NULL, others[1], NULL, 1, 0), EAGAIN) && FAILS(splice(ends[0], NULL, others[1], NULL, 1, 0), EAGAIN));
    CHECK(FAILS(vmsplice(others[1], &part, 1, SPLICE_F_NONBLOCK), EAGAIN) && lseek(file, 0, SEEK_CUR) == 0);
    // Nobody writes any more.
    close(ends[1]);
    CHECK(splice(ends[0], NULL, out, NULL, 100, 0) == 1 && splice(ends[0], NULL, out, NULL, 100, 0) == 0);
    CHECK(FAILS(splice(ends[0], NULL, others[1], NULL, 100, 0), EAGAIN) && FAILS(tee(ends[0], others[1], 100, 0), EAGAIN));
    CHECK(read(others[0], buffer, 2 * PAGE) == 2 * PAGE);
    CHECK(splice(ends[0], NULL, others[1], NULL, 100, 0) == 0 && tee(ends[0], others[1], 100, 0) == 0);
    // Nobody reads.
    close(others[0]);
    signal(SIGPIPE, SIG_IGN);
    CHECK(FAILS(splice(file, NULL, others[1], NULL, 1, 0), EPIPE) && FAILS(vmsplice(others[1], &part, 1, 0), EPIPE));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        splice(file, NULL, others[1], NULL, 1, 0);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    int all[] = {file, out, reading, appending, event, directory, null, place, ends[0], others[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) close(all[i]);
}

static void check_files(void) {
    int ends[2], file = make_file("/tmp/splices_a", LARGE), out = open("/tmp/splices_b", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(pipe(ends) == 0);
    // By the positions.
    size_t done = 0;
    for (ssize_t moved; (moved = splice(file, NULL, ends[1], NULL, 50000, 0)) > 0;) {
        CHECK(moved <= 50000 && unread(ends[0]) == moved && lseek(file, 0, SEEK_CUR) == (off_t)(done + moved));
        for (ssize_t left = moved; left > 0;) {
            ssize_t wrote = splice(ends[0], NULL, out, NULL, left, SPLICE_F_MOVE | SPLICE_F_MORE);
            CHECK(wrote > 0);
            if (wrote <= 0) break;
            left -= wrote;
        }
        done += moved;
        CHECK(lseek(out, 0, SEEK_CUR) == (off_t)done);
    }
    CHECK(done == LARGE && pread(out, buffer, LARGE, 0) == LARGE && is_filled(buffer, 0, LARGE));
    // By offsets of the program's.
    loff_t from = 12345, to = 777;
    CHECK(splice(file, &from, ends[1], NULL, 5000, 0) == 5000 && from == 17345 && lseek(file, 0, SEEK_CUR) == LARGE);
    CHECK(splice(ends[0], NULL, out, &to, 5000, 0) == 5000 && to == 5777 && lseek(out, 0, SEEK_CUR) == LARGE);
    CHECK(pread(out, buffer, 5000, 777) == 5000 && is_filled(buffer, 12345, 5000));
    from = LARGE;
    CHECK(splice(file, &from, ends[1], NULL, 10, 0) == 0 && from == LARGE);
    // What is in the pipe stays as it was when it came.
    from = 0;
    CHECK(splice(file, &from, ends[1], NULL, 100, 0) == 100 && splice(file, &from, ends[1], NULL, 60, 0) == 60 && write(ends[1], "end", 3) == 3);
    CHECK(unread(ends[0]) == 163 && read(ends[0], buffer, 50) == 50 && is_filled(buffer, 0, 50));
    CHECK(read(ends[0], buffer, 200) == 113 && is_filled(buffer, 50, 110) && memcmp(buffer + 110, "end", 3) == 0);
    // Devices, and sendfile(2) into a pipe.
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_WRONLY);
    // Linux before 6.5 does not take it.
    ssize_t zeros = splice(zero, NULL, ends[1], NULL, 3 * PAGE, 0);
    if (zeros < 0 && errno == EINVAL) memset(buffer, 0, 3 * PAGE), zeros = write(ends[1], buffer, 3 * PAGE);
    CHECK(zeros == 3 * PAGE && unread(ends[0]) == 3 * PAGE && splice(ends[0], NULL, null, NULL, PAGE, 0) == PAGE);
    CHECK(read(ends[0], buffer, 3 * PAGE) == 2 * PAGE && buffer[0] == 0 && buffer[2 * PAGE - 1] == 0);
    off_t offset = 4000;
    CHECK(sendfile(ends[1], file, &offset, 9000) == 9000 && offset == 13000 && read(ends[0], buffer, 10000) == 9000 && is_filled(buffer, 4000, 9000));
    CHECK(FAILS(sendfile(out, ends[0], NULL, 1), EINVAL) && FAILS(sendfile(out, ends[0], &offset, 1), ESPIPE));
    close(zero), close(null), close(file), close(out), close(ends[0]), close(ends[1]);
}

static void check_memory(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    fill(buffer, 0, 20000);
    struct iovec parts[] = {{buffer, 5000}, {buffer + 5000, 0}, {buffer + 5000, 7000}};
    CHECK(vmsplice(ends[1], parts, 3, 0) == 12000 && unread(ends[0]) == 12000);
    struct iovec into[] = {{buffer + 100000, 4000}, {buffer + 200000, 8000}};
    CHECK(vmsplice(ends[0], into, 2, 0) == 12000 && is_filled(buffer + 100000, 0, 4000) && is_filled(buffer + 200000, 4000, 8000));
    // More than there is room for.
    fill(buffer, 0, 100000);
    struct iovec large = {buffer, 100000};
    ssize_t put = vmsplice(ends[1], &large, 1, 0);
    CHECK(put > 0 && put <= 65536 && FAILS(vmsplice(ends[1], &large, 1, SPLICE_F_NONBLOCK), EAGAIN));
    CHECK(read(ends[0], buffer + 100000, 100000) == put && is_filled(buffer + 100000, 0, put));
    close(ends[0]), close(ends[1]);
}

static void check_packets(void) {
    int ends[2], others[2];
    CHECK(pipe2(ends, O_DIRECT) == 0 && pipe(others) == 0);
    CHECK(write(ends[1], "first", 5) == 5 && write(ends[1], "second", 6) == 6 && splice(ends[0], NULL, others[1], NULL, 100, 0) == 11);
    CHECK(read(others[0], buffer, 100) == 5 && memcmp(buffer, "first", 5) == 0 && read(others[0], buffer, 100) == 6 && memcmp(buffer, "second", 6) == 0);
    CHECK(write(ends[1], "third", 5) == 5 && tee(ends[0], others[1], 100, 0) == 5 && unread(others[0]) == 5 && read(others[0], buffer, 100) == 5);
    CHECK(read(ends[0], buffer, 100) == 5 && memcmp(buffer, "third", 5) == 0);
    close(ends[0]), close(ends[1]), close(others[0]), close(others[1]);
}

static void check_sockets(void) {
    int ends[2], pair[2], one;
    CHECK(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    fill(buffer, 0, 9000);
    CHECK(write(pair[0], buffer, 9000) == 9000);
    size_t got = 0;
    for (ssize_t moved; got < 9000 && (moved = splice(pair[1], NULL, ends[1], NULL, 20000, 0)) > 0;) got += moved;
    CHECK(got == 9000 && unread(ends[0]) == 9000);
    for (ssize_t moved; got > 0 && (moved = splice(ends[0], NULL, pair[0], NULL, got, 0)) > 0;) got -= moved;
    CHECK(got == 0);
    for (ssize_t len; got < 9000 && (len = read(pair[1], buffer + got, sizeof buffer - got)) > 0;) got += len;
    CHECK(got == 9000 && is_filled(buffer, 0, 9000));
    loff_t at = 0;
    CHECK(FAILS(splice(pair[0], &at, ends[1], NULL, 1, 0), EINVAL));
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    CHECK(FAILS(splice(pair[1], NULL, ends[1], NULL, 1, 0), EAGAIN));
    // The pipe was not harmed by that.
    CHECK(write(ends[1], "ok", 2) == 2 && read(ends[0], buffer, 10) == 2);
    close(pair[0]);
    CHECK(splice(pair[1], NULL, ends[1], NULL, 1, 0) == 0);
    one = write(ends[1], "x", 1);
    signal(SIGPIPE, SIG_IGN);
    CHECK(one == 1 && FAILS(splice(ends[0], NULL, pair[1], NULL, 1, 0), EPIPE) && unread(ends[0]) == 1);
    close(pair[1]), close(ends[0]), close(ends[1]);
}

static void *write_later(void *fd) {
    usleep(30000);
    CHECK(write(*(int *)fd, "later", 5) == 5);
    return NULL;
}

static void *read_later(void *fd) {
    static char bytes[65536];
    usleep(30000);
    CHECK(read(*(int *)fd, bytes, sizeof bytes) > 0);
    return NULL;
}

static void on_alarm(int signal) { (void)signal; }

// Whoever waits is woken by what comes, and others are by what it does.
static void check_waits(void) {
    int ends[2], others[2], file = make_file("/tmp/splices_a", 1000);
    pthread_t thread;
    CHECK(pipe(ends) == 0 && pipe(others) == 0);
    pthread_create(&thread, NULL, write_later, &ends[1]);
    CHECK(splice(ends[0], NULL, others[1], NULL, 100, 0) == 5 && pthread_join(thread, NULL) == 0);
    pthread_create(&thread, NULL, write_later, &ends[1]);
    CHECK(tee(ends[0], others[1], 100, 0) == 5 && pthread_join(thread, NULL) == 0 && unread(ends[0]) == 5 && unread(others[0]) == 10);
    pthread_create(&thread, NULL, write_later, &others[1]);
    CHECK(splice(others[0], NULL, file, NULL, 10, 0) == 10 && splice(others[0], NULL, file, NULL, 10, 0) == 5 && pthread_join(thread, NULL) == 0);
    fcntl(others[1], F_SETFL, O_NONBLOCK);
    while (write(others[1], buffer, PAGE) > 0) {
    }
    fcntl(others[1], F_SETFL, 0);
    pthread_create(&thread, NULL, read_later, &others[0]);
    CHECK(splice(ends[0], NULL, others[1], NULL, 5, 0) == 5 && pthread_join(thread, NULL) == 0);
    // A sleeper and an epoll are told.
    int watch = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, seen;
    while (unread(ends[0]) > 0) CHECK(read(ends[0], buffer, 10) > 0);
    CHECK(epoll_ctl(watch, EPOLL_CTL_ADD, ends[0], &event) == 0 && epoll_wait(watch, &seen, 1, 0) == 0);
    loff_t at = 0;
    for (int i = 0; i < 3; i++) CHECK(splice(file, &at, ends[1], NULL, 10, 0) == 10 && epoll_wait(watch, &seen, 1, 0) == 1 && epoll_wait(watch, &seen, 1, 0) == 0);
    event.events = EPOLLOUT | EPOLLET;
    CHECK(epoll_ctl(watch, EPOLL_CTL_DEL, ends[0], NULL) == 0 && epoll_ctl(watch, EPOLL_CTL_ADD, ends[1], &event) == 0);
    CHECK(epoll_wait(watch, &seen, 1, 0) == 1);
    // A signal ends a wait.
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    while (unread(ends[0]) > 0) CHECK(read(ends[0], buffer, 100) > 0);
    ualarm(20000, 0);
    CHECK(FAILS(splice(ends[0], NULL, file, NULL, 1, 0), EINTR));
    ualarm(20000, 0);
    CHECK(FAILS(tee(ends[0], others[1], 1, 0), EINTR));
    close(watch), close(file), close(ends[0]), close(ends[1]), close(others[0]), close(others[1]);
}

// Two pipes of which it is known what is in them, and everything that moves bytes, at random. Bytes have numbers in each.
struct model {
    int ends[2];
    char bytes[1 << 17];
    size_t len;
};

static struct model models[2];

static void add(struct model *model, const char *bytes, ssize_t len) {
    if (len <= 0) return;
    memcpy(model->bytes + model->len, bytes, len);
    model->len += len;
}

static void take_off(struct model *model, ssize_t len) {
    if (len <= 0) return;
    memmove(model->bytes, model->bytes + len, model->len - len);
    model->len -= len;
}

static void check_random(void) {
    static char read_back[1 << 17], constant[LARGE];
    fill(constant, 0, LARGE);
    int file = make_file("/tmp/splices_a", LARGE), out = open("/tmp/splices_b", O_RDWR | O_CREAT | O_TRUNC, 0600), wrong = 0;
    for (int i = 0; i < 2; i++) CHECK(pipe2(models[i].ends, O_NONBLOCK) == 0);
    for (int i = 0; i < 30000; i++) {
        struct model *a = &models[below(2)], *b = &models[a == &models[0]];
        size_t len = below(3) ? 1 + below(300) : below(2) ? (1 + below(4)) * PAGE : 1 + below(20000);
        uint64_t start = below(LARGE - 20000);
        loff_t at = start;
        ssize_t moved;
        switch (below(8)) {
        case 0:
            fill(buffer, start, len);
            add(a, buffer, write(a->ends[1], buffer, len));
            break;
        case 1:
            moved = read(a->ends[0], read_back, len);
            wrong += moved > 0 && memcmp(read_back, a->bytes, moved) != 0;
            wrong += (moved > 0) != (a->len > 0);
            take_off(a, moved);
            break;
        case 2:
            moved = splice(a->ends[0], NULL, b->ends[1], NULL, len, 0);
            add(b, a->bytes, moved);
            take_off(a, moved);
            break;
        case 3: add(b, a->bytes, tee(a->ends[0], b->ends[1], len, 0)); break;
        case 4:
            fill(buffer, start, len);
            add(a, buffer, splice(file, &at, a->ends[1], NULL, len, 0));
            break;
        case 5:
            at = 0;
            moved = splice(a->ends[0], NULL, out, &at, len, 0);
            wrong += moved > 0 && (pread(out, read_back, moved, 0) != moved || memcmp(read_back, a->bytes, moved) != 0);
            take_off(a, moved);
            break;
        case 6: {
            // Linux takes the pages themselves: they may not change.
            struct iovec parts[2] = {{constant + start, len / 2}, {constant + start + len / 2, len - len / 2}};
            add(a, constant + start, vmsplice(a->ends[1], parts, 2, SPLICE_F_NONBLOCK));
            break;
        }
        case 7: {
            struct iovec part = {read_back, len};
            moved = vmsplice(a->ends[0], &part, 1, SPLICE_F_NONBLOCK);
            wrong += moved > 0 && memcmp(read_back, a->bytes, moved) != 0;
            take_off(a, moved);
            break;
        }
        }
        wrong += unread(a->ends[0]) != (int)a->len || unread(b->ends[0]) != (int)b->len;
        if (wrong) break;
    }
    CHECK(wrong == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(read(models[i].ends[0], read_back, sizeof read_back) == (ssize_t)models[i].len || models[i].len == 0);
        close(models[i].ends[0]), close(models[i].ends[1]);
    }
    close(file), close(out);
}

// A stream through two pipes and a socket, each way by a thread of its own; a copy of it goes to a third pipe.
enum { STREAM = 6 << 20 };
static int first[2], second[2], third[2], pair[2];

static void *write_stream(void *at) {
    static char bytes[70000];
    for (uint64_t done = 0; done < STREAM;) {
        size_t len = 1 + (done * 7919) % sizeof bytes;
        if (len > STREAM - done) len = STREAM - done;
        fill(bytes, done, len);
        ssize_t wrote = write(first[1], bytes, len);
        CHECK(wrote > 0);
        if (wrote <= 0) break;
        done += wrote;
    }
    close(first[1]);
    return at;
}

// All that is in the first goes to the third as well before it goes to the second.
static void *pass_stream(void *at) {
    for (;;) {
        ssize_t len = tee(first[0], third[1], 1 << 20, 0);
        if (len <= 0) {
            CHECK(len == 0);
            break;
        }
        for (ssize_t moved; len > 0; len -= moved) {
            moved = splice(first[0], NULL, second[1], NULL, len, 0);
            CHECK(moved > 0);
            if (moved <= 0) return at;
        }
    }
    close(second[1]), close(third[1]);
    return at;
}

static void *send_stream(void *at) {
    for (ssize_t moved; (moved = splice(second[0], NULL, pair[0], NULL, 1 << 20, 0)) != 0;) {
        CHECK(moved > 0);
        if (moved < 0) break;
    }
    shutdown(pair[0], SHUT_WR);
    return at;
}

static void *read_stream(void *fd) {
    uint64_t done = 0;
    char *bytes = malloc(100000);
    int wrong = 0;
    for (ssize_t len; (len = read(*(int *)fd, bytes, 100000)) > 0; done += len) wrong += !is_filled(bytes, done, len);
    CHECK(wrong == 0 && done == STREAM);
    free(bytes);
    return NULL;
}

static void check_stream(void) {
    pthread_t threads[5];
    CHECK(pipe(first) == 0 && pipe(second) == 0 && pipe(third) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pthread_create(&threads[0], NULL, write_stream, NULL);
    pthread_create(&threads[1], NULL, pass_stream, NULL);
    pthread_create(&threads[2], NULL, send_stream, NULL);
    pthread_create(&threads[3], NULL, read_stream, &pair[1]);
    pthread_create(&threads[4], NULL, read_stream, &third[0]);
    for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
    close(first[0]), close(second[0]), close(third[0]), close(pair[0]), close(pair[1]);
}

// Several take from one pipe and put into another at once: each byte arrives once, and none is torn from its word.
enum { WORDS = 200000, MOVERS = 4 };
static int source[2], target[2];
static unsigned char arrived[WORDS];

static void *move_words(void *at) {
    for (ssize_t moved; (moved = splice(source[0], NULL, target[1], NULL, 4 * (1 + (size_t)at * 500), 0)) != 0;) {
        CHECK(moved > 0 && moved % 4 == 0);
        if (moved < 0) break;
    }
    return NULL;
}

static void *write_words(void *at) {
    for (uint32_t i = 0; i < WORDS;) {
        uint32_t words[1000];
        for (int k = 0; k < 1000; k++) words[k] = i + k;
        CHECK(write(source[1], words, sizeof words) == sizeof words);
        i += 1000;
    }
    close(source[1]);
    return at;
}

static void *read_words(void *at) {
    static uint32_t words[16384];
    size_t kept = 0;
    int wrong = 0;
    for (ssize_t len; (len = read(target[0], (char *)words + kept, sizeof words - kept)) > 0;) {
        kept += len;
        for (size_t i = 0; i < kept / 4; i++) {
            if (words[i] < WORDS) arrived[words[i]]++;
            else wrong++;
        }
        memmove(words, (char *)words + kept / 4 * 4, kept % 4);
        kept %= 4;
    }
    for (int i = 0; i < WORDS; i++) wrong += arrived[i] != 1;
    CHECK(wrong == 0);
    return at;
}

static void check_crowd(void) {
    pthread_t movers[MOVERS], writer, reader;
    CHECK(pipe(source) == 0 && pipe(target) == 0);
    pthread_create(&writer, NULL, write_words, NULL);
    pthread_create(&reader, NULL, read_words, NULL);
    for (long i = 0; i < MOVERS; i++) pthread_create(&movers[i], NULL, move_words, (void *)i);
    for (int i = 0; i < MOVERS; i++) pthread_join(movers[i], NULL);
    pthread_join(writer, NULL);
    close(target[1]);
    pthread_join(reader, NULL);
    close(source[0]), close(target[0]);
}

static void checks(void) {
    mkdir("/tmp", 0777);
    check_misuse();
    check_files();
    check_memory();
    check_packets();
    check_sockets();
    check_waits();
    check_random();
    check_stream();
    check_crowd();
}

int main(int argc, char **argv) {
    (void)argc, (void)argv;
    return run_as_init("splices", checks);
}
