// Everything at once on all processors: forks, threads that fork while others write, change rights and unmap, programs
// that replace themselves, groups of threads that are killed. All data is checked, and all memory must come back.
//   storm CASE ROUNDS      CASE: forks, threads, execs, kills, shortage
#include "cores.h"
#include <sys/prctl.h>

static long rounds = 200;
static _Atomic int is_over;
static _Atomic long wrong;

// ---- A tree of processes that all fork, write and look.

enum { TREES = 6, DEPTH = 3, BRANCHES = 3, LEAF_PAGES = 24 };
static char *arena;

static word *leaf(int page) { return word_at(arena, (size_t)page * (page % 3 ? PAGE : TABLE / 4)); }

static int holds(uint64_t mark) {
    for (int page = 0; page < LEAF_PAGES; page++)
        if (look(leaf(page)) != mark + (unsigned)page) return 0;
    return 1;
}
static void fill(uint64_t mark) {
    for (int page = 0; page < LEAF_PAGES; page++) put(leaf(page), mark + (unsigned)page);
}

// Returns the number of processes that this one started, below it too; -1 when something was wrong.
static long grow(int depth, uint64_t mark, uint64_t *seed) {
    pid_t children[BRANCHES];
    long started = 0;
    if (!holds(mark)) return -1;
    for (int i = 0; i < BRANCHES; i++) {
        uint64_t child_seed = next(seed);
        children[i] = bare_fork();
        if (children[i] < 0) return -1;
        if (children[i] == 0) {
            if (!holds(mark)) _exit(255);
            uint64_t own = mark + ((uint64_t)(i + 1) << (16 + 8 * depth));
            if (below(&child_seed, 2)) {
                fill(own);
            } else {
                own = mark;
                put(leaf((int)below(&child_seed, LEAF_PAGES)) + 1, own); // one page only
            }
            long grown = depth > 1 ? grow(depth - 1, own, &child_seed) : 0;
            _exit(grown < 0 || !holds(own) ? 255 : (int)grown);
        }
        if (below(seed, 4) == 0) fill(mark); // the same values: the parent's pages are its own again
    }
    for (int i = 0; i < BRANCHES; i++) {
        int status = -1;
        if (waitpid(children[i], &status, 0) != children[i] || !WIFEXITED(status) || WEXITSTATUS(status) == 255) return -1;
        started += 1 + WEXITSTATUS(status);
    }
    return holds(mark) ? started : -1;
}

static void forks(void) {
    pid_t trees[TREES];
    arena = map_at(NULL, LEAF_PAGES * TABLE / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
    long *counts = map_at(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    fill(1);
    for (int i = 0; i < TREES; i++) {
        trees[i] = bare_fork();
        if (trees[i] != 0) continue;
        uint64_t seed = (uint64_t)i;
        for (long round = 0; round < rounds; round++) {
            long grown = grow(DEPTH, 1, &seed);
            if (grown < 0) _exit(1);
            counts[i] += grown;
        }
        _exit(0);
    }
    long all = 0;
    for (int i = 0; i < TREES; i++) {
        CHECK(ended_well(trees[i]));
        all += counts[i];
    }
    CHECK(all == rounds * TREES * (BRANCHES + BRANCHES * BRANCHES + BRANCHES * BRANCHES * BRANCHES));
    printf("%ld processes\n", all);
    munmap(counts, PAGE);
}

// ---- One process: a thread forks, one writes, one changes rights, one unmaps; children hold all of it meanwhile.

enum { GUARDED = 8, COMING = 8 };
static char *guarded, *_Atomic coming;
static _Atomic unsigned guard_turn; // odd: nothing may change in `guarded`

// Writes where it may or may not. What is written in `guarded` only grows.
static void *write_all(void *argument) {
    (void)argument;
    for (uint64_t value = 1; !is_over; value++) {
        int page = (int)(value % GUARDED);
        try_put(word_at(guarded, (size_t)page * PAGE), value);
        try_put(word_at(coming, (size_t)page * PAGE), value);
    }
    return NULL;
}

// After mprotect has returned, no store of another processor may still come through.
static void *change_rights(void *argument) {
    (void)argument;
    uint64_t seed = 3, seen[GUARDED];
    while (!is_over) {
        size_t first = below(&seed, GUARDED), count = 1 + below(&seed, GUARDED - first);
        if (mprotect(guarded + first * PAGE, count * PAGE, PROT_READ) != 0) wrong++;
        for (size_t i = first; i < first + count; i++) seen[i] = look(word_at(guarded, i * PAGE));
        for (int again = 0; again < 200; again++)
            for (size_t i = first; i < first + count; i++)
                if (look(word_at(guarded, i * PAGE)) != seen[i]) wrong++;
        if (mprotect(guarded + first * PAGE, count * PAGE, PROT_READ | PROT_WRITE) != 0) wrong++;
        guard_turn++;
    }
    return NULL;
}

// After munmap has returned, the frames belong to others: fresh pages elsewhere stay as they are written.
static void *unmap(void *argument) {
    (void)argument;
    for (uint64_t turn = 1; !is_over; turn++) {
        char *place = coming;
        if (munmap(place, COMING * PAGE) != 0) wrong++;
        char *canary = map_at(NULL, COMING * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        if (canary == place) { // the writer may write here
            map_at(place, COMING * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
            continue;
        }
        for (int i = 0; i < COMING; i++)
            for (int at = 0; at < WORDS; at += 64)
                if (look(word_at(canary, (size_t)i * PAGE) + at) != 0) wrong++;
        for (int i = 0; i < COMING; i++) put(word_at(canary, (size_t)i * PAGE), ~turn);
        map_at(place, COMING * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        for (int again = 0; again < 100; again++)
            for (int i = 0; i < COMING; i++)
                if (look(word_at(canary, (size_t)i * PAGE)) != ~turn) wrong++;
        if (munmap(canary, COMING * PAGE) != 0) wrong++;
    }
    return NULL;
}

// In a child: nobody writes here but itself.
static int all_is_still(void) {
    uint64_t seen[GUARDED], value;
    for (int i = 0; i < GUARDED; i++) seen[i] = look(word_at(guarded, (size_t)i * PAGE));
    for (int again = 0; again < 50; again++)
        for (int i = 0; i < GUARDED; i++)
            if (look(word_at(guarded, (size_t)i * PAGE)) != seen[i]) return 0;
    for (int i = 0; i < COMING; i++)
        if (try_put(word_at(coming, (size_t)i * PAGE), 7) && (!try_look(word_at(coming, (size_t)i * PAGE), &value) || value != 7))
            return 0;
    return 1;
}

static void threads(void) {
    enum { OTHERS = 3 };
    pthread_t others[OTHERS];
    void *(*const bodies[OTHERS])(void *) = {write_all, change_rights, unmap};
    survive_faults();
    guarded = map_at(NULL, GUARDED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    // Where no other mapping comes by itself.
    coming = map_at((void *)0x5000000000, COMING * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < OTHERS; i++) others[i] = start(bodies[i], NULL);
    for (long round = 0; round < rounds; round++) {
        pid_t child = bare_fork();
        if (child == 0) _exit(all_is_still() ? 0 : 1);
        if (!ended_well(child)) wrong++;
    }
    is_over = 1;
    for (int i = 0; i < OTHERS; i++) pthread_join(others[i], NULL);
    CHECK(guard_turn > 0);
    CHECK(wrong == 0);
    munmap(guarded, GUARDED * PAGE);
    munmap(coming, COMING * PAGE);
}

// ---- Programs that replace themselves, on all processors, some from a process with threads.

static void *spin(void *argument) {
    for (unsigned turns = 0;;) wait_a_little(&turns);
    return argument;
}

// `storm --again N`: runs itself N times more, then exits with 0.
static int again(long left) {
    char number[24];
    if (left <= 0) return 0;
    if (left % 3 == 0) { // the other thread ends with the program
        pthread_t other = start(spin, NULL);
        pthread_detach(other);
    }
    snprintf(number, sizeof number, "%ld", left - 1);
    execl("/proc/self/exe", "storm", "--again", number, NULL);
    return 9;
}

static void execs(void) {
    enum { CHAINS = 6 };
    pid_t chains[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        if ((chains[i] = bare_fork()) == 0) {
            char number[24];
            snprintf(number, sizeof number, "%ld", rounds + i);
            execl("/proc/self/exe", "storm", "--again", number, NULL);
            _exit(9);
        }
    for (int i = 0; i < CHAINS; i++) CHECK(ended_well(chains[i]));
}

// ---- Groups of threads that are busy when the end comes: by a signal, by exit_group, by exec.

static void *be_busy(void *argument) {
    int kind = (int)(intptr_t)argument;
    for (uint64_t turn = 0;; turn++) {
        if (kind == 0) put(word_at(arena, (turn % 64) * PAGE), turn);
        if (kind == 1) {
            char *memory = map_at(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
            put(word_at(memory, PAGE), turn);
            munmap(memory, 4 * PAGE);
        }
        if (kind == 2) {
            pid_t child = bare_fork();
            if (child == 0) _exit(0);
            waitpid(child, NULL, 0);
        }
        if (kind == 3) usleep(10);
    }
}

static void live_until_the_end(long round) {
    for (intptr_t kind = 0; kind < 4; kind++) pthread_detach(start(be_busy, (void *)kind));
    usleep((useconds_t)(round * 37 % 1500));
    switch (round % 4) {
        case 0: _exit(5);
        case 1: execl("/proc/self/exe", "storm", "--again", "0", NULL); _exit(9);
        case 2: raise(SIGTERM); break;
        default: for (;;) pause();
    }
    _exit(8);
}

static void kills(void) {
    arena = map_at(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    // What a killed process leaves behind comes here.
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (long round = 0; round < rounds; round++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) live_until_the_end(round);
        if (round % 4 == 3) {
            usleep((useconds_t)(round * 91 % 3000));
            kill(child, SIGKILL);
        }
        if (waitpid(child, &status, 0) != child) wrong++;
        int expected = (int[]){5 << 8, 0, SIGTERM, SIGKILL}[round % 4];
        if (status != expected) {
            printf("round %ld: status %#x, not %#x\n", round, status, expected);
            wrong++;
        }
        while (waitpid(-1, NULL, 0) > 0) {}
    }
    CHECK(wrong == 0);
    munmap(arena, 64 * PAGE);
}

// ---- More memory is wanted than there is: some are ended or refused, nobody hangs, who lives on has the right data.

enum { WANTING = 8, WANTED_PAGES = 8000, REFUSED = 3 };

static void set_preference(const char *text) {
    int file = open("/proc/self/oom_score_adj", O_WRONLY);
    CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
}

static int pages_hold(char *memory, uint64_t mark) {
    for (int page = 0; page < WANTED_PAGES; page++)
        if (look(word_at(memory, (size_t)page * PAGE)) != mark + (unsigned)page) return 0;
    return 1;
}
static void fill_pages(char *memory, uint64_t mark) {
    for (int page = 0; page < WANTED_PAGES; page++) put(word_at(memory, (size_t)page * PAGE), mark + (unsigned)page);
}

static int want_much(void) {
    int status = 0;
    char *memory = mmap(NULL, WANTED_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return REFUSED;
    fill_pages(memory, 1);
    pid_t child = bare_fork();
    if (child < 0) return REFUSED;
    if (child == 0) {
        fill_pages(memory, 1ul << 32);
        _exit(pages_hold(memory, 1ul << 32) ? 0 : 1);
    }
    if (waitpid(child, &status, 0) != child || (status != 0 && status != SIGKILL)) return 1;
    return pages_hold(memory, 1) ? 0 : 1;
}

static void shortage(void) {
    long well = 0, ended = 0;
    set_preference("-1000");
    for (long round = 0; round < rounds; round++) {
        pid_t children[WANTING];
        for (int i = 0; i < WANTING; i++) {
            if ((children[i] = bare_fork()) != 0) continue;
            set_preference("0");
            _exit(failed ? 2 : want_much());
        }
        for (int i = 0; i < WANTING; i++) {
            int status = -1;
            if (waitpid(children[i], &status, 0) != children[i]) wrong++;
            well += status == 0;
            ended += status == SIGKILL || status == REFUSED << 8;
        }
    }
    printf("%ld ended well, %ld by force\n", well, ended);
    CHECK(well + ended == rounds * WANTING);
    CHECK(ended > 0);
    CHECK(wrong == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} CASES[] = {{"forks", forks}, {"threads", threads}, {"execs", execs}, {"kills", kills}, {"shortage", shortage}};
static const char *chosen = "";

// Each in a process of its own, so that its memory comes back whole.
static void run_once(void (*run)(void)) {
    fflush(stdout);
    pid_t child = start_child();
    if (child == 0) {
        processors();
        run();
        end_child();
    }
    CHECK(child_passed(child));
}

static void checks(void) {
    double begin = seconds();
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strcmp(CASES[i].name, chosen) != 0) continue;
        long all = rounds;
        rounds = all / 10 + 4; // to warm up
        run_once(CASES[i].run);
        rounds = all;
        long before = free_kib();
        run_once(CASES[i].run);
        long lost = lost_kib(before);
        printf("%ld KiB lost\n", lost);
        CHECK(lost <= tolerated_kib());
    }
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    printf("%s: %ld rounds in %.1f s\n", chosen, rounds, seconds() - begin);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--again") == 0) return again(strtol(argv[2], NULL, 10));
    if (argc > 1) chosen = argv[1];
    if (argc > 2) rounds = strtol(argv[2], NULL, 10);
    return run_as_init("storm", checks);
}
