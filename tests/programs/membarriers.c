// membarrier(2): registration, and that one thread's barrier makes up for those that the others leave out.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum {
    QUERY = 0,
    GLOBAL = 1,
    GLOBAL_EXPEDITED = 2,
    REGISTER_GLOBAL_EXPEDITED = 4,
    PRIVATE_EXPEDITED = 8,
    REGISTER_PRIVATE_EXPEDITED = 16,
    SYNC_CORE = 32,
    REGISTER_SYNC_CORE = 64,
};

static int membarrier(int command, unsigned flags) {
    return syscall(SYS_membarrier, command, flags, 0);
}

static void registration(void) {
    int known = membarrier(QUERY, 0);
    CHECK(known > 0 && (known & 0x7f) == 0x7f);
    CHECK(membarrier(QUERY, 1) == -1 && errno == EINVAL);
    CHECK(membarrier(1 << 20, 0) == -1 && errno == EINVAL);
    CHECK(membarrier(GLOBAL, 0) == 0);
    CHECK(membarrier(GLOBAL_EXPEDITED, 0) == 0);
    CHECK(membarrier(REGISTER_GLOBAL_EXPEDITED, 0) == 0);
    CHECK(membarrier(PRIVATE_EXPEDITED, 0) == -1 && errno == EPERM);
    CHECK(membarrier(SYNC_CORE, 0) == -1 && errno == EPERM);
    CHECK(membarrier(REGISTER_PRIVATE_EXPEDITED, 0) == 0);
    CHECK(membarrier(PRIVATE_EXPEDITED, 0) == 0);
    CHECK(membarrier(SYNC_CORE, 0) == -1 && errno == EPERM);
    CHECK(membarrier(REGISTER_SYNC_CORE, 0) == 0);
    CHECK(membarrier(SYNC_CORE, 0) == 0);
}

// Each side stores to its own word and then loads the other's. With a barrier on both sides at least one sees the other's
// store; here the light side has none, and the heavy side calls the kernel.
static struct {
    _Alignas(128) atomic_int stored, seen;
} light, heavy;
static _Alignas(128) atomic_int round_begun, round_done;
static int rounds, command;

static void wait_for(atomic_int *word, int round) {
    for (int i = 1; atomic_load_explicit(word, memory_order_acquire) < round; i++)
        if (i % 1000 == 0) sched_yield();
}

static void *be_light(void *unused) {
    for (int round = 1; round <= rounds; round++) {
        wait_for(&round_begun, round);
        atomic_store_explicit(&light.stored, round, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        int seen = atomic_load_explicit(&heavy.stored, memory_order_relaxed);
        atomic_store_explicit(&light.seen, seen, memory_order_relaxed);
        atomic_store_explicit(&round_done, round, memory_order_release);
    }
    return unused;
}

// How often neither side saw the other.
static int play(int with, int number_of_rounds) {
    pthread_t thread;
    int missed = 0;
    command = with;
    rounds = number_of_rounds;
    light.stored = heavy.stored = round_begun = round_done = 0;
    CHECK(pthread_create(&thread, NULL, be_light, NULL) == 0);
    for (int round = 1; round <= rounds; round++) {
        atomic_store_explicit(&round_begun, round, memory_order_release);
        // A different delay each time, so that the two meet in every way.
        for (volatile int i = 0; i < round % 97; i++) continue;
        atomic_store_explicit(&heavy.stored, round, memory_order_relaxed);
        if (membarrier(command, 0) != 0) failed++;
        heavy.seen = atomic_load_explicit(&light.stored, memory_order_relaxed);
        wait_for(&round_done, round);
        missed += light.seen != round && heavy.seen != round;
    }
    CHECK(pthread_join(thread, NULL) == 0);
    return missed;
}

static void *call_at_once(void *unused) {
    for (int i = 0; i < 200; i++)
        if (membarrier(i % 2 ? PRIVATE_EXPEDITED : GLOBAL_EXPEDITED, 0) != 0) failed++;
    return unused;
}

// Somebody changes where a thread may run while that one waits in the kernel for others: it is not at EL0 on the forbidden
// processor once the call has returned.
static atomic_int moves, looks, is_over, strays;

static void *spin(void *unused) {
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) continue;
    return unused;
}

static void only_on(pid_t thread, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK(sched_setaffinity(thread, sizeof set, &set) == 0);
}

static atomic_int moved_thread;

static void *wait_for_others(void *unused) {
    moved_thread = syscall(SYS_gettid);
    while (!is_over) {
        // An odd number: it is being moved.
        int before = moves;
        unsigned cpu = 9;
        syscall(SYS_getcpu, &cpu, NULL, NULL);
        if (before > 0 && before % 2 == 0 && moves == before && cpu != (unsigned)before / 2 % 2) strays++;
        looks++;
        if (membarrier(PRIVATE_EXPEDITED, 0) != 0) failed++;
    }
    return unused;
}

static void moved_while_it_waits(void) {
    pthread_t mover, spinners[2];
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&spinners[i], NULL, spin, NULL) == 0);
    CHECK(pthread_create(&mover, NULL, wait_for_others, NULL) == 0);
    while (moved_thread == 0) sched_yield();
    for (int i = 1; i <= 50; i++) {
        moves++;
        only_on(moved_thread, i % 2);
        moves++;
        // It looks where it is, and waits again, before it is moved again.
        for (int seen = looks; looks < seen + 3;) continue;
    }
    is_over = 1;
    CHECK(pthread_join(mover, NULL) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(spinners[i], NULL) == 0);
    CHECK(strays == 0);
}

static void checks(void) {
    registration();
    moved_while_it_waits();
    CHECK(play(PRIVATE_EXPEDITED, 600) == 0);
    CHECK(play(SYNC_CORE, 200) == 0);
    CHECK(play(GLOBAL_EXPEDITED, 200) == 0);
    // Everybody at once: none waits for another for ever.
    pthread_t threads[6];
    for (int i = 0; i < 6; i++) CHECK(pthread_create(&threads[i], NULL, call_at_once, NULL) == 0);
    for (int i = 0; i < 6; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    // A forked child has what its parent registered.
    pid_t child = start_child();
    if (child == 0) {
        CHECK(membarrier(PRIVATE_EXPEDITED, 0) == 0);
        end_child();
    }
    CHECK(child_passed(child));
}

int main(void) {
    return run_as_init("membarriers", checks);
}
