// Copy-on-write on several processors at once.
//   cores CASE ROUNDS [WRITERS]      CASE: write_while_forking, both_write, remap, break, fault_together
// Under QEMU each broadcast TLBI stops all processors that are busy, so no case keeps more of them busy than it needs.
#include "cores.h"
#include <sys/resource.h>

static long rounds = 1000;
static _Atomic int is_over;
static _Atomic long wrong;

// ---- A thread has written to a page and holds it writable in its TLB while another forks: the child must not see what
// is written after the fork.

enum { MOST_WRITERS = 3, SLOTS = 4 };
static int writers = 1;
static char *arena;

// Half of a writer's pages lie among those of the others, half in tables further on.
static word *slot(int writer, int number) {
    size_t table = number < SLOTS / 2 ? 0 : (size_t)(number - SLOTS / 2 + 1) * 4 * TABLE;
    return word_at(arena, table + (size_t)(number * MOST_WRITERS + writer) * PAGE + (size_t)writer * 64);
}

// Writes 1 to each of its slots in order, then 2, and so on. Nobody else writes there.
static void *write_on(void *argument) {
    int writer = (int)(intptr_t)argument;
    stay_on(writer + 1);
    for (uint64_t value = 1; !is_over; value++)
        for (int i = 0; i < SLOTS; i++) {
            if (look(slot(writer, i)) != value - 1) wrong++;
            put(slot(writer, i), value);
        }
    return NULL;
}

// A moment of a writer's life: each slot holds as much as the one before it, or one less from some slot on.
static int is_moment(const uint64_t *values) {
    for (int i = 1; i < SLOTS; i++)
        if (values[i] > values[i - 1]) return 0;
    return values[SLOTS - 1] + 1 >= values[0];
}

static int child_sees_one_moment(long round) {
    uint64_t seen[MOST_WRITERS][SLOTS];
    for (int writer = 0; writer < writers; writer++) {
        for (int i = 0; i < SLOTS; i++) seen[writer][i] = look(slot(writer, i));
        if (!is_moment(seen[writer])) return 0;
    }
    int own = (int)(round % SLOTS);
    for (int again = 0; again < 6; again++) {
        for (int writer = 0; writer < writers; writer++)
            for (int i = 0; i < SLOTS; i++)
                if (look(slot(writer, i)) != seen[writer][i]) return 0;
        // From the middle on, the child changes one page of each table-half as well.
        if (again == 3) put(slot(0, own), seen[0][own] = ~0ul);
    }
    return 1;
}

static void write_while_forking(void) {
    pthread_t threads[MOST_WRITERS];
    arena = map_at(NULL, 4 * TABLE * (SLOTS / 2 + 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
    stay_on(0);
    for (int i = 0; i < writers; i++) threads[i] = start(write_on, (void *)(intptr_t)i);
    long well = 0;
    for (long round = 0; round < rounds; round++) {
        pid_t child = bare_fork();
        if (child == 0) _exit(child_sees_one_moment(round) ? 0 : 1);
        well += ended_well(child);
    }
    is_over = 1;
    for (int i = 0; i < writers; i++) {
        pthread_join(threads[i], NULL);
        printf("writer %d came to %lu\n", i, look(slot(i, SLOTS - 1)));
        // A writer that never ran would have proved nothing.
        CHECK(look(slot(i, 0)) > 10);
    }
    CHECK(well == rounds);
    CHECK(wrong == 0);
}

// ---- Parent and child write to the same page at once: each has its own afterwards, nothing is lost.

enum { NEAR = 50, FAR = 50, RACES = NEAR + FAR };
struct race {
    struct gate gate;
    _Atomic uint64_t wrong;
    uint64_t frames[RACES];
};

// Some share a table, some have one each.
static word *raced(int number) {
    return word_at(arena, number < NEAR ? (size_t)number * PAGE : (size_t)(number - NEAR + 1) * TABLE);
}

// The frame of each page; 0 where it is not known.
static void find_frames(uint64_t *frames) {
    int file = open("/proc/self/pagemap", O_RDONLY);
    for (int i = 0; i < RACES; i++) {
        uint64_t entry = 0;
        pread(file, &entry, 8, (off_t)((uintptr_t)raced(i) / PAGE * 8));
        frames[i] = entry & ((1ul << 55) - 1);
    }
    close(file);
}

static int have_count_1(const uint64_t *frames) {
    int file = open("/proc/kpagecount", O_RDONLY), good = 0;
    for (int i = 0; i < RACES; i++) {
        uint64_t count = 0;
        good += pread(file, &count, 8, (off_t)(frames[i] * 8)) == 8 && count == 1;
    }
    close(file);
    return good == RACES;
}

static void write_all_at_once(struct race *race, uint64_t mark) {
    for (int i = 0; i < RACES; i++) {
        meet(&race->gate, 2);
        put(raced(i), mark + (unsigned)i);
        if (look(raced(i)) != mark + (unsigned)i) race->wrong++;
    }
}
static void look_at_all(struct race *race, uint64_t mark, uint64_t base) {
    for (int i = 0; i < RACES; i++)
        if (look(raced(i)) != mark + (unsigned)i || look(raced(i) + 1) != base + (unsigned)i) race->wrong++;
}

static void race_once(struct race *race, long turn) {
    uint64_t base = (uint64_t)turn << 32, frames[RACES];
    for (int i = 0; i < RACES; i++) put(raced(i) + 1, base + (unsigned)i);
    pid_t child = bare_fork();
    if (child == 0) {
        stay_on(1);
        write_all_at_once(race, base | 1 << 20);
        look_at_all(race, base | 1 << 20, base);
        find_frames(race->frames);
        if (!have_count_1(race->frames)) race->wrong++;
        meet(&race->gate, 2);
        meet(&race->gate, 2);
        _exit(0);
    }
    write_all_at_once(race, base | 2 << 20);
    meet(&race->gate, 2);
    look_at_all(race, base | 2 << 20, base);
    find_frames(frames);
    if (!have_count_1(frames)) race->wrong++;
    for (int i = 0; i < RACES; i++)
        if (frames[i] == 0 || frames[i] == race->frames[i]) race->wrong++;
    meet(&race->gate, 2);
    if (!ended_well(child)) race->wrong++;
}

static void both_write(void) {
    struct race *race = map_at(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    arena = map_at(NULL, (FAR + 2) * TABLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
    madvise(arena, (FAR + 2) * TABLE, MADV_NOHUGEPAGE);
    stay_on(0);
    for (long turn = 1; turn <= 4; turn++) race_once(race, turn); // to warm up
    long before = free_kib(), copied = counted("cow_copied"), tables = counted("cow_tables_copied"), turns = 0;
    for (; turns * RACES < rounds; turns++) race_once(race, turns + 5);
    CHECK(race->wrong == 0);
    CHECK(lost_kib(before) <= tolerated_kib());
    if (is_holstein()) {
        copied = counted("cow_copied") - copied;
        tables = counted("cow_tables_copied") - tables;
        printf("%ld races: %ld pages copied, %ld tables\n", turns * RACES, copied, tables);
        // Each page by one of the two or by both, and a few of the stacks and of the C library's data in each turn.
        CHECK(copied >= turns * RACES && copied <= turns * (2 * RACES + 16));
        CHECK(tables >= turns * FAR && tables <= turns * (2 * FAR + 16));
    }
}

// ---- A mapping moves while a thread writes to it, and children hold its pages.

enum { PLACES = 8, MOVED_PAGES = 4 };
static char *_Atomic current;
static _Atomic unsigned moves;

static char *place(unsigned number) { return arena + number * (TABLE / 2 + 8 * PAGE); }

// The value that stands in the mapping, wherever it is now.
static uint64_t value_now(int page) {
    uint64_t value = 0;
    unsigned before, turns = 0;
    for (;;) {
        before = moves;
        if (before % 2 == 0 && try_look(word_at(current, (size_t)page * PAGE), &value) && moves == before) return value;
        wait_a_little(&turns);
    }
}

static void *write_to_what_moves(void *argument) {
    (void)argument;
    stay_on(1);
    for (uint64_t value = 1; !is_over; value++) {
        int page = (int)(value % MOVED_PAGES);
        unsigned turns = 0;
        while (!try_put(word_at(current, (size_t)page * PAGE), value)) wait_a_little(&turns);
        if (value_now(page) != value) wrong++;
    }
    return NULL;
}

// In a child: what was there at the fork stays, whatever the parent does.
static int stays_the_same(char *memory) {
    uint64_t seen[MOVED_PAGES];
    for (int i = 0; i < MOVED_PAGES; i++) seen[i] = look(word_at(memory, (size_t)i * PAGE));
    for (int again = 0; again < 2000; again++)
        for (int i = 0; i < MOVED_PAGES; i++)
            if (look(word_at(memory, (size_t)i * PAGE)) != seen[i]) return 0;
    return 1;
}

// Moves on; the place that is left becomes a page of zeros that may only be read, and must stay so.
static unsigned move_from(unsigned from, uint64_t *seed) {
    unsigned to = (from + 1 + (unsigned)below(seed, PLACES - 1)) % PLACES;
    size_t len = MOVED_PAGES * PAGE;
    moves++;
    for (int i = 0; i < MOVED_PAGES; i++)
        if (look(word_at(place(to), (size_t)i * PAGE)) != 0) wrong++;
    if (mremap(place(from), len, len, MREMAP_MAYMOVE | MREMAP_FIXED, place(to)) != place(to)) wrong++;
    map_at(place(from), len, PROT_READ, MAP_PRIVATE);
    current = place(to);
    moves++;
    return to;
}

static void remap(void) {
    uint64_t seed = 11;
    unsigned at = 0;
    pid_t child = 0;
    arena = map_at(NULL, PLACES * TABLE, PROT_READ, MAP_PRIVATE | MAP_NORESERVE);
    current = map_at(place(0), MOVED_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    survive_faults();
    stay_on(0);
    pthread_t writer = start(write_to_what_moves, NULL);
    for (long round = 0; round < rounds; round++) {
        at = move_from(at, &seed);
        if (round % 16 != 0) continue;
        if (child > 0 && !ended_well(child)) wrong++;
        child = bare_fork();
        if (child == 0) _exit(stays_the_same(place(at)) ? 0 : 1);
    }
    if (child > 0 && !ended_well(child)) wrong++;
    is_over = 1;
    pthread_join(writer, NULL);
    uint64_t last = 0;
    for (int i = 0; i < MOVED_PAGES; i++) last |= value_now(i);
    CHECK(last > 0);
    CHECK(wrong == 0);
}

// ---- The program break goes up and down in parent and child at once, or while a thread writes below it.

enum { BREAK_STEPS = 50, HIGHEST = 360 };
static char *base;

static int set_break(char *end) { return (char *)syscall(SYS_brk, end) == end; }

static int tagged(int page, uint64_t tag) {
    word *place = word_at(base, (size_t)page * PAGE);
    return look(place) == (tag | (unsigned)page) && look(place + WORDS - 1) == (tag ^ (unsigned)page);
}

// What appears is zero, what was there stays.
static int move_break(int *pages, uint64_t *seed, uint64_t tag) {
    int old = *pages, target = below(seed, 8) ? old + (int)below(seed, 33) - 16 : (int)below(seed, HIGHEST);
    *pages = target < 1 ? 1 : target > HIGHEST ? HIGHEST : target;
    if (!set_break(base + (size_t)*pages * PAGE)) return 0;
    for (int page = old; page < *pages; page++) {
        word *place = word_at(base, (size_t)page * PAGE);
        if (look(place) != 0 || look(place + WORDS - 1) != 0) return 0;
        put(place, tag | (unsigned)page);
        put(place + WORDS - 1, tag ^ (unsigned)page);
    }
    int some = (int)below(seed, (uint64_t)*pages);
    return tagged(some, tag) && tagged(*pages - 1, tag);
}

static int live_with_break(int pages, uint64_t seed, uint64_t tag, uint64_t new_tag) {
    for (int page = 1; page < pages; page++)
        if (!tagged(page, tag)) return 0;
    for (int page = 0; page < pages; page++) {
        put(word_at(base, (size_t)page * PAGE), new_tag | (unsigned)page);
        put(word_at(base, (size_t)page * PAGE) + WORDS - 1, new_tag ^ (unsigned)page);
    }
    for (int step = 0; step < BREAK_STEPS; step++)
        if (!move_break(&pages, &seed, new_tag)) return 0;
    for (int page = 0; page < pages; page++)
        if (!tagged(page, new_tag)) return 0;
    return set_break(base + PAGE * 40) && pages > 0;
}

// Its page lies right below the part that comes and goes, in the same table. It writes while `is_writing`.
static struct gate pen;
static _Atomic int is_writing;
static int pens[2];

static void *write_below_break(void *argument) {
    (void)argument;
    word *place = word_at(base, (size_t)0 - PAGE);
    uint64_t value = look(place);
    char byte;
    stay_on(1);
    while (read(pens[0], &byte, 1) == 1) {
        meet(&pen, 2);
        while (is_writing) {
            put(place, ++value);
            if (look(place) != value) wrong++;
        }
        meet(&pen, 2);
    }
    return NULL;
}

static void begin_writing(void) {
    is_writing = 1;
    if (write(pens[1], "", 1) != 1) wrong++;
    meet(&pen, 2);
}
static void end_writing(void) {
    is_writing = 0;
    meet(&pen, 2);
}

static void tag_afresh(uint64_t tag) {
    if (!set_break(base + PAGE) || !set_break(base + PAGE * 40)) wrong++;
    for (int page = 0; page < 40; page++) {
        put(word_at(base, (size_t)page * PAGE), tag | (unsigned)page);
        put(word_at(base, (size_t)page * PAGE) + WORDS - 1, tag ^ (unsigned)page);
    }
}

static void break_up_and_down(void) {
    uintptr_t end = (uintptr_t)syscall(SYS_brk, 0);
    // The border between two tables comes and goes with the rest.
    base = (char *)((end + 3 * TABLE) / TABLE * TABLE - 300 * PAGE);
    CHECK(set_break(base + PAGE));
    CHECK(pipe(pens) == 0);
    stay_on(0);
    pthread_t writer = start(write_below_break, NULL);
    for (long turn = 0; turn * 2 * BREAK_STEPS < rounds && wrong == 0; turn++) {
        uint64_t tag = (uint64_t)(turn * 4 + 1) << 32;
        int is_with_writer = turn % 2;
        tag_afresh(tag);
        if (is_with_writer) begin_writing();
        pid_t child = bare_fork();
        if (child == 0) {
            stay_on(is_with_writer ? 0 : 1);
            _exit(live_with_break(40, (uint64_t)turn, tag, tag + (1ul << 32)) ? 0 : 1);
        }
        if (!live_with_break(40, (uint64_t)~turn, tag, tag + (2ul << 32))) wrong++;
        if (!ended_well(child)) wrong++;
        if (is_with_writer) end_writing();
    }
    close(pens[1]);
    pthread_join(writer, NULL);
    CHECK(wrong == 0);
}

// ---- Two threads fault on one page at once: one of them finds that nothing is left to do.

enum { TOGETHER = 500 };
static struct gate together;
static uint64_t mark;

// One has read the page and holds it in its TLB while the other writes: it must see what was written.
static void read_what_the_other_writes(int who, int page) {
    word *place = word_at(arena, (size_t)page * PAGE);
    if (who == 1 && look(place) == mark) wrong++;
    meet(&together, 2);
    if (who == 0) put(place, mark);
    meet(&together, 2);
    if (look(place) != mark) wrong++;
}

static void touch(int who, int page) {
    word *place = word_at(arena, (size_t)page * PAGE) + who;
    meet(&together, 2);
    // Of every four pages one is read by both, one by one of them only, one by one while the other writes.
    if (page % 4 == 0 || (page % 4 == 1 && who == 0)) {
        if (look(place) != 0 && look(place) != mark - 2 + (unsigned)who) wrong++;
    }
    if (page % 4 == 2) read_what_the_other_writes(who, page);
    put(place, mark + (unsigned)who);
    if (look(place) != mark + (unsigned)who) wrong++;
}

static void touch_all(int who) {
    for (int page = 0; page < TOGETHER; page++) touch(who, page);
    meet(&together, 2);
}

static void *touch_too(void *argument) {
    (void)argument;
    stay_on(1);
    for (;;) {
        meet(&together, 2);
        if (is_over) return NULL;
        touch_all(1);
    }
}

// One turn: the pages are empty (`child` 0) or shared with a child that waits at the gate.
static void one_turn(void) {
    mark += 2;
    meet(&together, 2);
    touch_all(0);
    for (int page = 0; page < TOGETHER; page++)
        for (unsigned who = 0; who < 2; who++)
            if (look(word_at(arena, (size_t)page * PAGE) + who) != mark + who) wrong++;
}

static void turn_on_shared_pages(void) {
    int pipes[2];
    char byte;
    if (pipe(pipes) != 0) wrong++;
    pid_t child = bare_fork();
    if (child == 0) {
        close(pipes[1]);
        read(pipes[0], &byte, 1);
        int bad = 0;
        for (int page = 0; page < TOGETHER; page++) bad |= look(word_at(arena, (size_t)page * PAGE)) != mark;
        _exit(bad);
    }
    // The child's view of `mark` is that of the turn before, as its view of the pages is.
    one_turn();
    close(pipes[0]);
    close(pipes[1]);
    if (!ended_well(child)) wrong++;
}

static long faults_so_far(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

// So many faults must have been spurious: real TLBs show 33 to 70 in a run of random operations, where QEMU shows hardly any.
enum { MANY = 33 };

// Whether to go on: for that many, who has not seen them yet tries ten times as often.
static int is_enough(long pages, long spurious_before) {
    int can_see = is_holstein() && processors() > 1;
    int has_many = !can_see || counted("faults_spurious") - spurious_before >= MANY;
    return pages >= (has_many ? rounds : 10 * rounds);
}

static void fault_together(void) {
    enum { BYTES = TOGETHER * PAGE };
    arena = map_at(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    madvise(arena, BYTES, MADV_NOHUGEPAGE);
    stay_on(0);
    pthread_t other = start(touch_too, NULL);
    one_turn(); // to warm up
    long filled = counted("zero_filled"), copied = counted("cow_copied"), spurious = counted("faults_spurious");
    long empty_turns = 0, shared_turns = 0, faults = faults_so_far();
    for (; !is_enough((empty_turns + shared_turns) * TOGETHER, spurious); empty_turns++, shared_turns++) {
        if (madvise(arena, BYTES, MADV_DONTNEED) != 0) wrong++;
        one_turn();
        turn_on_shared_pages();
    }
    faults = faults_so_far() - faults;
    if (is_holstein()) {
        filled = counted("zero_filled") - filled;
        copied = counted("cow_copied") - copied;
        spurious = counted("faults_spurious") - spurious;
        printf("%ld pages: %ld faults, %ld filled, %ld copied, %ld spurious\n", (empty_turns + shared_turns) * TOGETHER,
               faults, filled, copied, spurious);
        // Exactly one of the two fills a page (after a page of zeros it may be seen as a copy), or copies it.
        long noise = 64 + 16 * shared_turns;
        CHECK(filled + copied >= (empty_turns + shared_turns) * TOGETHER);
        CHECK(filled + copied <= (empty_turns + shared_turns) * TOGETHER + noise);
        CHECK(processors() == 1 || spurious >= MANY);
    }
    is_over = 1;
    meet(&together, 2);
    pthread_join(other, NULL);
    CHECK(wrong == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} CASES[] = {
    {"write_while_forking", write_while_forking}, {"both_write", both_write}, {"remap", remap},
    {"break", break_up_and_down},                 {"fault_together", fault_together},
};
static const char *chosen = "";

static void checks(void) {
    double begin = seconds();
    processors();
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (strcmp(CASES[i].name, chosen) == 0) CASES[i].run();
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    printf("%s: %ld rounds in %.1f s\n", chosen, rounds, seconds() - begin);
}

int main(int argc, char **argv) {
    if (argc > 1) chosen = argv[1];
    if (argc > 2) rounds = strtol(argv[2], NULL, 10);
    if (argc > 3) writers = atoi(argv[3]) < MOST_WRITERS ? atoi(argv[3]) : MOST_WRITERS;
    return run_as_init("cores", checks);
}
