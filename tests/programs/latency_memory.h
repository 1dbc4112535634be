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

#define MEMORY_ROWS \
    {"mremap_sparse_60g", reserve_sparse, move_sparse, 0}, \
    {"mprotect_sparse_60g", reserve_sparse, protect_sparse, 0}, \
    {"mremap_128m", reserve_dense, move_dense, 0}, \
    {"mprotect_30000_areas", make_areas, protect_areas, 0}, \
    {"munmap_30000_areas", make_areas, unmap_areas, 0}
