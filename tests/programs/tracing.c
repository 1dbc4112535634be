// tracefs: what is traced is told of whom it is asked, with the pages and tables that the heart counted for it; who is not asked for
// is not told of; nothing is left when it is off.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define FOLDER "/sys/kernel/tracing/"
#define PAGES 5

static char text[1 << 20];

static int set(const char *name, const char *value) {
    char path[64];
    snprintf(path, sizeof path, FOLDER "%s", name);
    int file = open(path, O_WRONLY);
    ssize_t len = write(file, value, strlen(value));
    int error = errno;
    close(file);
    errno = error;
    return len == (ssize_t)strlen(value) ? 0 : -1;
}

static const char *get(const char *path) {
    int file = open(path, O_RDONLY);
    ssize_t len = 0, more;
    while (file >= 0 && (more = read(file, text + len, sizeof text - 1 - len)) > 0) len += more;
    text[len] = 0;
    close(file);
    return text;
}

static const char *records(void) { return get(FOLDER "trace"); }

// The sum of all numbers behind `name=`, of lines that have `of` in them.
static long sum(const char *of, const char *name) {
    long total = 0;
    char word[64];
    snprintf(word, sizeof word, " %s=", name);
    for (char *line = text; line != NULL && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *end = strchr(line, '\n'), *found = strstr(line, word), *mine = strstr(line, of);
        if (end != NULL && found != NULL && found < end && mine != NULL && mine < end) total += atol(found + strlen(word));
    }
    return total;
}

static int lines(const char *of) {
    int count = 0;
    for (char *at = text; (at = strstr(at, of)) != NULL; at++) count++;
    return count;
}

static long counted(const char *name) {
    char word[64];
    snprintf(word, sizeof word, "\n%s ", name);
    const char *at = strstr(get("/proc/vmstat"), word);
    return at == NULL ? -1 : atol(at + strlen(word));
}

static void settings(void) {
    CHECK(strcmp(get(FOLDER "available_events"), "cow:fault\ncow:call\ncow:access\ncow:exec\ncow:exit\ncow:switch\ncow:swap\n") == 0);
    CHECK(strcmp(get(FOLDER "tracing_on"), "1\n") == 0 && get(FOLDER "set_event")[0] == 0 && get(FOLDER "set_event_pid")[0] == 0);
    CHECK(set("set_event", "nothing") == -1 && errno == EINVAL);
    CHECK(set("set_event", "cow:fault exit\n") == 0 && strcmp(get(FOLDER "set_event"), "cow:fault\ncow:exit\n") == 0);
    CHECK(set("set_event_pid", "1 x") == -1 && errno == EINVAL);
    CHECK(set("set_event_pid", "77 1\n") == 0 && strcmp(get(FOLDER "set_event_pid"), "77\n1\n") == 0);
    CHECK(set("buffer_size_kb", "0") == -1 && errno == EINVAL);
    CHECK(set("buffer_size_kb", "100000000") == -1 && errno == EINVAL);
    CHECK(set("buffer_size_kb", "512") == 0 && strcmp(get(FOLDER "buffer_size_kb"), "512\n") == 0);
    CHECK(set("set_event", "\n") == 0 && set("set_event_pid", "\n") == 0 && set("trace", "\n") == 0);
    CHECK(strstr(records(), "# records lost: 0\n") != NULL && lines(": fault:") == 0);
}

// A child stores to shared pages: each copy stands there, with its address and its thread, and no other is told of.
static void one_process(void) {
    char *pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), pid[16], word[128];
    memset(pages, 1, PAGES * 4096);
    int go[2];
    CHECK(pipe(go) == 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        read(go[0], &byte, 1);
        for (int i = 0; i < PAGES; i++) pages[i * 4096] = 2;
        pid_t grandchild = fork();
        if (grandchild == 0) {
            pages[0] = 3;
            _exit(0);
        }
        waitpid(grandchild, NULL, 0);
        munmap(pages, PAGES * 4096);
        _exit(5);
    }
    snprintf(pid, sizeof pid, "%d\n", child);
    CHECK(set("set_event_pid", pid) == 0 && set("set_event", "cow:*") == 0);
    // One of the pages comes back to its last owner, for it alone: others are the parent's too.
    write(go[1], "", 1);
    for (int i = 0; i < 1000; i++) getppid();
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(set("tracing_on", "0") == 0);
    records();
    for (int i = 0; i < PAGES; i++) {
        snprintf(word, sizeof word, "fault: address=%#lx access=write", (unsigned long)(uintptr_t)(pages + i * 4096));
        CHECK(lines(word) == (i == 0 ? 2 : 1));
        CHECK(sum(word, "cow_copied") == (i == 0 ? 2 : 1) && sum(word, "frames_copied") == (i == 0 ? 2 : 1));
    }
    snprintf(word, sizeof word, "call: munmap(%#lx, 0x5000, ", (unsigned long)(uintptr_t)pages);
    CHECK(lines(word) == 1);
    snprintf(word, sizeof word, "init-%-7d (%7d)", child, child);
    CHECK(lines(word) > 0 && sum(": call: clone", "forks") == 1);
    snprintf(word, sizeof word, "init-%-7d (%7d)", getpid(), getpid());
    CHECK(lines(word) == 0 && lines(": exit:") == 2);
    // No thread is traced any more.
    CHECK(set("trace", "\n") == 0 && set("tracing_on", "1") == 0 && set("tracing_on", "0") == 0);
    pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages[0] = 1;
    snprintf(word, sizeof word, "%#lx", (unsigned long)(uintptr_t)pages);
    records();
    CHECK(lines(word) == 0 && lines(": fault:") == 0);
}

// With everybody traced the records have what /proc/vmstat counts.
static void everybody(void) {
    CHECK(set("set_event_pid", "\n") == 0 && set("trace", "\n") == 0 && set("tracing_on", "1") == 0);
    long before = counted("cow_copied"), tables = counted("cow_tables_copied");
    char *pages = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, 1, 64 * 4096);
    for (int round = 0; round < 8; round++) {
        pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i < 64; i += 1 + round) pages[i * 4096] = 2;
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    long after = counted("cow_copied"), tables_after = counted("cow_tables_copied");
    CHECK(set("tracing_on", "0") == 0);
    records();
    // init's last steps before and after are in neither.
    long told = sum("", "cow_copied"), told_tables = sum("", "cow_tables_copied");
    printf("tracing: %ld of %ld copies, %ld of %ld tables, %d slept\n", told, after - before, told_tables, tables_after - tables, lines("(slept)"));
    CHECK(told <= after - before + 4 && told >= after - before - 4);
    CHECK(told_tables <= tables_after - tables + 8 && told_tables >= tables_after - tables - 8);
}

// Who writes more than there is room for loses the oldest, and is told how many.
static void full(void) {
    CHECK(set("buffer_size_kb", "4") == 0 && set("set_event", "fault") == 0 && set("tracing_on", "1") == 0);
    char *pages = mmap(NULL, 256 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 256; i++) pages[i * 4096] = 1;
    CHECK(set("tracing_on", "0") == 0);
    char word[64];
    snprintf(word, sizeof word, "%#lx", (unsigned long)(uintptr_t)(pages + 255 * 4096));
    records();
    CHECK(strstr(text, "# records lost: 0\n") == NULL && lines(word) == 1 && lines(": fault:") < 256);
}

// What is in the pipe now, behind what `text` has already; how many bytes.
static size_t drain(int pipe_file) {
    size_t len = strlen(text), first = len;
    ssize_t more;
    while ((more = read(pipe_file, text + len, sizeof text - 1 - len)) > 0) len += more;
    int error = errno;
    text[len] = 0;
    errno = more < 0 ? error : 0;
    return len - first;
}

static long lost(void) {
    long total = 0;
    for (char *at = text; (at = strstr(at, " [LOST ")) != NULL; at++) total += atol(at + 7);
    return total;
}

#define ROUNDS 30
#define AT_ONCE 10
static int go[2], done[2];

// Stores to pages that nobody has touched: as many as it is told, until it is told nothing.
static void toucher(void) {
    close(go[1]), close(done[0]);
    int count;
    while (read(go[0], &count, sizeof count) == sizeof count) {
        char *pages = mmap(NULL, count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; i < count; i++) pages[i * 4096] = 1;
        write(done[1], "", 1);
    }
    _exit(0);
}

static void touch(int count) {
    char byte;
    CHECK(write(go[1], &count, sizeof count) == sizeof count && read(done[0], &byte, 1) == 1);
}

// A ring of a few records is read while they are made: each comes once, and none is lost. Nobody reads: then it is said how many are.
static void read_meanwhile(void) {
    CHECK(set("buffer_size_kb", "4") == 0 && set("trace", "\n") == 0 && pipe(go) == 0 && pipe(done) == 0);
    pid_t child = fork();
    if (child == 0) toucher();
    char pid[16], word[128];
    snprintf(pid, sizeof pid, "%d\n", child);
    CHECK(set("set_event_pid", pid) == 0 && set("set_event", "fault") == 0);
    int file = open(FOLDER "trace_pipe", O_RDONLY | O_NONBLOCK);
    CHECK(file >= 0 && open(FOLDER "trace_pipe", O_RDONLY) == -1 && errno == EBUSY);
    CHECK(lseek(file, 0, SEEK_SET) == -1 && errno == ESPIPE);
    text[0] = 0;
    CHECK(drain(file) == 0 && errno == EAGAIN);
    CHECK(set("tracing_on", "1") == 0);
    for (int round = 0; round < ROUNDS; round++) {
        touch(AT_ONCE);
        drain(file);
        CHECK(errno == EAGAIN);
    }
    CHECK(lost() == 0 && sum(": fault:", "zero_filled") >= ROUNDS * AT_ONCE);
    printf("tracing: %d records through a ring of few\n", lines(": fault:"));
    snprintf(word, sizeof word, "init-%-7d (%7d)", child, child);
    CHECK(lines(word) == lines(": fault:"));
    // Byte by byte it is the same.
    touch(1);
    text[0] = 0;
    for (char *at = text; read(file, at, 1) == 1; at[1] = 0) at++;
    CHECK(sum(": fault:", "zero_filled") >= 1 && text[strlen(text) - 1] == '\n');
    // One record is not worth it to who polls, unless he says so.
    struct pollfd wait = {.fd = file, .events = POLLIN};
    CHECK(set("buffer_percent", "101") == -1 && errno == EINVAL && strcmp(get(FOLDER "buffer_percent"), "50\n") == 0);
    CHECK(set("buffer_percent", "100") == 0);
    touch(1);
    CHECK(poll(&wait, 1, 0) == 0);
    touch(400);
    CHECK(poll(&wait, 1, -1) == 1 && wait.revents == POLLIN);
    text[0] = 0;
    drain(file);
    CHECK(lines(": fault:") < 400 && lost() > 0 && lines(": fault:") + lost() >= 401);
    CHECK(poll(&wait, 1, 0) == 0 && set("buffer_percent", "0") == 0 && poll(&wait, 1, 0) == 0);
    touch(1);
    CHECK(poll(&wait, 1, 0) == 1 && set("buffer_percent", "50") == 0);
    text[0] = 0;
    drain(file);
    // Who waits is woken by the record; and by the end, for he has read.
    fcntl(file, F_SETFL, 0);
    pid_t reader = fork();
    if (reader == 0) {
        char some[4096];
        write(done[1], "", 1);
        ssize_t first = read(file, some, sizeof some - 1), last;
        some[first < 0 ? 0 : first] = 0;
        write(done[1], "", 1);
        while ((last = read(file, some + first, sizeof some - 1 - first)) > 0) first += last;
        _exit(first > 0 && last == 0 && strstr(some, ": fault:") != NULL ? 0 : 1);
    }
    char byte;
    CHECK(read(done[0], &byte, 1) == 1);
    touch(1);
    CHECK(read(done[0], &byte, 1) == 1 && set("tracing_on", "0") == 0);
    int status;
    CHECK(waitpid(reader, &status, 0) == reader && status == 0);
    CHECK(close(file) == 0 && (file = open(FOLDER "trace_pipe", O_RDONLY | O_NONBLOCK)) >= 0);
    // How often it has a processor and gives it back, and that it sleeps then.
    CHECK(set("set_event", "switch exit") == 0 && set("tracing_on", "1") == 0);
    touch(1), touch(1), touch(1);
    close(go[1]);
    CHECK(waitpid(child, NULL, 0) == child && set("tracing_on", "0") == 0);
    text[0] = 0;
    drain(file);
    CHECK(lines(": switch: state=S") >= 2 && lines(": exit:") == 1 && lines(": switch: state=X") <= 1);
    CHECK(close(file) == 0 && close(go[0]) == 0 && close(done[0]) == 0 && close(done[1]) == 0);
    CHECK(set("buffer_size_kb", "512") == 0 && set("set_event", "\n") == 0 && set("set_event_pid", "\n") == 0);
}

static void rights(void) {
    pid_t child = fork();
    if (child == 0) {
        setgid(1000), setuid(1000);
        _exit(open(FOLDER "trace", O_RDONLY) == -1 && errno == EACCES ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void checks(void) {
    mkdir("/sys", 0755), mount("sysfs", "/sys", "sysfs", 0, NULL);
    CHECK(mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) == 0);
    settings();
    one_process();
    everybody();
    full();
    read_meanwhile();
    rights();
    // What is mounted on a directory that the kernel makes up is there for everybody, and gone when it is unmounted.
    CHECK(mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) == -1 && errno == EBUSY);
    CHECK(umount("/sys/kernel/tracing") == 0 && access(FOLDER "trace", F_OK) == -1 && access(FOLDER, F_OK) == 0);
    CHECK(mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) == 0 && access(FOLDER "trace", F_OK) == 0);
}

int main(void) { return run_as_init("tracing", checks); }
