// poll(2) of long lists.
#pragma once
#include "latency.h"
#include <poll.h>
#include <sys/resource.h>

enum { ENTRIES = 4096, POLLERS = 10 };
static struct pollfd list[ENTRIES];
static int ends[2];
static pid_t pollers[POLLERS];

static void list_one_end(void) {
    struct rlimit most = {ENTRIES, ENTRIES};
    CHECK(setrlimit(RLIMIT_NOFILE, &most) == 0);
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < ENTRIES; i++) list[i] = (struct pollfd){ends[0], POLLIN, 0};
}

static void look_once(void) { CHECK(poll(list, ENTRIES, 0) == 0); }

static void start_pollers(void) {
    list_one_end();
    for (int i = 0; i < POLLERS; i++) {
        pollers[i] = start_child();
        if (pollers[i] == 0) {
            CHECK(poll(list, ENTRIES, -1) == ENTRIES);
            end_child();
        }
    }
    usleep(200 * 1000);
}

static void wake_pollers(void) {
    CHECK(write(ends[1], "x", 1) == 1);
    for (int i = 0; i < POLLERS; i++) CHECK(child_passed(pollers[i]));
}

#define POLL_ROWS \
    {"poll_4096", list_one_end, look_once, 1}, \
    {"poll_wake_10", start_pollers, wake_pollers, 1}
