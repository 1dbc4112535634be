// What a bad program may try in order to bring the system down: damaged programs, endless arguments, deep trees, thousands of
// files, full pipes, storms of signals, abandoned stopped groups, lent memory, too many processes, mappings and objects. Every
// act must end, and leave everything as it was.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

enum { PAGE = 4096, TOLERATED_KIB = 256 };

static long free_kib(void) {
    char text[4096];
    int file = open("/proc/meminfo", O_RDONLY);
    ssize_t len = read(file, text, sizeof text - 1);
    close(file);
    text[len > 0 ? len : 0] = 0;
    char *line = strstr(text, "MemAvailable:");
    return line ? strtol(line + 13, NULL, 10) : -1;
}

// Ends all children and waits for them; returns how many there were.
static int end_all(pid_t group) {
    int count = 0;
    if (group > 1) kill(-group, SIGKILL);
    while (wait(NULL) > 0) count++;
    return count;
}

static int run(const char *name, char **arguments) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(1); // the damage may be an endless loop
        execv(name, arguments);
        _exit(errno == E2BIG ? 97 : 98);
    }
    waitpid(child, &status, 0);
    return status;
}

// A program that exits with 7: header, one segment, three instructions.
static const struct {
    unsigned char ident[16];
    uint16_t kind, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    uint32_t p_type, p_flags;
    uint64_t p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
    uint32_t code[4];
} TINY = {
    {0x7f, 'E', 'L', 'F', 2, 1, 1}, 2, 183, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0, 1, 5, 0, 0x400000, 0x400000, 136, 136, 4096,
    {0xd28000e0, 0xd2800ba8, 0xd4000001, 0x00000000}, // mov x0, #7; mov x8, #93; svc #0; udf #0
};

static void write_program(const void *bytes, size_t len) {
    unlink("/tmp/tiny");
    int file = open("/tmp/tiny", O_WRONLY | O_CREAT, 0755);
    CHECK(write(file, bytes, len) == (ssize_t)len);
    close(file);
}

static void damaged_programs(void) {
    char *arguments[] = {"tiny", NULL}, bytes[sizeof TINY];
    write_program(&TINY, sizeof TINY);
    CHECK(run("/tmp/tiny", arguments) == 7 << 8);
    int ended = 0, tried = 0;
    for (size_t at = 0; at < offsetof(typeof(TINY), code); at++)
        for (int pattern = 0; pattern < 3; pattern++) {
            memcpy(bytes, &TINY, sizeof TINY);
            bytes[at] ^= pattern == 0 ? 0xff : pattern == 1 ? 1 : 0x80;
            write_program(bytes, sizeof TINY);
            tried++;
            ended += run("/tmp/tiny", arguments) != -1;
        }
    CHECK(ended == tried);
    for (size_t len = 0; len < sizeof TINY; len += 3) {
        write_program(&TINY, len);
        run("/tmp/tiny", arguments);
    }
    // Longer than memory, with headers far out.
    memcpy(bytes, &TINY, sizeof TINY);
    *(uint64_t *)(bytes + 32) = 1ull << 60;
    write_program(bytes, sizeof TINY);
    CHECK(truncate("/tmp/tiny", 1ll << 61) == 0);
    CHECK(run("/tmp/tiny", arguments) == 98 << 8);
    write_program("#!/tmp/tiny\n", 12); // its own interpreter
    CHECK(run("/tmp/tiny", arguments) == 98 << 8);
    write_program(&TINY, sizeof TINY);
    CHECK(run("/tmp/tiny", arguments) == 7 << 8);
    unlink("/tmp/tiny");
}

static void endless_arguments(void) {
    enum { MANY = 300000 };
    static char *list[MANY + 1], text[140000];
    write_program(&TINY, sizeof TINY);
    for (int i = 0; i < MANY; i++) list[i] = "argument";
    CHECK(run("/tmp/tiny", list) == 97 << 8);
    list[40000] = NULL;
    CHECK(run("/tmp/tiny", list) == 7 << 8);
    memset(text, 'a', sizeof text - 1);
    list[1] = text, list[2] = NULL;
    CHECK(run("/tmp/tiny", list) == 97 << 8);
    text[131071] = 0;
    CHECK(run("/tmp/tiny", list) == 7 << 8);
    unlink("/tmp/tiny");
}

static void deep_tree(void) {
    enum { DEPTH = 2000 };
    char name[128], path[8192];
    memset(name, 'd', sizeof name);
    name[100] = 0;
    int made = 0;
    CHECK(chdir("/tmp") == 0);
    while (made < DEPTH && mkdir(name, 0755) == 0 && chdir(name) == 0) made++;
    CHECK(made == DEPTH);
    CHECK(syscall(SYS_getcwd, path, sizeof path) < 0);
    CHECK(readlink("/proc/self/cwd", path, sizeof path) != 0);
    CHECK(rename("/tmp", name) != 0);
    int removed = 0;
    while (removed < made && chdir("..") == 0 && rmdir(name) == 0) removed++;
    CHECK(removed == made);
    // A directory that is gone, all the way up.
    for (int i = 0; i < DEPTH; i++)
        if (mkdir(name, 0755) != 0 || chdir(name) != 0) break;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < DEPTH; i++)
            if (chdir("..") != 0 || rmdir(name) != 0) _exit(1);
        _exit(0);
    }
    CHECK(child_passed(child));
    CHECK(mkdir("x", 0755) < 0 && errno == ENOENT);
    CHECK(chdir("/") == 0);
}

static void thousands_of_files(void) {
    char name[64];
    struct rlimit limit = {4096, 4096};
    CHECK(mkdir("/tmp/many", 0755) == 0 && chdir("/tmp/many") == 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "file%d", i);
        int file = open(name, O_CREAT | O_RDWR, 0644);
        if (file < 0 || write(file, name, 1) != 1 || close(file) != 0) CHECK(!"a file cannot be made");
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int opened = 0;
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "file%d", i);
        if (open(name, O_RDONLY) >= 0) opened++;
        else CHECK(errno == EMFILE);
    }
    CHECK(opened > 4000);
    for (int i = 0; i < 20; i++) { // the child's table is a copy
        pid_t child = start_child();
        if (child == 0) {
            CHECK(close(1000 + i) == 0 && dup(0) == 1000 + i);
            end_child();
        }
        CHECK(child_passed(child));
    }
    for (int i = 3; i < 4096; i++) close(i);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "file%d", i);
        if (unlink(name) != 0) CHECK(!"a file cannot be removed");
    }
    CHECK(chdir("/") == 0 && rmdir("/tmp/many") == 0);
}

static void full_pipes(void) {
    int ends[2], pipes = 0;
    char *block = malloc(1 << 20);
    memset(block, 'p', 1 << 20);
    while (pipes < 400 && pipe2(ends, O_NONBLOCK) == 0) {
        ssize_t written = write(ends[1], block, 1 << 20);
        if (written <= 0) break; // no memory: as good an end
        pipes++;
        if (write(ends[1], block, 1) != -1 || errno != EAGAIN) CHECK(!"a full pipe takes more");
    }
    CHECK(pipes > 100);
    for (int i = 3; i < 1024; i++) close(i);
    CHECK(pipe(ends) == 0);
    pid_t writer = fork();
    if (writer == 0) _exit(write(ends[1], block, 1 << 20) == 1 << 20);
    usleep(20000);
    kill(writer, SIGKILL); // while it sleeps in the middle of a write
    int status = 0;
    CHECK(waitpid(writer, &status, 0) == writer && status == SIGKILL);
    writer = fork();
    if (writer == 0) {
        close(ends[0]);
        _exit(write(ends[1], block, 1 << 20) == -1);
    }
    close(ends[0]);
    CHECK(waitpid(writer, &status, 0) == writer && status == SIGPIPE);
    close(ends[1]);
    free(block);
}

static atomic_int handled;
// Atomically: its store faults behind a fork, and whoever is delivered there counts between its load and its store.
static void count_signal(int number) {
    int now = ++handled;
    if (now % 16 == 0 && now < 4000) raise(number == SIGUSR1 ? SIGUSR2 : SIGUSR1);
}

static void signal_storm(void) {
    sigset_t all;
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_NODEFER | SA_RESTART};
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++) sigaction(i, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    pid_t self = getpid();
    for (int i = 0; i < 6; i++)
        if (fork() == 0) {
            for (int k = 0; k < 400; k++) kill(self, k % 3 == 0 ? SIGUSR1 : k % 3 == 1 ? SIGUSR2 : SIGRTMIN + k % 20);
            _exit(0);
        }
    CHECK(end_all(0) == 6);
    CHECK(handled > 100);
    // More than can wait.
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    union sigval value = {0};
    int queued = 0;
    while (queued < 200000 && sigqueue(self, SIGRTMIN + queued % 30, value) == 0) queued++;
    CHECK(queued > 100 && queued < 200000 && errno == EAGAIN);
    struct timespec now = {0, 0};
    int taken = 0;
    while (sigtimedwait(&all, NULL, &now) > 0) taken++;
    CHECK(taken >= queued);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
}

static void stop_and_continue(void) {
    pid_t children[6];
    int status, changes = 0;
    for (int i = 0; i < 6; i++)
        if ((children[i] = fork()) == 0)
            for (;;) getppid();
    for (int i = 0; i < 600; i++) {
        static const int SENT[] = {SIGSTOP, SIGCONT, SIGTSTP, SIGCONT, SIGSTOP, SIGSTOP, SIGCONT, SIGTTIN};
        kill(children[i % 6], SENT[i * 7 % 8]);
        if (i % 20 == 0) usleep(1000);
        while (waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0) {
            changes++;
            CHECK(WIFSTOPPED(status) || WIFCONTINUED(status));
        }
    }
    usleep(50000);
    for (int i = 0; i < 6; i++) kill(children[i], i % 2 ? SIGKILL : SIGSTOP);
    for (int i = 0; i < 6; i++) kill(children[i], SIGKILL); // stopped or not
    int ended = 0;
    while (waitpid(-1, &status, 0) > 0) ended += status == SIGKILL;
    CHECK(ended == 6);
    CHECK(changes > 0);
}

// A stopped group whose last outside parent goes is hung up and continued.
static void orphaned_groups(void) {
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t parent = fork();
        if (parent == 0) {
            for (int k = 0; k < 3; k++) {
                pid_t child = fork();
                if (child == 0) {
                    setpgid(0, 0);
                    raise(SIGSTOP);
                    for (;;) pause();
                }
                int status;
                waitpid(child, &status, WUNTRACED);
            }
            _exit(0);
        }
        CHECK(child_passed(parent));
    }
    close(ends[1]); // all others who have it are ended by SIGHUP
    CHECK(read(ends[0], &byte, 1) == 0);
    close(ends[0]);
}

static int in_lent_memory(void *argument) {
    int kind = *(volatile int *)argument;
    char *arguments[] = {"nothing", NULL};
    if (kind == 0) _exit(3);
    if (kind == 1) execv("/tmp/nothing", arguments), _exit(3);
    if (kind == 2) kill(getpid(), SIGKILL);
    if (kind == 3) *(volatile int *)8 = 1;
    if (kind == 4) munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE), _exit(3);
    for (;;) usleep(1000);
}

static void lent_memory(void) {
    static char stack[16 * PAGE] __attribute__((aligned(16)));
    for (volatile int kind = 0; kind < 5; kind++) {
        int status = 0;
        pid_t child = clone(in_lent_memory, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)&kind);
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        CHECK(status == (kind == 2 ? SIGKILL : kind == 3 ? SIGSEGV : 3 << 8));
    }
    // The lender is killed while its memory is lent; so is the borrower afterwards. Then one that lives on by itself.
    for (int i = 0; i < 10; i++) {
        pid_t lender = fork();
        if (lender == 0) {
            static volatile int kind = 5;
            setpgid(0, 0);
            clone(in_lent_memory, stack + sizeof stack, (i % 2 ? CLONE_VFORK : 0) | CLONE_VM | SIGCHLD, (void *)&kind);
            for (;;) pause();
        }
        usleep(5000);
        CHECK(kill(lender, SIGKILL) == 0);
        int status = 0;
        CHECK(waitpid(lender, &status, 0) == lender && status == SIGKILL);
        kill(-lender, SIGKILL);
    }
}

static void too_many_processes(uid_t user) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t first = fork();
    if (first == 0) {
        int count = 0;
        setpgid(0, 0);
        if (user != 0 && setuid(user) != 0) _exit(1);
        close(ends[0]);
        for (;;) {
            pid_t child = fork();
            if (child == 0)
                for (;;) pause();
            if (child < 0) break;
            count++;
        }
        if (errno != EAGAIN && errno != ENOMEM) count = -errno;
        _exit(write(ends[1], &count, sizeof count) != sizeof count);
    }
    close(ends[1]);
    int count = 0, status;
    CHECK(read(ends[0], &count, sizeof count) == sizeof count);
    CHECK(count > 50);
    waitpid(first, &status, 0);
    kill(-first, SIGKILL);
    close(ends[0]);
}

static void too_many_mappings(void) {
    size_t len = 1ul << 30;
    char *start = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(start != MAP_FAILED);
    int split = 0;
    for (size_t at = 0; at < len; at += 2 * PAGE, split++)
        if (mprotect(start + at, PAGE, PROT_READ) != 0) break;
    CHECK(split > 500 && errno == ENOMEM);
    for (int i = 0; i < 8; i++) {
        pid_t child = start_child();
        if (child == 0) {
            start[PAGE] = 1;
            CHECK(munmap(start, len / 2) == 0 && munmap(start + len / 2, len / 4) == 0);
            CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
            end_child();
        }
        CHECK(child_passed(child));
    }
    CHECK(munmap(start, len) == 0);
}

// Everything that costs the kernel memory, until it says no; then the faults of a small program, and all of it goes away.
static void exhausted_by_objects(void) {
    static char target[4001];
    char name[64];
    memset(target, 't', 4000);
    CHECK(mkdir("/tmp/objects", 0755) == 0 && chdir("/tmp/objects") == 0);
    int made = 0;
    for (;; made++) {
        snprintf(name, sizeof name, "link%d", made);
        if (symlink(target, name) != 0) break;
    }
    CHECK(made > 1000 && (errno == ENOMEM || errno == ENOSPC));
    char *memory = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory == MAP_FAILED || (memory[5 * PAGE] = 1) == 1);
    for (int i = 0; i < made; i++) {
        snprintf(name, sizeof name, "link%d", i);
        if (unlink(name) != 0) CHECK(!"a link cannot be removed");
    }
    CHECK(chdir("/") == 0 && rmdir("/tmp/objects") == 0);
    if (memory != MAP_FAILED) munmap(memory, 64 * PAGE);
}

enum { ANONYMOUS, COPIES, FILE_PAGES, SHARED, TABLES, STACK, BY_CALL, KINDS };

static void deeper(volatile char *above) {
    volatile char here[8192];
    here[0] = above ? above[0] : 0;
    if (here[0] == 0) deeper(here);
    here[1] = 0;
}

static void exhaust(int kind) {
    size_t len = 8ul << 30;
    int flags = MAP_ANONYMOUS | MAP_NORESERVE | (kind == SHARED ? MAP_SHARED : MAP_PRIVATE);
    if (kind == STACK) {
        struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
        setrlimit(RLIMIT_STACK, &limit);
        deeper(NULL);
    }
    if (kind == FILE_PAGES) {
        static char block[1 << 16];
        int file = open("/tmp/filled", O_RDWR | O_CREAT, 0644);
        memset(block, 'f', sizeof block);
        while (write(file, block, sizeof block) > 0) {}
        ftruncate(file, 1ll << 32);
        char *shown = mmap(NULL, 1ull << 32, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        for (size_t at = 0; at < 1ull << 32; at += PAGE) shown[at] = 1;
    }
    char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) _exit(3);
    if (kind == BY_CALL) {
        int zero = open("/dev/zero", O_RDONLY);
        for (size_t at = 0; at < len; at += 1 << 20)
            if (read(zero, memory + at, 1 << 20) < 0) _exit(errno == ENOMEM ? 4 : 5);
    }
    if (kind == COPIES && fork() + fork() < 0) _exit(3);
    for (size_t at = 0; at < len; at += kind == TABLES ? 2 << 20 : PAGE) memory[at] = 1;
    _exit(0);
}

static void exhausted_in_each_fault(void) {
    for (int kind = 0; kind < KINDS; kind++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) setpgid(0, 0), exhaust(kind);
        CHECK(waitpid(child, &status, 0) == child);
        kill(-child, SIGKILL);
        unlink("/tmp/filled");
        // By the kernel, by the end of a file whose pages cannot be had, or refused; not by a mistake.
        int is_signal = WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV);
        CHECK(is_signal || (WIFEXITED(status) && WEXITSTATUS(status) <= 4));
    }
}

static void many_as_user(void) { too_many_processes(1000); }
static void many_as_root(void) { too_many_processes(0); }

static const struct {
    const char *name;
    void (*act)(void);
} ACTS[] = {
#define ACT(name) {#name, name}
    ACT(damaged_programs), ACT(endless_arguments), ACT(deep_tree), ACT(thousands_of_files), ACT(full_pipes), ACT(signal_storm),
    ACT(stop_and_continue), ACT(orphaned_groups), ACT(lent_memory), ACT(many_as_user), ACT(many_as_root), ACT(too_many_mappings),
    ACT(exhausted_by_objects), ACT(exhausted_in_each_fault),
};

static int is_loud;

// Each act in a child, twice: the first time the kernel takes what it then keeps ready.
static void all_acts(void) {
    for (size_t i = 0; i < sizeof ACTS / sizeof *ACTS; i++) {
        long before = 0, after = 0;
        for (int pass = 0; pass < 2; pass++) {
            before = after;
            pid_t child = start_child();
            if (child == 0) {
                ACTS[i].act();
                end_child();
            }
            CHECK(child_passed(child));
            kill(-1, SIGKILL); // process 1 has the abandoned
            end_all(0);
            after = free_kib();
        }
        if (is_loud || before - after > TOLERATED_KIB) printf("abuse: %s: %ld KiB lost of %ld\n", ACTS[i].name, before - after, after);
        CHECK(before - after <= TOLERATED_KIB);
    }
}

int main(int count, char **arguments) {
    (void)arguments;
    is_loud = count > 1;
    if (getpid() != 1) return fputs("abuse: to be run as process 1\n", stderr), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/tmp", 0777);
    if (access("/proc/self", F_OK) != 0) mount("proc", "/proc", "proc", 0, NULL);
    all_acts();
    printf("abuse: %d passed, %d failed\n", passed, failed);
    reboot(RB_POWER_OFF);
    return 0;
}
