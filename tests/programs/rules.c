// Work for one rule of the checker each, no more than the rule needs: what is planted in the kernel for it is in tests/src/plants.rs.
//   rules CASE      CASE: zeros, two_pages, one_page, copies, walks, freed_twice
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096, TABLE = 512 * PAGE };

// A child without what the C library does in it: its next store is the first that copies a page, but for its stack's.
static pid_t raw_fork(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static void raw_exit(void) { syscall(SYS_exit_group, 0); }

// So much address space that nothing else lies in its tables.
static char *reserve(size_t tables) {
    char *at = mmap(NULL, (tables + 1) * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    return (char *)(((uintptr_t)at + TABLE - 1) & ~(uintptr_t)(TABLE - 1));
}

static volatile char *map(char *at, size_t pages, int sharing, int file) {
    volatile char *mapped = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | sharing, file, 0);
    CHECK(mapped == at);
    return mapped;
}

static volatile char *map_anonymous(char *at, size_t pages) {
    return map(at, pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

// Reads what was never stored to.
static void zeros(void) {
    enum { PAGES = 64 };
    volatile char *pages = map_anonymous(reserve(1), PAGES);
    long wrong = 0;
    for (size_t at = 0; at < PAGES * PAGE; at += PAGE) {
        pages[at] = 1;
        for (size_t line = 64; line < PAGE; line += 64) wrong += pages[at + line] != 0;
    }
    CHECK(wrong == 0);
}

// Two pages of a file, whose frames stay its own, go at once, and with them their table.
static void two_pages(void) {
    int file = memfd_create("two_pages", 0);
    CHECK(file >= 0 && ftruncate(file, 2 * PAGE) == 0);
    char *place = reserve(8);
    for (int i = 0; i < 8; i++) {
        volatile char *pages = map(place + (size_t)i * TABLE, 2, MAP_SHARED, file);
        pages[0] = pages[PAGE] = 1;
        CHECK(munmap((void *)pages, 2 * PAGE) == 0);
    }
}

// A page goes, and with it its table, whose frame is the next that is taken.
static void one_page(void) {
    char *place = reserve(9);
    volatile char *others = map_anonymous(place, 64);
    others[0] = 1;
    for (int i = 1; i <= 8; i++) {
        volatile char *page = map_anonymous(place + (size_t)i * TABLE, 1);
        *page = 1;
        CHECK(munmap((void *)page, PAGE) == 0);
        others[i * PAGE] = 1;
    }
}

static _Alignas(PAGE) volatile char data[8 * PAGE];

// The first page of a child's is copied with its table, the others after it.
static void copies(void) {
    for (int i = 0; i < 8; i++) data[i * PAGE] = 1;
    pid_t child = raw_fork();
    if (child == 0) {
        for (int i = 0; i < 8; i++) data[i * PAGE] = 2;
        raw_exit();
    }
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(data[0] == 1 && data[7 * PAGE] == 1);
}

// What a fork took write access from is read.
static void walks(void) {
    for (int i = 0; i < 8; i++) data[i * PAGE] = 1;
    pid_t child = raw_fork();
    if (child == 0) raw_exit();
    CHECK(data[0] + data[7 * PAGE] == 2);
    CHECK(waitpid(child, NULL, 0) == child);
}

// A child copies a page of its parent's, behind one that was copied with its table; the parent takes frames while it still sees that page.
static void freed_twice(void) {
    enum { PAGES = 512 };
    volatile char *pages = map_anonymous(reserve(2), PAGES);
    data[0] = data[PAGE] = 1;
    pid_t child = raw_fork();
    if (child == 0) {
        data[0] = 2;
        data[PAGE] = 2;
        raw_exit();
    }
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(data[PAGE] == 1);
    for (int i = 0; i < PAGES; i++) pages[i * PAGE] = 1;
}

static const struct {
    const char *name;
    void (*play)(void);
} cases[] = {
    {"zeros", zeros},   {"two_pages", two_pages}, {"one_page", one_page},
    {"copies", copies}, {"walks", walks},         {"freed_twice", freed_twice},
};

static const char *wanted = "";

static void play(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, wanted) == 0) {
            cases[i].play();
            return;
        }
    CHECK(!"a case");
}

int main(int argc, char **argv) {
    if (argc > 1) wanted = argv[1];
    return run_as_init("rules", play);
}
