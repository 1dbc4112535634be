// What many processes make the kernel hold while memory is nearly all held by what no process maps, so that little comes of
// ending somebody: each call answers an error, or succeeds, or its process is ended for memory. The machine goes on, and what was
// held comes back. `scarce NAME` plays one of them.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

enum { PAGE = 4096, KIB = 1024, MIB = 1024 * KIB, PIPES = 300, MOST_CHILDREN = 300, LEFT_FOR_ALL = 28 * KIB };

static long now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

// What the children and their parent see of each other.
static struct common {
    _Atomic int begun, done, refused;
} *common;

static int meminfo;

static long free_kib(void) {
    char text[2048] = {0};
    if (pread(meminfo, text, sizeof text - 1, 0) <= 0) return 0;
    char *line = strstr(text, "MemAvailable:");
    return line ? atol(line + 13) : 0;
}

static char piece[128 * KIB];

static void fill(int to, long left_kib) {
    while (free_kib() > left_kib)
        if (write(to, piece, sizeof piece) < (ssize_t)sizeof piece) return;
}

// Fills files without a name, one for each file system, then pipes, until so little is free.
static void hold_but(long left_kib) {
    fill(memfd_create("held", 0), left_kib);
    fill(open("/tmp/held", O_CREAT | O_RDWR, 0600), left_kib);
    unlink("/tmp/held");
    for (int i = 0; i < PIPES && free_kib() > left_kib; i++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK) != 0) return;
        fcntl(ends[1], F_SETPIPE_SZ, MIB);
        fill(ends[1], left_kib);
    }
}

// What is done: `prepare` in the process that the children are forked of, `act` by each child when memory is short.
struct bomb {
    const char *name;
    int children;
    void (*prepare)(void);
    void (*act)(int child);
    // Free while the children act.
    long left_kib;
};

static void note(long result) {
    if (result < 0) common->refused++;
}

// 6,000 areas, of which each child gives up one and changes another.
enum { AREAS = 6000 };
static char *areas;

static void make_areas(void) {
    areas = mmap(NULL, 2L * AREAS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(areas != MAP_FAILED);
    long made = 0;
    while (made < AREAS && mprotect(areas + 2 * made * PAGE, PAGE, PROT_READ) == 0) made++;
    CHECK(made == AREAS);
}

static void change_areas(int child) {
    note(munmap(areas + 2L * child * PAGE, PAGE));
    note(mprotect(areas + 2L * (AREAS - child - 1) * PAGE, PAGE, PROT_READ | PROT_WRITE));
}

// 4,096 entries of one pipe that never has anything.
enum { ENTRIES = 4096 };
static struct pollfd entries[ENTRIES];
static int silent[2];

static void allow_descriptors(rlim_t count) {
    struct rlimit limit = {count, count};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void make_entries(void) {
    allow_descriptors(ENTRIES);
    CHECK(pipe(silent) == 0);
    for (int i = 0; i < ENTRIES; i++) entries[i] = (struct pollfd){.fd = silent[0], .events = POLLIN};
}

static void poll_entries(int child) {
    (void)child;
    note(poll(entries, ENTRIES, 300));
}

// Every second byte of a file is locked.
enum { LOCKS = 12000 };
static int file;

static void make_file(void) { CHECK((file = memfd_create("locked", 0)) >= 0); }

static void lock_bytes(int child) {
    for (int i = 0; i < LOCKS; i++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2L * (child * LOCKS + i), .l_len = 1};
        if (fcntl(file, F_SETLK, &lock) != 0) {
            CHECK(errno == ENOMEM || errno == ENOLCK);
            common->refused++;
            return;
        }
    }
}

// 24,576 pages, all the one of zeros, make a long text. It is opened again and again, and a byte of each read.
static void make_text(void) {
    allow_descriptors(1100);
    volatile char *memory = mmap(NULL, 96 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    for (long at = 0; at < 96 * MIB; at += PAGE) (void)memory[at];
}

static void open_texts(int child) {
    (void)child;
    for (int i = 0; i < 1000; i++) {
        char byte;
        int text = open("/proc/self/translation", O_RDONLY);
        if (text < 0 || read(text, &byte, 1) != 1) {
            CHECK(errno == ENOMEM);
            common->refused++;
            return;
        }
    }
}

// 10,000 descriptors, to which each child adds one.
static void make_descriptors(void) {
    allow_descriptors(30000);
    int made = 0;
    while (made < 10000 && dup(0) > 0) made++;
    CHECK(made == 10000);
}

static void add_descriptor(int child) {
    (void)child;
    note(dup(0));
    note(fcntl(0, F_DUPFD, 29000));
    note(close(5000));
}

// Arguments of 5 MiB.
enum { ARGUMENTS = 42 };
static char *arguments[ARGUMENTS + 1];

static void make_arguments(void) {
    struct rlimit limit = {64 * MIB, 64 * MIB};
    CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
    for (int i = 0; i < ARGUMENTS; i++) {
        arguments[i] = malloc(125 * KIB);
        memset(arguments[i], 'a', 125 * KIB - 1);
        arguments[i][125 * KIB - 1] = 0;
    }
}

static void execute(int child) {
    (void)child;
    char *environment[] = {"SCARCE=1", NULL};
    execve("/proc/self/exe", arguments, environment);
    note(-1);
}

static const struct bomb bombs[] = {
    {"areas", 60, make_areas, change_areas, 2 * KIB},
    {"locks", 1, make_file, lock_bytes, KIB},
    {"texts", 2, make_text, open_texts, 8 * KIB},
    {"descriptors", 60, make_descriptors, add_descriptor, 2 * KIB},
    {"arguments", 6, make_arguments, execute, 12 * KIB},
    {"poll", MOST_CHILDREN, make_entries, poll_entries, 4 * KIB},
};

// How gladly the process ends for memory. Where memory is short already the file may not be had.
static void adjust(const char *score) {
    int adjustment = open("/proc/self/oom_score_adj", O_WRONLY);
    if (adjustment >= 0) CHECK(write(adjustment, score, strlen(score)) == (ssize_t)strlen(score));
    close(adjustment);
}

static void child_of(const struct bomb *bomb, int child, int gate) {
    char byte;
    adjust("0");
    common->begun++;
    (void)!read(gate, &byte, 1);
    bomb->act(child);
    common->done++;
    // What it made the kernel hold is held until all have acted.
    usleep(100 * 1000);
    _exit(0);
}

static void nap(void) { usleep(2000); }

// The children stand ready, then memory is held, then all act at once.
static void explode(const struct bomb *bomb) {
    int gate[2], started = 0, killed = 0, status;
    CHECK(pipe(gate) == 0);
    bomb->prepare();
    for (int i = 0; i < bomb->children; i++) {
        pid_t child = fork();
        if (child == 0) {
            close(gate[1]);
            child_of(bomb, i, gate[0]);
        }
        if (child < 0) break;
        started++;
    }
    CHECK(started > 0);
    // One that was chosen does not begin.
    for (int naps = 0; common->begun < started && naps < 500; naps++) nap();
    hold_but(bomb->left_kib);
    long left = free_kib();
    close(gate[1]);
    for (int i = 0; i < started; i++) {
        CHECK(wait(&status) > 0);
        int was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        killed += was_killed;
        if (!was_killed) CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    printf("%s: %ld KiB free, %d children, %d done, %d refused, %d killed\n", bomb->name, left, started, common->done,
           common->refused, killed);
}

// In a process of its own.
static void play(const struct bomb *bomb) {
    *common = (struct common){0};
    long start = now_ms();
    pid_t child = start_child();
    if (child == 0) {
        explode(bomb);
        end_child();
    }
    CHECK(child_passed(child));
    printf("%s: %ld ms\n", bomb->name, now_ms() - start);
}

static const char *wanted;

static void play_all(void) {
    hold_but(LEFT_FOR_ALL);
    for (unsigned i = 0; i < sizeof bombs / sizeof *bombs; i++)
        if (!wanted || strcmp(wanted, bombs[i].name) == 0) play(&bombs[i]);
}

static void checks(void) {
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    meminfo = open("/proc/meminfo", O_RDONLY);
    memset(piece, 'h', sizeof piece);
    // Of all only the children of bombs are chosen to end for memory.
    adjust("-1000");
    long before = free_kib();
    // What is held beforehand goes with its holder.
    pid_t holder = start_child();
    if (holder == 0) {
        play_all();
        end_child();
    }
    CHECK(child_passed(holder));
    usleep(200 * 1000);
    long after = free_kib();
    printf("free: %ld KiB before, %ld after\n", before, after);
    CHECK(before - after < 256);
}

int main(int count, char **words) {
    if (getenv("SCARCE")) return 0;
    wanted = count > 1 ? words[1] : NULL;
    return run_as_init("scarce", checks);
}
