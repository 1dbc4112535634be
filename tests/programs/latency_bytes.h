// Calls that move, make or drop many bytes.
#pragma once
#include "latency_memory.h"
#include "latency_files.h"
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { VECTORS = 1024, VECTOR = 32 * KIB, LARGE = 64 * MIB };
static struct iovec vectors[VECTORS];
static int out;

// One and the same piece of memory, as often as it can be listed.
static void list_vectors(void) {
    enter_fresh_folder();
    file = open("big", O_CREAT | O_RDWR, 0644);
    CHECK(unlink("big") == 0);
    char *piece = reserve(VECTOR);
    touch_each(piece, VECTOR, PAGE);
    for (int i = 0; i < VECTORS; i++) vectors[i] = (struct iovec){piece, VECTOR};
}

static void write_vectors(void) { CHECK(writev(file, vectors, VECTORS) == (ssize_t)VECTORS * VECTOR); }

static void fill_vectors(void) {
    list_vectors();
    write_vectors();
    CHECK(lseek(file, 0, SEEK_SET) == 0);
}

static void read_vectors(void) { CHECK(readv(file, vectors, VECTORS) == (ssize_t)VECTORS * VECTOR); }

static void list_bytes(void) {
    list_vectors();
    for (int i = 0; i < VECTORS; i++) vectors[i].iov_len = 1;
    file = open("/dev/null", O_WRONLY);
}

static void write_bytes(void) {
    for (int i = 0; i < 20; i++) CHECK(writev(file, vectors, VECTORS) == VECTORS);
}

static void reserve_large(void) { arena = reserve(LARGE); }
static void ask_random(void) { CHECK(getrandom(arena, 8 * MIB, 0) == 8 * MIB); }

static void read_zeros(void) {
    int zeros = open("/dev/zero", O_RDONLY);
    CHECK(read(zeros, arena, LARGE) == LARGE);
    close(zeros);
}

static void make_file(void) {
    enter_fresh_folder();
    file = open("big", O_CREAT | O_RDWR, 0644);
    out = open("copy", O_CREAT | O_RDWR, 0644);
    CHECK(unlink("big") == 0 && unlink("copy") == 0);
}

static void make_hole(void) {
    make_file();
    CHECK(ftruncate(file, LARGE) == 0);
}

static void read_hole(void) {
    reserve_large();
    CHECK(read(file, arena, LARGE) == LARGE);
}

static void allocate_file(void) { CHECK(fallocate(file, 0, 0, LARGE) == 0); }

static void allocate_first(void) {
    make_file();
    allocate_file();
}

static void punch_file(void) { CHECK(fallocate(file, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, LARGE) == 0); }
static void find_hole(void) { CHECK(lseek(file, 0, SEEK_HOLE) == LARGE); }
static void extend_file(void) { CHECK(ftruncate(file, 1L << 50) == 0 && ftruncate(file, 1) == 0); }
static void send_file(void) { CHECK(sendfile(out, file, NULL, LARGE) == LARGE); }
static void copy_file(void) { CHECK(copy_file_range(file, NULL, out, NULL, LARGE, 0) == LARGE); }
static void sync_all(void) { sync(); }

static void map_file(void) {
    allocate_first();
    arena = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(arena != MAP_FAILED);
    touch_each(arena, LARGE, PAGE);
}

static void sync_map(void) { CHECK(msync(arena, LARGE, MS_SYNC) == 0); }

// A byte for each page.
static unsigned char *residents;

static void map_file_sparse(void) {
    map_file();
    residents = (unsigned char *)reserve(4 * MIB);
    touch_each((char *)residents, 4 * MIB, PAGE);
}

static void ask_file_residents(void) { CHECK(mincore(arena, LARGE, residents) == 0); }

static void reserve_terabyte(void) {
    residents = (unsigned char *)reserve(4 * MIB);
    arena = reserve(16L * GIB);
    touch_each(arena, 16L * GIB, 2 * MIB);
}

static void ask_residents(void) { CHECK(mincore(arena, 16L * GIB, residents) == 0); }

static int pipe_ends[2];

static void make_large_pipe(void) {
    reserve_large();
    touch_each(arena, MIB, PAGE);
    CHECK(pipe(pipe_ends) == 0 && fcntl(pipe_ends[1], F_SETPIPE_SZ, MIB) == MIB);
}

static void fill_large_pipe(void) {
    CHECK(write(pipe_ends[1], arena, MIB) == MIB);
    CHECK(read(pipe_ends[0], arena, MIB) == MIB);
}

static void drop_large_pipe(void) {
    CHECK(write(pipe_ends[1], arena, MIB) == MIB);
    close(pipe_ends[0]), close(pipe_ends[1]);
}

static void crash(void) {
    pid_t child = fork();
    if (child == 0) {
        struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        CHECK(setrlimit(RLIMIT_CORE, &all) == 0 && chdir("/tmp") == 0);
        char *memory = reserve(LARGE);
        touch_each(memory, LARGE, PAGE);
        abort();
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WCOREDUMP(status));
    CHECK(unlink("/tmp/core") == 0);
}

#define BYTE_ROWS \
    {"writev_1024", list_vectors, write_vectors, 1}, \
    {"readv_1024", fill_vectors, read_vectors, 1}, \
    {"writev_1024_bytes", list_bytes, write_bytes, 1}, \
    {"getrandom_8m", reserve_large, ask_random, 1}, \
    {"read_zeros_64m", reserve_large, read_zeros, 1}, \
    {"read_hole_64m", make_hole, read_hole, 1}, \
    {"fallocate_64m", make_file, allocate_file, 1}, \
    {"punch_64m", allocate_first, punch_file, 1}, \
    {"punch_mapped_64m", map_file, punch_file, 1}, \
    {"truncate_mapped_64m", map_file, extend_file, 1}, \
    {"seek_hole_64m", allocate_first, find_hole, 1}, \
    {"truncate_1p", make_file, extend_file, 1}, \
    {"sendfile_64m", allocate_first, send_file, 1}, \
    {"copy_file_range_64m", allocate_first, copy_file, 1}, \
    {"sync", allocate_first, sync_all, 1}, \
    {"msync_64m", map_file, sync_map, 1}, \
    {"mincore_file_64m", map_file_sparse, ask_file_residents, 1}, \
    {"mincore_16g", reserve_terabyte, ask_residents, 1}, \
    {"pipe_1m", make_large_pipe, fill_large_pipe, 1}, \
    {"close_pipe_1m", make_large_pipe, drop_large_pipe, 1}, \
    {"core_64m", NULL, crash, 1}
