// Urgent bytes: what telnet, rlogin, ftp and Python's asyncore ask: tcp(7), socket(7), recv(2), "MSG_OOB".
#pragma once

static volatile sig_atomic_t urgent_signals, urgent_band, urgent_code;

static void note_urgent(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    urgent_signals++;
    urgent_code = info->si_code;
}

static void note_band(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    if (info->si_code == POLL_PRI) {
        urgent_band = info->si_band;
    }
}

static int at_mark(int fd) {
    int answer = -1;
    return ioctl(fd, SIOCATMARK, &answer) == 0 ? answer : -errno;
}

static int unread(int fd) {
    int answer = -1;
    return ioctl(fd, FIONREAD, &answer) == 0 ? answer : -errno;
}

// Whether a read of `flags` gives just that; "" where nothing is to be read.
static int reads(int fd, int flags, const char *wanted) {
    char bytes[16] = "";
    ssize_t len = recv(fd, bytes, sizeof bytes - 1, flags | MSG_DONTWAIT);
    if (len < 0) {
        return *wanted == 0 && errno == EAGAIN;
    }
    return len > 0 && strcmp(bytes, wanted) == 0;
}

static int told_urgent(int fd) {
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    return recvmsg(fd, &message, MSG_OOB) == 1 ? message.msg_flags << 8 | byte : -errno;
}

static void check_urgent_pair(int family) {
    int client, server, ends[2];
    struct sigaction action = {.sa_sigaction = note_urgent, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGURG, &action, NULL) == 0);
    if (family == AF_UNIX) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        client = ends[0], server = ends[1];
    } else {
        be_connected(&client, &server);
    }
    CHECK(fcntl(server, F_SETOWN, getpid()) == 0);
    int before = urgent_signals;
    CHECK(send(client, "abc", 3, MSG_OOB) == 3);
    CHECK(events(server, POLLIN | POLLPRI, 1000) == (POLLIN | POLLPRI));
    usleep(20000);
    CHECK(urgent_signals == before + 1 && urgent_code == SI_KERNEL);
    CHECK(at_mark(server) == 0);
    CHECK(reads(server, 0, "ab") && at_mark(server) == 1);
    CHECK(reads(server, MSG_OOB | MSG_PEEK, "c") && told_urgent(server) == (MSG_OOB << 8 | 'c'));
    CHECK(FAILS(recv(server, ends, 1, MSG_OOB), EINVAL));
    CHECK((events(server, POLLIN | POLLPRI, 0) & POLLPRI) == 0);
    // Of AF_UNIX Linux 6.1 shows the byte that was received as an end to who reads on.
    if (family != AF_UNIX) {
        CHECK(send(client, "de", 2, 0) == 2 && events(server, POLLIN, 1000) == POLLIN);
        CHECK(reads(server, 0, "de") && at_mark(server) == 0);
    }
    // Nobody is told twice of one.
    CHECK(urgent_signals == before + 1);
    CHECK(fcntl(server, F_SETOWN, 0) == 0 && send(client, "f", 1, MSG_OOB) == 1 && events(server, POLLPRI, 1000) == POLLPRI);
    usleep(20000);
    CHECK(urgent_signals == before + 1);
    CHECK(reads(server, MSG_OOB, "f"));
    close(client), close(server);
}

static void check_urgent_reads(void) {
    int client, server;
    be_connected(&client, &server);
    // How many there are before it.
    CHECK(send(client, "ab", 2, 0) == 2 && send(client, "c", 1, MSG_OOB) == 1 && send(client, "de", 2, 0) == 2);
    CHECK(events(server, POLLPRI, 1000) == POLLPRI);
    usleep(20000);
    CHECK(unread(server) == 2 && reads(server, MSG_PEEK, "ab") && reads(server, 0, "ab") && unread(server) == 0 && at_mark(server) == 1);
    CHECK(events(server, POLLIN | POLLPRI, 0) == (POLLIN | POLLPRI));
    CHECK(reads(server, MSG_PEEK, "de") && at_mark(server) == 1 && reads(server, 0, "de") && at_mark(server) == 0);
    // It was passed, and is lost.
    CHECK(FAILS(recv(server, &server, 1, MSG_OOB), EINVAL) && events(server, POLLIN | POLLPRI, 0) == 0);
    // Alone it is nothing to read.
    CHECK(send(client, "f", 1, MSG_OOB) == 1 && events(server, POLLIN | POLLPRI, 1000) == POLLPRI);
    CHECK(at_mark(server) == 1 && reads(server, MSG_PEEK, "") && reads(server, MSG_OOB, "f") && reads(server, 0, ""));
    // A second one makes the first one pass, if nothing lies before it.
    CHECK(send(client, "g", 1, MSG_OOB) == 1 && events(server, POLLPRI, 1000) == POLLPRI && send(client, "h", 1, MSG_OOB) == 1);
    usleep(50000);
    CHECK(reads(server, MSG_OOB, "h") && reads(server, 0, ""));
    // Otherwise that is an ordinary byte.
    CHECK(send(client, "i", 1, 0) == 1 && send(client, "j", 1, MSG_OOB) == 1 && send(client, "k", 1, MSG_OOB) == 1);
    usleep(50000);
    CHECK(reads(server, 0, "ij") && at_mark(server) == 1 && reads(server, MSG_OOB, "k") && reads(server, 0, ""));
    // Among the others.
    CHECK(set(server, SOL_SOCKET, SO_OOBINLINE, 1) == 0 && send(client, "lm", 2, MSG_OOB) == 2 && send(client, "n", 1, 0) == 1);
    usleep(50000);
    CHECK(unread(server) == 3 && FAILS(recv(server, &server, 1, MSG_OOB), EINVAL));
    CHECK(reads(server, 0, "l") && at_mark(server) == 1 && reads(server, MSG_PEEK, "mn") && reads(server, 0, "mn") && at_mark(server) == 0);
    // What comes behind a message of many segments.
    static char bytes[200000], got[200000];
    CHECK(set(server, SOL_SOCKET, SO_OOBINLINE, 0) == 0);
    memset(bytes, 'x', sizeof bytes);
    int own = fork(), status = -1;
    if (own == 0) {
        _exit(send(client, bytes, sizeof bytes, 0) == sizeof bytes && send(client, "!", 1, MSG_OOB) == 1 && send(client, "yz", 2, 0) == 2 ? 0 : 1);
    }
    CHECK(recv(server, got, sizeof got, MSG_WAITALL) == sizeof got && memcmp(got, bytes, sizeof got) == 0);
    CHECK(waitpid(own, &status, 0) == own && status == 0 && events(server, POLLPRI, 1000) == POLLPRI);
    usleep(50000);
    CHECK(at_mark(server) == 1 && reads(server, MSG_OOB, "!") && reads(server, 0, "yz"));
    // The descriptor's own signal says it, too.
    struct sigaction action = {.sa_sigaction = note_band, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0 && fcntl(server, F_SETOWN, getpid()) == 0 && fcntl(server, F_SETSIG, SIGRTMIN) == 0);
    CHECK(fcntl(server, F_SETFL, O_RDWR | O_ASYNC) == 0 && send(client, "!", 1, MSG_OOB) == 1);
    usleep(50000);
    CHECK(urgent_band == (POLLPRI | POLLRDBAND));
    shutdown(client, SHUT_WR);
    CHECK(reads(server, MSG_OOB, "!") && recv(server, bytes, 1, 0) == 0 && FAILS(recv(server, bytes, 1, MSG_OOB), EINVAL));
    close(client), close(server);
}

static void check_urgent(void) {
    int port, fd = listener(&port, 0), fresh = stream();
    CHECK(FAILS(recv(fd, &port, 1, MSG_OOB), ENOTCONN) && FAILS(recv(fresh, &port, 1, MSG_OOB), EINVAL) && at_mark(fresh) == 0);
    close(fd), close(fresh);
    check_urgent_pair(AF_INET);
    check_urgent_pair(AF_UNIX);
    check_urgent_reads();
}
