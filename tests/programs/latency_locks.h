// Record locks on every second byte.
#pragma once
#include "latency_files.h"

enum { RECORDS = 20000 };

static int lock_bytes(int command, int kind, off_t start, off_t len) {
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    return fcntl(file, command, &lock) == 0 ? lock.l_type : -1;
}

static void take_records(void) {
    enter_fresh_folder();
    file = open("locked", O_CREAT | O_RDWR, 0644);
    for (int i = 0; i < RECORDS; i++)
        if (lock_bytes(F_SETLK, F_WRLCK, 2 * i, 1) < 0) CHECK(!"lock");
}

static void join_records(void) { CHECK(lock_bytes(F_SETLK, F_WRLCK, 0, 0) >= 0); }
static void share_records(void) { CHECK(lock_bytes(F_SETLK, F_RDLCK, 0, 0) >= 0); }
static void drop_records(void) { CHECK(lock_bytes(F_SETLK, F_UNLCK, 0, 0) >= 0); }
static void close_records(void) { CHECK(close(file) == 0); }

// Another process asks for a byte that is free behind all of them, and for one that is not.
static void ask_for_records(void) {
    pid_t child = start_child();
    if (child == 0) {
        CHECK(lock_bytes(F_GETLK, F_WRLCK, 2 * RECORDS + 1, 0) == F_UNLCK);
        CHECK(lock_bytes(F_GETLK, F_WRLCK, 2 * RECORDS - 2, 1) == F_WRLCK);
        end_child();
    }
    CHECK(child_passed(child));
}

static void read_all_locks(void) {
    static char text[64 * KIB];
    int locks = open("/proc/locks", O_RDONLY);
    while (read(locks, text, sizeof text) > 0) {}
    close(locks);
}

#define LOCK_ROWS \
    {"getlk_20000", take_records, ask_for_records, 1}, \
    {"setlk_over_20000", take_records, join_records, 1}, \
    {"setlk_shared_over_20000", take_records, share_records, 1}, \
    {"unlck_20000", take_records, drop_records, 1}, \
    {"close_20000_locks", take_records, close_records, 1}, \
    {"proc_locks_20000", take_records, read_all_locks, 1}
