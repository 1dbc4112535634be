// Several threads of a process end it at once, each in its own way: exit, exit_group, exec, a fatal signal, a fault; while
// others fork, make threads, stop and continue. Whoever wins, the process ends with the status of one of them, and nothing is
// left over.   thread_ends [ROUNDS]
#include "cores.h"
#include "raw_thread.h"
#include <sys/prctl.h>

enum { THREADS = 4, GROUPS = 3 };

static long rounds = 300;

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
    uint64_t seed = (uint64_t)argument;
    spin((void *)below(&seed, 4096));
    struct raw_thread thread;
    switch (below(&seed, 12)) {
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

static void group(uint64_t seed) {
    struct raw_thread threads[THREADS];
    setpgid(0, 0);
    signal(SIGUSR1, SIG_IGN);
    for (int i = 0; i < THREADS; i++) start_raw(&threads[i], act, (void *)next(&seed), RAW_THREAD);
    if (below(&seed, 2)) syscall(SYS_exit, 12);
    act((void *)next(&seed));
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

static void play(uint64_t seed) {
    pid_t children[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        uint64_t own = next(&seed);
        children[i] = fork();
        if (children[i] == 0) group(own);
    }
    for (int i = 0; i < GROUPS; i++) CHECK(children[i] > 0 && end_of(children[i]));
}

// Children of groups that were killed come here, and end by themselves.
static void play_many(long count) {
    for (long round = 0; round < count; round++) {
        play((uint64_t)round + 1);
        while (waitpid(-1, NULL, 0) > 0) {
        }
    }
}

static void checks(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    play_many(rounds / 10 + 4); // to warm up
    long before = free_kib();
    play_many(rounds);
    long lost = lost_kib(before);
    printf("%ld KiB lost\n", lost);
    CHECK(lost <= tolerated_kib());
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static int after_exec(void) { return syscall(SYS_gettid) == getpid() ? 42 : 99; }

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "after-exec") == 0) return after_exec();
    if (argc > 1) rounds = atol(argv[1]);
    return run_as_init("thread_ends", checks);
}
