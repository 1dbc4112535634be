// fork, vfork, exec and wait, with memory that parents and children must not see of each other.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define PAGES 2048
#define PAGE 4096

static unsigned char *memory;
static int global = 1;

static void fill(unsigned seed) {
    for (int page = 0; page < PAGES; page++)
        memset(memory + page * PAGE, (page * 31 + seed) & 0xff, PAGE);
}

static int holds(unsigned seed) {
    for (int page = 0; page < PAGES; page++)
        for (int byte = 0; byte < PAGE; byte += 511)
            if (memory[page * PAGE + byte] != ((page * 31 + seed) & 0xff)) return 0;
    return 1;
}

static void child_and_parent_write(void) {
    fill(1);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(holds(1));
        fill(2);
        global = 2;
        CHECK(holds(2));
        end_child();
    }
    fill(3);
    CHECK(child_passed(child));
    CHECK(holds(3));
    CHECK(global == 1);
}

// Each generation changes one page and forks the next; all must see exactly their own history.
static void generations(int depth) {
    memory[depth * PAGE] = 200 + depth;
    if (depth < 8) {
        pid_t child = start_child();
        if (child == 0) {
            generations(depth + 1);
            end_child();
        }
        CHECK(child_passed(child));
    }
    for (int page = 0; page <= 8; page++)
        CHECK(memory[page * PAGE] == (page <= depth ? 200 + page : (page * 31 + 5) % 256));
}

static void many_children_at_once(void) {
    enum { CHILDREN = 24 };
    pid_t children[CHILDREN];
    fill(9);
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = start_child();
        if (children[i] == 0) {
            for (int page = i; page < PAGES; page += CHILDREN) memory[page * PAGE + 7] = i;
            for (int page = 0; page < PAGES; page++)
                CHECK(memory[page * PAGE + 7] == (page % CHILDREN == i ? i : ((page * 31 + 9) & 0xff)));
            end_child();
        }
    }
    for (int i = CHILDREN - 1; i >= 0; i--) CHECK(child_passed(children[i]));
    CHECK(holds(9));
}

static void kernel_writes_to_shared_page(void) {
    int pipes[2];
    memset(memory, 'p', PAGE);
    CHECK(pipe(pipes) == 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(write(pipes[1], "from the child", 14) == 14);
        CHECK(memory[0] == 'p');
        end_child();
    }
    CHECK(read(pipes[0], memory, 14) == 14);
    CHECK(child_passed(child));
    CHECK(memcmp(memory, "from the childpp", 16) == 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void shared_mapping_is_seen_by_both(void) {
    volatile int *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pid_t child = start_child();
    if (child == 0) {
        *shared = 77;
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(*shared == 77);
    munmap((void *)shared, PAGE);
}

static void vfork_and_exec(void) {
    char *arguments[] = {"/proc/self/exe", "as-child", NULL}, *environment[] = {"WHO=vfork", NULL};
    volatile int changed = 0;
    pid_t child = vfork();
    if (child == 0) {
        changed = 1;
        execve("/proc/self/exe", arguments, environment);
        _exit(99);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 44);
    CHECK(changed == 1);
    CHECK(execve("/no/such/program", arguments, environment) == -1 && errno == ENOENT);
    CHECK(execve("/proc", arguments, environment) == -1 && errno == EACCES);
}

enum { STRINGS = 3000, LONGEST = 32 * PAGE };

// The string with that number: its length and its letters are told by the number; some are longer than a page.
static size_t length_of(int number) { return number % 500 == 7 ? 5000 + number : number % 41; }
static char letter_of(int number, size_t at) { return 'a' + (number * 7 + at) % 26; }

static int is_right(const char *string, int number) {
    size_t length = length_of(number);
    for (size_t at = 0; at < length; at++)
        if (string[at] != letter_of(number, at)) return 0;
    return string[length] == 0;
}

// The program as it was started by `execute_strings`.
static int receive_strings(int count, char **arguments, char **environment) {
    for (int i = 2; i < count; i++)
        if (!is_right(arguments[i], i)) return 1;
    int variables = 0;
    while (environment[variables]) {
        if (!is_right(environment[variables], variables)) return 2;
        variables++;
    }
    return count == STRINGS && variables == STRINGS ? 46 : 3;
}

// Strings of all alignments, so close to the end of the memory that nothing can be read behind the last.
static void lay_strings(char **list, int first, char *end) {
    for (int i = STRINGS - 1; i >= first; i--) {
        size_t length = length_of(i);
        *--end = 0;
        end -= length;
        for (size_t at = 0; at < length; at++) end[at] = letter_of(i, at);
        list[i] = end;
    }
    list[STRINGS] = NULL;
}

static char *memory_with_an_end(size_t length) {
    char *start = mmap(NULL, length + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(munmap(start + length, PAGE) == 0);
    return start;
}

static int status_of_exec(char **arguments, char **environment) {
    pid_t child = fork();
    if (child == 0) {
        execve("/proc/self/exe", arguments, environment);
        _exit(errno);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void exec_takes_strings(void) {
    static char *arguments[STRINGS + 1], *environment[STRINGS + 1];
    enum { ROOM = 64 * PAGE };
    lay_strings(environment, 0, memory_with_an_end(ROOM) + ROOM);
    lay_strings(arguments, 2, memory_with_an_end(ROOM) + ROOM);
    arguments[0] = "/proc/self/exe", arguments[1] = "as-strings";
    CHECK(status_of_exec(arguments, environment) == 46);
    // The list may end where memory ends.
    char **list = (void *)(memory_with_an_end(PAGE) + PAGE - 3 * sizeof *list);
    list[0] = "/proc/self/exe", list[1] = "as-child", list[2] = NULL;
    CHECK(status_of_exec(list, NULL) == 45);
    list[2] = "x";
    CHECK(status_of_exec(list, NULL) == EFAULT);
}

static void exec_refuses_strings(void) {
    char *end = memory_with_an_end(LONGEST + PAGE) + LONGEST + PAGE;
    char *arguments[] = {"/proc/self/exe", "as-child", end - LONGEST, NULL};
    memset(end - LONGEST - PAGE, 'x', LONGEST + PAGE);
    CHECK(status_of_exec(arguments, NULL) == E2BIG);
    arguments[2] = end - LONGEST + 1;
    CHECK(status_of_exec(arguments, NULL) == EFAULT);
    end[-1] = 0;
    arguments[2] = end - LONGEST - 1;
    CHECK(status_of_exec(arguments, NULL) == E2BIG);
    arguments[2] = end - LONGEST;
    CHECK(status_of_exec(arguments, NULL) == 0);
    // A quarter of the stack's limit, which is 8 MiB, is full of the pointers alone.
    enum { TOO_MANY = 300000 };
    char **many = calloc(TOO_MANY + 1, sizeof *many);
    for (int i = 0; i < TOO_MANY; i++) many[i] = "x";
    CHECK(status_of_exec(many, NULL) == E2BIG);
    free(many);
}

static void waiting(void) {
    int status;
    CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
    pid_t child = start_child();
    if (child == 0) pause();
    CHECK(waitpid(child, &status, WNOHANG) == 0);
    kill(child, SIGKILL);
    struct rusage usage;
    CHECK(wait4(child, &status, 0, &usage) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    child = start_child();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            while (getppid() != 1) usleep(1000);
            _exit(0);
        }
        _exit(0);
    }
    CHECK(child_passed(child));
}

static void faults_are_counted(void) {
    struct rusage before, after;
    unsigned char *fresh = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(fresh, 64 * PAGE, MADV_NOHUGEPAGE);
    getrusage(RUSAGE_SELF, &before);
    for (int page = 0; page < 64; page++) fresh[page * PAGE] = 1;
    getrusage(RUSAGE_SELF, &after);
    long faults = after.ru_minflt - before.ru_minflt;
    CHECK(faults >= 64 && faults < 80);
    munmap(fresh, 64 * PAGE);
}

// Preemption: busy children must not keep each other, or the parent, from the processor.
static void busy_children_share_the_processor(void) {
    volatile unsigned *counts = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        if ((children[i] = start_child()) == 0)
            for (;;) counts[i]++;
    struct timespec wait = {.tv_nsec = 700 * 1000 * 1000};
    nanosleep(&wait, NULL);
    for (int i = 0; i < 3; i++) kill(children[i], SIGTERM);
    for (int i = 0; i < 3; i++) {
        int status;
        CHECK(waitpid(children[i], &status, 0) == children[i] && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        CHECK(counts[i] > 1000);
    }
}

// Floating-point registers belong to the process.
static void floating_point_survives_switches(void) {
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        if ((children[i] = start_child()) == 0) {
            double sum = 0, expected = 0;
            for (int n = 1; n <= 2000000; n++) sum += i + 0.5;
            expected = 2000000.0 * (i + 0.5);
            CHECK(sum == expected);
            end_child();
        }
    for (int i = 0; i < 4; i++) CHECK(child_passed(children[i]));
}

// The vector registers that hardly anybody uses, for the caller has to keep them: what was found in them.
static uint64_t vectors(void) {
    uint64_t low, high;
    __asm__ volatile("orr v30.16b, v30.16b, v31.16b\n orr v28.16b, v28.16b, v29.16b\n orr v28.16b, v28.16b, v30.16b\n"
                     "mov %0, v28.d[0]\n mov %1, v28.d[1]"
                     : "=r"(low), "=r"(high)::"v28", "v30");
    return low | high;
}

static void set_vectors(uint64_t value) {
    __asm__ volatile("dup v28.2d, %0\n dup v29.2d, %0\n dup v30.2d, %0\n dup v31.2d, %0" ::"r"(value)
                     : "v28", "v29", "v30", "v31");
}

static void clobber_vectors(int signal) {
    (void)signal;
    set_vectors(3);
}

// With nothing between the register, the signal and the look but the handler.
static uint64_t kept_over_a_signal(uint64_t value) {
    register uint64_t x0 __asm__("x0") = getpid(), x1 __asm__("x1") = SIGUSR1, x8 __asm__("x8") = 129;
    uint64_t found;
    __asm__ volatile("dup v28.2d, %[value]\n svc #0\n mov %[found], v28.d[1]"
                     : [found] "=&r"(found), "+r"(x0)
                     : [value] "r"(value), "r"(x1), "r"(x8)
                     : "v28", "memory");
    return found;
}

// A program begins with zeros in its vector registers, whatever others have left there, and finds its own after a handler.
static void vectors_belong_to_the_program(void) {
    pid_t other = start_child();
    if (other == 0)
        for (;;) {
            set_vectors(~0ull);
            sched_yield();
        }
    for (int i = 0; i < 20; i++) {
        pid_t child = start_child();
        if (child == 0) {
            sched_yield();
            execl("/proc/self/exe", "forks", "as-vectors", NULL);
            _exit(1);
        }
        CHECK(child_passed(child));
    }
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    signal(SIGUSR1, clobber_vectors);
    CHECK(kept_over_a_signal(42) == 42);
    signal(SIGUSR1, SIG_DFL);
}

// An orphan becomes the child of the nearest ancestor that asked for it, which learns how it ended.
static void orphans_find_the_subreaper(void) {
    pid_t reaper = start_child();
    if (reaper == 0) {
        int is_reaper = 0, status = 0;
        CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
        CHECK(prctl(PR_GET_CHILD_SUBREAPER, &is_reaper) == 0 && is_reaper == 1);
        pid_t self = getpid(), middle = start_child();
        if (middle == 0) {
            CHECK(prctl(PR_GET_CHILD_SUBREAPER, &is_reaper) == 0 && is_reaper == 0);
            if (start_child() == 0) {
                for (int i = 0; i < 1000 && getppid() != self; i++) usleep(1000);
                _exit(getppid() == self ? 7 : 8);
            }
            end_child();
        }
        CHECK(child_passed(middle));
        CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 7);
        CHECK(wait(&status) == -1 && errno == ECHILD);
        end_child();
    }
    CHECK(child_passed(reaper));
}

// Children inherit it, and only root may go below what root has set.
static void memory_shortage_preference(void) {
    int before = 0, after = 0;
    char text[16] = "";
    FILE *score = fopen("/proc/self/oom_score", "r");
    CHECK(score && fscanf(score, "%d", &before) == 1);
    int file = open("/proc/self/oom_score_adj", O_RDWR);
    CHECK(write(file, "300\n", 4) == 4);
    CHECK(write(file, "1001", 4) == -1 && errno == EINVAL);
    CHECK(write(file, "much", 4) == -1 && errno == EINVAL);
    rewind(score);
    CHECK(fscanf(score, "%d", &after) == 1 && after > before);
    fclose(score);
    pid_t child = start_child();
    if (child == 0) {
        int own = open("/proc/self/oom_score_adj", O_RDWR);
        CHECK(read(own, text, sizeof text) == 4 && strcmp(text, "300\n") == 0);
        CHECK(setuid(1000) == 0);
        CHECK(write(own, "299", 3) == -1 && errno == EACCES);
        CHECK(write(own, "400", 3) == 3 && write(own, "300", 3) == 3);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(write(file, "0", 1) == 1);
    close(file);
}

static void checks(void) {
    memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    child_and_parent_write();
    fill(5);
    generations(0);
    many_children_at_once();
    kernel_writes_to_shared_page();
    shared_mapping_is_seen_by_both();
    vfork_and_exec();
    exec_takes_strings();
    exec_refuses_strings();
    waiting();
    orphans_find_the_subreaper();
    memory_shortage_preference();
    faults_are_counted();
    busy_children_share_the_processor();
    floating_point_survives_switches();
    vectors_belong_to_the_program();
}

int main(int argc, char **argv) {
    uint64_t found = vectors();
    if (argc == 2 && strcmp(argv[1], "as-vectors") == 0) return found != 0;
    if (argc == 2 && strcmp(argv[1], "as-child") == 0) {
        const char *who = getenv("WHO");
        return who && strcmp(who, "vfork") == 0 ? 44 : 45;
    }
    if (argc > 2 && strcmp(argv[1], "as-strings") == 0) return receive_strings(argc, argv, environ);
    if (argc > 2) return 0;
    return run_as_init("forks", checks);
}
