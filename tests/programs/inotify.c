// Telling of what happens to files: inotify(7). On Linux too: each transcript below is what its kernel says.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static const struct {
    uint32_t bit;
    const char *name;
} NAMES[] = {
    {IN_ACCESS, "access"}, {IN_MODIFY, "modify"}, {IN_ATTRIB, "attrib"}, {IN_CLOSE_WRITE, "close_write"}, {IN_CLOSE_NOWRITE, "close"},
    {IN_OPEN, "open"}, {IN_MOVED_FROM, "from"}, {IN_MOVED_TO, "to"}, {IN_CREATE, "create"}, {IN_DELETE, "delete"},
    {IN_DELETE_SELF, "delete_self"}, {IN_MOVE_SELF, "move_self"}, {IN_UNMOUNT, "unmount"}, {IN_Q_OVERFLOW, "overflow"},
    {IN_IGNORED, "ignored"}, {IN_ISDIR, "dir"},
};

// Adds what one event says to `text`; cookies are numbered as they come.
static void describe(char *text, const struct inotify_event *event) {
    static uint32_t last_cookie;
    static int cookies;
    text += strlen(text);
    text += sprintf(text, "%d", event->wd);
    uint32_t known = 0;
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (event->mask & NAMES[i].bit) text += sprintf(text, "+%s", NAMES[i].name);
        known |= NAMES[i].bit;
    }
    if (event->mask & ~known) text += sprintf(text, "+%#x", event->mask & ~known);
    if (event->len > 0) text += sprintf(text, "=%s", event->name);
    if (event->len > 0) {
        // Filled up with zeros.
        uint32_t len = strlen(event->name);
        CHECK(event->len == (len + 16) / 16 * 16);
        for (uint32_t i = len; i < event->len; i++) CHECK(event->name[i] == 0);
    }
    if (event->cookie != 0) {
        if (event->cookie != last_cookie) cookies++;
        last_cookie = event->cookie;
        text += sprintf(text, "#%d", cookies % 10);
    }
    strcpy(text, " ");
}

// All that has happened, in words.
static const char *events(int fd) {
    static char text[16384], bytes[8192] __attribute__((aligned(8)));
    text[0] = 0;
    ssize_t len;
    while ((len = read(fd, bytes, sizeof bytes)) > 0) {
        for (char *at = bytes; at < bytes + len; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) {
            if (strlen(text) < sizeof text - 400) describe(text, (void *)at);
        }
    }
    return text;
}

static void expect_at(int fd, const char *wanted, int line) {
    const char *seen = events(fd);
    check(strcmp(seen, wanted) == 0, __FILE__, line, wanted);
    if (strcmp(seen, wanted) != 0) printf("    seen:   %s\n", seen);
}

#define EXPECT(fd, wanted) expect_at(fd, wanted, __LINE__)

static int fresh(void) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void make(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, "text", 4) == 4 && close(fd) == 0);
}

static void check_errors(void) {
    int fd = inotify_init1(IN_CLOEXEC);
    char link[64] = "";
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == O_RDONLY);
    char path[40];
    sprintf(path, "/proc/self/fd/%d", fd);
    CHECK(readlink(path, link, sizeof link - 1) > 0 && strcmp(link, "anon_inode:inotify") == 0);
    CHECK(FAILS(inotify_init1(1), EINVAL) && FAILS(inotify_init1(O_NONBLOCK | O_APPEND), EINVAL));
    CHECK(FAILS(inotify_add_watch(fd, "/w", 0), EINVAL) && FAILS(inotify_add_watch(fd, "/w", 0x1000), EINVAL));
    CHECK(FAILS(inotify_add_watch(99, "/w", IN_OPEN), EBADF) && FAILS(inotify_add_watch(epoll, "/w", IN_OPEN), EINVAL));
    CHECK(FAILS(inotify_add_watch(fd, "/w", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL));
    CHECK(FAILS(inotify_add_watch(fd, "/none", IN_OPEN), ENOENT) && FAILS(inotify_add_watch(fd, (void *)8, IN_OPEN), EFAULT));
    CHECK(FAILS(inotify_add_watch(fd, "", IN_OPEN), ENOENT) && FAILS(inotify_add_watch(fd, "/w/file", IN_OPEN | IN_ONLYDIR), ENOTDIR));
    CHECK(FAILS(inotify_rm_watch(fd, 1), EINVAL) && FAILS(inotify_rm_watch(99, 1), EBADF) && FAILS(inotify_rm_watch(epoll, 1), EINVAL));
    CHECK(inotify_add_watch(fd, "/w", IN_OPEN) == 1 && inotify_add_watch(fd, "/w/file", IN_UNMOUNT) == 2);
    CHECK(FAILS(inotify_add_watch(fd, "/w", IN_OPEN | IN_MASK_CREATE), EEXIST) && inotify_add_watch(fd, "/w/../w", IN_CREATE) == 1);
    CHECK(FAILS(write(fd, path, 1), EBADF) && lseek(fd, 0, SEEK_SET) == 0 && FAILS(pread(fd, path, 16, 0), ESPIPE));
    CHECK(FAILS(ioctl(fd, TIOCGWINSZ, path), ENOTTY) && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    // Numbers that were given back come again late.
    CHECK(inotify_rm_watch(fd, 2) == 0 && FAILS(inotify_rm_watch(fd, 2), EINVAL) && inotify_add_watch(fd, "/w/file", IN_OPEN) == 3);
    close(fd), close(epoll);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(chmod("/w/file", 0600) == 0 && setuid(1000) == 0);
        fd = fresh();
        CHECK(FAILS(inotify_add_watch(fd, "/w/file", IN_OPEN), EACCES) && inotify_add_watch(fd, "/w", IN_OPEN) == 1);
        end_child();
    }
    CHECK(child_passed(child));
}

// What happens to a file is told to who watches its directory, and then to who watches the file.
static void check_file(void) {
    int fd = fresh();
    char byte[8];
    make("/w/file");
    CHECK(inotify_add_watch(fd, "/w", IN_ALL_EVENTS) == 1 && inotify_add_watch(fd, "/w/file", IN_ALL_EVENTS) == 2);
    int file = open("/w/file", O_RDWR);
    EXPECT(fd, "1+open=file 2+open ");
    CHECK(read(file, byte, 4) == 4 && read(file, byte, 4) == 0 && pread(file, byte, 2, 0) == 2);
    EXPECT(fd, "1+access=file 2+access 1+access=file 2+access ");
    CHECK(write(file, "x", 1) == 1 && pwrite(file, "y", 1, 0) == 1 && write(file, "", 0) == 0);
    EXPECT(fd, "1+modify=file 2+modify 1+modify=file 2+modify ");
    CHECK(ftruncate(file, 2) == 0 && truncate("/w/file", 3) == 0 && fallocate(file, 0, 0, 8) == 0);
    EXPECT(fd, "1+modify=file 2+modify 1+modify=file 2+modify 1+modify=file 2+modify ");
    CHECK(fchmod(file, 0600) == 0 && chown("/w/file", 0, 0) == 0);
    EXPECT(fd, "1+attrib=file 2+attrib 1+attrib=file 2+attrib ");
    struct timespec now[2] = {{1, 0}, {2, 0}}, first[2] = {{3, 0}, {0, UTIME_OMIT}}, second[2] = {{0, UTIME_OMIT}, {4, 0}}, none[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    CHECK(utimensat(AT_FDCWD, "/w/file", now, 0) == 0 && futimens(file, first) == 0 && futimens(file, second) == 0 && futimens(file, none) == 0);
    EXPECT(fd, "1+attrib=file 2+attrib 1+access=file 2+access 1+modify=file 2+modify ");
    CHECK(chown("/w/file", -1, -1) == 0 && fsetxattr(file, "trusted.a", "b", 1, 0) == 0 && removexattr("/w/file", "trusted.a") == 0);
    EXPECT(fd, "1+attrib=file 2+attrib 1+attrib=file 2+attrib ");
    int other = open("/w/file", O_RDONLY), place = open("/w/file", O_PATH);
    CHECK(dup(other) >= 0 && close(other) == 0 && close(other + 2) == 0 && close(place) == 0 && close(file) == 0);
    EXPECT(fd, "1+open=file 2+open 1+close=file 2+close 1+close_write=file 2+close_write ");
    close(open("/w/file", O_WRONLY | O_TRUNC));
    // Linux 6.1 tells of the change first, later ones of the opening.
    const char *seen = events(fd);
    CHECK(strcmp(seen, "1+open=file 2+open 1+modify=file 2+modify 1+close_write=file 2+close_write ") == 0 ||
          strcmp(seen, "1+modify=file 2+modify 1+open=file 2+open 1+close_write=file 2+close_write ") == 0);
    CHECK(mkdir("/w/file/x", 0755) < 0 && open("/w/file", O_RDWR | O_CREAT | O_EXCL, 0644) < 0);
    EXPECT(fd, "");
    CHECK(inotify_rm_watch(fd, 1) == 0 && chmod("/w/file", 0644) == 0 && inotify_rm_watch(fd, 2) == 0 && chmod("/w/file", 0600) == 0);
    EXPECT(fd, "1+ignored 2+attrib 2+ignored ");
    close(fd);
}

// Entries come and go.
static void check_directory(void) {
    int fd = fresh();
    CHECK(mkdir("/w/a", 0755) == 0 && mkdir("/w/b", 0755) == 0);
    CHECK(inotify_add_watch(fd, "/w/a", IN_ALL_EVENTS) == 1 && inotify_add_watch(fd, "/w/b", IN_ALL_EVENTS) == 2);
    make("/w/a/one");
    EXPECT(fd, "1+create=one 1+open=one 1+modify=one 1+close_write=one ");
    CHECK(mkdir("/w/a/sub", 0755) == 0 && symlink("one", "/w/a/link") == 0 && mkfifo("/w/a/fifo", 0600) == 0);
    CHECK(mknod("/w/a/node", S_IFCHR | 0600, 0x103) == 0 && link("/w/a/one", "/w/b/two") == 0);
    int socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {AF_UNIX, "/w/a/socket"};
    CHECK(bind(socket_fd, (void *)&name, sizeof name) == 0 && close(socket_fd) == 0);
    EXPECT(fd, "1+create+dir=sub 1+create=link 1+create=fifo 1+create=node 2+create=two 1+create=socket ");
    CHECK(inotify_add_watch(fd, "/w/a/one", IN_ALL_EVENTS) == 3);
    CHECK(link("/w/a/one", "/w/a/three") == 0 && unlink("/w/a/three") == 0);
    EXPECT(fd, "3+attrib 1+create=three 3+attrib 1+delete=three ");
    // By its other name, too.
    CHECK(chmod("/w/b/two", 0644) == 0 && unlink("/w/b/two") == 0);
    EXPECT(fd, "2+attrib=two 3+attrib 2+delete=two ");
    CHECK(chmod("/w/a/sub", 0700) == 0 && rmdir("/w/a/sub") == 0 && unlink("/w/a/link") == 0 && unlink("/w/a/fifo") == 0 && unlink("/w/a/node") == 0 && unlink("/w/a/socket") == 0);
    EXPECT(fd, "1+attrib+dir=sub 1+delete+dir=sub 1+delete=link 1+delete=fifo 1+delete=node 1+delete=socket ");
    // The file ends with who has it open.
    int file = open("/w/a/one", O_RDONLY);
    CHECK(unlink("/w/a/one") == 0);
    EXPECT(fd, "1+open=one 3+open 3+attrib 1+delete=one ");
    CHECK(fchmod(file, 0600) == 0 && close(file) == 0);
    EXPECT(fd, "1+attrib=one 3+attrib 1+close=one 3+close 3+delete_self 3+ignored ");
    CHECK(FAILS(inotify_rm_watch(fd, 3), EINVAL));
    make("/w/a/one");
    CHECK(inotify_add_watch(fd, "/w/a/one", IN_ALL_EVENTS) == 4);
    events(fd);
    CHECK(unlink("/w/a/one") == 0);
    EXPECT(fd, "4+attrib 4+delete_self 4+ignored 1+delete=one ");
    // A directory that is read, entered, removed.
    int folder = open("/w/a", O_RDONLY | O_DIRECTORY);
    char entries[512];
    CHECK(syscall(SYS_getdents64, folder, entries, sizeof entries) > 0 && syscall(SYS_getdents64, folder, entries, sizeof entries) == 0 && chdir("/w/a") == 0 && close(folder) == 0);
    EXPECT(fd, "1+open+dir 1+access+dir 1+close+dir ");
    CHECK(chdir("/") == 0 && rmdir("/w/a") == 0);
    EXPECT(fd, "1+delete_self 1+ignored ");
    int unnamed = open("/w/b", O_TMPFILE | O_RDWR, 0600);
    CHECK(write(unnamed, "a", 1) == 1);
    char path[40];
    sprintf(path, "/proc/self/fd/%d", unnamed);
    CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "/w/b/named", AT_SYMLINK_FOLLOW) == 0 && close(unnamed) == 0);
    const char *seen = events(fd);
    CHECK(strstr(seen, "2+create=named ") != NULL);
    CHECK(unlink("/w/b/named") == 0 && rmdir("/w/b") == 0);
    EXPECT(fd, "2+delete=named 2+delete_self 2+ignored ");
    close(fd);
}

static void check_moves(void) {
    int fd = fresh();
    CHECK(mkdir("/w/a", 0755) == 0 && mkdir("/w/b", 0755) == 0 && mkdir("/w/a/sub", 0755) == 0);
    make("/w/a/one"), make("/w/b/two");
    CHECK(inotify_add_watch(fd, "/w/a", IN_ALL_EVENTS) == 1 && inotify_add_watch(fd, "/w/b", IN_ALL_EVENTS) == 2);
    CHECK(inotify_add_watch(fd, "/w/a/one", IN_ALL_EVENTS) == 3 && inotify_add_watch(fd, "/w/b/two", IN_ALL_EVENTS) == 4 && inotify_add_watch(fd, "/w/a/sub", IN_ALL_EVENTS) == 5);
    CHECK(rename("/w/a/one", "/w/a/uno") == 0);
    EXPECT(fd, "1+from=one#1 1+to=uno#1 3+move_self ");
    CHECK(rename("/w/a/uno", "/w/b/uno") == 0 && chmod("/w/b/uno", 0600) == 0);
    EXPECT(fd, "1+from=uno#2 2+to=uno#2 3+move_self 2+attrib=uno 3+attrib ");
    CHECK(rename("/w/a/sub", "/w/b/sub") == 0);
    EXPECT(fd, "1+from+dir=sub#3 2+to+dir=sub#3 5+move_self ");
    CHECK(syscall(SYS_renameat2, AT_FDCWD, "/w/b/sub", AT_FDCWD, "/w/b/uno", 2) == 0);
    EXPECT(fd, "2+from+dir=sub#4 2+to+dir=uno#4 5+move_self 2+from=uno#5 2+to=sub#5 3+move_self ");
    CHECK(rename("/w/b/sub", "/w/b/two") == 0);
    EXPECT(fd, "2+from=sub#6 2+to=two#6 4+attrib 3+move_self 4+delete_self 4+ignored ");
    CHECK(mkdir("/w/b/empty", 0755) == 0 && inotify_add_watch(fd, "/w/b/empty", IN_ALL_EVENTS) == 6);
    events(fd);
    CHECK(rename("/w/b/uno", "/w/b/empty") == 0);
    EXPECT(fd, "2+from+dir=uno#7 2+to+dir=empty#7 6+attrib+dir 5+move_self 6+delete_self 6+ignored ");
    CHECK(FAILS(rename("/w/b/none", "/w/b/x"), ENOENT) && rename("/w/b/two", "/w/b/two") == 0);
    EXPECT(fd, "");
    // A file that moves is told of by the directory that it is in now.
    int file = open("/w/b/two", O_RDWR);
    CHECK(rename("/w/b/two", "/w/two") == 0 && write(file, "a", 1) == 1 && rename("/w/two", "/w/a/two") == 0 && write(file, "a", 1) == 1 && close(file) == 0);
    EXPECT(fd, "2+open=two 3+open 2+from=two#8 3+move_self 3+modify 1+to=two#9 3+move_self 1+modify=two 3+modify 1+close_write=two 3+close_write ");
    close(fd);
    CHECK(unlink("/w/a/two") == 0 && rmdir("/w/b/empty") == 0 && rmdir("/w/a") == 0 && rmdir("/w/b") == 0);
}

static void check_flags(void) {
    int fd = fresh();
    CHECK(mkdir("/w/a", 0755) == 0);
    make("/w/a/one");
    CHECK(inotify_add_watch(fd, "/w/a/one", IN_ATTRIB | IN_ONESHOT) == 1 && chmod("/w/a/one", 0600) == 0 && chmod("/w/a/one", 0644) == 0);
    EXPECT(fd, "1+attrib 1+ignored ");
    CHECK(inotify_add_watch(fd, "/w/a/one", IN_ATTRIB) == 2 && inotify_add_watch(fd, "/w/a/one", IN_OPEN | IN_MASK_ADD) == 2);
    CHECK(chmod("/w/a/one", 0600) == 0 && close(open("/w/a/one", O_RDONLY)) == 0);
    EXPECT(fd, "2+attrib 2+open ");
    CHECK(inotify_add_watch(fd, "/w/a/one", IN_CLOSE) == 2 && chmod("/w/a/one", 0644) == 0 && close(open("/w/a/one", O_RDONLY)) == 0);
    EXPECT(fd, "2+close ");
    // Entries without a name are not told of.
    CHECK(inotify_add_watch(fd, "/w/a", IN_ALL_EVENTS | IN_EXCL_UNLINK) == 3);
    int file = open("/w/a/one", O_RDWR);
    CHECK(unlink("/w/a/one") == 0 && write(file, "a", 1) == 1 && fchmod(file, 0600) == 0);
    EXPECT(fd, "3+open=one 3+delete=one 3+attrib=one ");
    CHECK(close(file) == 0);
    EXPECT(fd, "2+close_write 2+ignored ");
    // A link itself, and what it points to.
    make("/w/a/one");
    CHECK(symlink("one", "/w/a/link") == 0 && inotify_add_watch(fd, "/w/a/link", IN_ALL_EVENTS | IN_DONT_FOLLOW) == 4 && inotify_add_watch(fd, "/w/a/link", IN_ALL_EVENTS) == 5);
    events(fd);
    CHECK(lchown("/w/a/link", 0, 0) == 0 && chmod("/w/a/link", 0600) == 0 && unlink("/w/a/link") == 0);
    EXPECT(fd, "3+attrib=link 4+attrib 3+attrib=one 5+attrib 4+attrib 4+delete_self 4+ignored 3+delete=link ");
    // The same twice in a row is told once.
    CHECK(chmod("/w/a/one", 0600) == 0 && chmod("/w/a/one", 0644) == 0 && inotify_rm_watch(fd, 3) == 0);
    events(fd);
    for (int i = 0; i < 5; i++) CHECK(chmod("/w/a/one", 0600 + i) == 0);
    EXPECT(fd, "5+attrib ");
    close(fd);
    CHECK(unlink("/w/a/one") == 0 && rmdir("/w/a") == 0);
}

static void *write_later(void *path) {
    usleep(30000);
    make(path);
    return NULL;
}

static void check_reading(void) {
    int fd = inotify_init1(0), epoll = epoll_create1(0), bytes = -1;
    char buffer[512];
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    struct pollfd one = {fd, ~0, 0};
    CHECK(inotify_add_watch(fd, "/w", IN_CREATE | IN_DELETE) == 1 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(poll(&one, 1, 0) == 0 && epoll_wait(epoll, &event, 1, 0) == 0 && ioctl(fd, FIONREAD, &bytes) == 0 && bytes == 0);
    pthread_t thread;
    pthread_create(&thread, NULL, write_later, "/w/sixteen_letters_");
    CHECK(read(fd, buffer, sizeof buffer) == 16 + 32 && pthread_join(thread, NULL) == 0 && epoll_wait(epoll, &event, 1, 0) <= 1);
    pthread_create(&thread, NULL, write_later, "/w/fifteen_letters");
    CHECK(epoll_wait(epoll, &event, 1, 5000) == 1 && pthread_join(thread, NULL) == 0 && poll(&one, 1, 0) == 1 && one.revents == (POLLIN | POLLRDNORM));
    CHECK(unlink("/w/sixteen_letters_") == 0 && ioctl(fd, FIONREAD, &bytes) == 0 && bytes == 2 * 16 + 16 + 32);
    // An event is read whole or not at all.
    CHECK(FAILS(read(fd, buffer, 31), EINVAL) && read(fd, buffer, 32 + 47) == 32 && FAILS(read(fd, buffer, 47), EINVAL) && FAILS(syscall(SYS_read, fd, 8, 100), EFAULT));
    CHECK(unlink("/w/fifteen_letters") == 0);
    // fdinfo tells what is watched.
    sprintf(buffer, "/proc/self/fdinfo/%d", fd);
    int info = open(buffer, O_RDONLY);
    ssize_t len = read(info, buffer, sizeof buffer - 1);
    buffer[len < 0 ? 0 : len] = 0;
    CHECK(strstr(buffer, "inotify wd:1 ino:") != NULL && strstr(buffer, " mask:300 ignored_mask:0 ") != NULL);
    close(info), close(fd), close(epoll);
}

static long limit(const char *name, long set) {
    char path[80], text[32] = "";
    sprintf(path, "/proc/sys/fs/inotify/%s", name);
    int fd = open(path, O_RDWR);
    long old = read(fd, text, sizeof text - 1) > 0 ? atol(text) : -1;
    if (set >= 0) {
        int len = sprintf(text, "%ld\n", set);
        CHECK(pwrite(fd, text, len, 0) == len);
    }
    close(fd);
    return old;
}

static void check_limits(void) {
    CHECK(limit("max_user_instances", -1) == 128 && limit("max_queued_events", -1) == 16384 && limit("max_user_watches", -1) >= 8192);
    // What is lost is told once, where it was lost.
    CHECK(limit("max_queued_events", 3) == 16384);
    int fd = fresh();
    CHECK(limit("max_queued_events", 16384) == 3 && inotify_add_watch(fd, "/w", IN_CREATE | IN_DELETE) == 1);
    for (int i = 0; i < 3; i++) make("/w/x"), unlink("/w/x");
    EXPECT(fd, "1+create=x 1+delete=x 1+create=x -1+overflow ");
    make("/w/x"), unlink("/w/x");
    EXPECT(fd, "1+create=x 1+delete=x ");
    close(fd);
    pid_t child = start_child();
    if (child == 0) {
        int fds[129], made = 0;
        CHECK(setuid(1234) == 0);
        while (made < 129 && (fds[made] = inotify_init1(0)) >= 0) made++;
        CHECK(made == 128 && errno == EMFILE);
        close(fds[0]);
        // Freed with its file, at once or soon.
        int again = -1;
        for (int i = 0; i < 100 && again < 0; i++) again = inotify_init1(0), usleep(1000);
        CHECK(again >= 0);
        end_child();
    }
    CHECK(child_passed(child));
    long watches = limit("max_user_watches", 2);
    child = start_child();
    if (child == 0) {
        CHECK(setuid(1235) == 0);
        fd = fresh();
        CHECK(inotify_add_watch(fd, "/w", IN_OPEN) == 1 && inotify_add_watch(fd, "/", IN_OPEN) == 2 && FAILS(inotify_add_watch(fd, "/proc", IN_OPEN), ENOSPC));
        CHECK(inotify_add_watch(fd, "/w", IN_CREATE) == 1 && inotify_rm_watch(fd, 2) == 0 && inotify_add_watch(fd, "/proc", IN_OPEN) == 4);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(limit("max_user_watches", watches) == 2);
}

static void check_unmount(void) {
    int fd = fresh();
    CHECK(mkdir("/w/m", 0755) == 0 && inotify_add_watch(fd, "/w/m", IN_ALL_EVENTS) == 1 && mount("tmpfs", "/w/m", "tmpfs", 0, NULL) == 0);
    make("/w/m/one");
    CHECK(inotify_add_watch(fd, "/w/m", IN_ALL_EVENTS) == 2 && inotify_add_watch(fd, "/w/m/one", IN_ALL_EVENTS) == 3 && chmod("/w/m/one", 0600) == 0);
    EXPECT(fd, "2+attrib=one 3+attrib ");
    // The root of what is mounted is no entry of what it covers.
    CHECK(inotify_add_watch(fd, "/w", IN_ALL_EVENTS) == 4 && chmod("/w/m", 0700) == 0);
    EXPECT(fd, "2+attrib+dir ");
    CHECK(umount("/w/m") == 0);
    const char *seen = events(fd);
    CHECK(strcmp(seen, "3+unmount 3+ignored 2+unmount+dir 2+ignored ") == 0);
    CHECK(rmdir("/w/m") == 0);
    EXPECT(fd, "1+delete_self 1+ignored 4+delete+dir=m ");
    close(fd);
}

static void check_others(void) {
    int fd = fresh();
    make("/w/one"), make("/w/two");
    CHECK(inotify_add_watch(fd, "/w", IN_ALL_EVENTS) == 1);
    int from = open("/w/one", O_RDONLY), to = open("/w/two", O_WRONLY);
    events(fd);
    off_t at = 0;
    CHECK(sendfile(to, from, &at, 4) == 4);
    EXPECT(fd, "1+modify=two 1+access=one 1+modify=two ");
    at = 0;
    CHECK(copy_file_range(from, &at, to, NULL, 4, 0) == 4);
    EXPECT(fd, "1+modify=two 1+access=one 1+modify=two ");
    close(from), close(to);
    // A set-user-ID bit that a writer takes away.
    CHECK(chown("/w/one", 1000, 1000) == 0 && chmod("/w/one", 04755) == 0);
    events(fd);
    CHECK(chown("/w/one", 1001, 1001) == 0);
    EXPECT(fd, "1+attrib=one ");
    // Who has two instances is told twice; what a child inherits it shares.
    int second = fresh();
    CHECK(inotify_add_watch(second, "/w", IN_ATTRIB) == 1);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(chmod("/w/one", 0600) == 0);
        EXPECT(second, "1+attrib=one ");
        end_child();
    }
    CHECK(child_passed(child));
    EXPECT(second, "");
    EXPECT(fd, "1+attrib=one ");
    close(fd), close(second);
    CHECK(unlink("/w/one") == 0 && unlink("/w/two") == 0);
}

// What came before inotify: the owner of an open directory gets a signal (fcntl(2), F_NOTIFY).
static volatile sig_atomic_t notices;
static volatile int notice_code, notice_fd, notice_band;
static void note_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    notice_code = info->si_code, notice_fd = info->si_fd, notice_band = info->si_band;
    notices++;
}

// How many signals that brought.
static int noticed(void) {
    int count = notices;
    notices = 0;
    return count;
}

static void directory_notices(void) {
    struct sigaction action = {.sa_sigaction = note_signal, .sa_flags = SA_SIGINFO};
    CHECK(mkdir("/w/noticed", 0755) == 0 && sigaction(SIGIO, &action, NULL) == 0 && sigaction(SIGRTMIN + 3, &action, NULL) == 0);
    int folder = open("/w/noticed", O_RDONLY | O_DIRECTORY), file = open("/w/noticed/first", O_RDWR | O_CREAT, 0600);
    CHECK(FAILS(fcntl(file, F_NOTIFY, DN_MODIFY), ENOTDIR) && fcntl(file, F_NOTIFY, 0) == 0 && FAILS(fcntl(-1, F_NOTIFY, DN_MODIFY), EBADF));
    CHECK(fcntl(folder, F_NOTIFY, DN_CREATE) == 0 && fcntl(folder, F_GETOWN) == getpid());
    CHECK(write(file, "x", 1) == 1 && noticed() == 0);
    // Once, by SIGIO, which says nothing more.
    close(open("/w/noticed/second", O_RDWR | O_CREAT, 0600));
    CHECK(noticed() == 1);
    close(open("/w/noticed/third", O_RDWR | O_CREAT, 0600));
    CHECK(noticed() == 0);
    // Whenever it happens, by a signal that says of which descriptor.
    CHECK(fcntl(folder, F_SETSIG, SIGRTMIN + 3) == 0 && fcntl(folder, F_NOTIFY, DN_MODIFY | DN_ATTRIB | DN_MULTISHOT) == 0);
    CHECK(write(file, "y", 1) == 1 && noticed() == 1 && notice_code == POLL_MSG && notice_fd == folder);
    CHECK(notice_band == (POLLIN | POLLRDNORM | 0x400));
    CHECK(write(file, "z", 1) == 1 && noticed() == 1 && fchmod(file, 0644) == 0 && noticed() == 1);
    // Further wishes come to those that are there.
    CHECK(unlink("/w/noticed/third") == 0 && noticed() == 0 && fcntl(folder, F_NOTIFY, DN_DELETE) == 0 && unlink("/w/noticed/second") == 0 && noticed() == 1);
    CHECK(write(file, "z", 1) == 1 && noticed() == 1);
    CHECK(fcntl(folder, F_NOTIFY, 0) == 0 && write(file, "z", 1) == 1 && noticed() == 0);
    // Any close of it by the process ends it.
    int other = dup(folder);
    CHECK(fcntl(folder, F_NOTIFY, DN_MODIFY | DN_MULTISHOT) == 0 && write(file, "z", 1) == 1 && noticed() == 1);
    CHECK(close(other) == 0 && write(file, "z", 1) == 1 && noticed() == 0);
    CHECK(fcntl(folder, F_NOTIFY, DN_RENAME | DN_MULTISHOT) == 0 && rename("/w/noticed/first", "/w/noticed/last") == 0 && noticed() == 1);
    // Who runs the machine may forbid it.
    int allowed = open("/proc/sys/fs/dir-notify-enable", O_WRONLY);
    CHECK(pwrite(allowed, "0", 1, 0) == 1 && FAILS(fcntl(folder, F_NOTIFY, DN_MODIFY), EINVAL) && pwrite(allowed, "1", 1, 0) == 1);
    CHECK(close(allowed) == 0 && fcntl(folder, F_NOTIFY, DN_MODIFY) == 0);
    CHECK(close(folder) == 0 && rename("/w/noticed/last", "/w/noticed/first") == 0 && noticed() == 0);
    CHECK(unlink("/w/noticed/first") == 0 && rmdir("/w/noticed") == 0);
    close(file);
}

static void checks(void) {
    CHECK(mkdir("/w", 0755) == 0 && mount("tmpfs", "/w", "tmpfs", 0, NULL) == 0);
    make("/w/file");
    check_errors();
    check_file();
    check_directory();
    check_moves();
    check_flags();
    check_reading();
    check_limits();
    check_unmount();
    check_others();
    directory_notices();
}

int main(void) { return run_as_init("inotify", checks); }
