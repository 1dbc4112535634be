// What threads wait for each other with: mutexes of each kind, conditions, barriers, read-write locks, semaphores, and the
// times after which they give up.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#define THREADS 8

static void run(int threads, void *(*routine)(void *)) {
    pthread_t started[64];
    for (long i = 0; i < threads; i++) CHECK(pthread_create(&started[i], NULL, routine, (void *)i) == 0);
    for (int i = 0; i < threads; i++) CHECK(pthread_join(started[i], NULL) == 0);
}

static struct timespec after_ms(clockid_t clock, long ms) {
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) at.tv_sec++, at.tv_nsec -= 1000000000;
    return at;
}

static long now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long shared, shared_too;

static void *add_locked(void *unused) {
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&mutex);
        shared++;
        if (i % 64 == 0) sched_yield();
        shared_too += shared;
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static void exclusion(void) {
    run(THREADS, add_locked);
    long n = THREADS * 20000L;
    CHECK(shared == n && shared_too == n * (n + 1) / 2);
}

static void *try_lock(void *lock) {
    int error = pthread_mutex_trylock(lock);
    if (error == 0) pthread_mutex_unlock(lock);
    return (void *)(long)error;
}

static void *unlock_foreign(void *lock) {
    return (void *)(long)pthread_mutex_unlock(lock);
}

static long elsewhere(void *(*routine)(void *), void *argument) {
    pthread_t thread;
    void *result = NULL;
    CHECK(pthread_create(&thread, NULL, routine, argument) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    return (long)result;
}

static void kinds(void) {
    pthread_mutexattr_t kind;
    pthread_mutex_t lock;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &kind);
    for (int i = 0; i < 3; i++) CHECK(pthread_mutex_lock(&lock) == 0);
    CHECK(elsewhere(try_lock, &lock) == EBUSY);
    CHECK(elsewhere(unlock_foreign, &lock) == EPERM);
    for (int i = 0; i < 3; i++) CHECK(pthread_mutex_unlock(&lock) == 0);
    CHECK(elsewhere(try_lock, &lock) == 0);
    CHECK(pthread_mutex_unlock(&lock) == EPERM);
    pthread_mutex_destroy(&lock);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&lock, &kind);
    CHECK(pthread_mutex_lock(&lock) == 0);
    CHECK(pthread_mutex_lock(&lock) == EDEADLK);
    CHECK(elsewhere(unlock_foreign, &lock) == EPERM);
    CHECK(pthread_mutex_unlock(&lock) == 0);
    pthread_mutex_destroy(&lock);
}

static void *lock_in_time(void *unused) {
    struct timespec end = after_ms(CLOCK_REALTIME, 60);
    long start = now_ms();
    CHECK(pthread_mutex_timedlock(&mutex, &end) == ETIMEDOUT);
    CHECK(now_ms() - start >= 50);
    end = after_ms(CLOCK_REALTIME, 20000);
    start = now_ms();
    CHECK(pthread_mutex_timedlock(&mutex, &end) == 0);
    CHECK(now_ms() - start < 15000);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void timed_lock(void) {
    pthread_t thread;
    pthread_mutex_lock(&mutex);
    pthread_create(&thread, NULL, lock_in_time, NULL);
    usleep(250000);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
}

// A ring of places that some fill and others empty; every number must come out once.
static int ring[4], ring_in, ring_out, ring_used;
static atomic_long sum;
static pthread_cond_t has_room = PTHREAD_COND_INITIALIZER, has_work = PTHREAD_COND_INITIALIZER;

static void *produce_or_consume(void *argument) {
    long number = (long)argument;
    for (int i = 1; i <= 3000; i++) {
        pthread_mutex_lock(&mutex);
        if (number % 2 == 0) {
            while (ring_used == 4) pthread_cond_wait(&has_room, &mutex);
            ring[ring_in++ % 4] = i;
            ring_used++;
            pthread_cond_signal(&has_work);
        } else {
            while (ring_used == 0) pthread_cond_wait(&has_work, &mutex);
            sum += ring[ring_out++ % 4];
            ring_used--;
            pthread_cond_signal(&has_room);
        }
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static int gate, through;

static void *wait_at_gate(void *unused) {
    pthread_mutex_lock(&mutex);
    while (!gate) pthread_cond_wait(&cond, &mutex);
    through++;
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void conditions(void) {
    run(6, produce_or_consume);
    CHECK(sum == 3 * 3000L * 3001 / 2 && ring_used == 0);
    pthread_t threads[20];
    for (int i = 0; i < 20; i++) pthread_create(&threads[i], NULL, wait_at_gate, NULL);
    usleep(50000);
    pthread_mutex_lock(&mutex);
    CHECK(through == 0);
    gate = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 20; i++) pthread_join(threads[i], NULL);
    CHECK(through == 20);
}

static void timed_conditions(void) {
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    for (int i = 0; i < 2; i++) {
        pthread_condattr_t attributes;
        pthread_cond_t never;
        pthread_condattr_init(&attributes);
        CHECK(pthread_condattr_setclock(&attributes, clocks[i]) == 0);
        CHECK(pthread_cond_init(&never, &attributes) == 0);
        pthread_mutex_lock(&mutex);
        struct timespec end = after_ms(clocks[i], 80);
        long start = now_ms();
        CHECK(pthread_cond_timedwait(&never, &mutex, &end) == ETIMEDOUT);
        CHECK(now_ms() - start >= 70);
        // A time that has passed does not wait, and the mutex is held again.
        end.tv_sec -= 5;
        start = now_ms();
        CHECK(pthread_cond_timedwait(&never, &mutex, &end) == ETIMEDOUT);
        CHECK(now_ms() - start < 5000);
        CHECK(elsewhere(try_lock, &mutex) == EBUSY);
        pthread_mutex_unlock(&mutex);
        pthread_cond_destroy(&never);
    }
}

static pthread_barrier_t barrier;
static atomic_int arrived, serials;

static void *meet(void *unused) {
    for (int round = 1; round <= 200; round++) {
        arrived++;
        int result = pthread_barrier_wait(&barrier);
        if (arrived < round * THREADS) failed++;
        if (result == PTHREAD_BARRIER_SERIAL_THREAD) serials++;
        else if (result != 0) failed++;
        pthread_barrier_wait(&barrier);
    }
    return unused;
}

static void barriers(void) {
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    run(THREADS, meet);
    CHECK(arrived == 200 * THREADS && serials == 200);
    CHECK(pthread_barrier_destroy(&barrier) == 0);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int readers, writers;
static long written[8];

static void *read_or_write(void *argument) {
    for (int i = 0; i < 1500; i++) {
        if ((i + (long)argument) % 5 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            writers++;
            if (writers != 1 || readers != 0) failed++;
            for (int j = 0; j < 8; j++) written[j]++;
            writers--;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            readers++;
            if (writers != 0) failed++;
            for (int j = 1; j < 8; j++)
                if (written[j] != written[0]) failed++;
            if (i % 50 == 0) sched_yield();
            readers--;
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void *try_read(void *unused) {
    (void)unused;
    int error = pthread_rwlock_tryrdlock(&rwlock);
    if (error == 0) pthread_rwlock_unlock(&rwlock);
    return (void *)(long)error;
}

static void *try_write(void *unused) {
    (void)unused;
    return (void *)(long)pthread_rwlock_trywrlock(&rwlock);
}

static void *write_in_time(void *unused) {
    (void)unused;
    struct timespec end = after_ms(CLOCK_REALTIME, 50);
    return (void *)(long)pthread_rwlock_timedwrlock(&rwlock, &end);
}

static void read_write_locks(void) {
    run(THREADS, read_or_write);
    CHECK(written[0] == THREADS * 300);
    CHECK(pthread_rwlock_rdlock(&rwlock) == 0);
    CHECK(pthread_rwlock_tryrdlock(&rwlock) == 0);
    CHECK(elsewhere(try_read, NULL) == 0);
    CHECK(elsewhere(try_write, NULL) == EBUSY);
    CHECK(elsewhere(write_in_time, NULL) == ETIMEDOUT);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
}

static sem_t turn[2], tickets;
static atomic_int holders;
static int ball;

static void *pass_ball(void *argument) {
    long side = (long)argument;
    for (int i = 0; i < 5000; i++) {
        while (sem_wait(&turn[side]) != 0) continue;
        if (ball++ % 2 != side) failed++;
        sem_post(&turn[!side]);
    }
    return NULL;
}

static void *use_ticket(void *unused) {
    for (int i = 0; i < 500; i++) {
        while (sem_wait(&tickets) != 0) continue;
        if (++holders > 3) failed++;
        if (i % 10 == 0) sched_yield();
        holders--;
        sem_post(&tickets);
    }
    return unused;
}

static void semaphores(void) {
    sem_init(&turn[0], 0, 1);
    sem_init(&turn[1], 0, 0);
    run(2, pass_ball);
    CHECK(ball == 10000);
    sem_init(&tickets, 0, 3);
    run(THREADS, use_ticket);
    int left = 0;
    CHECK(sem_getvalue(&tickets, &left) == 0 && left == 3);
    for (int i = 0; i < 3; i++) CHECK(sem_trywait(&tickets) == 0);
    CHECK(sem_trywait(&tickets) == -1 && errno == EAGAIN);
    struct timespec end = after_ms(CLOCK_REALTIME, 50);
    CHECK(sem_timedwait(&tickets, &end) == -1 && errno == ETIMEDOUT);
}

static void checks(void) {
    exclusion();
    kinds();
    timed_lock();
    conditions();
    timed_conditions();
    barriers();
    read_write_locks();
    semaphores();
}

int main(void) {
    return run_as_init("locks", checks);
}
