// What became of an initramfs with two archives in one piece, damaged entries and times; the scene makes it.
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct stat at(const char *path) {
    struct stat found = {0};
    CHECK(lstat(path, &found) == 0);
    return found;
}

static const char *text(const char *path) {
    static char bytes[64];
    memset(bytes, 0, sizeof(bytes));
    int file = open(path, O_RDONLY);
    CHECK(file >= 0 && read(file, bytes, sizeof(bytes) - 1) >= 0);
    close(file);
    return bytes;
}

static void checks(void) {
    // Equal device and inode numbers in two archives are two files; in one archive they are one.
    struct stat one = at("/first/one"), same = at("/first/same"), two = at("/second/two"), again = at("/second/again");
    CHECK(one.st_ino == same.st_ino && one.st_nlink == 2);
    CHECK(two.st_ino == again.st_ino && two.st_nlink == 2);
    CHECK(one.st_ino != two.st_ino);
    CHECK(strcmp(text("/first/one"), "the first") == 0 && strcmp(text("/first/same"), "the first") == 0);
    CHECK(strcmp(text("/second/again"), "the other one") == 0);
    // Entries that cannot be made cost only themselves.
    CHECK(strcmp(text("/second/after"), "still here") == 0);
    CHECK(access("/second/with data", F_OK) != 0);
    // Directories keep their times, whatever was made in them afterwards.
    CHECK(at("/first").st_mtime == 99 && at("/first/one").st_mtime == 99 && at("/first").st_atime == 99);
    CHECK(at("/second").st_mtime == 99);
    // A compressed archive between two plain ones.
    CHECK(strcmp(text("/packed"), "packed") == 0 && strcmp(text("/last"), "last") == 0);
}

int main(void) {
    return run_as_init("unpacked", checks);
}
