// Neighbours on an Ethernet: one that answers and one that does not, as QEMU's user network has them (10.0.2.2 is the host's end;
// 10.0.2.99 nobody's). How soon the first packet goes out, what who sends to nobody is told, and what is shown.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

typedef struct sockaddr any_t;
typedef struct sockaddr_in in_t;

static const char HOST[] = "10.0.2.2", NOBODY[] = "10.0.2.99", NOBODY_EITHER[] = "10.0.2.98";

static in_t at(const char *address, int port) {
    return (in_t){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(address)};
}

static long millis(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int has_address(int fd) {
    struct ifreq request = {.ifr_name = "eth0"};
    return ioctl(fd, SIOCGIFADDR, &request) == 0 && ((in_t *)&request.ifr_addr)->sin_addr.s_addr == inet_addr("10.0.2.15");
}

// Holstein asks for its address by itself; Linux is told it.
static void configure(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 100 && !has_address(fd); i++) usleep(50000);
    if (!has_address(fd)) {
        struct ifreq request = {.ifr_name = "eth0"};
        *(in_t *)&request.ifr_addr = at("10.0.2.15", 0);
        CHECK(ioctl(fd, SIOCSIFADDR, &request) == 0);
        *(in_t *)&request.ifr_netmask = at("255.255.255.0", 0);
        CHECK(ioctl(fd, SIOCSIFNETMASK, &request) == 0);
        CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
        request.ifr_flags |= IFF_UP;
        CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
    }
    CHECK(has_address(fd));
    // By it this machine tells itself.
    struct ifreq loopback = {.ifr_name = "lo"};
    CHECK(ioctl(fd, SIOCGIFFLAGS, &loopback) == 0);
    if (!(loopback.ifr_flags & IFF_UP)) {
        loopback.ifr_flags |= IFF_UP;
        CHECK(ioctl(fd, SIOCSIFFLAGS, &loopback) == 0);
    }
    close(fd);
    usleep(200000);
}

static unsigned short sum(const unsigned short *words, int count) {
    unsigned long sum = 0;
    for (int i = 0; i < count; i++) sum += words[i];
    sum = (sum >> 16) + (sum & 0xffff);
    return ~(sum + (sum >> 16));
}

// Milliseconds until an echo came back from there; -1: none did in five seconds.
static long echo_from(int raw, const char *address, int number) {
    struct icmphdr echo = {.type = ICMP_ECHO, .un.echo = {.id = 77, .sequence = htons(number)}};
    echo.checksum = sum((void *)&echo, sizeof echo / 2);
    in_t name = at(address, 0);
    long start = millis();
    CHECK(sendto(raw, &echo, sizeof echo, 0, (any_t *)&name, sizeof name) == sizeof echo);
    for (char packet[200];;) {
        struct pollfd one = {raw, POLLIN, 0};
        if (poll(&one, 1, start + 5000 - millis()) <= 0) return -1;
        CHECK(recv(raw, packet, sizeof packet, 0) >= 28);
        struct icmphdr *answer = (void *)(packet + 20);
        if (answer->type == ICMP_ECHOREPLY && answer->un.echo.sequence == echo.un.echo.sequence) return millis() - start;
    }
}

// The state of that neighbour, as netlink shows it; 0: it is not known.
static int state_of(const char *address, int *has_hardware) {
    struct {
        struct nlmsghdr head;
        struct ndmsg body;
    } request = {{sizeof request, RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {.ndm_family = AF_INET}};
    static char answer[16384] __attribute__((aligned(8)));
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), state = 0;
    CHECK(send(fd, &request, sizeof request, 0) == sizeof request);
    for (int is_over = 0; !is_over;) {
        int len = recv(fd, answer, sizeof answer, 0);
        CHECK(len > 0);
        if (len <= 0) break;
        for (struct nlmsghdr *one = (void *)answer; NLMSG_OK(one, (unsigned)len); one = NLMSG_NEXT(one, len)) {
            if (one->nlmsg_type != RTM_NEWNEIGH) {
                is_over = 1;
                break;
            }
            struct ndmsg *neighbour = NLMSG_DATA(one);
            int left = one->nlmsg_len - NLMSG_LENGTH(sizeof *neighbour), is_it = 0, is_known = 0;
            for (struct rtattr *item = (void *)(neighbour + 1); RTA_OK(item, left); item = RTA_NEXT(item, left)) {
                if (item->rta_type == NDA_DST) is_it = *(unsigned *)RTA_DATA(item) == inet_addr(address);
                if (item->rta_type == NDA_LLADDR) is_known = RTA_PAYLOAD(item) == 6;
            }
            if (is_it) state = neighbour->ndm_state, *has_hardware = is_known;
        }
    }
    close(fd);
    return state;
}

static int arp_shows(const char *address, const char *flags) {
    char line[200], host[20], seen[20];
    FILE *file = fopen("/proc/net/arp", "r");
    int found = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%19s 0x1 %19s", host, seen) == 2) found += strcmp(host, address) == 0 && strcmp(seen, flags) == 0;
    if (file) fclose(file);
    return found;
}

// The first packet goes out when the neighbour has answered, at once.
static void first_packet(void) {
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), has_hardware = 0;
    long first = echo_from(raw, HOST, 1), second = echo_from(raw, HOST, 2);
    printf("neighbours: the first echo took %ld ms, the second %ld\n", first, second);
    CHECK(first >= 0 && first < 500 && second >= 0 && second < 500);
    int state = state_of(HOST, &has_hardware);
    CHECK((state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY)) && has_hardware && arp_shows(HOST, "0x2"));
    close(raw);
}

// Who connects to nobody hears so after three questions; others are not held up meanwhile.
static void nobody(void) {
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), has_hardware = 1;
    int waits = socket(AF_INET, SOCK_STREAM, 0), later = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    in_t name = at(NOBODY, 80), other = at(NOBODY_EITHER, 80);
    CHECK(FAILS(connect(later, (any_t *)&other, sizeof other), EINPROGRESS));
    CHECK(state_of(NOBODY_EITHER, &has_hardware) == NUD_INCOMPLETE && !has_hardware && arp_shows(NOBODY_EITHER, "0x0"));
    long echo = echo_from(raw, HOST, 3);
    CHECK(echo >= 0 && echo < 500);
    long start = millis();
    CHECK(FAILS(connect(waits, (any_t *)&name, sizeof name), EHOSTUNREACH));
    long took = millis() - start;
    printf("neighbours: nobody was waited for %ld ms\n", took);
    CHECK(took > 2000 && took < 6000);
    struct pollfd one = {later, POLLOUT, 0};
    CHECK(poll(&one, 1, 5000) == 1 && (one.revents & (POLLERR | POLLHUP)));
    int error = 0;
    socklen_t len = sizeof error;
    CHECK(getsockopt(later, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == EHOSTUNREACH);
    CHECK(state_of(NOBODY, &has_hardware) == NUD_FAILED && !has_hardware && arp_shows(NOBODY, "0x0"));
    close(waits), close(later), close(raw);
}

// A datagram to nobody: only who asked for errors hears of it.
static void datagrams(void) {
    int deaf = socket(AF_INET, SOCK_DGRAM, 0), hears = socket(AF_INET, SOCK_DGRAM, 0), raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), yes = 1;
    in_t name = at(NOBODY, 7);
    CHECK(connect(deaf, (any_t *)&name, sizeof name) == 0 && connect(hears, (any_t *)&name, sizeof name) == 0);
    CHECK(setsockopt(hears, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes) == 0);
    CHECK(send(deaf, "x", 1, 0) == 1 && send(hears, "x", 1, 0) == 1);
    struct pollfd one = {hears, POLLIN, 0};
    CHECK(poll(&one, 1, 6000) == 1 && (one.revents & POLLERR));
    char packet[200];
    CHECK(FAILS(recv(hears, packet, 1, 0), EHOSTUNREACH));
    CHECK(FAILS(recv(deaf, packet, 1, MSG_DONTWAIT), EAGAIN));
    // The message of ICMP that said so came from this machine.
    int told = 0;
    for (int len; (len = recv(raw, packet, sizeof packet, MSG_DONTWAIT)) >= 28;) {
        struct icmphdr *head = (void *)(packet + 20);
        told += head->type == ICMP_DEST_UNREACH && head->code == ICMP_HOST_UNREACH && *(unsigned *)(packet + 12) == inet_addr("10.0.2.15");
    }
    CHECK(told == 2);
    close(deaf), close(hears), close(raw);
}

static void checks(void) {
    configure();
    first_packet();
    nobody();
    datagrams();
}

int main(void) { return run_as_init("neighbours", checks); }
