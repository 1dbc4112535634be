// Locks with priority inheritance, by futex(2) itself and by the thread library; many waiters of one word; waits by the time of day.
#include "cores.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/time.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static long futex(_Atomic uint32_t *word, int operation, uint64_t value, const void *time, _Atomic uint32_t *second, uint32_t third) {
    return syscall(SYS_futex, word, operation, value, time, second, third);
}
static int fails(long result, int error) { return result == -1 && errno == error; }
static uint32_t own_tid(void) { return (uint32_t)syscall(SYS_gettid); }
static void sleep_millis(long millis) {
    struct timespec time = {.tv_sec = millis / 1000, .tv_nsec = millis % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0) {}
}
static struct timespec in_millis(clockid_t clock, long millis) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += millis * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}
static void set_priority(int priority) {
    struct sched_param param = {.sched_priority = priority};
    CHECK(syscall(SYS_sched_setscheduler, 0, priority ? SCHED_FIFO : SCHED_OTHER, &param) == 0);
}
// What counts for the scheduler, field 18 of stat: -1 less the real-time priority.
static int effective_priority(uint32_t tid) {
    char path[64], text[1024] = "";
    snprintf(path, sizeof path, "/proc/self/task/%u/stat", tid);
    int file = open(path, O_RDONLY);
    CHECK(read(file, text, sizeof text - 1) > 0);
    close(file);
    char *at = strrchr(text, ')') + 2;
    for (int field = 3; field < 18; field++) at = strchr(at, ' ') + 1;
    return -1 - (int)strtol(at, NULL, 10);
}
static void await(_Atomic uint32_t *word, uint32_t value) {
    for (int i = 0; i < 5000 && *word != value; i++) sleep_millis(1);
    CHECK(*word == value);
}
// Until a thread sleeps in the kernel.
static void await_sleep(uint32_t tid) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%u/stat", tid);
    for (int i = 0; i < 5000; i++) {
        int file = open(path, O_RDONLY);
        memset(text, 0, sizeof text);
        if (read(file, text, sizeof text - 1) <= 0) text[0] = 0;
        close(file);
        char *at = strrchr(text, ')');
        if (at != NULL && at[2] == 'S') return;
        sleep_millis(1);
    }
    CHECK(!"it sleeps");
}

// ---- The words.

static _Atomic uint32_t lock, second, phase;

static void check_words(void) {
    struct timespec soon = in_millis(CLOCK_MONOTONIC, 20);
    lock = 0;
    CHECK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 && lock == own_tid());
    CHECK(fails(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK));
    CHECK(fails(futex(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK));
    CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0 && lock == 0);
    CHECK(fails(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM));
    CHECK(futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0 && lock == own_tid());
    CHECK(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
    lock = 4000000;
    CHECK(fails(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH));
    lock = FUTEX_OWNER_DIED;
    CHECK(futex(&lock, FUTEX_LOCK_PI2, 0, &soon, NULL, 0) == 0 && lock == (FUTEX_OWNER_DIED | own_tid()));
    CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0 && lock == 0);
    CHECK(fails(futex((void *)1, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EINVAL));
    CHECK(fails(futex((void *)4096, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EFAULT));
    CHECK(fails(futex(&lock, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0), EINVAL));
    CHECK(fails(futex(&lock, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, &second, 0), EINVAL));
    CHECK(fails(futex(&lock, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &second, 7), EAGAIN));
}

// ---- Who has the lock gets the priority of who waits for it.

struct waiter {
    pthread_t thread;
    int priority, has_timeout;
    _Atomic uint32_t *lock, *holds;
    _Atomic uint32_t tid;
    long result;
    int error;
};
static _Atomic int order[8], count;

static void *wait_for_lock(void *argument) {
    struct waiter *own = argument;
    set_priority(own->priority);
    if (own->holds != NULL) CHECK(futex(own->holds, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0);
    own->tid = own_tid();
    struct timespec soon = in_millis(CLOCK_REALTIME, 100);
    own->result = futex(own->lock, FUTEX_LOCK_PI, 0, own->has_timeout ? &soon : NULL, NULL, 0);
    own->error = errno;
    if (own->result == 0) {
        order[count++ % 8] = own->priority;
        CHECK((*own->lock & FUTEX_TID_MASK) == own->tid);
        CHECK(futex(own->lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    }
    if (own->holds != NULL) CHECK(futex(own->holds, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    return NULL;
}
static void begin_wait(struct waiter *waiter) {
    waiter->thread = start(wait_for_lock, waiter);
    for (int i = 0; i < 5000 && waiter->tid == 0; i++) sleep_millis(1);
    await_sleep(waiter->tid);
}

static void check_inheritance(void) {
    lock = count = 0;
    CHECK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0);
    struct waiter waiters[] = {
        {.priority = 10, .lock = &lock}, {.priority = 30, .lock = &lock}, {.priority = 20, .lock = &lock}};
    begin_wait(&waiters[0]);
    CHECK(lock == (own_tid() | FUTEX_WAITERS) && effective_priority(own_tid()) == 10);
    begin_wait(&waiters[1]);
    CHECK(effective_priority(own_tid()) == 30);
    begin_wait(&waiters[2]);
    CHECK(effective_priority(own_tid()) == 30);
    // Who waits for such a lock is nobody's to wake but the owner's.
    CHECK(fails(futex(&lock, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL) && fails(futex(&lock, FUTEX_REQUEUE, 1, (void *)1, &second, 0), EINVAL));
    CHECK(futex(&second, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
    CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    CHECK(effective_priority(own_tid()) < 0);
    for (int i = 0; i < 3; i++) pthread_join(waiters[i].thread, NULL);
    CHECK(order[0] == 30 && order[1] == 20 && order[2] == 10 && lock == 0);
}

static void check_chains(void) {
    lock = second = count = 0;
    CHECK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0);
    struct waiter middle = {.priority = 5, .lock = &lock, .holds = &second};
    begin_wait(&middle);
    CHECK(effective_priority(own_tid()) == 5);
    struct waiter last = {.priority = 40, .lock = &second, .has_timeout = 1};
    begin_wait(&last);
    CHECK(effective_priority(middle.tid) == 40 && effective_priority(own_tid()) == 40);
    // The caller has what `middle` waits for, and `middle` what the caller would wait for.
    CHECK(fails(futex(&second, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK));
    pthread_join(last.thread, NULL);
    CHECK(last.result == -1 && last.error == ETIMEDOUT);
    CHECK(effective_priority(middle.tid) == 5 && effective_priority(own_tid()) == 5);
    CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    pthread_join(middle.thread, NULL);
    CHECK(middle.result == 0 && lock == 0);
}

// A change of a waiter's priority reaches the owner.
static void check_changes(void) {
    lock = 0;
    CHECK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0);
    struct waiter waiter = {.priority = 10, .lock = &lock};
    begin_wait(&waiter);
    struct sched_param param = {.sched_priority = 50};
    CHECK(syscall(SYS_sched_setparam, waiter.tid, &param) == 0 && effective_priority(own_tid()) == 50);
    param.sched_priority = 3;
    CHECK(syscall(SYS_sched_setparam, waiter.tid, &param) == 0 && effective_priority(own_tid()) == 3);
    CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    pthread_join(waiter.thread, NULL);
}

// ---- Who ends leaves its locks to who waits.

static void *end_with_lock(void *argument) {
    (void)argument;
    CHECK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0);
    phase = 1;
    while (phase != 2) sleep_millis(1);
    return NULL;
}
static void check_end(void) {
    lock = phase = 0;
    pthread_t owner = start(end_with_lock, NULL);
    await(&phase, 1);
    struct waiter waiter = {.priority = 10, .lock = &lock};
    begin_wait(&waiter);
    phase = 2;
    pthread_join(owner, NULL);
    pthread_join(waiter.thread, NULL);
    CHECK(waiter.result == 0);
}

// ---- A condition variable whose waiters are moved to the lock.

static _Atomic uint32_t condition, waiting;

static void *wait_for_condition(void *argument) {
    struct waiter *own = argument;
    set_priority(own->priority);
    own->tid = own_tid();
    waiting++;
    own->result = futex(&condition, FUTEX_WAIT_REQUEUE_PI, 7, NULL, &lock, 0xffffffff);
    if (own->result == 0) {
        CHECK((lock & FUTEX_TID_MASK) == own->tid);
        count++;
        CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    }
    return NULL;
}
static void check_requeue(void) {
    lock = waiting = count = 0;
    condition = 7;
    struct timespec soon = in_millis(CLOCK_MONOTONIC, 20);
    CHECK(fails(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 6, NULL, &lock, 0xffffffff), EAGAIN));
    CHECK(fails(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 7, &soon, &lock, 0xffffffff), ETIMEDOUT));
    struct waiter waiters[3] = {{.priority = 11}, {.priority = 12}, {.priority = 13}};
    for (int i = 0; i < 3; i++) waiters[i].thread = start(wait_for_condition, &waiters[i]);
    await(&waiting, 3);
    for (int i = 0; i < 3; i++) await_sleep(waiters[i].tid);
    CHECK(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0);
    CHECK(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)2, &lock, 7) == 3);
    CHECK(effective_priority(own_tid()) == 13 && count == 0);
    CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    for (int i = 0; i < 3; i++) pthread_join(waiters[i].thread, NULL);
    CHECK(count == 3 && lock == 0);
    // A lock that is free goes to the first of them at once.
    waiting = count = 0;
    waiters[0].thread = start(wait_for_condition, &waiters[0]);
    await(&waiting, 1);
    await_sleep(waiters[0].tid);
    CHECK(futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, &lock, 7) == 1);
    pthread_join(waiters[0].thread, NULL);
    CHECK(count == 1 && waiters[0].result == 0);
}

// ---- The thread library's.

static pthread_mutex_t mutex;
static uint64_t shared_count;

static void *add(void *argument) {
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&mutex);
        shared_count++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}
static void *end_locked(void *argument) {
    (void)argument;
    CHECK(pthread_mutex_lock(&mutex) == 0);
    return NULL;
}
static void check_library(void) {
    pthread_mutexattr_t attributes;
    pthread_t threads[4];
    pthread_mutexattr_init(&attributes);
    CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
    CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
    for (int i = 0; i < 4; i++) threads[i] = start(add, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    CHECK(shared_count == 80000);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
    pthread_join(start(end_locked, NULL), NULL);
    CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
}

// ---- Plain words.

enum { MANY = 400 };
static void *wait_plainly(void *argument) {
    (void)argument;
    waiting++;
    while (condition == 1) futex(&condition, FUTEX_WAIT, 1, NULL, NULL, 0);
    return NULL;
}
static void check_many(void) {
    static pthread_t threads[MANY];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    condition = 1;
    second = waiting = 0;
    for (int i = 0; i < MANY; i++) CHECK(pthread_create(&threads[i], &small, wait_plainly, NULL) == 0);
    await(&waiting, MANY);
    sleep_millis(300);
    CHECK(futex(&condition, FUTEX_CMP_REQUEUE, 0, (void *)(long)(MANY / 2), &second, 1) == MANY / 2);
    condition = 0;
    CHECK(futex(&condition, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0) == MANY - MANY / 2);
    CHECK(futex(&second, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0) == MANY / 2);
    for (int i = 0; i < MANY; i++) pthread_join(threads[i], NULL);
}

static void *set_clock(void *argument) {
    struct timespec *time = argument;
    sleep_millis(50);
    CHECK(clock_settime(CLOCK_REALTIME, time) == 0);
    return NULL;
}
static void check_times(void) {
    condition = 1;
    CHECK(fails(futex(&condition, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL));
    CHECK(fails(futex(&condition, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL));
    CHECK(fails(syscall(449, NULL, 1, 0, NULL, CLOCK_MONOTONIC), EINVAL));
    CHECK(fails(syscall(449, &condition, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL));
    // An hour, which passes at once when the clock is set.
    struct timespec end, before;
    clock_gettime(CLOCK_REALTIME, &before);
    end = before;
    end.tv_sec += 3600;
    struct timespec later = end;
    later.tv_sec += 1;
    pthread_t setter = start(set_clock, &later);
    long result = futex(&condition, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &end, NULL, 0xffffffff);
    CHECK(fails(result, ETIMEDOUT));
    pthread_join(setter, NULL);
    CHECK(clock_settime(CLOCK_REALTIME, &before) == 0);
}

static void checks(void) {
    check_words();
    check_inheritance();
    check_chains();
    check_changes();
    check_end();
    check_requeue();
    check_library();
    check_many();
    check_times();
}

int main(void) { return run_as_init("inherit", checks); }
