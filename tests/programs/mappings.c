// Files and their mappings: what a file loses is gone from every mapping of it; advice; locked memory; what is refused; what
// limits count.
#include "check.h"
#include "faults.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PAGE 4096
#define BOTH (PROT_READ | PROT_WRITE)

// The same where the caller counts: no value of its own may live across the jump.
static __attribute__((noinline)) int load_of(volatile char *at) {
    return TOUCH(*at);
}

static __attribute__((noinline)) int store_of(volatile char *at, char value) {
    return TOUCH(*at = value);
}

#define FAILS(call, error) (errno = 0, (call) == (__typeof__(call))-1 && errno == (error))

// An unnamed file of so many pages, each filled with its number and one.
static int file_of(int pages) {
    int file = memfd_create("file", 0);
    char page[PAGE];
    for (int number = 0; number < pages; number++) {
        memset(page, number + 1, PAGE);
        if (pwrite(file, page, PAGE, (off_t)number * PAGE) != PAGE) exit(2);
    }
    return file;
}

static volatile char *map_file(int file, int pages, int sharing) {
    return mmap(NULL, (size_t)pages * PAGE, BOTH, sharing, file, 0);
}

static void shorter(void) {
    int file = file_of(2);
    volatile char *shared = map_file(file, 2, MAP_SHARED), *copy = map_file(file, 2, MAP_PRIVATE);
    CHECK(shared[PAGE] == 2);
    copy[0] = 7, copy[PAGE] = 9;
    CHECK(ftruncate(file, PAGE) == 0);
    CHECK(TOUCH(shared[PAGE]) == SIGBUS && seen.si_code == BUS_ADRERR && seen.si_addr == shared + PAGE);
    CHECK(TOUCH(shared[PAGE] = 1) == SIGBUS);
    CHECK(TOUCH(copy[PAGE]) == SIGBUS && TOUCH(copy[PAGE] = 1) == SIGBUS);
    CHECK(copy[0] == 7 && shared[0] == 1);
    CHECK(ftruncate(file, 2 * PAGE) == 0 && shared[PAGE] == 0 && copy[PAGE] == 0);
    char byte = 5;
    CHECK(pwrite(file, &byte, 1, PAGE + 1) == 1 && shared[PAGE + 1] == 5);
    shared[PAGE + 2] = 6;
    CHECK(pread(file, &byte, 1, PAGE + 2) == 1 && byte == 6);
    // The last page stays up to its end; what lies behind the file's end is zeros when it grows again.
    CHECK(ftruncate(file, PAGE + 2) == 0 && shared[PAGE + 1] == 5 && TOUCH(shared[PAGE + 2]) == 0);
    CHECK(ftruncate(file, 2 * PAGE) == 0 && shared[PAGE + 2] == 0);
    munmap((void *)shared, 2 * PAGE), munmap((void *)copy, 2 * PAGE);
    close(file);
}

static void emptied(void) {
    int file = open("/tmp/emptied", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && ftruncate(file, 600 * PAGE) == 0);
    // Three tables' worth, so that some of them go whole.
    volatile char *shared = map_file(file, 1600, MAP_SHARED);
    CHECK(ftruncate(file, 1600 * PAGE) == 0);
    for (int page = 0; page < 1600; page++) shared[page * PAGE] = 1;
    CHECK(TOUCH(shared[1599 * PAGE]) == 0);
    close(open("/tmp/emptied", O_WRONLY | O_TRUNC));
    int kept = 0;
    for (int page = 0; page < 1600; page++) kept += load_of(shared + page * PAGE) != SIGBUS;
    CHECK(kept == 0);
    CHECK(truncate("/tmp/emptied", 3 * PAGE) == 0 && shared[2 * PAGE] == 0 && TOUCH(shared[3 * PAGE]) == SIGBUS);
    unlink("/tmp/emptied");
    munmap((void *)shared, 1600 * PAGE);
    close(file);
}

static void holes(void) {
    int file = file_of(4);
    volatile char *shared = map_file(file, 4, MAP_SHARED), *copy = map_file(file, 4, MAP_PRIVATE);
    CHECK(shared[PAGE] == 2 && shared[2 * PAGE] == 3 && copy[PAGE] == 2);
    copy[2 * PAGE] = 9;
    int mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
    CHECK(fallocate(file, mode, PAGE - 1, 2 * PAGE + 1) == 0);
    CHECK(shared[PAGE - 2] == 1 && shared[PAGE - 1] == 0 && shared[PAGE] == 0 && shared[2 * PAGE] == 0);
    CHECK(shared[3 * PAGE] == 4);
    // A copy is its owner's; what was not copied is the file's.
    CHECK(copy[PAGE] == 0 && copy[2 * PAGE] == 9 && copy[3 * PAGE] == 4);
    char byte = 5;
    CHECK(pwrite(file, &byte, 1, PAGE) == 1 && shared[PAGE] == 5 && copy[PAGE] == 5);
    shared[2 * PAGE] = 6;
    CHECK(pread(file, &byte, 1, 2 * PAGE) == 1 && byte == 6);
    munmap((void *)shared, 4 * PAGE), munmap((void *)copy, 4 * PAGE);
    close(file);
}

// Tables are shared with children, and theirs with them: each loses the page.
static void families(void) {
    enum { GENERATIONS = 12 };
    int file = file_of(2);
    volatile char *shared = map_file(file, 2, MAP_SHARED), *copy = map_file(file, 2, MAP_PRIVATE);
    int down[2], up[2];
    CHECK(pipe(down) == 0 && pipe(up) == 0);
    CHECK(shared[PAGE] == 2);
    copy[PAGE] = 9;
    pid_t child = 0;
    int depth = 0;
    while (depth < GENERATIONS && (child = start_child()) == 0) {
        depth++;
        if (depth % 3 == 1) shared[PAGE + 8] = depth;
        if (depth % 3 == 2) copy[0] = depth;
    }
    char byte = 0;
    if (depth == GENERATIONS) CHECK(write(up[1], &byte, 1) == 1);
    if (depth == 0) {
        CHECK(read(up[0], &byte, 1) == 1 && ftruncate(file, PAGE) == 0);
        for (int each = 0; each < GENERATIONS; each++) CHECK(write(down[1], &byte, 1) == 1);
    } else {
        CHECK(read(down[0], &byte, 1) == 1);
    }
    CHECK(load_of(shared + PAGE) == SIGBUS && load_of(copy + PAGE) == SIGBUS && shared[0] == 1);
    if (depth < GENERATIONS) CHECK(child_passed(child));
    if (depth > 0) end_child();
    munmap((void *)shared, 2 * PAGE), munmap((void *)copy, 2 * PAGE);
    close(file), close(down[0]), close(down[1]), close(up[0]), close(up[1]);
}

// Pages that all see: odd while the file is cut off.
static volatile int *stage;

// Whether a page behind the end could be read while the file was cut off all the time.
static int sees_lost(volatile char *at) {
    int before = *stage, signal = load_of(at);
    return before % 2 == 1 && *stage == before && signal != SIGBUS;
}

// Forks and ends again and again, and looks at what may be gone.
static void keep_forking(volatile char *shared) {
    for (;;) {
        pid_t child = fork();
        if (child == 0) _exit(sees_lost(shared + PAGE));
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0) _exit(1);
        store_of(shared + PAGE, 3);
    }
}

// Moves the mapping up and down.
static void keep_moving(volatile char *shared) {
    char *room = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int place = 0;; place ^= 6) {
        store_of(shared + PAGE, 3);
        shared = mremap((void *)shared, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + place * PAGE);
        if (shared == MAP_FAILED || sees_lost(shared + PAGE)) _exit(1);
    }
}

// What a store left behind the end never shows up again, whoever forks, moves, faults and stores meanwhile.
static void races(void) {
    enum { OTHERS = 4, ROUNDS = 100 };
    int file = file_of(2);
    stage = mmap(NULL, PAGE, BOTH, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    volatile char *shared = map_file(file, 2, MAP_SHARED);
    CHECK(ftruncate(file, PAGE) == 0);
    pid_t others[OTHERS];
    for (int each = 0; each < OTHERS; each++) {
        if ((others[each] = fork()) != 0) continue;
        if (each == 0) keep_moving(shared);
        keep_forking(shared);
    }
    int lost = 0;
    for (int round = 0; round < ROUNDS; round++) {
        lost += ftruncate(file, 2 * PAGE) != 0;
        char here = 3;
        store_of(shared + PAGE, 3);
        lost += pread(file, &here, 1, PAGE) != 1 || here != 3;
        lost += ftruncate(file, PAGE) != 0 || load_of(shared + PAGE) != SIGBUS;
        ++*stage;
        usleep(500);
        ++*stage;
    }
    CHECK(lost == 0);
    for (int each = 0; each < OTHERS; each++) {
        int status = -1;
        kill(others[each], SIGKILL);
        CHECK(waitpid(others[each], &status, 0) == others[each] && WIFSIGNALED(status));
    }
    munmap((void *)shared, 2 * PAGE);
    close(file);
}

// MADV_REMOVE is a hole in the file, or in the memory, that is mapped there.
static void removed(void) {
    int file = file_of(4);
    char *shared = mmap(NULL, 4 * PAGE, BOTH, MAP_SHARED, file, 0);
    char *copy = mmap(NULL, 4 * PAGE, BOTH, MAP_PRIVATE, file, 0);
    CHECK(shared[PAGE] == 2 && copy[PAGE] == 2);
    copy[2 * PAGE] = 9;
    CHECK(madvise(shared + PAGE, 2 * PAGE, MADV_REMOVE) == 0);
    CHECK(shared[0] == 1 && shared[PAGE] == 0 && shared[2 * PAGE] == 0 && shared[3 * PAGE] == 4);
    CHECK(copy[PAGE] == 0 && copy[2 * PAGE] == 9 && copy[2 * PAGE + 1] == 3);
    char byte = 5;
    struct stat about;
    CHECK(pread(file, &byte, 1, PAGE) == 1 && byte == 0 && fstat(file, &about) == 0 && about.st_size == 4 * PAGE);
    CHECK(FAILS(madvise(copy, PAGE, MADV_REMOVE), EACCES));
    char *reading = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    CHECK(madvise(reading, PAGE, MADV_REMOVE) == 0 && shared[0] == 0);
    munmap(reading, PAGE), munmap(copy, 4 * PAGE);
    munmap(shared + PAGE, PAGE);
    CHECK(FAILS(madvise(shared, 4 * PAGE, MADV_REMOVE), ENOMEM) && shared[3 * PAGE] == 0);
    munmap(shared, 4 * PAGE);
    char *bytes = mmap(NULL, 3 * PAGE, BOTH, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(bytes, 7, 3 * PAGE);
    pid_t child = start_child();
    if (child == 0) {
        bytes[2 * PAGE] = 8;
        CHECK(madvise(bytes + PAGE, PAGE, MADV_REMOVE) == 0 && bytes[PAGE] == 0);
        bytes[PAGE] = 6;
        end_child();
    }
    CHECK(child_passed(child) && bytes[0] == 7 && bytes[PAGE] == 6 && bytes[PAGE + 1] == 0 && bytes[2 * PAGE] == 8);
    munmap(bytes, 3 * PAGE);
    bytes = mmap(NULL, PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(FAILS(madvise(bytes, PAGE, MADV_REMOVE), EINVAL));
    munmap(bytes, PAGE);
    close(file);
}

// What is mapped by somebody who may write it cannot be executed, what is executed cannot be written.
static void executed(void) {
    char *const words[] = {"program", NULL};
    int file = open("/tmp/program", O_RDWR | O_CREAT | O_TRUNC, 0755);
    CHECK(file >= 0 && write(file, "nothing that runs", 17) == 17);
    char *shared = mmap(NULL, PAGE, BOTH, MAP_SHARED, file, 0);
    close(file);
    CHECK(FAILS(execv("/tmp/program", words), ETXTBSY));
    int hold[2];
    CHECK(pipe(hold) == 0);
    pid_t child = start_child();
    if (child == 0) {
        char byte;
        close(hold[1]);
        if (read(hold[0], &byte, 1) == 0) end_child();
    }
    munmap(shared, PAGE);
    CHECK(FAILS(execv("/tmp/program", words), ETXTBSY));
    close(hold[1]), close(hold[0]);
    CHECK(child_passed(child));
    CHECK(FAILS(execv("/tmp/program", words), ENOEXEC));
    file = open("/tmp/program", O_RDONLY);
    shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    CHECK(FAILS(execv("/tmp/program", words), ENOEXEC));
    munmap(shared, PAGE), close(file);
    CHECK(FAILS(open("/proc/self/exe", O_WRONLY), ETXTBSY) && FAILS(truncate("/proc/self/exe", 0), ETXTBSY));
    unlink("/tmp/program");
}

// A filesystem that is full is no lack of memory: who stores gets a signal, and nobody is ended for it.
static void full(void) {
    mkdir("/tmp/small", 0700);
    CHECK(mount("small", "/tmp/small", "tmpfs", 0, "size=64k") == 0);
    int file = open("/tmp/small/file", O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && ftruncate(file, 32 * PAGE) == 0);
    volatile char *shared = map_file(file, 32, MAP_SHARED);
    int stored = 0;
    while (stored < 32 && store_of(shared + stored * PAGE, 1) == 0) stored++;
    CHECK(stored > 0 && stored <= 16 && seen.si_signo == SIGBUS && seen.si_code == BUS_ADRERR);
    munmap((void *)shared, 32 * PAGE);
    close(file);
    CHECK(umount("/tmp/small") == 0);
}

static void refusals(void) {
    int file = file_of(2), reader = open("/dev/zero", O_RDONLY);
    CHECK(FAILS(mmap(NULL, 0, PROT_READ, MAP_SHARED, 999, 0), EBADF));
    CHECK(FAILS(mmap(NULL, 0, PROT_READ, MAP_SHARED, file, 0), EINVAL));
    CHECK(FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x200000, file, 0), EOPNOTSUPP));
    char *sized = mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 21 << 26, file, 0);
    CHECK(sized != MAP_FAILED && munmap(sized, PAGE) == 0);
    CHECK(FAILS(mmap(NULL, PAGE, BOTH, MAP_SHARED, reader, 0), EACCES));
    char *zeros = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    CHECK(zeros != MAP_FAILED && FAILS(mprotect(zeros, PAGE, BOTH), EACCES));
    munmap(zeros, PAGE);
    char *bytes = mmap(NULL, 3 * PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bytes[0] = 1, bytes[2 * PAGE] = 1;
    munmap(bytes + PAGE, PAGE);
    CHECK(FAILS(madvise(bytes, 3 * PAGE, MADV_DONTNEED), ENOMEM) && bytes[0] == 0 && bytes[2 * PAGE] == 0);
    munmap(bytes, 3 * PAGE);
    char *beyond = mmap(NULL, 3 * PAGE, BOTH, MAP_SHARED, file, 0);
    CHECK(FAILS(madvise(beyond, 3 * PAGE, 22), EFAULT) && FAILS(madvise(beyond, 3 * PAGE, 23), EFAULT));
    CHECK(FAILS(mlock(beyond, 3 * PAGE), ENOMEM));
    munlock(beyond, 3 * PAGE);
    munmap(beyond, 3 * PAGE);
    close(file), close(reader);
}

static void moved(void) {
    int file = file_of(2);
    char *shared = mmap(NULL, 2 * PAGE, BOTH, MAP_SHARED, file, 0);
    char *again = mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE);
    CHECK(again != MAP_FAILED && again != shared);
    if (again != MAP_FAILED) {
        again[PAGE] = 8;
        CHECK(shared[PAGE] == 8 && shared[0] == 1);
        munmap(again, 2 * PAGE);
    }
    munmap(shared, 2 * PAGE);
    char *bytes = mmap(NULL, 4 * PAGE, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(FAILS(mremap(bytes, 0, PAGE, MREMAP_MAYMOVE), EINVAL));
    bytes[0] = 1;
    CHECK(mprotect(bytes + 2 * PAGE, PAGE, PROT_READ) == 0);
    CHECK(mremap(bytes, 4 * PAGE, PAGE, 0) == bytes && bytes[0] == 1 && load_of(bytes + 2 * PAGE) == SIGSEGV);
    munmap(bytes, 4 * PAGE);
    unsigned char there[3] = {9, 9, 9};
    int sparse = memfd_create("sparse", 0);
    CHECK(ftruncate(sparse, 3 * PAGE) == 0 && pwrite(sparse, "x", 1, PAGE) == 1);
    shared = mmap(NULL, 3 * PAGE, BOTH, MAP_SHARED, sparse, 0);
    CHECK(mincore(shared, 3 * PAGE, there) == 0 && !(there[0] & 1) && (there[1] & 1) && !(there[2] & 1));
    munmap(shared, 3 * PAGE);
    close(file), close(sparse);
}

static void limits(void) {
    pid_t child = start_child();
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = 64 << 20, .rlim_max = RLIM_INFINITY};
        CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
        int kind = MAP_PRIVATE | MAP_ANONYMOUS;
        CHECK(FAILS(mmap(NULL, 65 << 20, BOTH, kind, -1, 0), ENOMEM));
        CHECK(mmap(NULL, 65 << 20, PROT_READ, kind, -1, 0) != MAP_FAILED);
        CHECK(mmap(NULL, 65 << 20, BOTH, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
        limit.rlim_cur = RLIM_INFINITY;
        CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
        char *large = mmap(NULL, 300 << 20, BOTH, kind, -1, 0);
        limit.rlim_cur = 600 << 20;
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        CHECK(FAILS(mmap(NULL, 300 << 20, BOTH, kind, -1, 0), ENOMEM));
        CHECK(mmap(large, 300 << 20, BOTH, kind | MAP_FIXED, -1, 0) == large);
        end_child();
    }
    CHECK(child_passed(child));
}

static void checks(void) {
    CHECK(catch_faults(SA_NODEFER));
    shorter();
    emptied();
    holes();
    families();
    races();
    removed();
    executed();
    full();
    refusals();
    moved();
    limits();
}

int main(void) {
    return run_as_init("mappings", checks);
}
