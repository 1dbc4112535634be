// mlock and its kin: what is locked, how much may be, and what may not be done with it.

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

// The value of a line of /proc/self/status, in KiB as it stands there.
static long status_value(const char *name) {
    char line[256];
    long value = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') value = atol(line + strlen(name) + 1);
    if (status) fclose(status);
    return value;
}

static int resident_pages(volatile char *memory, size_t pages) {
    unsigned char states[512];
    int count = 0;
    if (mincore((void *)memory, pages * PAGE, states) != 0) return -1;
    for (size_t page = 0; page < pages; page++) count += states[page] & 1;
    return count;
}

static int lock2(volatile void *at, size_t len, int flags) {
    return syscall(SYS_mlock2, at, len, flags);
}

// Linux 6.1 has no letters for it yet.
static int is_on_fault(volatile void *at) {
    return has_flag(at, "lf") || has_flag(at, "??");
}

static void locked_pages(void) {
    volatile char *memory = map(10, PROT_READ | PROT_WRITE);
    CHECK(status_value("VmLck") == 0);
    CHECK(mlock((void *)(memory + 2 * PAGE + 100), 3 * PAGE) == 0);
    CHECK(status_value("VmLck") == 16);
    CHECK(resident_pages(memory, 10) == 4 && resident_pages(memory + 2 * PAGE, 4) == 4);
    CHECK(has_flag(memory + 2 * PAGE, "lo") && !has_flag(memory, "lo") && !has_flag(memory + 6 * PAGE, "lo"));
    CHECK(smaps_value(memory + 2 * PAGE, "Size") == 16 && smaps_value(memory + 2 * PAGE, "Locked") == 16);
    CHECK(smaps_value(memory, "Size") == 8 && smaps_value(memory, "Locked") == 0);
    // Locked twice, it counts once; unlocked in the middle, it is split.
    CHECK(mlock((void *)(memory + PAGE), 2 * PAGE) == 0 && status_value("VmLck") == 20);
    CHECK(munlock((void *)(memory + 3 * PAGE), 1) == 0 && status_value("VmLck") == 16);
    CHECK(smaps_value(memory + 3 * PAGE, "Size") == 4 && !has_flag(memory + 3 * PAGE, "lo"));
    CHECK(munlock((void *)memory, 10 * PAGE) == 0 && status_value("VmLck") == 0);
    // One area again, perhaps with one that lies beside it.
    CHECK(smaps_value(memory, "Size") >= 40 && resident_pages(memory, 10) == 5);
    // What goes is not locked any more.
    CHECK(mlock((void *)memory, 10 * PAGE) == 0 && status_value("VmLck") == 40);
    CHECK(munmap((void *)(memory + 4 * PAGE), 2 * PAGE) == 0 && status_value("VmLck") == 32);
    CHECK(mmap((void *)memory, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) == memory);
    CHECK(status_value("VmLck") == 28);
    munmap((void *)memory, 10 * PAGE);
    CHECK(status_value("VmLck") == 0);
}

static void locked_on_fault(void) {
    volatile char *memory = map(8, PROT_READ | PROT_WRITE);
    CHECK(lock2(memory, 8 * PAGE, MLOCK_ONFAULT) == 0);
    CHECK(resident_pages(memory, 8) == 0 && status_value("VmLck") == 32);
    CHECK(has_flag(memory, "lo") && is_on_fault(memory) && smaps_value(memory, "Locked") == 0);
    memory[PAGE] = 1;
    CHECK(resident_pages(memory, 8) == 1 && smaps_value(memory, "Locked") == 4);
    CHECK(lock2(memory, 8 * PAGE, 0) == 0 && resident_pages(memory, 8) == 8 && !is_on_fault(memory));
    CHECK(FAILS(lock2(memory, PAGE, 2), EINVAL));
    munmap((void *)memory, 8 * PAGE);
}

static void refused_locks(void) {
    volatile char *memory = map(6, PROT_READ | PROT_WRITE);
    munmap((void *)(memory + 3 * PAGE), PAGE);
    CHECK(FAILS(mlock((void *)memory, 6 * PAGE), ENOMEM));
    // What lies before the hole is locked.
    CHECK(has_flag(memory, "lo") && !has_flag(memory + 4 * PAGE, "lo") && status_value("VmLck") == 12);
    CHECK(FAILS(munlock((void *)memory, 6 * PAGE), ENOMEM) && status_value("VmLck") == 0);
    CHECK(FAILS(mlock((void *)(memory + 3 * PAGE), PAGE), ENOMEM));
    CHECK(mlock((void *)(memory + 3 * PAGE), 0) == 0);
    // Nobody may touch these: they are locked, and cannot be had.
    CHECK(mprotect((void *)memory, 3 * PAGE, PROT_NONE) == 0);
    CHECK(FAILS(mlock((void *)memory, 3 * PAGE), ENOMEM) && status_value("VmLck") == 12);
    munmap((void *)memory, 6 * PAGE);
    CHECK(FAILS(mlockall(0), EINVAL) && FAILS(mlockall(8 | MCL_CURRENT), EINVAL) && FAILS(mlockall(MCL_ONFAULT), EINVAL));
}

static void what_locked_memory_refuses(void) {
    volatile char *memory = map(6, PROT_READ | PROT_WRITE);
    fill_pages(memory, 6);
    CHECK(mlock((void *)(memory + 2 * PAGE), 2 * PAGE) == 0);
    CHECK(FAILS(madvise((void *)memory, 6 * PAGE, MADV_DONTNEED), EINVAL));
    // What lies before it was dropped.
    CHECK(is_wiped(memory, 0, 2) && is_filled(memory, 2, 6));
    CHECK(FAILS(madvise((void *)(memory + 3 * PAGE), PAGE, MADV_FREE), EINVAL));
    CHECK(FAILS(madvise((void *)(memory + 3 * PAGE), PAGE, MADV_PAGEOUT), EINVAL));
    CHECK(FAILS(madvise((void *)(memory + 3 * PAGE), PAGE, MADV_COLD), EINVAL));
    CHECK(madvise((void *)(memory + 4 * PAGE), 2 * PAGE, MADV_DONTNEED) == 0 && is_wiped(memory, 4, 6));
    CHECK(FAILS(msync((void *)memory, 6 * PAGE, MS_SYNC | MS_INVALIDATE), EBUSY));
    CHECK(msync((void *)memory, 6 * PAGE, MS_SYNC) == 0);
    CHECK(msync((void *)memory, 2 * PAGE, MS_ASYNC | MS_INVALIDATE) == 0);
    CHECK(madvise((void *)(memory + 2 * PAGE), PAGE, MADV_DONTNEED_LOCKED) == 0 && is_wiped(memory, 2, 3));
    CHECK(is_filled(memory, 3, 4) && has_flag(memory + 2 * PAGE, "lo"));
    munmap((void *)memory, 6 * PAGE);
}

static void locked_memory_moves(void) {
    volatile char *memory = map(4, PROT_READ | PROT_WRITE);
    CHECK(mlock((void *)memory, 4 * PAGE) == 0);
    memory[PAGE] = 9;
    volatile char *moved = mremap((void *)memory, 4 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved[PAGE] == 9 && has_flag(moved, "lo"));
    CHECK(resident_pages(moved, 40) == 40 && status_value("VmLck") == 160);
    CHECK(mremap((void *)moved, 40 * PAGE, 10 * PAGE, 0) == moved && status_value("VmLck") == 40);
    CHECK(mprotect((void *)moved, 2 * PAGE, PROT_READ) == 0 && has_flag(moved, "lo") && status_value("VmLck") == 40);
    munmap((void *)moved, 10 * PAGE);
    CHECK(status_value("VmLck") == 0);
}

// What was read-only when it was locked is the process's own when it becomes writable.
static void locked_memory_becomes_writable(void) {
    volatile char *memory = map(32, PROT_READ);
    CHECK(mlock((void *)memory, 32 * PAGE) == 0 && mprotect((void *)memory, 32 * PAGE, PROT_READ | PROT_WRITE) == 0);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (int page = 0; page < 32; page++) memory[page * PAGE] = 1;
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_minflt - before.ru_minflt < 8);
    munmap((void *)memory, 32 * PAGE);
}

static void future_locks(void) {
    pid_t child = start_child();
    if (child == 0) {
        volatile char *before = map(4, PROT_READ | PROT_WRITE);
        CHECK(mlockall(MCL_FUTURE) == 0);
        CHECK(status_value("VmLck") == 0 && resident_pages(before, 4) == 0);
        volatile char *memory = map(16, PROT_READ | PROT_WRITE);
        CHECK(resident_pages(memory, 16) == 16 && has_flag(memory, "lo") && status_value("VmLck") == 64);
        char *end = sbrk(0);
        CHECK(sbrk(8 * PAGE) == end && status_value("VmLck") == 96);
        CHECK(resident_pages((char *)(((unsigned long)end + PAGE - 1) & -PAGE), 8) == 8);
        CHECK(sbrk(-8 * PAGE) == end + 8 * PAGE && status_value("VmLck") == 64);
        // Children have no locks, nor are theirs.
        pid_t grandchild = start_child();
        if (grandchild == 0) {
            CHECK(status_value("VmLck") == 0 && !has_flag(memory, "lo"));
            memory[0] = 3;
            volatile char *own = map(4, PROT_READ | PROT_WRITE);
            CHECK(resident_pages(own, 4) == 0 && status_value("VmLck") == 0);
            CHECK(madvise((void *)memory, 16 * PAGE, MADV_DONTNEED) == 0);
            end_child();
        }
        CHECK(child_passed(grandchild) && status_value("VmLck") == 64);
        CHECK(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0);
        volatile char *later = map(16, PROT_READ | PROT_WRITE);
        CHECK(resident_pages(later, 16) == 0 && is_on_fault(later));
        CHECK(mlockall(MCL_CURRENT) == 0 && has_flag(later, "lo") && !is_on_fault(later));
        CHECK(resident_pages(later, 16) == 16 && resident_pages(before, 4) == 4);
        CHECK(status_value("VmLck") > 128);
        // Only what there was.
        CHECK(resident_pages(map(4, PROT_READ | PROT_WRITE), 4) == 0);
        CHECK(munlockall() == 0 && status_value("VmLck") == 0 && !has_flag(later, "lo"));
        end_child();
    }
    CHECK(child_passed(child));
}

static void lock_limits(void) {
    pid_t child = start_child();
    if (child == 0) {
        volatile char *memory = map(32, PROT_READ | PROT_WRITE);
        struct rlimit limit = {16 * PAGE, 16 * PAGE}, none = {0, 16 * PAGE};
        CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
        CHECK(mlock((void *)memory, 20 * PAGE) == 0 && munlock((void *)memory, 20 * PAGE) == 0);
        CHECK(setresuid(1000, 1000, 1000) == 0);
        CHECK(FAILS(mlock((void *)memory, 17 * PAGE), ENOMEM) && status_value("VmLck") == 0);
        CHECK(mlock((void *)memory, 12 * PAGE) == 0);
        CHECK(FAILS(mlock((void *)(memory + 12 * PAGE), 5 * PAGE), ENOMEM));
        CHECK(mlock((void *)(memory + 6 * PAGE), 10 * PAGE) == 0 && status_value("VmLck") == 64);
        CHECK(FAILS(mmap(NULL, PAGE, PROT_READ, ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN));
        CHECK(FAILS(mremap((void *)memory, 16 * PAGE, 17 * PAGE, MREMAP_MAYMOVE), EAGAIN));
        CHECK(munlock((void *)memory, 2 * PAGE) == 0);
        volatile char *locked = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_LOCKED, -1, 0);
        CHECK(locked != MAP_FAILED && resident_pages(locked, 2) == 2 && has_flag(locked, "lo"));
        CHECK(FAILS(mlockall(MCL_CURRENT), ENOMEM));
        // More is refused from now on; the break does not move.
        CHECK(mlockall(MCL_FUTURE) == 0);
        CHECK(FAILS(mmap(NULL, PAGE, PROT_READ, ANONYMOUS, -1, 0), EAGAIN));
        CHECK(FAILS(sbrk(8 * PAGE), ENOMEM));
        CHECK(munlockall() == 0 && setrlimit(RLIMIT_MEMLOCK, &none) == 0);
        CHECK(FAILS(mlock((void *)memory, PAGE), EPERM) && FAILS(mlockall(MCL_FUTURE), EPERM));
        CHECK(FAILS(mmap(NULL, PAGE, PROT_READ, ANONYMOUS | MAP_LOCKED, -1, 0), EPERM));
        CHECK(munlock((void *)memory, PAGE) == 0);
        end_child();
    }
    CHECK(child_passed(child));
}

static void populated(void) {
    volatile char *memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(resident_pages(memory, 8) == 8 && status_value("VmLck") == 0);
    munmap((void *)memory, 8 * PAGE);
    memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
    CHECK(resident_pages(memory, 8) == 0);
    munmap((void *)memory, 8 * PAGE);
}

static void locked(void) {
    locked_pages();
    locked_on_fault();
    refused_locks();
    what_locked_memory_refuses();
    locked_memory_moves();
    locked_memory_becomes_writable();
    future_locks();
    lock_limits();
    populated();
}
