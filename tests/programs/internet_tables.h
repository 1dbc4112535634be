// /proc/net/{tcp,udp,raw,icmp}: one line for each socket.
#pragma once

// The line of the socket whose local port is that, in the state; what it says of user and inode.
static int line_of(const char *table, int port, int state, unsigned *user, unsigned long *inode) {
    char path[40], line[512];
    snprintf(path, sizeof path, "/proc/net/%s", table);
    FILE *file = fopen(path, "r");
    int count = 0;
    while (file && fgets(line, sizeof line, file)) {
        unsigned local, a_state, a_user;
        unsigned long an_inode;
        int matched = sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %u %*d %lu", &local, &a_state, &a_user, &an_inode);
        if (matched == 4 && (int)local == port && (int)a_state == state) count++, *user = a_user, *inode = an_inode;
    }
    if (file) fclose(file);
    return count;
}

static unsigned long inode_of(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static void check_tables(void) {
    enum { ESTABLISHED = 1, CLOSED = 7, LISTEN = 10 };
    unsigned user = 99;
    unsigned long inode = 0;
    int port, fd = listener(&port, 0);
    CHECK(line_of("tcp", port, LISTEN, &user, &inode) == 1 && user == 0 && inode == inode_of(fd));
    CHECK(seteuid(1000) == 0);
    int client = stream(), datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(connect_to(client, HERE, port) == 0 && seteuid(0) == 0);
    CHECK(line_of("tcp", port_of(client), ESTABLISHED, &user, &inode) == 1 && user == 1000 && inode == inode_of(client));
    int server = accept(fd, NULL, NULL);
    CHECK(line_of("tcp", port, ESTABLISHED, &user, &inode) == 1 && user == 0 && inode == inode_of(server));
    CHECK(bind_to(datagrams, HERE, 0) == 0 && line_of("udp", port_of(datagrams), CLOSED, &user, &inode) == 1);
    CHECK(user == 1000 && inode == inode_of(datagrams));
    close(fd), close(client), close(server), close(datagrams);
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    CHECK(line_of("raw", IPPROTO_ICMP, CLOSED, &user, &inode) == 1 && user == 0 && inode == inode_of(raw));
    close(raw);
    CHECK(line_of("raw", IPPROTO_ICMP, CLOSED, &user, &inode) == 0);
}

// There are no pairs of such sockets, and nothing is left of the attempt: a raw socket that nobody has would keep what comes.
static void check_pairs(void) {
    unsigned user;
    unsigned long inode;
    int ends[2];
    for (int i = 0; i < 4; i++) CHECK(FAILS(socketpair(AF_INET, SOCK_RAW, IPPROTO_ICMP, ends), EOPNOTSUPP));
    CHECK(FAILS(socketpair(AF_INET, SOCK_STREAM, 0, ends), EOPNOTSUPP) && FAILS(socketpair(AF_INET, SOCK_DGRAM, 0, ends), EOPNOTSUPP));
    CHECK(FAILS(socketpair(AF_INET, SOCK_RAW, 0, ends), EPROTONOSUPPORT) && FAILS(socketpair(AF_NETLINK, SOCK_RAW, 0, ends), EOPNOTSUPP));
    CHECK(line_of("raw", IPPROTO_ICMP, 7, &user, &inode) == 0);
}

// A connection that was reset, whose socket is still open, does not take a later one with the same numbers with it.
static void check_same_numbers(void) {
    int port, fd = listener(&port, 1), first = stream(), second = stream();
    CHECK(set(first, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && set(second, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    CHECK(bind_to(first, HERE, 0) == 0 && connect_to(first, HERE, port) == 0);
    int server = accept(fd, NULL, NULL);
    struct linger at_once = {1, 0};
    CHECK(setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0 && close(server) == 0);
    CHECK((events(first, POLLIN, 1000) & POLLERR) != 0);
    CHECK(bind_to(second, HERE, port_of(first)) == 0 && connect_to(second, HERE, port) == 0);
    server = accept(fd, NULL, NULL);
    close(first);
    char byte = 0;
    CHECK(send(second, "s", 1, 0) == 1 && events(server, POLLIN, 1000) == POLLIN && recv(server, &byte, 1, 0) == 1 && byte == 's');
    CHECK(send(server, "t", 1, 0) == 1 && events(second, POLLIN, 1000) == POLLIN && recv(second, &byte, 1, 0) == 1 && byte == 't');
    close(second), close(server), close(fd);
}
