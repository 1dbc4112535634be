// fork and exec among threads: the child has the caller's thread only, exec leaves one; and locks that live in memory that
// processes share, among them those whose owner ends without unlocking.
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

static struct shared {
    pthread_mutex_t mutex, robust;
    pthread_cond_t cond;
    pthread_barrier_t barrier;
    sem_t sem;
    long count;
    atomic_int step;
} * shared;

static void make_shared(void) {
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;
    pthread_barrierattr_t barrier;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    CHECK(pthread_mutex_init(&shared->mutex, &mutex) == 0);
    pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
    CHECK(pthread_mutex_init(&shared->robust, &mutex) == 0);
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    CHECK(pthread_cond_init(&shared->cond, &cond) == 0);
    pthread_barrierattr_init(&barrier);
    pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
    CHECK(pthread_barrier_init(&shared->barrier, &barrier, 4) == 0);
    CHECK(sem_init(&shared->sem, 1, 0) == 0);
}

static void count_shared(void) {
    pthread_barrier_wait(&shared->barrier);
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&shared->mutex);
        shared->count++;
        pthread_mutex_unlock(&shared->mutex);
    }
    sem_post(&shared->sem);
    pthread_mutex_lock(&shared->mutex);
    while (shared->step == 0) pthread_cond_wait(&shared->cond, &shared->mutex);
    pthread_mutex_unlock(&shared->mutex);
}

static void between_processes(void) {
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = start_child();
        if (children[i] == 0) {
            count_shared();
            end_child();
        }
    }
    for (int i = 0; i < 4; i++) CHECK(sem_wait(&shared->sem) == 0);
    CHECK(shared->count == 4 * 5000);
    pthread_mutex_lock(&shared->mutex);
    shared->step = 1;
    pthread_cond_broadcast(&shared->cond);
    pthread_mutex_unlock(&shared->mutex);
    for (int i = 0; i < 4; i++) CHECK(child_passed(children[i]));
}

static void *lock_and_end(void *how) {
    CHECK(pthread_mutex_lock(&shared->robust) == 0);
    shared->step = 2;
    usleep(100000);
    if (how) _exit(0);
    return NULL;
}

static void become_owner(int wanted) {
    while (shared->step != 2) usleep(1000);
    // The lock is held: this waits for the owner's end.
    CHECK(pthread_mutex_lock(&shared->robust) == wanted);
    CHECK(pthread_mutex_consistent(&shared->robust) == 0);
    CHECK(pthread_mutex_unlock(&shared->robust) == 0);
    CHECK(pthread_mutex_lock(&shared->robust) == 0);
    CHECK(pthread_mutex_unlock(&shared->robust) == 0);
    shared->step = 3;
}

static void owners_end(void) {
    pthread_t thread;
    for (int round = 0; round < 6; round++) {
        shared->step = 0;
        pid_t child = 0;
        if (round % 3 == 0) {
            // A thread of this process.
            CHECK(pthread_create(&thread, NULL, lock_and_end, NULL) == 0);
        } else {
            child = start_child();
            if (child == 0 && round % 3 == 1) {
                CHECK(pthread_create(&thread, NULL, lock_and_end, "and all others") == 0);
                pthread_join(thread, NULL);
            } else if (child == 0) {
                // exec ends the owner's memory as its end would.
                CHECK(pthread_mutex_lock(&shared->robust) == 0);
                shared->step = 2;
                usleep(100000);
                execl("/proc/self/exe", "thread_forks", "again", NULL);
                _exit(9);
            }
        }
        become_owner(EOWNERDEAD);
        if (child) waitpid(child, NULL, 0);
        else pthread_join(thread, NULL);
    }
    // Killed from outside, and given up for good by whoever finds it so.
    shared->step = 0;
    pid_t child = start_child();
    if (child == 0) {
        pthread_mutex_lock(&shared->robust);
        shared->step = 2;
        for (;;) pause();
    }
    while (shared->step != 2) usleep(1000);
    kill(child, SIGKILL);
    CHECK(pthread_mutex_lock(&shared->robust) == EOWNERDEAD);
    CHECK(pthread_mutex_unlock(&shared->robust) == 0);
    CHECK(pthread_mutex_lock(&shared->robust) == ENOTRECOVERABLE);
    waitpid(child, NULL, 0);
}

static int prepared, in_parent, in_child;
static pthread_mutex_t guarded = PTHREAD_MUTEX_INITIALIZER;
static long one, two;
static atomic_int is_over;

static void prepare(void) {
    pthread_mutex_lock(&guarded);
    prepared++;
}

static void go_on_in_parent(void) {
    in_parent++;
    pthread_mutex_unlock(&guarded);
}

static void go_on_in_child(void) {
    in_child++;
    pthread_mutex_unlock(&guarded);
}

static void *change_guarded(void *unused) {
    while (!is_over) {
        pthread_mutex_lock(&guarded);
        one++;
        two++;
        pthread_mutex_unlock(&guarded);
    }
    return unused;
}

static void *end_at_once(void *unused) {
    return unused;
}

static void fork_among_threads(void) {
    pthread_t threads[3], another;
    CHECK(pthread_atfork(prepare, go_on_in_parent, go_on_in_child) == 0);
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, change_guarded, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        pid_t child = start_child();
        if (child == 0) {
            CHECK(in_child == 1 && in_parent == i && prepared == i + 1);
            CHECK(syscall(SYS_gettid) == getpid());
            // The lock was not left to a thread that is not here.
            pthread_mutex_lock(&guarded);
            CHECK(one == two);
            long before = one;
            usleep(1000);
            CHECK(one == before);
            pthread_mutex_unlock(&guarded);
            CHECK(pthread_create(&another, NULL, end_at_once, NULL) == 0);
            CHECK(pthread_join(another, NULL) == 0);
            end_child();
        }
        CHECK(child_passed(child));
    }
    CHECK(prepared == 50 && in_parent == 50 && in_child == 0);
    is_over = 1;
    for (int i = 0; i < 3; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(one == two);
}

static void *run_again(void *unused) {
    char parent[20];
    snprintf(parent, sizeof parent, "%d", getpid());
    execl("/proc/self/exe", "thread_forks", parent, NULL);
    return unused;
}

static atomic_int never;

static void *sleep_or_spin(void *spins) {
    while (!never)
        if (!spins) pause();
    return NULL;
}

// exec by any thread: the others are gone, and the program has the process's id.
static void exec_among_threads(void) {
    for (int i = 0; i < 10; i++) {
        pid_t child = start_child();
        if (child == 0) {
            pthread_t thread;
            for (long j = 0; j < 6; j++) pthread_create(&thread, NULL, sleep_or_spin, (void *)(j % 2));
            if (i % 2 == 0) run_again(NULL);
            pthread_create(&thread, NULL, run_again, NULL);
            for (;;) pause();
        }
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 77);
    }
}

static void *spawn(void *unused) {
    pid_t child = vfork();
    if (child == 0) {
        execl("/proc/self/exe", "thread_forks", "again", NULL);
        _exit(1);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 78);
    return unused;
}

// vfork stops the thread that calls it, and no other.
static void vfork_among_threads(void) {
    pthread_t threads[8], busy;
    is_over = 0;
    CHECK(pthread_create(&busy, NULL, change_guarded, NULL) == 0);
    for (int i = 0; i < 8; i++) CHECK(pthread_create(&threads[i], NULL, spawn, NULL) == 0);
    for (int i = 0; i < 8; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    is_over = 1;
    CHECK(pthread_join(busy, NULL) == 0);
}

static void checks(void) {
    make_shared();
    between_processes();
    owners_end();
    fork_among_threads();
    exec_among_threads();
    vfork_among_threads();
}

// What is run by exec: tells by its exit whether it is the process it should be, with one thread.
static int again(const char *parent) {
    char line[200];
    int threads = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "Threads: %d", &threads);
    int is_right = threads == 1 && syscall(SYS_gettid) == getpid();
    if (strcmp(parent, "again") == 0) return is_right ? 78 : 1;
    return is_right && atoi(parent) == getpid() ? 77 : 1;
}

int main(int argc, char **argv) {
    return argc > 1 && getpid() != 1 ? again(argv[1]) : run_as_init("thread_forks", checks);
}
