// The network behind a device: an address from DHCP, an echo for who comes from outside, by TCP and by UDP, and a visit to the router.
#include "check.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { PORT = 7, VISITORS = 3 };

typedef struct sockaddr any_t;
typedef struct sockaddr_in in_t;

static unsigned own_address(void) {
    struct ifaddrs *first = NULL;
    unsigned address = 0;
    CHECK(getifaddrs(&first) == 0);
    for (struct ifaddrs *one = first; one; one = one->ifa_next)
        if (strcmp(one->ifa_name, "eth0") == 0 && one->ifa_addr && one->ifa_addr->sa_family == AF_INET)
            address = ntohl(((in_t *)one->ifa_addr)->sin_addr.s_addr);
    freeifaddrs(first);
    return address;
}

// Answers what comes with the same bytes, up to the end.
static void echo(int fd) {
    static char bytes[50000];
    long len;
    while ((len = recv(fd, bytes, sizeof bytes, 0)) > 0)
        for (long sent = 0; sent < len;) {
            long more = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);
            if (more <= 0) return;
            sent += more;
        }
    CHECK(len == 0);
}

static void checks(void) {
    unsigned address = 0;
    for (int i = 0; i < 100 && address == 0; i++, usleep(100000)) address = own_address();
    CHECK(address == 0x0a00020f);
    in_t any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind(tcp, (any_t *)&any, sizeof any) == 0 && listen(tcp, 8) == 0 && bind(udp, (any_t *)&any, sizeof any) == 0);
    printf("visitors are welcome\n");
    struct pollfd both[] = {{tcp, POLLIN, 0}, {udp, POLLIN, 0}};
    for (int visitors = 0; visitors < VISITORS && poll(both, 2, 20000) > 0;) {
        char bytes[2000];
        in_t from;
        socklen_t len = sizeof from;
        if (both[1].revents) {
            long got = recvfrom(udp, bytes, sizeof bytes, 0, (any_t *)&from, &len);
            CHECK(got > 0 && sendto(udp, bytes, got, 0, (any_t *)&from, len) == got);
        }
        if (both[0].revents) {
            int fd = accept(tcp, (any_t *)&from, &len);
            CHECK(fd >= 0 && ntohl(from.sin_addr.s_addr) == 0x0a000202);
            echo(fd);
            close(fd);
            visitors++;
        }
    }
    // QEMU answers echoes to the router itself, and a connection to it by a reset.
    in_t router = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0x0a000202)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    errno = 0;
    CHECK(connect(fd, (any_t *)&router, sizeof router) == -1 && errno == ECONNREFUSED);
    close(fd);
    // A neighbour that is not there.
    in_t nobody = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0a0002c8)};
    CHECK(sendto(udp, "x", 1, 0, (any_t *)&nobody, sizeof nobody) == 1);
    close(udp);
    close(tcp);
}

int main(void) { return run_as_init("visitors", checks); }
