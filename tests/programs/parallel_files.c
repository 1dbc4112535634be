// Files, names, pipes and locks used by several processes at once. Each storm counts what it does, and checks in the end
// that nothing was lost, doubled or mixed.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define WORKERS 8

static int rounds = 1000;

// What the workers tell each other and the parent.
struct board {
    _Atomic int started, made, won, lost, odd;
    _Atomic long sum;
};
static struct board *board;

static int rename_how(const char *from, const char *to, unsigned how) {
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, how);
}

// Runs work(0), work(1).. in processes of their own, which begin at one moment; true if all of them passed their checks.
static int together(int count, void (*work)(int)) {
    pid_t children[count];
    memset(board, 0, sizeof *board);
    for (int i = 0; i < count; i++) {
        children[i] = start_child();
        if (children[i] == 0) {
            board->started++;
            while (board->started < count) sched_yield();
            work(i);
            end_child();
        }
    }
    int all = 1;
    for (int i = 0; i < count; i++) all &= child_passed(children[i]);
    return all;
}

static int count_entries(const char *path) {
    DIR *directory = opendir(path);
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));) count += entry->d_name[0] != '.';
    if (directory) closedir(directory);
    return count;
}

static void make_file(const char *path) {
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    CHECK(fd >= 0);
    close(fd);
}

// Of all who make a name, one succeeds; of all who remove it, one; in each round.
static void make_and_remove(int worker) {
    (void)worker;
    char path[64];
    for (int round = 0; round < rounds; round++) {
        snprintf(path, sizeof path, "/tmp/made/%d", round);
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (fd >= 0) {
            board->won++;
            close(fd);
        } else if (errno != EEXIST) {
            board->odd++;
        }
    }
    board->made++;
    while (board->made < WORKERS) sched_yield();
    for (int round = 0; round < rounds; round++) {
        snprintf(path, sizeof path, "/tmp/made/%d", round);
        if (unlink(path) == 0) board->lost++;
        else if (errno != ENOENT) board->odd++;
    }
}

static void storm_of_names(void) {
    mkdir("/tmp/made", 0700);
    CHECK(together(WORKERS, make_and_remove));
    CHECK(board->won == rounds && board->lost == rounds && board->odd == 0);
    CHECK(rmdir("/tmp/made") == 0);
}

// rename over a name never lets the name vanish: who unlinks or opens it meanwhile finds one of the files.
static void replace_or_open(int worker) {
    char own[64];
    snprintf(own, sizeof own, "/tmp/replaced/own%d", worker);
    for (int round = 0; round < rounds; round++) {
        if (worker < WORKERS / 2) {
            make_file(own);
            CHECK(rename(own, "/tmp/replaced/name") == 0);
        } else {
            int fd = open("/tmp/replaced/name", O_RDONLY);
            CHECK(fd >= 0);
            struct stat now;
            CHECK(fstat(fd, &now) == 0 && now.st_nlink <= 1);
            close(fd);
        }
    }
}

static void storm_of_replacements(void) {
    mkdir("/tmp/replaced", 0700);
    make_file("/tmp/replaced/name");
    CHECK(together(WORKERS, replace_or_open));
    struct stat now;
    CHECK(stat("/tmp/replaced/name", &now) == 0 && now.st_nlink == 1);
    CHECK(count_entries("/tmp/replaced") == 1);
    CHECK(unlink("/tmp/replaced/name") == 0 && rmdir("/tmp/replaced") == 0);
}

// A name taken by RENAME_NOREPLACE is a lock: one at a time holds it.
static void take_by_rename(int worker) {
    char own[64];
    snprintf(own, sizeof own, "/tmp/taken/own%d", worker);
    make_file(own);
    for (int round = 0; round < rounds; round++) {
        if (rename_how(own, "/tmp/taken/lock", RENAME_NOREPLACE) != 0) {
            if (errno != EEXIST) board->odd++;
            continue;
        }
        if (board->won++ != 0) board->odd++;
        board->won--;
        board->sum++;
        CHECK(rename_how("/tmp/taken/lock", own, RENAME_NOREPLACE) == 0);
    }
}

static void storm_of_refusals(void) {
    mkdir("/tmp/taken", 0700);
    CHECK(together(WORKERS, take_by_rename));
    CHECK(board->odd == 0 && board->sum > 0);
    CHECK(count_entries("/tmp/taken") == WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        char own[64];
        snprintf(own, sizeof own, "/tmp/taken/own%d", i);
        CHECK(unlink(own) == 0);
    }
    CHECK(rmdir("/tmp/taken") == 0);
}

// Directories move, are exchanged, removed and filled at once; the link counts are right in the end.
static void reshape(int worker) {
    char here[64], there[64], inner[80];
    for (int round = 0; round < rounds; round++) {
        snprintf(here, sizeof here, "/tmp/shape/%c/d%d", "ab"[round & 1], (worker + round) % 3);
        snprintf(there, sizeof there, "/tmp/shape/%c/d%d", "ba"[round & 1], round % 3);
        snprintf(inner, sizeof inner, "%s/f%d", here, worker);
        switch ((worker + round) % 5) {
        case 0: mkdir(here, 0700); break;
        case 1: rename_how(here, there, round & 2 ? 0 : RENAME_NOREPLACE); break;
        case 2: rename_how(here, there, RENAME_EXCHANGE); break;
        case 3: rmdir(here); break;
        default: {
            int fd = open(inner, O_CREAT | O_WRONLY, 0600);
            if (fd >= 0) close(fd);
            unlink(inner);
        }
        }
    }
}

static void check_directory(const char *path) {
    struct stat now;
    CHECK(stat(path, &now) == 0);
    int directories = 0;
    char below[80];
    for (int i = 0; i < 3; i++) {
        snprintf(below, sizeof below, "%s/d%d", path, i);
        struct stat inner;
        if (stat(below, &inner) != 0) continue;
        directories++;
        CHECK(inner.st_nlink == 2);
        // A directory that is there takes entries.
        char file[96];
        snprintf(file, sizeof file, "%s/last", below);
        make_file(file);
        CHECK(unlink(file) == 0);
        for (int worker = 0; worker < WORKERS; worker++) {
            snprintf(file, sizeof file, "%s/f%d", below, worker);
            unlink(file);
        }
        CHECK(rmdir(below) == 0);
    }
    CHECK((int)now.st_nlink == 2 + directories);
    CHECK(count_entries(path) == 0);
}

static void storm_of_shapes(void) {
    mkdir("/tmp/shape", 0700), mkdir("/tmp/shape/a", 0700), mkdir("/tmp/shape/b", 0700);
    CHECK(together(WORKERS, reshape));
    check_directory("/tmp/shape/a");
    check_directory("/tmp/shape/b");
    CHECK(rmdir("/tmp/shape/a") == 0 && rmdir("/tmp/shape/b") == 0 && rmdir("/tmp/shape") == 0);
}

// link and unlink of one file at once: it has as many names as it says.
static void link_and_unlink(int worker) {
    char path[64];
    for (int round = 0; round < rounds; round++) {
        snprintf(path, sizeof path, "/tmp/linked/%d", (worker + round) % WORKERS);
        if (round & 1) unlink(path);
        else link("/tmp/linked/file", path);
    }
}

static void storm_of_links(void) {
    mkdir("/tmp/linked", 0700);
    make_file("/tmp/linked/file");
    CHECK(together(WORKERS, link_and_unlink));
    struct stat now;
    CHECK(stat("/tmp/linked/file", &now) == 0 && (int)now.st_nlink == count_entries("/tmp/linked"));
    for (int i = 0; i < WORKERS; i++) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/linked/%d", i);
        unlink(path);
    }
    CHECK(unlink("/tmp/linked/file") == 0 && rmdir("/tmp/linked") == 0);
}

// Appends of odd lengths: every record is there once and whole.
#define RECORD 37
static void append(int worker) {
    int fd = open("/tmp/appended", O_WRONLY | O_APPEND);
    char record[RECORD];
    memset(record, 'A' + worker, sizeof record);
    for (int round = 0; round < rounds; round++) CHECK(write(fd, record, sizeof record) == sizeof record);
    close(fd);
}

static void storm_of_appends(void) {
    make_file("/tmp/appended");
    CHECK(together(WORKERS, append));
    int fd = open("/tmp/appended", O_RDONLY);
    char record[RECORD];
    int counts[WORKERS] = {0}, mixed = 0;
    while (read(fd, record, sizeof record) == sizeof record) {
        for (int i = 1; i < RECORD; i++) mixed += record[i] != record[0];
        if (record[0] >= 'A' && record[0] < 'A' + WORKERS) counts[record[0] - 'A']++;
    }
    close(fd);
    for (int i = 0; i < WORKERS; i++) CHECK(counts[i] == rounds);
    CHECK(mixed == 0 && unlink("/tmp/appended") == 0);
}

// Many write to one pipe, many read from it: every record comes out once and whole, also where the kernel has to make half
// of the memory that it lies in ready first.
static int ends[2];
static void through_pipe(int worker) {
    const size_t page = 4096, size = 16 * sizeof(int);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    int *record = (int *)(pages + page - size / 2);
    if (worker & 1) {
        close(ends[0]);
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < 16; i++) record[i] = worker * rounds + round;
            if (round % 3 == 0) CHECK(madvise(pages + page, page, MADV_DONTNEED) == 0);
            CHECK(write(ends[1], record, size) == (ssize_t)size);
        }
        return;
    }
    close(ends[1]);
    long sum = 0;
    int count = 0;
    for (;;) {
        struct pollfd poll_for = {.fd = ends[0], .events = POLLIN};
        if (worker & 2) CHECK(poll(&poll_for, 1, -1) == 1);
        if (count % 3 == 0) CHECK(madvise(pages + page, page, MADV_DONTNEED) == 0);
        ssize_t got = read(ends[0], record, size);
        if (got == 0) break;
        CHECK(got == (ssize_t)size);
        for (int i = 1; i < 16; i++) board->odd += record[i] != record[0];
        sum += record[0], count++;
    }
    board->sum += sum;
    board->won += count;
}

static void storm_in_a_pipe(void) {
    CHECK(pipe(ends) == 0);
    pid_t holder = start_child();
    if (holder == 0) {
        close(ends[0]), close(ends[1]);
        end_child();
    }
    CHECK(child_passed(holder));
    // The parent's own ends would keep the readers waiting: a process between holds them and ends at once.
    pid_t middle = start_child();
    if (middle == 0) {
        pid_t children[WORKERS];
        for (int i = 0; i < WORKERS; i++) {
            children[i] = start_child();
            if (children[i] == 0) {
                through_pipe(i);
                end_child();
            }
        }
        close(ends[0]), close(ends[1]);
        for (int i = 0; i < WORKERS; i++) CHECK(child_passed(children[i]));
        end_child();
    }
    close(ends[0]), close(ends[1]);
    CHECK(child_passed(middle));
    long expected = 0;
    for (int worker = 1; worker < WORKERS; worker += 2)
        for (int round = 0; round < rounds; round++) expected += worker * rounds + round;
    CHECK(board->won == WORKERS / 2 * rounds && board->sum == expected && board->odd == 0);
}

// Short lives in pipelines, as a shell makes them.
static void pipeline(int worker) {
    for (int round = 0; round < rounds / 10; round++) {
        int fds[2];
        CHECK(pipe(fds) == 0);
        pid_t writer = start_child();
        if (writer == 0) {
            close(fds[0]);
            dprintf(fds[1], "%d:%d\n", worker, round);
            _exit(0);
        }
        close(fds[1]);
        char text[32] = "", expected[32];
        size_t len = 0;
        for (ssize_t got; (got = read(fds[0], text + len, sizeof text - len)) > 0;) len += got;
        close(fds[0]);
        snprintf(expected, sizeof expected, "%d:%d\n", worker, round);
        CHECK(len == strlen(expected) && memcmp(text, expected, len) == 0);
        CHECK(child_passed(writer));
    }
}

// A file is cut and grown while others touch it by a mapping: what is behind its end is never seen, and all of it is
// given back in the end.
#define PAGES 16
static void cut_and_touch(int worker) {
    int fd = open("/tmp/cut", O_RDWR);
    char *map = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    for (int round = 0; round < rounds; round++) {
        if (worker == 0) {
            CHECK(ftruncate(fd, 4096 * (round % PAGES)) == 0);
            CHECK(ftruncate(fd, 4096 * PAGES) == 0);
        } else {
            // write(2) from the mapping: what the mapping has no page for is EFAULT, not a signal.
            int sink = open("/dev/zero", O_RDONLY);
            ssize_t got = read(sink, map + 4096 * (round % PAGES), 100);
            // Cut in the middle of the copy, it says how far it came (read(2)).
            CHECK((got > 0 && got <= 100) || (got < 0 && errno == EFAULT));
            close(sink);
        }
    }
    munmap(map, PAGES * 4096);
    close(fd);
}

static void storm_of_cuts(void) {
    struct statfs before, after;
    CHECK(statfs("/tmp", &before) == 0);
    make_file("/tmp/cut");
    CHECK(truncate("/tmp/cut", PAGES * 4096) == 0);
    CHECK(together(WORKERS, cut_and_touch));
    CHECK(truncate("/tmp/cut", 0) == 0);
    struct stat now;
    CHECK(stat("/tmp/cut", &now) == 0 && now.st_size == 0 && now.st_blocks == 0);
    CHECK(unlink("/tmp/cut") == 0);
    CHECK(statfs("/tmp", &after) == 0 && before.f_bfree == after.f_bfree && before.f_ffree == after.f_ffree);
}

// flock and record locks around a counter that is not atomic.
static void count_under_lock(int worker) {
    int fd = open("/tmp/counter", O_RDWR);
    for (int round = 0; round < rounds / 4; round++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 8};
        if (worker & 1) CHECK(fcntl(fd, F_SETLKW, &lock) == 0);
        long value = 0, at = worker & 1 ? 0 : 8;
        if (!(worker & 1)) CHECK(flock(fd, LOCK_EX) == 0);
        CHECK(pread(fd, &value, sizeof value, at) == sizeof value);
        value++;
        CHECK(pwrite(fd, &value, sizeof value, at) == sizeof value);
        lock.l_type = F_UNLCK;
        if (worker & 1) CHECK(fcntl(fd, F_SETLK, &lock) == 0);
        else CHECK(flock(fd, LOCK_UN) == 0);
    }
    close(fd);
}

static void storm_of_locks(void) {
    make_file("/tmp/counter");
    CHECK(truncate("/tmp/counter", 16) == 0);
    CHECK(together(WORKERS, count_under_lock));
    long values[2] = {0, 0};
    int fd = open("/tmp/counter", O_RDONLY);
    CHECK(read(fd, values, sizeof values) == sizeof values);
    close(fd);
    CHECK(values[0] == rounds / 4 * (WORKERS / 2) && values[1] == rounds / 4 * (WORKERS / 2));
    CHECK(unlink("/tmp/counter") == 0);
}

// /proc is read while what it tells of ends; paths are read while directories on them move.
static void look_or_live(int worker) {
    char path[64], text[4096];
    static const char *const files[] = {"stat", "status", "maps", "cmdline", "smaps", "statm", "limits", "fd/0"};
    if (worker == 0) {
        mkdir("/tmp/moving", 0700), mkdir("/tmp/moving/one", 0700), mkdir("/tmp/moving/one/inner", 0700);
        for (int round = 0; round < rounds; round++) {
            CHECK(rename("/tmp/moving/one", "/tmp/moving/two") == 0);
            CHECK(rename("/tmp/moving/two", "/tmp/moving/one") == 0);
        }
        rmdir("/tmp/moving/one/inner"), rmdir("/tmp/moving/one"), rmdir("/tmp/moving");
    } else if (worker == 1) {
        for (int round = 0; round < rounds; round++) {
            if (chdir("/tmp/moving/one/inner") != 0) continue;
            if (getcwd(text, sizeof text) != NULL)
                CHECK(!strcmp(text, "/tmp/moving/one/inner") || !strcmp(text, "/tmp/moving/two/inner"));
            else CHECK(errno == ENOENT);
        }
    } else if (worker & 1) {
        for (int round = 0; round < rounds / 10; round++) {
            pid_t child = fork();
            if (child == 0) _exit(0);
            CHECK(waitpid(child, NULL, 0) == child);
        }
    } else {
        for (int round = 0; round < rounds / 10; round++) {
            DIR *proc = opendir("/proc");
            for (struct dirent *entry; (entry = readdir(proc));) {
                if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
                snprintf(path, sizeof path, "/proc/%.16s/%s", entry->d_name, files[(round + worker) % 8]);
                int fd = open(path, O_RDONLY | O_NONBLOCK);
                if (fd < 0) continue;
                if ((round + worker) % 8 != 7) while (read(fd, text, sizeof text) > 0);
                close(fd);
            }
            closedir(proc);
        }
    }
}

static void checks(void) {
    storm_of_names();
    storm_of_replacements();
    storm_of_refusals();
    storm_of_shapes();
    storm_of_links();
    storm_of_appends();
    storm_in_a_pipe();
    CHECK(together(WORKERS, pipeline));
    storm_of_cuts();
    storm_of_locks();
    CHECK(together(WORKERS, look_or_live));
}

int main(int count, char **arguments) {
    if (count > 1) rounds = atoi(arguments[1]);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return run_as_init("parallel_files", checks);
}
