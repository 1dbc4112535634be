// Random work on all processors for a time: workers live side by side, each does acts of all kinds and checks all that it
// reads, some are killed in the middle. At the end everything must be gone and all memory free.
//   soak SECONDS SEED      the seed decides what each worker does; how they interleave is the machine's affair
#include "life.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>

enum { WORKERS = 8, STUCK_SECONDS = 90, REPORT_SECONDS = 5 };

// ---- What a worker may do. Each returns 0, or the line where something was wrong.

#define FAIL_UNLESS(condition)         \
    do                                 \
        if (!(condition)) return __LINE__; \
    while (0)

static int memory_act(uint64_t seed) { return live(seed, 36); }

// A large piece of memory that parent and child both change.
static int copy_act(uint64_t seed) {
    int pages = 64 + (int)below(&seed, 2000), line = 0;
    char *memory = map_at(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int page = 0; page < pages; page++) page_put(word_at(memory, (size_t)page * PAGE), (unsigned)page + 1);
    pid_t child = bare_fork();
    FAIL_UNLESS(child >= 0);
    uint64_t own = child == 0 ? 1ul << 40 : 1ul << 41, step = 1 + below(&seed, 5);
    for (int page = 0; page < pages; page += (int)step) page_put(word_at(memory, (size_t)page * PAGE), own + (unsigned)page);
    for (int page = 0; page < pages; page++) {
        uint64_t expected = (uint64_t)page % step == 0 ? own + (unsigned)page : (unsigned)page + 1;
        if (!page_holds(word_at(memory, (size_t)page * PAGE), expected)) line = __LINE__;
    }
    if (child == 0) _exit(line ? 1 : 0);
    munmap(memory, (size_t)pages * PAGE);
    FAIL_UNLESS(ended_well(child));
    return line;
}

// Threads with neighbouring pages: they write, forget, fork, and count together under a mutex.
enum { MEMBERS = 3, OWN_PAGES = 12 };
struct team {
    char *memory;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    long count, finished;
    _Atomic int line;
};
struct member {
    struct team *team;
    uint64_t seed;
    int number;
};

static word *own_page(struct member *member, int page) {
    return word_at(member->team->memory, (size_t)(page * MEMBERS + member->number) * PAGE);
}
static int own_pages_hold(struct member *member, const uint64_t *tags) {
    for (int page = 0; page < OWN_PAGES; page++)
        if (!page_holds(own_page(member, page), tags[page])) return 0;
    return 1;
}
static int one_turn(struct member *member, uint64_t *tags) {
    int page = (int)below(&member->seed, OWN_PAGES);
    switch (below(&member->seed, 8)) {
        case 0:
            FAIL_UNLESS(madvise((void *)own_page(member, page), PAGE, MADV_DONTNEED) == 0);
            tags[page] = 0;
            break;
        case 1: {
            pid_t child = bare_fork();
            FAIL_UNLESS(child >= 0);
            if (child == 0) _exit(own_pages_hold(member, tags) ? 0 : 1);
            FAIL_UNLESS(ended_well(child));
            break;
        }
        case 2:
            FAIL_UNLESS(mprotect((void *)own_page(member, page), PAGE, PROT_READ) == 0);
            FAIL_UNLESS(page_holds(own_page(member, page), tags[page]));
            FAIL_UNLESS(mprotect((void *)own_page(member, page), PAGE, PROT_READ | PROT_WRITE) == 0);
            break;
        case 3:
            pthread_mutex_lock(&member->team->mutex);
            member->team->count++;
            pthread_cond_broadcast(&member->team->changed);
            pthread_mutex_unlock(&member->team->mutex);
            return 0;
        default: page_put(own_page(member, page), tags[page] = next(&member->seed) | 1); break;
    }
    FAIL_UNLESS(own_pages_hold(member, tags));
    return 0;
}
static void *be_member(void *argument) {
    struct member *member = argument;
    uint64_t tags[OWN_PAGES] = {0};
    long counted = 0;
    for (int turn = 0; turn < 40 && member->team->line == 0; turn++) {
        int line = one_turn(member, tags);
        if (line) member->team->line = line;
    }
    pthread_mutex_lock(&member->team->mutex);
    member->team->finished++;
    pthread_cond_broadcast(&member->team->changed);
    while (member->team->finished < MEMBERS) pthread_cond_wait(&member->team->changed, &member->team->mutex);
    counted = member->team->count;
    pthread_mutex_unlock(&member->team->mutex);
    return (void *)counted;
}
static int threads_act(uint64_t seed) {
    struct team team = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct member members[MEMBERS];
    pthread_t threads[MEMBERS];
    team.memory = map_at(NULL, MEMBERS * OWN_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){&team, next(&seed), i};
        threads[i] = start(be_member, &members[i]);
    }
    for (int i = 0; i < MEMBERS; i++) {
        void *counted;
        FAIL_UNLESS(pthread_join(threads[i], &counted) == 0);
        FAIL_UNLESS(counted == (void *)team.count);
    }
    munmap(team.memory, MEMBERS * OWN_PAGES * PAGE);
    return team.line;
}

// Bytes through two pipes and a process that changes them on the way.
static int pass_on(int from, int to, uint64_t seed) {
    unsigned char bytes[3000];
    ssize_t got;
    while ((got = read(from, bytes, 1 + below(&seed, sizeof bytes))) > 0) {
        for (ssize_t i = 0; i < got; i++) bytes[i] ^= 0x55;
        if (write(to, bytes, (size_t)got) != got) return 1;
    }
    return got != 0;
}
static int send_all(int to, uint64_t seed, size_t len) {
    uint64_t data = seed;
    unsigned char bytes[5000];
    while (len > 0) {
        size_t count = 1 + below(&seed, sizeof bytes);
        if (count > len) count = len;
        for (size_t i = 0; i < count; i++) bytes[i] = (unsigned char)next(&data);
        if (write(to, bytes, count) != (ssize_t)count) return 1;
        len -= count;
    }
    return 0;
}
static int pipes_act(uint64_t seed) {
    int first[2], second[2];
    size_t len = 1 + below(&seed, 150000), seen = 0;
    uint64_t data = seed, sizes = seed + 1;
    unsigned char bytes[4000];
    ssize_t got;
    FAIL_UNLESS(pipe(first) == 0 && pipe(second) == 0);
    pid_t sender = bare_fork();
    if (sender == 0) _exit(send_all(first[1], seed, len));
    close(first[1]);
    pid_t passer = bare_fork();
    if (passer == 0) _exit(pass_on(first[0], second[1], seed + 2));
    close(first[0]);
    close(second[1]);
    for (;;) {
        struct pollfd ready = {.fd = second[0], .events = POLLIN};
        if (below(&sizes, 4) == 0) FAIL_UNLESS(poll(&ready, 1, -1) == 1);
        got = read(second[0], bytes, 1 + below(&sizes, sizeof bytes));
        if (got <= 0) break;
        for (ssize_t i = 0; i < got; i++) FAIL_UNLESS(bytes[i] == ((unsigned char)next(&data) ^ 0x55));
        seen += (size_t)got;
    }
    close(second[0]);
    FAIL_UNLESS(got == 0 && seen == len);
    FAIL_UNLESS(ended_well(sender) && ended_well(passer));
    return 0;
}

// A file against a model of its bytes: written, mapped, cut, renamed, appended to by a child.
enum { FILE_BYTES = 10 * PAGE };
static int file_agrees(int file, const unsigned char *model, size_t len) {
    static unsigned char bytes[FILE_BYTES];
    return pread(file, bytes, FILE_BYTES, 0) == (ssize_t)len && memcmp(bytes, model, len) == 0;
}
static int append_in_child(const char *name, unsigned char *model, size_t *len) {
    static const char TEXT[] = "from the child";
    if (*len + sizeof TEXT > FILE_BYTES) return 0;
    pid_t child = bare_fork();
    if (child == 0) {
        int own = open(name, O_WRONLY | O_APPEND);
        _exit(write(own, TEXT, sizeof TEXT) != sizeof TEXT);
    }
    FAIL_UNLESS(ended_well(child));
    memcpy(model + *len, TEXT, sizeof TEXT);
    *len += sizeof TEXT;
    return 0;
}
static int map_and_change(int file, unsigned char *model, size_t len, uint64_t *seed) {
    int flags = below(seed, 2) ? MAP_SHARED : MAP_PRIVATE;
    if (len == 0) return 0;
    unsigned char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, file, 0);
    FAIL_UNLESS(memory != MAP_FAILED);
    FAIL_UNLESS(memcmp(memory, model, len) == 0);
    for (int i = 0; i < 20; i++) {
        size_t at = below(seed, len);
        memory[at] = (unsigned char)next(seed);
        if (flags == MAP_SHARED) model[at] = memory[at];
    }
    FAIL_UNLESS(munmap(memory, len) == 0);
    return 0;
}
static int change_file(int file, const char *name, unsigned char *model, size_t *len, uint64_t *seed) {
    size_t at = below(seed, FILE_BYTES - 600), count = below(seed, 600);
    switch (below(seed, 5)) {
        case 0:
            FAIL_UNLESS(ftruncate(file, (off_t)at) == 0);
            // What was cut off is zero when it comes back.
            if (at < *len) memset(model + at, 0, *len - at);
            *len = at;
            return 0;
        case 1: return map_and_change(file, model, *len, seed);
        case 2: return append_in_child(name, model, len);
        default:
            for (size_t i = 0; i < count; i++) model[at + i] = (unsigned char)next(seed);
            FAIL_UNLESS(pwrite(file, model + at, count, (off_t)at) == (ssize_t)count);
            if (count > 0 && at + count > *len) *len = at + count;
            return 0;
    }
}
static int files_act(uint64_t seed) {
    static unsigned char model[FILE_BYTES];
    char name[64], other[64];
    size_t len = 0;
    int line = 0;
    snprintf(name, sizeof name, "/tmp/soak-%d", getpid());
    snprintf(other, sizeof other, "/tmp/soak-%d-renamed", getpid());
    memset(model, 0, sizeof model);
    int file = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    FAIL_UNLESS(file >= 0);
    for (int turn = 0; turn < 25 && line == 0; turn++) {
        line = change_file(file, name, model, &len, &seed);
        if (line == 0 && !file_agrees(file, model, len)) line = __LINE__;
        if (turn == 10) {
            FAIL_UNLESS(rename(name, other) == 0 && access(name, F_OK) != 0);
            strcpy(name, other);
        }
    }
    FAIL_UNLESS(unlink(name) == 0 && close(file) == 0);
    return line;
}

// Queued signals all arrive, stops and continuations are seen, timers interrupt.
static _Atomic int arrived;
static void on_arrival(int signal) {
    (void)signal;
    arrived++;
}
static int count_arrivals(int expected) {
    for (int millis = 0; arrived < expected && millis < 60000; millis++) usleep(1000);
    return arrived == expected ? 0 : 1;
}
static int signals_act(uint64_t seed) {
    int queued = 1 + (int)below(&seed, 25), status = 0;
    arrived = 0;
    signal(SIGRTMIN + 3, on_arrival);
    pid_t child = fork();
    if (child == 0) _exit(count_arrivals(queued));
    for (int i = 0; i < queued; i++) FAIL_UNLESS(sigqueue(child, SIGRTMIN + 3, (union sigval){.sival_int = i}) == 0);
    FAIL_UNLESS(ended_well(child));
    if ((child = fork()) == 0)
        for (;;) usleep(500);
    FAIL_UNLESS(kill(child, SIGSTOP) == 0);
    FAIL_UNLESS(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    FAIL_UNLESS(kill(child, SIGCONT) == 0);
    FAIL_UNLESS(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    FAIL_UNLESS(kill(child, SIGTERM) == 0);
    FAIL_UNLESS(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    arrived = 0;
    signal(SIGALRM, on_arrival);
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    FAIL_UNLESS(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int millis = 0; arrived < 5 && millis < 60000; millis++) usleep(1000);
    FAIL_UNLESS(setitimer(ITIMER_REAL, &never, NULL) == 0);
    return arrived >= 5 ? 0 : __LINE__;
}

// Turn by turn over a mutex and a condition that two processes share.
struct table_tennis {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    sem_t finished;
    int side, turns;
};
static int play(struct table_tennis *game, int side, int turns) {
    for (int turn = 0; turn < turns; turn++) {
        pthread_mutex_lock(&game->mutex);
        while (game->side != side) pthread_cond_wait(&game->changed, &game->mutex);
        game->turns++;
        game->side = !side;
        pthread_cond_signal(&game->changed);
        pthread_mutex_unlock(&game->mutex);
    }
    return 0;
}
static int futex_act(uint64_t seed) {
    struct table_tennis *game = map_at(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    pthread_mutexattr_t shared_mutex;
    pthread_condattr_t shared_cond;
    int turns = 20 + (int)below(&seed, 150);
    pthread_mutexattr_init(&shared_mutex);
    pthread_condattr_init(&shared_cond);
    pthread_mutexattr_setpshared(&shared_mutex, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setpshared(&shared_cond, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&game->mutex, &shared_mutex);
    pthread_cond_init(&game->changed, &shared_cond);
    sem_init(&game->finished, 1, 0);
    pid_t child = fork();
    FAIL_UNLESS(child >= 0);
    if (child == 0) _exit(play(game, 1, turns) || sem_post(&game->finished));
    play(game, 0, turns);
    FAIL_UNLESS(sem_wait(&game->finished) == 0);
    FAIL_UNLESS(ended_well(child) && game->turns == 2 * turns);
    return munmap(game, PAGE) == 0 ? 0 : __LINE__;
}

// Programs replace themselves, also from a process whose other threads are busy, or are ended with them.
static void *be_busy(void *argument) {
    for (unsigned turns = 0;;) {
        wait_a_little(&turns);
        if (turns % 64 == 0) munmap(map_at(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), PAGE);
    }
    return argument;
}
static void *keep_forking(void *argument) {
    for (;;) {
        pid_t child = bare_fork();
        if (child == 0) _exit(0);
        waitpid(child, NULL, 0);
    }
    return argument;
}
static int exec_act(uint64_t seed) {
    int expected = (int)below(&seed, 100), status = 0, kind = (int)below(&seed, 4);
    pid_t child = kind == 0 ? vfork() : fork();
    FAIL_UNLESS(child >= 0);
    if (child == 0) {
        char number[16] = {(char)('0' + expected / 10), (char)('0' + expected % 10)};
        if (kind >= 2) pthread_detach(start(below(&seed, 2) ? be_busy : keep_forking, NULL));
        if (kind == 3) _exit(expected);
        execl("/proc/self/exe", "soak", "--exit", number, NULL);
        _exit(255);
    }
    FAIL_UNLESS(waitpid(child, &status, 0) == child);
    FAIL_UNLESS(WIFEXITED(status) && WEXITSTATUS(status) == expected);
    return 0;
}

// Children that fork, write and wait when they are killed.
static int kill_act(uint64_t seed) {
    int status = 0;
    pid_t child = fork();
    FAIL_UNLESS(child >= 0);
    if (child == 0) {
        if (below(&seed, 2)) pthread_detach(start(be_busy, NULL));
        if (below(&seed, 3) == 0) pthread_detach(start(keep_forking, NULL));
        for (uint64_t turn = seed;; turn++) live(turn, 20);
    }
    usleep((useconds_t)below(&seed, 4000));
    FAIL_UNLESS(kill(child, SIGKILL) == 0);
    FAIL_UNLESS(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return 0;
}

static const struct {
    const char *name;
    int (*act)(uint64_t seed);
} ACTS[] = {
    {"memory", memory_act},   {"copy", copy_act},   {"threads", threads_act}, {"pipes", pipes_act}, {"files", files_act},
    {"signals", signals_act}, {"futex", futex_act}, {"exec", exec_act},       {"kill", kill_act},
};
enum { KINDS = sizeof ACTS / sizeof *ACTS };

// ---- Workers, and who watches them.

// One worker's place, in memory that it shares with the watcher.
struct desk {
    _Atomic int act, line;
    _Atomic uint64_t seed;
    pid_t worker;
    _Atomic double since; // when the act began
    double kill_at;
};
struct office {
    struct desk desks[WORKERS];
    _Atomic long done[KINDS];
    _Atomic int is_closing; // no further act begins
};
static struct office *office;
static long workers_started, workers_killed;

static void work(struct desk *desk, uint64_t seed) {
    int acts = 1 + (int)below(&seed, 10);
    setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    while (acts-- > 0 && !office->is_closing) {
        desk->since = seconds();
        desk->act = (int)below(&seed, KINDS);
        desk->seed = next(&seed);
        int line = ACTS[desk->act].act(desk->seed);
        if (line != 0) {
            desk->line = line;
            _exit(1);
        }
        office->done[desk->act]++;
    }
    _exit(0);
}

static void hire(struct desk *desk, uint64_t *seed) {
    uint64_t own = next(seed);
    desk->line = 0;
    desk->since = seconds();
    // One of eight is killed, with all that it started.
    desk->kill_at = below(seed, 8) == 0 ? desk->since + (double)below(seed, 300) / 1000 : 0;
    pid_t worker = fork();
    if (worker == 0) work(desk, own);
    CHECK(worker > 0);
    desk->worker = worker;
    // Both do it, as shells do: whoever comes first.
    setpgid(worker, worker);
    workers_started++;
}

static void complain(struct desk *desk, const char *what, int status) {
    printf("soak: %s: worker %d, %s with seed %#lx, line %d, status %#x\n", what, desk->worker, ACTS[desk->act].name, desk->seed,
           desk->line, status);
    failed++;
}

// The file that a killed worker may have left behind.
static void remove_files_of(pid_t worker) {
    char name[64];
    snprintf(name, sizeof name, "/tmp/soak-%d", worker);
    unlink(name);
    strcat(name, "-renamed");
    unlink(name);
}

// Whoever has ended: workers, and orphans of workers that were killed.
static void bury_the_dead(int options) {
    int status = 0;
    pid_t dead;
    while ((dead = waitpid(-1, &status, options)) > 0)
        for (int i = 0; i < WORKERS; i++) {
            struct desk *desk = &office->desks[i];
            if (desk->worker != dead) continue;
            int was_killed = desk->kill_at < 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            if (status != 0 && !was_killed) complain(desk, "wrong", status);
            remove_files_of(dead);
            desk->worker = 0;
        }
}

static void end_worker(struct desk *desk) {
    desk->kill_at = -1;
    desk->since = seconds();
    kill(-desk->worker, SIGKILL);
}

static void watch(struct desk *desk) {
    double now = seconds();
    if (desk->worker <= 0) return;
    if (desk->kill_at > 0 && now >= desk->kill_at) {
        workers_killed++;
        end_worker(desk);
    } else if (now - desk->since > STUCK_SECONDS) {
        complain(desk, "stuck", 0);
        end_worker(desk);
    }
}

static long acts_done(void) {
    long all = 0;
    for (int kind = 0; kind < KINDS; kind++) all += office->done[kind];
    return all;
}
static int is_busy(void) {
    int busy = 0;
    for (int i = 0; i < WORKERS; i++) busy += office->desks[i].worker > 0;
    return busy > 0;
}

// Random work for that long; then the desks are left one after the other.
static void soak_for(double length, uint64_t *seed) {
    double begin = seconds(), report = begin + REPORT_SECONDS;
    office->is_closing = 0;
    while (failed == 0 && (!office->is_closing || is_busy())) {
        office->is_closing = seconds() - begin >= length;
        for (int i = 0; i < WORKERS; i++) {
            if (office->desks[i].worker <= 0 && !office->is_closing) hire(&office->desks[i], seed);
            watch(&office->desks[i]);
        }
        bury_the_dead(WNOHANG);
        usleep(3000);
        if (seconds() < report) continue;
        printf("soak: %.0f s, %ld workers, %ld killed, %ld acts, %ld KiB free\n", seconds() - begin, workers_started,
               workers_killed, acts_done(), free_kib());
        report += REPORT_SECONDS;
    }
    for (int i = 0; i < WORKERS; i++)
        if (office->desks[i].worker > 0) end_worker(&office->desks[i]);
    bury_the_dead(0);
}

static double length = 10;
static uint64_t seed = 1;

static void checks(void) {
    mkdir("/tmp", 0777);
    processors();
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    office = map_at(NULL, sizeof *office, PROT_READ | PROT_WRITE, MAP_SHARED);
    printf("soak: %.0f seconds from seed %lu on %d processors\n", length, seed, processors());
    uint64_t warm = ~seed;
    soak_for(length / 8 + 1, &warm);
    long before = free_kib();
    soak_for(length, &seed);
    long lost = lost_kib(before);
    for (int kind = 0; kind < KINDS; kind++) {
        printf("soak: %ld times %s\n", office->done[kind], ACTS[kind].name);
        CHECK(office->done[kind] > 0);
    }
    printf("soak: %ld workers, %ld killed, %ld acts, %ld KiB lost\n", workers_started, workers_killed, acts_done(), lost);
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
    CHECK(lost <= tolerated_kib());
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--exit") == 0) return atoi(argv[2]);
    if (argc > 1) length = atof(argv[1]);
    if (argc > 2) seed = strtoull(argv[2], NULL, 10);
    return run_as_init("soak", checks);
}
