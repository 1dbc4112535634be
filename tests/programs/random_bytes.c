// Random changes of one file, in the manner of fsx: each is made on a copy in memory too, and what any way of reading shows is compared with
// that. What each call answers goes into a digest, which is the same on Linux with the same file system.
//
//     random_bytes FOLDER [ROUNDS [SEED]]     changes, and prints "random_bytes: digest D, bytes B"
//     random_bytes FOLDER again              prints "random_bytes: bytes B" of what is there: behind a mount, say
//
// With SHOW in the environment, each change.
#include "check.h"
#include "random.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>

enum { PAGE = 4096, LARGEST = 48 * PAGE, ROOM = 4 * LARGEST };
enum { KEEP = FALLOC_FL_KEEP_SIZE, HOLE = FALLOC_FL_PUNCH_HOLE | KEEP, ZERO = FALLOC_FL_ZERO_RANGE };

static char path[256];
static int file;
static char *map;
static long size, unit;
static char model[ROOM], other[ROOM] __attribute__((aligned(PAGE)));
static int operation, round_now, is_shown;

static void require(int holds, const char *what) {
    if (holds) return;
    printf("round %d, operation %d, %ld bytes: %s (errno %d)\n", round_now, operation, size, what, errno);
    failed++;
}

static void reopen(void) {
    if (map != NULL) munmap(map, ROOM), close(file);
    file = open(path, O_RDWR | O_CREAT, 0644);
    map = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    require(file >= 0 && map != MAP_FAILED, "it opens");
}

static void compare(const char *bytes, long start, long len, const char *how) {
    for (long i = 0; i < len; i++) {
        if (bytes[i] == model[start + i]) continue;
        printf("round %d, operation %d: %s has %d at %#lx of %#lx, not %d\n", round_now, operation, how, bytes[i], start + i, size, model[start + i]);
        failed++;
        return;
    }
}

static long inside(long start, long len) {
    return start >= size ? 0 : start + len > size ? size - start : len;
}

static void set_size(long new) {
    if (new > size) memset(model + size, 0, new - size);
    size = new;
}

static void put(long start, long len, const char *bytes) {
    if (start > size) set_size(start);
    if (start + len > size) size = start + len;
    memcpy(model + start, bytes, len);
}

static const char *pattern(long len) {
    char first = 1 + below(250);
    for (long i = 0; i < len; i++) other[i] = first + i / 64;
    return other;
}

static void write_some(long start, long len) {
    const char *bytes = pattern(len);
    switch (below(4)) {
    case 0: {
        struct iovec parts[2] = {{(void *)bytes, len / 3}, {(void *)(bytes + len / 3), len - len / 3}};
        require(pwritev(file, parts, 2, start) == len, "pwritev");
        break;
    }
    case 1: {
        int end = open(path, O_WRONLY | O_APPEND);
        start = size;
        require(write(end, bytes, len) == len && close(end) == 0, "write at the end");
        break;
    }
    default: require(pwrite(file, bytes, len, start) == len, "pwrite");
    }
    put(start, len, bytes);
}

static void read_some(long start, long len) {
    long there = inside(start, len);
    require(pread(file, other, len, start) == there, "pread");
    compare(other, start, there, "read(2)");
}

// By a mapping, or by that of a child.
static void store(long start, long len) {
    if ((len = inside(start, len)) == 0) return;
    const char *bytes = pattern(len);
    if (below(8) == 0) {
        pid_t child = fork();
        if (child == 0) memcpy(map + start, bytes, len), _exit(0);
        require(waitpid(child, NULL, 0) == child, "a child stores");
    } else {
        memcpy(map + start, bytes, len);
    }
    memcpy(model + start, bytes, len);
}

// What fallocate(2) says goes into the digest; what it does is the model's.
static int falls(int mode, long start, long len) {
    errno = 0;
    int answer = fallocate(file, mode, start, len);
    digest_add(answer == 0 ? 0 : errno);
    return answer == 0;
}

static void give(long start, long len) {
    int mode = below(2) ? KEEP : 0;
    if (falls(mode, start, len) && mode == 0 && start + len > size) set_size(start + len);
}

static void punch(long start, long len) {
    if (falls(HOLE, start, len)) memset(model + start, 0, inside(start, len));
}

static void zero(long start, long len) {
    int mode = below(2) ? KEEP : 0;
    if (!falls(ZERO | mode, start, len)) return;
    if (mode == 0 && start + len > size) set_size(start + len);
    memset(model + start, 0, inside(start, len));
}

static void collapse(long start, long len) {
    int done = falls(FALLOC_FL_COLLAPSE_RANGE, start, len);
    require(!done || (start % unit == 0 && len % unit == 0 && start + len < size), "a range may go");
    require(done || errno != EINVAL || start % unit != 0 || len % unit != 0 || start + len >= size, "a range may not go");
    if (!done) return;
    memmove(model + start, model + start + len, size - start - len);
    size -= len;
}

static void insert(long start, long len) {
    if (size + len > LARGEST * 2) return;
    int done = falls(FALLOC_FL_INSERT_RANGE, start, len);
    require(!done || (start % unit == 0 && len % unit == 0 && start < size), "a range may come");
    require(done || errno != EINVAL || start % unit != 0 || len % unit != 0 || start >= size, "a range may not come");
    if (!done) return;
    memmove(model + start + len, model + start, size - start);
    memset(model + start, 0, len);
    size += len;
}

static void copy(long start, long len) {
    long from = below(LARGEST), to = start, done = 0;
    while (done < len) {
        errno = 0;
        off_t in = from + done, out = to + done;
        ssize_t moved = copy_file_range(file, &in, file, &out, len - done, 0);
        if (moved <= 0) break;
        memcpy(other, model + from + done, moved);
        put(to + done, moved, other);
        done += moved;
    }
    digest_add(done), digest_add(errno);
}

static void direct(long start, long len) {
    start &= -PAGE, len = (len + PAGE - 1) & -PAGE;
    int straight = open(path, O_RDWR | O_DIRECT);
    if (straight < 0) straight = open(path, O_RDWR); // memory, on Linux before 6.6
    if (below(2)) {
        const char *bytes = pattern(len);
        require(pwrite(straight, bytes, len, start) == len, "pwrite past the cache");
        put(start, len, bytes);
    } else {
        long there = inside(start, len);
        require(pread(straight, other, len, start) == there, "pread past the cache");
        compare(other, start, there, "O_DIRECT");
    }
    close(straight);
}

static void settle(long start, long len) {
    switch (below(6)) {
    case 0: require(fsync(file) == 0, "fsync"); break;
    case 1: require(fdatasync(file) == 0, "fdatasync"); break;
    case 2: require(msync(map + (start & -PAGE), len, MS_SYNC) == 0, "msync"); break;
    case 3: require(sync_file_range(file, start, len, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == 0, "sync_file_range"); break;
    case 4: require(fsync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise"); break;
    case 5: require(madvise(map, ROOM, MADV_DONTNEED) == 0, "madvise"); break;
    }
}

static void change(void) {
    long start = below(LARGEST), len = 1 + below(below(3) ? 3 * PAGE : LARGEST - start);
    switch (below(8)) {
    case 0: start &= -1024, len = (len + 1023) & -1024; break;
    case 1: case 2: case 3: start &= -PAGE, len = (len + PAGE - 1) & -PAGE; break;
    }
    if (start + len > LARGEST) len = LARGEST - start;
    operation = below(20);
    switch (operation) {
    case 0: case 1: case 2: write_some(start, len); break;
    case 3: case 4: read_some(start, len); break;
    case 5: case 6: store(start, len); break;
    case 7: compare(map + start, start, inside(start, len), "a mapping"); break;
    case 8: require(ftruncate(file, start + len) == 0, "ftruncate"), set_size(start + len); break;
    case 9: give(start, len); break;
    case 10: case 11: punch(start, len); break;
    case 12: zero(start, len); break;
    case 13: case 14: collapse(start, len); break;
    case 15: insert(start, len); break;
    case 16: copy(start, len); break;
    case 17: direct(start, len); break;
    case 18: settle(start, len); break;
    case 19: reopen(); break;
    }
}

// All that is there, by read(2); its digest.
static unsigned long long contents(void) {
    struct stat status;
    require(fstat(file, &status) == 0 && status.st_size == size, "it has its size");
    require(pread(file, other, ROOM, 0) == size, "it is read whole");
    compare(other, 0, size, "read(2)");
    return fold(FOLD_START + size, other, size);
}

int main(int count, char **words) {
    is_shown = getenv("SHOW") != NULL;
    const char *folder = count > 1 ? words[1] : "/tmp";
    snprintf(path, sizeof path, "%s/random_bytes", folder);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 2 && strcmp(words[2], "again") == 0) {
        struct stat status;
        file = open(path, O_RDONLY);
        require(fstat(file, &status) == 0, "it is there");
        size = status.st_size;
        require(pread(file, other, ROOM, 0) == size, "it is read whole");
        printf("random_bytes: bytes %016llx\n", (unsigned long long)fold(FOLD_START + size, other, size));
        return failed != 0;
    }
    int rounds = count > 2 ? atoi(words[2]) : 3000;
    random_seed(count > 3 ? atoi(words[3]) : 1);
    unlink(path);
    reopen();
    struct statfs kind;
    require(statfs(path, &kind) == 0, "statfs");
    unit = kind.f_bsize;
    for (round_now = 0; round_now < rounds && failed < 5; round_now++) {
        change();
        digest_add(size);
        if (is_shown) printf("round %d: operation %d, %ld bytes: %016llx\n", round_now, operation, size, digest());
        if (round_now % 16 == 15) digest_add(contents());
        if (round_now % 500 == 499) printf("round %d: %016llx\n", round_now, digest());
    }
    printf("random_bytes: digest %016llx, bytes %016llx, %d failed\n", digest(), contents(), failed);
    return failed != 0;
}
