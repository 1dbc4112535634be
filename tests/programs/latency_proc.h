// Texts of /proc that show long lists: one byte of each.
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

static void read_maps(void) { read_byte_of("/proc/self/maps"); }
static void read_smaps(void) { read_byte_of("/proc/self/smaps"); }
static void read_smaps_rollup(void) { read_byte_of("/proc/self/smaps_rollup"); }
static void read_translation(void) { read_byte_of("/proc/self/translation"); }

#define PROC_ROWS \
    {"maps_30000_areas", make_areas, read_maps, 0}, \
    {"smaps_30000_areas", make_areas, read_smaps, 0}, \
    {"smaps_rollup_128m", reserve_dense, read_smaps_rollup, 0}, \
    {"translation_128m", reserve_dense, read_translation, 0}
