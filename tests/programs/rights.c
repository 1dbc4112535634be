// Who may do what to whom: what a program that gained rights, or gave them up, keeps from its old user; capabilities;
// set-ID bits of files. Runs as root; parts of it run again as other programs, copies of this one (see `part`).
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { USER = 1000, OTHER = 2000, GROUP = 5000 };

static const char *const OWN = "/proc/self/exe";
static const char *const SET_ID = "/tmp/set_id";
static const char *const HIDDEN = "/tmp/hidden";
static const char *const PLAIN = "/tmp/plain";

// ---- Capabilities without a library.

struct sets {
    uint64_t effective, permitted, inheritable;
};

static struct sets get_sets(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    CHECK(syscall(SYS_capget, &header, data) == 0);
    return (struct sets){
        data[0].effective | (uint64_t)data[1].effective << 32,
        data[0].permitted | (uint64_t)data[1].permitted << 32,
        data[0].inheritable | (uint64_t)data[1].inheritable << 32,
    };
}

static int set_sets(struct sets sets) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)sets.effective, (uint32_t)sets.permitted, (uint32_t)sets.inheritable},
        {(uint32_t)(sets.effective >> 32), (uint32_t)(sets.permitted >> 32), (uint32_t)(sets.inheritable >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

static uint64_t bit(int capability) { return 1ull << capability; }

// ---- A copy of this program, run with the name of a part: it tells what it found by its exit status.

static void copy_self(const char *path, mode_t mode) {
    static char buffer[1 << 16];
    int from = open(OWN, O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    for (ssize_t len; (len = read(from, buffer, sizeof buffer)) > 0;) CHECK(write(to, buffer, (size_t)len) == len);
    close(from);
    close(to);
    CHECK(chmod(path, mode) == 0);
}

static int run(const char *path, const char *part) {
    execl(path, path, part, (char *)NULL);
    _exit(99);
}

static int status_of(pid_t child) {
    int status = -1;
    if (waitpid(child, &status, __WALL) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

enum { DUMPABLE = 1, SECURE = 2, DEATH_SIGNAL = 4, ROOT = 8, CAPABLE = 16, INHERITED = 32 };

static int report(void) {
    int signal = -1, found = 0;
    prctl(PR_GET_PDEATHSIG, &signal);
    struct sets sets = get_sets();
    if (prctl(PR_GET_DUMPABLE) == 1) found |= DUMPABLE;
    if (getauxval(AT_SECURE)) found |= SECURE;
    if (signal) found |= DEATH_SIGNAL;
    if (geteuid() == 0) found |= ROOT;
    if (sets.effective & bit(CAP_CHOWN)) found |= CAPABLE;
    if (sets.effective & bit(CAP_NET_RAW)) found |= INHERITED;
    return found;
}

// True if this process was started by run().
static int part(int count, char **arguments) {
    if (count < 2) return 0;
    if (strcmp(arguments[1], "report") == 0) _exit(report());
    if (strcmp(arguments[1], "wait") == 0) {
        if (write(3, "r", 1) == 1) pause();
    }
    _exit(98);
}

static void become(uid_t user) {
    CHECK(setgroups(0, NULL) == 0 && setgid(user) == 0 && setuid(user) == 0);
}

// What a child that became USER reports of itself, or of the program it runs.
static int report_of_user(const char *path, int signal) {
    pid_t child = fork();
    if (child == 0) {
        become(USER);
        prctl(PR_SET_PDEATHSIG, signal);
        run(path, "report");
    }
    return status_of(child);
}

// ---- Dumpable and the parent-death signal.

static void changes_of_ids_hide(void) {
    CHECK(prctl(PR_GET_DUMPABLE) == 1);
    CHECK(prctl(PR_SET_DUMPABLE, 2) == -1 && errno == EINVAL);
    pid_t child = start_child();
    if (child == 0) {
        int signal = -1;
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        become(USER);
        CHECK(prctl(PR_GET_DUMPABLE) == 0);
        CHECK(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == 0);
        CHECK(prctl(PR_SET_DUMPABLE, 1) == 0 && prctl(PR_GET_DUMPABLE) == 1);
        // Nothing changes: nothing is hidden.
        CHECK(setuid(USER) == 0 && prctl(PR_GET_DUMPABLE) == 1);
        pid_t grandchild = start_child();
        if (grandchild == 0) {
            CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
            pid_t last = start_child();
            if (last == 0) {
                CHECK(prctl(PR_GET_DUMPABLE) == 0);
                end_child();
            }
            CHECK(child_passed(last));
            end_child();
        }
        CHECK(child_passed(grandchild));
        CHECK(prctl(PR_GET_DUMPABLE) == 1);
        end_child();
    }
    CHECK(child_passed(child));
}

static void programs_hide(void) {
    CHECK(report_of_user(PLAIN, SIGKILL) == (DUMPABLE | DEATH_SIGNAL));
    CHECK(report_of_user(SET_ID, SIGKILL) == (SECURE | ROOT | CAPABLE | INHERITED));
    CHECK(report_of_user(HIDDEN, SIGKILL) == DEATH_SIGNAL);
}

static int can_read(const char *path) {
    char byte;
    int file = open(path, O_RDONLY);
    if (file < 0) return 0;
    int holds = read(file, &byte, 1) == 1, error = errno;
    close(file);
    errno = error;
    return holds;
}

static void secrets_are_kept(void) {
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        become(USER);
        dup2(ready[1], 3);
        run(SET_ID, "wait");
    }
    char byte;
    CHECK(read(ready[0], &byte, 1) == 1);
    pid_t spy = start_child();
    if (spy == 0) {
        become(USER);
        char path[64];
        for (int i = 0; i < 2; i++) {
            sprintf(path, "/proc/%d/%s", child, ((const char *[]){"maps", "environ"})[i]);
            CHECK(!can_read(path) && errno == EACCES);
        }
        struct sched_param none = {0};
        cpu_set_t set;
        CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
        CHECK(sched_setaffinity(child, sizeof set, &set) == -1 && errno == EPERM);
        CHECK(sched_setaffinity(getppid(), sizeof set, &set) == -1 && errno == EPERM);
        CHECK(sched_setscheduler(child, SCHED_OTHER, &none) == -1 && errno == EPERM);
        CHECK(sched_setscheduler(getppid(), SCHED_OTHER, &none) == -1 && errno == EPERM);
        CHECK(setpriority(PRIO_PROCESS, (id_t)child, 5) == -1 && errno == EPERM);
        CHECK(setpriority(PRIO_PROCESS, (id_t)getppid(), 5) == -1 && errno == EPERM);
        CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
        CHECK(setpriority(PRIO_PROCESS, 0, 4) == -1 && errno == EACCES);
        // The real user of a set-user-ID program may signal it.
        CHECK(kill(child, 0) == 0);
        CHECK(kill(getppid(), 0) == -1 && errno == EPERM);
        end_child();
    }
    CHECK(child_passed(spy));
    kill(child, SIGKILL);
    CHECK(status_of(child) == 256 + SIGKILL);
    close(ready[0]);
    close(ready[1]);
}

// Who chose SIGKILL as the signal of its child's end gets SIGCHLD once the child runs another program.
static void exit_signals_end_at_exec(void) {
    pid_t middle = start_child();
    if (middle == 0) {
        pid_t child = (pid_t)syscall(SYS_clone, SIGKILL, 0, 0, 0, 0);
        if (child == 0) run(PLAIN, "report");
        CHECK(status_of(child) == (DUMPABLE | ROOT | CAPABLE | INHERITED));
        end_child();
    }
    CHECK(child_passed(middle));
}

static int go_on[2];

static void *fork_and_end(void *child) {
    *(pid_t *)child = fork();
    if (*(pid_t *)child == 0) {
        sigset_t set;
        siginfo_t info = {0};
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        if (write(go_on[1], "r", 1) != 1) _exit(1);
        int signal = sigwaitinfo(&set, &info);
        _exit(signal == SIGUSR1 && info.si_pid == getppid() && info.si_code == SI_USER && info.si_uid == 0 ? 0 : 2);
    }
    char byte;
    CHECK(read(go_on[0], &byte, 1) == 1);
    return NULL;
}

static void a_thread_that_forked_ends(void) {
    pid_t child = 0;
    pthread_t thread;
    CHECK(pipe(go_on) == 0);
    CHECK(pthread_create(&thread, NULL, fork_and_end, &child) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(status_of(child) == 0);
    close(go_on[0]);
    close(go_on[1]);
}

// ---- Capabilities.

static void ids_and_capabilities(void) {
    struct sets all = get_sets();
    CHECK(all.effective == all.permitted && all.inheritable == 0 && (all.permitted & bit(CAP_AUDIT_READ)));
    CHECK(seteuid(USER) == 0 && get_sets().effective == 0 && get_sets().permitted == all.permitted);
    CHECK(seteuid(0) == 0 && get_sets().effective == all.permitted);
    CHECK(setfsuid(USER) == 0 && !(get_sets().effective & bit(CAP_CHOWN)) && (get_sets().effective & bit(CAP_KILL)));
    CHECK(setfsuid(0) == USER && get_sets().effective == all.permitted);
    CHECK(setresuid(USER, USER, 0) == 0 && get_sets().permitted == all.permitted && get_sets().effective == 0);
    CHECK(setuid(0) == 0 && geteuid() == 0 && getuid() == USER && get_sets().effective == all.permitted);
    CHECK(setuid(USER) == 0 && get_sets().permitted == 0 && get_sets().effective == 0);
    CHECK(setuid(0) == -1 && errno == EPERM);
    CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) == 1 && prctl(PR_CAPBSET_READ, 63) == -1 && errno == EINVAL);
    CHECK(prctl(PR_CAPBSET_DROP, CAP_CHOWN) == -1 && errno == EPERM);
    CHECK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT) == -1 && errno == EPERM);
}

static void capabilities_that_stay(void) {
    CHECK(prctl(PR_GET_KEEPCAPS) == 0 && prctl(PR_SET_KEEPCAPS, 2) == -1 && errno == EINVAL);
    CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
    CHECK(prctl(PR_GET_SECUREBITS) == SECBIT_KEEP_CAPS);
    uint64_t all = get_sets().permitted;
    become(USER);
    CHECK(get_sets().permitted == all && get_sets().effective == 0);
    uint64_t some = bit(CAP_KILL) | bit(CAP_NET_RAW);
    CHECK(set_sets((struct sets){some, some, bit(CAP_NET_RAW)}) == 0);
    CHECK(kill(getppid(), 0) == 0);
    CHECK(chown(PLAIN, USER, USER) == -1 && errno == EPERM);
    CHECK(set_sets((struct sets){all, all, 0}) == -1 && errno == EPERM);
    CHECK(set_sets((struct sets){some, bit(CAP_KILL), 0}) == -1 && errno == EPERM);
    CHECK(set_sets((struct sets){some, some, bit(CAP_CHOWN)}) == -1 && errno == EPERM);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == -1 && errno == EPERM);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0) == 1);
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 1, 0) == -1 && errno == EINVAL);
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
    pid_t child = fork();
    if (child == 0) run(PLAIN, "report");
    CHECK(status_of(child) == (DUMPABLE | INHERITED));
    child = fork();
    if (child == 0) run(SET_ID, "report");
    CHECK(status_of(child) == (SECURE | ROOT | CAPABLE | INHERITED));
    CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0);
    child = fork();
    if (child == 0) run(PLAIN, "report");
    CHECK(status_of(child) == DUMPABLE);
}

static void capabilities_that_go(void) {
    CHECK(prctl(PR_CAPBSET_DROP, CAP_NET_RAW) == 0 && prctl(PR_CAPBSET_READ, CAP_NET_RAW) == 0);
    CHECK(prctl(PR_CAPBSET_DROP, 64) == -1 && errno == EINVAL);
    CHECK(get_sets().effective & bit(CAP_NET_RAW));
    pid_t child = fork();
    if (child == 0) run(PLAIN, "report");
    CHECK(status_of(child) == (DUMPABLE | ROOT | CAPABLE));
    CHECK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED) == 0);
    CHECK(prctl(PR_SET_SECUREBITS, 0) == -1 && errno == EPERM);
    child = fork();
    if (child == 0) run(PLAIN, "report");
    CHECK(status_of(child) == (DUMPABLE | ROOT));
    CHECK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP) == 0);
    CHECK(setuid(USER) == 0 && (get_sets().effective & bit(CAP_CHOWN)));
    CHECK(prctl(PR_SET_SECUREBITS, 1 << 9) == -1 && errno == EPERM);
}

static void no_new_privileges(void) {
    become(USER);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
    pid_t child = fork();
    if (child == 0) run(SET_ID, "report");
    CHECK(status_of(child) == DUMPABLE);
}

// Who shares its directories with another process could have them changed under a set-user-ID program.
static void shared_directories(void) {
    become(USER);
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) run(SET_ID, "report");
    CHECK(status_of(child) == (DUMPABLE | SECURE));
}

static void odd_versions(void) {
    struct __user_cap_header_struct header = {.version = 17};
    struct __user_cap_data_struct data[2];
    CHECK(syscall(SYS_capget, &header, data) == -1 && errno == EINVAL);
    CHECK(header.version == _LINUX_CAPABILITY_VERSION_3);
    header.version = 17;
    CHECK(syscall(SYS_capget, &header, NULL) == 0 && header.version == _LINUX_CAPABILITY_VERSION_3);
    CHECK(syscall(SYS_capget, &header, NULL) == 0);
    header.pid = 1;
    if (getpid() != 1) CHECK(syscall(SYS_capset, &header, data) == -1 && errno == EPERM);
    header.version = 17;
    CHECK(syscall(SYS_capset, &header, data) == -1 && errno == EINVAL);
}

// ---- Files.

static mode_t mode_of(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 ? found.st_mode & 07777 : 0;
}

static gid_t group_of(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 ? found.st_gid : 0;
}

static void make_file(const char *path, mode_t mode) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    CHECK(file >= 0);
    close(file);
}

static void set_group_directories(void) {
    umask(0);
    CHECK(mkdir("/tmp/shared", 0777) == 0 && chown("/tmp/shared", 0, GROUP) == 0);
    CHECK(chmod("/tmp/shared", 02777) == 0 && mode_of("/tmp/shared") == 02777);
    pid_t child = start_child();
    if (child == 0) {
        become(USER);
        make_file("/tmp/shared/outsider", 02755);
        CHECK(mode_of("/tmp/shared/outsider") == 0755 && group_of("/tmp/shared/outsider") == GROUP);
        make_file("/tmp/shared/locked", 02745);
        CHECK(mkdir("/tmp/shared/below", 0700) == 0);
        CHECK(mode_of("/tmp/shared/below") == 02700 && group_of("/tmp/shared/below") == GROUP);
        end_child();
    }
    CHECK(child_passed(child));
    child = start_child();
    if (child == 0) {
        gid_t group = GROUP;
        CHECK(setgroups(1, &group) == 0 && setgid(USER) == 0 && setuid(USER) == 0);
        make_file("/tmp/shared/insider", 02755);
        CHECK(mode_of("/tmp/shared/insider") == 02755 && group_of("/tmp/shared/insider") == GROUP);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(mkdir("/tmp/plain_directory", 06777) == 0 && mode_of("/tmp/plain_directory") == 0777);
}

static void changes_clear_set_ids(void) {
    make_file("/tmp/own", 0755);
    CHECK(chown("/tmp/own", USER, USER) == 0);
    pid_t child = start_child();
    if (child == 0) {
        become(USER);
        int file = open("/tmp/own", O_RDWR);
        CHECK(fchmod(file, 06755) == 0 && mode_of("/tmp/own") == 06755);
        CHECK(write(file, "x", 1) == 1 && mode_of("/tmp/own") == 0755);
        CHECK(fchmod(file, 06755) == 0 && ftruncate(file, 0) == 0 && mode_of("/tmp/own") == 0755);
        CHECK(fchmod(file, 06755) == 0 && fchown(file, USER, USER) == 0 && mode_of("/tmp/own") == 0755);
        CHECK(fchmod(file, 04711) == 0);
        int again = open("/tmp/own", O_WRONLY | O_TRUNC);
        CHECK(again >= 0 && mode_of("/tmp/own") == 0711);
        // Not a member of the group: no bit for it.
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(chmod("/tmp/own", 06755) == 0);
    int file = open("/tmp/own", O_RDWR);
    CHECK(write(file, "x", 1) == 1 && mode_of("/tmp/own") == 06755);
    CHECK(fchown(file, 0, 0) == 0 && mode_of("/tmp/own") == 0755);
    close(file);
}

static void names_of_others(void) {
    CHECK(mkdir("/tmp/a", 0777) == 0 && mkdir("/tmp/b", 0777) == 0);
    CHECK(mkdir("/tmp/a/theirs", 0755) == 0 && mkdir("/tmp/b/own", 0755) == 0);
    CHECK(chown("/tmp/b/own", USER, USER) == 0);
    pid_t child = start_child();
    if (child == 0) {
        become(USER);
        int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        CHECK(file >= 0);
        CHECK(linkat(file, "", AT_FDCWD, "/tmp/a/linked", AT_EMPTY_PATH) == -1 && errno == ENOENT);
        CHECK(renameat2(AT_FDCWD, "/tmp/a/theirs", AT_FDCWD, "/tmp/b/own", RENAME_EXCHANGE) == -1 && errno == EACCES);
        CHECK(renameat2(AT_FDCWD, "/tmp/b/own", AT_FDCWD, "/tmp/a/theirs", RENAME_EXCHANGE) == -1 && errno == EACCES);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(renameat2(AT_FDCWD, "/tmp/b/own", AT_FDCWD, "/tmp/a/theirs", RENAME_EXCHANGE) == 0);
}

// ---- What a process takes back from others, and small things.

static void unshared_directories(void) {
    CHECK(unshare(1 << 3) == -1 && errno == EINVAL);
    CHECK(unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD) == 0);
    CHECK(chdir("/") == 0);
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FS | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        if (chdir("/dev") != 0 || unshare(CLONE_FS | CLONE_FILES) != 0 || chdir("/tmp") != 0) _exit(1);
        close(2);
        _exit(0);
    }
    char where[64];
    CHECK(status_of(child) == 0 && getcwd(where, sizeof where) && strcmp(where, "/dev") == 0);
    CHECK(fcntl(2, F_GETFD) >= 0);
    become(USER);
    CHECK(unshare(CLONE_NEWNS) == -1 && errno == EPERM);
}

static void timer_slack(void) {
    CHECK(prctl(PR_GET_TIMERSLACK) == 50000 && prctl(PR_SET_TIMERSLACK, 1234) == 0);
    CHECK(prctl(PR_GET_TIMERSLACK) == 1234);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(prctl(PR_GET_TIMERSLACK) == 1234 && prctl(PR_SET_TIMERSLACK, 77) == 0);
        CHECK(prctl(PR_SET_TIMERSLACK, 0) == 0 && prctl(PR_GET_TIMERSLACK) == 1234);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(prctl(PR_SET_TIMERSLACK, 0) == 0 && prctl(PR_GET_TIMERSLACK) == 50000);
    CHECK(prctl(4711, 0, 0, 0, 0) == -1 && errno == EINVAL);
}

static void in_child(void (*checks)(void)) {
    pid_t child = start_child();
    if (child == 0) {
        checks();
        end_child();
    }
    CHECK(child_passed(child));
}

static void checks(void) {
    copy_self(PLAIN, 0755);
    copy_self(SET_ID, 04755);
    copy_self(HIDDEN, 0711);
    in_child(changes_of_ids_hide);
    programs_hide();
    secrets_are_kept();
    exit_signals_end_at_exec();
    a_thread_that_forked_ends();
    in_child(ids_and_capabilities);
    in_child(capabilities_that_stay);
    in_child(capabilities_that_go);
    in_child(no_new_privileges);
    in_child(shared_directories);
    in_child(unshared_directories);
    in_child(timer_slack);
    odd_versions();
    set_group_directories();
    changes_clear_set_ids();
    names_of_others();
}

int main(int count, char **arguments) {
    part(count, arguments);
    return run_as_init("rights", checks);
}
