// A fork server as AFL++'s: the program under test has loaded what it needs (MIB of memory, all of it touched), and is asked over
// descriptor 198 for one child after the other; it tells each one's number and status over descriptor 199. A child reads and changes a
// few pages of what the server holds, and ends.
//   forkserver ROUNDS MIB
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

enum { ASKED = 198, TOLD = 199, PAGE = 4096, TOUCHED = 16 };

static char *memory;
static size_t len;

static uint64_t nanos(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

// The test: pages all over the memory, each of which must be as the server left it.
static int run(uint32_t input) {
    for (int i = 0; i < TOUCHED; i++) {
        size_t page = (input * 2654435761u + i * 40503u) % (len / PAGE);
        char *at = memory + page * PAGE;
        if (*(uint32_t *)at != (uint32_t)page) return 1;
        *(uint32_t *)at = ~(uint32_t)page;
    }
    return 0;
}

static void serve(void) {
    uint32_t word = 0;
    if (write(TOLD, &word, 4) != 4) _exit(1);
    while (read(ASKED, &word, 4) == 4) {
        pid_t child = fork();
        if (child == 0) _exit(run(word));
        int status = -1;
        if (child < 0 || write(TOLD, &child, 4) != 4 || waitpid(child, &status, 0) != child || write(TOLD, &status, 4) != 4) _exit(1);
    }
    // Nothing of what the children did is to be seen.
    for (size_t page = 0; page < len / PAGE; page++)
        if (*(uint32_t *)(memory + page * PAGE) != (uint32_t)page) _exit(2);
    _exit(0);
}

int main(int count, char **arguments) {
    unsigned rounds = count > 1 ? atoi(arguments[1]) : 10000, bad = 0;
    len = (size_t)(count > 2 ? atoi(arguments[2]) : 256) << 20;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int asked[2], told[2];
    CHECK(pipe(asked) == 0 && pipe(told) == 0);
    pid_t server = fork();
    if (server == 0) {
        CHECK(dup2(asked[0], ASKED) == ASKED && dup2(told[1], TOLD) == TOLD);
        for (int i = 0; i < 2; i++) close(asked[i]), close(told[i]);
        memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) _exit(3);
        for (size_t page = 0; page < len / PAGE; page++) *(uint32_t *)(memory + page * PAGE) = (uint32_t)page;
        serve();
    }
    close(asked[0]), close(told[1]);
    uint32_t word, child, status;
    CHECK(read(told[0], &word, 4) == 4);
    uint64_t begin = nanos();
    for (unsigned i = 0; i < rounds; i++) {
        word = i;
        if (write(asked[1], &word, 4) != 4 || read(told[0], &child, 4) != 4 || read(told[0], &status, 4) != 4) break;
        bad += status != 0;
    }
    uint64_t each = (nanos() - begin) / rounds;
    CHECK(bad == 0);
    close(asked[1]);
    CHECK(child_passed(server));
    printf("result %u rounds, %zu MiB: %llu instructions each, %llu a second\n", rounds, len >> 20, (unsigned long long)each,
           1000000000ull / (unsigned long long)(each ? each : 1));
    printf("result %d passed, %d failed\n", passed, failed);
    fflush(stdout);
    if (getpid() == 1) reboot(RB_POWER_OFF);
    return failed != 0;
}
