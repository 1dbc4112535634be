// Sockets of one machine: socket(2) and kin for AF_UNIX, names, connections, messages, what goes along with them, options.
#include "check.h"
#include "sockets.h"
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

static void arguments(void) {
    int ends[2];
    CHECK(FAILS(socket(46, SOCK_STREAM, 0), EAFNOSUPPORT) && FAILS(socket(45, SOCK_STREAM, 0), EAFNOSUPPORT));
    CHECK(FAILS(socket(AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL) && FAILS(socket(AF_UNIX, 11, 0), EINVAL));
    CHECK(FAILS(socket(AF_UNIX, SOCK_STREAM, 6), EPROTONOSUPPORT) && FAILS(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT));
    CHECK(FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT));
    CHECK(FAILS(listen(0, 1), ENOTSOCK) && FAILS(listen(-1, 1), EBADF) && FAILS(shutdown(0, 0), ENOTSOCK));
    int fd = socket(AF_UNIX, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0 && option(fd, SO_TYPE) == SOCK_DGRAM && option(fd, SO_DOMAIN) == AF_UNIX && option(fd, SO_PROTOCOL) == 0);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_NONBLOCK));
    struct stat status;
    char link[64] = "", expected[64];
    CHECK(fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) && (status.st_mode & 0777) == 0777);
    snprintf(expected, sizeof expected, "/proc/self/fd/%d", fd);
    CHECK(readlink(expected, link, sizeof link - 1) > 0 && FAILS(open(expected, O_RDONLY), ENXIO));
    snprintf(expected, sizeof expected, "socket:[%lu]", (unsigned long)status.st_ino);
    CHECK(strcmp(link, expected) == 0);
    CHECK(FAILS(lseek(fd, 0, SEEK_CUR), ESPIPE) && FAILS(pread(fd, link, 1, 0), ESPIPE));
    CHECK(FAILS(listen(fd, 1), EOPNOTSUPP) && FAILS(accept(fd, NULL, NULL), EOPNOTSUPP) && FAILS(accept4(fd, NULL, NULL, 1), EINVAL));
    CHECK(FAILS(send(fd, "x", 1, 0), ENOTCONN) && FAILS(recv(fd, link, 1, 0), EAGAIN) && FAILS(ioctl(fd, 0x1234), ENOTTY));
    CHECK(FAILS(shutdown(fd, 3), EINVAL) && shutdown(fd, SHUT_RDWR) == 0);
    close(fd);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    struct sockaddr_un name;
    socklen_t len = sizeof name;
    CHECK(getsockname(ends[0], (void *)&name, &len) == 0 && len == 2 && name.sun_family == AF_UNIX);
    len = sizeof name;
    CHECK(getpeername(ends[0], (void *)&name, &len) == 0 && len == 2);
    len = -1;
    CHECK(FAILS(getsockname(ends[0], (void *)&name, &len), EINVAL));
    CHECK(FAILS(listen(ends[0], 1), EINVAL) && FAILS(accept(ends[0], NULL, NULL), EINVAL));
    CHECK(FAILS(connect(ends[0], (void *)&name, 2), EINVAL));
    close_both(ends);
}

static void options(void) {
    int ends[2], value = 0;
    socklen_t len = sizeof value;
    struct timeval time = {0, 20000}, wrong = {0, 1000000};
    struct ucred peer;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(option(ends[0], SO_SNDBUF) == 212992 && option(ends[0], SO_RCVBUF) == 212992 && option(ends[0], SO_RCVLOWAT) == 1);
    CHECK(set(ends[0], SO_SNDBUF, 1) == 0 && option(ends[0], SO_SNDBUF) == 4608);
    CHECK(set(ends[0], SO_RCVBUF, 1) == 0 && option(ends[0], SO_RCVBUF) == 2304);
    CHECK(set(ends[0], SO_SNDBUF, 10000) == 0 && option(ends[0], SO_SNDBUF) == 20000);
    CHECK(set(ends[0], SO_SNDBUF, 1 << 30) == 0 && option(ends[0], SO_SNDBUF) == 2 * setting("/proc/sys/net/core/wmem_max"));
    CHECK(FAILS(set(ends[0], SO_TYPE, 1), ENOPROTOOPT) && FAILS(set(ends[0], SO_ERROR, 1), ENOPROTOOPT));
    CHECK(FAILS(set(ends[0], SO_ACCEPTCONN, 1), ENOPROTOOPT) && FAILS(set(ends[0], 12345, 1), ENOPROTOOPT));
    CHECK(FAILS(getsockopt(ends[0], SOL_SOCKET, 12345, &value, &len), ENOPROTOOPT));
    CHECK(FAILS(getsockopt(ends[0], 6, 1, &value, &len), EOPNOTSUPP) && FAILS(setsockopt(ends[0], 6, 1, &value, 4), EOPNOTSUPP));
    CHECK(FAILS(setsockopt(ends[0], SOL_SOCKET, SO_KEEPALIVE, &value, 3), EINVAL));
    CHECK(FAILS(setsockopt(ends[0], SOL_SOCKET, SO_KEEPALIVE, &value, -1), EINVAL));
    CHECK(set(ends[0], SO_KEEPALIVE, 7) == 0 && option(ends[0], SO_KEEPALIVE) == 1 && option(ends[0], SO_ACCEPTCONN) == 0);
    CHECK(set(ends[0], SO_PASSCRED, 1) == 0 && option(ends[0], SO_PASSCRED) == 1 && option(ends[0], SO_PEEK_OFF) == -1);
    CHECK(FAILS(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof wrong), EDOM));
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
    time.tv_usec = 0;
    len = sizeof time;
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, &len) == 0 && len == sizeof time && time.tv_usec == 20000);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK(FAILS(recv(ends[0], &value, 1, 0), EAGAIN));
    clock_gettime(CLOCK_MONOTONIC, &after);
    long waited = (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
    CHECK(waited >= 19000 && waited < 2000000);
    len = sizeof peer;
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == 12);
    CHECK(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
    len = 1;
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &len) == 0 && len == 1);
    close_both(ends);
    int alone = socket(AF_UNIX, SOCK_STREAM, 0);
    len = sizeof peer;
    CHECK(getsockopt(alone, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == 0 && peer.uid == (uid_t)-1);
    CHECK(events(alone) == (POLLHUP | POLLOUT));
    CHECK(FAILS(recv(alone, &value, 1, 0), EINVAL) && FAILS(send(alone, "x", 1, 0), ENOTCONN));
    close(alone);
}

static void streams(void) {
    int ends[2];
    char bytes[64] = "";
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(events(ends[0]) == POLLOUT && FAILS(read(ends[0], bytes, 1), EAGAIN));
    CHECK(write(ends[0], "hello ", 6) == 6 && send(ends[0], "world", 5, 0) == 5 && unread(ends[1]) == 11);
    CHECK(events(ends[1]) == (POLLIN | POLLOUT));
    CHECK(recv(ends[1], bytes, 3, MSG_PEEK) == 3 && memcmp(bytes, "hel", 3) == 0);
    CHECK(recv(ends[1], bytes, 64, MSG_PEEK) == 11 && memcmp(bytes, "hello world", 11) == 0);
    CHECK(read(ends[1], bytes, 8) == 8 && memcmp(bytes, "hello wo", 8) == 0 && unread(ends[1]) == 3);
    CHECK(read(ends[1], bytes, 0) == 0 && read(ends[1], bytes, 64) == 3 && memcmp(bytes, "rld", 3) == 0);
    CHECK(write(ends[0], "", 0) == 0 && FAILS(read(ends[1], bytes, 1), EAGAIN));
    struct iovec parts[2] = {{"ab", 2}, {"cd", 2}}, into[2] = {{bytes, 1}, {bytes + 10, 9}};
    CHECK(writev(ends[0], parts, 2) == 4 && readv(ends[1], into, 2) == 4 && bytes[0] == 'a' && memcmp(bytes + 10, "bcd", 3) == 0);
    CHECK(FAILS(write(ends[0], nowhere, 1), EFAULT));
    CHECK(write(ends[0], "x", 1) == 1 && FAILS(read(ends[1], nowhere, 1), EFAULT) && unread(ends[1]) == 1 && read(ends[1], bytes, 9) == 1);
    struct sockaddr_un name = {AF_UNIX, "nowhere"};
    CHECK(FAILS(sendto(ends[0], "x", 1, 0, (void *)&name, sizeof name), EISCONN));
    CHECK(FAILS(connect(ends[0], (void *)&name, sizeof name), ENOENT));
    // Full, and how poll(2) sees it.
    static char many[1 << 20];
    long sent = send(ends[0], many, sizeof many, 0), got = 0, more;
    CHECK(sent > 100000 && sent < 300000 && FAILS(send(ends[0], many, 1, 0), EAGAIN) && events(ends[0]) == 0);
    while ((more = read(ends[1], many, sizeof many)) > 0) got += more;
    CHECK(got == sent && events(ends[0]) == POLLOUT);
    // Halves.
    CHECK(write(ends[0], "last", 4) == 4 && shutdown(ends[0], SHUT_WR) == 0);
    CHECK(events(ends[1]) == (POLLIN | POLLRDHUP | POLLOUT) && FAILS(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE));
    CHECK(read(ends[1], bytes, 9) == 4 && read(ends[1], bytes, 9) == 0 && write(ends[1], "back", 4) == 4);
    CHECK(read(ends[0], bytes, 9) == 4);
    CHECK(shutdown(ends[0], SHUT_RD) == 0 && events(ends[0]) == (POLLIN | POLLRDHUP | POLLOUT | POLLHUP));
    CHECK(FAILS(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE) && read(ends[0], bytes, 1) == 0);
    close_both(ends);
    // The end of the peer.
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && write(ends[0], "kept", 4) == 4 && close(ends[0]) == 0);
    CHECK(events(ends[1]) == (POLLIN | POLLRDHUP | POLLOUT | POLLHUP));
    CHECK(read(ends[1], bytes, 9) == 4 && read(ends[1], bytes, 9) == 0);
    signal(SIGPIPE, note_signal);
    CHECK(FAILS(write(ends[1], "x", 1), EPIPE) && signals == 1 && FAILS(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE) && signals == 1);
    close(ends[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && write(ends[0], "lost", 4) == 4 && close(ends[1]) == 0);
    CHECK(events(ends[0]) == (POLLIN | POLLRDHUP | POLLOUT | POLLHUP | POLLERR));
    CHECK(FAILS(read(ends[0], bytes, 9), ECONNRESET) && read(ends[0], bytes, 9) == 0);
    close(ends[0]);
}

static void waits(void) {
    int ends[2];
    char bytes[8] = "";
    static char many[1 << 20];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    pid_t child = start_child();
    if (child == 0) {
        close(ends[0]);
        for (int i = 0; i < 4; i++) {
            usleep(3000);
            CHECK(write(ends[1], "pqrs" + i, 1) == 1);
        }
        // More than there is room for: all of it, waiting.
        CHECK(write(ends[1], many, sizeof many) == sizeof many);
        end_child();
    }
    close(ends[1]);
    CHECK(recv(ends[0], bytes, 1, 0) == 1 && recv(ends[0], bytes + 1, 3, MSG_WAITALL) == 3 && memcmp(bytes, "pqrs", 4) == 0);
    long got = 0, more;
    while ((more = read(ends[0], many, 50000)) > 0) got += more;
    CHECK(got == sizeof many && child_passed(child));
    close(ends[0]);
}

static void urgent(void) {
    int ends[2];
    char bytes[16] = "";
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(FAILS(recv(ends[1], bytes, 1, MSG_OOB), EINVAL) && send(ends[0], "abc", 3, MSG_OOB) == 3 && send(ends[0], "de", 2, 0) == 2);
    CHECK((events(ends[1]) & POLLPRI) && at_mark(ends[1]) == 0 && recv(ends[1], bytes, 9, 0) == 2 && memcmp(bytes, "ab", 2) == 0);
    CHECK(at_mark(ends[1]) == 1 && recv(ends[1], bytes, 9, MSG_OOB) == 1 && bytes[0] == 'c' && !(events(ends[1]) & POLLPRI));
    CHECK(recv(ends[1], bytes, 9, 0) == 2 && memcmp(bytes, "de", 2) == 0 && FAILS(recv(ends[1], bytes, 9, 0), EAGAIN));
    CHECK(set(ends[1], SO_OOBINLINE, 1) == 0 && send(ends[0], "xy", 2, MSG_OOB) == 2 && FAILS(recv(ends[1], bytes, 1, MSG_OOB), EINVAL));
    CHECK(recv(ends[1], bytes, 9, 0) == 1 && bytes[0] == 'x' && recv(ends[1], bytes, 9, 0) == 1 && bytes[0] == 'y');
    close_both(ends);
}

static void datagrams(void) {
    struct sockaddr_un server = {AF_UNIX, "sk-server"}, client = {AF_UNIX, "sk-client"}, from;
    socklen_t len = sizeof from;
    static char many[300000];
    char bytes[64] = "";
    int one = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), two = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    int third = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(FAILS(sendto(two, "x", 1, 0, (void *)&server, sizeof server), ENOENT));
    CHECK(bind(one, (void *)&server, sizeof server) == 0 && FAILS(bind(one, (void *)&client, sizeof client), EINVAL));
    CHECK(FAILS(bind(two, (void *)&server, sizeof server), EADDRINUSE) && bind(two, (void *)&client, sizeof client) == 0);
    CHECK(sendto(two, "first", 5, 0, (void *)&server, sizeof server) == 5 && sendto(two, "", 0, 0, (void *)&server, sizeof server) == 0);
    CHECK(unread(one) == 5 && recvfrom(one, bytes, 3, MSG_TRUNC | MSG_PEEK, (void *)&from, &len) == 5);
    CHECK(len == 2 + 10 && strcmp(from.sun_path, "sk-client") == 0);
    CHECK(recv(one, bytes, 3, 0) == 3 && memcmp(bytes, "fir", 3) == 0 && recv(one, bytes, 3, 0) == 0 && FAILS(recv(one, bytes, 3, 0), EAGAIN));
    len = sizeof from;
    CHECK(sendto(third, "who", 3, 0, (void *)&server, sizeof server) == 3 && recvfrom(one, bytes, 9, 0, (void *)&from, &len) == 3 && len == 0);
    CHECK(connect(two, (void *)&server, sizeof server) == 0 && send(two, "a", 1, 0) == 1 && recv(one, bytes, 9, 0) == 1);
    CHECK(connect(one, (void *)&client, sizeof client) == 0 && FAILS(sendto(third, "x", 1, 0, (void *)&server, sizeof server), EPERM));
    CHECK(FAILS(connect(third, (void *)&server, sizeof server), EPERM));
    // Both talk to each other: bounded by the sender's room alone. Then by how many wait.
    for (int i = 0; i < 30; i++) CHECK(send(two, "x", 1, 0) == 1);
    for (int i = 0; i < 30; i++) CHECK(recv(one, bytes, 9, 0) == 1);
    struct sockaddr none = {AF_UNSPEC, ""};
    CHECK(connect(one, &none, sizeof none) == 0 && FAILS(send(one, "x", 1, 0), ENOTCONN));
    int sent = 0;
    while (send(two, "x", 1, 0) == 1) sent++;
    CHECK(sent == 11 && errno == EAGAIN && events(two) == 0 && recv(one, bytes, 1, 0) == 1 && events(two) == POLLOUT);
    CHECK(FAILS(send(two, many, sizeof many, 0), EMSGSIZE) && FAILS(send(two, bytes, 1, MSG_OOB), EOPNOTSUPP));
    CHECK(close(one) == 0 && FAILS(send(two, "x", 1, 0), ECONNREFUSED) && FAILS(send(two, "x", 1, 0), ENOTCONN));
    CHECK(FAILS(sendto(two, "x", 1, 0, (void *)&server, sizeof server), ECONNREFUSED));
    close(two);
    close(third);
    CHECK(unlink("sk-server") == 0 && unlink("sk-client") == 0);
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(write(ends[0], "one", 3) == 3 && write(ends[0], "two", 3) == 3 && read(ends[1], bytes, 2) == 2 && read(ends[1], bytes, 9) == 3);
    CHECK(memcmp(bytes, "two", 3) == 0 && close(ends[0]) == 0 && read(ends[1], bytes, 9) == 0);
    signals = 0;
    CHECK(FAILS(write(ends[1], "x", 1), EPIPE) && signals == 0);
    close(ends[1]);
}

static void connections(void) {
    struct sockaddr_un path = {AF_UNIX, "sk-stream"}, hidden = {AF_UNIX, "\0sk-hidden"}, name;
    socklen_t len = sizeof name, hidden_len = 2 + 10;
    char bytes[8];
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(FAILS(connect(client, (void *)&path, sizeof path), ENOENT) && FAILS(connect(client, (void *)&hidden, hidden_len), ECONNREFUSED));
    CHECK(FAILS(listen(server, 1), EINVAL) && bind(server, (void *)&path, sizeof path) == 0);
    struct stat status;
    CHECK(stat("sk-stream", &status) == 0 && S_ISSOCK(status.st_mode) && FAILS(open("sk-stream", O_RDWR), ENXIO));
    CHECK(FAILS(connect(client, (void *)&path, sizeof path), ECONNREFUSED) && listen(server, 1) == 0 && option(server, SO_ACCEPTCONN) == 1);
    CHECK(getsockname(server, (void *)&name, &len) == 0 && len == 12 && strcmp(name.sun_path, "sk-stream") == 0);
    int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(FAILS(connect(datagram, (void *)&path, sizeof path), EPROTOTYPE));
    close(datagram);
    CHECK(events(server) == 0 && connect(client, (void *)&path, sizeof path) == 0 && events(server) == POLLIN);
    CHECK(FAILS(connect(client, (void *)&path, sizeof path), EISCONN) && write(client, "early", 5) == 5);
    int second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), third = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(connect(second, (void *)&path, sizeof path) == 0 && FAILS(connect(third, (void *)&path, sizeof path), EAGAIN));
    len = sizeof name;
    int accepted = accept4(server, (void *)&name, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(accepted >= 0 && len == 2 && fcntl(accepted, F_GETFD) == FD_CLOEXEC && (fcntl(accepted, F_GETFL) & O_NONBLOCK));
    CHECK(read(accepted, bytes, 8) == 5 && FAILS(read(accepted, bytes, 8), EAGAIN) && write(accepted, "late", 4) == 4 && read(client, bytes, 8) == 4);
    len = sizeof name;
    CHECK(getpeername(client, (void *)&name, &len) == 0 && len == 12 && getsockname(accepted, (void *)&name, &len) == 0 && len == 12);
    CHECK(FAILS(connect(server, (void *)&path, sizeof path), EINVAL));
    // Who waits when it ends is reset.
    CHECK(close(server) == 0 && FAILS(read(second, bytes, 8), ECONNRESET) && FAILS(connect(third, (void *)&path, sizeof path), ECONNREFUSED));
    CHECK(unlink("sk-stream") == 0);
    close(client), close(second), close(third), close(accepted);
    // Names beside the tree, and such as the kernel gives.
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(server, (void *)&hidden, hidden_len) == 0 && FAILS(bind(client, (void *)&hidden, hidden_len), EADDRINUSE) && listen(server, 0) == 0);
    CHECK(FAILS(accept(server, NULL, NULL), EAGAIN) && FAILS(connect(client, (void *)&hidden, hidden_len - 1), ECONNREFUSED));
    CHECK(connect(client, (void *)&hidden, hidden_len) == 0 && (accepted = accept(server, NULL, NULL)) >= 0);
    close(client), close(accepted), close(server);
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    len = sizeof name;
    CHECK(bind(client, (void *)&hidden, 2) == 0 && getsockname(client, (void *)&name, &len) == 0 && len == 8 && name.sun_path[0] == 0);
    CHECK(FAILS(bind(client, (void *)&hidden, hidden_len), EINVAL) && FAILS(connect(client, (void *)&hidden, hidden_len), ECONNREFUSED));
    CHECK(FAILS(bind(client, (void *)&hidden, 1), EINVAL) && FAILS(bind(client, (void *)&hidden, 129), EINVAL));
    close(client);
}

static void checks(void) {
    alarm(60);
    if (chdir("/tmp") != 0) CHECK(mkdir("/tmp", 0777) == 0 && chdir("/tmp") == 0);
    arguments();
    options();
    streams();
    waits();
    urgent();
    datagrams();
    connections();
    rights();
    credentials();
    cycles();
    cycles_side_by_side();
    batches();
}

int main(void) { return run_as_init("sockets", checks); }
