// How much a pipe holds and how that is changed: fcntl(2), F_SETPIPE_SZ; what neither files nor pipes do.
#include "check.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static unsigned char next_in, next_out;

// Writes `len` numbered bytes without waiting; how many were taken.
static long put(int fd, long len) {
    static unsigned char bytes[1 << 21];
    for (long i = 0; i < len; i++) bytes[i] = (unsigned char)(next_in + i);
    long taken = write(fd, bytes, len);
    if (taken > 0) next_in += taken;
    return taken;
}

// Reads as many and checks their numbers.
static long get(int fd, long len) {
    static unsigned char bytes[1 << 21];
    long taken = read(fd, bytes, len);
    for (long i = 0; i < taken; i++)
        if (bytes[i] != (unsigned char)(next_out + i)) return -2;
    if (taken > 0) next_out += taken;
    return taken;
}

static int is_writable(int fd) {
    struct pollfd one = {fd, POLLOUT, 0};
    return poll(&one, 1, 0) == 1 && (one.revents & POLLOUT);
}

static void sizes(void) {
    int ends[2];
    next_in = next_out = 0;
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK(fcntl(ends[0], F_GETPIPE_SZ) == 65536);
    CHECK(put(ends[1], 70000) == 65536 && FAILS(put(ends[1], 1), EAGAIN) && !is_writable(ends[1]));
    CHECK(fcntl(ends[1], F_SETPIPE_SZ, 100000) == 131072 && fcntl(ends[0], F_GETPIPE_SZ) == 131072);
    CHECK(is_writable(ends[1]) && put(ends[1], 70000) == 65536);
    CHECK(FAILS(fcntl(ends[0], F_SETPIPE_SZ, 65536), EBUSY));
    CHECK(get(ends[0], 5000) == 5000 && get(ends[0], 200000) == 126072);
    CHECK(FAILS(get(ends[0], 1), EAGAIN));
    // The smallest: one page, whatever was in it before.
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 0) == 4096);
    for (int i = 0; i < 20; i++) CHECK(put(ends[1], 100) == 100 && get(ends[0], 100) == 100);
    CHECK(put(ends[1], 4096) == 4096 && FAILS(put(ends[1], 1), EAGAIN));
    CHECK(fcntl(ends[1], F_SETPIPE_SZ, 4097) == 8192 && put(ends[1], 4096) == 4096);
    CHECK(FAILS(fcntl(ends[0], F_SETPIPE_SZ, 4096), EBUSY));
    CHECK(get(ends[0], 100) == 100);
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 32768) == 32768 && get(ends[0], 9000) == 8092);
    // Some traffic, then all of it at once.
    for (int i = 0; i < 300; i++) CHECK(put(ends[1], 777) == 777 && get(ends[0], 1000) == 777);
    CHECK(put(ends[1], 40000) == 32768 && get(ends[0], 40000) == 32768);
    CHECK(FAILS(fcntl(ends[0], F_SETPIPE_SZ, 0xffffffffu), EINVAL));
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 1 << 21) == 1 << 21 && put(ends[1], 1 << 21) == 1 << 21);
    CHECK(get(ends[0], 1 << 21) == 1 << 21);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setresuid(1000, 1000, 1000) == 0);
        // What user 0 has made large may stay so, and become smaller.
        CHECK(fcntl(ends[0], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
        CHECK(FAILS(fcntl(ends[0], F_SETPIPE_SZ, (1 << 20) + 1), EPERM));
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(FAILS(fcntl(open("/tmp/file", O_RDWR | O_CREAT, 0600), F_SETPIPE_SZ, 4096), EBADF));
    close(ends[0]), close(ends[1]);
}

// A writer that sleeps in a full pipe goes on when it is made larger.
static void sleeper(void) {
    int ends[2];
    next_in = next_out = 0;
    CHECK(pipe(ends) == 0 && put(ends[1], 65536) == 65536);
    pid_t child = fork();
    if (child == 0) _exit(put(ends[1], 5000) == 5000 ? 0 : 1);
    usleep(100000);
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 131072) == 131072);
    CHECK(child_passed(child));
    next_in += 5000 % 256;
    CHECK(get(ends[0], 70536) == 70536);
    close(ends[0]), close(ends[1]);
}

static void refusals(void) {
    int file = open("/tmp/file", O_RDWR | O_CREAT, 0600), other = open("/tmp/other", O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && other >= 0);
    CHECK(FAILS(open("/tmp/file", O_RDWR | O_DIRECT), EINVAL));
    CHECK(FAILS(fcntl(file, F_SETFL, O_DIRECT), EINVAL));
    CHECK(FAILS(open("/dev/null", O_RDWR | O_DIRECT), EINVAL));
    CHECK(FAILS(ioctl(file, FICLONE, other), EOPNOTSUPP));
    int on = 1, flags = fcntl(file, F_GETFL);
    CHECK(ioctl(file, FIOASYNC, &on) == -1 || fcntl(file, F_GETFL) == flags);
    chmod("/tmp/file", 0666);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setresuid(1000, 1000, 1000) == 0);
        int foreign = open("/tmp/file", O_RDWR);
        CHECK(foreign >= 0 && FAILS(fcntl(foreign, F_SETFL, O_NOATIME), EPERM));
        CHECK(FAILS(open("/tmp/file", O_RDWR | O_NOATIME), EPERM));
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(fcntl(file, F_SETFL, O_NOATIME | O_APPEND) == 0 && (fcntl(file, F_GETFL) & O_NOATIME));
    close(file), close(other);
}

static void checks(void) {
    if (getppid() == 1) CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
    sizes();
    sleeper();
    refusals();
}

int main(void) {
    return run_as_init("pipes", checks);
}
