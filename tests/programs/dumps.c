// Core dumps: who leaves one, and what a debugger finds in it.
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { THREADS = 3, MARK = 0x5eed };

static const char *const CORE = "/tmp/dumps/core";
static volatile uint64_t in_data = 0x1122334455667788;
static uint64_t *on_heap, *untouched;
static _Atomic int running;
static pid_t last;

static void limit(rlim_t most) {
    struct rlimit core = {most, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_CORE, &core) == 0);
}

static void *run(void *argument) {
    register uint64_t mark __asm__("x19") = MARK + (uint64_t)argument;
    running++;
    while (running) __asm__ volatile("" : "+r"(mark));
    return NULL;
}

// A child that crashes as told. The status that its parent sees; the child's id is in `last`.
static int crash(void (*prepare)(void), int how) {
    int status = -1;
    fflush(stdout);
    last = fork();
    if (last == 0) {
        if (chdir("/tmp/dumps") != 0) _exit(1);
        if (prepare) prepare();
        if (how == SIGSEGV) *(volatile int *)8 = 1;
        kill(getpid(), how);
        while (1) pause();
    }
    waitpid(last, &status, 0);
    return status;
}

static int has_core(void) { return access(CORE, F_OK) == 0; }

static void unlimited(void) { limit(RLIM_INFINITY); }
static void secret(void) {
    unlimited();
    prctl(PR_SET_DUMPABLE, 0);
}
static void other_user(void) {
    unlimited();
    if (setgid(1000) != 0 || setuid(1000) != 0) _exit(1);
}
static void other_user_who_may(void) {
    other_user();
    prctl(PR_SET_DUMPABLE, 1);
}
static void small(void) { limit(16384); }
static void tiny(void) { limit(4095); }
static void fill(void) {
    unlimited();
    on_heap = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    untouched = on_heap + 4096;
    on_heap[0] = 0xfeedface;
    for (uint64_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, (void *)i) != 0) _exit(1);
    }
    while (running < THREADS) sched_yield();
}

static void who_leaves_one(void) {
    struct rlimit now;
    CHECK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == RLIM_INFINITY);
    int status = crash(NULL, SIGSEGV);
    CHECK(WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status) && !has_core());
    status = crash(tiny, SIGSEGV);
    CHECK(WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status) && !has_core());
    status = crash(secret, SIGSEGV);
    CHECK(WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status) && !has_core());
    status = crash(other_user, SIGABRT);
    CHECK(WTERMSIG(status) == SIGABRT && !WCOREDUMP(status) && !has_core());
    status = crash(unlimited, SIGTERM);
    CHECK(WTERMSIG(status) == SIGTERM && !WCOREDUMP(status) && !has_core());
    status = crash(other_user_who_may, SIGABRT);
    struct stat core;
    CHECK(WTERMSIG(status) == SIGABRT && WCOREDUMP(status) && stat(CORE, &core) == 0);
    CHECK(core.st_uid == 1000 && core.st_gid == 1000 && (core.st_mode & 07777) == 0600);
    CHECK(unlink(CORE) == 0);
    status = crash(small, SIGQUIT);
    CHECK(WTERMSIG(status) == SIGQUIT && WCOREDUMP(status) && stat(CORE, &core) == 0 && core.st_blocks <= 32);
    // A link is no way to somebody else's file.
    CHECK(unlink(CORE) == 0 && symlink("/tmp/victim", CORE) == 0);
    status = crash(unlimited, SIGSEGV);
    CHECK(WCOREDUMP(status) && lstat(CORE, &core) == 0 && S_ISREG(core.st_mode) && access("/tmp/victim", F_OK) != 0);
    CHECK(unlink(CORE) == 0);
}

// ---- What is in it.

static uint8_t *core;
static size_t core_len;

static const void *at(uint64_t offset, size_t len) {
    static const uint8_t nothing[4096];
    return offset + len <= core_len ? core + offset : nothing;
}

static uint64_t word_at(uint64_t address) {
    const Elf64_Ehdr *header = at(0, sizeof *header);
    const Elf64_Phdr *segments = at(header->e_phoff, sizeof *segments);
    for (int i = 0; i < header->e_phnum; i++) {
        uint64_t offset = address - segments[i].p_vaddr;
        if (segments[i].p_type == PT_LOAD && offset < segments[i].p_filesz) {
            return *(const uint64_t *)at(segments[i].p_offset + offset, 8);
        }
    }
    return ~0ull;
}

static int count_notes(uint32_t wanted, void (*look)(const void *, size_t)) {
    const Elf64_Ehdr *header = at(0, sizeof *header);
    const Elf64_Phdr *notes = at(header->e_phoff, sizeof *notes);
    int count = 0;
    for (uint64_t offset = 0; offset < notes->p_filesz;) {
        const Elf64_Nhdr *note = at(notes->p_offset + offset, sizeof *note);
        uint64_t contents = offset + sizeof *note + ((note->n_namesz + 3) & ~3u);
        if (note->n_type == wanted) {
            count++;
            if (look) look(at(notes->p_offset + contents, note->n_descsz), note->n_descsz);
        }
        offset = contents + ((note->n_descsz + 3) & ~3u);
    }
    return count;
}

static int marks;
static int order;
static void look_at_status(const void *contents, size_t len) {
    const struct elf_prstatus *status = contents;
    CHECK(len == sizeof *status);
    if (order++ == 0) {
        CHECK(status->pr_pid == last && status->pr_cursig == SIGSEGV && status->pr_info.si_signo == SIGSEGV);
    } else {
        CHECK(status->pr_reg[19] >= MARK && status->pr_reg[19] < MARK + THREADS && status->pr_pid != last);
        marks |= 1 << (status->pr_reg[19] - MARK);
    }
    CHECK(status->pr_ppid == getpid());
}
static void look_at_description(const void *contents, size_t len) {
    const struct elf_prpsinfo *about = contents;
    CHECK(len == sizeof *about && about->pr_pid == last && strcmp(about->pr_fname, "init") == 0);
    CHECK(strncmp(about->pr_psargs, "/init", 5) == 0);
}
static void look_at_signal(const void *contents, size_t len) {
    const siginfo_t *info = contents;
    CHECK(len == sizeof *info && info->si_signo == SIGSEGV && info->si_addr == (void *)8);
}
static uint64_t page_size;
static void look_at_vector(const void *contents, size_t len) {
    const Elf64_auxv_t *vector = contents;
    for (size_t i = 0; i < len / sizeof *vector; i++) {
        if (vector[i].a_type == AT_PAGESZ) page_size = vector[i].a_un.a_val;
    }
}
static void look_at_files(const void *contents, size_t len) {
    const uint64_t *words = contents;
    CHECK(words[0] >= 1 && words[1] == 4096 && len > 16 + 24 * words[0]);
    CHECK(strcmp((const char *)(words + 2 + 3 * words[0]), "/init") == 0);
}

static void what_is_in_it(void) {
    int status = crash(fill, SIGSEGV);
    CHECK(WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
    struct stat found = {0};
    int file = open(CORE, O_RDONLY);
    CHECK(file >= 0 && fstat(file, &found) == 0);
    core_len = (size_t)found.st_size;
    core = mmap(NULL, core_len, PROT_READ, MAP_PRIVATE, file, 0);
    CHECK(core != MAP_FAILED);
    // 64 MiB of which one page was touched.
    CHECK(core_len > 64 << 20 && found.st_blocks < (8 << 20) / 512);
    const Elf64_Ehdr *header = at(0, sizeof *header);
    CHECK(memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_type == ET_CORE && header->e_machine == EM_AARCH64);
    CHECK(word_at((uint64_t)&in_data) == 0x1122334455667788);
    CHECK(count_notes(NT_PRSTATUS, look_at_status) == 1 + THREADS && marks == (1 << THREADS) - 1);
    CHECK(count_notes(NT_PRFPREG, NULL) == 1 + THREADS && count_notes(0x401, NULL) == 1 + THREADS);
    CHECK(count_notes(NT_PRPSINFO, look_at_description) == 1 && count_notes(NT_SIGINFO, look_at_signal) == 1);
    CHECK(count_notes(NT_AUXV, look_at_vector) == 1 && page_size == 4096);
    CHECK(count_notes(NT_FILE, look_at_files) == 1);
    // Where the child's pointers lie, so do what they point to.
    uint64_t heap = word_at((uint64_t)&on_heap);
    CHECK(word_at(heap) == 0xfeedface && word_at(word_at((uint64_t)&untouched)) == 0);
    munmap(core, core_len);
    close(file);
    CHECK(unlink(CORE) == 0);
}

static void names(void) {
    int pattern = open("/proc/sys/kernel/core_pattern", O_RDWR);
    char text[64] = {0}, name[64];
    CHECK(pattern >= 0 && read(pattern, text, sizeof text) == 5 && strcmp(text, "core\n") == 0);
    CHECK(pwrite(pattern, "/tmp/dumps/c.%p.%s.%u.%e.%%\n", 28, 0) == 28);
    int status = crash(unlimited, SIGABRT);
    CHECK(WCOREDUMP(status));
    sprintf(name, "/tmp/dumps/c.%d.6.0.init.%%", last);
    CHECK(unlink(name) == 0);
    CHECK(pwrite(pattern, "core\n", 5, 0) == 5);
    close(pattern);
}

static void checks(void) {
    CHECK(mkdir("/tmp/dumps", 0777) == 0 && chmod("/tmp/dumps", 0777) == 0);
    who_leaves_one();
    what_is_in_it();
    names();
}

int main(void) { return run_as_init("dumps", checks); }
