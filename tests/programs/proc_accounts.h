// What /proc says that must be counted or collected: transfers, peaks of memory, advisory locks, physical addresses.
#pragma once
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#ifndef F_OFD_SETLK
#define F_OFD_SETLK 37
#endif

struct transfers { long rchar, wchar, syscr, syscw, rest, len; };

// One reading of the file; it reads `len` bytes in two calls itself, which the next one shows.
static struct transfers transfers_of(const char *path) {
    struct transfers all = {.len = slurp(path)};
    long read_bytes = -1, write_bytes = -1, cancelled = -1;
    CHECK(sscanf(text, "rchar: %ld\nwchar: %ld\nsyscr: %ld\nsyscw: %ld\nread_bytes: %ld\nwrite_bytes: %ld\ncancelled_write_bytes: %ld\n",
                 &all.rchar, &all.wchar, &all.syscr, &all.syscw, &read_bytes, &write_bytes, &cancelled) == 7);
    all.rest = read_bytes + write_bytes + cancelled;
    return all;
}

static void transfers(void) {
    char bytes[100] = "", path[64];
    int file = open("/tmp/moved", O_RDWR | O_CREAT, 0600);
    struct transfers old = transfers_of("/proc/self/io"), new;
    for (int i = 0; i < 10; i++) CHECK(write(file, bytes, 100) == 100);
    for (int i = 0; i < 7; i++) CHECK(pread(file, bytes, 50, 10 * i) == 50);
    CHECK(pread(file, bytes, 50, 5000) == 0);
    new = transfers_of("/proc/self/io");
    CHECK(new.wchar - old.wchar == 1000 && new.syscw - old.syscw == 10);
    CHECK(new.rchar - old.rchar == 350 + old.len && new.syscr - old.syscr == 8 + 2 && new.rest == 0);
    // No file to read from counts nothing, a failure counts as a call.
    old = new;
    CHECK(read(-1, bytes, 1) == -1 && write(100, bytes, 1) == -1 && syscall(SYS_pread64, file, 16l, 5l, 0l) == -1 && errno == EFAULT);
    new = transfers_of("/proc/self/io");
    CHECK(new.syscr - old.syscr == 1 + 2 && new.syscw == old.syscw && new.wchar == old.wchar && new.rchar - old.rchar == old.len);
    // A child counts when it was waited for.
    old = new;
    pid_t child = fork();
    if (child == 0) _exit(write(file, bytes, 100) == 100 && write(file, bytes, 33) == 33 ? 0 : 1);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    new = transfers_of("/proc/self/io");
    CHECK(new.wchar - old.wchar == 133 && new.syscw - old.syscw == 2);
    snprintf(path, sizeof path, "/proc/self/task/%d/io", getpid());
    CHECK(transfers_of(path).wchar >= 1000 && transfers_of(path).wchar <= new.wchar - 133);
    child = start_child();
    if (child == 0) {
        snprintf(path, sizeof path, "/proc/%d/io", getppid());
        CHECK(setgid(1000) == 0 && setuid(1000) == 0 && open(path, O_RDONLY) == -1 && errno == EACCES);
        end_child();
    }
    CHECK(child_passed(child));
    close(file), unlink("/tmp/moved");
}

#define BIG (48l << 20)
#define STATUS(name) number_in("/proc/self/status", name)

// What the program becomes that has grown: its memory is small, what it used is not.
static int after_growth(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return STATUS("VmHWM:") < BIG >> 11 && usage.ru_maxrss >= BIG >> 10 ? 0 : 1;
}

static int growth(const char *next) {
    char *memory = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return 2;
    execl("/proc/self/exe", "proc", next, NULL);
    return 3;
}

static void peaks(void) {
    long size = STATUS("VmPeak:"), resident = STATUS("VmHWM:");
    CHECK(size >= STATUS("VmSize:") && resident >= STATUS("VmRSS:"));
    char *memory = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(memory != MAP_FAILED && munmap(memory, BIG) == 0);
    long now = STATUS("VmRSS:");
    CHECK(STATUS("VmSize:") + (BIG >> 10) <= STATUS("VmPeak:") + 1024 && STATUS("VmPeak:") >= BIG >> 10);
    CHECK(STATUS("VmHWM:") >= now + (BIG >> 10) - 4096);
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss >= BIG >> 10);
    // In pieces, each of them a small part.
    int file = open("/proc/self/clear_refs", O_WRONLY);
    CHECK(write(file, "5\n", 2) == 2 && close(file) == 0 && STATUS("VmHWM:") < BIG >> 10);
    char *pieces[24];
    for (int i = 0; i < 24; i++) pieces[i] = mmap(NULL, BIG / 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    for (int i = 0; i < 24; i++) CHECK(munmap(pieces[i], BIG / 24) == 0);
    CHECK(STATUS("VmHWM:") >= now + (BIG >> 10) / 4 * 3);
    pid_t child = fork();
    if (child == 0) execl("/proc/self/exe", "proc", "grow", NULL), _exit(4);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

// How many lines of /proc/locks are about that file.
static int locks_of(const char *identity) {
    int count = 0;
    CHECK(slurp("/proc/locks") >= 0);
    for (const char *at = text; (at = strstr(at, identity)); at++) count++;
    return count;
}

static void locks(void) {
    char identity[64], wanted[128], path[64];
    struct stat known;
    int file = open("/tmp/locked", O_RDWR | O_CREAT, 0600), other = open("/tmp/locked", O_RDWR), third = open("/tmp/locked", O_RDONLY);
    CHECK(fstat(file, &known) == 0);
    snprintf(identity, sizeof identity, " %02x:%02x:%lu ", major(known.st_dev), minor(known.st_dev), (unsigned long)known.st_ino);
    CHECK(locks_of(identity) == 0);
    CHECK(fcntl(file, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_start = 5, .l_len = 5}) == 0);
    CHECK(fcntl(other, F_OFD_SETLK, &(struct flock){.l_type = F_RDLCK, .l_start = 20}) == 0);
    CHECK(flock(third, LOCK_SH) == 0 && locks_of(identity) == 3);
    snprintf(wanted, sizeof wanted, ": POSIX  ADVISORY  WRITE %d%s5 9\n", getpid(), identity);
    CHECK(strstr(text, wanted));
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", file);
    CHECK(slurp(path) > 0 && strstr(text, "\nlock:\t1") && strstr(text, wanted) && !strstr(text, "FLOCK") && !strstr(text, "OFDLCK"));
    snprintf(wanted, sizeof wanted, ": OFDLCK ADVISORY  READ -1%s20 EOF\n", identity);
    CHECK(holds("/proc/locks", wanted));
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", other);
    CHECK(holds(path, wanted) && !strstr(text, "FLOCK"));
    snprintf(wanted, sizeof wanted, ": FLOCK  ADVISORY  READ %d%s0 EOF\n", getpid(), identity);
    CHECK(holds("/proc/locks", wanted));
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", third);
    CHECK(holds(path, wanted) && !strstr(text, "OFDLCK"));
    CHECK(close(other) == 0 && close(third) == 0 && locks_of(identity) == 0);
    for (int i = 0; i < 600; i++) CHECK(fcntl(file, F_SETLK, &(struct flock){.l_type = i % 3 ? F_RDLCK : F_WRLCK, .l_start = 2 * i, .l_len = 1}) == 0);
    CHECK(locks_of(identity) == 600);
    // In small pieces it is the same text.
    static char pieces[1 << 16];
    ssize_t len = 0, more;
    int list = open("/proc/locks", O_RDONLY);
    while ((more = read(list, pieces + len, 1000)) > 0) len += more;
    CHECK(close(list) == 0 && strncmp(pieces, text, (size_t)len) == 0 && text[len] == 0);
    close(file), unlink("/tmp/locked");
    CHECK(locks_of(identity) == 0);
}

static void physical(void) {
    unsigned long start, end;
    CHECK(slurp("/proc/iomem") > 0 && strstr(text, " : System RAM\n") && strstr(text, "\n  "));
    char *code = strstr(text, " : Kernel code\n"), *data = strstr(text, " : Kernel data\n");
    CHECK(code && data);
    while (code > text && code[-1] != '\n') code--;
    CHECK(sscanf(code, " %lx-%lx", &start, &end) == 2 && start > 0 && end > start && end % PAGE == PAGE - 1);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0 && holds("/proc/iomem", "00000000-00000000 : System RAM\n"));
        for (const char *at = text; *at; at = strchr(at, '\n') + 1) CHECK(sscanf(at, " %lx-%lx", &start, &end) == 2 && start == 0 && end == 0);
        end_child();
    }
    CHECK(child_passed(child));
}
