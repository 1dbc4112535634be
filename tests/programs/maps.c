// mmap and its family, brk, and what a process may not touch.
#include "check.h"
#include "faults.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE 4096
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static volatile char *map(size_t pages, int protection) {
    return mmap(NULL, pages * PAGE, protection, ANONYMOUS, -1, 0);
}

// A pointer that the compiler knows nothing about.
static void *opaque(unsigned long address) {
    __asm__("" : "+r"(address));
    return (void *)address;
}

static int is_fault(int signal, int code, volatile void *address) {
    return seen.si_signo == signal && seen.si_code == code && seen.si_addr == address;
}

static void anonymous_memory(void) {
    volatile char *memory = map(1000, PROT_READ | PROT_WRITE);
    int sum = 0;
    for (int page = 0; page < 1000; page++) sum += memory[page * PAGE + 5];
    CHECK(sum == 0);
    for (int page = 0; page < 1000; page += 3) memory[page * PAGE] = page;
    for (int page = 0; page < 1000; page++) sum += memory[page * PAGE] != (page % 3 ? 0 : (char)page);
    CHECK(sum == 0);
    CHECK(munmap((void *)(memory + 10 * PAGE), 100 * PAGE) == 0);
    CHECK(TOUCH(memory[10 * PAGE]) == SIGSEGV && is_fault(SIGSEGV, SEGV_MAPERR, memory + 10 * PAGE));
    CHECK(TOUCH(memory[110 * PAGE] = 1) == 0);
    CHECK(munmap((void *)memory, 1000 * PAGE) == 0);
}

static void protections(void) {
    volatile char *memory = map(3, PROT_READ | PROT_WRITE);
    memory[PAGE + 8] = 8;
    CHECK(mprotect((void *)(memory + PAGE), PAGE, PROT_READ) == 0);
    CHECK(memory[PAGE + 8] == 8);
    CHECK(TOUCH(memory[PAGE + 8] = 9) == SIGSEGV && is_fault(SIGSEGV, SEGV_ACCERR, memory + PAGE + 8));
    CHECK(TOUCH(memory[2 * PAGE] = 9) == 0);
    CHECK(mprotect((void *)(memory + PAGE), PAGE, PROT_NONE) == 0);
    CHECK(TOUCH(memory[PAGE + 8]) == SIGSEGV && is_fault(SIGSEGV, SEGV_ACCERR, memory + PAGE + 8));
    CHECK(mprotect((void *)(memory + PAGE), PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK(memory[PAGE + 8] == 8);
    CHECK(TOUCH(memory[PAGE + 8] = 9) == 0 && memory[PAGE + 8] == 9);
    CHECK(mprotect((void *)(memory + 4), PAGE, PROT_READ) == -1 && errno == EINVAL);
    munmap((void *)memory, 3 * PAGE);
}

// mprotect(2) changes what lies before a hole, and then fails.
static void protection_up_to_a_hole(void) {
    volatile char *memory = map(4, PROT_READ | PROT_WRITE);
    CHECK(munmap((void *)(memory + 2 * PAGE), PAGE) == 0);
    CHECK(mprotect((void *)memory, 4 * PAGE, PROT_READ) == -1 && errno == ENOMEM);
    CHECK(TOUCH(memory[PAGE] = 1) == SIGSEGV && is_fault(SIGSEGV, SEGV_ACCERR, memory + PAGE));
    CHECK(TOUCH(memory[3 * PAGE] = 1) == 0);
    CHECK(mprotect((void *)(memory + 2 * PAGE), 2 * PAGE, PROT_NONE) == -1 && errno == ENOMEM);
    CHECK(TOUCH(memory[3 * PAGE] = 2) == 0);
    munmap((void *)memory, 4 * PAGE);
}

static void generated_code(void) {
    unsigned *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
    for (unsigned value = 40; value < 44; value++) {
        CHECK(mprotect(code, PAGE, PROT_READ | PROT_WRITE) == 0);
        code[0] = 0x52800000 | value << 5; // mov w0, value
        code[1] = 0xd65f03c0;              // ret
        __builtin___clear_cache((char *)code, (char *)(code + 2));
        CHECK(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
        CHECK(((unsigned (*)(void))code)() == value);
    }
    munmap(code, PAGE);
}

static void moved_and_grown(void) {
    char *memory = (char *)map(16, PROT_READ | PROT_WRITE);
    for (int page = 0; page < 16; page++) memory[page * PAGE] = page + 1;
    char *grown = mremap(memory, 16 * PAGE, 4096 * PAGE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED);
    for (int page = 0; page < 16; page++) CHECK(grown[page * PAGE] == page + 1);
    CHECK(grown[4095 * PAGE] == 0);
    CHECK(mremap(grown, 4096 * PAGE, 4 * PAGE, 0) == grown);
    CHECK(TOUCH(((volatile char *)grown)[4 * PAGE]) == SIGSEGV);
    munmap(grown, 4 * PAGE);
}

static void fixed_places(void) {
    char *area = (char *)map(8, PROT_NONE);
    char *inner = mmap(area + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(inner == area + 2 * PAGE);
    inner[0] = 1;
    CHECK(mmap(area, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
    CHECK(mmap(NULL, 0, PROT_READ, ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, 1UL << 46, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    munmap(area, 8 * PAGE);
}

static void files_mapped(void) {
    int file = open("/tmp-mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char text[PAGE];
    memset(text, 'a', PAGE);
    CHECK(write(file, text, PAGE) == PAGE && write(file, "tail", 4) == 4);
    volatile char *private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    CHECK(private != MAP_FAILED);
    CHECK(private[0] == 'a' && private[PAGE] == 't' && private[PAGE + 4] == 0);
    private[0] = 'b';
    CHECK(pread(file, text, 1, 0) == 1 && text[0] == 'a');
    CHECK(TOUCH(private[2 * PAGE]) == SIGBUS && is_fault(SIGBUS, BUS_ADRERR, private + 2 * PAGE));
    munmap((void *)private, 3 * PAGE);
    close(file);
    CHECK(unlink("/tmp-mapped") == 0);
}

static void heap(void) {
    void *start = sbrk(0);
    CHECK(sbrk(100 * PAGE) == start);
    memset(start, 7, 100 * PAGE);
    CHECK(sbrk(-100 * PAGE) == (char *)start + 100 * PAGE);
    CHECK(sbrk(0) == start);
    for (int round = 0; round < 50; round++) {
        char *blocks[40];
        for (int i = 0; i < 40; i++) blocks[i] = memset(malloc((i + 1) * 5000), i, (i + 1) * 5000);
        for (int i = 0; i < 40; i++) {
            CHECK(blocks[i][0] == i && blocks[i][(i + 1) * 5000 - 1] == i);
            free(blocks[i]);
        }
    }
}

static int depth_of(int levels) {
    volatile char frame[3000];
    frame[0] = levels;
    return levels == 0 ? 0 : 1 + depth_of(levels - 1) + frame[0] * 0;
}

static int endless(int n) {
    volatile char frame[1000];
    frame[0] = n;
    return n < 0 ? 0 : endless(n + 1) + frame[0];
}

static void stack(void) {
    CHECK(depth_of(2000) == 2000);
    CHECK(TOUCH(endless(0)) == SIGSEGV);
}

static void kernel_and_bad_pointers(void) {
    volatile char *kernel = opaque(0xffffff8040000000);
    CHECK(TOUCH(*kernel) == SIGSEGV);
    CHECK(TOUCH(*(volatile char *)opaque(0)) == SIGSEGV && is_fault(SIGSEGV, SEGV_MAPERR, NULL));
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    CHECK(write(pipes[1], (void *)kernel, 8) == -1 && errno == EFAULT);
    CHECK(write(pipes[1], opaque(8), 8) == -1 && errno == EFAULT);
    CHECK(write(pipes[1], "12345678", 8) == 8);
    CHECK(read(pipes[0], (void *)kernel, 8) == -1 && errno == EFAULT);
    volatile char *half = map(2, PROT_READ | PROT_WRITE);
    CHECK(mprotect((void *)(half + PAGE), PAGE, PROT_NONE) == 0);
    int file = open("/tmp-short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(write(file, (void *)(half + PAGE - 10), 20) == 10);
    struct iovec parts[2] = {{(void *)half, 5}, {(void *)(half + PAGE), 5}};
    CHECK(writev(file, parts, 2) == 5);
    CHECK(pread(file, (void *)(half + PAGE - 4), 8, 0) == 4);
    close(file);
    unlink("/tmp-short");
    CHECK(execve((void *)kernel, opaque(0), opaque(0)) == -1 && errno == EFAULT);
    char entries[512];
    int folder = open("/", O_RDONLY | O_DIRECTORY);
    CHECK(syscall(SYS_getdents64, folder, kernel, sizeof entries) == -1 && errno == EFAULT);
    CHECK(lseek(folder, 0, SEEK_CUR) == 0);
    CHECK(syscall(SYS_getdents64, folder, entries, sizeof entries) > 0);
    close(folder);
    close(pipes[0]);
    close(pipes[1]);
}

static void memory_limit(void) {
    struct rlimit limit = {64 << 20, 64 << 20};
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        CHECK(mmap(NULL, 128 << 20, PROT_READ, ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
        CHECK(malloc(100 << 20) == NULL);
        end_child();
    }
    CHECK(child_passed(child));
}

#include "maps_advice.h"
#include "maps_forked.h"
#include "maps_locked.h"
#include "maps_moved.h"
#include "maps_others.h"
#include "maps_stack.h"

static void checks(void) {
    static char alternate[64 << 10];
    stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK(sigaltstack(&other, NULL) == 0);
    CHECK(catch_faults(SA_ONSTACK));
    // First, for the stack has hardly grown yet.
    stack_limits();
    anonymous_memory();
    protections();
    protection_up_to_a_hole();
    generated_code();
    moved_and_grown();
    fixed_places();
    files_mapped();
    heap();
    stack();
    kernel_and_bad_pointers();
    memory_limit();
    advice();
    locked();
    moves();
    forked_areas();
    others_memory();
}

int main(void) { return run_as_init("maps", checks); }
