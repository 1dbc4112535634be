// Much memory that moves to and fro (mremap) while others store to it, fork and look at it by /proc/self/mem: each page is at one of
// the two places at any moment, with what was stored.
#include "check.h"
#include "faults.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096, PAGES = 16384, TABLE = 2 << 20, STORERS = 2, SECONDS = 2 };
static const size_t LEN = (size_t)PAGES * PAGE;

// The two places; a page's words: its number, and a word for each storer.
static char *places[2];
static volatile int is_over;
static _Atomic long stores, misses, forks, looks;
// What each storer stored last to each page.
static uint64_t stored[STORERS][PAGES];

static volatile uint64_t *word(int place, size_t page, int at) {
    return (volatile uint64_t *)(places[place] + page * PAGE) + at;
}
static uint64_t next(uint64_t *state) { return *state = *state * 6364136223846793005ull + 1442695040888963407ull; }

// Whether the page is at that place, with its number or another one.
static int is_at(int place, size_t page) {
    volatile uint64_t number = 0;
    return TOUCH(number = *word(place, page, 0)) == 0 ? number == page + 1 ? 1 : 2 : 0;
}

// Stores a word, or says which signal that brought.
static int try_store(int place, size_t page, int self, uint64_t value) {
    return TOUCH(*word(place, page, self + 1) = value);
}

static void *store(void *argument) {
    int self = (int)(intptr_t)argument, wrong = 0;
    for (uint64_t state = self + 1; !is_over;) {
        uint64_t value = next(&state);
        size_t page = value >> 33 & (PAGES - 1);
        int place = value >> 20 & 1;
        int signal = try_store(place, page, self, value);
        if (signal == 0) stored[self][page] = value;
        *(signal == 0 ? &stores : &misses) += 1;
        wrong += signal != 0 && signal != SIGSEGV;
    }
    CHECK(wrong == 0);
    return NULL;
}

// In a child nothing moves any more: each page is at one place.
static void *fork_children(void *argument) {
    (void)argument;
    while (!is_over) {
        pid_t child = start_child();
        if (child == 0) {
            int wrong = 0;
            for (size_t page = 0; page < PAGES; page += 61) wrong += is_at(0, page) + is_at(1, page) != 1;
            CHECK(wrong == 0);
            end_child();
        }
        CHECK(child_passed(child));
        forks++;
    }
    return NULL;
}

static void *look(void *argument) {
    (void)argument;
    int memory = open("/proc/self/mem", O_RDONLY), wrong = 0;
    CHECK(memory >= 0);
    for (uint64_t state = 7; !is_over; looks++) {
        size_t page = next(&state) >> 33 & (PAGES - 1);
        for (int place = 0; place < 2; place++) {
            uint64_t number = page + 1;
            off_t at = (off_t)(uintptr_t)word(place, page, 0);
            if (pread(memory, &number, sizeof number, at) == sizeof number) wrong += number != page + 1;
        }
    }
    close(memory);
    CHECK(wrong == 0);
    return NULL;
}

// Where tables can move whole (`shift` 0), and where each page has another place in its table.
static void move_to_and_fro(size_t shift) {
    // Reserved, so that no thread's stack comes there.
    char *room = mmap(NULL, 2 * LEN + 3 * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    places[0] = (char *)(((uintptr_t)room + TABLE - 1) & -(uintptr_t)TABLE);
    places[1] = places[0] + LEN + shift;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    CHECK(mmap(places[0], LEN, PROT_READ | PROT_WRITE, flags, -1, 0) == places[0]);
    memset(stored, 0, sizeof stored);
    for (size_t page = 0; page < PAGES; page++) *word(0, page, 0) = page + 1;
    is_over = 0;
    pthread_t threads[STORERS + 2];
    for (intptr_t self = 0; self < STORERS; self++) CHECK(pthread_create(&threads[self], NULL, store, (void *)self) == 0);
    CHECK(pthread_create(&threads[STORERS], NULL, fork_children, NULL) == 0);
    CHECK(pthread_create(&threads[STORERS + 1], NULL, look, NULL) == 0);
    int moves = 0, lost_way = 0;
    for (time_t end = time(NULL) + SECONDS; time(NULL) < end || moves < 4; moves++) {
        char *from = places[moves & 1], *to = places[~moves & 1];
        lost_way += mremap(from, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to;
    }
    is_over = 1;
    for (int i = 0; i < STORERS + 2; i++) pthread_join(threads[i], NULL);
    int wrong = 0, place = moves & 1;
    for (size_t page = 0; page < PAGES; page++) {
        wrong += *word(place, page, 0) != page + 1;
        for (int self = 0; self < STORERS; self++) wrong += *word(place, page, self + 1) != stored[self][page];
    }
    printf("%zu askew: %d moves, %ld stores, %ld misses, %ld forks, %ld looks\n", shift, moves, stores, misses, forks, looks);
    CHECK(lost_way == 0 && wrong == 0);
    CHECK(stores > 0 && misses > 0 && forks > 0 && looks > 0);
    munmap(room, 2 * LEN + 3 * TABLE);
}

static void checks(void) {
    CHECK(catch_faults(SA_NODEFER));
    move_to_and_fro(0);
    move_to_and_fro(PAGE);
}

int main(void) { return run_as_init("moves", checks); }
