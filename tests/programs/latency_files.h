// Calls on files and names.
#pragma once
#include "latency.h"
#include <sys/stat.h>

enum { DEPTH = 5300, LINKS = 39, LONG_NAME = 4000, BIG_FILE = 32 * MIB };
static int file;

static void enter_fresh_folder(void) {
    static char name[64];
    snprintf(name, sizeof name, "/tmp/%d", getpid());
    CHECK(mkdir(name, 0755) == 0 && chdir(name) == 0);
}

static void descend(void) {
    enter_fresh_folder();
    for (int i = 0; i < DEPTH; i++)
        if (mkdir("d", 0755) != 0 || chdir("d") != 0) CHECK(!"depth");
}

// Linux says how long the name may be before it says that the caller has no room.
static void ask_where(void) {
    static char name[2 * DEPTH + 100];
    CHECK(getcwd(name, sizeof name) != NULL || errno == ENAMETOOLONG || errno == ERANGE);
}

// Each link's text is long by slashes and dots, and leads to the next.
static void chain_links(void) {
    static char text[LONG_NAME + 1];
    enter_fresh_folder();
    CHECK(close(open("0", O_CREAT | O_WRONLY, 0644)) == 0);
    for (int i = 1; i <= LINKS; i++) {
        char name[16], end[16];
        snprintf(name, sizeof name, "%d", i);
        int length = snprintf(end, sizeof end, "%d", i - 1);
        for (int at = 0; at < LONG_NAME; at += 2) memcpy(text + at, "./", 2);
        memcpy(text + LONG_NAME - length, end, length);
        if (length % 2) text[LONG_NAME - length - 1] = '/';
        CHECK(symlink(text, name) == 0);
    }
}

static void follow_links(void) {
    struct stat found;
    CHECK(stat("39", &found) == 0);
}

static void write_big_file(void) {
    static char block[MIB];
    enter_fresh_folder();
    file = open("big", O_CREAT | O_RDWR, 0644);
    for (int i = 0; i < BIG_FILE / MIB; i++) CHECK(write(file, block, MIB) == MIB);
}

static void close_big_file(void) {
    write_big_file();
    close(file);
}

static void remove_big_file(void) { CHECK(unlink("big") == 0); }
static void truncate_big_file(void) { CHECK(ftruncate(file, 0) == 0); }

#define FILE_ROWS \
    {"getcwd_5300", descend, ask_where, 1}, \
    {"symlinks_39", chain_links, follow_links, 1}, \
    {"unlink_32m", close_big_file, remove_big_file, 1}, \
    {"truncate_32m", write_big_file, truncate_big_file, 1}
