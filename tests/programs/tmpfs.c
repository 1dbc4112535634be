// Files in memory: flags of a transfer (preadv2(2)), seals (memfd_create(2), fcntl(2)), the times of files that are mapped, extended attributes.
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))
#define NOT_MAPPED(call, error) (errno = 0, (call) == MAP_FAILED && errno == (error))
#define BOTH (PROT_READ | PROT_WRITE)

static char bytes[3 * 4096];

// A sealable file of 5,000 bytes with these seals.
static int sealed(int seals) {
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && write(fd, bytes, 5000) == 5000 && fcntl(fd, F_ADD_SEALS, seals) == 0);
    CHECK(fcntl(fd, F_GET_SEALS) == seals);
    return fd;
}

// Flags of a single read or write: what has to do with disks alone changes nothing, what is unknown is refused.
static void flags_of_one_transfer(void) {
    int fd = memfd_create("flags", 0);
    char there[4] = "";
    struct iovec from = {"kept", 4}, to = {there, 4};
    CHECK(pwritev2(fd, &from, 1, 0, RWF_SYNC | RWF_DSYNC | RWF_HIPRI) == 4 && pwritev2(fd, &from, 1, -1, RWF_DSYNC) == 4);
    CHECK(lseek(fd, 0, SEEK_CUR) == 4 && lseek(fd, 0, SEEK_END) == 4);
    CHECK(preadv2(fd, &to, 1, 0, RWF_HIPRI | RWF_APPEND) == 4 && memcmp(there, "kept", 4) == 0);
    CHECK(FAILS(preadv2(fd, &to, 1, 0, 1 << 20), EOPNOTSUPP) && FAILS(pwritev2(fd, &from, 1, 0, 1 << 20), EOPNOTSUPP));
    close(fd);
}

static void seals_of_size(void) {
    int fd = sealed(F_SEAL_GROW);
    CHECK(FAILS(ftruncate(fd, 5001), EPERM) && ftruncate(fd, 5000) == 0);
    CHECK(FAILS(pwrite(fd, bytes, 1, 5000), EPERM) && pwrite(fd, bytes, 10, 100) == 10);
    // Page by page.
    CHECK(pwrite(fd, bytes, 5000, 100) == 3996 && FAILS(pwrite(fd, bytes, 5000, 4096), EPERM));
    CHECK(FAILS(fallocate(fd, 0, 0, 8192), EPERM) && fallocate(fd, 0, 0, 4096) == 0);
    CHECK(FAILS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192), EPERM));
    CHECK(ftruncate(fd, 100) == 0 && FAILS(ftruncate(fd, 101), EPERM));
    close(fd);
    fd = sealed(F_SEAL_SHRINK);
    CHECK(FAILS(ftruncate(fd, 4999), EPERM) && ftruncate(fd, 6000) == 0 && FAILS(ftruncate(fd, 0), EPERM));
    CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(FAILS(open(path, O_RDWR | O_TRUNC), EPERM));
    close(fd);
}

static void seals_of_writes(void) {
    int fd = sealed(F_SEAL_WRITE);
    CHECK(FAILS(pwrite(fd, bytes, 1, 0), EPERM) && ftruncate(fd, 6000) == 0 && ftruncate(fd, 5000) == 0);
    CHECK(FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM));
    CHECK(NOT_MAPPED(mmap(NULL, 4096, BOTH, MAP_SHARED, fd, 0), EPERM));
    char *own = mmap(NULL, 4096, BOTH, MAP_PRIVATE, fd, 0);
    CHECK(own != MAP_FAILED && (own[0] = 1) == 1);
    CHECK(munmap(own, 4096) == 0 && close(fd) == 0);

    fd = sealed(0);
    char *shared = mmap(NULL, 8192, BOTH, MAP_SHARED, fd, 0);
    own = mmap(NULL, 8192, BOTH, MAP_PRIVATE, fd, 0);
    CHECK(shared != MAP_FAILED && own != MAP_FAILED && FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY));
    // Part of it, in another process, is enough.
    CHECK(munmap(shared, 4096) == 0);
    pid_t child = start_child();
    if (child == 0) {
        usleep(100000);
        end_child();
    }
    CHECK(munmap(shared + 4096, 4096) == 0 && FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY));
    CHECK(child_passed(child) && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    CHECK(munmap(own, 8192) == 0 && close(fd) == 0);

    fd = sealed(0);
    shared = mmap(NULL, 8192, BOTH, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
    // Who could write still can, by memory.
    CHECK((shared[1] = 7) == 7 && pread(fd, bytes, 2, 0) == 2 && bytes[1] == 7);
    CHECK(FAILS(pwrite(fd, bytes, 1, 0), EPERM) && NOT_MAPPED(mmap(NULL, 4096, BOTH, MAP_SHARED, fd, 0), EPERM));
    char *seen = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(seen != MAP_FAILED && seen[1] == 7 && FAILS(mprotect(seen, 4096, BOTH), EACCES));
    CHECK(munmap(seen, 4096) == 0 && munmap(shared, 8192) == 0 && close(fd) == 0);
}

static void who_may_seal(void) {
    int fd = memfd_create("plain", 0);
    CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL && FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM));
    close(fd);
    fd = open("/tmp/plain", O_RDWR | O_CREAT, 0600);
    CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL && FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM));
    close(fd);
    fd = sealed(0);
    CHECK(FAILS(fcntl(fd, F_ADD_SEALS, 0x40), EINVAL));
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY);
    CHECK(reader >= 0 && FAILS(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW), EPERM) && fcntl(reader, F_GET_SEALS) == 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == 0);
    CHECK(FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM) && fcntl(reader, F_GET_SEALS) == (F_SEAL_GROW | F_SEAL_SEAL));
    close(reader), close(fd);
    int ends[2];
    CHECK(pipe(ends) == 0 && FAILS(fcntl(ends[1], F_ADD_SEALS, F_SEAL_GROW), EINVAL));
    CHECK(FAILS(fcntl(ends[0], F_GET_SEALS), EINVAL));
    close(ends[0]), close(ends[1]);
}

static int is_later(struct timespec a, struct timespec b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static struct stat set_back(int fd) {
    struct timespec times[2] = {{1000, 0}, {1000, 0}};
    struct stat known;
    CHECK(futimens(fd, times) == 0 && fstat(fd, &known) == 0 && known.st_atime == 1000 && known.st_mtime == 1000);
    usleep(20000);
    return known;
}

static void times(void) {
    int fd = open("/tmp/times", O_RDWR | O_CREAT, 0600);
    struct stat before, after;
    CHECK(fd >= 0 && write(fd, bytes, 8192) == 8192);
    before = set_back(fd);
    char *shared = mmap(NULL, 8192, BOTH, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED && fstat(fd, &after) == 0 && is_later(after.st_atim, before.st_atim));
    CHECK(after.st_mtime == 1000 && !is_later(after.st_ctim, before.st_ctim));
    CHECK((shared[0] = 1) == 1 && fstat(fd, &after) == 0);
    CHECK(is_later(after.st_mtim, before.st_mtim) && is_later(after.st_ctim, before.st_ctim));
    munmap(shared, 8192);
    // Neither a page that is read nor a copy of one's own makes it newer.
    before = set_back(fd);
    shared = mmap(NULL, 8192, BOTH, MAP_SHARED, fd, 0);
    char *own = mmap(NULL, 8192, BOTH, MAP_PRIVATE, fd, 0);
    CHECK(shared[4096] == 0 && (own[4096] = 1) == 1 && fstat(fd, &after) == 0 && after.st_mtime == 1000);
    CHECK(is_later(after.st_atim, before.st_atim) && !is_later(after.st_ctim, before.st_ctim));
    munmap(shared, 8192), munmap(own, 8192), close(fd);
    fd = open("/tmp/times", O_RDWR | O_NOATIME);
    before = set_back(fd);
    shared = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(shared[0] == 1 && fstat(fd, &after) == 0 && after.st_atime == 1000);
    munmap(shared, 8192), close(fd);
}

#include "xattrs.h"

static void checks(void) {
    if (getppid() == 1) CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
    flags_of_one_transfer();
    seals_of_size();
    seals_of_writes();
    who_may_seal();
    times();
    attributes();
}

int main(void) {
    return run_as_init("tmpfs", checks);
}
