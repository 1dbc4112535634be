// Pages that have to be waited for ("N waits", "N losses" in fail-nth): whoever wants one sleeps, and gets what is there afterwards.
// Nothing fails by it.
#include <setjmp.h>
#include "raw_thread.h"

enum { FILE_PAGES = 4, FILE_LEN = FILE_PAGES * 4096 };
static unsigned long waits_made;

// An unnamed file of pages that begin with 'a', 'b', ...
static int lettered_file(void) {
    int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    CHECK(ftruncate(fd, FILE_LEN) == 0);
    for (int i = 0; i < FILE_PAGES; i++) {
        char letter = 'a' + i;
        CHECK(pwrite(fd, &letter, 1, i * 4096) == 1);
    }
    return fd;
}

// With the count that the try is armed with, on what was made without it.
static int on_file(int flags, int protection, int (*use)(volatile char *at, int fd)) {
    unsigned left = left_over();
    arm(0);
    int fd = lettered_file();
    volatile char *at = mmap(NULL, FILE_LEN, protection, flags, fd, 0);
    CHECK(at != MAP_FAILED);
    is_noted = false;
    arm(left);
    int error = use(at, fd);
    arm(0);
    munmap((void *)at, FILE_LEN);
    close(fd);
    return error;
}

static int letter_of(int fd, int page) {
    char letter = 0;
    return pread(fd, &letter, 1, page * 4096) == 1 ? letter : -1;
}

static int read_pages(volatile char *at, int fd) {
    (void)fd;
    for (int i = 0; i < FILE_PAGES; i++) {
        if (at[i * 4096] != 'a' + i) return EIO;
    }
    return 0;
}
static int write_pages(volatile char *at, int fd) {
    (void)fd;
    for (int i = 0; i < FILE_PAGES; i++) at[i * 4096] = 'x';
    for (int i = 0; i < FILE_PAGES; i++) {
        if (at[i * 4096] != 'x') return EIO;
    }
    return 0;
}
static int write_private(volatile char *at, int fd) {
    int error = write_pages(at, fd);
    return error ? error : letter_of(fd, 1) == 'b' ? 0 : EIO;
}
static int write_shared(volatile char *at, int fd) {
    int error = write_pages(at, fd);
    return error ? error : letter_of(fd, 1) == 'x' ? 0 : EIO;
}
static int lock_pages(volatile char *at, int fd) {
    int error = error_of(mlock((void *)at, FILE_LEN));
    return error ? error : read_pages(at, fd);
}
static int ask_for_pages(volatile char *at, int fd) {
    int error = error_of(madvise((void *)at, FILE_LEN, 22 /* MADV_POPULATE_READ */));
    if (!error) error = read_pages(at, fd);
    return error ? error : error_of(madvise((void *)at, FILE_LEN, 23 /* MADV_POPULATE_WRITE */));
}
// The kernel loads from the pages and stores to them.
static int move_by_pipe(volatile char *at, int fd) {
    int ends[2];
    if (pipe(ends) < 0) return errno;
    int error = write(ends[1], (void *)at, FILE_LEN) == FILE_LEN ? 0 : EIO;
    if (madvise((void *)at, FILE_LEN, MADV_DONTNEED) < 0) error = errno;
    if (!error && read(ends[0], (void *)at, FILE_LEN) != FILE_LEN) error = EIO;
    close(ends[0]);
    close(ends[1]);
    return error ? error : read_pages(at, fd);
}
static int ask_futexes(volatile char *at, int fd) {
    (void)fd;
    for (int i = 0; i < FILE_PAGES; i++) {
        long slept = syscall(SYS_futex, at + i * 4096, FUTEX_WAIT, 0x12345678, NULL, NULL, 0);
        if (slept != -1 || errno != EAGAIN) return EIO;
        if (syscall(SYS_futex, at + i * 4096, FUTEX_WAKE, 1, NULL, NULL, 0) != 0) return EIO;
    }
    return 0;
}
static int debug(volatile char *at, int fd) {
    int memory = open("/proc/self/mem", O_RDWR);
    if (memory < 0) return errno;
    char letter = 0;
    int error = pread(memory, &letter, 1, (off_t)at) == 1 && letter == 'a' ? 0 : EIO;
    if (!error && pwrite(memory, "d", 1, (off_t)at + 4096) != 1) error = EIO;
    close(memory);
    return error ? error : at[4096] == 'd' && letter_of(fd, 1) == 'b' ? 0 : EIO;
}

static int try_wait_read(void) { return on_file(MAP_PRIVATE, PROT_READ, read_pages); }
static int try_wait_private(void) { return on_file(MAP_PRIVATE, PROT_READ | PROT_WRITE, write_private); }
static int try_wait_shared(void) { return on_file(MAP_SHARED, PROT_READ | PROT_WRITE, write_shared); }
static int try_wait_zeros(void) { return on_file(MAP_SHARED | MAP_ANONYMOUS, PROT_READ | PROT_WRITE, write_pages); }
static int try_wait_lock(void) { return on_file(MAP_SHARED, PROT_READ, lock_pages); }
static int try_wait_advice(void) { return on_file(MAP_PRIVATE, PROT_READ | PROT_WRITE, ask_for_pages); }
static int try_wait_pipe(void) { return on_file(MAP_PRIVATE, PROT_READ | PROT_WRITE, move_by_pipe); }
static int try_wait_futex(void) { return on_file(MAP_SHARED, PROT_READ | PROT_WRITE, ask_futexes); }
static int try_wait_debug(void) { return on_file(MAP_PRIVATE, PROT_READ, debug); }

static int try_wait_populate(void) {
    int fd = open("/tmp/file", O_RDWR);
    if (fd < 0) return errno;
    int error = map_with(MAP_SHARED | MAP_POPULATE, fd);
    arm(0);
    close(fd);
    return error;
}

static const struct {
    const char *name;
    Try make;
} wait_tries[] = {
    TRY(wait_read), TRY(wait_private), TRY(wait_shared), TRY(wait_zeros), TRY(wait_lock), TRY(wait_advice), TRY(wait_pipe),
    TRY(wait_futex), TRY(wait_debug), TRY(wait_populate), TRY(exec), TRY(fork),
};

// Somebody to whom a page is late, or never comes: a thread with a count of its own.
static volatile char *awaited;
static int awaited_file;
static const char *awaited_count;
static volatile int waiter_tid;
static jmp_buf refused;
static volatile int seen;

static void note_signal(int signal) {
    seen = -signal;
    siglongjmp(refused, 1);
}

static int use_awaited(void *unused) {
    (void)unused;
    int own = open("/proc/thread-self/fail-nth", O_RDWR);
    if (sigsetjmp(refused, 1) == 0) {
        (void)!pwrite(own, awaited_count, strlen(awaited_count), 0);
        seen = *awaited;
    }
    close(own);
    return 0;
}

// Until the thread's count has come to its end: it waits.
static void until_it_waits(int tid) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/task/%d/fail-nth", tid);
    for (int i = 0; i < 20000 && left_of(name) != 0; i++) sched_yield();
}

static void nothing_changes(void) {}
static void unmap_awaited(void) { munmap((void *)awaited, 4096); }
static void forbid_awaited(void) { mprotect((void *)awaited, 4096, PROT_NONE); }
static void cut_file_off(void) { CHECK(ftruncate(awaited_file, 0) == 0); }
static void map_zeros_there(void) {
    CHECK(mmap((void *)awaited, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == awaited);
}
static void write_to_file(void) { CHECK(pwrite(awaited_file, "w", 1, 0) == 1); }
static void fork_child(void) {
    pid_t child = start_child();
    if (child == 0) {
        CHECK(*awaited == 'a');
        end_child();
    }
    CHECK(child_passed(child));
}

static const struct {
    const char *name;
    void (*change)(void);
    int expected;
} changes[] = {
    {"nothing", nothing_changes, 'a'}, {"munmap", unmap_awaited, -SIGSEGV}, {"mprotect", forbid_awaited, -SIGSEGV},
    {"ftruncate", cut_file_off, -SIGBUS}, {"mmap", map_zeros_there, 0}, {"write", write_to_file, 'w'}, {"fork", fork_child, 'a'},
};

// Whether the change came in time: else the page had come before it, and is what it was.
static int change_while_awaited(void (*change)(void), int expected) {
    awaited_file = lettered_file();
    awaited = mmap(NULL, FILE_LEN, PROT_READ, MAP_PRIVATE, awaited_file, 0);
    struct raw_thread waiter;
    seen = 1000;
    CHECK(start_raw(&waiter, use_awaited, NULL, RAW_THREAD) == 0);
    until_it_waits(waiter.tid);
    change();
    join_raw(&waiter);
    CHECK(seen == expected || seen == 'a');
    munmap((void *)awaited, FILE_LEN);
    close(awaited_file);
    return seen == expected;
}

static void change_while_waiting(void) {
    awaited_count = "1 waits";
    signal(SIGSEGV, note_signal);
    signal(SIGBUS, note_signal);
    for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++) {
        int in_time = 0;
        for (int round = 0; round < 5; round++) in_time += change_while_awaited(changes[i].change, changes[i].expected);
        printf("%s while a page is awaited: %d of 5 in time\n", changes[i].name, in_time);
        CHECK(in_time > 0);
    }
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

static int bell[2];
static void ring(int signal) {
    (void)signal;
    (void)!write(bell[1], "r", 1);
}

// A page that does not come: signals wait for it as well, but for one that kills.
static void lose_page(void) {
    awaited_file = lettered_file();
    awaited = mmap(NULL, FILE_LEN, PROT_READ, MAP_PRIVATE, awaited_file, 0);
    awaited_count = "1 losses";
    CHECK(pipe2(bell, O_NONBLOCK) == 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGUSR1, ring);
        use_awaited(NULL);
        _exit(0);
    }
    char name[64], byte;
    snprintf(name, sizeof name, "/proc/%d/fail-nth", child);
    for (int i = 0; i < 1000 && left_of(name) == 0; i++) usleep(1000);
    for (int i = 0; i < 1000 && left_of(name) != 0; i++) usleep(1000);
    CHECK(kill(child, SIGUSR1) == 0);
    usleep(30000);
    int status = -1;
    CHECK(waitpid(child, &status, WNOHANG) == 0);
    CHECK(read(bell[0], &byte, 1) < 0 && errno == EAGAIN);
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    CHECK(ended.tv_sec - begun.tv_sec < 5);
    close(bell[0]);
    close(bell[1]);
    munmap((void *)awaited, FILE_LEN);
    close(awaited_file);
}

// A thread that ends owns a robust futex in a page that is late: it waits, and its lock is given up.
static void end_with_late_lock(void) {
    int fd = lettered_file();
    struct robust_list_head *head = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    volatile unsigned *word = (unsigned *)(head + 1);
    pid_t child = fork();
    if (child == 0) {
        static struct robust_list entry;
        entry.next = &head->list;
        *head = (struct robust_list_head){{&entry}, (char *)word - (char *)&entry, NULL};
        *word = getpid();
        syscall(SYS_set_robust_list, head, sizeof *head);
        int own = open("/proc/self/fail-nth", O_RDWR);
        if (madvise(head, 4096, MADV_DONTNEED) != 0 || pwrite(own, "1 waits", 7, 0) != 7) _exit(1);
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(*word == FUTEX_OWNER_DIED);
    munmap(head, 4096);
    close(fd);
}

static void play_waits(void) {
    counted = " waits";
    for (unsigned i = 0; i < sizeof wait_tries / sizeof *wait_tries; i++) {
        unsigned count = play(wait_tries[i].name, wait_tries[i].make);
        printf("%s: %u waits\n", wait_tries[i].name, count);
        waits_made += count;
    }
    counted = "";
}
