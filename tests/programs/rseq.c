// Restartable sequences: rseq(2). On Linux too, but for what its 6.1 does not know yet.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

enum { SIGNATURE = 0xd428bc00 - 0x100000000, OTHER = 0x1234 };
enum { THREADS = 8, ROUNDS = 60000, PROCESSORS = 64 };

struct area {
    uint32_t cpu_id_start, cpu_id;
    uint64_t section;
    uint32_t flags, node_id, mm_cid, padding;
} __attribute__((aligned(32)));

struct section {
    uint32_t version, flags;
    uint64_t start, len, abort;
} __attribute__((aligned(32)));

static int is_linux;

static volatile struct area *own(void) { return (void *)((char *)__builtin_thread_pointer() + __rseq_offset); }

static long rseq(volatile void *area, uint32_t len, int flags, uint32_t signature) { return syscall(SYS_rseq, area, len, flags, signature); }

static void check_registration(void) {
    // The C library has asked for it.
    volatile struct area *first = own();
    CHECK(__rseq_size == 32 && first->cpu_id < PROCESSORS && first->section == 0);
    if (!is_linux) CHECK(getauxval(27) == 28 && getauxval(28) == 32);
    CHECK(FAILS(rseq(first, 32, 0, SIGNATURE), EBUSY) && FAILS(rseq(first, 32, 0, OTHER), EPERM) && FAILS(rseq(first, 64, 0, SIGNATURE), EINVAL));
    CHECK(FAILS(rseq(first + 1, 32, 0, SIGNATURE), EINVAL) && FAILS(rseq(first, 32, 2, SIGNATURE), EINVAL) && FAILS(rseq(first, 32, 3, SIGNATURE), EINVAL));
    CHECK(FAILS(rseq(first, 32, 1, OTHER), EPERM) && FAILS(rseq(first, 31, 1, SIGNATURE), EINVAL) && FAILS(rseq(first + 1, 32, 1, SIGNATURE), EINVAL));
    CHECK(rseq(first, 32, 1, SIGNATURE) == 0 && first->cpu_id == ~0u && first->cpu_id_start == 0 && FAILS(rseq(first, 32, 1, SIGNATURE), EINVAL));
    static char areas[256] __attribute__((aligned(64)));
    CHECK(FAILS(rseq(areas, 31, 0, OTHER), EINVAL) && FAILS(rseq(areas + 16, 32, 0, OTHER), EINVAL) && FAILS(rseq((void *)0xffffff8000000000, 32, 0, OTHER), EFAULT));
    CHECK(rseq(areas, 32, 0, OTHER) == 0 && ((struct area *)areas)->cpu_id < PROCESSORS && rseq(areas, 32, 1, OTHER) == 0);
    CHECK(rseq(first, 32, 0, SIGNATURE) == 0 && first->cpu_id < PROCESSORS && first->cpu_id == first->cpu_id_start);
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < PROCESSORS; i++)
        if (cpu < 0 || i == cpu) CPU_SET(i, &set);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
}

// The area says where a thread runs, also in a child, and of threads.
static void *is_told(void *at) {
    for (int i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++) {
        pin(i);
        CHECK(own()->cpu_id == (unsigned)i && own()->cpu_id_start == (unsigned)i && own()->cpu_id == (unsigned)sched_getcpu());
        if (!is_linux) CHECK(own()->node_id == 0 && own()->mm_cid == (unsigned)i);
    }
    pin(-1);
    return at;
}

static void check_processor(void) {
    is_told(NULL);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, is_told, NULL) == 0 && pthread_join(thread, NULL) == 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(FAILS(rseq(own(), 32, 0, SIGNATURE), EBUSY));
        is_told(NULL);
        end_child();
    }
    CHECK(child_passed(child));
}

// Counters of processors, each on a line of its own.
static volatile struct {
    uint64_t count, padding[7];
} counters[PROCESSORS];
static _Atomic long restarts;

// Adds one to the counter of the processor that it runs on, in a piece of code that is begun anew if another thread ran meanwhile;
// `turns` round a loop between the load and the store.
static int add_one(volatile struct area *area, long turns) {
    __asm__ goto volatile(
        ".pushsection __rseq_cs, \"aw\"\n"
        ".balign 32\n"
        "8: .long 0, 0\n"
        ".quad 1f, 2f - 1f, 4f\n"
        ".popsection\n"
        "adrp x9, 8b\n"
        "add x9, x9, :lo12:8b\n"
        "str x9, [%[area], #8]\n"
        "1: ldr w10, [%[area], #4]\n"
        "add x10, %[counters], x10, lsl #6\n"
        "ldr x11, [x10]\n"
        "mov x12, %[turns]\n"
        "5: subs x12, x12, #1\n"
        "b.ne 5b\n"
        "add x11, x11, #1\n"
        "str x11, [x10]\n"
        "2: b 6f\n"
        ".inst 0xd428bc00\n"
        "4: b %l[aborted]\n"
        "6:\n"
        :
        : [area] "r"(area), [counters] "r"(counters), [turns] "r"(turns)
        : "x9", "x10", "x11", "x12", "cc", "memory"
        : aborted);
    return 1;
aborted:
    restarts++;
    return 0;
}

static void *count(void *turns) {
    for (int i = 0; i < ROUNDS; i++) {
        while (!add_one(own(), (long)turns)) {
        }
        if (i % 1000 == 0) sched_yield();
    }
    return NULL;
}

static void expect_counts(uint64_t wanted) {
    uint64_t sum = 0;
    for (int i = 0; i < PROCESSORS; i++) sum += counters[i].count, counters[i].count = 0;
    CHECK(sum == wanted);
    if (sum != wanted) printf("    %lu of %lu\n", (unsigned long)sum, (unsigned long)wanted);
}

static void check_threads(void) {
    pthread_t threads[THREADS];
    // On a quiet machine they may pass each other by.
    for (int tries = 0; restarts == 0 && tries < 40; tries++) {
        for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, count, (void *)(i % 2 ? 1l : 400l)) == 0);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        expect_counts((uint64_t)THREADS * ROUNDS);
    }
    // They met each other.
    CHECK(restarts > 0);
}

static volatile long handled;
static volatile uint64_t section_in_handler;
static void add_in_handler(int signal) {
    (void)signal;
    section_in_handler |= own()->section;
    handled += add_one(own(), 1);
}

// A handler that counts too interrupts the piece of code, which begins anew.
static void check_signals(void) {
    pin(0);
    struct sigaction action = {.sa_handler = add_in_handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    restarts = 0;
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    uint64_t wanted = 0;
    while (handled < 100) {
        while (!add_one(own(), 20000)) {
        }
        wanted++;
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    expect_counts(wanted + handled);
    CHECK(restarts > 0 && section_in_handler == 0);
    pin(-1);
}

static void do_nothing(int signal) { (void)signal; }

// What names a piece of code that is none dies.
static int dies_of(struct section section, uint32_t flags, int is_signalled) {
    pid_t child = fork();
    if (child == 0) {
        // Nor does a handler help.
        struct sigaction action = {.sa_handler = do_nothing};
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGALRM, &action, NULL);
        pin(0);
        static struct section bad;
        bad = section;
        if (is_signalled) {
            struct itimerval often = {{0, 1000}, {0, 1000}};
            setitimer(ITIMER_REAL, &often, NULL);
        } else if (fork() == 0) {
            // Takes the processor away.
            own()->flags = 0;
            alarm(1);
            for (;;) sched_yield();
        }
        own()->flags = flags;
        own()->section = section.len == 1 ? 8 : (uintptr_t)&bad;
        for (;;) __asm__ volatile("");
    }
    int status = 0;
    // Who does not die is none of those.
    for (int i = 0; i < 300; i++) {
        if (waitpid(child, &status, WNOHANG) == child) return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
        usleep(1000);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return 0;
}

static int dies(struct section section, uint32_t flags) {
    int both = dies_of(section, flags, 0) + dies_of(section, flags, 1);
    CHECK(both != 1);
    return both == 2;
}

static void nothing(void) {}

static void check_bad(void) {
    uint64_t code = (uintptr_t)nothing;
    static const uint32_t signed_code[4] = {0, 0, 0xd428bc00, 0}, unsigned_code[4] = {0};
    struct section good = {0, 0, code & ~0xffful, 0, (uintptr_t)&signed_code[3]};
    CHECK(!dies(good, 0));
    struct section wrong = good;
    wrong.abort = (uintptr_t)&unsigned_code[3];
    CHECK(dies(wrong, 0));
    wrong = good, wrong.version = 1;
    CHECK(dies(wrong, 0));
    wrong = good, wrong.start = (uintptr_t)signed_code, wrong.len = 64;
    CHECK(dies(wrong, 0));
    wrong = good, wrong.abort = ~0xffful;
    CHECK(dies(wrong, 0));
    wrong = good, wrong.len = ~0ul;
    CHECK(dies(wrong, 0));
    wrong = good, wrong.len = 1;
    CHECK(dies(wrong, 0));
    // Everywhere inside of it: flags are not known there.
    wrong = good, wrong.start = 4, wrong.len = (uintptr_t)signed_code & ~0xffful;
    wrong.abort = (uintptr_t)&signed_code[3];
    CHECK(dies(wrong, 1));
}

static _Atomic int is_in_sequence;

static void *stay_in_sequence(void *at) {
    pin(1);
    is_in_sequence = 1;
    // An hour and more, unless it is told to leave.
    CHECK(add_one(own(), 1l << 42) == 0);
    return at;
}

static int membarrier(int command, unsigned flags, int cpu) { return syscall(SYS_membarrier, command, flags, cpu); }

enum { RSEQ = 1 << 7, REGISTER_RSEQ = 1 << 8, FOR_ONE = 1 };

// One thread makes others leave their sequences.
static void check_barriers(void) {
    CHECK(membarrier(0, 0, 0) & RSEQ && membarrier(0, 0, 0) & REGISTER_RSEQ);
    CHECK(FAILS(membarrier(RSEQ, 0, 0), EPERM) && membarrier(REGISTER_RSEQ, 0, 0) == 0 && membarrier(RSEQ, 0, 0) == 0);
    CHECK(FAILS(membarrier(RSEQ, 2, 0), EINVAL) && FAILS(membarrier(REGISTER_RSEQ, FOR_ONE, 0), EINVAL));
    CHECK(membarrier(RSEQ, FOR_ONE, 5000) == 0 && membarrier(RSEQ, FOR_ONE, 0) == 0);
    pin(0);
    for (unsigned flags = 0; flags <= FOR_ONE; flags++) {
        pthread_t thread;
        is_in_sequence = 0;
        CHECK(pthread_create(&thread, NULL, stay_in_sequence, NULL) == 0);
        while (!is_in_sequence) {
        }
        usleep(20000);
        CHECK(membarrier(RSEQ, flags, 1) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    pin(-1);
    expect_counts(0);
}

static void checks(void) {
    struct utsname name;
    uname(&name);
    is_linux = strstr(name.version, "Holstein") == NULL;
    check_registration();
    check_processor();
    check_threads();
    check_signals();
    check_barriers();
    check_bad();
}

int main(int argc, char **argv) {
    (void)argc, (void)argv;
    return run_as_init("rseq", checks);
}
