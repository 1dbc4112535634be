// Threads as the kernel makes them: clone(2) by itself, without a thread library. Ids, what is shared, how they end, exec,
// fork and wait with several threads. As process 1 it powers the board off.
#include "check.h"
#include "raw_thread.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int tasks_of(const char *path) {
    int count = 0;
    DIR *directory = opendir(path);
    if (!directory) return -1;
    for (struct dirent *entry; (entry = readdir(directory));) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

// The number behind `name` in a status file; -1 if there is none.
static long status_field(const char *path, const char *name) {
    char line[256];
    long value = -1;
    FILE *file = fopen(path, "r");
    if (!file) return -1;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0) value = atol(line + strlen(name));
    fclose(file);
    return value;
}

static char state_of(const char *path) {
    char line[256], state = '?';
    FILE *file = fopen(path, "r");
    if (!file) return '-';
    while (fgets(line, sizeof line, file)) sscanf(line, "State: %c", &state);
    fclose(file);
    return state;
}

// Ids and /proc.

static volatile int go_on;
static volatile long seen_tid, seen_pid;

static int tell_ids(void *unused) {
    (void)unused;
    seen_pid = syscall(SYS_getpid);
    seen_tid = syscall(SYS_gettid);
    while (!go_on) pause_shortly();
    return 0;
}

static void ids(void) {
    go_on = 0;
    seen_tid = 0;
    struct raw_thread thread;
    CHECK(start_raw(&thread, tell_ids, NULL, RAW_THREAD) == 0);
    while (!seen_tid) pause_shortly();
    CHECK(seen_pid == getpid() && seen_tid != getpid());
    CHECK(thread.tid == seen_tid && thread.parent_word == seen_tid);
    CHECK(tasks_of("/proc/self/task") == 2 && status_field("/proc/self/status", "Threads:") == 2);
    char path[64], name[16] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread.tid);
    CHECK(status_field(path, "Pid:") == thread.tid && status_field(path, "Tgid:") == getpid());
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", thread.tid);
    int comm = open(path, O_RDWR);
    CHECK(write(comm, "worker", 6) == 6 && pread(comm, name, sizeof name, 0) == 7 && strcmp(name, "worker\n") == 0);
    close(comm);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "worker") != 0);
    CHECK(getpgid(thread.tid) == getpgid(0) && kill(thread.tid, 0) == 0);
    CHECK(setpgid(thread.tid, 0) == -1 && errno == EINVAL);
    go_on = 1;
    join_raw(&thread);
    while (tasks_of("/proc/self/task") != 1) pause_shortly();
    CHECK(syscall(SYS_tgkill, getpid(), thread.tid, 0) == -1 && errno == ESRCH);
}

static void refused(void) {
    CHECK(syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0) == -1 && errno == EINVAL);
}

// What is shared, and what is not.

static int share_fd = -1;

static int change_files(void *unused) {
    (void)unused;
    close(share_fd);
    return chdir("/proc") != 0;
}

static int catch_usr2(void *unused) {
    (void)unused;
    return signal(SIGUSR2, SIG_IGN) == SIG_ERR;
}

static int is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

static int is_in(const char *directory) {
    char where[64];
    return getcwd(where, sizeof where) && strcmp(where, directory) == 0;
}

static void files_and_directories(int flags, int is_process) {
    CHECK(chdir("/") == 0);
    share_fd = open("/", O_RDONLY);
    struct raw_thread thread;
    CHECK(start_raw(&thread, change_files, NULL, flags | (is_process ? SIGCHLD : RAW_ALONE)) == 0);
    join_raw(&thread);
    if (is_process) CHECK(child_passed(thread.tid));
    CHECK(is_open(share_fd) == !(flags & CLONE_FILES));
    CHECK(is_in("/proc") == !!(flags & CLONE_FS));
    if (is_open(share_fd)) close(share_fd);
    CHECK(chdir("/") == 0);
}

static void sharing(void) {
    const int words = CLONE_VM | CLONE_CHILD_CLEARTID;
    files_and_directories(words | CLONE_FILES | CLONE_FS, 1);
    files_and_directories(words | CLONE_FILES, 1);
    files_and_directories(words | CLONE_FS, 1);
    files_and_directories(words, 1);
    files_and_directories(CLONE_FILES | CLONE_FS, 0);
    files_and_directories(0, 0);
    for (int shares = 0; shares < 2; shares++) {
        struct raw_thread thread;
        signal(SIGUSR2, SIG_DFL);
        CHECK(start_raw(&thread, catch_usr2, NULL, words | SIGCHLD | (shares ? CLONE_SIGHAND : 0)) == 0);
        join_raw(&thread);
        CHECK(child_passed(thread.tid));
        CHECK((signal(SIGUSR2, SIG_DFL) == SIG_IGN) == shares);
    }
}

// How threads and processes end.

static int sleep_and_exit(void *milliseconds) {
    usleep((long)milliseconds * 1000);
    return 9;
}

static int sleep_and_exit_all(void *milliseconds) {
    usleep((long)milliseconds * 1000);
    syscall(SYS_exit_group, 5);
    return 0;
}

static int kill_own_thread(void *signal_number) {
    syscall(SYS_tkill, syscall(SYS_gettid), (long)signal_number);
    pause();
    return 0;
}

static int status_of(pid_t child) {
    int status = -1;
    return waitpid(child, &status, 0) == child ? status : -1;
}

static pid_t process_with(int (*thread_function)(void *), long argument, int first_exits) {
    pid_t child = fork();
    if (child) return child;
    struct raw_thread thread;
    if (start_raw(&thread, thread_function, (void *)argument, RAW_THREAD)) _exit(99);
    if (first_exits) syscall(SYS_exit, 7);
    pause();
    _exit(97);
}

static void ends(void) {
    pid_t child = process_with(sleep_and_exit, 300, 1);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", child);
    for (int tries = 0; tries < 200 && state_of(path) != 'Z'; tries++) usleep(1000);
    CHECK(state_of(path) == 'Z' && status_field(path, "Threads:") == 2);
    CHECK(waitpid(child, NULL, WNOHANG) == 0 && kill(child, 0) == 0);
    int status = status_of(child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    status = status_of(process_with(sleep_and_exit_all, 20, 0));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    status = status_of(process_with(sleep_and_exit_all, 20, 1));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    const int fatal[] = {SIGKILL, SIGTERM, SIGSEGV, SIGRTMIN};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        status = status_of(process_with(kill_own_thread, fatal[i], i % 2));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == fatal[i]);
    }
}

// exec from a thread that is not the first; the program run is this one, with "after-exec".

static int run_again(void *unused) {
    (void)unused;
    usleep(20000);
    execl("/proc/thread-self/exe", "threads_kernel", "after-exec", NULL);
    _exit(98);
}

static int after_exec(void) {
    int is_right = syscall(SYS_gettid) == getpid() && tasks_of("/proc/self/task") == 1;
    return is_right && status_field("/proc/self/status", "Threads:") == 1 ? 42 : 1;
}

static void exec_by_a_thread(void) {
    for (int first_exits = 0; first_exits < 2; first_exits++) {
        int status = status_of(process_with(run_again, 0, first_exits));
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    }
}

// fork and wait.

static volatile long waited[2];

static int wait_for_any(void *which) {
    waited[(long)which] = waitpid(-1, NULL, 0);
    return 0;
}

static int fork_from_thread(void *unused) {
    (void)unused;
    pid_t child = fork();
    if (child == 0) _exit(syscall(SYS_gettid) == getpid() && tasks_of("/proc/self/task") == 1 ? 0 : 1);
    waited[0] = child_passed(child);
    return 0;
}

static void fork_and_wait(void) {
    struct raw_thread threads[2];
    CHECK(start_raw(&threads[0], fork_from_thread, NULL, RAW_THREAD) == 0);
    join_raw(&threads[0]);
    CHECK(waited[0] == 1);
    // Two threads wait for the only child: one has it, the other hears that there is none.
    pid_t child = fork();
    if (child == 0) {
        usleep(50000);
        _exit(0);
    }
    for (long i = 0; i < 2; i++) CHECK(start_raw(&threads[i], wait_for_any, (void *)i, RAW_THREAD) == 0);
    for (int i = 0; i < 2; i++) join_raw(&threads[i]);
    CHECK((waited[0] == child) + (waited[1] == child) == 1 && (waited[0] == -1) + (waited[1] == -1) == 1);
}

// Processor time is the thread's for RUSAGE_THREAD, and everybody's for RUSAGE_SELF.

static long milliseconds(int who) {
    struct rusage usage;
    return getrusage(who, &usage) == 0 ? usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 : -1;
}

static int burn(void *unused) {
    (void)unused;
    while (milliseconds(RUSAGE_THREAD) < 100) {
    }
    return 0;
}

static void usage(void) {
    long thread_before = milliseconds(RUSAGE_THREAD), all_before = milliseconds(RUSAGE_SELF);
    struct raw_thread thread;
    CHECK(start_raw(&thread, burn, NULL, RAW_THREAD) == 0);
    join_raw(&thread);
    CHECK(milliseconds(RUSAGE_SELF) - all_before >= 99);
    CHECK(milliseconds(RUSAGE_THREAD) - thread_before < 50);
}

static void checks(void) {
    ids();
    refused();
    sharing();
    ends();
    exec_by_a_thread();
    fork_and_wait();
    usage();
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "after-exec") == 0) return after_exec();
    return run_as_init("threads_kernel", checks);
}
