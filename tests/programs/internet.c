// Sockets of the Internet's families on the loopback interface: tcp(7), udp(7), icmp(7), raw(7), ip(7), netdevice(7), rtnetlink(7).
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))
#define HERE 0x7f000001

typedef struct sockaddr any_t;
typedef struct sockaddr_in in_t;

#ifndef ICMP_FILTER
#define ICMP_FILTER 1
#endif

static in_t at(unsigned address, int port) {
    return (in_t){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

static int port_of(int fd) {
    in_t name = {0};
    socklen_t len = sizeof name;
    return getsockname(fd, (any_t *)&name, &len) == 0 ? ntohs(name.sin_port) : -1;
}

static int bind_to(int fd, unsigned address, int port) {
    in_t name = at(address, port);
    return bind(fd, (any_t *)&name, sizeof name);
}

static int connect_to(int fd, unsigned address, int port) {
    in_t name = at(address, port);
    return connect(fd, (any_t *)&name, sizeof name);
}

static int stream(void) { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

static int listener(int *port) {
    int fd = stream();
    CHECK(bind_to(fd, HERE, 0) == 0 && listen(fd, 16) == 0);
    *port = port_of(fd);
    return fd;
}

static short events(int fd, short wanted, int millis) {
    struct pollfd one = {fd, wanted, 0};
    return poll(&one, 1, millis) < 0 ? -1 : one.revents;
}

static int error_of(int fd) {
    int error = -1;
    socklen_t len = sizeof error;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
    return error;
}

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -errno;
}

static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }

// Linux's own loopback interface is off until somebody turns it on.
static void turn_on(void) {
    struct ifreq request = {0};
    strcpy(request.ifr_name, "lo");
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(ioctl(local, SIOCGIFMTU, &request) == 0 && request.ifr_mtu == 65536);
    CHECK(FAILS(ioctl(local, 0x1234, &request), ENOTTY));
    close(local);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0);
    if (!(request.ifr_flags & IFF_UP)) {
        request.ifr_flags |= IFF_UP;
        CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
    }
    close(fd);
}

static void kinds(void) {
    CHECK(FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT));
    CHECK(FAILS(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT));
    CHECK(FAILS(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT));
    CHECK(FAILS(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT));
    int fd = stream();
    CHECK(option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM && option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET);
    CHECK(option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 0);
    CHECK(events(fd, POLLIN | POLLOUT, 0) == (POLLOUT | POLLHUP));
    char byte;
    CHECK(FAILS(recv(fd, &byte, 1, 0), ENOTCONN) && FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE));
    CHECK(FAILS(accept(fd, NULL, NULL), EINVAL) && FAILS(shutdown(fd, SHUT_RDWR), ENOTCONN));
    in_t name;
    socklen_t len = sizeof name;
    CHECK(FAILS(getpeername(fd, (any_t *)&name, &len), ENOTCONN));
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 0 && set(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0);
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1 && option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 7200);
    CHECK(set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 20) == 0 && option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 20);
    CHECK(FAILS(set(fd, IPPROTO_TCP, TCP_KEEPCNT, 0), EINVAL) && FAILS(set(fd, IPPROTO_TCP, 12345, 0), ENOPROTOOPT));
    CHECK(option(fd, IPPROTO_IP, IP_TTL) == 64 && set(fd, IPPROTO_IP, IP_TTL, 7) == 0 && option(fd, IPPROTO_IP, IP_TTL) == 7);
    CHECK(FAILS(set(fd, IPPROTO_IP, IP_TTL, 256), EINVAL));
    // ssh and sshd set it; two bits are TCP's own.
    CHECK(set(fd, IPPROTO_IP, IP_TOS, 0x13) == 0 && option(fd, IPPROTO_IP, IP_TOS) == 0x10);
    close(fd);
}

static void names(void) {
    int fd = stream(), port;
    CHECK(bind_to(fd, HERE, 0) == 0);
    port = port_of(fd);
    CHECK(port >= 1024 && FAILS(bind_to(fd, HERE, 0), EINVAL));
    int other = stream();
    CHECK(FAILS(bind_to(other, HERE, port), EADDRINUSE) && FAILS(bind_to(other, INADDR_ANY, port), EADDRINUSE));
    CHECK(FAILS(bind_to(other, 0xc0000201, 0), EADDRNOTAVAIL));
    in_t name = at(HERE, 0);
    CHECK(FAILS(bind(other, (any_t *)&name, 8), EINVAL));
    name.sin_family = AF_INET6;
    CHECK(FAILS(bind(other, (any_t *)&name, sizeof name), EAFNOSUPPORT));
    CHECK(bind_to(other, 0x7f010203, port) == 0);
    close(other);
    // Both agree, and neither listens.
    other = stream();
    CHECK(set(other, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && FAILS(bind_to(other, HERE, port), EADDRINUSE));
    CHECK(set(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && bind_to(other, HERE, port) == 0);
    CHECK(listen(fd, 1) == 0 && FAILS(listen(other, 1), EADDRINUSE));
    close(fd);
    close(other);
    // A user's program has the ports of the system not.
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setuid(1000) == 0);
        CHECK(FAILS(bind_to(stream(), HERE, 80), EACCES));
        CHECK(FAILS(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM));
        end_child();
    }
    CHECK(child_passed(child));
    fd = stream();
    CHECK(bind_to(fd, HERE, 80) == 0);
    close(fd);
}

static void conversation(void) {
    int port, fd = listener(&port), client = stream();
    CHECK(events(fd, POLLIN, 0) == 0 && option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1);
    CHECK(connect_to(client, HERE, port) == 0 && events(fd, POLLIN, 1000) == POLLIN);
    in_t peer;
    socklen_t len = sizeof peer;
    int server = accept4(fd, (any_t *)&peer, &len, SOCK_CLOEXEC);
    CHECK(server >= 0 && len == sizeof peer && ntohs(peer.sin_port) == port_of(client) && peer.sin_addr.s_addr == htonl(HERE));
    CHECK(port_of(server) == port && FAILS(connect_to(client, HERE, port), EISCONN));
    char bytes[100];
    for (int i = 0; i < 50; i++) {
        CHECK(send(client, "question", 8, 0) == 8 && recv(server, bytes, sizeof bytes, 0) == 8 && memcmp(bytes, "question", 8) == 0);
        CHECK(send(server, "answer", 6, 0) == 6 && recv(client, bytes, sizeof bytes, 0) == 6 && memcmp(bytes, "answer", 6) == 0);
    }
    CHECK(FAILS(recv(client, bytes, 1, MSG_DONTWAIT), EAGAIN));
    CHECK(write(client, "abcdef", 6) == 6 && recv(server, bytes, 3, MSG_PEEK) == 3 && memcmp(bytes, "abc", 3) == 0);
    int unread = 0;
    CHECK(ioctl(server, FIONREAD, &unread) == 0 && unread == 6);
    CHECK(recv(server, bytes, 4, MSG_WAITALL) == 4 && recv(server, bytes + 4, 100 - 4, 0) == 2 && memcmp(bytes, "abcdef", 6) == 0);
    // One way ends, the other goes on.
    CHECK(shutdown(client, SHUT_WR) == 0 && FAILS(send(client, "x", 1, MSG_NOSIGNAL), EPIPE));
    CHECK(events(server, POLLIN | POLLRDHUP, 1000) == (POLLIN | POLLRDHUP) && recv(server, bytes, 1, 0) == 0);
    CHECK(send(server, "still", 5, 0) == 5 && recv(client, bytes, 100, 0) == 5);
    close(server);
    CHECK(recv(client, bytes, 1, 0) == 0 && events(client, POLLIN, 0) == (POLLIN | POLLHUP));
    close(client);
    // Bytes that came and were not read: a reset.
    client = stream();
    CHECK(connect_to(client, HERE, port) == 0);
    server = accept(fd, NULL, NULL);
    CHECK(send(client, "unread", 6, 0) == 6 && events(server, POLLIN, 1000) == POLLIN);
    close(server);
    CHECK((events(client, POLLIN, 1000) & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
    CHECK(FAILS(recv(client, bytes, 1, 0), ECONNRESET) && recv(client, bytes, 1, 0) == 0);
    CHECK(FAILS(send(client, "x", 1, MSG_NOSIGNAL), EPIPE));
    close(client);
    close(fd);
}

static void opening(void) {
    int port, fd = listener(&port);
    close(fd);
    int client = stream();
    CHECK(FAILS(connect_to(client, HERE, port), ECONNREFUSED) && error_of(client) == 0);
    close(client);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    // Whoever does not wait is told so, however soon the answer comes: Python's asyncio and test_epoll, libuv.
    CHECK(FAILS(connect_to(client, HERE, port), EINPROGRESS));
    CHECK((events(client, POLLOUT, 1000) & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP) && error_of(client) == ECONNREFUSED);
    close(client);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(FAILS(connect_to(client, HERE, port), EINPROGRESS) && events(client, POLLOUT, 1000) != 0);
    CHECK(FAILS(connect_to(client, HERE, port), ECONNREFUSED));
    close(client);
    fd = listener(&port);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(FAILS(connect_to(client, HERE, port), EINPROGRESS));
    CHECK(events(client, POLLOUT, 1000) == POLLOUT && error_of(client) == 0);
    CHECK(connect_to(client, HERE, port) == 0 && FAILS(connect_to(client, HERE, port), EISCONN));
    int server = accept(fd, NULL, NULL);
    CHECK(server >= 0 && set(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && FAILS(accept(fd, NULL, NULL), EAGAIN));
    struct timeval soon = {0, 50000};
    CHECK(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
    char byte;
    CHECK(FAILS(recv(server, &byte, 1, 0), EAGAIN));
    close(client);
    close(server);
    close(fd);
}

#include "internet_streams.h"

// A child sends many bytes, in pieces of every size; the parent counts them and looks at each.
static void many_bytes(void) {
    enum { TOTAL = 3000000 };
    static unsigned char bytes[70000];
    int port, fd = listener(&port);
    pid_t child = start_child();
    if (child == 0) {
        int client = stream();
        CHECK(connect_to(client, HERE, port) == 0);
        for (long sent = 0, size = 1; sent < TOTAL; size = size * 3 % 69997 + 1) {
            if (size > TOTAL - sent) size = TOTAL - sent;
            for (long i = 0; i < size; i++) bytes[i] = (unsigned char)((sent + i) % 251);
            CHECK(send(client, bytes, size, 0) == size);
            sent += size;
        }
        end_child();
    }
    int server = accept(fd, NULL, NULL);
    long received = 0, wrong = 0;
    for (long got; (got = recv(server, bytes, sizeof bytes, 0)) > 0; received += got)
        for (long i = 0; i < got; i++) wrong += bytes[i] != (unsigned char)((received + i) % 251);
    CHECK(received == TOTAL && wrong == 0 && child_passed(child));
    close(server);
    close(fd);
}

// Who waits in accept, recv and connect is woken by another process.
static void waiting(void) {
    int port, fd = listener(&port);
    pid_t child = start_child();
    if (child == 0) {
        int server = accept(fd, NULL, NULL);
        char byte = 0;
        CHECK(server >= 0 && recv(server, &byte, 1, 0) == 1 && byte == '1' && send(server, "2", 1, 0) == 1);
        CHECK(recv(server, &byte, 1, 0) == 0);
        end_child();
    }
    usleep(20000);
    int client = stream();
    char byte = 0;
    CHECK(connect_to(client, HERE, port) == 0);
    usleep(20000);
    CHECK(send(client, "1", 1, 0) == 1 && recv(client, &byte, 1, 0) == 1 && byte == '2');
    usleep(20000);
    close(client);
    CHECK(child_passed(child));
    close(fd);
}

// The number of that kind among the control messages that came; -1: none.
static int told(struct msghdr *message, int level, int type) {
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level == level && head->cmsg_type == type) {
            return head->cmsg_len == CMSG_LEN(1) ? *CMSG_DATA(head) : *(int *)CMSG_DATA(head);
        }
    }
    return -1;
}

// Sends a byte with a control message of `len` bytes.
static int send_with(int fd, int level, int type, const void *data, size_t len) {
    char control[64] = {0};
    struct iovec part = {"m", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(len)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(head), data, len);
    return sendmsg(fd, &message, 0);
}

static struct msghdr received(int fd) {
    static char control[256], byte;
    static struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK(recvmsg(fd, &message, 0) == 1);
    return message;
}

// Hop limit and type of service of a message: of the socket, or of this message alone.
static void check_marks(int one, int two) {
    struct msghdr message;
    int number = 3, wrong = 256;
    CHECK(set(one, IPPROTO_IP, IP_RECVTTL, 1) == 0 && set(one, IPPROTO_IP, IP_RECVTOS, 1) == 0 && option(one, IPPROTO_IP, IP_RECVTOS) == 1);
    CHECK(send(two, "m", 1, 0) == 1);
    message = received(one);
    CHECK(told(&message, IPPROTO_IP, IP_TTL) == 64 && told(&message, IPPROTO_IP, IP_TOS) == 0);
    CHECK(set(two, IPPROTO_IP, IP_TOS, 0x11) == 0 && option(two, IPPROTO_IP, IP_TOS) == 0x11);
    CHECK(send_with(two, IPPROTO_IP, IP_TTL, &number, 4) == 1);
    message = received(one);
    CHECK(told(&message, IPPROTO_IP, IP_TTL) == 3 && told(&message, IPPROTO_IP, IP_TOS) == 0x11);
    CHECK(send_with(two, IPPROTO_IP, IP_TOS, &number, 1) == 1);
    message = received(one);
    CHECK(told(&message, IPPROTO_IP, IP_TTL) == 64 && told(&message, IPPROTO_IP, IP_TOS) == 3);
    CHECK(FAILS(send_with(two, IPPROTO_IP, IP_TTL, &wrong, 4), EINVAL) && FAILS(send_with(two, IPPROTO_IP, 99, &number, 4), EINVAL));
    CHECK(FAILS(send_with(two, IPPROTO_IP, IP_TTL, &number, 3), EINVAL));
    // Of IPv6, numbers of four bytes.
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof name;
    one = socket(AF_INET6, SOCK_DGRAM, 0), two = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK(bind(one, (any_t *)&name, sizeof name) == 0 && getsockname(one, (any_t *)&name, &len) == 0);
    CHECK(connect(two, (any_t *)&name, sizeof name) == 0);
    CHECK(set(one, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) == 0 && set(one, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) == 0);
    CHECK(set(two, IPPROTO_IPV6, IPV6_TCLASS, 40) == 0 && option(two, IPPROTO_IPV6, IPV6_TCLASS) == 40);
    CHECK(FAILS(set(two, IPPROTO_IPV6, IPV6_TCLASS, 256), EINVAL));
    CHECK(send_with(two, IPPROTO_IPV6, IPV6_HOPLIMIT, &number, 4) == 1);
    message = received(one);
    CHECK(told(&message, IPPROTO_IPV6, IPV6_HOPLIMIT) == 3 && told(&message, IPPROTO_IPV6, IPV6_TCLASS) == 40);
    CHECK(send_with(two, IPPROTO_IPV6, IPV6_TCLASS, &number, 4) == 1);
    message = received(one);
    CHECK(told(&message, IPPROTO_IPV6, IPV6_HOPLIMIT) == 64 && told(&message, IPPROTO_IPV6, IPV6_TCLASS) == 3);
    CHECK(FAILS(send_with(two, IPPROTO_IPV6, IPV6_TCLASS, &wrong, 4), EINVAL) && FAILS(send_with(two, IPPROTO_IPV6, IPV6_TCLASS, &number, 5), EINVAL));
    close(one), close(two);
}

// When a message came: between the moments before it was sent and after it was received.
static void check_stamps(int one, int two) {
    struct timespec before, after, said = {0};
    for (int nanos = 0; nanos < 2; nanos++) {
        int name = nanos ? SO_TIMESTAMPNS : SO_TIMESTAMP, other = nanos ? SO_TIMESTAMP : SO_TIMESTAMPNS;
        CHECK(set(one, SOL_SOCKET, name, 1) == 0 && option(one, SOL_SOCKET, name) == 1 && option(one, SOL_SOCKET, other) == 0);
        clock_gettime(CLOCK_REALTIME, &before);
        CHECK(send(two, "m", 1, 0) == 1);
        usleep(20000);
        struct msghdr message = received(one);
        clock_gettime(CLOCK_REALTIME, &after);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        CHECK(head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == name && head->cmsg_len == CMSG_LEN(16));
        if (head) memcpy(&said, CMSG_DATA(head), sizeof said);
        if (!nanos) said.tv_nsec *= 1000, before.tv_nsec -= before.tv_nsec % 1000;
        long since = (said.tv_sec - before.tv_sec) * 1000000000 + said.tv_nsec - before.tv_nsec;
        long until = (after.tv_sec - said.tv_sec) * 1000000000 + after.tv_nsec - said.tv_nsec;
        CHECK(since >= 0 && until >= 15000000);
        CHECK(set(one, SOL_SOCKET, name, 0) == 0 && option(one, SOL_SOCKET, name) == 0);
    }
}

static void datagrams(void) {
    int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind_to(one, HERE, 0) == 0);
    int port = port_of(one);
    in_t name = at(HERE, port), from;
    socklen_t len = sizeof from;
    CHECK(FAILS(send(two, "x", 1, 0), EDESTADDRREQ));
    CHECK(sendto(two, "message", 7, 0, (any_t *)&name, sizeof name) == 7);
    CHECK(sendto(two, "", 0, 0, (any_t *)&name, sizeof name) == 0);
    static char bytes[70000];
    CHECK(events(one, POLLIN, 1000) == POLLIN);
    CHECK(recvfrom(one, bytes, 3, MSG_TRUNC | MSG_PEEK, (any_t *)&from, &len) == 7 && memcmp(bytes, "mes", 3) == 0);
    CHECK(len == sizeof from && ntohs(from.sin_port) == port_of(two) && from.sin_addr.s_addr == htonl(HERE));
    struct iovec part = {bytes, 3};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK(recvmsg(one, &message, 0) == 3 && message.msg_flags == MSG_TRUNC);
    CHECK(recv(one, bytes, 100, 0) == 0 && FAILS(recv(one, bytes, 100, MSG_DONTWAIT), EAGAIN));
    CHECK(sendto(two, bytes, 65507, 0, (any_t *)&name, sizeof name) == 65507 && recv(one, bytes, sizeof bytes, 0) == 65507);
    CHECK(FAILS(sendto(two, bytes, 65508, 0, (any_t *)&name, sizeof name), EMSGSIZE));
    // Connected: only the peer is heard.
    CHECK(connect_to(one, HERE, port_of(two)) == 0 && connect_to(two, HERE, port) == 0);
    int third = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(sendto(third, "x", 1, 0, (any_t *)&name, sizeof name) == 1);
    CHECK(send(two, "peer", 4, 0) == 4 && recv(one, bytes, 100, 0) == 4 && FAILS(recv(one, bytes, 100, MSG_DONTWAIT), EAGAIN));
    close(third);
    // Which address a message came to.
    CHECK(set(one, IPPROTO_IP, IP_PKTINFO, 1) == 0 && send(two, "where", 5, 0) == 5);
    char control[100];
    part.iov_len = 100;
    message = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK(recvmsg(one, &message, 0) == 5);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    CHECK(head && head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO);
    if (head) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(head), sizeof info);
        CHECK(info.ipi_ifindex == 1 && info.ipi_addr.s_addr == htonl(HERE));
    }
    check_marks(one, two);
    check_stamps(one, two);
    // Nobody there: who is connected hears of it once.
    close(one);
    CHECK(send(two, "x", 1, 0) == 1 && events(two, POLLIN, 1000) == POLLERR && FAILS(recv(two, bytes, 1, 0), ECONNREFUSED));
    CHECK(error_of(two) == 0);
    name = at(0xffffffff, 9);
    CHECK(FAILS(sendto(two, "x", 1, 0, (any_t *)&name, sizeof name), EACCES) || errno == ENETUNREACH);
    close(two);
}

static unsigned short checksum(const unsigned char *bytes, int len) {
    unsigned sum = 0;
    for (int i = 0; i < len; i += 2) sum += bytes[i] << 8 | (i + 1 < len ? bytes[i + 1] : 0);
    sum = (sum & 0xffff) + (sum >> 16);
    return htons((unsigned short)~(sum + (sum >> 16)));
}

static void echoes(void) {
    struct {
        struct icmphdr head;
        char data[20];
    } echo = {{.type = ICMP_ECHO, .un.echo = {htons(77), htons(1)}}, "who is there?"};
    unsigned char bytes[200];
    in_t name = at(HERE, 0);
    echo.head.checksum = checksum((void *)&echo, sizeof echo);
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    CHECK(fd >= 0 && sendto(fd, &echo, sizeof echo, 0, (any_t *)&name, sizeof name) == sizeof echo);
    // The request is seen, too.
    CHECK(recv(fd, bytes, sizeof bytes, 0) == 20 + sizeof echo && bytes[20] == ICMP_ECHO);
    CHECK(recv(fd, bytes, sizeof bytes, 0) == 20 + sizeof echo && bytes[20] == ICMP_ECHOREPLY && bytes[9] == IPPROTO_ICMP);
    CHECK(memcmp(bytes + 28, echo.data, sizeof echo.data) == 0 && checksum(bytes + 20, sizeof echo) == 0);
    // ping(8) does not want the request.
    CHECK(option(fd, SOL_RAW, ICMP_FILTER) == 0 && set(fd, SOL_RAW, ICMP_FILTER, 1 << ICMP_ECHO) == 0);
    CHECK(option(fd, SOL_RAW, ICMP_FILTER) == 1 << ICMP_ECHO);
    CHECK(sendto(fd, &echo, sizeof echo, 0, (any_t *)&name, sizeof name) == sizeof echo);
    CHECK(recv(fd, bytes, sizeof bytes, 0) == 20 + sizeof echo && bytes[20] == ICMP_ECHOREPLY);
    CHECK(FAILS(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), EAGAIN));
    close(fd);
    fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    unsigned filter[8] = {[4] = 1};
    socklen_t len = sizeof filter;
    CHECK(setsockopt(fd, IPPROTO_ICMPV6, 1, filter, sizeof filter) == 0 && set(fd, SOL_RAW, IPV6_CHECKSUM, 2) == 0);
    memset(filter, 0, sizeof filter);
    CHECK(getsockopt(fd, IPPROTO_ICMPV6, 1, filter, &len) == 0 && len == sizeof filter && filter[4] == 1);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct icmphdr request = {.type = 128};
    CHECK(sendto(fd, &request, sizeof request, 0, (any_t *)&six, sizeof six) == sizeof request);
    CHECK(recv(fd, bytes, sizeof bytes, 0) == sizeof request && bytes[0] == 129);
    close(fd);
    // Bound to no device: sshd asks.
    fd = stream();
    len = sizeof bytes;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bytes, &len) == 0 && len == 0);
    close(fd);
    // Without rights: only the groups that /proc names.
    CHECK(FAILS(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES));
    int setting = open("/proc/sys/net/ipv4/ping_group_range", O_RDWR);
    CHECK(write(setting, "0 2000", 6) == 6);
    fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    CHECK(fd >= 0 && sendto(fd, &echo, sizeof echo, 0, (any_t *)&name, sizeof name) == sizeof echo);
    CHECK(recv(fd, bytes, sizeof bytes, 0) == sizeof echo && bytes[0] == ICMP_ECHOREPLY);
    int ident = bytes[4] << 8 | bytes[5];
    CHECK(ident == port_of(fd) && checksum(bytes, sizeof echo) == 0);
    echo.head.type = ICMP_TIMESTAMP;
    CHECK(FAILS(sendto(fd, &echo, sizeof echo, 0, (any_t *)&name, sizeof name), EINVAL));
    close(fd);
    CHECK(write(setting, "1 0", 3) == 3);
    close(setting);
}

static void ipv6(void) {
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, peer;
    socklen_t len = sizeof name;
    int fd = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
    CHECK(bind(fd, (any_t *)&name, sizeof name) == 0 && listen(fd, 4) == 0 && getsockname(fd, (any_t *)&name, &len) == 0);
    CHECK(connect(client, (any_t *)&name, sizeof name) == 0);
    len = sizeof peer;
    int server = accept(fd, (any_t *)&peer, &len);
    char byte;
    CHECK(server >= 0 && len == sizeof peer && IN6_IS_ADDR_LOOPBACK(&peer.sin6_addr));
    CHECK(send(client, "6", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1 && byte == '6');
    close(fd);
    close(client);
    close(server);
    // A socket of IPv6 takes those of IPv4, too.
    name = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    len = sizeof name;
    CHECK(bind(fd, (any_t *)&name, sizeof name) == 0 && listen(fd, 4) == 0 && getsockname(fd, (any_t *)&name, &len) == 0);
    client = stream();
    CHECK(connect_to(client, HERE, ntohs(name.sin6_port)) == 0);
    len = sizeof peer;
    server = accept(fd, (any_t *)&peer, &len);
    CHECK(server >= 0 && IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr) && peer.sin6_addr.s6_addr[12] == 127);
    int other = stream();
    CHECK(FAILS(bind_to(other, INADDR_ANY, ntohs(name.sin6_port)), EADDRINUSE));
    close(other);
    close(fd);
    close(client);
    close(server);
}

static void interfaces(void) {
    CHECK(if_nametoindex("lo") == 1 && FAILS((int)if_nametoindex("none") - 1, ENODEV));
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(request.ifr_name, "lo");
    CHECK(ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu == 65536);
    CHECK(ioctl(fd, SIOCGIFADDR, &request) == 0 && ((in_t *)&request.ifr_addr)->sin_addr.s_addr == htonl(HERE));
    CHECK(ioctl(fd, SIOCGIFNETMASK, &request) == 0 && ((in_t *)&request.ifr_addr)->sin_addr.s_addr == htonl(0xff000000));
    CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
    CHECK((request.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING)) == (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
    struct ifreq list[4];
    struct ifconf all = {.ifc_len = sizeof list, .ifc_req = list};
    CHECK(ioctl(fd, SIOCGIFCONF, &all) == 0 && all.ifc_len >= (int)sizeof *list && strcmp(list[0].ifr_name, "lo") == 0);
    close(fd);
    struct ifaddrs *first = NULL;
    int found = 0;
    CHECK(getifaddrs(&first) == 0);
    for (struct ifaddrs *one = first; one; one = one->ifa_next)
        if (strcmp(one->ifa_name, "lo") == 0 && one->ifa_addr && one->ifa_addr->sa_family == AF_INET)
            found += ((in_t *)one->ifa_addr)->sin_addr.s_addr == htonl(HERE) && (one->ifa_flags & IFF_LOOPBACK);
    CHECK(found == 1);
    freeifaddrs(first);
    FILE *file = fopen("/proc/net/dev", "r");
    char line[200];
    int lines = 0;
    while (file && fgets(line, sizeof line, file)) lines += strstr(line, " lo:") != NULL;
    CHECK(lines == 1);
    if (file) fclose(file);
    int port, listening = listener(&port);
    char wanted[40];
    snprintf(wanted, sizeof wanted, "0100007F:%04X 00000000:0000 0A", port);
    file = fopen("/proc/net/tcp", "r");
    lines = 0;
    while (file && fgets(line, sizeof line, file)) lines += strstr(line, wanted) != NULL;
    CHECK(lines == 1);
    if (file) fclose(file);
    close(listening);
}

static void checks(void) {
    signal(SIGPIPE, SIG_IGN);
    turn_on();
    kinds();
    names();
    conversation();
    opening();
    nothing_wanted();
    pieces();
    many_bytes();
    waiting();
    datagrams();
    echoes();
    ipv6();
    interfaces();
}

int main(void) { return run_as_init("internet", checks); }
