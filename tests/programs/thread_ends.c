// Several threads of a process end it at once, each in its own way: exit, exit_group, exec, a fatal signal, a fault; while
// others fork, make threads, stop and continue. Whoever wins, the process ends with the status of one of them, and nothing is
// left over.   thread_ends [ROUNDS]
#include "check.h"
#include "raw_thread.h"

enum { THREADS = 4, GROUPS = 3 };

static long rounds = 300;

static unsigned next(unsigned *seed) { return *seed = *seed * 1664525 + 1013904223, *seed >> 16; }

static int spin(void *times) {
    for (volatile long i = (long)times; i > 0; i--) {
    }
    return 0;
}

static int fork_and_wait(void *unused) {
    (void)unused;
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) syscall(SYS_exit_group, 0);
    if (child > 0) syscall(SYS_wait4, child, NULL, 0, NULL);
    return 0;
}

static int run_again(void *unused) {
    (void)unused;
    execl("/proc/self/exe", "thread_ends", "after-exec", NULL);
    // Only the end of the process stops it, or that of the first thread, whose link leads nowhere then.
    syscall(SYS_exit, 30);
    return 0;
}

// What one thread does, chosen by `seed`.
static int act(void *argument) {
    unsigned seed = (unsigned)(long)argument;
    spin((void *)(long)(next(&seed) % 4096));
    struct raw_thread thread;
    switch (next(&seed) % 12) {
    case 0: syscall(SYS_exit_group, 10); break;
    case 1: run_again(NULL); break;
    case 2: syscall(SYS_kill, getpid(), SIGKILL); break;
    case 3: syscall(SYS_tkill, syscall(SYS_gettid), SIGTERM); break;
    case 4: *(volatile int *)0 = 0; break;
    case 5: fork_and_wait(NULL); break;
    case 6:
        if (start_raw(&thread, spin, (void *)5000L, RAW_THREAD) == 0) join_raw(&thread);
        break;
    case 7:
        if (start_raw(&thread, fork_and_wait, NULL, RAW_THREAD) == 0) join_raw(&thread);
        break;
    case 8: syscall(SYS_kill, getpid(), SIGSTOP); break;
    case 9: syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0 ? syscall(SYS_exit, 0) : 0; break;
    case 10: syscall(SYS_kill, 0, SIGUSR1); break;
    default: spin((void *)20000L);
    }
    return 11;
}

static void group(unsigned seed) {
    struct raw_thread threads[THREADS];
    setpgid(0, 0);
    signal(SIGUSR1, SIG_IGN);
    for (int i = 0; i < THREADS; i++) start_raw(&threads[i], act, (void *)(long)next(&seed), RAW_THREAD);
    if (next(&seed) % 2) syscall(SYS_exit, 12);
    act((void *)(long)next(&seed));
    syscall(SYS_exit, 13);
}

static int is_possible(int status) {
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGSEGV;
    if (!WIFEXITED(status)) return 0;
    int code = WEXITSTATUS(status);
    return code == 0 || (code >= 10 && code <= 13) || code == 30 || code == 42;
}

// Waits until the group has ended; continues it whenever it stops.
static int end_of(pid_t child) {
    for (;;) {
        int status = 0;
        pid_t found = waitpid(child, &status, WUNTRACED);
        if (found != child) return 0;
        if (!WIFSTOPPED(status)) return is_possible(status) ? 1 : (printf("status %#x\n", status), 0);
        kill(child, SIGCONT);
    }
}

static void play(unsigned seed) {
    pid_t children[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        unsigned own = next(&seed);
        children[i] = fork();
        if (children[i] == 0) group(own);
    }
    for (int i = 0; i < GROUPS; i++) CHECK(children[i] > 0 && end_of(children[i]));
}

static void checks(void) {
    for (long round = 0; round < rounds; round++) play((unsigned)round * 2654435761u + 1);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static int after_exec(void) { return syscall(SYS_gettid) == getpid() ? 42 : 99; }

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "after-exec") == 0) return after_exec();
    if (argc > 1) rounds = atol(argv[1]);
    return run_as_init("thread_ends", checks);
}
