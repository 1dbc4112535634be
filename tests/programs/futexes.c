// futex(2) by its own calls: what is compared, who is woken, who is moved, what ends a wait, and what is refused.
#include "check.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define PRIVATE FUTEX_PRIVATE_FLAG

static uint32_t word, word2;

static long futex(void *word, int operation, uint32_t value, void *fourth, void *word2, uint32_t value3) {
    return syscall(SYS_futex, word, operation, value, fourth, word2, value3);
}

static long wake(void *word, int count) {
    return futex(word, FUTEX_WAKE | PRIVATE, count, NULL, NULL, 0);
}

static void *count_argument(int count) {
    return (void *)(long)count;
}

// FUTEX_OP, with each field in its place whatever the operands.
static uint32_t change(uint32_t operation, uint32_t argument, uint32_t comparison, uint32_t compared) {
    return (operation & 15) << 28 | (comparison & 15) << 24 | (argument & 0xfff) << 12 | (compared & 0xfff);
}

static long change_and_wake(void *changed, uint32_t code) {
    return futex(&word, FUTEX_WAKE_OP | PRIVATE, 1, count_argument(1), changed, code);
}

static long now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static struct timespec in_ms(clockid_t clock, long ms) {
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

// A thread that waits once.
struct waiter {
    pthread_t thread;
    uint32_t *word, mask;
    int operation;
    atomic_int is_woken;
    int error;
};

static void *wait_once(void *argument) {
    struct waiter *self = argument;
    long result = futex(self->word, self->operation, *self->word, NULL, NULL, self->mask);
    self->error = result == 0 ? 0 : errno;
    self->is_woken = 1;
    return NULL;
}

static void start_waiters(struct waiter *waiters, int count, uint32_t *word, int operation) {
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){.word = word, .operation = operation, .mask = 1u << i};
        CHECK(pthread_create(&waiters[i].thread, NULL, wait_once, &waiters[i]) == 0);
        // One after the other, so that the order in which they wait is known.
        usleep(20000);
    }
}

static int woken(const struct waiter *waiters, int count) {
    int bits = 0;
    usleep(30000);
    for (int i = 0; i < count; i++) bits |= waiters[i].is_woken << i;
    return bits;
}

static void join_waiters(struct waiter *waiters, int count) {
    for (int i = 0; i < count; i++) {
        CHECK(pthread_join(waiters[i].thread, NULL) == 0);
        CHECK(waiters[i].error == 0);
    }
}

static void refusals(void) {
    static uint32_t here = 5;
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}, none = {0, 0};
    CHECK(futex(&here, FUTEX_WAIT, 4, NULL, NULL, 0) == -1 && errno == EAGAIN);
    CHECK(futex((char *)&here + 1, FUTEX_WAIT, 5, NULL, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex((char *)&here + 2, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex(NULL, FUTEX_WAIT | PRIVATE, 5, NULL, NULL, 0) == -1 && errno == EFAULT);
    CHECK(futex((void *)-4096l, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EFAULT);
    CHECK(futex(NULL, FUTEX_WAKE, 1, NULL, NULL, 0) == -1 && errno == EFAULT);
    CHECK(futex(NULL, FUTEX_WAKE | PRIVATE, 1, NULL, NULL, 0) == 0);
    CHECK(futex(&here, FUTEX_WAIT, 5, &bad, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex(&here, FUTEX_WAIT, 5, &negative, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex(&here, FUTEX_WAIT, 5, (void *)8, NULL, 0) == -1 && errno == EFAULT);
    CHECK(futex(&here, FUTEX_WAIT, 5, &none, NULL, 0) == -1 && errno == ETIMEDOUT);
    CHECK(futex(&here, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex(&here, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex(&here, FUTEX_CMP_REQUEUE, 1, count_argument(1), &word, 4) == -1 && errno == EAGAIN);
    CHECK(futex(&here, FUTEX_CMP_REQUEUE, -1, count_argument(1), &word, 5) == -1 && errno == EINVAL);
    CHECK(futex(&here, FUTEX_REQUEUE, 1, count_argument(-1), &word, 0) == -1 && errno == EINVAL);
    CHECK(futex(&here, FUTEX_FD, 0, NULL, NULL, 0) == -1 && errno == ENOSYS);
    CHECK(futex(&here, 99, 0, NULL, NULL, 0) == -1 && errno == ENOSYS);
    CHECK(futex(&here, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0) == -1 && errno == ENOSYS);
    CHECK(here == 5);
}

static void times(void) {
    struct timespec time = {0, 60000000};
    long start = now_ms();
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 0, &time, NULL, 0) == -1 && errno == ETIMEDOUT);
    CHECK(now_ms() - start >= 59);
    time = in_ms(CLOCK_MONOTONIC, 60);
    start = now_ms();
    CHECK(futex(&word, FUTEX_WAIT_BITSET | PRIVATE, 0, &time, NULL, 1) == -1 && errno == ETIMEDOUT);
    CHECK(now_ms() - start >= 58);
    time = in_ms(CLOCK_REALTIME, 60);
    start = now_ms();
    CHECK(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &time, NULL, 1) == -1 && errno == ETIMEDOUT);
    CHECK(now_ms() - start >= 58 && now_ms() - start < 30000);
}

static void wakes(void) {
    struct waiter waiters[8];
    start_waiters(waiters, 8, &word, FUTEX_WAIT | PRIVATE);
    CHECK(futex(&word, FUTEX_WAKE, 8, NULL, NULL, 0) == 0);
    CHECK(wake(&word2, 8) == 0);
    CHECK(woken(waiters, 8) == 0);
    CHECK(wake(&word, 1) == 1);
    CHECK(woken(waiters, 8) == 1);
    CHECK(wake(&word, 3) == 3);
    CHECK(woken(waiters, 8) == 0xf);
    CHECK(wake(&word, INT_MAX) == 4);
    join_waiters(waiters, 8);
    CHECK(wake(&word, INT_MAX) == 0);
}

static void masks(void) {
    struct waiter waiters[6];
    start_waiters(waiters, 6, &word, FUTEX_WAIT_BITSET | PRIVATE);
    CHECK(futex(&word, FUTEX_WAKE_BITSET | PRIVATE, 10, NULL, NULL, 0x14) == 2);
    CHECK(woken(waiters, 6) == 0x14);
    CHECK(futex(&word, FUTEX_WAKE_BITSET | PRIVATE, 1, NULL, NULL, 0x2a) == 1);
    CHECK(woken(waiters, 6) == 0x16);
    CHECK(wake(&word, 10) == 3);
    join_waiters(waiters, 6);
}

static void requeues(void) {
    struct waiter waiters[8];
    start_waiters(waiters, 8, &word, FUTEX_WAIT | PRIVATE);
    CHECK(futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 1, count_argument(4), &word2, 1) == -1 && errno == EAGAIN);
    CHECK(woken(waiters, 8) == 0);
    CHECK(futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 1, count_argument(4), &word2, 0) == 5);
    CHECK(woken(waiters, 8) == 1);
    CHECK(wake(&word, 1) == 1);
    CHECK(woken(waiters, 8) == 0x21);
    CHECK(wake(&word2, 2) == 2);
    CHECK(woken(waiters, 8) == 0x27);
    CHECK(futex(&word, FUTEX_REQUEUE | PRIVATE, 0, count_argument(INT_MAX), &word2, 0) == 2);
    CHECK(wake(&word, INT_MAX) == 0);
    CHECK(wake(&word2, INT_MAX) == 4);
    join_waiters(waiters, 8);
}

static void operations(void) {
    struct waiter waiters[4];
    word2 = 10;
    CHECK(change_and_wake(&word2, change(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)) == 0 && word2 == 15);
    CHECK(change_and_wake(&word2, change(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_EQ, 0)) == 0 && word2 == 12);
    CHECK(change_and_wake(&word2, change(FUTEX_OP_OR, 1, FUTEX_OP_CMP_EQ, 0)) == 0 && word2 == 13);
    CHECK(change_and_wake(&word2, change(FUTEX_OP_XOR, 9, FUTEX_OP_CMP_EQ, 0)) == 0 && word2 == 4);
    CHECK(change_and_wake(&word2, change(FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 5, FUTEX_OP_CMP_EQ, 0)) == 0 && word2 == 32);
    CHECK(change_and_wake(&word2, change(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_EQ, 0)) == 0 && word2 == 31);
    CHECK(change_and_wake(&word2, change(7, 0, FUTEX_OP_CMP_EQ, 0)) == -1 && errno == ENOSYS);
    CHECK(change_and_wake((void *)8, change(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)) == -1 && errno == EFAULT);
    start_waiters(waiters, 2, &word, FUTEX_WAIT | PRIVATE);
    start_waiters(waiters + 2, 2, &word2, FUTEX_WAIT | PRIVATE);
    // The comparison is with the old value.
    CHECK(change_and_wake(&word2, change(FUTEX_OP_SET, 1, FUTEX_OP_CMP_LT, 31)) == 1);
    CHECK(woken(waiters, 4) == 1 && word2 == 1);
    CHECK(change_and_wake(&word2, change(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GE, 1)) == 2);
    CHECK(woken(waiters, 4) == 7 && word2 == 0);
    CHECK(wake(&word2, 9) == 1);
    join_waiters(waiters, 4);
}

// Memory that processes share is known by what is mapped, wherever that is.
static void shared_words(void) {
    char name[] = "/tmp/futexXXXXXX";
    int file = mkstemp(name);
    CHECK(file >= 0 && ftruncate(file, 8192) == 0);
    for (int kind = 0; kind < 2; kind++) {
        int flags = kind ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
        uint32_t *here = mmap(NULL, 8192, PROT_READ | PROT_WRITE, flags, kind ? -1 : file, 0);
        CHECK(here != MAP_FAILED);
        pid_t child = start_child();
        if (child == 0) {
            uint32_t *there = kind ? here : mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 4096) - 4096;
            CHECK(futex(there + 1030, FUTEX_WAIT, 0, NULL, NULL, 0) == 0);
            end_child();
        }
        long woken = 0;
        for (int i = 0; i < 5000 && woken == 0; i++) {
            CHECK(futex(here + 6, FUTEX_WAKE, 9, NULL, NULL, 0) == 0);
            CHECK(wake(here + 1030, 9) == 0);
            woken = futex(here + 1030, FUTEX_WAKE, 9, NULL, NULL, 0);
            usleep(1000);
        }
        CHECK(woken == 1);
        CHECK(child_passed(child));
        munmap(here, 8192);
    }
    close(file);
    unlink(name);
    // Private memory is not shared by a fork, even if both call it so.
    pid_t child = start_child();
    if (child == 0) {
        struct timespec time = {0, 300000000};
        CHECK(futex(&word, FUTEX_WAIT, 0, &time, NULL, 0) == -1 && errno == ETIMEDOUT);
        end_child();
    }
    usleep(100000);
    CHECK(futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0) == 0);
    CHECK(child_passed(child));
}

static void note(int signal) {
    (void)signal;
}

static atomic_int is_over;

static void *send_signals(void *target) {
    while (!is_over) {
        usleep(30000);
        pthread_kill(*(pthread_t *)target, SIGUSR1);
    }
    return NULL;
}

static void interruptions(void) {
    pthread_t self = pthread_self(), thread;
    struct timespec time = {5, 0};
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGUSR1, &action, NULL);
    CHECK(pthread_create(&thread, NULL, send_signals, &self) == 0);
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EINTR);
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 0, &time, NULL, 0) == -1 && errno == EINTR);
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    // With a time limit a handler always ends the wait.
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 0, &time, NULL, 0) == -1 && errno == EINTR);
    is_over = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    struct waiter waiter;
    start_waiters(&waiter, 1, &word, FUTEX_WAIT | PRIVATE);
    CHECK(pthread_kill(waiter.thread, SIGUSR1) == 0);
    CHECK(woken(&waiter, 1) == 0);
    CHECK(wake(&word, 1) == 1);
    join_waiters(&waiter, 1);
    signal(SIGUSR1, SIG_DFL);
}

struct futex_waitv_word {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static uint32_t several[4];

static void *wait_for_several(void *unused) {
    struct futex_waitv_word words[4];
    for (int i = 0; i < 4; i++) words[i] = (struct futex_waitv_word){0, (uintptr_t)&several[i], 2 | PRIVATE, 0};
    (void)unused;
    return (void *)syscall(449, words, 4, 0, NULL, CLOCK_MONOTONIC);
}

static void several_words(void) {
    struct futex_waitv_word word = {1, (uintptr_t)&several[0], 2, 0};
    struct timespec end = in_ms(CLOCK_MONOTONIC, 50);
    CHECK(syscall(449, &word, 1, 0, NULL, 0) == -1 && errno == EAGAIN);
    CHECK(syscall(449, &word, 0, 0, NULL, 0) == -1 && errno == EINVAL);
    CHECK(syscall(449, &word, 129, 0, NULL, 0) == -1 && errno == EINVAL);
    CHECK(syscall(449, &word, 1, 1, NULL, 0) == -1 && errno == EINVAL);
    word.value = 0;
    CHECK(syscall(449, &word, 1, 0, &end, CLOCK_MONOTONIC) == -1 && errno == ETIMEDOUT);
    word.flags = 0;
    CHECK(syscall(449, &word, 1, 0, NULL, 0) == -1 && errno == EINVAL);
    for (long i = 0; i < 4; i++) {
        pthread_t thread;
        void *index = NULL;
        CHECK(pthread_create(&thread, NULL, wait_for_several, NULL) == 0);
        usleep(30000);
        CHECK(wake(&several[i], 9) == 1);
        CHECK(pthread_join(thread, &index) == 0 && (long)index == i);
        for (int j = 0; j < 4; j++) CHECK(wake(&several[j], 9) == 0);
    }
}

// No wake-up is lost: two threads in turn, each of which sleeps until the other has changed the word.
static _Atomic uint32_t turn;

static void *take_turns(void *argument) {
    uint32_t side = (long)argument;
    for (int i = 0; i < 20000; i++) {
        while (turn != side) futex(&turn, FUTEX_WAIT | PRIVATE, !side, NULL, NULL, 0);
        turn = !side;
        wake(&turn, 1);
    }
    return NULL;
}

static void nothing_is_lost(void) {
    pthread_t threads[2];
    for (long i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, take_turns, (void *)i) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

#include "futexes_sized.h"

// Threads with a real-time priority are woken before those that waited longer, the highest first; and moved so, too.
static void *wait_with_priority(void *argument) {
    struct waiter *self = argument;
    struct sched_param wanted = {.sched_priority = (int)self->mask};
    if (self->mask) CHECK(pthread_setschedparam(pthread_self(), SCHED_FIFO, &wanted) == 0);
    self->mask = FUTEX_BITSET_MATCH_ANY;
    return wait_once(argument);
}

static void priorities(void) {
    static const uint32_t wanted[] = {0, 1, 5, 3, 5, 0};
    struct waiter waiters[6];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 6; i++) {
            waiters[i] = (struct waiter){.word = &word, .operation = FUTEX_WAIT_BITSET | PRIVATE, .mask = wanted[i]};
            CHECK(pthread_create(&waiters[i].thread, NULL, wait_with_priority, &waiters[i]) == 0);
            usleep(20000);
        }
        uint32_t *at = &word;
        CHECK(wake(at, 1) == 1 && woken(waiters, 6) == 0x04);
        if (round == 1) {
            CHECK(futex(&word, FUTEX_REQUEUE | PRIVATE, 0, count_argument(3), &word2, 0) == 3 && woken(waiters, 6) == 0x04);
            CHECK(wake(&word, 1) == 1 && woken(waiters, 6) == 0x05);
            CHECK(wake(&word2, 2) == 2 && woken(waiters, 6) == 0x1d && wake(&word2, 9) == 1 && wake(&word, 9) == 1);
        } else {
            CHECK(wake(at, 1) == 1 && woken(waiters, 6) == 0x14 && wake(at, 1) == 1 && woken(waiters, 6) == 0x1c);
            CHECK(wake(at, 1) == 1 && woken(waiters, 6) == 0x1e && wake(at, 1) == 1 && woken(waiters, 6) == 0x1f && wake(at, 9) == 1);
        }
        join_waiters(waiters, 6);
    }
}

static void checks(void) {
    refusals();
    times();
    wakes();
    masks();
    requeues();
    operations();
    shared_words();
    interruptions();
    several_words();
    sized_words();
    priorities();
    nothing_is_lost();
}

int main(void) {
    return run_as_init("futexes", checks);
}
