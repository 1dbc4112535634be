// How far a stack may grow: RLIMIT_STACK as it is then, RLIMIT_AS, RLIMIT_MEMLOCK where it is locked, and what is below.

static unsigned long stack_start, stack_end;

static void find_stack(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    stack_end = 0;
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "[stack]")) sscanf(line, "%lx-%lx", &stack_start, &stack_end);
    if (maps) fclose(maps);
}

static void set_limit(int which, unsigned long bytes) {
    struct rlimit limit = {bytes, RLIM_INFINITY};
    CHECK(setrlimit(which, &limit) == 0);
}

// Whether a stack that ends there grows when it is used `len` bytes down from its end.
static int grows_to(unsigned long end, unsigned long len) {
    volatile char *lowest = opaque(end - len);
    int got = TOUCH(*lowest = 1);
    if (got != 0) CHECK(is_fault(SIGSEGV, SEGV_MAPERR, lowest));
    return got == 0;
}

#define MEBIBYTES(n) ((n) * 1024UL * 1024)

static void limit_changes(void) {
    CHECK(!grows_to(stack_end, MEBIBYTES(8) + PAGE) && grows_to(stack_end, MEBIBYTES(7)));
    set_limit(RLIMIT_STACK, MEBIBYTES(7) + 2 * PAGE);
    CHECK(!grows_to(stack_end, MEBIBYTES(8)) && !grows_to(stack_end, MEBIBYTES(7) + 3 * PAGE));
    CHECK(grows_to(stack_end, MEBIBYTES(7) + 2 * PAGE));
    set_limit(RLIMIT_STACK, MEBIBYTES(30));
    CHECK(!grows_to(stack_end, MEBIBYTES(30) + 1) && grows_to(stack_end, MEBIBYTES(30)));
    // What it has it keeps.
    set_limit(RLIMIT_STACK, MEBIBYTES(1));
    CHECK(grows_to(stack_end, MEBIBYTES(29)));
    // The kernel's own access grows it no further than the program's.
    set_limit(RLIMIT_STACK, MEBIBYTES(31));
    int pipes[2];
    CHECK(pipe(pipes) == 0 && write(pipes[1], "ab", 2) == 2);
    CHECK(FAILS(read(pipes[0], opaque(stack_end - MEBIBYTES(31) - 1), 1), EFAULT));
    CHECK(read(pipes[0], opaque(stack_end - MEBIBYTES(31)), 1) == 1);
}

// Another process changes the limit.
static void limit_changed_by_others(void) {
    int to_child[2], to_parent[2];
    char byte;
    CHECK(pipe(to_child) == 0 && pipe(to_parent) == 0);
    pid_t child = start_child();
    if (child == 0) {
        for (int round = 0; round < 2; round++) {
            CHECK(read(to_child[0], &byte, 1) == 1);
            CHECK(grows_to(stack_end, MEBIBYTES(12)) == round);
            CHECK(write(to_parent[1], "x", 1) == 1);
        }
        end_child();
    }
    for (int round = 0; round < 2; round++) {
        struct rlimit limit = {MEBIBYTES(11 + round), RLIM_INFINITY};
        CHECK(prlimit(child, RLIMIT_STACK, &limit, NULL) == 0);
        CHECK(write(to_child[1], "x", 1) == 1 && read(to_parent[0], &byte, 1) == 1);
    }
    CHECK(child_passed(child));
}

static void limit_of_all_memory(void) {
    set_limit(RLIMIT_AS, status_value("VmSize") * 1024 + 4 * PAGE);
    find_stack();
    CHECK(!grows_to(stack_start, 5 * PAGE) && grows_to(stack_start, 4 * PAGE) && !grows_to(stack_start, 5 * PAGE));
}

static void limit_of_locked_memory(void) {
    CHECK(mlock(opaque(stack_start), PAGE) == 0 && status_value("VmLck") == 4);
    set_limit(RLIMIT_MEMLOCK, 3 * PAGE);
    CHECK(setresuid(1000, 1000, 1000) == 0);
    CHECK(!grows_to(stack_start, 3 * PAGE) && grows_to(stack_start, 2 * PAGE));
    CHECK(status_value("VmLck") == 12 && !grows_to(stack_start, 3 * PAGE));
}

// A page of the program's own that grows down, with room below; its end.
static unsigned long map_growing(size_t pages) {
    volatile char *memory = map(pages, PROT_NONE);
    void *top = (void *)(memory + (pages - 1) * PAGE);
    CHECK(mmap(top, PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == top);
    CHECK(munmap((void *)memory, (pages - 1) * PAGE) == 0);
    CHECK(has_flag(top, "gd"));
    return (unsigned long)top + PAGE;
}

static void growing_mapping(void) {
    unsigned long end = map_growing(1000);
    find_stack();
    CHECK(end < stack_start);
    set_limit(RLIMIT_STACK, 16 * PAGE);
    CHECK(!grows_to(end, 17 * PAGE) && grows_to(end, 16 * PAGE));
    set_limit(RLIMIT_STACK, 900 * PAGE);
    void *below = opaque(end - 500 * PAGE);
    CHECK(mmap(below, PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == below);
    // 256 pages stay free above memory that can be used.
    CHECK(!grows_to(end, 244 * PAGE) && grows_to(end, 243 * PAGE));
    CHECK(mprotect(below, PAGE, PROT_NONE) == 0);
    CHECK(grows_to(end, 499 * PAGE));
}

static void in_a_child(void (*checks)(void)) {
    pid_t child = start_child();
    if (child == 0) {
        checks();
        end_child();
    }
    CHECK(child_passed(child));
}

static void stack_limits(void) {
    find_stack();
    CHECK(stack_start < stack_end);
    in_a_child(limit_changes);
    limit_changed_by_others();
    in_a_child(limit_of_all_memory);
    in_a_child(limit_of_locked_memory);
    in_a_child(growing_mapping);
}
