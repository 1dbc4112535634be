// Groups on the loopback interface: IP_ADD_MEMBERSHIP, IP_MULTICAST_*.
#pragma once
#define GROUP 0xef010203 // 239.1.2.3

static int change(int fd, int name, unsigned group, unsigned interface) {
    struct ip_mreq request = {{htonl(group)}, {htonl(interface)}};
    return setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
}

static int send_to(int fd, unsigned address, int port, const char *text) {
    in_t name = at(address, port);
    return sendto(fd, text, strlen(text), 0, (any_t *)&name, sizeof name);
}

// Whether just this comes, from here.
static int comes(int fd, const char *text) {
    char bytes[100] = "";
    in_t from = {0};
    socklen_t len = sizeof from;
    if (events(fd, POLLIN, 500) != POLLIN) return 0;
    int got = recvfrom(fd, bytes, sizeof bytes, 0, (any_t *)&from, &len);
    return got == (int)strlen(text) && memcmp(bytes, text, got) == 0 && from.sin_addr.s_addr == htonl(HERE);
}

static int nothing_comes(int fd) { return events(fd, POLLIN, 60) == 0; }

static int member_port(int fd, unsigned address, int port) {
    CHECK(set(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && bind_to(fd, address, port) == 0);
    return port_of(fd);
}

static void check_groups(void) {
    int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET, SOCK_DGRAM, 0), narrow = socket(AF_INET, SOCK_DGRAM, 0);
    int sender = socket(AF_INET, SOCK_DGRAM, 0), port = member_port(one, INADDR_ANY, 0);
    member_port(two, INADDR_ANY, port), member_port(narrow, GROUP, port);
    CHECK(FAILS(change(one, IP_ADD_MEMBERSHIP, HERE, HERE), EINVAL) && FAILS(change(one, IP_ADD_MEMBERSHIP, GROUP, 0xc0000201), ENODEV));
    CHECK(FAILS(change(one, IP_DROP_MEMBERSHIP, GROUP, HERE), EADDRNOTAVAIL));
    CHECK(option(sender, IPPROTO_IP, IP_MULTICAST_TTL) == 1 && option(sender, IPPROTO_IP, IP_MULTICAST_LOOP) == 1);
    CHECK(option(one, IPPROTO_IP, IP_MULTICAST_ALL) == 1 && option(sender, IPPROTO_IP, IP_MULTICAST_IF) == 0);
    struct in_addr here = {htonl(HERE)}, nowhere = {htonl(0xc0000201)};
    // Nobody knows the way.
    CHECK(FAILS(send_to(sender, GROUP, port, "lost"), ENETUNREACH));
    CHECK(FAILS(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &nowhere, sizeof nowhere), EADDRNOTAVAIL));
    CHECK(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &here, sizeof here) == 0 && option(sender, IPPROTO_IP, IP_MULTICAST_IF) == (int)htonl(HERE));
    // Nobody has joined.
    CHECK(send_to(sender, GROUP, port, "early") == 5 && nothing_comes(one) && nothing_comes(narrow));
    CHECK(change(one, IP_ADD_MEMBERSHIP, GROUP, HERE) == 0 && FAILS(change(one, IP_ADD_MEMBERSHIP, GROUP, HERE), EADDRINUSE));
    // Those of the port get it, whoever joined.
    CHECK(send_to(sender, GROUP, port, "all") == 3 && comes(one, "all") && comes(two, "all") && comes(narrow, "all"));
    CHECK(send_to(sender, GROUP + 1, port, "other") == 5 && nothing_comes(one) && nothing_comes(two));
    CHECK(set(two, IPPROTO_IP, IP_MULTICAST_ALL, 0) == 0 && send_to(sender, GROUP, port, "own") == 3);
    CHECK(comes(one, "own") && nothing_comes(two) && comes(narrow, "own"));
    CHECK(change(two, IP_ADD_MEMBERSHIP, GROUP, HERE) == 0 && send_to(sender, GROUP, port, "both") == 4);
    CHECK(comes(one, "both") && comes(two, "both") && comes(narrow, "both"));
    // Who is bound to the group hears nothing else, and sends as itself.
    CHECK(send_to(sender, HERE, port, "single") == 6 && nothing_comes(narrow) && (comes(one, "single") || comes(two, "single")));
    CHECK(setsockopt(narrow, IPPROTO_IP, IP_MULTICAST_IF, &here, sizeof here) == 0 && send_to(narrow, GROUP, port, "back") == 4 && comes(one, "back"));
    CHECK(comes(two, "back") && comes(narrow, "back"));
    // Hop limits of their own.
    int tells = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(set(sender, IPPROTO_IP, IP_MULTICAST_TTL, 9) == 0 && option(sender, IPPROTO_IP, IP_MULTICAST_TTL) == 9 && option(sender, IPPROTO_IP, IP_TTL) == 64);
    CHECK(FAILS(set(sender, IPPROTO_IP, IP_MULTICAST_TTL, 256), EINVAL) && FAILS(set(sender, IPPROTO_IP, IP_MULTICAST_ALL, 2), EINVAL));
    close(tells);
    // Connected to a group.
    CHECK(connect_to(sender, GROUP, port) == 0 && send(sender, "peer", 4, 0) == 4 && comes(one, "peer") && comes(two, "peer") && comes(narrow, "peer"));
    // They leave, one by its end.
    CHECK(change(one, IP_DROP_MEMBERSHIP, GROUP, HERE) == 0 && FAILS(change(one, IP_DROP_MEMBERSHIP, GROUP, HERE), EADDRNOTAVAIL));
    CHECK(send(sender, "two", 3, 0) == 3 && comes(one, "two") && comes(two, "two"));
    close(two);
    CHECK(comes(narrow, "two") && send(sender, "none", 4, 0) == 4 && nothing_comes(one) && nothing_comes(narrow));
    // Not too many.
    for (int i = 0; i < 20; i++) CHECK(change(one, IP_ADD_MEMBERSHIP, GROUP + i, HERE) == 0);
    CHECK(FAILS(change(one, IP_ADD_MEMBERSHIP, GROUP + 20, HERE), ENOBUFS));
    close(one), close(narrow), close(sender);
    // Of IPv6, what can be said.
    int six = socket(AF_INET6, SOCK_DGRAM, 0);
    struct ipv6_mreq request = {.ipv6mr_interface = 1};
    CHECK(FAILS(setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request), EINVAL));
    CHECK(inet_pton(AF_INET6, "ff02::1234", &request.ipv6mr_multiaddr) == 1);
    CHECK(setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0);
    CHECK(FAILS(setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request), EADDRINUSE));
    CHECK(setsockopt(six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, sizeof request) == 0);
    CHECK(FAILS(setsockopt(six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, sizeof request), EADDRNOTAVAIL));
    CHECK(option(six, IPPROTO_IPV6, IPV6_MULTICAST_HOPS) == 1 && option(six, IPPROTO_IPV6, IPV6_MULTICAST_LOOP) == 1);
    CHECK(set(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1) == 0 && option(six, IPPROTO_IPV6, IPV6_MULTICAST_IF) == 1);
    CHECK(FAILS(set(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, 77), ENODEV));
    close(six);
}
