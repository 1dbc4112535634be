// A QEMU plugin (`-plugin line.so,nanos=N,counter=FILE`) that gives the PL011 a line: QEMU's own sends a byte in no time.
//
// A store of the kernel to DR waits until the byte has room in a FIFO of 32 bytes that leave one each N nanoseconds. The processor
// stands still meanwhile, outside of all locks of QEMU, as one does that polls FR. How many bytes the kernel has read from DR is kept
// in the first eight bytes of FILE, for whoever types (`tests/src/line.rs`).
//
// QEMU's header is in no package that this project asks for: what is used of it is declared here (qemu-plugin.h, version 2).
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { FIFO = 32, READ = 1, WRITE = 2 };

typedef uint64_t plugin_id;
typedef uint32_t access_info;
struct block;
struct insn;
struct address;
typedef void on_access(unsigned cpu, access_info info, uint64_t address, void *data);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*call)(plugin_id id, struct block *block));
extern size_t qemu_plugin_tb_n_insns(const struct block *block);
extern struct insn *qemu_plugin_tb_get_insn(const struct block *block, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct insn *insn);
extern void qemu_plugin_register_vcpu_mem_cb(struct insn *insn, on_access *call, int flags, int kinds, void *data);
extern bool qemu_plugin_mem_is_store(access_info info);
extern struct address *qemu_plugin_get_hwaddr(access_info info, uint64_t address);
extern bool qemu_plugin_hwaddr_is_io(const struct address *address);
extern const char *qemu_plugin_hwaddr_device_name(const struct address *address);

__attribute__((visibility("default"))) int qemu_plugin_version = 2;

static uint64_t byte_nanos;
static _Atomic uint64_t *bytes_read;
// When the byte that was stored last has left the line. The kernel's console has a lock: one processor stores at a time.
static uint64_t last_leaves;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void sleep_until(uint64_t at)
{
    struct timespec time = {.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void send(void)
{
    uint64_t start = now();
    last_leaves = (last_leaves > start ? last_leaves : start) + byte_nanos;
    if (last_leaves > start + FIFO * byte_nanos)
        sleep_until(last_leaves - FIFO * byte_nanos);
}

static void look(unsigned cpu, access_info info, uint64_t address, void *data)
{
    (void)cpu;
    (void)data;
    // DR is the first word of its page.
    if (address % 4096 != 0)
        return;
    struct address *hardware = qemu_plugin_get_hwaddr(info, address);
    if (!hardware || !qemu_plugin_hwaddr_is_io(hardware) ||
        strcmp(qemu_plugin_hwaddr_device_name(hardware), "pl011") != 0)
        return;
    if (qemu_plugin_mem_is_store(info))
        send();
    else
        ++*bytes_read;
}

static void translate(plugin_id id, struct block *block)
{
    (void)id;
    for (size_t at = 0; at < qemu_plugin_tb_n_insns(block); at++) {
        struct insn *insn = qemu_plugin_tb_get_insn(block, at);
        // Programs have no devices.
        if (qemu_plugin_insn_vaddr(insn) >> 63)
            qemu_plugin_register_vcpu_mem_cb(insn, look, 0, READ | WRITE, NULL);
    }
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int count, char **words)
{
    (void)info;
    const char *path = NULL;
    for (int at = 0; at < count; at++) {
        if (strncmp(words[at], "nanos=", 6) == 0)
            byte_nanos = strtoull(words[at] + 6, NULL, 10);
        else if (strncmp(words[at], "counter=", 8) == 0)
            path = words[at] + 8;
    }
    int file = path ? open(path, O_RDWR) : -1;
    if (byte_nanos == 0 || file < 0)
        return -1;
    void *shared = mmap(NULL, sizeof *bytes_read, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED)
        return -1;
    bytes_read = shared;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
