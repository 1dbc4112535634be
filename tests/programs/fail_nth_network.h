// Sockets of the Internet's families on the loopback interface, netlink, and pseudo-terminals. What finds no memory on its way is lost,
// as on any wire: no call tells of it, and whoever waits for it does so for a while.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

enum { PATIENCE_MILLIS = 3000, SOON_MILLIS = 50 };

// So say the calls of sockets; what did not come in time was lost; and a connection that finds no place among those that wait to be
// accepted is reset.
static int told(int error) { return error == ENOBUFS || error == ETIME || error == ECONNRESET ? ENOMEM : error; }

static int wait_for(int fd, int millis) {
    struct pollfd one = {fd, POLLIN, 0};
    int ready = poll(&one, 1, millis);
    return ready < 0 ? errno : ready == 0 ? ETIME : 0;
}

static void close_all(const int *fds, int count) {
    arm(0);
    for (int i = 0; i < count; i++)
        if (fds[i] >= 0) close(fds[i]);
}

static int try_tcp(void) {
    static char bytes[9000];
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int fds[3] = {socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), -1, -1}, error = error_of(fds[0]);
    if (!error) error = error_of(fds[1] = socket(AF_INET, SOCK_STREAM, 0));
    if (!error) error = error_of(bind(fds[0], (void *)&name, sizeof name));
    if (!error) error = error_of(listen(fds[0], 2));
    if (!error) error = error_of(getsockname(fds[0], (void *)&name, &len));
    if (!error) error = error_of(connect(fds[1], (void *)&name, sizeof name));
    if (!error) error = wait_for(fds[0], PATIENCE_MILLIS);
    if (!error) error = error_of(fds[2] = accept(fds[0], NULL, NULL));
    if (!error) error = error_of(send(fds[1], bytes, sizeof bytes, 0));
    if (!error) error = wait_for(fds[2], PATIENCE_MILLIS);
    if (!error) error = error_of(recv(fds[2], bytes, sizeof bytes, MSG_PEEK));
    if (!error) error = error_of(recv(fds[2], bytes, sizeof bytes, MSG_WAITALL));
    close_all(fds, 3);
    return told(error);
}

static int try_tcp_refused(void) {
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0), error = error_of(fd);
    if (!error) error = error_of(connect(fd, (void *)&name, sizeof name));
    close_all(&fd, 1);
    return error == ECONNREFUSED ? 0 : told(error);
}

static int try_udp(void) {
    char bytes[2000] = "";
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof name;
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), error = error_of(fd);
    if (!error) error = error_of(bind(fd, (void *)&name, sizeof name));
    if (!error) error = error_of(getsockname(fd, (void *)&name, &len));
    if (!error) error = error_of(connect(fd, (void *)&name, sizeof name));
    if (!error) error = error_of(send(fd, bytes, sizeof bytes, 0));
    if (!error) error = wait_for(fd, SOON_MILLIS);
    if (!error) error = error_of(recv(fd, bytes, sizeof bytes, MSG_PEEK));
    if (!error) error = error_of(recv(fd, bytes, sizeof bytes, 0));
    close_all(&fd, 1);
    return told(error);
}

static int try_echo(void) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct icmphdr echo = {.type = ICMP_ECHO, .checksum = 0xfff7};
    char packet[200];
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), error = error_of(fd);
    if (!error) error = error_of(sendto(fd, &echo, sizeof echo, 0, (void *)&name, sizeof name));
    if (!error) error = wait_for(fd, SOON_MILLIS);
    if (!error) error = error_of(recv(fd, packet, sizeof packet, MSG_DONTWAIT));
    close_all(&fd, 1);
    return told(error);
}

static int try_netlink(void) {
    static const int KINDS[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), error = error_of(fd);
    for (int i = 0; i < 4 && !error; i++) {
        struct {
            struct nlmsghdr head;
            struct rtmsg body;
        } request = {{sizeof request, KINDS[i], NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {0}};
        char answer[4096];
        error = error_of(send(fd, &request, sizeof request, 0));
        if (!error) error = wait_for(fd, SOON_MILLIS);
        if (!error) error = error_of(recv(fd, answer, sizeof answer, 0));
    }
    close_all(&fd, 1);
    return told(error);
}

// A question about sockets, of which the answer is made as it is read.
static int try_diag(void) {
    struct {
        struct nlmsghdr head;
        uint8_t family, protocol, extensions, pad;
        uint32_t states, id[12];
    } request = {{sizeof request, 20, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, AF_INET, IPPROTO_UDP, 1, 0, ~0u, {0}};
    char answer[4096];
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fds[2] = {socket(AF_NETLINK, SOCK_RAW, 4), socket(AF_INET, SOCK_DGRAM, 0)}, error = error_of(fds[0]);
    if (!error) error = error_of(fds[1]);
    if (!error) error = error_of(bind(fds[1], (void *)&name, sizeof name));
    if (!error) error = error_of(send(fds[0], &request, sizeof request, 0));
    if (!error) error = error_of(recv(fds[0], answer, sizeof answer, MSG_DONTWAIT));
    close_all(fds, 2);
    return told(error);
}

// A group joined, a message to it, and an error about one to nobody.
static int try_multicast(void) {
    struct ip_mreq group = {{htonl(0xef010203)}, {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xef010203)};
    socklen_t len = sizeof name;
    char bytes[100] = "";
    int yes = 1, fd = socket(AF_INET, SOCK_DGRAM, 0), error = error_of(fd);
    if (!error) error = error_of(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes));
    if (!error) error = error_of(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group.imr_interface, 4));
    if (!error) error = error_of(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    if (!error) error = error_of(bind(fd, (void *)&name, sizeof name));
    if (!error) error = error_of(getsockname(fd, (void *)&name, &len));
    if (!error) error = error_of(sendto(fd, bytes, 10, 0, (void *)&name, sizeof name));
    if (!error) error = wait_for(fd, SOON_MILLIS);
    if (!error) error = error_of(recv(fd, bytes, sizeof bytes, 0));
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!error) error = error_of(sendto(fd, bytes, 10, 0, (void *)&name, sizeof name));
    if (!error) error = wait_for(fd, SOON_MILLIS);
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    // What found no memory is not in the queue: it was lost.
    if (!error) error = error_of(recvmsg(fd, &message, MSG_ERRQUEUE));
    if (error == EAGAIN) error = ENOMEM;
    close_all(&fd, 1);
    return told(error);
}

static int try_pty(void) {
    char bytes[100];
    int no = 0, fds[2] = {open("/dev/ptmx", O_RDWR | O_NOCTTY), -1}, error = error_of(fds[0]);
    if (!error) error = error_of(ioctl(fds[0], TIOCSPTLCK, &no));
    if (!error) error = error_of(fds[1] = ioctl(fds[0], TIOCGPTPEER, O_RDWR | O_NOCTTY));
    if (!error) error = error_of(write(fds[0], "line\n", 5));
    if (!error) error = wait_for(fds[1], SOON_MILLIS);
    if (!error) error = error_of(read(fds[1], bytes, sizeof bytes));
    if (!error) error = error_of(write(fds[1], bytes, 5));
    if (!error) error = wait_for(fds[0], SOON_MILLIS);
    if (!error) error = error_of(read(fds[0], bytes, sizeof bytes));
    close_all(fds, 2);
    return told(error);
}

static int try_net_files(void) {
    static const char *const NAMES[] = {"tcp", "tcp6", "udp", "udp6", "unix", "dev", "route", "arp", "if_inet6"};
    int error = 0;
    for (int i = 0; i < 9 && !error; i++) {
        char name[40], text[600];
        snprintf(name, sizeof name, "/proc/net/%s", NAMES[i]);
        int fd = open(name, O_RDONLY);
        error = error_of(fd);
        if (!error) error = error_of(read(fd, text, sizeof text));
        if (fd >= 0) close(fd);
    }
    arm(0);
    return error;
}

static void make_terminals(void) {
    CHECK(mknod("/dev/ptmx", S_IFCHR | 0666, makedev(5, 2)) == 0 || errno == EEXIST);
    CHECK(mkdir("/dev/pts", 0755) == 0 || errno == EEXIST);
    CHECK(mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666") == 0);
}
