// Pages that go out to swap space and come back. Swap space is on already.
//   swapping pages              what calls and /proc say of some pages that are sent away, alone and on both sides of a fork
//   swapping deep MIB SECONDS [NOISE]
//                               so much memory, forked three deep: each of the four stores and checks every byte, for so long
//   swapping broken read|write  some pages, one of which the disk does not give back, or does not take
//   swapping share              some pages are sent to two areas of one priority; `first NAME`: all to that one
//   swapping on NAME PRIORITY   swapon(2)
//   swapping exclusive NAME     opens it with O_EXCL for a moment: nobody else may have it
//   swapping hold MIB           so much memory, for as long as /tmp/full is there, which it makes
//   swapping shared MIB MORE    so much memory, which four processes map by tables of their own; one of them needs more
//   swapping fill MIB           so much memory, stored and checked once, and again in a child
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <time.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

enum { PAGE = 4096, WORDS = PAGE / 8, SOME = 256 };

static uint64_t mix(uint64_t word) {
    word ^= word >> 30;
    word *= 0xbf58476d1ce4e5b9;
    word ^= word >> 27;
    word *= 0x94d049bb133111eb;
    return word ^ word >> 31;
}

// A third of a page is noise, or as many words as are asked for, the rest one word: it compresses, but not to nothing.
static size_t noise = WORDS / 3;
static uint64_t word_of(uint64_t seed, size_t word) { return word < noise ? mix(seed + word) : seed; }

static void store(uint64_t *page, uint64_t seed) {
    for (size_t word = 0; word < WORDS; word++) page[word] = word_of(seed, word);
}

static int holds(const uint64_t *page, uint64_t seed) {
    for (size_t word = 0; word < WORDS; word++)
        if (page[word] != word_of(seed, word)) {
            printf("word %zu of page %p: %#lx, not %#lx\n", word, (void *)page, (long)page[word],
                   (long)word_of(seed, word));
            return 0;
        }
    return 1;
}

static void *map(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

// Of the first file the number behind that name.
static long number_of(const char *path, const char *name) {
    char line[256];
    long number = -1;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0) number = atol(line + strlen(name));
    if (file) fclose(file);
    return number;
}

static long swap_used(void) {
    struct sysinfo info;
    CHECK(sysinfo(&info) == 0);
    return (info.totalswap - info.freeswap) * info.mem_unit / PAGE;
}

static long major_faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_majflt;
}

// How many of some pages are in memory, and how many in swap space.
static void count(uint64_t *memory, size_t pages, size_t *present, size_t *swapped) {
    *present = *swapped = 0;
    int file = open("/proc/self/pagemap", O_RDONLY);
    for (size_t number = 0; number < pages; number++) {
        uint64_t word = 0;
        pread(file, &word, 8, ((uintptr_t)memory / PAGE + number) * 8);
        *present += word >> 63;
        *swapped += word >> 62 & 1;
    }
    close(file);
}

static void sent_away(void) {
    size_t present, swapped;
    long used = swap_used();
    uint64_t *memory = map(SOME * PAGE);
    for (size_t number = 0; number < SOME; number++) store(memory + number * WORDS, number + 1);
    // The stack that is used next is not in the way.
    CHECK(madvise(memory, SOME * PAGE, MADV_PAGEOUT) == 0);
    count(memory, SOME, &present, &swapped);
    CHECK(present == 0 && swapped == SOME);
    unsigned char states[SOME];
    CHECK(mincore(memory, SOME * PAGE, states) == 0);
    CHECK(memchr(states, 1, SOME) == NULL);
    CHECK(number_of("/proc/self/status", "VmSwap:") >= SOME * PAGE / 1024);
    CHECK(swap_used() >= used + SOME);
    long faults = major_faults();
    CHECK(holds(memory + 7 * WORDS, 8));
    CHECK(major_faults() == faults + 1);
    store(memory + 9 * WORDS, 0x99);
    CHECK(holds(memory + 9 * WORDS, 0x99));
    count(memory, SOME, &present, &swapped);
    CHECK(present == 2 && swapped == SOME - 2);
    // Half of it is out when it is forked.
    pid_t child = start_child();
    if (child == 0) {
        for (size_t number = 0; number < SOME; number += 2) store(memory + number * WORDS, number + 1000);
        for (size_t number = 0; number < SOME; number++)
            CHECK(holds(memory + number * WORDS, number % 2 == 0 ? number + 1000
                                                 : number == 9   ? 0x99
                                                                 : number + 1));
        end_child();
    }
    for (size_t number = 1; number < SOME; number += 2) store(memory + number * WORDS, number + 2000);
    CHECK(child_passed(child));
    for (size_t number = 0; number < SOME; number++)
        CHECK(holds(memory + number * WORDS, number % 2 == 1 ? number + 2000 : number + 1));
    CHECK(munmap(memory, SOME * PAGE) == 0);
    CHECK(swap_used() <= used);
}

static void cold(void) {
    uint64_t *memory = map(SOME * PAGE);
    for (size_t number = 0; number < SOME; number++) store(memory + number * WORDS, number + 1);
    CHECK(madvise(memory, SOME * PAGE, MADV_COLD) == 0);
    for (size_t number = 0; number < SOME; number++) CHECK(holds(memory + number * WORDS, number + 1));
    CHECK(mlock(memory, PAGE) == 0);
    CHECK(madvise(memory, PAGE, MADV_PAGEOUT) == -1 && errno == EINVAL);
    CHECK(madvise(memory, PAGE, MADV_COLD) == -1 && errno == EINVAL);
    CHECK(munlock(memory, PAGE) == 0);
    // What goes with its area while it is out.
    CHECK(madvise(memory, SOME * PAGE, MADV_PAGEOUT) == 0);
    CHECK(mprotect(memory, SOME * PAGE, PROT_READ) == 0);
    CHECK(holds(memory + 3 * WORDS, 4));
    CHECK(mprotect(memory, SOME * PAGE, PROT_READ | PROT_WRITE) == 0);
    uint64_t *moved = mremap(memory, SOME * PAGE, 2 * SOME * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && holds(moved + 5 * WORDS, 6));
    CHECK(madvise(moved, SOME * PAGE / 2, MADV_DONTNEED) == 0);
    CHECK(moved[5 * WORDS] == 0 && holds(moved + (SOME - 1) * WORDS, SOME));
    CHECK(munmap(moved, 2 * SOME * PAGE) == 0);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static uint64_t seed_of(size_t page, unsigned char generation) { return mix(page * 256 + generation) | 1; }

// One of them: it begins with what its parent had, and goes its own way.
static void live(uint64_t *memory, unsigned char *generations, size_t pages, double end, unsigned depth) {
    pid_t child = depth > 0 ? start_child() : -1;
    if (child == 0) {
        live(memory, generations, pages, end, depth - 1);
        end_child();
    }
    uint64_t dice = depth * 77 + 1;
    int is_right = 1;
    while (is_right && now() < end)
        for (int round = 0; round < 64 && is_right; round++) {
            dice = mix(dice + 0x9e3779b97f4a7c15);
            size_t page = dice % pages;
            is_right = holds(memory + page * WORDS, seed_of(page, generations[page]));
            if (dice >> 62 == 0) {
                generations[page] += 4 + depth;
                store(memory + page * WORDS, seed_of(page, generations[page]));
            }
        }
    for (size_t page = 0; page < pages && is_right; page++)
        is_right = holds(memory + page * WORDS, seed_of(page, generations[page]));
    CHECK(is_right);
    if (child > 0) CHECK(child_passed(child));
}

static void deep(size_t mib, int seconds) {
    size_t pages = mib << 8;
    uint64_t *memory = map(pages * PAGE);
    unsigned char *generations = map(pages);
    for (size_t page = 0; page < pages; page++) store(memory + page * WORDS, seed_of(page, 0));
    live(memory, generations, pages, now() + seconds, 3);
    CHECK(number_of("/proc/vmstat", "pswpout") > 0);
    CHECK(number_of("/proc/vmstat", "pswpin") > 0);
    printf("out %ld, in %ld, major faults %ld\n", number_of("/proc/vmstat", "pswpout"),
           number_of("/proc/vmstat", "pswpin"), number_of("/proc/vmstat", "pgmajfault"));
}

static void fill(size_t mib) {
    size_t pages = mib << 8;
    uint64_t *memory = map(pages * PAGE);
    for (size_t page = 0; page < pages; page++) store(memory + page * WORDS, page + 1);
    pid_t child = start_child();
    if (child == 0) {
        for (size_t page = 0; page < pages; page++) CHECK(holds(memory + page * WORDS, page + 1));
        end_child();
    }
    CHECK(child_passed(child));
    for (size_t page = 0; page < pages; page++) CHECK(holds(memory + page * WORDS, page + 1));
}

// A table of its own for each 2 MiB, by one page of each that differs; the rest is what all of them map.
static void store_apart(uint64_t *memory, size_t pages, size_t which) {
    for (size_t page = 0; page < pages; page += 512) store(memory + page * WORDS, page + which * 1000003);
}

static void check_apart(const uint64_t *memory, size_t pages, size_t which) {
    int is_right = 1;
    for (size_t page = 0; page < pages && is_right; page += 64)
        is_right = holds(memory + page * WORDS, page % 512 == 0 ? page + which * 1000003 : page + 1);
    CHECK(is_right);
}

// None of the pages that all have is free before it is out of all of them. The hand comes to the parent first, and the last child needs more.
static void shared(size_t mib, size_t more_mib) {
    enum { CHILDREN = 3 };
    size_t pages = mib << 8, more = more_mib << 8;
    int ready[2], go[2];
    char byte;
    pid_t children[CHILDREN];
    uint64_t *memory = map(pages * PAGE);
    for (size_t page = 0; page < pages; page++) store(memory + page * WORDS, page + 1);
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    for (size_t which = 0; which < CHILDREN; which++) {
        children[which] = start_child();
        if (children[which] != 0) continue;
        close(go[1]);
        store_apart(memory, pages, which + 1);
        CHECK(write(ready[1], "", 1) == 1);
        CHECK(read(go[0], &byte, 1) == 0);
        uint64_t *own = map(more * PAGE);
        for (size_t page = 0; page < more && which == CHILDREN - 1; page++) store(own + page * WORDS, page + 5);
        for (size_t page = 0; page < more && which == CHILDREN - 1; page += 64)
            CHECK(holds(own + page * WORDS, page + 5));
        check_apart(memory, pages, which + 1);
        end_child();
    }
    for (size_t which = 0; which < CHILDREN; which++) CHECK(read(ready[0], &byte, 1) == 1);
    store_apart(memory, pages, CHILDREN + 1);
    close(go[1]);
    for (size_t which = 0; which < CHILDREN; which++) CHECK(child_passed(children[which]));
    check_apart(memory, pages, CHILDREN + 1);
    CHECK(munmap(memory, pages * PAGE) == 0);
}

// What /proc/swaps says is used of an area, in KiB.
static long used_of(const char *name) {
    char line[256], found[128];
    long used = -1, size, now;
    FILE *file = fopen("/proc/swaps", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%127s %*s %ld %ld", found, &size, &now) == 3 && strcmp(found, name) == 0) used = now;
    if (file) fclose(file);
    return used;
}

static void send_away(size_t pages) {
    uint64_t *memory = map(pages * PAGE);
    for (size_t number = 0; number < pages; number++) store(memory + number * WORDS, number + 1);
    CHECK(madvise(memory, pages * PAGE, MADV_PAGEOUT) == 0);
}

// Areas of one priority get alike.
static void share(void) {
    send_away(4096);
    long one = used_of("/dev/zram0"), other = used_of("/dev/vda");
    printf("used: %ld and %ld KiB\n", one, other);
    CHECK(one + other >= 4096 * 4 && labs(one - other) <= 512);
}

static void first(const char *name) {
    long before = used_of(name);
    send_away(1024);
    CHECK(used_of(name) - before >= 1024 * 4);
}

// So much memory, for as long as there is a file that says that it is there.
static void hold(size_t mib) {
    size_t pages = mib << 8;
    uint64_t *memory = map(pages * PAGE);
    for (size_t page = 0; page < pages; page++) store(memory + page * WORDS, page + 1);
    FILE *file = fopen("/tmp/full", "w");
    CHECK(file && fputs("full\n", file) > 0 && fclose(file) == 0);
    while (access("/tmp/full", F_OK) == 0) usleep(100000);
    for (size_t page = 0; page < pages; page++) CHECK(holds(memory + page * WORDS, page + 1));
}

static sigjmp_buf broken_off;
static siginfo_t broken_at;
static void note_broken(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    broken_at = *info;
    siglongjmp(broken_off, 1);
}

// Whether a page holds what was stored there; -1 if a signal says that it cannot be had.
static int look(uint64_t *page, uint64_t seed) {
    if (sigsetjmp(broken_off, 1) != 0) {
        CHECK(broken_at.si_code == BUS_ADRERR && (uint64_t *)broken_at.si_addr == page);
        return -1;
    }
    return holds(page, seed);
}

// The disk fails for one page alone.
static void broken(int is_read) {
    enum { FEW = 16 };
    size_t present, swapped, lost = 0;
    struct sigaction action = {.sa_sigaction = note_broken, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGBUS, &action, NULL) == 0);
    uint64_t *memory = map(FEW * PAGE);
    for (size_t number = 0; number < FEW; number++) store(memory + number * WORDS, number + 1);
    long out = number_of("/proc/vmstat", "pswpout");
    CHECK(madvise(memory, FEW * PAGE, MADV_PAGEOUT) == 0);
    count(memory, FEW, &present, &swapped);
    CHECK(present + swapped == FEW);
    long written = number_of("/proc/vmstat", "pswpout") - out;
    printf("%ld of %d pages were written\n", written, FEW);
    CHECK(written == FEW - !is_read);
    for (int round = 0; round < 2; round++, lost = 0) {
        for (size_t number = 0; number < FEW; number++) {
            int found = look(memory + number * WORDS, number + 1);
            CHECK(found != 0);
            lost += found < 0;
        }
        printf("%zu of %d pages could not be had\n", lost, FEW);
        CHECK(lost == (is_read ? 1 : 0));
    }
    // What is stored there instead is another page's.
    CHECK(munmap(memory, FEW * PAGE) == 0);
    memory = map(FEW * PAGE);
    for (size_t number = 0; number < FEW; number++) store(memory + number * WORDS, number + 100);
    for (size_t number = 0; number < FEW; number++) CHECK(holds(memory + number * WORDS, number + 100));
    CHECK(munmap(memory, FEW * PAGE) == 0);
}

// Two of this process cannot have it either.
static void exclusive(const char *name) {
    int disk = open(name, O_RDWR | O_EXCL);
    CHECK(disk >= 0);
    if (disk < 0) return;
    CHECK(open(name, O_RDONLY | O_EXCL) == -1 && errno == EBUSY);
    int other = open(name, O_RDONLY);
    CHECK(other >= 0 && swapon(name, 0) == -1 && errno == EBUSY);
    close(other), close(disk);
    disk = open(name, O_RDONLY | O_EXCL);
    CHECK(disk >= 0);
    close(disk);
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *what = count > 1 ? words[1] : "pages";
    if (count > 4) noise = atoi(words[4]);
    if (strcmp(what, "deep") == 0) deep(atoi(words[2]), atoi(words[3]));
    else if (strcmp(what, "shared") == 0) shared(atoi(words[2]), atoi(words[3]));
    else if (strcmp(what, "fill") == 0) fill(atoi(words[2]));
    else if (strcmp(what, "share") == 0) share();
    else if (strcmp(what, "on") == 0) CHECK(swapon(words[2], SWAP_FLAG_PREFER | atoi(words[3])) == 0);
    else if (strcmp(what, "exclusive") == 0) exclusive(words[2]);
    else if (strcmp(what, "first") == 0) first(words[2]);
    else if (strcmp(what, "hold") == 0) hold(atoi(words[2]));
    else if (strcmp(what, "broken") == 0) broken(strcmp(words[2], "read") == 0);
    else sent_away(), cold();
    printf("swapping: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
