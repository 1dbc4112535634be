// Every byte after every operation: memory whose contents are known by a formula, so many random operations on it, and behind each of
// them all bytes are compared, by the process, by its children and by what it executes. Arguments: operations, seed.
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 96, THREADS = 4, ADDS = 400 };

static uint8_t *arena;
// What the formula makes of each page: its number and how often it was written, or zeros; and whether it may be written.
static uint32_t versions[PAGES];
static uint64_t state;
static const char *self;
static long operations = 300;

static uint32_t below(uint32_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % limit;
}

// Eight bytes of a page of this version. Version 0 is zeros.
static uint64_t word(uint32_t page, uint32_t version, uint32_t index) {
    if (version == 0) return 0;
    uint64_t x = ((uint64_t)page << 40 ^ (uint64_t)version << 16 ^ index) * 0x9E3779B97F4A7C15u;
    return x ^ x >> 29;
}

static void fill(uint8_t *at, uint32_t page, uint32_t version) {
    for (uint32_t index = 0; index < PAGE / 8; index++) ((uint64_t *)at)[index] = word(page, version, index);
}

static int is_right(const uint8_t *at, uint32_t page, uint32_t version) {
    for (uint32_t index = 0; index < PAGE / 8; index++)
        if (((const volatile uint64_t *)at)[index] != word(page, version, index)) return 0;
    return 1;
}

static int all_right(const char *after) {
    for (uint32_t page = 0; page < PAGES; page++)
        if (!is_right(arena + page * PAGE, page, versions[page])) {
            printf("page %u of version %u is wrong after %s\n", page, versions[page], after);
            return 0;
        }
    return 1;
}

static void write_page(uint32_t page) {
    static uint32_t next = 1;
    versions[page] = next++;
    fill(arena + page * PAGE, page, versions[page]);
}

// A store that changes nothing, but makes a page that is shared the process's own: all its other bytes are a copy.
static void touch_page(uint32_t page) {
    volatile uint64_t *at = (volatile uint64_t *)(arena + page * PAGE) + below(PAGE / 8);
    *at = *at;
    CHECK(is_right(arena + page * PAGE, page, versions[page]));
}

static void write_some(void) {
    for (uint32_t left = 1 + below(12); left > 0; left--) {
        uint32_t page = below(PAGES);
        touch_page(page);
        if (below(2)) write_page(page);
    }
}

// A part of the arena: its first page and how many.
static uint32_t part(uint32_t *first) {
    *first = below(PAGES);
    return 1 + below(PAGES - *first);
}

static void forget(uint32_t first, uint32_t pages) {
    for (uint32_t page = first; page < first + pages; page++) versions[page] = 0;
}

static void unmap(void) {
    uint32_t first, pages = part(&first);
    uint8_t *at = arena + first * PAGE;
    CHECK(munmap(at, pages * PAGE) == 0);
    CHECK(mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
    forget(first, pages);
}

static void drop(void) {
    uint32_t first, pages = part(&first);
    CHECK(madvise(arena + first * PAGE, pages * PAGE, MADV_DONTNEED) == 0);
    forget(first, pages);
}

static void protect(void) {
    uint32_t first, pages = part(&first);
    uint8_t *at = arena + first * PAGE;
    if (below(2)) CHECK(mprotect(at, pages * PAGE, PROT_NONE) == 0);
    CHECK(mprotect(at, pages * PAGE, PROT_READ) == 0);
    CHECK(all_right("mprotect to read-only"));
    CHECK(mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE) == 0);
    write_page(first);
}

// The whole arena moves elsewhere; or a part of it away and back.
static void move(void) {
    uint8_t *place = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(place != MAP_FAILED);
    uint32_t first, pages = part(&first);
    uint8_t *at = arena + first * PAGE;
    CHECK(mremap(at, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
    for (uint32_t page = 0; page < pages; page++)
        CHECK(is_right(place + page * PAGE, first + page, versions[first + page]));
    CHECK(mremap(place, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
    munmap(place, PAGES * PAGE);
}

static void copy(void) {
    uint32_t from = below(PAGES), to = below(PAGES);
    if (from == to) return;
    memcpy(arena + to * PAGE, arena + from * PAGE, PAGE);
    CHECK(is_right(arena + to * PAGE, from, versions[from]));
    write_page(to);
}

static volatile uint32_t signalled_page;

static void on_signal(int number) {
    (void)number;
    write_page(signalled_page);
}

static void take_signal(void) {
    signalled_page = below(PAGES);
    raise(SIGUSR1);
}

// Two instructions, `mov w0, #value` and `ret`, written over what stood there.
static int patched(uint32_t *code, uint32_t value) {
    code[0] = 0x52800000 | value << 5;
    code[1] = 0xd65f03c0;
    __builtin___clear_cache((char *)code, (char *)(code + 2));
    return ((int (*)(void))(uintptr_t)code)() == (int)value;
}

static void patch_code(void) {
    uint32_t *code =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    CHECK(patched(code, 1 + below(1000)));
    CHECK(patched(code, 1001));
    pid_t child = start_child();
    if (child == 0) {
        CHECK(((int (*)(void))(uintptr_t)code)() == 1001);
        CHECK(patched(code, 1002));
        end_child();
    }
    CHECK(patched(code, 1003));
    CHECK(child_passed(child));
    CHECK(((int (*)(void))(uintptr_t)code)() == 1003);
    munmap(code, PAGE);
}

// Threads write a quarter of each page each, all at once, and add to counters in one line of the last page.
static pthread_barrier_t together;
static uint32_t common_version;
static uint64_t *counters;

static void *write_quarters(void *argument) {
    uint32_t who = (uint32_t)(uintptr_t)argument;
    pthread_barrier_wait(&together);
    for (uint32_t page = 0; page < PAGES; page++)
        for (uint32_t index = who; index < PAGE / 8; index += THREADS)
            ((uint64_t *)(arena + page * PAGE))[index] = word(page, common_version, index);
    for (int add = 0; add < ADDS; add++) {
        __atomic_fetch_add(&counters[0], 1, __ATOMIC_ACQ_REL);
        counters[1 + who]++;
    }
    return NULL;
}

static void write_together(void) {
    pthread_t threads[THREADS];
    counters = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    common_version = 1u << 30 | below(1 << 20);
    pthread_barrier_init(&together, NULL, THREADS);
    for (uintptr_t who = 0; who < THREADS; who++)
        CHECK(pthread_create(&threads[who], NULL, write_quarters, (void *)who) == 0);
    for (int who = 0; who < THREADS; who++) pthread_join(threads[who], NULL);
    for (uint32_t page = 0; page < PAGES; page++) versions[page] = common_version;
    CHECK(counters[0] == THREADS * ADDS);
    for (int who = 0; who < THREADS; who++) CHECK(counters[1 + who] == ADDS);
    pthread_barrier_destroy(&together);
    munmap(counters, PAGE);
}

// The same arena in a file, which another program maps and compares.
static void execute(void) {
    int file = memfd_create("bytes", 0);
    CHECK(write(file, versions, sizeof versions) == sizeof versions && lseek(file, PAGE, SEEK_SET) == PAGE);
    for (size_t done = 0; done < PAGES * PAGE;) {
        ssize_t wrote = write(file, arena + done, PAGES * PAGE - done);
        CHECK(wrote > 0);
        if (wrote <= 0) break;
        done += (size_t)wrote;
    }
    pid_t child = fork();
    if (child == 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", file);
        execl(self, self, "compare", number, NULL);
        _exit(127);
    }
    CHECK(child_passed(child));
    close(file);
}

static int compare(int file) {
    const uint8_t *all = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    if (all == MAP_FAILED) return 1;
    for (uint32_t page = 0; page < PAGES; page++)
        if (!is_right(all + (page + 1) * PAGE, page, ((const uint32_t *)all)[page])) return 2;
    return 0;
}

// The child looks, writes and looks; the parent meanwhile writes; the child looks once more.
static void fork_and_write(void) {
    int gate[2];
    char byte;
    CHECK(pipe(gate) == 0);
    pid_t child = start_child();
    if (child == 0) {
        close(gate[1]);
        CHECK(all_right("fork, in the child"));
        write_some();
        CHECK(all_right("writes of the child"));
        CHECK(read(gate[0], &byte, 1) == 0);
        CHECK(all_right("writes of the parent, in the child"));
        end_child();
    }
    write_some();
    CHECK(all_right("writes beside a child"));
    close(gate[0]);
    close(gate[1]);
    CHECK(child_passed(child));
}

static const struct {
    const char *name;
    void (*run)(void);
} OPERATIONS[] = {
    {"fork", fork_and_write}, {"writes", write_some},        {"munmap", unmap},      {"madvise", drop},
    {"mprotect", protect},    {"mremap", move},              {"a copy", copy},       {"a signal", take_signal},
    {"patched code", patch_code}, {"threads", write_together}, {"exec", execute},
};

static void checks(void) {
    enum { KINDS = sizeof OPERATIONS / sizeof *OPERATIONS };
    arena = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(arena != MAP_FAILED);
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    for (long done = 0; done < operations; done++) {
        uint32_t kind = done < KINDS ? (uint32_t)done : below(KINDS);
        OPERATIONS[kind].run();
        CHECK(all_right(OPERATIONS[kind].name));
    }
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "compare") == 0) return compare(atoi(argv[2]));
    if (argc > 1) operations = atol(argv[1]);
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    state = state * 2654435761u + 88172645463325252u;
    self = argv[0];
    return run_as_init("bytes", checks);
}
