// Calls on large directories, deep trees, long paths, and many mounts.
#pragma once
#include "latency_files.h"
#include <dirent.h>
#include <sys/syscall.h>

enum { ENTRIES_OF_FOLDER = 20000, MOUNTS = 400 };
static int folder;

static void fill_folder(void) {
    char name[32];
    enter_fresh_folder();
    CHECK(mkdir("full", 0755) == 0);
    for (int i = 0; i < ENTRIES_OF_FOLDER; i++) {
        snprintf(name, sizeof name, "full/%d", i);
        if (i == 0) CHECK(close(open(name, O_CREAT | O_WRONLY, 0644)) == 0);
        else if (link("full/0", name) != 0) CHECK(!"link");
    }
    folder = open("full", O_RDONLY | O_DIRECTORY);
}

static void list_folder(void) {
    static char entries[2 * MIB];
    int calls = 0;
    while (syscall(SYS_getdents64, folder, entries, sizeof entries) > 0) calls++;
    CHECK(calls > 0);
}

static void remove_full_folder(void) { CHECK(rmdir("full") == -1 && errno == ENOTEMPTY); }
static void move_full_folder(void) { CHECK(rename("full", "moved") == 0); }

static void mount_full_folder(void) {
    char name[32];
    enter_fresh_folder();
    CHECK(mkdir("full", 0755) == 0 && mount("none", "full", "tmpfs", 0, "size=256m") == 0);
    for (int i = 0; i < ENTRIES_OF_FOLDER; i++) {
        snprintf(name, sizeof name, "full/%d", i);
        if (close(open(name, O_CREAT | O_WRONLY, 0644)) != 0) CHECK(!"create");
    }
}

static void unmount_full_folder(void) { CHECK(umount("full") == 0); }

static void descend_beside(void) {
    descend();
    CHECK(mkdir("/tmp/moved", 0755) == 0);
}

// The tree is climbed, for a folder must not get into itself.
static void move_into_depth(void) { CHECK(rename("/tmp/moved", "moved") == 0); }

static void look_up_long_path(void) {
    static char path[4096];
    struct stat found;
    memset(path, '/', sizeof path - 1);
    for (int at = 0; at + 7 < (int)sizeof path - 8; at += 7) memcpy(path + at, "/tmp/..", 7);
    CHECK(stat(path, &found) == 0);
}

static void mount_many(void) {
    char name[32];
    enter_fresh_folder();
    for (int i = 0; i < MOUNTS; i++) {
        snprintf(name, sizeof name, "%d", i);
        CHECK(mkdir(name, 0755) == 0 && mount("none", name, "tmpfs", 0, NULL) == 0);
    }
}

static void unmount_many(void) {
    char name[32];
    for (int i = 0; i < MOUNTS; i++) {
        snprintf(name, sizeof name, "%d", i);
        CHECK(umount(name) == 0);
    }
}

static void read_mounts(void) {
    static char text[MIB];
    int file = open("/proc/self/mountinfo", O_RDONLY);
    while (read(file, text, sizeof text) > 0) {}
    close(file);
    unmount_many();
}

#define NAME_ROWS \
    {"getdents_20000", fill_folder, list_folder, 1}, \
    {"rmdir_20000", fill_folder, remove_full_folder, 1}, \
    {"rename_20000", fill_folder, move_full_folder, 1}, \
    {"umount_20000", mount_full_folder, unmount_full_folder, 0}, \
    {"rename_to_depth_5300", descend_beside, move_into_depth, 1}, \
    {"stat_4096_bytes", NULL, look_up_long_path, 1}, \
    {"mountinfo_400", mount_many, read_mounts, 1}
