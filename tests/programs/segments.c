// System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2), /proc/sysvipc/shm. Linux 6.12 says what is right.
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (intptr_t)(call) == -1 && errno == (error))

enum { PAGE = 4096, KEY = 0x51ea };

static struct shmid_ds status_of(int id) {
    struct shmid_ds status;
    memset(&status, 0xff, sizeof status);
    CHECK(shmctl(id, IPC_STAT, &status) == 0);
    return status;
}

static int attachments(int id) { return (int)status_of(id).shm_nattch; }

static int make(size_t bytes) {
    int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    CHECK(id >= 0);
    return id;
}

static void remove_it(int id) { CHECK(shmctl(id, IPC_RMID, NULL) == 0); }

static void keys(void) {
    CHECK(FAILS(shmget(KEY, 100, 0600), ENOENT));
    int id = shmget(KEY, 5000, IPC_CREAT | IPC_EXCL | 0640);
    CHECK(id >= 0 && shmget(KEY, 0, 0) == id && shmget(KEY, 5000, IPC_CREAT) == id);
    CHECK(FAILS(shmget(KEY, 5001, 0), EINVAL) && FAILS(shmget(KEY, 1, IPC_CREAT | IPC_EXCL), EEXIST));
    CHECK(FAILS(shmget(IPC_PRIVATE, 0, 0600), EINVAL) && FAILS(shmget(KEY + 1, 0, IPC_CREAT), EINVAL));
    int other = shmget(IPC_PRIVATE, 1, 0600);
    CHECK(other >= 0 && other != id);
    struct shmid_ds status = status_of(id);
    CHECK(status.shm_perm.__key == KEY && status.shm_segsz == 5000 && status.shm_nattch == 0 && status.shm_perm.mode == 0640);
    CHECK(status.shm_cpid == getpid() && status.shm_lpid == 0 && status.shm_atime == 0 && status.shm_dtime == 0);
    CHECK(status.shm_perm.uid == geteuid() && status.shm_perm.cgid == getegid() && status.shm_ctime >= time(NULL) - 5);
    CHECK(FAILS(shmctl(id, 99, &status), EINVAL) && FAILS(shmctl(-1, IPC_STAT, &status), EINVAL) && FAILS(shmctl(id + 7, IPC_STAT, &status), EINVAL));
    CHECK(FAILS(shmctl(id, IPC_STAT, (void *)16), EFAULT));
    remove_it(id);
    CHECK(FAILS(shmctl(id, IPC_STAT, &status), EINVAL) && FAILS(shmget(KEY, 1, 0), ENOENT) && FAILS(shmat(id, NULL, 0), EINVAL));
    // Its identifier is not given out again at once.
    int next = make(1);
    CHECK(next != id);
    remove_it(next), remove_it(other);
}

static void attached(void) {
    int id = make(3 * PAGE - 100);
    char *at = shmat(id, NULL, 0);
    CHECK((intptr_t)at != -1 && (uintptr_t)at % PAGE == 0 && at[0] == 0 && at[3 * PAGE - 1] == 0);
    struct shmid_ds status = status_of(id);
    CHECK(status.shm_nattch == 1 && status.shm_lpid == getpid() && status.shm_atime >= time(NULL) - 5);
    // Twice in one process, and the same memory; once only to be read.
    char *again = shmat(id, NULL, SHM_RDONLY);
    strcpy(at + PAGE, "text");
    CHECK(again != at && strcmp(again + PAGE, "text") == 0 && attachments(id) == 2);
    CHECK(FAILS(mprotect(again, PAGE, PROT_READ | PROT_WRITE), EACCES));
    // A child has what the parent has, and stores to it are everybody's.
    pid_t child = start_child();
    if (child == 0) {
        CHECK(attachments(id) == 4);
        strcpy(at + 2 * PAGE, "of the child");
        CHECK(shmdt(again) == 0 && attachments(id) == 3);
        end_child();
    }
    CHECK(child_passed(child) && strcmp(again + 2 * PAGE, "of the child") == 0 && attachments(id) == 2);
    // execve(2) leaves them behind.
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "segments", "attached?", (char *)NULL);
        _exit(9);
    }
    int wait_status = -1;
    CHECK(waitpid(child, &wait_status, 0) == child && wait_status == 0 && attachments(id) == 2);
    CHECK(FAILS(shmdt(at + 1), EINVAL) && FAILS(shmdt(at + PAGE), EINVAL) && shmdt(again) == 0 && FAILS(shmdt(again), EINVAL));
    status = status_of(id);
    CHECK(status.shm_nattch == 1 && status.shm_dtime >= time(NULL) - 5);
    // It outlives all who have it attached.
    CHECK(shmdt(at) == 0 && attachments(id) == 0);
    at = shmat(id, NULL, 0);
    CHECK(strcmp(at + PAGE, "text") == 0 && shmdt(at) == 0);
    remove_it(id);
}

static void places(void) {
    int id = make(2 * PAGE);
    char *room = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    room[2 * PAGE] = 'x';
    CHECK(FAILS(shmat(id, room, 0), EINVAL) && FAILS(shmat(id, room + 1, 0), EINVAL) && FAILS(shmat(id, NULL, SHM_REMAP), EINVAL));
    CHECK(FAILS(shmat(-1, NULL, 0), EINVAL));
    CHECK(shmat(id, room + 2 * PAGE, SHM_REMAP) == room + 2 * PAGE && room[2 * PAGE] == 0 && shmdt(room + 2 * PAGE) == 0);
    // Now there is a hole of two pages.
    CHECK(shmat(id, room + 2 * PAGE + 99, SHM_RND) == room + 2 * PAGE && shmdt(room + 2 * PAGE) == 0);
    CHECK(shmat(id, room + 2 * PAGE, 0) == room + 2 * PAGE && FAILS(shmat(id, room + 3 * PAGE, 0), EINVAL));
    CHECK(munmap(room, 8 * PAGE) == 0 && attachments(id) == 0);
    // Beyond the space.
    CHECK(FAILS(shmat(id, (void *)(~0ul - PAGE + 1), 0), EINVAL));
    remove_it(id);
}

// What is left of an attachment goes as a whole, by the address at which it began; each area of it counts as one.
static void pieces(void) {
    int id = make(6 * PAGE);
    char *at = shmat(id, NULL, 0);
    CHECK(mprotect(at + 2 * PAGE, PAGE, PROT_READ) == 0 && attachments(id) == 3);
    CHECK(munmap(at + 4 * PAGE, PAGE) == 0 && attachments(id) == 4);
    CHECK(mmap(at + 4 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at + 4 * PAGE);
    CHECK(munmap(at, PAGE) == 0 && attachments(id) == 4);
    CHECK(shmdt(at) == 0 && attachments(id) == 0 && msync(at + 4 * PAGE, PAGE, MS_ASYNC) == 0 && FAILS(msync(at + 5 * PAGE, PAGE, MS_ASYNC), ENOMEM));
    munmap(at + 4 * PAGE, PAGE);
    remove_it(id);
}

// Removed while it is attached it has no key, and stays until the last one detaches it.
static void leaving(void) {
    int id = shmget(KEY, PAGE, IPC_CREAT | 0600);
    char *at = shmat(id, NULL, 0);
    at[7] = 7;
    remove_it(id);
    struct shmid_ds status = status_of(id);
    CHECK(status.shm_perm.__key == 0 && status.shm_perm.mode == (0600 | SHM_DEST) && status.shm_nattch == 1);
    CHECK(FAILS(shmget(KEY, PAGE, 0), ENOENT));
    char *again = shmat(id, NULL, 0);
    CHECK((intptr_t)again != -1 && again[7] == 7 && shmdt(at) == 0 && shmctl(id, IPC_STAT, &status) == 0);
    int other = shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other >= 0 && other != id);
    CHECK(shmdt(again) == 0 && FAILS(shmctl(id, IPC_STAT, &status), EINVAL));
    remove_it(other);
    // The end of the last process that has it attached is enough.
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    pid_t child = start_child();
    if (child == 0) {
        id = make(PAGE);
        memset(shmat(id, NULL, 0), 1, PAGE);
        remove_it(id);
        CHECK(write(pipes[1], &id, sizeof id) == sizeof id);
        end_child();
    }
    CHECK(child_passed(child) && read(pipes[0], &id, sizeof id) == sizeof id && FAILS(shmctl(id, IPC_STAT, &status), EINVAL));
    close(pipes[0]), close(pipes[1]);
}

static void as_somebody_else(int id, int readable) {
    struct shmid_ds status;
    CHECK(setgroups(0, NULL) == 0 && setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
    CHECK(FAILS(shmat(id, NULL, 0), EACCES) && FAILS(shmget(KEY, PAGE, 0200), EACCES) && FAILS(shmctl(id, IPC_RMID, NULL), EPERM));
    CHECK(FAILS(shmctl(readable, IPC_RMID, NULL), EPERM) && FAILS(shmctl(readable, SHM_LOCK, NULL), EPERM));
    CHECK(FAILS(shmctl(id, IPC_STAT, &status), EACCES) && shmctl(readable, IPC_STAT, &status) == 0 && FAILS(shmctl(readable, IPC_SET, &status), EPERM));
    char *at = shmat(readable, NULL, SHM_RDONLY);
    CHECK((intptr_t)at != -1 && at[1] == 1 && shmdt(at) == 0 && FAILS(shmat(readable, NULL, 0), EACCES) && FAILS(shmat(readable, NULL, SHM_RDONLY | SHM_EXEC), EACCES));
    // Its own can be locked as far as it may lock memory.
    int own = make(64 * PAGE);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){PAGE, PAGE}) == 0 && FAILS(shmctl(own, SHM_LOCK, NULL), ENOMEM));
    CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) == 0 && FAILS(shmctl(own, SHM_LOCK, NULL), EPERM));
    remove_it(own);
}

static void rights(void) {
    int id = shmget(KEY, PAGE, IPC_CREAT | 0600), readable = shmget(KEY + 1, PAGE, IPC_CREAT | 0604);
    char *at = shmat(readable, NULL, 0);
    at[1] = 1;
    CHECK(shmdt(at) == 0);
    pid_t child = start_child();
    if (child == 0) {
        as_somebody_else(id, readable);
        end_child();
    }
    CHECK(child_passed(child));
    // Given away, with other rights.
    struct shmid_ds status = status_of(id);
    status.shm_perm.uid = 1000, status.shm_perm.gid = 1000, status.shm_perm.mode = 07460;
    CHECK(shmctl(id, IPC_SET, &status) == 0);
    status = status_of(id);
    CHECK(status.shm_perm.uid == 1000 && status.shm_perm.cuid == 0 && status.shm_perm.mode == 0460);
    child = start_child();
    if (child == 0) {
        CHECK(setresuid(1000, 1000, 1000) == 0 && (intptr_t)shmat(id, NULL, SHM_RDONLY) != -1 && FAILS(shmat(id, NULL, 0), EACCES));
        remove_it(id);
        end_child();
    }
    CHECK(child_passed(child) && shmctl(readable, SHM_LOCK, NULL) == 0 && status_of(readable).shm_perm.mode == (0604 | SHM_LOCKED));
    CHECK(shmctl(readable, SHM_UNLOCK, NULL) == 0 && status_of(readable).shm_perm.mode == 0604);
    remove_it(readable);
}

static int listed(int id, char *line, size_t len) {
    FILE *file = fopen("/proc/sysvipc/shm", "r");
    CHECK(file != NULL && fgets(line, (int)len, file) && strstr(line, "shmid perms"));
    while (fgets(line, (int)len, file)) {
        if (atoi(line + 11) == id) {
            fclose(file);
            return 1;
        }
    }
    fclose(file);
    return 0;
}

static void told(void) {
    char line[400];
    int id = shmget(KEY, 3 * PAGE, IPC_CREAT | 0666);
    char *at = shmat(id, NULL, 0);
    at[0] = at[PAGE] = 1;
    long key, shmid, size, count, resident;
    unsigned mode, maker, last;
    CHECK(listed(id, line, sizeof line));
    CHECK(sscanf(line, "%ld %ld %o %ld %u %u %ld %*d %*d %*d %*d %*d %*d %*d %ld", &key, &shmid, &mode, &size, &maker, &last, &count, &resident) == 8);
    CHECK(key == KEY && shmid == id && mode == 0666 && size == 3 * PAGE && maker == (unsigned)getpid() && last == maker && count == 1 && resident == 2 * PAGE);
    FILE *maps = fopen("/proc/self/maps", "r");
    char name[40];
    int found = 0;
    snprintf(name, sizeof name, " %d ", id);
    while (fgets(line, sizeof line, maps)) found |= strstr(line, "/SYSV000051ea (deleted)") && strstr(line, name) && strstr(line, "rw-s");
    CHECK(found == 1);
    fclose(maps);
    // By index: the highest one that is used, and what stands there.
    struct shminfo limits;
    struct shm_info sums;
    struct shmid_ds status;
    int highest = shmctl(0, IPC_INFO, (struct shmid_ds *)&limits);
    CHECK(highest >= 0 && limits.shmmni == 4096 && limits.shmmin == 1 && limits.shmmax == ~0ul - (1 << 24) && limits.shmall == limits.shmmax);
    CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)&sums) == highest && sums.used_ids >= 1 && sums.shm_tot >= 3 && sums.shm_rss >= 2);
    found = 0;
    for (int i = 0; i <= highest; i++) found |= shmctl(i, SHM_STAT, &status) == id && status.shm_segsz == 3 * PAGE;
    CHECK(found == 1 && shmdt(at) == 0);
    remove_it(id);
    CHECK(!listed(id, line, sizeof line));
}

static void set_limit(const char *name, const char *value) {
    char path[60];
    snprintf(path, sizeof path, "/proc/sys/kernel/%s", name);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value) && close(fd) == 0);
}

static void limited(void) {
    set_limit("shmmax", "8192");
    CHECK(FAILS(shmget(IPC_PRIVATE, 8193, 0600), EINVAL));
    set_limit("shmmax", "18446744073692774399");
    set_limit("shmall", "5");
    int id = make(3 * PAGE);
    CHECK(FAILS(shmget(IPC_PRIVATE, 3 * PAGE, 0600), ENOSPC));
    // What is gone does not count.
    remove_it(id);
    id = make(5 * PAGE);
    remove_it(id);
    set_limit("shmall", "18446744073692774399");
    int many[8];
    set_limit("shmmni", "8");
    for (int i = 0; i < 8; i++) many[i] = make(1);
    CHECK(FAILS(shmget(IPC_PRIVATE, 1, 0600), ENOSPC));
    for (int i = 0; i < 8; i++) remove_it(many[i]);
    set_limit("shmmni", "4096");
    // Through all places several times.
    int last = -1, again = 0;
    for (int i = 0; i < 20000; i++) {
        int one = shmget(IPC_PRIVATE, PAGE, 0600);
        again += one < 0 || one == last || shmctl(one, IPC_RMID, NULL) != 0;
        last = one;
    }
    CHECK(again == 0);
}

// Those who share a space have it attached once.
static int attach_for_parent(void *argument) {
    char **at = argument;
    at[0] = shmat(*(int *)at[1], NULL, 0);
    return 0;
}

static void shared_space(void) {
    static char stack[65536] __attribute__((aligned(16)));
    int id = make(PAGE);
    char *told[2] = {NULL, (char *)&id};
    pid_t child = clone(attach_for_parent, stack + sizeof stack, CLONE_VM | SIGCHLD, told);
    CHECK(child > 0 && waitpid(child, NULL, 0) == child && told[0] && attachments(id) == 1);
    child = fork();
    if (child == 0) {
        pid_t inner = vfork();
        if (inner == 0) {
            struct shmid_ds status;
            _exit(shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 2 ? 0 : 1);
        }
        int wait_status = -1;
        _exit(waitpid(inner, &wait_status, 0) == inner && wait_status == 0 ? 0 : 1);
    }
    int wait_status = -1;
    CHECK(waitpid(child, &wait_status, 0) == child && wait_status == 0);
    told[0][0] = 1;
    CHECK(shmdt(told[0]) == 0);
    remove_it(id);
}

// Counted while others fork, attach, detach and end.
static void counted_in_motion(void) {
    int id = make(PAGE), failures = 0;
    char *at = shmat(id, NULL, 0);
    pid_t movers[4];
    for (int i = 0; i < 4; i++) {
        movers[i] = fork();
        if (movers[i] == 0) {
            for (int round = 0; round < 100; round++) {
                char *more = shmat(id, NULL, 0);
                pid_t child = fork();
                if (child == 0) _exit(more[0]);
                waitpid(child, NULL, 0);
                shmdt(more);
            }
            _exit(0);
        }
    }
    for (int round = 0; round < 100; round++) {
        struct shmid_ds status;
        // The parent's; of each mover one or two, and as many of its child.
        failures += shmctl(id, IPC_STAT, &status) != 0 || status.shm_nattch < 1 || status.shm_nattch > 1 + 4 * 4;
    }
    for (int i = 0; i < 4; i++) waitpid(movers[i], NULL, 0);
    CHECK(failures == 0 && attachments(id) == 1 && shmdt(at) == 0);
    remove_it(id);
}

static void checks(void) {
    keys();
    attached();
    places();
    pieces();
    leaving();
    rights();
    told();
    limited();
    shared_space();
    counted_in_motion();
    struct shm_info sums;
    CHECK(shmctl(0, SHM_INFO, (struct shmid_ds *)&sums) >= 0 && sums.used_ids == 0 && sums.shm_tot == 0 && sums.shm_rss == 0);
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "attached?") == 0) return 0;
    return run_as_init("segments", checks);
}
