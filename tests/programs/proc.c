// What /proc says of processes and of the machine: offsets, many areas, names that would forge lines, and what is true.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

#define PAGE 4096
static char text[1 << 20];

// Reads a whole file into `text`; its length, or -1.
static ssize_t slurp(const char *path) {
    int file = open(path, O_RDONLY);
    if (file < 0) return -1;
    ssize_t len = 0, more;
    while ((more = read(file, text + len, sizeof text - 1 - (size_t)len)) > 0) len += more;
    close(file);
    text[len] = 0;
    return more < 0 ? -1 : len;
}

static const char *line_of(const char *name) {
    size_t len = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0) return line + len;
    }
    return NULL;
}

// A number that the file shows behind a name; -1 if it does not.
static long number_in(const char *path, const char *name) {
    if (slurp(path) < 0) return -1;
    const char *rest = line_of(name);
    return rest ? strtol(rest, NULL, 10) : -1;
}

static int holds(const char *path, const char *part) { return slurp(path) >= 0 && strstr(text, part) != NULL; }

static void offsets(void) {
    char whole[64], part[64];
    int file = open("/proc/sys/kernel/ostype", O_RDONLY);
    CHECK(read(file, whole, sizeof whole) == 6);
    CHECK(pread(file, part, 4, 3) == 3 && memcmp(part, "ux\n", 3) == 0);
    close(file);
    file = open("/proc/self/status", O_RDONLY);
    CHECK(pread(file, part, 4, 3) == 4 && memcmp(part, "e:\ti", 4) == 0);
    CHECK(lseek(file, 5, SEEK_SET) == 5 && read(file, part, 5) == 5 && memcmp(part, "\tinit", 5) == 0);
    CHECK(pread(file, part, 4, 1 << 20) == 0);
    CHECK(lseek(file, 0, SEEK_SET) == 0 && read(file, part, 5) == 5 && memcmp(part, "Name:", 5) == 0);
    close(file);
    // Byte by byte it is the same text.
    ssize_t len = slurp("/proc/self/maps");
    static char bytewise[1 << 16];
    file = open("/proc/self/maps", O_RDONLY);
    ssize_t got = 0;
    while (got < (ssize_t)sizeof bytewise && read(file, bytewise + got, 1) == 1) got++;
    close(file);
    CHECK(got == len && memcmp(text, bytewise, (size_t)len) == 0);
}

enum { AREAS = 3000 };

static char *make_areas(void) {
    char *memory = mmap(NULL, AREAS * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < AREAS; i += 2) mprotect(memory + i * PAGE, PAGE, PROT_READ | PROT_WRITE);
    return memory;
}

static int lines(void) {
    int count = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) count++;
    return count;
}

static void many_areas(void) {
    char *memory = make_areas();
    CHECK(slurp("/proc/self/maps") > 0 && lines() >= AREAS);
    unsigned long last = 0, start, end;
    int is_sorted = 1;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
        is_sorted &= sscanf(at, "%lx-%lx", &start, &end) == 2 && start >= last && end > start;
        last = end;
    }
    CHECK(is_sorted);
    // What is unmapped between two reads is not shown, what follows is.
    char piece[PAGE];
    int file = open("/proc/self/maps", O_RDONLY);
    CHECK(read(file, piece, sizeof piece) > 0);
    char *gone = memory + (AREAS - 100) * PAGE;
    CHECK(munmap(gone, 50 * PAGE) == 0);
    ssize_t len = 0, more;
    while ((more = read(file, text + len, sizeof text - 1 - (size_t)len)) > 0) len += more;
    text[len] = 0;
    close(file);
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%lx-", (unsigned long)gone);
    CHECK(strstr(text, wanted) == NULL);
    snprintf(wanted, sizeof wanted, "%lx-", (unsigned long)(gone + 50 * PAGE));
    CHECK(strstr(text, wanted) != NULL && strstr(text, "[stack]") != NULL);
    CHECK(munmap(memory, AREAS * PAGE) == 0);
}

static void opened_often(void) {
    char *memory = mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    int files[900], count = 0;
    char byte;
    for (; count < 900; count++) {
        files[count] = open(count % 2 ? "/proc/self/smaps" : "/proc/self/translation", O_RDONLY);
        if (files[count] < 0) files[count] = open("/proc/self/maps", O_RDONLY);
        if (files[count] < 0 || read(files[count], &byte, 1) != 1) break;
    }
    CHECK(count == 900);
    while (count > 0) close(files[--count]);
    munmap(memory, 32 << 20);
}

static void names(void) {
    prctl(PR_SET_NAME, "a\nUid:\t0\\");
    CHECK(holds("/proc/self/status", "Name:\ta\\nUid:\t0\\\\\n"));
    CHECK(holds("/proc/self/stat", "(a\nUid:\t0\\)"));
    CHECK(holds("/proc/self/comm", "a\nUid:\t0\\\n"));
    prctl(PR_SET_NAME, "proc");
    const char *path = "/tmp/line\nend \\";
    int file = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && ftruncate(file, PAGE) == 0);
    char *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED && holds("/proc/self/maps", " /tmp/line\\012end \\\n"));
    CHECK(holds("/proc/self/smaps", " /tmp/line\\012end \\\n"));
    munmap(memory, PAGE);
    close(file);
    unlink(path);
    CHECK(mkdir("/tmp/a b\n\t\\c", 0755) == 0);
    CHECK(mount("x #\ny", "/tmp/a b\n\t\\c", "tmpfs", 0, NULL) == 0);
    CHECK(holds("/proc/self/mounts", "x\\040\\043\\012y /tmp/a\\040b\\012\\011\\134c tmpfs "));
    CHECK(holds("/proc/self/mountinfo", " / /tmp/a\\040b\\012\\011\\134c rw,relatime "));
    CHECK(umount("/tmp/a b\n\t\\c") == 0);
    rmdir("/tmp/a b\n\t\\c");
}

static unsigned long stat_field(int number) {
    if (slurp("/proc/self/stat") < 0) return 0;
    char *at = strrchr(text, ')') + 1;
    for (int field = 3; field < number; field++) at = strchr(at + 1, ' ');
    return strtoul(at, NULL, 10);
}

extern char __data_start[] __attribute__((weak)), etext[], edata[];

static void places(void) {
    int local;
    unsigned long stack = stat_field(28);
    CHECK(stack > (unsigned long)&local && stack - (unsigned long)&local < 1 << 20);
    slurp("/proc/self/maps");
    char *at = strstr(text, "[stack]");
    while (at > text && at[-1] != '\n') at--;
    unsigned long start = strtoul(at, &at, 16), end = strtoul(at + 1, NULL, 16);
    CHECK(start <= stack && stack < end);
    CHECK(stat_field(26) <= (unsigned long)&places && (unsigned long)&places < stat_field(27));
    CHECK(stat_field(45) != 0 && stat_field(45) <= (unsigned long)edata && (unsigned long)edata <= stat_field(46));
}

static void status_lines(void) {
    static const char *const lines[] = {"VmSize:", "VmPin:", "VmRSS:", "RssAnon:", "RssFile:", "RssShmem:", "VmData:", "VmStk:", "VmExe:",
                                        "VmLib:", "VmPTE:", "VmSwap:", "Threads:", "SigQ:", "NStgid:", "NSpid:", "NoNewPrivs:", "Seccomp:",
                                        "Cpus_allowed_list:", "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"};
    CHECK(slurp("/proc/self/status") > 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!line_of(lines[i])) printf("missing: %s\n", lines[i]), failed++;
    long rss = number_in("/proc/self/status", "RssShmem:"), anonymous = number_in("/proc/self/status", "RssAnon:");
    char *shared = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    char *private = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    long more = number_in("/proc/self/status", "RssShmem:") - rss;
    CHECK(more >= 4000 && more <= 4200);
    more = number_in("/proc/self/status", "RssAnon:") - anonymous;
    CHECK(more >= 4000 && more <= 4200);
    CHECK(number_in("/proc/self/status", "VmPTE:") >= 12);
    munmap(shared, 4 << 20);
    munmap(private, 4 << 20);
}

#include <elf.h>
#include <sys/auxv.h>

// Constant text, so that it lies on a page of the file.
static const volatile char constant[] = "never written";

static void memory_file(void) {
    char bytes[32] = "";
    int file = open("/proc/self/mem", O_RDWR);
    CHECK(file >= 0);
    CHECK(pread(file, bytes, 5, (off_t)(uintptr_t)constant) == 5 && memcmp(bytes, "never", 5) == 0);
    CHECK(pread(file, bytes, 5, 0) == -1 && errno == EIO);
    // A store to where the program may not store stays with the process; the file is not touched.
    CHECK(pwrite(file, "forge", 5, (off_t)(uintptr_t)constant) == 5);
    CHECK(memcmp((const char *)constant, "forge", 5) == 0);
    const char *path = "/tmp/original";
    int other = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(write(other, "original", 8) == 8);
    close(other);
    other = open(path, O_RDONLY);
    char *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, other, 0), *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, other, 0);
    CHECK(private[0] == 'o' && shared[0] == 'o');
    pid_t child = start_child();
    if (child == 0) {
        int own = open("/proc/self/mem", O_RDWR);
        CHECK(pwrite(own, "changed!", 8, (off_t)(uintptr_t)private) == 8 && memcmp(private, "changed!", 8) == 0);
        CHECK(pwrite(own, "changed!", 8, (off_t)(uintptr_t)shared) == -1 && errno == EIO);
        CHECK(memcmp(shared, "original", 8) == 0);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(memcmp(private, "original", 8) == 0);
    CHECK(pread(other, bytes, 8, 0) == 8 && memcmp(bytes, "original", 8) == 0);
    // It is still not writable for the program.
    child = fork();
    if (child == 0) *(volatile char *)private = 'x', _exit(0);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    munmap(private, PAGE), munmap(shared, PAGE);
    close(other), close(file);
    unlink(path);
}

static void auxiliary(void) {
    Elf64_auxv_t vector[64];
    int file = open("/proc/self/auxv", O_RDONLY), found = 0;
    ssize_t len = read(file, vector, sizeof vector);
    close(file);
    CHECK(len > 0 && len % (ssize_t)sizeof *vector == 0);
    for (ssize_t i = 0; i < len / (ssize_t)sizeof *vector; i++) {
        if (vector[i].a_type == AT_RANDOM) found += vector[i].a_un.a_val == getauxval(AT_RANDOM);
        if (vector[i].a_type == AT_PAGESZ) found += vector[i].a_un.a_val == PAGE;
    }
    CHECK(found == 2);
}

static void descriptors(void) {
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    char path[64], link[64], wanted[64];
    CHECK(pread(file, path, 3, 0) == 3 && lseek(file, 7, SEEK_SET) == 7);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", file);
    CHECK(number_in(path, "pos:") == 7);
    CHECK(line_of("flags:") && strtol(line_of("flags:"), NULL, 8) == (O_CLOEXEC | 0400000));
    snprintf(wanted, sizeof wanted, "%ld ", number_in(path, "mnt_id:"));
    CHECK(slurp("/proc/self/mountinfo") > 0 && line_of(wanted) != NULL);
    close(file);
    CHECK(open(path, O_RDONLY) == -1 && errno == ENOENT);
    (void)link;
}

// Numbers of frames are not for everybody: the file shows the page, and 0 in place of its frame.
static void frames(void) {
    pid_t child = start_child();
    if (child == 0) {
        uint64_t word = 0;
        volatile char byte = 1;
        int file = open("/proc/self/pagemap", O_RDONLY);
        CHECK(pread(file, &word, 8, (off_t)((uintptr_t)&byte / PAGE * 8)) == 8 && word >> 63 && (word & ((1ull << 55) - 1)) != 0);
        close(file);
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK(open("/proc/self/pagemap", O_RDONLY) == -1 && errno == EACCES);
        CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
        file = open("/proc/self/pagemap", O_RDONLY);
        CHECK(pread(file, &word, 8, (off_t)((uintptr_t)&byte / PAGE * 8)) == 8 && word >> 63 && (word & ((1ull << 55) - 1)) == 0);
        // Only Holstein has this one.
        if (slurp("/proc/self/translation") > 0) {
            unsigned long frame, root;
            int is_hidden = sscanf(line_of("root "), "%lx", &root) == 1 && root == 0, shown = 0;
            for (const char *at = text; (at = strstr(at, "-> ")); at++) {
                is_hidden &= sscanf(at, "-> %lx", &frame) == 1 && frame == 0;
                shown++;
            }
            CHECK(is_hidden && shown > 10);
        }
        end_child();
    }
    CHECK(child_passed(child));
}

// What was opened about a memory says nothing of the one that exec puts in its place.
static void after_exec(void) {
    int ends[2];
    char go = 0;
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[0], 0);
        if (read(0, &go, 1) != 1) _exit(1);
        close(ends[0]), close(ends[1]);
        execl("/proc/self/exe", "proc", "sleep", NULL);
        _exit(1);
    }
    char path[64], bytes[64];
    snprintf(path, sizeof path, "/proc/%d/maps", child);
    int maps = open(path, O_RDONLY);
    snprintf(path, sizeof path, "/proc/%d/environ", child);
    int environment = open(path, O_RDONLY);
    CHECK(maps >= 0 && environment >= 0 && write(ends[1], &go, 1) == 1);
    // It says that it is the new program by its name of one.
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/proc/%d/cmdline", child);
        if (slurp(path) > 6 && memcmp(text, "proc\0sleep", 10) == 0) break;
        usleep(2000);
    }
    CHECK(memcmp(text, "proc\0sleep", 10) == 0);
    // The old memory goes a moment after the new one is there.
    int is_gone = 0;
    for (int i = 0; i < 1000 && !is_gone; i++) {
        is_gone = pread(maps, bytes, sizeof bytes, 0) == 0 && pread(environment, bytes, sizeof bytes, 0) == 0;
        usleep(1000);
    }
    CHECK(is_gone);
    snprintf(path, sizeof path, "/proc/%d/maps", child);
    CHECK(slurp(path) > 0);
    close(ends[0]), close(ends[1]), close(maps), close(environment);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void small_files(void) {
    CHECK(slurp("/proc/self/cgroup") == 0);
    CHECK(slurp("/proc/self/wchan") == 1 && text[0] == '0');
    CHECK(holds("/proc/self/personality", "00000000\n"));
    CHECK(slurp("/proc/diskstats") >= 0 && slurp("/proc/tty/drivers") > 0 && strstr(text, "/dev/tty "));
    CHECK(access("/proc/self/clear_refs", F_OK) == 0);
}

static void settings(void) {
    char first[64];
    CHECK(slurp("/proc/sys/kernel/random/boot_id") == 37);
    strcpy(first, text);
    CHECK(slurp("/proc/sys/kernel/random/boot_id") == 37 && strcmp(first, text) == 0);
    CHECK(slurp("/proc/sys/kernel/random/uuid") == 37 && strcmp(first, text) != 0);
    CHECK(number_in("/proc/sys/fs/file-max", "") > 1000);
    long open_files = number_in("/proc/sys/fs/file-nr", "");
    int files[50];
    for (int i = 0; i < 50; i++) files[i] = open("/tmp", O_RDONLY);
    long more = number_in("/proc/sys/fs/file-nr", "") - open_files;
    CHECK(more >= 0 && more <= 50 + 64);
    for (int i = 0; i < 50; i++) close(files[i]);
    CHECK(number_in("/proc/sys/kernel/threads-max", "") > 100);
    CHECK(number_in("/proc/sys/kernel/cap_last_cap", "") >= 40);
    CHECK(number_in("/proc/sys/kernel/ngroups_max", "") == 65536);
    CHECK(number_in("/proc/sys/vm/max_map_count", "") == 65530);
    CHECK(number_in("/proc/sys/vm/swappiness", "") == 60);
    CHECK(slurp("/proc/sys/kernel/randomize_va_space") == 2 && slurp("/proc/sys/kernel/tainted") >= 2);
    CHECK(slurp("/proc/sys/kernel/version") > 3 && text[0] == '#');
    char name[65];
    gethostname(name, sizeof name);
    int file = open("/proc/sys/kernel/hostname", O_WRONLY);
    CHECK(write(file, "renamed\n", 8) == 8);
    close(file);
    CHECK(holds("/proc/sys/kernel/hostname", "renamed\n"));
    sethostname(name, strlen(name));
}

static void machine(void) {
    long made = number_in("/proc/stat", "processes ");
    for (int i = 0; i < 5; i++)
        if (fork() == 0) _exit(0);
    while (wait(NULL) > 0) {}
    CHECK(made > 0 && number_in("/proc/stat", "processes ") >= made + 5);
    CHECK(number_in("/proc/stat", "ctxt ") > 0 && number_in("/proc/stat", "procs_running ") >= 1);
    double up, idle, last = 0;
    int is_rising = 1;
    for (int i = 0; i < 300; i++) {
        CHECK(slurp("/proc/uptime") > 0 && sscanf(text, "%lf %lf", &up, &idle) == 2);
        is_rising &= idle >= last;
        last = idle;
    }
    CHECK(is_rising);
    struct sysinfo info;
    CHECK(sysinfo(&info) == 0);
    CHECK(slurp("/proc/loadavg") > 0 && sscanf(text, "%lf", &up) == 1);
    CHECK(up - (double)info.loads[0] / 65536 < 0.5 && (double)info.loads[0] / 65536 - up < 0.5);
}

static void processors(void) {
    char path[96];
    long count = sysconf(_SC_NPROCESSORS_CONF);
    CHECK(count == 4);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_id", i);
        CHECK(slurp(path) > 1);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i);
        CHECK(number_in(path, "") == i);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_siblings_list", i);
        CHECK(slurp(path) > 1);
    }
    CHECK(access("/sys/devices/system/cpu/cpu4", F_OK) == -1);
    CHECK(holds("/sys/devices/system/cpu/present", "0-3\n") && holds("/sys/devices/system/cpu/possible", "0-3\n"));
    CHECK(access("/sys/block", F_OK) == 0 && access("/sys/kernel/mm", F_OK) == 0 && access("/sys/class", F_OK) == 0);
    // The features that Linux shows, too, and the same in both places.
    static const struct { const char *name; unsigned long bit; } features[] = {
        {" fp ", 1 << 0}, {" asimd ", 1 << 1}, {" aes ", 1 << 3}, {" pmull ", 1 << 4}, {" sha1 ", 1 << 5}, {" sha2 ", 1 << 6}, {" crc32", 1 << 7}, {" atomics", 1 << 8}};
    slurp("/proc/cpuinfo");
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        int is_shown = strstr(text, features[i].name) != NULL;
        CHECK(is_shown == !!(getauxval(AT_HWCAP) & features[i].bit));
        // A Cortex-A72 of QEMU has all but the last.
        CHECK(is_shown == (i < 7));
    }
}

#include "proc_accounts.h"

static void checks(void) {
    if (access("/sys/devices", F_OK) != 0) mkdir("/sys", 0755), mount("sys", "/sys", "sysfs", 0, NULL);
    memory_file();
    auxiliary();
    frames();
    after_exec();
    descriptors();
    small_files();
    settings();
    machine();
    processors();
    offsets();
    many_areas();
    opened_often();
    names();
    places();
    status_lines();
    transfers();
    peaks();
    locks();
    physical();
}

int main(int count, char **list) {
    char byte;
    // The program that a check runs: it ends when its input does.
    if (count > 1 && strcmp(list[1], "sleep") == 0) return (int)read(0, &byte, 1);
    if (count > 1 && strcmp(list[1], "grow") == 0) return growth("grown");
    if (count > 1 && strcmp(list[1], "grown") == 0) return after_growth();
    return run_as_init("proc", checks);
}
