// Files and their mappings: advice; locked memory; what is refused; what limits count.
#include "check.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PAGE 4096
#define BOTH (PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static volatile siginfo_t seen;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    seen = *info;
    siglongjmp(back, signal);
}

// Touches an address: 0, or the signal it brought with its code and address in `seen`.
#define TOUCH(access) (sigsetjmp(back, 1) == 0 ? ((void)(access), 0) : seen.si_signo)

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
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    full();
    refusals();
    moved();
    limits();
}

int main(void) {
    return run_as_init("mappings", checks);
}
