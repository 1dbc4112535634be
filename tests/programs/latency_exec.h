// exec(2) with many and with long arguments. The program executes itself: `latency nothing ...` ends at once.
#pragma once
#include "latency.h"
#include <sys/resource.h>

enum { MANY = 190000, LONG = 120 * 1000, LONG_ONES = 15 };
static char **arguments;

// Room for arguments of 6 MiB is a quarter of the stack.
static void allow_arguments(int count) {
    struct rlimit most = {64 * MIB, 64 * MIB};
    CHECK(setrlimit(RLIMIT_STACK, &most) == 0);
    arguments = calloc(count + 3, sizeof *arguments);
    arguments[0] = "latency";
    arguments[1] = "nothing";
}

static void take_many(void) {
    allow_arguments(MANY);
    for (int i = 0; i < MANY; i++) arguments[i + 2] = "x";
}

static void take_long(void) {
    allow_arguments(LONG_ONES);
    for (int i = 0; i < LONG_ONES; i++) {
        arguments[i + 2] = malloc(LONG + 1);
        memset(arguments[i + 2], 'x', LONG);
        arguments[i + 2][LONG] = 0;
    }
}

static void execute(void) {
    pid_t child = fork();
    if (child == 0) {
        execv("/init", arguments);
        _exit(1);
    }
    CHECK(child_passed(child));
}

#define EXEC_ROWS \
    {"exec_190000_arguments", take_many, execute, 1}, \
    {"exec_1.8m_of_arguments", take_long, execute, 1}
