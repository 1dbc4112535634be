// Flags of mounts: mount(2), MS_REMOUNT; what they forbid, and where they are shown.
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))
#define REMOUNT(flags) mount("x", "/tmp/m", NULL, MS_REMOUNT | (flags), NULL)

// The line for /tmp/m in that file has the words behind its path.
static int shows(const char *file, const char *words) {
    static char line[4096];
    FILE *list = fopen(file, "r");
    int found = 0;
    while (list && fgets(line, sizeof line, list)) found |= strstr(line, " /tmp/m ") && strstr(line, words);
    if (list) fclose(list);
    return found;
}

static unsigned long flags_of(const char *path) {
    struct statfs known;
    return statfs(path, &known) == 0 ? (unsigned long)known.f_flags : 0;
}

static void read_only(void) {
    int fd = open("/tmp/m/file", O_RDWR | O_CREAT, 0644);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    CHECK(mkdir("/tmp/m/dir", 0755) == 0 && symlink("file", "/tmp/m/link") == 0 && mkfifo("/tmp/m/fifo", 0644) == 0);
    CHECK(FAILS(REMOUNT(MS_RDONLY), EBUSY) && close(fd) == 0 && REMOUNT(MS_RDONLY) == 0);
    CHECK(shows("/proc/self/mounts", " ro,relatime") && shows("/proc/self/mountinfo", " ro,relatime "));
    CHECK(flags_of("/tmp/m") == (0x20 | 1 | 0x1000));
    CHECK(FAILS(open("/tmp/m/file", O_RDWR), EROFS) && FAILS(open("/tmp/m/file", O_RDONLY | O_TRUNC), EROFS));
    CHECK(FAILS(open("/tmp/m/new", O_RDWR | O_CREAT, 0600), EROFS) && FAILS(open("/tmp/m", O_RDWR | O_TMPFILE, 0600), EROFS));
    CHECK(FAILS(open("/tmp/m/file", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST));
    CHECK(FAILS(truncate("/tmp/m/file", 0), EROFS) && FAILS(access("/tmp/m/file", W_OK), EROFS));
    CHECK(FAILS(mkdir("/tmp/m/new", 0755), EROFS) && FAILS(mkdir("/tmp/m/dir", 0755), EEXIST));
    CHECK(FAILS(unlink("/tmp/m/file"), EROFS) && FAILS(unlink("/tmp/m/none"), EROFS) && FAILS(rmdir("/tmp/m/dir"), EROFS));
    CHECK(FAILS(rename("/tmp/m/file", "/tmp/m/other"), EROFS) && FAILS(link("/tmp/m/file", "/tmp/m/other"), EROFS));
    CHECK(FAILS(symlink("x", "/tmp/m/new"), EROFS) && FAILS(mkfifo("/tmp/m/new", 0600), EROFS));
    CHECK(FAILS(chmod("/tmp/m/file", 0600), EROFS) && FAILS(chown("/tmp/m/file", 1, 1), EROFS));
    CHECK(FAILS(utimes("/tmp/m/file", NULL), EROFS));
    fd = open("/tmp/m/file", O_RDONLY);
    CHECK(fd >= 0 && FAILS(fchmod(fd, 0600), EROFS) && close(fd) == 0);
    // Devices and pipes do not lie there.
    fd = open("/tmp/m/fifo", O_RDWR);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 && access("/tmp/m/fifo", W_OK) == 0);
    CHECK(REMOUNT(0) == 0 && shows("/proc/self/mounts", " rw,relatime") && flags_of("/tmp/m") == (0x20 | 0x1000));
    CHECK(unlink("/tmp/m/fifo") == 0 && (fd = open("/tmp/m/file", O_RDWR)) >= 0 && close(fd) == 0);
    // Of the mount alone.
    CHECK(REMOUNT(MS_BIND | MS_RDONLY) == 0 && FAILS(open("/tmp/m/file", O_RDWR), EROFS));
    CHECK(shows("/proc/self/mounts", " ro,relatime") && REMOUNT(MS_BIND) == 0);
}

static void copy_program(const char *to) {
    static char bytes[65536];
    int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
    long len;
    while ((len = read(in, bytes, sizeof bytes)) > 0) CHECK(write(out, bytes, len) == len);
    close(in), close(out);
}

static int status_of(const char *path, const char *argument) {
    pid_t child = fork();
    int status = -1;
    if (child == 0) {
        if (setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0) execl(path, path, argument, NULL);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int opens(const char *path) {
    int fd = open(path, O_RDWR);
    return fd >= 0 && close(fd) == 0;
}

static void forbidden(void) {
    CHECK(mknod("/tmp/m/null", S_IFCHR | 0666, makedev(1, 3)) == 0 && opens("/tmp/m/null"));
    copy_program("/tmp/m/program");
    CHECK(chown("/tmp/m/program", 0, 0) == 0 && chmod("/tmp/m/program", 04755) == 0);
    CHECK(chmod("/tmp", 0777) == 0 && chmod("/tmp/m", 0755) == 0);
    // Who it runs as: user 0, where that is not forbidden.
    CHECK(status_of("/tmp/m/program", "who") == 100);
    CHECK(REMOUNT(MS_NOSUID) == 0 && status_of("/tmp/m/program", "who") == 101);
    CHECK(shows("/proc/self/mountinfo", " rw,nosuid,relatime ") && flags_of("/tmp/m") == (0x20 | 2 | 0x1000));
    CHECK(opens("/tmp/m/null"));
    CHECK(REMOUNT(MS_NODEV | MS_NOEXEC | MS_NOATIME) == 0 && shows("/proc/self/mounts", " rw,nodev,noexec,noatime"));
    CHECK(flags_of("/tmp/m/dir") == (0x20 | 4 | 8 | 1024));
    CHECK(FAILS(open("/tmp/m/null", O_RDWR), EACCES) && FAILS(open("/tmp/m/null", O_RDONLY), EACCES));
    CHECK(status_of("/tmp/m/program", "who") == EACCES && FAILS(access("/tmp/m/program", X_OK), EACCES));
    CHECK(access("/tmp/m/dir", X_OK) == 0);
    int fd = open("/tmp/m/program", O_RDONLY);
    errno = 0;
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EPERM);
    void *seen = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(seen != MAP_FAILED && FAILS(mprotect(seen, 4096, PROT_READ | PROT_EXEC), EACCES) && munmap(seen, 4096) == 0);
    struct timespec times[2] = {{1000, 0}, {2000, 0}};
    struct stat known;
    char byte;
    CHECK(utimensat(AT_FDCWD, "/tmp/m/file", times, 0) == 0 && close(fd) == 0);
    fd = open("/tmp/m/file", O_RDONLY);
    CHECK(read(fd, &byte, 1) == 1 && fstat(fd, &known) == 0 && known.st_atime == 1000);
    // Of access times nothing was said: they stay as they are.
    CHECK(REMOUNT(0) == 0 && shows("/proc/self/mounts", " rw,noatime"));
    CHECK(REMOUNT(MS_RELATIME) == 0 && pread(fd, &byte, 1, 0) == 1);
    CHECK(fstat(fd, &known) == 0 && known.st_atime > 2000 && close(fd) == 0);
}

static void numbers(void) {
    struct statx known;
    char words[40];
    CHECK(statx(AT_FDCWD, "/tmp/m/file", 0, STATX_MNT_ID, &known) == 0 && (known.stx_mask & STATX_MNT_ID));
    FILE *list = fopen("/proc/self/mountinfo", "r");
    snprintf(words, sizeof words, "%llu ", (unsigned long long)known.stx_mnt_id);
    static char line[4096];
    int found = 0;
    while (fgets(line, sizeof line, list))
        if (strstr(line, " /tmp/m ")) found = strncmp(line, words, strlen(words)) == 0;
    fclose(list);
    CHECK(found);
}

static void refusals(void) {
    CHECK(FAILS(mount("x", "/tmp/m/dir", NULL, MS_REMOUNT, NULL), EINVAL));
    CHECK(FAILS(mount(NULL, "/tmp/m/dir", NULL, MS_PRIVATE, NULL), EINVAL));
    CHECK(mount(NULL, "/tmp/m", NULL, MS_PRIVATE, NULL) == 0 && mount(NULL, "/tmp/m", NULL, MS_SLAVE | MS_REC, NULL) == 0);
    CHECK(FAILS(mount(NULL, "/tmp/m", NULL, MS_PRIVATE | MS_SHARED, NULL), EINVAL));
    CHECK(FAILS(mount(NULL, "/tmp/m", NULL, MS_PRIVATE | MS_NOSUID, NULL), EINVAL));
    // A smaller one must hold what there is.
    CHECK(mount("x", "/tmp/m", NULL, MS_REMOUNT, "size=64m") == 0);
    CHECK(FAILS(mount("x", "/tmp/m", NULL, MS_REMOUNT, "size=4096"), EINVAL));
    CHECK(umount("/tmp/m") == 0 && mount("m", "/tmp/m", "tmpfs", MS_RDONLY | MS_NOSUID, NULL) == 0);
    CHECK(shows("/proc/self/mounts", " ro,nosuid,relatime") && FAILS(mkdir("/tmp/m/dir", 0700), EROFS));
    CHECK(umount("/tmp/m") == 0);
}

static void checks(void) {
    if (getppid() == 1) CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
    CHECK(mkdir("/tmp/m", 0755) == 0 && mount("m", "/tmp/m", "tmpfs", 0, NULL) == 0);
    read_only();
    forbidden();
    numbers();
    refusals();
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "who") == 0) return geteuid() == 0 ? 100 : 101;
    return run_as_init("mounts", checks);
}
