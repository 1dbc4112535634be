// How much a pipe holds and how that is changed: fcntl(2), F_SETPIPE_SZ; packets: pipe2(2), O_DIRECT; what files do not do.
#include "check.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static int unread(int fd) {
    int count = -1;
    return ioctl(fd, FIONREAD, &count) == 0 ? count : -1;
}

// pipe2(2), O_DIRECT: what is written together is read together, and what a read has no room for is lost.
static void packets(void) {
    int ends[2];
    static char bytes[3 * 4096];
    CHECK(pipe2(ends, O_DIRECT | O_NONBLOCK) == 0);
    CHECK((fcntl(ends[1], F_GETFL) & O_DIRECT) && !(fcntl(ends[0], F_GETFL) & O_DIRECT));
    CHECK(write(ends[1], "one", 3) == 3 && write(ends[1], "second", 6) == 6 && write(ends[1], "", 0) == 0);
    CHECK(unread(ends[0]) == 9);
    CHECK(read(ends[0], bytes, sizeof bytes) == 3 && memcmp(bytes, "one", 3) == 0);
    CHECK(read(ends[0], bytes, 2) == 2 && memcmp(bytes, "se", 2) == 0);
    CHECK(FAILS(read(ends[0], bytes, 1), EAGAIN) && unread(ends[0]) == 0);
    // Longer ones are several.
    CHECK(write(ends[1], bytes, 4096 + 7) == 4103 && write(ends[1], bytes, 4096) == 4096);
    CHECK(read(ends[0], bytes, sizeof bytes) == 4096 && read(ends[0], bytes, sizeof bytes) == 7);
    CHECK(read(ends[0], bytes, sizeof bytes) == 4096 && FAILS(read(ends[0], bytes, 1), EAGAIN));
    // Each has a page to itself.
    int count = 0;
    while (write(ends[1], "x", 1) == 1) count++;
    CHECK(count == 16 && errno == EAGAIN && unread(ends[0]) == 16 && !is_writable(ends[1]));
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 131072) == 131072 && write(ends[1], "yz", 2) == 2);
    CHECK(FAILS(fcntl(ends[0], F_SETPIPE_SZ, 65536), EBUSY));
    for (int i = 0; i < 16; i++) CHECK(read(ends[0], bytes, 10) == 1 && bytes[0] == 'x');
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 4096) == 4096);
    CHECK(read(ends[0], bytes, 10) == 2 && memcmp(bytes, "yz", 2) == 0);
    // Both kinds beside each other.
    CHECK(fcntl(ends[0], F_SETPIPE_SZ, 65536) == 65536 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    CHECK(write(ends[1], "ab", 2) == 2 && write(ends[1], "cd", 2) == 2);
    CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK | O_DIRECT) == 0 && write(ends[1], "packet", 6) == 6);
    CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 && write(ends[1], "rest", 4) == 4 && unread(ends[0]) == 14);
    CHECK(read(ends[0], bytes, 3) == 3 && memcmp(bytes, "abc", 3) == 0);
    // What fits behind other bytes is no packet.
    CHECK(read(ends[0], bytes, 100) == 11 && memcmp(bytes, "dpacketrest", 11) == 0 && unread(ends[0]) == 0);
    CHECK(write(ends[1], bytes, 4000) == 4000 && fcntl(ends[1], F_SETFL, O_NONBLOCK | O_DIRECT) == 0);
    CHECK(write(ends[1], bytes, 200) == 200 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    CHECK(write(ends[1], "rest", 4) == 4 && read(ends[0], bytes, 100) == 100);
    CHECK(read(ends[0], bytes, 5000) == 4100 && read(ends[0], bytes, 5000) == 4 && unread(ends[0]) == 0);
    // A named one becomes such a pipe only afterwards.
    CHECK(mkfifo("/tmp/fifo", 0600) == 0);
    CHECK(FAILS(open("/tmp/fifo", O_RDWR | O_DIRECT), EINVAL));
    int fifo = open("/tmp/fifo", O_RDWR | O_NONBLOCK);
    CHECK(fcntl(fifo, F_SETFL, O_NONBLOCK | O_DIRECT) == 0 && (fcntl(fifo, F_GETFL) & O_DIRECT));
    CHECK(write(fifo, "1", 1) == 1 && write(fifo, "2", 1) == 1 && read(fifo, bytes, 10) == 1);
    close(fifo), close(ends[0]), close(ends[1]);
}

// A reader that sleeps gets one packet at once; a packet that lies in memory not yet there is not torn.
static void packets_of_others(void) {
    int ends[2];
    CHECK(pipe2(ends, O_DIRECT) == 0);
    char *fresh = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(fresh != MAP_FAILED);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 200; i++)
            if (write(ends[1], fresh + (2 << 20) + i * 4096 + 4000, 200) != 200) _exit(1);
        _exit(0);
    }
    close(ends[1]);
    for (int i = 0; i < 200; i++) CHECK(read(ends[0], fresh + i * 4096 + 3996, 1000) == 200);
    CHECK(read(ends[0], fresh, 1) == 0 && child_passed(child));
    close(ends[0]), munmap(fresh, 4 << 20);
}

static void refusals(void) {
    int file = open("/tmp/file", O_RDWR | O_CREAT, 0600), other = open("/tmp/other", O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && other >= 0);
    int made_up = open("/proc/version", O_RDONLY);
    CHECK(FAILS(open("/proc/version", O_RDONLY | O_DIRECT), EINVAL) && FAILS(fcntl(made_up, F_SETFL, O_DIRECT), EINVAL) && close(made_up) == 0);
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
    packets();
    packets_of_others();
    refusals();
}

int main(void) {
    return run_as_init("pipes", checks);
}
