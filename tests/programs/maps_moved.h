// mremap(MREMAP_DONTUNMAP), what RLIMIT_DATA counts, and areas that grow.

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define LEAVES (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)

static void left_behind(size_t pages) {
    volatile char *memory = map(pages, PROT_READ | PROT_WRITE);
    fill_pages(memory, pages);
    volatile char *moved = mremap((void *)memory, pages * PAGE, pages * PAGE, LEAVES);
    CHECK(moved != MAP_FAILED && moved != memory && is_filled(moved, 0, pages));
    CHECK(is_wiped(memory, 0, pages));
    memory[0] = 44;
    CHECK(moved[0] == 1);
    // Over something, and from a part of an area; a child has both.
    volatile char *target = map(pages, PROT_READ | PROT_WRITE);
    target[0] = 3;
    pid_t child = start_child();
    if (child == 0) {
        CHECK(mremap((void *)moved, pages * PAGE, pages * PAGE, LEAVES | MREMAP_FIXED, target) == target);
        CHECK(is_filled(target, 0, pages) && is_wiped(moved, 0, pages));
        end_child();
    }
    CHECK(child_passed(child) && is_filled(moved, 0, pages) && target[0] == 3);
    munmap((void *)target, pages * PAGE);
    munmap((void *)moved, pages * PAGE);
    munmap((void *)memory, pages * PAGE);
}

static void left_behind_is_not_locked(void) {
    volatile char *memory = map(8, PROT_READ | PROT_WRITE);
    CHECK(mlock((void *)memory, 8 * PAGE) == 0);
    volatile char *moved = mremap((void *)memory, 8 * PAGE, 8 * PAGE, LEAVES);
    CHECK(moved != MAP_FAILED && has_flag(moved, "lo") && !has_flag(memory, "lo") && status_value("VmLck") == 32);
    CHECK(resident_pages(memory, 8) == 0 && resident_pages(moved, 8) == 8);
    munmap((void *)memory, 8 * PAGE);
    munmap((void *)moved, 8 * PAGE);
}

static void refused_moves(void) {
    char *memory = (char *)map(4, PROT_READ | PROT_WRITE);
    CHECK(FAILS(mremap(memory, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP), EINVAL));
    CHECK(FAILS(mremap(memory, 4 * PAGE, 2 * PAGE, LEAVES), EINVAL));
    CHECK(FAILS(mremap(memory, 4 * PAGE, 4 * PAGE, LEAVES | MREMAP_FIXED, memory + PAGE), EINVAL));
    CHECK(FAILS(mremap(memory, 4 * PAGE, 4 * PAGE, 8), EINVAL));
    munmap(memory, 4 * PAGE);
}

// Memory is data once it may be written.
static void data_limit(void) {
    pid_t child = start_child();
    if (child == 0) {
        struct rlimit limit = {8 << 20, 8 << 20};
        char *memory = (char *)map(4096, PROT_READ), *data = (char *)map(4, PROT_READ | PROT_WRITE);
        CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
        CHECK(FAILS(mprotect(memory, 4096 * PAGE, PROT_READ | PROT_WRITE), ENOMEM));
        CHECK(mprotect(memory, 16 * PAGE, PROT_READ | PROT_WRITE) == 0);
        CHECK(FAILS(mremap(data, 4 * PAGE, 4096 * PAGE, MREMAP_MAYMOVE), ENOMEM));
        CHECK(mremap(memory + 32 * PAGE, 4000 * PAGE, 4001 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
        CHECK(FAILS(mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0), ENOMEM));
        CHECK(mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
        end_child();
    }
    CHECK(child_passed(child));
}

static void growing_areas(void) {
    char *memory = (char *)map(4, PROT_READ | PROT_WRITE);
    CHECK(FAILS(mprotect(memory, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL));
    CHECK(FAILS(mprotect(memory, PAGE, PROT_READ | PROT_GROWSUP), EINVAL));
    CHECK(FAILS(mprotect(memory, PAGE, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN), EINVAL));
    CHECK(FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0), EINVAL));
    munmap(memory, 4 * PAGE);
    // From the page in the middle of the stack down to its end.
    char *page = (char *)((unsigned long)&memory & -PAGE);
    CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_GROWSDOWN) == 0);
    pid_t child = start_child();
    if (child == 0) {
        char *below = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_GROWSDOWN, -1, 0);
        CHECK(mprotect(below + 8 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN) == 0);
        CHECK(TOUCH(((volatile char *)below)[0] = 1) == SIGSEGV && TOUCH(((volatile char *)below)[9 * PAGE] = 1) == 0);
        end_child();
    }
    CHECK(child_passed(child));
}

static void moves(void) {
    left_behind(1);
    left_behind(9);
    left_behind(700);
    left_behind_is_not_locked();
    refused_moves();
    data_limit();
    growing_areas();
}
