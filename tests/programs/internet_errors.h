// Errors that ICMP tells: IP_RECVERR, MSG_ERRQUEUE.
#pragma once
#include <linux/errqueue.h>
#include <netinet/udp.h>

static struct {
    struct sock_extended_err told;
    struct sockaddr_in6 name, offender;
    char bytes[100];
    int level, flags;
} fault;

// Takes an error off the queue: how many bytes came with it.
static int next_error(int fd, size_t room) {
    static union {
        struct cmsghdr head;
        char bytes[256];
    } control;
    memset(&fault, 0, sizeof fault), memset(&control, 0, sizeof control);
    struct iovec part = {fault.bytes, room};
    struct msghdr message = {.msg_name = &fault.name, .msg_namelen = sizeof fault.name, .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};
    int len = recvmsg(fd, &message, MSG_ERRQUEUE);
    fault.flags = message.msg_flags;
    for (struct cmsghdr *head = len < 0 ? NULL : CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        int is_six = head->cmsg_level == IPPROTO_IPV6;
        if (head->cmsg_type != (is_six ? IPV6_RECVERR : IP_RECVERR)) continue;
        fault.level = head->cmsg_level;
        CHECK(head->cmsg_len == CMSG_LEN(sizeof fault.told + (is_six ? 28 : 16)));
        memcpy(&fault.told, CMSG_DATA(head), sizeof fault.told);
        memcpy(&fault.offender, CMSG_DATA(head) + sizeof fault.told, is_six ? 28 : 16);
    }
    return len;
}

static int is_refusal(const char *bytes, int port) {
    in_t *name = (in_t *)&fault.name, *offender = (in_t *)&fault.offender;
    return memcmp(fault.bytes, bytes, strlen(bytes)) == 0 && fault.told.ee_errno == ECONNREFUSED && fault.told.ee_origin == SO_EE_ORIGIN_ICMP
        && fault.told.ee_type == 3 && fault.told.ee_code == 3 && fault.told.ee_info == 0 && name->sin_family == AF_INET
        && ntohs(name->sin_port) == port && name->sin_addr.s_addr == htonl(HERE) && offender->sin_family == AF_INET && offender->sin_port == 0
        && offender->sin_addr.s_addr == htonl(HERE) && (fault.flags & MSG_ERRQUEUE) && fault.level == IPPROTO_IP;
}

// A port that nobody has.
static int free_udp_port(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind_to(fd, HERE, 0) == 0);
    int port = port_of(fd);
    close(fd);
    return port;
}

static void check_errors_of_datagrams(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0), port = free_udp_port();
    in_t nobody = at(HERE, port);
    char byte;
    // Who is not connected and has not asked for it is not told.
    CHECK(sendto(fd, "first", 5, 0, (any_t *)&nobody, sizeof nobody) == 5 && events(fd, POLLIN, 50) == 0 && next_error(fd, 100) == -1 && errno == EAGAIN);
    CHECK(set(fd, IPPROTO_IP, IP_RECVERR, 1) == 0 && option(fd, IPPROTO_IP, IP_RECVERR) == 1);
    CHECK(sendto(fd, "second", 6, 0, (any_t *)&nobody, sizeof nobody) == 6 && (events(fd, POLLIN, 1000) & POLLERR));
    // The next call fails, and the error waits nevertheless.
    CHECK(FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), ECONNREFUSED) && FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN));
    CHECK((events(fd, POLLIN, 0) & POLLERR) && next_error(fd, 100) == 6 && is_refusal("second", port));
    CHECK(events(fd, POLLIN, 0) == 0 && FAILS(next_error(fd, 100), EAGAIN));
    // Who takes the error off the queue first is told once.
    CHECK(sendto(fd, "third", 5, 0, (any_t *)&nobody, sizeof nobody) == 5 && (events(fd, POLLIN, 1000) & POLLERR));
    CHECK(next_error(fd, 3) == 3 && is_refusal("thi", port) && (fault.flags & MSG_TRUNC) && option(fd, SOL_SOCKET, SO_ERROR) == 0);
    // Two of them.
    CHECK(sendto(fd, "4th", 3, 0, (any_t *)&nobody, sizeof nobody) == 3);
    usleep(50000);
    CHECK(option(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED && sendto(fd, "5th", 3, 0, (any_t *)&nobody, sizeof nobody) == 3);
    usleep(50000);
    CHECK(next_error(fd, 100) == 3 && is_refusal("4th", port) && option(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
    CHECK(next_error(fd, 100) == 3 && is_refusal("5th", port) && option(fd, SOL_SOCKET, SO_ERROR) == 0);
    // What waits is forgotten with the wish.
    CHECK(sendto(fd, "6th", 3, 0, (any_t *)&nobody, sizeof nobody) == 3);
    usleep(50000);
    CHECK(option(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED && set(fd, IPPROTO_IP, IP_RECVERR, 0) == 0 && FAILS(next_error(fd, 100), EAGAIN));
    close(fd);
}

static void check_errors_of_ipv6(void) {
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), port = free_udp_port();
    struct sockaddr_in6 nobody = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    CHECK(set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) == 0 && sendto(fd, "six", 3, 0, (any_t *)&nobody, sizeof nobody) == 3);
    CHECK((events(fd, POLLIN, 1000) & POLLERR) && next_error(fd, 100) == 3 && memcmp(fault.bytes, "six", 3) == 0);
    CHECK(fault.told.ee_errno == ECONNREFUSED && fault.told.ee_origin == SO_EE_ORIGIN_ICMP6 && fault.told.ee_type == 1 && fault.told.ee_code == 4);
    CHECK(fault.level == IPPROTO_IPV6 && fault.name.sin6_family == AF_INET6 && fault.name.sin6_port == htons(port));
    CHECK(memcmp(&fault.name.sin6_addr, &in6addr_loopback, 16) == 0 && memcmp(&fault.offender.sin6_addr, &in6addr_loopback, 16) == 0);
    close(fd);
}

// A raw socket is told of what it may have sent.
static void check_errors_of_packets(void) {
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), port = free_udp_port();
    in_t nobody = at(HERE, 0);
    struct {
        struct udphdr head;
        char bytes[4];
    } packet = {{{{htons(40001), htons(port), htons(12), 0}}}, "raw"};
    CHECK(set(fd, IPPROTO_IP, IP_RECVERR, 1) == 0 && sendto(fd, &packet, 12, 0, (any_t *)&nobody, sizeof nobody) == 12);
    CHECK((events(fd, 0, 1000) & POLLERR) && next_error(fd, 100) == 12 && memcmp(fault.bytes, &packet, 12) == 0);
    CHECK(fault.told.ee_errno == ECONNREFUSED && fault.told.ee_origin == SO_EE_ORIGIN_ICMP && fault.name.sin6_port == 0);
    close(fd);
}

static void check_errors(void) {
    check_errors_of_datagrams();
    check_errors_of_ipv6();
    check_errors_of_packets();
}
