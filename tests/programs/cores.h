// What the programs that work on several processors at once share: gates, forks, faults that are survived, and what the
// kernel counts.
#pragma once
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum { PAGE = 4096, WORDS = PAGE / 8 };
#define TABLE (2ul << 20) // what one table of level 3 maps

typedef _Atomic uint64_t word;

static inline word *word_at(void *memory, size_t offset) { return (word *)((char *)memory + offset); }
static inline uint64_t look(word *place) { return atomic_load_explicit(place, memory_order_acquire); }
static inline void put(word *place, uint64_t value) { atomic_store_explicit(place, value, memory_order_release); }

static inline void *map_at(void *place, size_t len, int protection, int flags) {
    void *memory = mmap(place, len, protection, flags | MAP_ANONYMOUS | (place ? MAP_FIXED : 0), -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(3);
    }
    return memory;
}

// As many processors as the program may use when it first asks, at least 1.
static inline int processors(void) {
    static int count;
    cpu_set_t set;
    if (count == 0) count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count;
}

// For loops that wait for another thread, which may want this processor.
static inline void wait_a_little(unsigned *turns) {
    if (++*turns % 1024 == 0 || processors() == 1) sched_yield();
}

// Keeps the calling thread on one processor, counted round all that there are.
static inline void stay_on(int number) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number % processors(), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) perror("sched_setaffinity");
}

// Two or more meet here again and again; `crowd` says how many. It lies in memory that all of them share.
struct gate {
    _Atomic unsigned come, opened;
};
static inline void meet(struct gate *gate, unsigned crowd) {
    unsigned turn = atomic_load(&gate->opened), turns = 0;
    if (atomic_fetch_add(&gate->come, 1) + 1 == crowd) {
        atomic_store(&gate->come, 0);
        atomic_store(&gate->opened, turn + 1);
    } else {
        while (atomic_load(&gate->opened) == turn) {
            wait_a_little(&turns);
            // The other's processor may itself have to wait for one of the machine that QEMU runs on.
            if (turns % 4096 == 0) usleep(20);
        }
    }
}

// fork() for any thread at any time: without the C library's locks and handlers. The child may only compute, make
// system calls and _exit.
static inline pid_t bare_fork(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

// Waits for this child; true if it exited with 0.
static inline int ended_well(pid_t child) {
    int status = -1;
    pid_t got;
    do got = waitpid(child, &status, 0);
    while (got == -1 && errno == EINTR);
    return got == child && status == 0;
}

static inline pthread_t start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, argument) != 0) {
        perror("pthread_create");
        exit(3);
    }
    return thread;
}

// A store that may meet a page that is not there or may not be written: true if it was done.
static __thread sigjmp_buf after_fault;
static __thread volatile sig_atomic_t is_trying;
static inline void on_fault(int signal) {
    if (is_trying) siglongjmp(after_fault, 1);
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(signal, &plain, NULL);
}
static inline void survive_faults(void) {
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
}
static inline int try_put(word *place, uint64_t value) {
    if (sigsetjmp(after_fault, 0)) {
        is_trying = 0;
        return 0;
    }
    is_trying = 1;
    put(place, value);
    is_trying = 0;
    return 1;
}
static inline int try_look(word *place, uint64_t *value) {
    if (sigsetjmp(after_fault, 0)) {
        is_trying = 0;
        return 0;
    }
    is_trying = 1;
    *value = look(place);
    is_trying = 0;
    return 1;
}

// splitmix64
static inline uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static inline uint64_t below(uint64_t *state, uint64_t n) { return next(state) % n; }

// The number behind a name in a file of /proc; -1 where there is none.
static inline long number_in(const char *path, const char *name) {
    char text[8192];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = 0, got = 0;
    while (file >= 0 && (got = read(file, text + len, sizeof text - 1 - len)) > 0) len += got;
    if (file >= 0) close(file);
    text[len] = 0;
    size_t name_len = strlen(name);
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, name_len) == 0 && strchr(" :", line[name_len])) return strtol(line + name_len + 1, NULL, 10);
    }
    return -1;
}
// Events that only Holstein counts.
static inline long counted(const char *event) { return number_in("/proc/vmstat", event); }
static inline int is_holstein(void) { return counted("cow_copied") >= 0; }

// KiB of memory that are free, or that the kernel's heap can give to anybody.
static inline long free_kib(void) {
    long heap = is_holstein() ? number_in("/proc/meminfo", "Slab") : 0;
    return number_in("/proc/meminfo", "MemFree") + heap;
}
// How many of them may be gone: Linux moves its memory about by itself.
static inline long tolerated_kib(void) { return is_holstein() ? 64 : 12 << 10; }

// KiB that are gone since `before` KiB were free. The last to end leave their stacks a moment after they were waited for.
static inline long lost_kib(long before) {
    long lost = before - free_kib();
    for (int naps = 0; naps < 100 && lost > tolerated_kib(); naps++) {
        usleep(10000);
        lost = before - free_kib();
    }
    return lost;
}

static inline double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
