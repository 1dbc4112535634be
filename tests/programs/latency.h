// How late others are while one process makes a long call: a sleeper of short naps beside it, on one processor.
#pragma once
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

enum { NAP = 100 * 1000, KIB = 1024, MIB = 1024 * KIB };
#define GIB (1024L * MIB)

// Nanoseconds that a sleeper may be late.
static long most_late = 500 * 1000;

// A call whose lateness is measured. `prepare` and `call` run in a process of the row's own, which then ends.
struct row {
    const char *name;
    void (*prepare)(void);
    void (*call)(void);
    // 0: shown only, for what holds the processor is still to be mended.
    int is_mended;
};

// What `prepare` leaves to be put away behind the call; it may take its time.
static void (*finish)(void);

struct sleeper {
    _Atomic int is_over;
    // Nanoseconds: the worst since `forget_lateness`, and how often it woke.
    _Atomic long worst;
    _Atomic long naps;
};
static struct sleeper *sleeper;
static pid_t sleeper_process;

static inline long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000L + at.tv_nsec;
}

// Others get the processor when a call lets them, and this one before all of them.
static inline void nap_on(void) {
    struct sched_param first = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO, &first);
    while (!sleeper->is_over) {
        long due = now() + NAP;
        struct timespec at = {due / 1000000000L, due % 1000000000L};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        long late = now() - due;
        if (late > sleeper->worst) sleeper->worst = late;
        sleeper->naps++;
    }
    _exit(0);
}

static inline void start_sleeper(void) {
    sleeper = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sleeper_process = fork();
    if (sleeper_process == 0) nap_on();
}

static inline void end_sleeper(void) {
    sleeper->is_over = 1;
    CHECK(waitpid(sleeper_process, NULL, 0) == sleeper_process);
}

static inline void forget_lateness(void) { sleeper->worst = 0; }

// The worst so far, once the sleeper has had its turn.
static inline long lateness(void) {
    long naps = sleeper->naps;
    while (sleeper->naps < naps + 2) usleep(200);
    return sleeper->worst;
}

// What a child that makes the call tells its parent.
static _Atomic long *in_call;

static inline void measure(const struct row *row) {
    *in_call = -1;
    forget_lateness();
    pid_t child = start_child();
    if (child == 0) {
        if (row->prepare) row->prepare();
        lateness();
        forget_lateness();
        row->call();
        *in_call = lateness();
        if (finish) finish();
        end_child();
    }
    CHECK(child_passed(child));
    long late = *in_call, later = lateness();
    printf("late %-24s %8ld us, with its end %8ld us%s\n", row->name, late / 1000, later / 1000,
           row->is_mended ? "" : " (to be mended)");
    if (row->is_mended) {
        CHECK(late >= 0);
        CHECK(late <= most_late);
    }
}

// Memory of that length, none of it touched, in pages of 4 KiB only.
static inline char *reserve(size_t length) {
    char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    madvise(memory, length, MADV_NOHUGEPAGE);
    return memory;
}

static inline void touch_each(char *memory, size_t length, size_t step) {
    for (size_t at = 0; at < length; at += step) memory[at] = 1;
}
