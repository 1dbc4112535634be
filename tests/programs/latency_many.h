// Processes that have many descriptors, or children.
#pragma once
#include "latency.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { DESCRIPTORS = 10000, ENDED_CHILDREN = 1500, LIVING_CHILDREN = 300 };

static void open_many(int flags) {
    struct rlimit limit = {2 * DESCRIPTORS, 2 * DESCRIPTORS};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int made = 0;
    while (made < DESCRIPTORS && open("/dev/null", O_RDONLY | flags) >= 0) made++;
    CHECK(made == DESCRIPTORS);
}

static void open_kept(void) { open_many(0); }
static void open_closed_on_exec(void) { open_many(O_CLOEXEC); }

// What a child does first, and its end.
static void fork_and_open(void) {
    pid_t child = start_child();
    if (child == 0) {
        int first = open("/dev/null", O_RDONLY), high = fcntl(0, F_DUPFD, DESCRIPTORS + 500);
        CHECK(first == DESCRIPTORS + 3 && high == DESCRIPTORS + 500 && close(DESCRIPTORS / 2) == 0);
        end_child();
    }
    CHECK(child_passed(child));
}

static void fork_and_execute(void) {
    pid_t child = fork();
    if (child == 0) {
        execl("/init", "latency", "nothing", NULL);
        _exit(1);
    }
    CHECK(child_passed(child));
}

// Nobody else has them: they are closed by the end.
static void open_and_end(void) {
    pid_t child = fork();
    if (child == 0) {
        open_kept();
        lateness();
        forget_lateness();
        _exit(0);
    }
    CHECK(child_passed(child));
}

static void mark_many(void) { CHECK(syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) == 0); }
static void close_many(void) { CHECK(syscall(SYS_close_range, 3, ~0U, 0) == 0); }

static void have_children(void) {
    for (int i = 0; i < ENDED_CHILDREN; i++) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        if (child < 0) _exit(1);
    }
    for (int i = 0; i < LIVING_CHILDREN; i++) {
        pid_t child = fork();
        if (child < 0) _exit(1);
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) pause();
        }
    }
}

// They become those of the caller, who does not wait for each.
static void adopt_many(void) {
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    signal(SIGCHLD, SIG_IGN);
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGCHLD, SIG_DFL);
        have_children();
        forget_lateness();
        (void)!write(ready[1], "r", 1);
        _exit(0);
    }
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1);
    // All have ended.
    CHECK(wait(NULL) == -1 && errno == ECHILD);
    signal(SIGCHLD, SIG_DFL);
}

#define MANY_ROWS \
    {"fork_10000_descriptors", open_kept, fork_and_open, 1}, \
    {"exec_10000_descriptors", open_closed_on_exec, fork_and_execute, 1}, \
    {"end_10000_descriptors", NULL, open_and_end, 1}, \
    {"mark_10000_descriptors", open_kept, mark_many, 1}, \
    {"close_10000_descriptors", open_kept, close_many, 1}, \
    {"end_1800_children", NULL, adopt_many, 1}
