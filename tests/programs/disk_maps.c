// Files of a disk, mapped: shared and private, synced, cut short beneath, forked, read and written beside.
//   disk_maps FOLDER MIB    checks with files in FOLDER, one of them of so many MiB, which may be more than there is memory
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PAGE = 4096 };

static const char *folder;
static size_t large_mib;

static int make(const char *name, size_t pages) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(file >= 0);
    static unsigned char page[PAGE];
    for (size_t number = 0; number < pages; number++) {
        memset(page, (int)(number % 251) + 1, PAGE);
        if (write(file, page, PAGE) != PAGE) CHECK(!"a page is written");
    }
    return file;
}

static sigjmp_buf back;
static void on_bus(int number, siginfo_t *info, void *context) {
    (void)context;
    siglongjmp(back, number == SIGBUS && info->si_code == BUS_ADRERR ? 1 : 2);
}

// What reading the byte comes to: 0 is read, 1 SIGBUS.
static int touch(volatile unsigned char *byte) {
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO}, old;
    sigaction(SIGBUS, &action, &old);
    int answer = sigsetjmp(back, 1);
    if (answer == 0) (void)*byte;
    sigaction(SIGBUS, &old, NULL);
    return answer;
}

static void shared_and_synced(void) {
    int file = make("shared", 8);
    unsigned char *map = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED);
    CHECK(map[0] == 1 && map[7 * PAGE + 5] == 8);
    map[3 * PAGE + 9] = 0xaa;
    unsigned char byte = 0;
    CHECK(pread(file, &byte, 1, 3 * PAGE + 9) == 1 && byte == 0xaa);
    byte = 0xbb;
    CHECK(pwrite(file, &byte, 1, 4 * PAGE) == 1 && map[4 * PAGE] == 0xbb);
    CHECK(msync(map, 8 * PAGE, MS_SYNC) == 0);
    // Written again after it was made clean.
    map[3 * PAGE + 9] = 0xcc;
    CHECK(msync(map, 8 * PAGE, MS_SYNC) == 0);
    CHECK(msync(map, 8 * PAGE, MS_ASYNC) == 0);
    CHECK(pread(file, &byte, 1, 3 * PAGE + 9) == 1 && byte == 0xcc);
    CHECK(munmap(map, 8 * PAGE) == 0);
    CHECK(pread(file, &byte, 1, 3 * PAGE + 9) == 1 && byte == 0xcc);
    close(file);
}

static void private_stays_private(void) {
    int file = make("private", 4);
    unsigned char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    map[PAGE] = 0x77;
    unsigned char byte = 0;
    CHECK(pread(file, &byte, 1, PAGE) == 1 && byte == 2);
    byte = 0x99;
    // A page that was not written yet shows the file's; one that was does not.
    CHECK(pwrite(file, &byte, 1, 2 * PAGE) == 1 && map[2 * PAGE] == 0x99);
    CHECK(pwrite(file, &byte, 1, PAGE) == 1 && map[PAGE] == 0x77);
    CHECK(fsync(file) == 0 && map[PAGE] == 0x77);
    munmap(map, 4 * PAGE);
    close(file);
}

static void cut_short_beneath(void) {
    int file = make("short", 6);
    unsigned char *map = mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(map[5 * PAGE] == 6);
    CHECK(ftruncate(file, 2 * PAGE + 100) == 0);
    CHECK(touch(map + 2 * PAGE) == 0 && touch(map + 3 * PAGE) == 1 && touch(map + 5 * PAGE) == 1);
    CHECK(map[2 * PAGE + 99] == 3 && map[2 * PAGE + 100] == 0);
    // What is stored behind the end is no part of the file when that grows.
    map[2 * PAGE + 200] = 0x55;
    CHECK(msync(map, 3 * PAGE, MS_SYNC) == 0);
    CHECK(ftruncate(file, 6 * PAGE) == 0);
    CHECK(touch(map + 5 * PAGE) == 0 && map[5 * PAGE] == 0 && map[2 * PAGE + 100] == 0);
    munmap(map, 6 * PAGE);
    close(file);
}

static void forked_and_both_write(void) {
    int file = make("forked", 4);
    unsigned char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    unsigned char *own = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    own[0] = 0x10;
    pid_t child = start_child();
    if (child == 0) {
        CHECK(own[0] == 0x10);
        own[0] = 0x20;
        own[PAGE] = 0x21;
        shared[2 * PAGE] = 0x22;
        CHECK(msync(shared, 4 * PAGE, MS_SYNC) == 0);
        end_child();
    }
    shared[3 * PAGE] = 0x33;
    CHECK(child_passed(child));
    CHECK(own[0] == 0x10 && own[PAGE] == 2 && own[2 * PAGE] == 0x22);
    CHECK(shared[0] == 1 && shared[2 * PAGE] == 0x22 && shared[3 * PAGE] == 0x33);
    unsigned char bytes[2] = {0};
    CHECK(pread(file, bytes, 1, 2 * PAGE) == 1 && pread(file, bytes + 1, 1, 3 * PAGE) == 1);
    CHECK(bytes[0] == 0x22 && bytes[1] == 0x33);
    munmap(shared, 4 * PAGE);
    munmap(own, 4 * PAGE);
    close(file);
}

// A word for each page, different in each.
static uint64_t word_of(size_t page, int who) {
    return (page + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)who;
}

// More than there is memory: stored through a mapping by two processes, each its half, and read by both.
static void larger_than_memory(void) {
    size_t pages = large_mib * 256;
    char path[256];
    snprintf(path, sizeof path, "%s/large", folder);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(file >= 0 && ftruncate(file, (off_t)pages * PAGE) == 0);
    unsigned char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED);
    pid_t child = start_child();
    for (size_t page = child == 0; page < pages; page += 2) *(uint64_t *)(map + page * PAGE) = word_of(page, child == 0);
    if (child == 0) end_child();
    CHECK(child_passed(child));
    size_t wrong = 0;
    for (size_t page = 0; page < pages; page++) wrong += *(uint64_t *)(map + page * PAGE) != word_of(page, page % 2);
    CHECK(wrong == 0);
    CHECK(msync(map, pages * PAGE, MS_SYNC) == 0);
    munmap(map, pages * PAGE);
    for (size_t page = 0; page < pages; page += 97) {
        uint64_t word = 0;
        wrong += pread(file, &word, sizeof word, (off_t)page * PAGE) != sizeof word || word != word_of(page, page % 2);
    }
    CHECK(wrong == 0);
    close(file);
    CHECK(unlink(path) == 0);
}

static void checks(void) {
    shared_and_synced();
    private_stays_private();
    cut_short_beneath();
    forked_and_both_write();
    if (large_mib > 0) larger_than_memory();
}

int main(int count, char **words) {
    folder = count > 1 ? words[1] : "/tmp";
    large_mib = count > 2 ? strtoul(words[2], NULL, 10) : 0;
    return run_as_init("disk_maps", checks);
}
