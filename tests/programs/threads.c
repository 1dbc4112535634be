// Threads: beginning and end, what is theirs alone (stack, thread-local storage, keys, name), and many of them.
#include "check.h"
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define MANY 200

static atomic_int counter;

static void *count(void *argument) {
    counter++;
    return (char *)argument + 1;
}

static void create_and_join(void) {
    pthread_t threads[16];
    for (long i = 0; i < 16; i++) CHECK(pthread_create(&threads[i], NULL, count, (void *)i) == 0);
    for (long i = 15; i >= 0; i--) {
        void *result = NULL;
        CHECK(pthread_join(threads[i], &result) == 0);
        CHECK((long)result == i + 1);
    }
    CHECK(counter == 16);
}

static void *leave_early(void *argument) {
    pthread_exit(argument);
}

static void ends(void) {
    pthread_t thread;
    void *result = NULL;
    CHECK(pthread_create(&thread, NULL, leave_early, &counter) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == &counter);
    // A thread that nobody joins.
    counter = 0;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 50; i++) CHECK(pthread_create(&thread, &detached, count, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        CHECK(pthread_create(&thread, NULL, count, NULL) == 0);
        CHECK(pthread_detach(thread) == 0);
    }
    for (int i = 0; i < 10000 && counter < 100; i++) usleep(1000);
    CHECK(counter == 100);
    pthread_attr_destroy(&detached);
}

static __thread int local = 7;
static __thread char buffer[3000];

static void *use_local(void *argument) {
    long mine = (long)argument;
    CHECK(local == 7);
    local = mine;
    memset(buffer, mine, sizeof buffer);
    errno = mine;
    for (int round = 0; round < 50; round++) {
        sched_yield();
        CHECK(local == mine && errno == mine);
        for (unsigned i = 0; i < sizeof buffer; i += 100)
            if (buffer[i] != (char)mine) return NULL;
    }
    return &counter;
}

static void thread_local_storage(void) {
    pthread_t threads[20];
    local = 7;
    for (long i = 0; i < 20; i++) CHECK(pthread_create(&threads[i], NULL, use_local, (void *)(i + 100)) == 0);
    for (int i = 0; i < 20; i++) {
        void *result = NULL;
        CHECK(pthread_join(threads[i], &result) == 0 && result == &counter);
    }
    CHECK(local == 7);
}

static pthread_key_t key;
static atomic_int destroyed;

static void destroy(void *value) {
    destroyed += (long)value;
}

static void *use_key(void *argument) {
    CHECK(pthread_getspecific(key) == NULL);
    pthread_setspecific(key, argument);
    sched_yield();
    CHECK(pthread_getspecific(key) == argument);
    return NULL;
}

static void keys(void) {
    pthread_t threads[10];
    CHECK(pthread_key_create(&key, destroy) == 0);
    for (long i = 0; i < 10; i++) pthread_create(&threads[i], NULL, use_key, (void *)(i + 1));
    for (int i = 0; i < 10; i++) pthread_join(threads[i], NULL);
    CHECK(destroyed == 55);
    CHECK(pthread_key_delete(key) == 0);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int onces;

static void run_once(void) {
    usleep(20000);
    onces++;
}

static void *call_once(void *unused) {
    pthread_once(&once, run_once);
    CHECK(onces == 1);
    return unused;
}

static void only_once(void) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, call_once, NULL);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    CHECK(onces == 1);
}

static pid_t ids[MANY];
static pthread_barrier_t barrier;

static void *tell_id(void *argument) {
    ids[(long)argument] = syscall(SYS_gettid);
    CHECK(getpid() != ids[(long)argument]);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static int number_in_status(const char *name) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[200];
    int number = -1;
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, name, strlen(name)) == 0) number = atoi(line + strlen(name));
    if (status) fclose(status);
    return number;
}

static void many_at_once(void) {
    pthread_t threads[MANY];
    pthread_attr_t small;
    pthread_attr_init(&small);
    CHECK(pthread_attr_setstacksize(&small, 256 << 10) == 0);
    pthread_barrier_init(&barrier, NULL, MANY + 1);
    for (long i = 0; i < MANY; i++) CHECK(pthread_create(&threads[i], &small, tell_id, (void *)i) == 0);
    CHECK(number_in_status("Threads:") == MANY + 1);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < MANY; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < i; j++)
            if (ids[i] == ids[j]) failed++;
    pthread_barrier_destroy(&barrier);
    // A joined thread's last word is cleared by the kernel, a moment before it leaves the list.
    for (int i = 0; i < 1000 && number_in_status("Threads:") != 1; i++) usleep(1000);
    CHECK(number_in_status("Threads:") == 1);
}

static void one_after_the_other(void) {
    counter = 0;
    for (int i = 0; i < 2000; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, count, NULL) != 0 || pthread_join(thread, NULL) != 0) failed++;
    }
    CHECK(counter == 2000);
}

static void *name_self(void *unused) {
    char name[16] = "";
    CHECK(prctl(PR_SET_NAME, "a-thread") == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a-thread") == 0);
    return unused;
}

static void names(void) {
    pthread_t thread;
    char before[16] = "", after[16] = "";
    prctl(PR_GET_NAME, before);
    pthread_create(&thread, NULL, name_self, NULL);
    pthread_join(thread, NULL);
    prctl(PR_GET_NAME, after);
    CHECK(strcmp(before, after) == 0 && strcmp(after, "a-thread") != 0);
}

// The address of a fault is that of the guard page below the thread's stack.
static char *guard;
static size_t guard_size;

static void on_overflow(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    char *at = info->si_addr;
    _exit(at >= guard && at < guard + guard_size ? 33 : 34);
}

static int dig(int depth) {
    volatile char frame[512];
    frame[0] = depth;
    return depth < 0 ? 0 : dig(depth + 1) + frame[0];
}

static void *overflow(void *unused) {
    static char other_stack[64 << 10];
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    struct sigaction action = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    counter += dig(0);
    return unused;
}

// A stack of our own making, so that its guard is where this program put it, whatever the library.
static void stack_overflow(void) {
    pid_t child = start_child();
    if (child == 0) {
        size_t size = 256 << 10;
        guard_size = 64 << 10;
        guard = mmap(NULL, guard_size + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(guard, guard_size, PROT_NONE);
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, guard + guard_size, size);
        if (pthread_create(&thread, &attributes, overflow, NULL) == 0) pthread_join(thread, NULL);
        _exit(35);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 33);
    // The library's own guard, and nobody to catch the signal: all threads end by it.
    child = start_child();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        pthread_t thread;
        pthread_create(&thread, NULL, (void *(*)(void *))(void *)dig, NULL);
        pthread_join(thread, NULL);
        _exit(36);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void *outlive(void *unused) {
    usleep(30000);
    _exit(44);
    return unused;
}

static void *sleep_on(void *unused) {
    for (;;) pause();
    return unused;
}

static void *end_all(void *unused) {
    exit(45);
    return unused;
}

// How a process with threads ends.
static void process_ends(void) {
    int status = 0;
    pid_t child = start_child();
    if (child == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, outlive, NULL);
        syscall(SYS_exit, 43);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 44);
    child = start_child();
    if (child == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, end_all, NULL);
        for (;;) pause();
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 45);
    // Busy threads are stopped in the middle of it.
    child = start_child();
    if (child == 0) {
        for (int i = 0; i < 8; i++) {
            pthread_t thread;
            pthread_create(&thread, NULL, (void *(*)(void *))(void *)dig, (void *)(long)INT_MIN);
        }
        _exit(46);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 46);
    child = start_child();
    if (child == 0) {
        pthread_t thread;
        for (int i = 0; i < 8; i++) pthread_create(&thread, NULL, sleep_on, NULL);
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void *burn(void *unused) {
    struct timespec now;
    do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while (now.tv_sec == 0 && now.tv_nsec < 100000000);
    return unused;
}

static void processor_time(void) {
    pthread_t threads[4];
    struct timespec before, after, own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, burn, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    double used = (after.tv_sec - before.tv_sec) + (after.tv_nsec - before.tv_nsec) * 1e-9;
    CHECK(used >= 0.4 && used < 5);
    CHECK(own.tv_sec + own.tv_nsec * 1e-9 <= after.tv_sec + after.tv_nsec * 1e-9);
}

// A descriptor that is closed is closed, however many threads are about to end: who reads the pipe sees its end at once.
static void closed_beside_ends(void) {
    int late = 0;
    for (int round = 0; round < 400; round++) {
        pthread_t threads[6];
        int ends[2];
        CHECK(pipe(ends) == 0);
        for (int i = 0; i < 6; i++) CHECK(pthread_create(&threads[i], NULL, count, NULL) == 0);
        for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
        close(ends[1]);
        struct pollfd one = {ends[0], POLLIN, 0};
        late += poll(&one, 1, 0) != 1;
        for (int i = 3; i < 6; i++) pthread_join(threads[i], NULL);
        close(ends[0]);
    }
    CHECK(late == 0);
}

static void checks(void) {
    create_and_join();
    closed_beside_ends();
    ends();
    thread_local_storage();
    keys();
    only_once();
    many_at_once();
    one_after_the_other();
    names();
    stack_overflow();
    process_ends();
    processor_time();
}

int main(void) {
    return run_as_init("threads", checks);
}
