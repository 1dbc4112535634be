// Files on a disk: fallocate(2) of holes and zeros in the middle of what is mapped, and extended attributes. On ext4 of Linux too.
#include "check.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))
#include "xattrs_anywhere.h"

enum { PAGE = 4096, PAGES = 64, SIZE = PAGES * PAGE, ROUNDS = 600 };
enum { HOLE = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

static const char *folder;
static char path[256], other_path[256];

static const char *in_folder(const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int is_filled(const volatile char *bytes, size_t len, char with) {
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != with) return 0;
    }
    return 1;
}

static int fresh(const char *name, size_t len) {
    int file = open(in_folder(name), O_RDWR | O_CREAT | O_TRUNC, 0644);
    static char page[PAGE];
    memset(page, 'd', PAGE);
    for (size_t at = 0; at < len; at += PAGE) CHECK(pwrite(file, page, PAGE, at) == PAGE);
    return file;
}

static long blocks(int file) {
    struct stat status;
    return fstat(file, &status) == 0 ? status.st_blocks : -1;
}

static void holes(void) {
    int file = fresh("holes", 16 * PAGE);
    CHECK(fsync(file) == 0);
    long before = blocks(file);
    volatile char *shared = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    // Holstein takes a page that might be stored to for one that was: this one never can.
    int looker = open(path, O_RDONLY);
    volatile char *seen = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, looker, 0);
    volatile char *private = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    CHECK(seen[5 * PAGE] == 'd' && private[6 * PAGE] == 'd');
    private[5 * PAGE] = 'p', shared[4 * PAGE] = 's';
    // From the middle of page 2 to a quarter of page 7.
    CHECK(fallocate(file, HOLE, 2 * PAGE + PAGE / 2, 4 * PAGE + 3 * PAGE / 4) == 0);
    CHECK(is_filled(seen, 2 * PAGE + PAGE / 2, 'd') && is_filled(seen + 2 * PAGE + PAGE / 2, 4 * PAGE + 3 * PAGE / 4, 0));
    CHECK(is_filled(seen + 7 * PAGE + PAGE / 4, 8 * PAGE + 3 * PAGE / 4, 'd'));
    // What somebody has copied for himself stays.
    CHECK(private[5 * PAGE] == 'p' && private[5 * PAGE + 1] == 'd' && private[6 * PAGE] == 0);
    CHECK(before - blocks(file) == 4 * PAGE / 512 && lseek(file, 0, SEEK_END) == 16 * PAGE);
    shared[4 * PAGE + 7] = 'n';
    struct statfs kind;
    int has_page_blocks = fstatfs(file, &kind) == 0 && kind.f_bsize == PAGE;
    CHECK(fsync(file) == 0 && (!has_page_blocks || before - blocks(file) == 3 * PAGE / 512));
    char bytes[8];
    CHECK(pread(file, bytes, 8, 4 * PAGE) == 8 && bytes[7] == 'n' && bytes[0] == 0);
    // Holstein tells holes where a block is a page.
    if (has_page_blocks) {
        CHECK(lseek(file, 3 * PAGE, SEEK_HOLE) == 3 * PAGE && lseek(file, 3 * PAGE, SEEK_DATA) == 4 * PAGE);
    }
    // Inside one page; behind the end.
    CHECK(fallocate(file, HOLE, 10 * PAGE + 1, 2) == 0 && seen[10 * PAGE] == 'd' && seen[10 * PAGE + 1] == 0 && seen[10 * PAGE + 3] == 'd');
    CHECK(fallocate(file, HOLE, 20 * PAGE, PAGE) == 0 && fallocate(file, HOLE, 15 * PAGE, 100 * PAGE) == 0 && lseek(file, 0, SEEK_END) == 16 * PAGE);
    CHECK(seen[15 * PAGE] == 0 && seen[15 * PAGE - 1] == 'd');
    CHECK(FAILS(fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP));
    CHECK(FAILS(fallocate(file, HOLE | FALLOC_FL_ZERO_RANGE, 0, PAGE), EOPNOTSUPP) && FAILS(fallocate(file, 0x100, 0, PAGE), EOPNOTSUPP));
    CHECK(FAILS(fallocate(file, HOLE, -1, PAGE), EINVAL) && FAILS(fallocate(file, HOLE, 0, 0), EINVAL));
    int reader = open(path, O_RDONLY);
    CHECK(FAILS(fallocate(reader, HOLE, 0, PAGE), EBADF) && close(reader) == 0);
    close(looker), munmap((void *)shared, 16 * PAGE), munmap((void *)seen, 16 * PAGE), munmap((void *)private, 16 * PAGE);
    close(file);
}

static void zeros(void) {
    int file = fresh("zeros", 8 * PAGE);
    CHECK(fallocate(file, FALLOC_FL_ZERO_RANGE, 2 * PAGE + 100, 2 * PAGE) == 0 && fsync(file) == 0 && blocks(file) >= 8 * PAGE / 512);
    static char bytes[8 * PAGE];
    CHECK(pread(file, bytes, sizeof bytes, 0) == sizeof bytes && is_filled(bytes, 2 * PAGE + 100, 'd') && is_filled(bytes + 2 * PAGE + 100, 2 * PAGE, 0));
    CHECK(is_filled(bytes + 4 * PAGE + 100, 4 * PAGE - 100, 'd'));
    CHECK(fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 7 * PAGE, 3 * PAGE) == 0 && lseek(file, 0, SEEK_END) == 8 * PAGE);
    CHECK(fallocate(file, FALLOC_FL_ZERO_RANGE, 7 * PAGE, 3 * PAGE) == 0 && lseek(file, 0, SEEK_END) == 10 * PAGE && blocks(file) >= 10 * PAGE / 512);
    CHECK(pread(file, bytes, PAGE, 9 * PAGE) == PAGE && is_filled(bytes, PAGE, 0));
    close(file);
}

// Random changes, each compared with a copy in memory: by read(2) and by a mapping, often behind a write to the disk.
static uint32_t state = 4711;
static uint32_t below(uint32_t limit) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state % limit;
}

static char model[SIZE], seen[SIZE];
static long size;

static void fill(long start, long end, char with) {
    memset(model + start, with, end - start);
    if (end > size) size = end;
}

static void change(int file, char *map) {
    long start = below(SIZE), end = start + 1 + below(below(3) ? 3 * PAGE : SIZE - start);
    if (end > SIZE) end = SIZE;
    if (below(3) == 0) start &= ~4095L;
    switch (below(7)) {
    case 0:
    case 1: {
        static char bytes[SIZE];
        char with = 'a' + below(26);
        memset(bytes, with, end - start);
        CHECK(pwrite(file, bytes, end - start, start) == end - start);
        fill(start, end, with);
        break;
    }
    case 2:
    case 3:
        CHECK(fallocate(file, HOLE, start, end - start) == 0);
        if (start < size) memset(model + start, 0, (end < size ? end : size) - start);
        break;
    case 4:
        CHECK(fallocate(file, FALLOC_FL_ZERO_RANGE, start, end - start) == 0);
        fill(start, end, 0);
        break;
    case 5:
        CHECK(ftruncate(file, end) == 0);
        if (end < size) memset(model + end, 0, size - end);
        size = end;
        break;
    case 6:
        if (start >= size) break;
        if (end > size) end = size;
        memset(map + start, 'm', end - start);
        memset(model + start, 'm', end - start);
        break;
    }
}

static void random_changes(void) {
    int file = fresh("random", 0);
    char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    for (int round = 0; round < ROUNDS; round++) {
        change(file, map);
        switch (below(6)) {
        case 0: CHECK(fsync(file) == 0); break;
        case 1: CHECK(fsync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0); break;
        }
        int is_same = pread(file, seen, SIZE, 0) == size && memcmp(seen, model, size) == 0;
        check(is_same, __FILE__, __LINE__, "read(2) sees the model");
        if (below(4) == 0) check(memcmp(map, model, size) == 0, __FILE__, __LINE__, "the mapping sees the model");
        if (!is_same) break;
    }
    munmap(map, SIZE);
    close(file);
}

// O_DIRECT: in whole blocks of the disk, seen by and seeing what goes through pages, of which nothing stays.
static void direct(void) {
    static char bytes[8 * PAGE] __attribute__((aligned(PAGE))), back[8 * PAGE] __attribute__((aligned(PAGE)));
    int usual = fresh("direct", 8 * PAGE), file = open(path, O_RDWR | O_DIRECT);
    CHECK(file >= 0 && (fcntl(file, F_GETFL) & O_DIRECT));
    // As iomap_dio_bio_iter of Linux has it.
    CHECK(FAILS(pread(file, bytes + 1, 512, 0), EINVAL) && FAILS(pread(file, bytes, 511, 0), EINVAL) && FAILS(pread(file, bytes, 512, 3), EINVAL));
    CHECK(FAILS(pwrite(file, bytes + 1, 512, 0), EINVAL) && FAILS(pwrite(file, bytes, 100, 0), EINVAL) && FAILS(pwrite(file, bytes, 512, 1), EINVAL));
    // What was written through pages is there, although nobody has asked for it to be on the disk.
    CHECK(pread(file, back, 8 * PAGE, 0) == 8 * PAGE && is_filled(back, 8 * PAGE, 'd'));
    volatile char *map = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, usual, 0);
    CHECK(map[PAGE] == 'd');
    map[3 * PAGE] = 'm';
    CHECK(pread(file, back, PAGE, 3 * PAGE) == PAGE && back[0] == 'm' && back[1] == 'd');
    memset(bytes, 'w', sizeof bytes);
    CHECK(pwrite(file, bytes, 2 * PAGE + 512, PAGE - 512) == 2 * PAGE + 512);
    CHECK(map[PAGE - 513] == 'd' && map[PAGE - 512] == 'w' && map[3 * PAGE - 1] == 'w' && map[3 * PAGE] == 'm');
    CHECK(pread(usual, back, 8 * PAGE, 0) == 8 * PAGE && is_filled(back + PAGE - 512, 2 * PAGE + 512, 'w'));
    // The end: as much as there is.
    CHECK(ftruncate(usual, 7 * PAGE + 100) == 0 && pread(file, back, 8 * PAGE, 0) == 7 * PAGE + 100 && pread(file, back, PAGE, 8 * PAGE) == 0);
    CHECK(pwrite(file, bytes, PAGE, 9 * PAGE) == PAGE && lseek(file, 0, SEEK_END) == 10 * PAGE && pread(usual, back, PAGE, 8 * PAGE) == PAGE && is_filled(back, PAGE, 0));
    munmap((void *)map, 8 * PAGE);
    // Nothing stays.
    CHECK(fsync(usual) == 0 && posix_fadvise(usual, 0, 0, POSIX_FADV_DONTNEED) == 0);
    CHECK(pread(file, back, 8 * PAGE, 0) == 8 * PAGE && pwrite(file, bytes, PAGE, 0) == PAGE);
    unsigned char present[8];
    map = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, usual, 0);
    CHECK(mincore((void *)map, 8 * PAGE, present) == 0);
    for (int i = 0; i < 8; i++) CHECK((present[i] & 1) == 0);
    munmap((void *)map, 8 * PAGE);
    // By F_SETFL, too; of a pipe it means something else.
    CHECK(fcntl(file, F_SETFL, 0) == 0 && pread(file, bytes, 511, 3) == 511 && fcntl(file, F_SETFL, O_DIRECT) == 0 && FAILS(pread(file, bytes, 511, 3), EINVAL));
    CHECK(FAILS(open("/proc/self/status", O_RDONLY | O_DIRECT), EINVAL));
    close(usual), close(file);
}

static void attributes_on_disk(void) {
    char value[4096], list[4096], name[32];
    int file = fresh("attributes", PAGE), count;
    const char *at = strcpy(other_path, path);
    static const char *const prefixes[] = {"user.", "trusted.", "security."};
    for (int i = 0; i < (geteuid() == 0 ? 3 : 1); i++) attributes_of(at, file, prefixes[i]);
    static const char *const unknown[] = {"other.name", "user", "noprefix", "system.other"};
    for (int i = 0; i < 4; i++) CHECK(FAILS(setxattr(at, unknown[i], "x", 1, 0), EOPNOTSUPP) && FAILS(getxattr(at, unknown[i], value, 1), EOPNOTSUPP));
    CHECK(FAILS(setxattr(at, "user.", "x", 1, 0), EINVAL));
    // Behind the inode, then in a block; a file has no more than that.
    memset(value, 'v', sizeof value);
    int made = 0;
    do snprintf(name, sizeof name, "user.%d", made);
    while (setxattr(at, name, value, 100, 0) == 0 && ++made < 100);
    struct statfs kind;
    CHECK(errno == ENOSPC && made < 40 && statfs(at, &kind) == 0 && made > kind.f_bsize / 160);
    ssize_t len = listxattr(at, list, sizeof list);
    CHECK(listed(list, len, "user.0", &count) && count == made);
    for (int i = 0; i < made; i++) {
        snprintf(name, sizeof name, "user.%d", i);
        CHECK(getxattr(at, name, value, sizeof value) == 100 && is_filled(value, 100, 'v'));
        if (i % 2) CHECK(removexattr(at, name) == 0 && FAILS(getxattr(at, name, value, 8), ENODATA));
    }
    CHECK(FAILS(setxattr(at, "user.large", value, 4096, 0), ENOSPC) && setxattr(at, "user.some", "kept", 4, 0) == 0);
    // They stay with a directory, with a file that gets another name, and go with the file.
    char directory[256];
    strcpy(directory, in_folder("with"));
    CHECK(mkdir(directory, 0755) == 0 && setxattr(directory, "user.d", "dir", 3, 0) == 0 && getxattr(directory, "user.d", value, 8) == 3);
    CHECK(rename(at, in_folder("with/attributes")) == 0 && getxattr(path, "user.some", value, 8) == 4 && memcmp(value, "kept", 4) == 0);
    CHECK(close(fresh("without", 0)) == 0 && listxattr(path, list, sizeof list) == 0 && setxattr(path, "user.gone", "x", 1, 0) == 0 && unlink(path) == 0);
    close(file);
}

static void checks(void) {
    holes();
    zeros();
    random_changes();
    direct();
    attributes_on_disk();
}

int main(int count, char **words) {
    folder = count > 1 ? words[1] : "/tmp";
    return run_as_init("disk_ranges", checks);
}
