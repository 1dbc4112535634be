// Sleeping and waking: of many who wait each gets what is for him, and nobody sleeps on beside what he waits for.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>

enum { READERS = 40, ROUNDS = 12, LISTED = 4096, PIPES = 300 };

// What children count together.
static _Atomic int *shared;

static void do_nothing(int signal) { (void)signal; }

static void rest(void) { usleep(20 * 1000); }

// ---- Many readers of one pipe: each byte finds one, also while signals take readers away, and the end finds the rest.

static void read_one(int from, int is_interrupted) {
    char byte;
    if (is_interrupted) {
        struct sigaction action = {.sa_handler = do_nothing};
        sigaction(SIGUSR1, &action, NULL);
    }
    ssize_t got;
    while ((got = read(from, &byte, 1)) == 1) shared[0]++;
    if (got == 0) shared[1]++;
    if (got < 0 && errno == EINTR) shared[2]++;
    _exit(0);
}

static void readers_of_one_pipe(void) {
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2], bytes = 0;
        pid_t readers[READERS];
        CHECK(pipe(ends) == 0);
        shared[0] = shared[1] = shared[2] = 0;
        for (int i = 0; i < READERS; i++) {
            readers[i] = fork();
            if (readers[i] == 0) close(ends[1]), read_one(ends[0], i % 2);
        }
        if (round % 2) rest();
        for (int i = 0; i < READERS; i++) {
            int count = 1 + i % 3;
            CHECK(write(ends[1], "xyz", count) == count);
            bytes += count;
            if (i % 2) kill(readers[i], SIGUSR1);
            if (round % 3 == 0) sched_yield();
        }
        // All of it is read though every second reader went away.
        struct pollfd left = {ends[0], POLLIN, 0};
        for (int wait = 0; wait < 500 && poll(&left, 1, 0) != 0; wait++) usleep(10 * 1000);
        CHECK(poll(&left, 1, 0) == 0);
        close(ends[1]);
        for (int i = 0; i < READERS; i++) CHECK(waitpid(readers[i], NULL, 0) == readers[i]);
        CHECK(shared[0] == bytes);
        close(ends[0]);
    }
}

// ---- Many writers of one full pipe: whatever their sizes, all get through; and all learn that nobody reads any more.

static void fill(int to) {
    static char zeros[4096];
    fcntl(to, F_SETFL, O_NONBLOCK);
    while (write(to, zeros, sizeof zeros) > 0) {}
    while (write(to, zeros, 1) > 0) {}
    fcntl(to, F_SETFL, 0);
}

static void start_writers(int *ends, pid_t *writers, int size) {
    static char block[3 * 65536];
    for (int i = 0; i < READERS; i++) {
        writers[i] = fork();
        if (writers[i] != 0) continue;
        close(ends[0]);
        signal(SIGPIPE, SIG_IGN);
        ssize_t done = write(ends[1], block, 1 + (long)size * i);
        _exit(done == 1 + (long)size * i ? 0 : 1);
    }
}

static void writers_of_one_pipe(void) {
    static char taken[7000];
    for (int size = 0; size < 4096; size += 1000) {
        int ends[2], status;
        pid_t writers[READERS];
        CHECK(pipe(ends) == 0);
        fill(ends[1]);
        start_writers(ends, writers, size);
        close(ends[1]);
        while (read(ends[0], taken, 1 + size) > 0) {}
        for (int i = 0; i < READERS; i++) CHECK(child_passed(writers[i]));
        close(ends[0]);

        CHECK(pipe(ends) == 0);
        fill(ends[1]);
        start_writers(ends, writers, size);
        rest();
        close(ends[0]);
        for (int i = 0; i < READERS; i++)
            CHECK(waitpid(writers[i], &status, 0) == writers[i] && status != 0);
        close(ends[1]);
    }
}

// ---- poll(2)

// One end listed thousands of times, by several, beside a reader who takes what they look at.
static void one_end_often(void) {
    static struct pollfd list[LISTED];
    struct rlimit most = {LISTED, LISTED};
    CHECK(setrlimit(RLIMIT_NOFILE, &most) == 0);
    int ends[2], answers[2];
    pid_t pollers[4];
    CHECK(pipe(ends) == 0 && pipe(answers) == 0);
    for (int i = 0; i < LISTED; i++) list[i] = (struct pollfd){i % 2 ? ends[0] : answers[0], POLLIN, 0};
    for (int i = 0; i < 4; i++) {
        pollers[i] = start_child();
        if (pollers[i] != 0) continue;
        // The byte may come in the middle of the look.
        int ready = poll(list, LISTED, -1);
        CHECK(ready > 0 && ready <= LISTED / 2);
        CHECK(list[0].revents == 0 && list[LISTED - 1].revents == POLLIN);
        end_child();
    }
    pid_t reader = start_child();
    if (reader == 0) {
        char byte;
        CHECK(read(answers[0], &byte, 1) == 1);
        end_child();
    }
    rest();
    CHECK(write(ends[1], "x", 1) == 1);
    for (int i = 0; i < 4; i++) CHECK(child_passed(pollers[i]));
    CHECK(write(answers[1], "x", 1) == 1);
    CHECK(child_passed(reader));
}

// Many different files, of which the last becomes ready while all sleep.
static void many_ends(void) {
    static struct pollfd list[PIPES];
    int writable[PIPES];
    for (int i = 0; i < PIPES; i++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        list[i] = (struct pollfd){ends[0], POLLIN, 0};
        writable[i] = ends[1];
    }
    for (int chosen = PIPES - 1; chosen >= 0; chosen -= 37) {
        pid_t writer = start_child();
        if (writer == 0) {
            rest();
            CHECK(write(writable[chosen], "x", 1) == 1);
            end_child();
        }
        char byte;
        CHECK(poll(list, PIPES, 10 * 1000) == 1);
        CHECK(list[chosen].revents == POLLIN);
        CHECK(read(list[chosen].fd, &byte, 1) == 1);
        CHECK(poll(list, PIPES, 1) == 0);
        CHECK(child_passed(writer));
    }
    close(writable[7]);
    CHECK(poll(list, PIPES, -1) == 1 && list[7].revents == POLLHUP);
    for (int i = 0; i < PIPES; i++) {
        close(list[i].fd);
        if (i != 7) close(writable[i]);
    }
}

static void what_poll_says(void) {
    int ends[2], path = open("/", O_PATH);
    CHECK(pipe(ends) == 0);
    struct pollfd list[] = {{-1, POLLIN, 99}, {ends[0], POLLIN, 99}, {ends[1], POLLOUT, 99}, {path, POLLIN, 99}, {900, 0, 99}};
    CHECK(poll(list, 5, 0) == 3);
    CHECK(list[0].revents == 0 && list[1].revents == 0 && list[2].revents == POLLOUT);
    CHECK(list[3].revents == POLLNVAL && list[4].revents == POLLNVAL);
    CHECK(poll(list, 2, 0) == 0 && poll(NULL, 0, 1) == 0);
    struct pollfd *volatile nowhere = (struct pollfd *)8;
    volatile nfds_t too_many = 1 << 30;
    CHECK(poll(nowhere, 1, 0) == -1 && errno == EFAULT);
    CHECK(poll(nowhere, too_many, 0) == -1 && errno == EINVAL);
    struct timespec bad = {0, -1};
    CHECK(ppoll(list, 1, &bad, NULL) == -1 && errno == EINVAL);

    // A signal that the mask lets through comes first where nothing is ready, even without time to wait.
    struct sigaction action = {.sa_handler = do_nothing};
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaction(SIGUSR1, &action, NULL);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR1);
    struct timespec at_once = {0, 0};
    CHECK(ppoll(list, 2, &at_once, NULL) == 0);
    CHECK(ppoll(list, 3, &at_once, &none) == 1);
    CHECK(ppoll(list, 2, &at_once, &none) == -1 && errno == EINTR);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    close(ends[0]), close(ends[1]), close(path);
}

static void what_select_says(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    fd_set in, out, bad;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&bad);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    FD_SET(ends[0], &bad);
    FD_SET(500, &in);
    struct timeval at_once = {0, 0};
    // Bits from the count on are not looked at.
    CHECK(select(ends[1] + 1, &in, &out, &bad, &at_once) == 1);
    CHECK(!FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out) && !FD_ISSET(ends[0], &bad));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(select(ends[1] + 1, &in, &out, NULL, NULL) == 2);
    FD_ZERO(&in);
    FD_SET(60, &in);
    CHECK(select(61, &in, NULL, NULL, &at_once) == -1 && errno == EBADF);
    CHECK(select(-1, &in, NULL, NULL, &at_once) == -1 && errno == EINVAL);
    struct timeval bit = {0, 1000};
    CHECK(select(0, NULL, NULL, NULL, &bit) == 0);
    close(ends[0]), close(ends[1]);
}

// ---- A program may wait for an interrupt, and is not left alone with that where none comes.

static double seconds(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void waiting_instructions_end(void) {
    double start = seconds();
    for (int i = 0; i < 20; i++) __asm__ volatile("wfi\n\twfe" ::: "memory");
    CHECK(seconds() - start < 2);
}

static void check_all(void) {
    waiting_instructions_end();
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    what_poll_says();
    what_select_says();
    many_ends();
    readers_of_one_pipe();
    writers_of_one_pipe();
    one_end_often();
}

int main(void) { return run_as_init("waits", check_all); }
