// Calls on many processes, threads, signals and timers.
#pragma once
#include "latency.h"
#include <dirent.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { PROCESSES = 2000, WAITERS = 1000, SIGNALS = 4000, TIMERS = 1000 };
static pid_t first_child, last_child;

static void reap_many(void) {
    signal(SIGTERM, SIG_IGN);
    CHECK(kill(0, SIGTERM) == 0);
    while (wait(NULL) > 0) {}
}

static void fork_many(void) {
    finish = reap_many;
    CHECK(setpgid(0, 0) == 0);
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        if (child < 0) CHECK(!"fork");
        if (child == 0) {
            for (;;) pause();
        }
        if (i == 0) first_child = child;
        last_child = child;
    }
}

static void signal_many(void) {
    CHECK(kill(0, SIGURG) == 0 && kill(-1, SIGURG) == 0 && kill(-1, 0) == 0);
}

static void end_group(void) {
    signal(SIGTERM, SIG_IGN);
    CHECK(kill(0, SIGTERM) == 0);
}

static void stop_group(void) {
    signal(SIGTSTP, SIG_IGN);
    CHECK(kill(0, SIGTSTP) == 0 && kill(0, SIGCONT) == 0);
}

static void wait_for_last(void) {
    for (int i = 0; i < 20; i++) {
        CHECK(waitpid(last_child, NULL, WNOHANG) == 0);
        CHECK(waitpid(-1, NULL, WNOHANG) == 0);
        CHECK(waitpid(0, NULL, WNOHANG) == 0);
        // Those that are no usual children: none.
        CHECK(waitpid(-1, NULL, WNOHANG | __WCLONE) == -1 && errno == ECHILD);
    }
    CHECK(setpriority(PRIO_PGRP, 0, 1) == 0 && setpriority(PRIO_USER, 0, 1) == 0);
    CHECK(getpriority(PRIO_USER, 0) == 1);
    CHECK(setpgid(last_child, first_child) == -1);
    CHECK(setpgid(last_child, last_child) == 0 && setpgid(last_child, getpgrp()) == 0);
}

static void list_processes(void) {
    DIR *all = opendir("/proc");
    int count = 0;
    while (readdir(all)) count++;
    CHECK(count > PROCESSES);
    closedir(all);
    static const char *const texts[] = {"/proc/stat", "/proc/loadavg", "/proc/meminfo", "/proc/self/status", "/proc/interrupts"};
    for (int i = 0; i < 5; i++) {
        static char text[64 * KIB];
        int file = open(texts[i], O_RDONLY);
        CHECK(read(file, text, sizeof text) > 0);
        close(file);
    }
}

static void allow_many(void) {
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_SIGPENDING, &all) == 0);
}

static void queue_signals(void) {
    sigset_t blocked;
    allow_many();
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    for (int i = 0; i < SIGNALS; i++)
        if (sigqueue(getpid(), SIGRTMIN, (union sigval){i}) != 0) CHECK(!"queue");
}

static void queue_one_more(void) { CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0); }
static void drop_signals(void) { signal(SIGRTMIN, SIG_IGN); }

static void take_signals(void) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGRTMIN);
    for (int i = 0; i < 100; i++) CHECK(sigwaitinfo(&wanted, NULL) == SIGRTMIN);
}

static void make_timers(void) {
    allow_many();
    signal(SIGRTMIN + 1, SIG_IGN);
    for (int i = 0; i < TIMERS; i++) {
        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
        struct itimerspec due = {.it_value = {2000000000, 0}};
        if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) CHECK(!"timer");
        clock_gettime(CLOCK_MONOTONIC, &due.it_value);
        due.it_value.tv_sec = 3 + due.it_value.tv_sec, due.it_value.tv_nsec = 0;
        timer_settime(timer, TIMER_ABSTIME, &due, NULL);
    }
}

static void execute_nothing(void) {
    pid_t child = fork();
    if (child == 0) {
        make_timers();
        execl("/init", "latency", "nothing", NULL);
        _exit(1);
    }
    CHECK(child_passed(child));
}

static uint32_t words[8192];
static _Atomic int is_waiting;

static void *wait_on_own(void *number) {
    is_waiting++;
    syscall(SYS_futex, &words[(long)number], FUTEX_WAIT_PRIVATE, 0, NULL);
    return NULL;
}

static void *wait_on_one(void *number) { return wait_on_own((void *)((long)number * 0)); }

static void start_threads(void *(*start)(void *)) {
    pthread_attr_t small;
    pthread_t thread;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32 * KIB);
    for (long i = 0; i < WAITERS; i++)
        if (pthread_create(&thread, &small, start, (void *)i) != 0) CHECK(!"thread");
    while (is_waiting < WAITERS) usleep(1000);
    usleep(50 * 1000);
}

static void start_waiters(void) { start_threads(wait_on_one); }
static void start_own_waiters(void) { start_threads(wait_on_own); }

static void wake_waiters(void) { CHECK(syscall(SYS_futex, words, FUTEX_WAKE_PRIVATE, WAITERS) == WAITERS); }

static void move_waiters(void) {
    CHECK(syscall(SYS_futex, words, FUTEX_REQUEUE_PRIVATE, 0, (void *)WAITERS, words + 1) == WAITERS);
    CHECK(syscall(SYS_futex, words + 1, FUTEX_WAKE_PRIVATE, WAITERS) == WAITERS);
}

static void wake_each(void) {
    for (int i = 0; i < WAITERS; i++) syscall(SYS_futex, words + i, FUTEX_WAKE_PRIVATE, 1);
}

static void *block_signals(void *number) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    return wait_on_one(number);
}

static void start_deaf(void) { start_threads(block_signals); }

static void signal_deaf(void) {
    for (int i = 0; i < 20; i++) CHECK(kill(getpid(), SIGURG) == 0);
    wake_waiters();
}

static void end_all_threads(void) {
    pid_t child = fork();
    if (child == 0) {
        is_waiting = 0;
        start_waiters();
        syscall(SYS_exit_group, 0);
    }
    waitpid(child, NULL, 0);
}

#define CROWD_ROWS \
    {"kill_2000", fork_many, signal_many, 1}, \
    {"kill_2000_stop", fork_many, stop_group, 1}, \
    {"kill_2000_end", fork_many, end_group, 1}, \
    {"wait4_2000", fork_many, wait_for_last, 1}, \
    {"proc_2000", fork_many, list_processes, 1}, \
    {"sigqueue_4000", queue_signals, queue_one_more, 1}, \
    {"sigwait_4000", queue_signals, take_signals, 1}, \
    {"sigignore_4000", queue_signals, drop_signals, 1}, \
    {"exec_1000_timers", NULL, execute_nothing, 1}, \
    {"futex_wake_1000", start_waiters, wake_waiters, 1}, \
    {"futex_requeue_1000", start_waiters, move_waiters, 1}, \
    {"futex_wake_1000_words", start_own_waiters, wake_each, 1}, \
    {"kill_1000_deaf_threads", start_deaf, signal_deaf, 1}, \
    {"exit_group_1000", NULL, end_all_threads, 0}
