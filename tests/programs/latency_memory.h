// Calls on mappings.
#pragma once
#include "latency.h"

enum { AREAS = 30000, PAGE = 4096, TABLE = 2 * MIB };
static char *arena;
static const size_t SPARSE = 60 * GIB;

static void reserve_sparse(void) {
    arena = reserve(SPARSE);
    touch_each(arena, SPARSE, TABLE);
}

// Mappings are made downwards, so that there is room below.
static void move_sparse(void) {
    char *to = arena - SPARSE - GIB;
    CHECK(mremap(arena, SPARSE, SPARSE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

static void protect_sparse(void) { CHECK(mprotect(arena, SPARSE, PROT_READ) == 0); }

static void reserve_dense(void) {
    arena = reserve(128 * MIB);
    touch_each(arena, 128 * MIB, PAGE);
}

static void move_dense(void) {
    char *to = arena - 256L * MIB;
    CHECK(mremap(arena, 128 * MIB, 128 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

// No page lies where it lay in its table.
static void move_dense_askew(void) {
    char *to = arena - 256L * MIB + PAGE;
    CHECK(mremap(arena, 128 * MIB, 128 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    CHECK(to[0] == 1 && to[128 * MIB - PAGE] == 1);
}

// Every second page is its own area.
static void make_areas(void) {
    arena = reserve(2L * AREAS * PAGE);
    for (int i = 0; i < AREAS; i++) {
        char *page = arena + 2L * i * PAGE;
        *page = 1;
        CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    }
}

static void protect_areas(void) { CHECK(mprotect(arena, 2L * AREAS * PAGE, PROT_READ) == 0); }

static void unmap_areas(void) { CHECK(munmap(arena, 2L * AREAS * PAGE) == 0); }

static void drop_areas(void) { CHECK(madvise(arena, 2L * AREAS * PAGE, MADV_DONTNEED) == 0); }

static void lock_areas(void) { CHECK(mlock(arena, 2L * AREAS * PAGE) == 0); }

static void fork_areas(void) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(child_passed(child));
}

// The areas are all the child's own when it ends, or when it executes what ends at once.
static void exit_with_areas(void) {
    pid_t child = fork();
    if (child == 0) {
        make_areas();
        _exit(0);
    }
    CHECK(child_passed(child));
}

static void exec_with_areas(void) {
    pid_t child = fork();
    if (child == 0) {
        make_areas();
        execl("/init", "latency", "nothing", NULL);
        _exit(1);
    }
    CHECK(child_passed(child));
}

#define MEMORY_ROWS \
    {"mremap_sparse_60g", reserve_sparse, move_sparse, 1}, \
    {"mprotect_sparse_60g", reserve_sparse, protect_sparse, 1}, \
    {"mremap_128m", reserve_dense, move_dense, 1}, \
    {"mremap_128m_askew", reserve_dense, move_dense_askew, 1}, \
    {"mprotect_30000_areas", make_areas, protect_areas, 1}, \
    {"munmap_30000_areas", make_areas, unmap_areas, 1}, \
    {"dontneed_30000_areas", make_areas, drop_areas, 1}, \
    {"mlock_30000_areas", make_areas, lock_areas, 1}, \
    {"fork_30000_areas", make_areas, fork_areas, 1}, \
    {"exit_30000_areas", NULL, exit_with_areas, 1}, \
    {"exec_30000_areas", NULL, exec_with_areas, 1}
