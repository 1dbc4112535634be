// What a child does not inherit: MADV_DONTFORK, MADV_WIPEONFORK; and where advice is kept.

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif

#define FAILS(call, error) (errno = 0, (call) == (__typeof__(call))-1 && errno == (error))

// The value of a line `name:` in the entry of smaps that begins at an address; for VmFlags the whole line is in `flags_line`.
static char flags_line[512];

static long smaps_value(volatile void *at, const char *name) {
    char line[512];
    FILE *smaps = fopen("/proc/self/smaps", "r");
    long value = -1;
    int is_there = 0;
    while (smaps && fgets(line, sizeof line, smaps)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) is_there = start == (unsigned long)at;
        if (is_there && strncmp(line, name, strlen(name)) == 0) {
            value = atol(line + strlen(name) + 1);
            strcpy(flags_line, line);
        }
    }
    if (smaps) fclose(smaps);
    return value;
}

// Whether VmFlags of the area that begins there has two letters.
static int has_flag(volatile void *at, const char *letters) {
    char wanted[8];
    snprintf(wanted, sizeof wanted, " %s", letters);
    flags_line[0] = 0;
    smaps_value(at, "VmFlags");
    return strstr(flags_line, wanted) != NULL;
}

static void fill_pages(volatile char *memory, size_t pages) {
    for (size_t page = 0; page < pages; page++) memory[page * PAGE] = page % 100 + 1;
}

// Whether page for page holds what fill_pages put there.
static int is_filled(volatile char *memory, size_t from, size_t to) {
    for (size_t page = from; page < to; page++)
        if (memory[page * PAGE] != (char)(page % 100 + 1)) return 0;
    return 1;
}

static int is_wiped(volatile char *memory, size_t from, size_t to) {
    for (size_t page = from; page < to; page++)
        if (memory[page * PAGE] != 0) return 0;
    return 1;
}

// Three areas of `pages` pages each: kept, wiped in a child, not there in a child.
static void kept_wiped_gone(size_t pages) {
    volatile char *memory = map(3 * pages, PROT_READ | PROT_WRITE);
    volatile char *wiped = memory + pages * PAGE, *gone = wiped + pages * PAGE;
    fill_pages(memory, 3 * pages);
    CHECK(madvise((void *)wiped, pages * PAGE, MADV_WIPEONFORK) == 0);
    CHECK(madvise((void *)gone, pages * PAGE, MADV_DONTFORK) == 0);
    CHECK(has_flag(wiped, "wf") && has_flag(gone, "dc") && !has_flag(memory, "wf"));
    CHECK(is_filled(memory, 0, 3 * pages));
    pid_t child = start_child();
    if (child == 0) {
        CHECK(is_filled(memory, 0, pages) && is_wiped(memory, pages, 2 * pages));
        CHECK(TOUCH(*gone) == SIGSEGV && is_fault(SIGSEGV, SEGV_MAPERR, gone));
        CHECK(TOUCH(gone[(pages - 1) * PAGE] = 1) == SIGSEGV);
        // The advice is the child's as well; what it puts there is wiped in its own child.
        CHECK(has_flag(wiped, "wf"));
        wiped[0] = 77;
        pid_t grandchild = start_child();
        if (grandchild == 0) {
            CHECK(is_wiped(memory, pages, 2 * pages) && is_filled(memory, 0, pages));
            end_child();
        }
        CHECK(child_passed(grandchild));
        CHECK(wiped[0] == 77);
        // What is not there can be mapped anew.
        CHECK(mmap((void *)gone, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == gone);
        end_child();
    }
    memory[0] = 50;
    CHECK(child_passed(child));
    memory[0] = 1;
    CHECK(is_filled(memory, 0, 3 * pages));
    // Undone, all of it is inherited.
    CHECK(madvise((void *)wiped, pages * PAGE, MADV_KEEPONFORK) == 0);
    CHECK(madvise((void *)gone, pages * PAGE, MADV_DOFORK) == 0);
    child = start_child();
    if (child == 0) {
        CHECK(is_filled(memory, 0, 3 * pages));
        end_child();
    }
    CHECK(child_passed(child));
    munmap((void *)memory, 3 * pages * PAGE);
}

// Single pages in the middle of what one table translates, and a part of an area.
static void single_pages(void) {
    volatile char *memory = map(64, PROT_READ | PROT_WRITE);
    fill_pages(memory, 64);
    for (int page = 1; page < 64; page += 8) {
        CHECK(madvise((void *)(memory + page * PAGE), PAGE, MADV_WIPEONFORK) == 0);
        CHECK(madvise((void *)(memory + (page + 2) * PAGE), PAGE, MADV_DONTFORK) == 0);
    }
    for (int round = 0; round < 3; round++) {
        pid_t child = start_child();
        if (child == 0) {
            int wrong = 0;
            for (int page = 0; page < 64; page++) {
                if (page % 8 == 3) {
                    wrong += !FAILS(msync((void *)(memory + page * PAGE), PAGE, MS_ASYNC), ENOMEM);
                } else {
                    wrong += page % 8 == 1 ? !is_wiped(memory, page, page + 1) : !is_filled(memory, page, page + 1);
                    memory[page * PAGE] = 99;
                }
            }
            CHECK(wrong == 0);
            end_child();
        }
        CHECK(child_passed(child));
        CHECK(is_filled(memory, 0, 64));
    }
    munmap((void *)memory, 64 * PAGE);
}

static void what_cannot_be_wiped(void) {
    char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(FAILS(madvise(shared, 2 * PAGE, MADV_WIPEONFORK), EINVAL));
    CHECK(madvise(shared, 2 * PAGE, MADV_KEEPONFORK) == 0);
    int file = open("/tmp-advised", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(ftruncate(file, 2 * PAGE) == 0);
    char *private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    CHECK(FAILS(madvise(private, 2 * PAGE, MADV_WIPEONFORK), EINVAL));
    // Shared memory can be left out.
    shared[0] = 5;
    CHECK(madvise(shared + PAGE, PAGE, MADV_DONTFORK) == 0 && madvise(private, PAGE, MADV_DONTFORK) == 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(shared[0] == 5 && TOUCH(((volatile char *)shared)[PAGE]) == SIGSEGV);
        CHECK(TOUCH(*(volatile char *)private) == SIGSEGV && TOUCH(((volatile char *)private)[PAGE]) == 0);
        end_child();
    }
    CHECK(child_passed(child));
    munmap(shared, 2 * PAGE);
    munmap(private, 2 * PAGE);
    close(file);
    unlink("/tmp-advised");
}

static void advice_around_a_hole(void) {
    volatile char *memory = map(5, PROT_READ | PROT_WRITE);
    munmap((void *)(memory + 2 * PAGE), PAGE);
    CHECK(FAILS(madvise((void *)memory, 5 * PAGE, MADV_DONTFORK), ENOMEM));
    CHECK(has_flag(memory, "dc") && has_flag(memory + 3 * PAGE, "dc"));
    CHECK(FAILS(madvise((void *)memory, 5 * PAGE, 1234), EINVAL));
    CHECK(FAILS(madvise((void *)(memory + 1), PAGE, MADV_DONTFORK), EINVAL));
    CHECK(madvise((void *)(memory + 2 * PAGE), 0, MADV_WIPEONFORK) == 0);
    CHECK(madvise((void *)memory, 2 * PAGE, MADV_DOFORK) == 0 && !has_flag(memory, "dc"));
    CHECK(madvise((void *)memory, 2 * PAGE, MADV_SEQUENTIAL) == 0 && has_flag(memory, "sr"));
    CHECK(madvise((void *)memory, 2 * PAGE, MADV_RANDOM) == 0 && has_flag(memory, "rr") && !has_flag(memory, "sr"));
    CHECK(madvise((void *)memory, 2 * PAGE, MADV_NORMAL) == 0 && !has_flag(memory, "rr"));
    CHECK(madvise((void *)memory, 2 * PAGE, MADV_DONTDUMP) == 0 && has_flag(memory, "dd"));
    munmap((void *)memory, 5 * PAGE);
}

static void advice(void) {
    kept_wiped_gone(1);
    kept_wiped_gone(7);
    kept_wiped_gone(512);
    kept_wiped_gone(1500);
    single_pages();
    what_cannot_be_wiped();
    advice_around_a_hole();
}
