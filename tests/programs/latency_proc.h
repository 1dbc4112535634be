// Texts of /proc that show long lists: one byte of each, the last byte, and all of what is made of many tables and areas.
#pragma once
#include "latency_memory.h"

static void read_byte_of(const char *path) {
    char byte;
    int file = open(path, O_RDONLY);
    // Linux has no such file.
    if (file < 0 && errno == ENOENT) return;
    CHECK(read(file, &byte, 1) == 1);
    close(file);
}

static void read_all_of(const char *path) {
    static char piece[64 * KIB];
    ssize_t len;
    int file = open(path, O_RDONLY);
    if (file < 0 && errno == ENOENT) return;
    while ((len = read(file, piece, sizeof piece)) > 0) {}
    CHECK(len == 0);
    close(file);
}

static void read_maps(void) { read_byte_of("/proc/self/maps"); }
static void read_all_maps(void) { read_all_of("/proc/self/maps"); }
static void read_smaps(void) { read_byte_of("/proc/self/smaps"); }
static void read_all_smaps(void) { read_all_of("/proc/self/smaps"); }
static void read_smaps_rollup(void) { read_byte_of("/proc/self/smaps_rollup"); }
static void read_translation(void) { read_byte_of("/proc/self/translation"); }
static void read_all_translation(void) { read_all_of("/proc/self/translation"); }
static void read_stat(void) { read_byte_of("/proc/self/stat"); }
static void read_status(void) { read_byte_of("/proc/self/status"); }

static void read_pagemap(void) {
    static uint64_t words[32 * KIB];
    int file = open("/proc/self/pagemap", O_RDONLY);
    CHECK(lseek(file, (off_t)((uintptr_t)words / 4096 * 8), SEEK_SET) >= 0);
    CHECK(read(file, words, sizeof words) > 0);
    close(file);
}

#define PROC_ROWS \
    {"maps_30000_areas", make_areas, read_maps, 1}, \
    {"maps_30000_areas_whole", make_areas, read_all_maps, 1}, \
    {"smaps_30000_areas", make_areas, read_smaps, 1}, \
    {"smaps_30000_areas_whole", make_areas, read_all_smaps, 1}, \
    {"smaps_128m", reserve_dense, read_all_smaps, 1}, \
    {"smaps_rollup_128m", reserve_dense, read_smaps_rollup, 1}, \
    {"smaps_rollup_30000_areas", make_areas, read_smaps_rollup, 1}, \
    {"translation_128m", reserve_dense, read_translation, 1}, \
    {"translation_128m_whole", reserve_dense, read_all_translation, 1}, \
    {"stat_30000_areas", make_areas, read_stat, 1}, \
    {"status_128m", reserve_dense, read_status, 1}, \
    {"pagemap", reserve_dense, read_pagemap, 1}
