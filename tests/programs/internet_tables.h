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

// A number of /proc/net/snmp or sockstat: in the first as tools read it, by the name in the line above.
static long total_of(const char *path, const char *line, const char *name) {
    FILE *file = fopen(path, "r");
    char names[1024], numbers[1024];
    long answer = -1;
    int is_pair = strstr(path, "snmp") != NULL;
    while (file != NULL && answer < 0 && fgets(names, sizeof names, file) != NULL) {
        if (strncmp(names, line, strlen(line)) != 0 || (is_pair && fgets(numbers, sizeof numbers, file) == NULL)) {
            continue;
        }
        char *at = names, *other = numbers, *word, *number;
        strsep(&at, " ");
        if (is_pair) {
            strsep(&other, " ");
        }
        while ((word = strsep(&at, " \n")) != NULL && (number = strsep(is_pair ? &other : &at, " \n")) != NULL) {
            if (strcmp(word, name) == 0) {
                answer = atol(number);
                break;
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return answer;
}

static long tcp_total(const char *name) { return total_of("/proc/net/snmp", "Tcp:", name); }
static long udp_total(const char *name) { return total_of("/proc/net/snmp", "Udp:", name); }
static long in_use(const char *line, const char *name) { return total_of("/proc/net/sockstat", line, name); }

static void check_totals(void) {
    int client, server, port, fd = listener(&port, 0);
    char bytes[2000] = "";
    long used = in_use("sockets:", "used"), streams = in_use("TCP:", "inuse"), messages = in_use("UDP:", "inuse");
    long active = tcp_total("ActiveOpens"), passive = tcp_total("PassiveOpens"), now = tcp_total("CurrEstab");
    long in = tcp_total("InSegs"), out = tcp_total("OutSegs");
    CHECK(used > 0 && streams > 0 && messages >= 0 && active >= 0 && passive >= 0 && now >= 0 && in > 0 && out > 0 && tcp_total("RetransSegs") >= 0);
    be_connected(&client, &server);
    CHECK(tcp_total("ActiveOpens") == active + 1 && tcp_total("PassiveOpens") == passive + 1 && tcp_total("CurrEstab") == now + 2);
    CHECK(in_use("sockets:", "used") == used + 2 && in_use("TCP:", "inuse") == streams + 2);
    CHECK(send(client, bytes, 100, 0) == 100 && recv(server, bytes, 100, 0) == 100);
    CHECK(tcp_total("InSegs") >= in + 4 && tcp_total("OutSegs") >= out + 4);
    // What ends by a reset.
    long resets = tcp_total("EstabResets"), sent = tcp_total("OutRsts"), failed = tcp_total("AttemptFails");
    CHECK(send(client, bytes, 100, 0) == 100 && events(server, POLLIN, 1000) == POLLIN);
    close(server);
    CHECK(recv(client, bytes, 1, 0) == -1 && errno == ECONNRESET);
    CHECK(tcp_total("EstabResets") == resets + 2 && tcp_total("OutRsts") == sent + 1 && tcp_total("CurrEstab") == now);
    close(client), close(fd);
    client = stream();
    CHECK(FAILS(connect_to(client, HERE, port), ECONNREFUSED));
    CHECK(tcp_total("AttemptFails") == failed + 1 && tcp_total("OutRsts") == sent + 2);
    close(client);
    // Messages.
    long came = udp_total("InDatagrams"), went = udp_total("OutDatagrams"), nobody = udp_total("NoPorts"), lost = udp_total("RcvbufErrors");
    fd = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind_to(fd, HERE, 0) == 0 && in_use("UDP:", "inuse") == messages + 1);
    in_t to = at(HERE, port = port_of(fd));
    for (int i = 0; i < 3; i++) {
        CHECK(sendto(client, bytes, 10, 0, (any_t *)&to, sizeof to) == 10 && recv(fd, bytes, 10, MSG_PEEK) == 10 && recv(fd, bytes, 10, 0) == 10);
    }
    CHECK(udp_total("InDatagrams") == came + 3 && udp_total("OutDatagrams") == went + 3);
    CHECK(set(fd, SOL_SOCKET, SO_RCVBUF, 1) == 0);
    for (int i = 0; i < 20; i++) {
        CHECK(sendto(client, bytes, 1000, 0, (any_t *)&to, sizeof to) == 1000);
    }
    CHECK(udp_total("RcvbufErrors") > lost && udp_total("InErrors") >= udp_total("RcvbufErrors"));
    close(fd);
    CHECK(sendto(client, bytes, 1, 0, (any_t *)&to, sizeof to) == 1 && udp_total("NoPorts") == nobody + 1);
    close(client);
}
