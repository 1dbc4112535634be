// Parents and children: which children a wait is about, what it tells, and a parent that dies while its child has its memory.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static pid_t fork_with(int signal) { return (pid_t)syscall(SYS_clone, signal, 0, 0, 0, 0); }

static void sleep_millis(long millis) {
    struct timespec time = {.tv_nsec = millis * 1000000};
    nanosleep(&time, NULL);
}

static _Atomic pid_t *shared;

// Each fatal signal ends a parent that waits in vfork; its child goes on.
static void parents_in_vfork(void) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGKILL};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        *shared = 0;
        pid_t parent = fork();
        if (parent == 0) {
            if (vfork() == 0) {
                *shared = getpid();
                while (1) pause();
            }
            _exit(1);
        }
        while (*shared == 0) sleep_millis(1);
        int status = -1;
        CHECK(waitpid(parent, &status, WNOHANG) == 0);
        CHECK(kill(parent, signals[i]) == 0 && waitpid(parent, &status, 0) == parent);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
        CHECK(kill(*shared, SIGKILL) == 0);
    }
}

static void stopped_processes_die_later(void) {
    pid_t child = fork();
    if (child == 0) while (1) pause();
    int status;
    CHECK(kill(child, SIGSTOP) == 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    CHECK(kill(child, SIGTERM) == 0);
    sleep_millis(20);
    CHECK(waitpid(child, &status, WNOHANG) == 0);
    CHECK(kill(child, SIGCONT) == 0 && waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
}

static void clones_and_others(void) {
    for (int i = 0; i < 2; i++) {
        signal(SIGUSR1, SIG_IGN);
        pid_t child = fork_with(i == 0 ? 0 : SIGUSR1);
        if (child == 0) _exit(3);
        int status;
        CHECK(waitpid(child, &status, 0) == -1 && errno == ECHILD);
        CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
        CHECK(waitpid(child, &status, i == 0 ? __WCLONE : __WALL) == child && WEXITSTATUS(status) == 3);
        signal(SIGUSR1, SIG_DFL);
    }
    pid_t child = fork();
    if (child == 0) _exit(4);
    int status;
    CHECK(waitpid(child, &status, __WCLONE) == -1 && errno == ECHILD);
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | __WCLONE) == -1 && errno == ECHILD);
    CHECK(waitpid(child, &status, __WALL | __WCLONE) == child && WEXITSTATUS(status) == 4);
}

static pid_t of_thread[2];
static pthread_barrier_t both;

static void *fork_two(void *argument) {
    (void)argument;
    for (int i = 0; i < 2; i++) {
        of_thread[i] = fork();
        if (of_thread[i] == 0) _exit(i);
    }
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    int status;
    CHECK(waitpid(of_thread[0], &status, __WNOTHREAD) == of_thread[0]);
    return NULL;
}

static void children_of_threads(void) {
    pthread_t thread;
    int status;
    pthread_barrier_init(&both, NULL, 2);
    CHECK(pthread_create(&thread, NULL, fork_two, NULL) == 0);
    pthread_barrier_wait(&both);
    CHECK(waitpid(of_thread[0], &status, __WNOTHREAD) == -1 && errno == ECHILD);
    CHECK(waitpid(-1, &status, __WNOTHREAD) == -1 && errno == ECHILD);
    pthread_barrier_wait(&both);
    CHECK(pthread_join(thread, NULL) == 0);
    // What its thread left is the other's.
    for (int i = 0; i < 100 && waitpid(of_thread[1], &status, __WNOTHREAD | WNOHANG) == -1; i++) sleep_millis(1);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void what_waits_tell(void) {
    siginfo_t info = {0};
    pid_t child = fork();
    if (child == 0) {
        if (setresuid(1000, 2000, 3000) != 0) _exit(1);
        _exit(17);
    }
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    CHECK(info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_pid == child);
    CHECK(info.si_uid == 1000 && info.si_status == 17);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED) == 0);
    child = fork();
    if (child == 0) while (1) pause();
    info.si_pid = 5;
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0 && info.si_signo == 0);
    kill(child, SIGKILL);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED) == 0);
    CHECK(info.si_code == CLD_KILLED && info.si_status == SIGKILL && info.si_uid == 0);
}

static void the_largest_child(void) {
    pid_t child = fork();
    if (child == 0) execl("/proc/self/exe", "reaps", "grow", (char *)NULL);
    struct rusage usage = {0};
    int status;
    CHECK(wait4(child, &status, 0, &usage) == child && status == 0);
    CHECK(usage.ru_maxrss >= 8192 && usage.ru_maxrss < 16384);
    CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_maxrss >= 8192 && usage.ru_maxrss < 16384);
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0 && usage.ru_maxrss < 8192);
}

static void checks(void) {
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    parents_in_vfork();
    stopped_processes_die_later();
    clones_and_others();
    children_of_threads();
    what_waits_tell();
    the_largest_child();
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "grow") == 0) {
        volatile char *memory = malloc(8 << 20);
        for (int i = 0; i < 8 << 20; i += 4096) memory[i] = 1;
        return 0;
    }
    return run_as_init("reaps", checks);
}
