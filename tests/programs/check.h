// Checks that count, and a start as process 1: the checks run in a child, then the board is powered off.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

// Threads check, too.
static _Atomic int passed, failed;

#define CHECK(condition) check(!!(condition), __FILE__, __LINE__, #condition)

static inline void check(int holds, const char *file, int line, const char *condition) {
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("%s:%d: %s (errno %d)\n", file, line, condition, errno);
    }
}

// fork() for a child that checks: it counts its own mistakes only.
static inline pid_t start_child(void) {
    pid_t child = fork();
    if (child == 0) failed = 0;
    return child;
}

// Ends such a child: its checks count as one of the parent's.
static inline void end_child(void) {
    fflush(stdout);
    _exit(failed == 0 ? 0 : 1);
}

// True if the child ended with end_child() and no failed check.
static inline int child_passed(pid_t child) {
    int status = -1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline int run_as_init(const char *name, void (*checks)(void)) {
    // Where the kernel has not mounted it already.
    if (getpid() == 1 && access("/proc/self", F_OK) != 0) mount("proc", "/proc", "proc", 0, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    pid_t child = fork();
    if (child == 0) {
        checks();
        printf("%s: %d passed, %d failed\n", name, passed, failed);
        end_child();
    }
    int status = -1;
    waitpid(child, &status, 0);
    printf("%s: status %#x\n", name, status);
    if (getpid() == 1) {
        fflush(stdout);
        reboot(RB_POWER_OFF);
    }
    return status;
}
