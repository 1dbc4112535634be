// After a fork the child's new mappings do not melt into those that it has inherited; its parent's do.

// Areas in maps that lie between two addresses.
static int areas_between(volatile void *start, volatile void *end) {
    char line[512];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            count += from < (unsigned long)end && to > (unsigned long)start;
    }
    if (maps) fclose(maps);
    return count;
}

// A page in the middle of five; those around it are free, and behind them nobody has access.
static volatile char *page_alone(void) {
    volatile char *room = map(7, PROT_NONE), *page = room + 3 * PAGE;
    munmap((void *)(room + PAGE), 5 * PAGE);
    CHECK(mmap((void *)page, PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == page);
    *page = 1;
    return page;
}

static void add_page(volatile char *page, int nth) {
    void *at = (void *)(page + nth * PAGE);
    CHECK(mmap(at, PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == at);
}

static int areas_around(volatile char *page) { return areas_between(page - 2 * PAGE, page + 3 * PAGE); }

static void new_areas_stay_apart(volatile char *page) {
    add_page(page, -1);
    add_page(page, 1);
    CHECK(areas_around(page) == 3);
    // Those that are new melt.
    add_page(page, -2);
    add_page(page, 2);
    CHECK(areas_around(page) == 3);
    fill_pages(page - 2 * PAGE, 5);
    CHECK(areas_around(page) == 3);
    // What was one area, new or inherited, is one again.
    CHECK(mprotect((void *)(page + PAGE), PAGE, PROT_READ) == 0 && areas_around(page) == 4);
    CHECK(mprotect((void *)(page + PAGE), PAGE, PROT_READ | PROT_WRITE) == 0 && areas_around(page) == 3);
    // All of them are one's own parent's to a grandchild.
    pid_t child = start_child();
    if (child == 0) {
        CHECK(munmap((void *)page, PAGE) == 0 && areas_around(page) == 2);
        add_page(page, 0);
        CHECK(areas_around(page) == 3);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(munmap((void *)page, PAGE) == 0);
    add_page(page, 0);
    CHECK(areas_around(page) <= 2 && is_filled(page - 2 * PAGE, 0, 2));
}

static void inherited_areas_melt_again(volatile char *memory) {
    CHECK(areas_between(memory, memory + 8 * PAGE) == 1);
    CHECK(mprotect((void *)(memory + 2 * PAGE), PAGE, PROT_READ) == 0);
    CHECK(areas_between(memory, memory + 8 * PAGE) == 3);
    CHECK(mprotect((void *)(memory + 2 * PAGE), PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK(areas_between(memory, memory + 8 * PAGE) == 1);
    CHECK(madvise((void *)memory, PAGE, MADV_DONTFORK) == 0);
    CHECK(areas_between(memory, memory + 8 * PAGE) == 2);
    CHECK(madvise((void *)memory, PAGE, MADV_DOFORK) == 0);
    CHECK(mlock((void *)(memory + 5 * PAGE), PAGE) == 0);
    CHECK(areas_between(memory, memory + 8 * PAGE) == 3);
    CHECK(munlock((void *)(memory + 5 * PAGE), PAGE) == 0);
    CHECK(areas_between(memory, memory + 8 * PAGE) == 1 && is_filled(memory, 0, 8));
}

// Room for eight pages with nothing around.
static volatile char *eight_pages(void) {
    volatile char *room = map(10, PROT_NONE), *memory = room + PAGE;
    CHECK(mprotect((void *)memory, 8 * PAGE, PROT_READ | PROT_WRITE) == 0);
    fill_pages(memory, 8);
    return memory;
}

static void break_of_a_child(void) {
    volatile char *old = sbrk(0);
    CHECK(sbrk(3 * PAGE) == old);
    old[3 * PAGE - 1] = 1;
    CHECK(areas_between(old - 1, old + 3 * PAGE) == 2);
    CHECK(sbrk(2 * PAGE) == old + 3 * PAGE && areas_between(old - 1, old + 5 * PAGE) == 2);
    CHECK(sbrk(-6 * PAGE) == old + 5 * PAGE && areas_between(old - 2 * PAGE, old) == 1);
}

static void forked_areas(void) {
    volatile char *page = page_alone(), *parents = page_alone();
    volatile char *memory = eight_pages();
    volatile char *heap = (char *)(((unsigned long)sbrk(0) + PAGE - 1) & ~(PAGE - 1UL));
    CHECK(brk((void *)(heap + 2 * PAGE)) == 0);
    fill_pages(heap, 2);
    pid_t child = start_child();
    if (child == 0) {
        new_areas_stay_apart(page);
        inherited_areas_melt_again(memory);
        break_of_a_child();
        end_child();
    }
    CHECK(child_passed(child));
    add_page(parents, -1);
    add_page(parents, 1);
    CHECK(areas_around(parents) == 1);
    inherited_areas_melt_again(memory);
    CHECK(sbrk(PAGE) == heap + 2 * PAGE && areas_between(heap, heap + 3 * PAGE) == 1);
}
