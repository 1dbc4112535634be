// TIME-WAIT: who closed first keeps the numbers of the connection for a minute.
#pragma once

enum { TIME_WAIT = 6 };

// Makes a connection to a listener that is closed at once, and closes it, `first` before the other one.
static int port_after(int reuses, int closes_server_first) {
    int port, fd = listener(&port, reuses), client = stream(), server = -1;
    CHECK(connect_to(client, HERE, port) == 0 && (server = accept(fd, NULL, NULL)) >= 0);
    close(fd);
    int first = closes_server_first ? server : client, second = closes_server_first ? client : server;
    char byte;
    CHECK(close(first) == 0 && recv(second, &byte, 1, 0) == 0 && close(second) == 0);
    return port;
}

static int can_bind(int port, int reuses) {
    int fd = stream();
    CHECK(set(fd, SOL_SOCKET, SO_REUSEADDR, reuses) == 0);
    int result = bind_to(fd, HERE, port) == 0 ? 0 : errno;
    close(fd);
    return result;
}

static void check_ports_of_the_past(void) {
    unsigned user;
    unsigned long inode;
    int port = port_after(0, 1);
    CHECK(can_bind(port, 0) == EADDRINUSE && can_bind(port, 1) == EADDRINUSE);
    CHECK(line_of("tcp", port, TIME_WAIT, &user, &inode) == 1 && user == 0 && inode == 0);
    port = port_after(1, 1);
    CHECK(can_bind(port, 0) == EADDRINUSE && can_bind(port, 1) == 0);
    port = port_after(0, 0);
    CHECK(can_bind(port, 0) == 0 && line_of("tcp", port, TIME_WAIT, &user, &inode) == 0);
}

// Connects from `from`, has one side close first, then the other.
static int meet(int fd, int *from, int port, int closes_server_first) {
    int client = stream();
    CHECK(set(client, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && bind_to(client, HERE, *from) == 0);
    *from = port_of(client);
    if (connect_to(client, HERE, port) != 0) {
        int error = errno;
        close(client);
        return error;
    }
    int server = accept(fd, NULL, NULL);
    int first = closes_server_first ? server : client, second = closes_server_first ? client : server;
    char byte;
    CHECK(close(first) == 0 && recv(second, &byte, 1, 0) == 0 && close(second) == 0);
    return 0;
}

static void check_meeting_again(void) {
    int port, from = 0, fd = listener(&port, 1);
    // A SYN that comes for such numbers is a new connection's.
    CHECK(meet(fd, &from, port, 1) == 0 && meet(fd, &from, port, 1) == 0);
    // Nor does who connects from a port that it has bound wait.
    from = 0;
    CHECK(meet(fd, &from, port, 0) == 0 && meet(fd, &from, port, 0) == 0);
    close(fd);
    // Many of them do no harm.
    fd = listener(&port, 1);
    int failed_once = 0;
    for (int i = 0; i < 300; i++) from = 0, failed_once |= meet(fd, &from, port, i & 1);
    CHECK(failed_once == 0);
    close(fd);
}
