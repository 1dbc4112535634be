// What programs ask of sockets of the Internet beside the usual: tables of /proc/net, TCP_INFO, TIME-WAIT, urgent bytes, errors of ICMP,
// groups, NETLINK_SOCK_DIAG: tcp(7), udp(7), ip(7), raw(7), sock_diag(7).
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))
#define HERE 0x7f000001

typedef struct sockaddr any_t;
typedef struct sockaddr_in in_t;

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

static inline int option(int fd, int level, int name) {
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -errno;
}

static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }

static short events(int fd, short wanted, int millis) {
    struct pollfd one = {fd, wanted, 0};
    return poll(&one, 1, millis) < 0 ? -1 : one.revents;
}

static int listener(int *port, int reuses) {
    int fd = stream();
    CHECK(set(fd, SOL_SOCKET, SO_REUSEADDR, reuses) == 0 && bind_to(fd, HERE, 0) == 0 && listen(fd, 16) == 0);
    *port = port_of(fd);
    return fd;
}

static inline void be_connected(int *client, int *server) {
    int port, fd = listener(&port, 0);
    *client = stream();
    CHECK(connect_to(*client, HERE, port) == 0);
    *server = accept(fd, NULL, NULL);
    CHECK(*server >= 0);
    close(fd);
}

// Linux's own loopback interface is off until somebody turns it on.
static void turn_on(void) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
    request.ifr_flags |= IFF_UP;
    ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
}

#include "internet_tables.h"
// After what it uses.
#include "internet_diag.h"
#include "internet_errors.h"
#include "internet_groups.h"
#include "internet_info.h"
#include "internet_past.h"
#include "internet_urgent.h"
#include "internet_waits.h"

static void checks(void) {
    turn_on();
    check_tables();
    check_totals();
    check_pairs();
    check_same_numbers();
    check_info();
    check_diag();
    check_errors();
    check_groups();
    check_urgent();
    check_waits();
    check_ports_of_the_past();
    check_meeting_again();
}

int main(void) { return run_as_init("internet_details", checks); }
