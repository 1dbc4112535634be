// Extended attributes wherever there are some: xattr(7).
#pragma once
#include <sys/xattr.h>

// The list holds the name, and how many names it holds.
static int listed(const char *list, ssize_t len, const char *name, int *count) {
    int found = 0;
    *count = 0;
    for (const char *at = list; at < list + len; at += strlen(at) + 1) {
        found |= strcmp(at, name) == 0;
        ++*count;
    }
    return found;
}

// What is the same for all attributes that the caller may use.
static void attributes_of(const char *file, int fd, const char *prefix) {
    char first[64], second[64], value[16], list[256];
    int count;
    snprintf(first, sizeof first, "%sfirst", prefix), snprintf(second, sizeof second, "%ssecond", prefix);
    CHECK(FAILS(getxattr(file, first, value, sizeof value), ENODATA) && FAILS(removexattr(file, first), ENODATA));
    CHECK(FAILS(setxattr(file, first, "abc", 3, XATTR_REPLACE), ENODATA) && setxattr(file, first, "abc", 3, XATTR_CREATE) == 0);
    CHECK(FAILS(setxattr(file, first, "abc", 3, XATTR_CREATE), EEXIST) && FAILS(setxattr(file, first, "abc", 3, 4), EINVAL));
    CHECK(getxattr(file, first, value, sizeof value) == 3 && memcmp(value, "abc", 3) == 0 && getxattr(file, first, NULL, 0) == 3);
    CHECK(FAILS(getxattr(file, first, value, 2), ERANGE) && lgetxattr(file, first, value, 3) == 3 && fgetxattr(fd, first, value, 3) == 3);
    CHECK(fsetxattr(fd, first, "longer value", 12, XATTR_REPLACE) == 0 && getxattr(file, first, value, sizeof value) == 12);
    CHECK(lsetxattr(file, second, NULL, 0, 0) == 0 && getxattr(file, second, value, sizeof value) == 0);
    ssize_t len = listxattr(file, list, sizeof list);
    CHECK(len == (ssize_t)(strlen(first) + strlen(second) + 2) && listed(list, len, first, &count) && listed(list, len, second, &count) && count == 2);
    CHECK(flistxattr(fd, NULL, 0) == len && FAILS(llistxattr(file, list, (size_t)len - 1), ERANGE));
    CHECK(fremovexattr(fd, first) == 0 && FAILS(fgetxattr(fd, first, value, 1), ENODATA) && lremovexattr(file, second) == 0 && listxattr(file, list, sizeof list) == 0);
}
