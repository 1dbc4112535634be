// Extended attributes of files in memory: xattr(7). `user.` is known there since Linux 6.6.
#pragma once
#include <sys/utsname.h>
#include "xattrs_anywhere.h"

static int knows_user_attributes(void) {
    struct utsname name;
    int major = 0, minor = 0;
    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 6));
}

static void attribute_errors(const char *file, int fd, const char *prefix) {
    static char large[65537], name[300];
    char some[64], value[8], *volatile nowhere = (char *)16;
    snprintf(some, sizeof some, "%ssome", prefix);
    memset(name, 'n', sizeof name - 1);
    memcpy(name, prefix, strlen(prefix));
    CHECK(FAILS(setxattr(file, name, "x", 1, 0), ERANGE) && FAILS(setxattr(file, "", "x", 1, 0), ERANGE) && FAILS(getxattr(file, name, value, 1), ERANGE));
    name[255] = 0;
    CHECK(setxattr(file, name, "x", 1, 0) == 0 && getxattr(file, name, value, 8) == 1 && removexattr(file, name) == 0);
    CHECK(FAILS(setxattr(file, prefix, "x", 1, 0), EINVAL) && FAILS(setxattr(file, some, large, sizeof large, 0), E2BIG));
    large[65535] = 'e';
    CHECK(setxattr(file, some, large, 65536, 0) == 0 && FAILS(getxattr(file, some, value, 8), ERANGE));
    large[65535] = 0;
    CHECK(getxattr(file, some, large, sizeof large) == 65536 && large[65535] == 'e' && removexattr(file, some) == 0);
    CHECK(FAILS(setxattr(file, some, nowhere, 5, 0), EFAULT) && FAILS(setxattr(file, nowhere, "x", 1, 0), EFAULT));
    CHECK(FAILS(setxattr("/tmp/none", some, "x", 1, 0), ENOENT) && FAILS(fsetxattr(-1, some, "x", 1, 0), EBADF));
    int path = open(file, O_PATH);
    CHECK(FAILS(fgetxattr(path, some, value, 1), EBADF) && FAILS(flistxattr(path, value, 1), EBADF) && close(path) == 0);
    static const char *const unknown[] = {"other.name", "user", "noprefix", "system.other"};
    for (int i = 0; i < 4; i++) CHECK(FAILS(setxattr(file, unknown[i], "x", 1, 0), EOPNOTSUPP) && FAILS(getxattr(file, unknown[i], value, 1), EOPNOTSUPP));
    CHECK(FAILS(fsetxattr(fd, "system.other", "x", 1, 0), EOPNOTSUPP));
}

static void attribute_rights(const char *file, int fd, int has_user) {
    char value[8], list[64];
    CHECK(setxattr(file, "trusted.t", "x", 1, 0) == 0 && setxattr(file, "security.s", "x", 1, 0) == 0 && chmod(file, 0644) == 0);
    CHECK(symlink("file", "/tmp/x/link") == 0 && mkfifo("/tmp/x/fifo", 0666) == 0 && mkdir("/tmp/x/sticky", 01777) == 0 && chmod("/tmp/x/sticky", 01777) == 0);
    CHECK(getxattr("/tmp/x/link", "trusted.t", value, 8) == 1 && FAILS(lgetxattr("/tmp/x/link", "trusted.t", value, 8), ENODATA));
    CHECK(lsetxattr("/tmp/x/link", "trusted.t", "link", 4, 0) == 0 && lgetxattr("/tmp/x/link", "trusted.t", value, 8) == 4 && getxattr(file, "trusted.t", value, 8) == 1);
    CHECK(FAILS(lsetxattr("/tmp/x/link", "user.u", "x", 1, 0), EPERM) && FAILS(lgetxattr("/tmp/x/link", "user.u", value, 1), ENODATA));
    CHECK(FAILS(setxattr("/tmp/x/fifo", "user.u", "x", 1, 0), EPERM));
    if (has_user) CHECK(setxattr(file, "user.u", "mine", 4, 0) == 0 && setxattr("/tmp/x", "user.u", "x", 1, 0) == 0 && removexattr("/tmp/x", "user.u") == 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK(FAILS(getxattr(file, "trusted.t", value, 8), ENODATA) && FAILS(setxattr(file, "trusted.t", "y", 1, 0), EPERM) && FAILS(removexattr(file, "trusted.t"), EPERM));
        CHECK(getxattr(file, "security.s", value, 8) == 1);
        // Linux 6.1 with the LSM of BPF forgets to ask.
        if (has_user) CHECK(FAILS(setxattr(file, "security.s", "y", 1, 0), EPERM) && FAILS(removexattr(file, "security.s"), EPERM));
        CHECK(FAILS(setxattr(file, "user.u", "y", 1, 0), EACCES) && FAILS(setxattr("/tmp/x/sticky", "user.u", "y", 1, 0), EPERM));
        ssize_t len = listxattr(file, list, sizeof list);
        int count;
        CHECK(!listed(list, len, "trusted.t", &count) && listed(list, len, "security.s", &count) && count == 1 + has_user);
        if (has_user) CHECK(getxattr(file, "user.u", value, 8) == 4);
        end_child();
    }
    CHECK(child_passed(child) && flistxattr(fd, NULL, 0) == 21 + has_user * 7);
}

static void attributes(void) {
    char value[8], name[32];
    static char large[65536];
    const char *file = "/tmp/x/file";
    int has_user = knows_user_attributes();
    CHECK(mkdir("/tmp/x", 0755) == 0 && mount("x", "/tmp/x", "tmpfs", 0, "size=1m") == 0);
    int fd = open(file, O_RDWR | O_CREAT, 0600);
    static const char *const prefixes[] = {"trusted.", "security.", "user."};
    for (int i = 0; i < 2 + has_user; i++) attributes_of(file, fd, prefixes[i]), attribute_errors(file, fd, prefixes[i]);
    attribute_rights(file, fd, has_user);
    // They stay with the file through its names, and through a remount that lets nobody change them.
    CHECK(rename(file, "/tmp/x/other") == 0 && link("/tmp/x/other", file) == 0 && unlink("/tmp/x/other") == 0 && getxattr(file, "trusted.t", value, 8) == 1);
    close(fd);
    CHECK(mount("x", "/tmp/x", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK(FAILS(setxattr(file, "trusted.t", "y", 1, 0), EROFS) && FAILS(removexattr(file, "trusted.t"), EROFS) && getxattr(file, "trusted.t", value, 8) == 1);
    CHECK(mount("x", "/tmp/x", NULL, MS_REMOUNT, NULL) == 0);
    struct utsname system;
    if (uname(&system) == 0 && strstr(system.release, "holstein")) {
        // Here they take of what the file system holds, and give it back.
        int count = 0;
        for (int round = 0; round < 3; round++) {
            int made = 0;
            do snprintf(name, sizeof name, "user.%d", made);
            while (setxattr(file, name, large, sizeof large, 0) == 0 && ++made < 100);
            CHECK(errno == ENOSPC && made >= 10 && made < 17 && (round == 0 || made == count));
            count = made;
            if (round == 0) for (int i = 0; i < made; i++) snprintf(name, sizeof name, "user.%d", i), CHECK(removexattr(file, name) == 0);
            if (round == 1) CHECK(unlink(file) == 0 && (fd = open(file, O_RDWR | O_CREAT, 0644)) >= 0 && setxattr(file, "trusted.t", "x", 1, 0) == 0 && close(fd) == 0);
        }
    }
    CHECK(FAILS(setxattr("/proc/self/status", "trusted.t", "x", 1, 0), EOPNOTSUPP) && listxattr("/proc/self/status", value, 8) == 0);
    CHECK(umount("/tmp/x") == 0);
}
