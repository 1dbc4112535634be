// Signals in a process with several threads: for one thread, for any of them, for all (stop and continue, kill). As process 1
// it powers the board off.
#include "check.h"
#include "raw_thread.h"
#include <signal.h>
#include <sys/prctl.h>

static volatile int go_on;
static volatile long seen_tid, taken;

static int status_of(pid_t child) {
    int status = -1;
    return waitpid(child, &status, 0) == child ? status : -1;
}

static volatile long handled_by;

static void note_thread(int signal_number) {
    (void)signal_number;
    handled_by = syscall(SYS_gettid);
}

static void block(int how, int signal_number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    syscall(SYS_rt_sigprocmask, how, &set, NULL, 8);
}

static int wait_for_go(void *blocked) {
    if (blocked) block(SIG_BLOCK, (long)blocked);
    seen_tid = syscall(SYS_gettid);
    while (!go_on) pause_shortly();
    return 0;
}

static int take_by_sigwait(void *unused) {
    (void)unused;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    seen_tid = syscall(SYS_gettid);
    taken = syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8);
    return 0;
}

static int fault(void *unused) {
    (void)unused;
    raise(SIGUSR2); // For the handler to be ready.
    handled_by = 0;
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSEGV);
    return 0;
}

static void start_and_see(struct raw_thread *thread, int (*function)(void *), long argument) {
    go_on = 0;
    handled_by = seen_tid = 0;
    CHECK(start_raw(thread, function, (void *)argument, RAW_THREAD) == 0);
    while (!seen_tid) pause_shortly();
}

static void handled_within(int milliseconds) {
    for (int i = 0; i < milliseconds && !handled_by; i++) usleep(1000);
}

static void signals(void) {
    struct raw_thread thread;
    signal(SIGUSR1, note_thread);
    start_and_see(&thread, wait_for_go, 0);
    CHECK(syscall(SYS_tgkill, getpid(), thread.tid, SIGUSR1) == 0);
    handled_within(2000);
    CHECK(handled_by == thread.tid);
    CHECK(syscall(SYS_tgkill, getppid(), thread.tid, SIGUSR1) == -1 && errno == ESRCH);
    // For the process, while only the other thread has it open.
    block(SIG_BLOCK, SIGUSR1);
    handled_by = 0;
    CHECK(kill(getpid(), SIGUSR1) == 0);
    handled_within(2000);
    CHECK(handled_by == thread.tid);
    go_on = 1;
    join_raw(&thread);
    // Blocked by all: it waits for whoever opens itself.
    start_and_see(&thread, wait_for_go, SIGUSR1);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    handled_within(30);
    CHECK(handled_by == 0);
    block(SIG_UNBLOCK, SIGUSR1);
    CHECK(handled_by == getpid());
    go_on = 1;
    join_raw(&thread);
    // Taken by sigtimedwait in another thread.
    block(SIG_BLOCK, SIGUSR1);
    start_and_see(&thread, take_by_sigwait, 0);
    usleep(20000);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    join_raw(&thread);
    CHECK(taken == SIGUSR1 && handled_by == 0);
    block(SIG_UNBLOCK, SIGUSR1);
    // A signal of a thread's own making stays with it.
    signal(SIGSEGV, note_thread);
    signal(SIGUSR2, SIG_IGN);
    CHECK(start_raw(&thread, fault, NULL, RAW_THREAD) == 0);
    join_raw(&thread);
    CHECK(handled_by == thread.tid);
    signal(SIGSEGV, SIG_DFL);
}

// Stop and continue: counters in shared memory stand still.

static volatile long *counters;

static int count_up(void *which) {
    while (counters[(long)which] >= 0) counters[(long)which]++;
    return 0;
}

static int are_moving(void) {
    long before[3], moved = 0;
    for (int i = 0; i < 3; i++) before[i] = counters[i];
    for (int tries = 0; tries < 100 && moved < 3; tries++) {
        usleep(10000);
        moved = 0;
        for (int i = 0; i < 3; i++) moved += counters[i] != before[i];
    }
    return moved;
}

static void stop_and_continue(void) {
    counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        struct raw_thread threads[2];
        for (long i = 0; i < 2; i++) start_raw(&threads[i], count_up, (void *)i, RAW_THREAD);
        count_up((void *)2);
    }
    CHECK(are_moving() == 3);
    for (int round = 0; round < 20; round++) {
        int status = 0;
        CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
        long before[3];
        for (int i = 0; i < 3; i++) before[i] = counters[i];
        usleep(2000);
        for (int i = 0; i < 3; i++) CHECK(counters[i] == before[i]);
        CHECK(kill(child, SIGCONT) == 0 && waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    }
    CHECK(are_moving() == 3);
    CHECK(kill(child, SIGSTOP) == 0 && kill(child, SIGKILL) == 0);
    int status = status_of(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

enum { FORKERS = 80 };

// Forks all the time, and waits for each child.
static void fork_on(void) {
    for (;;) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        if (child > 0) waitpid(child, NULL, 0);
    }
}

// Whether all of a group end within ten seconds; the orphans are the caller's.
static int all_end(pid_t group) {
    for (int tries = 0; tries < 10000; tries++) {
        pid_t ended = waitpid(-group, NULL, WNOHANG);
        if (ended < 0) return errno == ECHILD;
        if (ended == 0) usleep(1000);
    }
    return 0;
}

// A signal to a whole group reaches everybody, also whoever is being forked.
static void nobody_escapes(void) {
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (int round = 0; round < 3; round++) {
        pid_t group = fork();
        if (group == 0) {
            setpgid(0, 0);
            for (int i = 0; i < FORKERS; i++)
                if (fork() == 0) fork_on();
            for (;;) pause();
        }
        setpgid(group, group);
        usleep(100 * 1000);
        CHECK(kill(-group, 0) == 0 && kill(-group, SIGKILL) == 0);
        CHECK(all_end(group));
        CHECK(kill(-group, 0) == -1 && errno == ESRCH);
    }
}

static void checks(void) {
    signals();
    stop_and_continue();
    nobody_escapes();
}

int main(void) { return run_as_init("group_signals", checks); }
