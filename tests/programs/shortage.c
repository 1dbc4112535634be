// Memory runs out, and what takes it is translation tables: processes that touch one page in each GiB, again and again further
// on. All of them end for it within a time, and who sleeps beside them is not forgotten meanwhile.
#include "latency.h"

enum { TAKERS = 40, GIBS = 256 };
static const long LATEST = 1000 * 1000 * 1000L, LONGEST = 40 * LATEST;

static void take_tables(void) {
    char *all = mmap(NULL, GIBS * GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) _exit(1);
    for (long offset = 0; offset < GIB; offset += 2 * MIB)
        for (long gib = 0; gib < GIBS; gib++) all[gib * GIB + offset] = 1;
    _exit(2);
}

static void all_end(void) {
    start_sleeper();
    lateness();
    forget_lateness();
    long start = now(), killed = 0;
    int status;
    for (int i = 0; i < TAKERS; i++) {
        pid_t child = fork();
        if (child == 0) take_tables();
        CHECK(child > 0);
    }
    for (int i = 0; i < TAKERS; i++) {
        CHECK(wait(&status) > 0);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    CHECK(killed == TAKERS);
    long took = now() - start, late = lateness();
    printf("late %ld us, all ended after %ld ms\n", late / 1000, took / 1000000);
    CHECK(late < LATEST);
    CHECK(took < LONGEST);
    end_sleeper();
}

int main(void) { return run_as_init("shortage", all_end); }
