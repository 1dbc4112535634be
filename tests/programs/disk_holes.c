// Holes of files on a disk: made by writing behind them, by truncate and fallocate, found by lseek, filled.
//   disk_holes FOLDER    checks with a file in FOLDER
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

enum { PAGE = 4096 };

static off_t data(int file, off_t from) { return lseek(file, from, SEEK_DATA); }
static off_t hole(int file, off_t from) { return lseek(file, from, SEEK_HOLE); }

static void look(int file) {
    CHECK(data(file, 0) == 8 * PAGE);
    CHECK(hole(file, 0) == 0);
    CHECK(hole(file, 8 * PAGE) == 9 * PAGE);
    CHECK(hole(file, 8 * PAGE + 7) == 9 * PAGE);
    CHECK(data(file, 8 * PAGE + 7) == 8 * PAGE + 7);
    CHECK(data(file, 9 * PAGE) == 300 * PAGE);
    CHECK(data(file, 300 * PAGE + 1) == 300 * PAGE + 1);
    // The end counts as a hole, in the middle of a page too.
    CHECK(hole(file, 300 * PAGE) == 300 * PAGE + 100);
    CHECK(data(file, 300 * PAGE + 100) == -1 && errno == ENXIO);
    CHECK(hole(file, 300 * PAGE + 100) == -1 && errno == ENXIO);
    CHECK(data(file, -1) == -1 && errno == ENXIO);
}

static const char *folder;

static void checks(void) {
    char path[256];
    snprintf(path, sizeof path, "%s/holes", folder);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(file >= 0);
    CHECK(data(file, 0) == -1 && errno == ENXIO);
    CHECK(hole(file, 0) == -1 && errno == ENXIO);
    static char page[PAGE];
    memset(page, 'd', PAGE);
    CHECK(pwrite(file, page, PAGE, 8 * PAGE) == PAGE);
    CHECK(pwrite(file, page, 100, 300 * PAGE) == 100);
    // As long as it is in memory alone, and when it was written.
    look(file);
    CHECK(fsync(file) == 0);
    look(file);
    struct stat status;
    CHECK(fstat(file, &status) == 0 && status.st_blocks < 100);
    // Reading a hole makes no data of it.
    char byte = 1;
    CHECK(pread(file, &byte, 1, 20 * PAGE) == 1 && byte == 0);
    look(file);
    // Room that nobody wrote to is a hole; what is written there is none.
    CHECK(fallocate(file, 0, 100 * PAGE, 50 * PAGE) == 0);
    look(file);
    CHECK(pwrite(file, "x", 1, 120 * PAGE + 5) == 1);
    CHECK(data(file, 9 * PAGE) == 120 * PAGE && hole(file, 120 * PAGE) == 121 * PAGE);
    CHECK(fsync(file) == 0);
    CHECK(data(file, 9 * PAGE) == 120 * PAGE && hole(file, 120 * PAGE) == 121 * PAGE);
    // Longer by truncate: a hole to the end.
    CHECK(ftruncate(file, 400 * PAGE) == 0);
    CHECK(data(file, 301 * PAGE) == -1 && errno == ENXIO);
    CHECK(hole(file, 300 * PAGE) == 301 * PAGE);
    CHECK(ftruncate(file, 9 * PAGE) == 0);
    CHECK(data(file, 0) == 8 * PAGE && hole(file, 8 * PAGE) == 9 * PAGE);
    CHECK(lseek(file, 0, SEEK_CUR) == 9 * PAGE);
    close(file);
    unlink(path);
}

int main(int count, char **words) {
    folder = count > 1 ? words[1] : "/tmp";
    return run_as_init("disk_holes", checks);
}
