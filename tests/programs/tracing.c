// tracefs: what is traced is told of whom it is asked, with the pages and tables that the heart counted for it; who is not asked for
// is not told of; nothing is left when it is off.
#include "check.h"
#include <fcntl.h>
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
    CHECK(strcmp(get(FOLDER "available_events"), "cow:fault\ncow:call\ncow:access\ncow:end\n") == 0);
    CHECK(strcmp(get(FOLDER "tracing_on"), "1\n") == 0 && get(FOLDER "set_event")[0] == 0 && get(FOLDER "set_event_pid")[0] == 0);
    CHECK(set("set_event", "nothing") == -1 && errno == EINVAL);
    CHECK(set("set_event", "cow:fault end\n") == 0 && strcmp(get(FOLDER "set_event"), "cow:fault\ncow:end\n") == 0);
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
    CHECK(lines(word) == 0 && lines(": end:") == 2);
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
    // What slept on its way is not counted by the trace, and says so; init's last steps before and after are in neither.
    long told = sum("", "cow_copied"), told_tables = sum("", "cow_tables_copied");
    printf("tracing: %ld of %ld copies, %ld of %ld tables, %d slept\n", told, after - before, told_tables, tables_after - tables, lines("(slept)"));
    CHECK(told <= after - before + 4 && told >= (after - before) * 9 / 10);
    CHECK(told_tables <= tables_after - tables + 8 && told_tables >= (tables_after - tables) / 2);
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
    rights();
    // What is mounted on a directory that the kernel makes up is there for everybody, and gone when it is unmounted.
    CHECK(mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) == -1 && errno == EBUSY);
    CHECK(umount("/sys/kernel/tracing") == 0 && access(FOLDER "trace", F_OK) == -1 && access(FOLDER, F_OK) == 0);
    CHECK(mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL) == 0 && access(FOLDER "trace", F_OK) == 0);
}

int main(void) { return run_as_init("tracing", checks); }
