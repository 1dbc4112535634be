// A random life in memory, checked against a model of it: what each page of a window must hold, and what may be done there.
#pragma once
#include "cores.h"

enum { LIFE_PAGES = 700, LIFE_MOST_CHILDREN = 3, LIFE_DEPTH = 3, HEAP_MOST = 64 };
// 300 pages before the border between two tables.
#define WINDOW ((char *)(0x4000000000 + 2 * TABLE - 300 * PAGE))

enum right { ABSENT, NOTHING, READ, WRITE };
static const int PROTECTIONS[] = {0, PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

struct life {
    uint64_t seed, tag;
    unsigned char rights[LIFE_PAGES];
    uint64_t tags[LIFE_PAGES]; // 0: a page of zeros
    char *heap;
    int heap_pages;
    uint64_t heap_tags[HEAP_MOST];
    pid_t children[LIFE_MOST_CHILDREN];
    int depth, line; // line: where it went wrong
};

#define MUST(life, condition)                                       \
    do                                                              \
        if (!(condition) && (life)->line == 0) (life)->line = __LINE__; \
    while (0)

static inline word *life_page(int page) { return word_at(WINDOW, (size_t)page * PAGE); }

static inline int page_holds(word *page, uint64_t tag) { return look(page) == tag && look(page + WORDS - 1) == (tag ? ~tag : 0); }
static inline void page_put(word *page, uint64_t tag) {
    put(page, tag);
    put(page + WORDS - 1, ~tag);
}

static void life_range(struct life *life, int *first, int *end) {
    *first = (int)below(&life->seed, LIFE_PAGES);
    int most = below(&life->seed, 8) ? 24 : LIFE_PAGES;
    *end = *first + 1 + (int)below(&life->seed, (uint64_t)most);
    if (*end > LIFE_PAGES) *end = LIFE_PAGES;
}
static int is_mapped(struct life *life, int first, int end) {
    for (int page = first; page < end; page++)
        if (life->rights[page] == ABSENT) return 0;
    return 1;
}
static void set_range(struct life *life, int first, int end, enum right right, int is_emptied) {
    for (int page = first; page < end; page++) {
        life->rights[page] = (unsigned char)right;
        if (is_emptied) life->tags[page] = 0;
    }
}

static void life_map(struct life *life, int first, int end) {
    enum right right = below(&life->seed, 5) ? WRITE : READ;
    void *place = life_page(first);
    MUST(life, mmap(place, (size_t)(end - first) * PAGE, PROTECTIONS[right], MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place);
    set_range(life, first, end, right, 1);
}
static void life_unmap(struct life *life, int first, int end) {
    MUST(life, munmap(life_page(first), (size_t)(end - first) * PAGE) == 0);
    set_range(life, first, end, ABSENT, 1);
}
static void life_protect(struct life *life, int first, int end) {
    enum right right = (enum right)(NOTHING + below(&life->seed, 3));
    if (!is_mapped(life, first, end)) return;
    MUST(life, mprotect(life_page(first), (size_t)(end - first) * PAGE, PROTECTIONS[right]) == 0);
    set_range(life, first, end, right, 0);
}
static void life_forget(struct life *life, int first, int end) {
    if (!is_mapped(life, first, end)) return;
    MUST(life, madvise(life_page(first), (size_t)(end - first) * PAGE, MADV_DONTNEED) == 0);
    for (int page = first; page < end; page++) life->tags[page] = 0;
}

// Only a range of one area can be moved; where areas end is the kernel's affair, so a refusal must change nothing.
static void life_move(struct life *life, int first, int end) {
    int len = end - first, to = (int)below(&life->seed, (uint64_t)(LIFE_PAGES - len + 1));
    if (!is_mapped(life, first, end) || (to < end && first < to + len)) return;
    life_unmap(life, to, to + len);
    void *moved = mremap(life_page(first), (size_t)len * PAGE, (size_t)len * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, life_page(to));
    if (moved == MAP_FAILED) {
        MUST(life, errno == EFAULT);
        return;
    }
    MUST(life, moved == (void *)life_page(to));
    for (int i = 0; i < len; i++) {
        life->rights[to + i] = life->rights[first + i];
        life->tags[to + i] = life->tags[first + i];
    }
    set_range(life, first, end, ABSENT, 1);
}

// Stores reach exactly the pages that may be written.
static void life_store(struct life *life, int first, int end) {
    for (int page = first; page < end; page++) {
        if (below(&life->seed, 3) == 0) continue;
        uint64_t tag = ++life->tag << 16 | (unsigned)page, seen;
        int is_done = try_put(life_page(page), tag);
        MUST(life, is_done == (life->rights[page] == WRITE));
        MUST(life, try_look(life_page(page), &seen) == (life->rights[page] >= READ));
        if (!is_done) continue;
        page_put(life_page(page), tag);
        life->tags[page] = tag;
    }
}
static void life_check(struct life *life, int first, int end) {
    for (int page = first; page < end; page++)
        if (life->rights[page] >= READ) MUST(life, page_holds(life_page(page), life->tags[page]));
}

// The kernel writes into two neighbours at once, or refuses.
static void life_read_into(struct life *life, int first) {
    int pipes[2];
    if (first + 1 >= LIFE_PAGES) return;
    uint64_t tag = ++life->tag << 16 | (unsigned)(first + 1), parts[2] = {~life->tags[first], tag};
    if (life->tags[first] == 0) parts[0] = 0;
    MUST(life, pipe(pipes) == 0 && write(pipes[1], parts, sizeof parts) == sizeof parts);
    int is_whole = life->rights[first] == WRITE && life->rights[first + 1] == WRITE;
    ssize_t got = read(pipes[0], (void *)(life_page(first) + WORDS - 1), sizeof parts);
    MUST(life, (got == sizeof parts) == is_whole);
    MUST(life, is_whole || (got == -1 && errno == EFAULT) || got == 8);
    if (is_whole) {
        page_put(life_page(first + 1), tag);
        life->tags[first + 1] = tag;
    }
    close(pipes[0]);
    close(pipes[1]);
}

static void life_break(struct life *life) {
    int old = life->heap_pages, count = (int)below(&life->seed, HEAP_MOST);
    char *end = life->heap + (size_t)count * PAGE;
    MUST(life, (char *)syscall(SYS_brk, end) == end);
    life->heap_pages = count;
    for (int page = 0; page < count; page++) {
        word *place = word_at(life->heap, (size_t)page * PAGE);
        MUST(life, page_holds(place, page < old ? life->heap_tags[page] : 0));
        if (page >= old) life->heap_tags[page] = 0;
        if (below(&life->seed, 2)) page_put(place, life->heap_tags[page] = ++life->tag);
    }
}

static void life_go_on(struct life *life, int steps);
static int life_end(struct life *life);

static void life_fork(struct life *life) {
    int slot = (int)below(&life->seed, LIFE_MOST_CHILDREN);
    uint64_t child_seed = next(&life->seed);
    if (life->depth >= LIFE_DEPTH) return;
    if (life->children[slot] > 0) MUST(life, ended_well(life->children[slot]));
    life->children[slot] = bare_fork();
    if (life->children[slot] < 0) { // memory may be short; nothing else may be
        MUST(life, errno == ENOMEM || errno == EAGAIN);
        life->children[slot] = 0;
    } else if (life->children[slot] == 0) {
        memset(life->children, 0, sizeof life->children);
        life->seed = child_seed;
        life->depth++;
        life_go_on(life, (int)below(&life->seed, 24));
        _exit(life_end(life) ? 1 : 0);
    }
}

static void life_go_on(struct life *life, int steps) {
    while (steps-- > 0 && life->line == 0) {
        int first, end;
        life_range(life, &first, &end);
        switch (below(&life->seed, 12)) {
            case 0: life_map(life, first, end); break;
            case 1: life_unmap(life, first, end); break;
            case 2: life_protect(life, first, end); break;
            case 3: life_forget(life, first, end); break;
            case 4: life_move(life, first, end); break;
            case 5: life_break(life); break;
            case 6: life_fork(life); break;
            case 7: life_read_into(life, first); break;
            case 8: life_check(life, first, end); break;
            default: life_store(life, first, end); break;
        }
    }
}

// Looks at everything once more; the line of the first mistake, or 0.
static int life_end(struct life *life) {
    life_check(life, 0, LIFE_PAGES);
    for (int i = 0; i < LIFE_MOST_CHILDREN; i++)
        if (life->children[i] > 0) MUST(life, ended_well(life->children[i]));
    return life->line;
}

// A life of that many steps; the line of the first mistake, or 0. Nothing else may use the break meanwhile.
static int live(uint64_t seed, int steps) {
    // Not on the stack or in .bss of whoever calls, where it would be copied with each of their pages.
    struct life *life = map_at(NULL, sizeof *life, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    survive_faults();
    life->seed = seed;
    life->heap = (char *)(((uintptr_t)syscall(SYS_brk, 0) + PAGE - 1) / PAGE * PAGE);
    set_range(life, 0, LIFE_PAGES, ABSENT, 1);
    life_map(life, 100, 500);
    life_store(life, 100, 500);
    life_go_on(life, steps);
    int line = life_end(life);
    munmap(WINDOW, LIFE_PAGES * PAGE);
    if (syscall(SYS_brk, life->heap) != (long)life->heap && line == 0) line = __LINE__;
    munmap(life, sizeof *life);
    return line;
}
