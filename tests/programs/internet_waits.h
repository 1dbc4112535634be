// Options by which a stream waits for more: TCP_CORK, MSG_MORE, TCP_DEFER_ACCEPT, TCP_QUICKACK, TCP_FASTOPEN: nginx, haproxy, Redis, curl.
#pragma once

static int has_come(int fd, int millis) { return events(fd, POLLIN, millis) == POLLIN; }

static void check_corks(void) {
    int client, server;
    char bytes[8];
    be_connected(&client, &server);
    CHECK(option(client, IPPROTO_TCP, TCP_CORK) == 0 && set(client, IPPROTO_TCP, TCP_CORK, 7) == 0 && option(client, IPPROTO_TCP, TCP_CORK) == 1);
    CHECK(send(client, "a", 1, 0) == 1 && !has_come(server, 20) && send(client, "b", 1, 0) == 1 && !has_come(server, 20));
    CHECK(set(client, IPPROTO_TCP, TCP_CORK, 0) == 0 && has_come(server, 1000) && recv(server, bytes, 8, 0) == 2);
    CHECK(send(client, "c", 1, MSG_MORE) == 1 && !has_come(server, 20) && send(client, "d", 1, 0) == 1 && has_come(server, 1000));
    CHECK(recv(server, bytes, 8, MSG_DONTWAIT) == 2 && memcmp(bytes, "cd", 2) == 0);
    // Not for ever.
    CHECK(send(client, "e", 1, MSG_MORE) == 1 && !has_come(server, 20) && has_come(server, 3000) && recv(server, bytes, 8, 0) == 1);
    // TCP_NODELAY lets out what waits, the end as well.
    CHECK(set(client, IPPROTO_TCP, TCP_CORK, 1) == 0 && send(client, "f", 1, 0) == 1 && !has_come(server, 20));
    CHECK(set(client, IPPROTO_TCP, TCP_NODELAY, 1) == 0 && has_come(server, 1000) && recv(server, bytes, 8, 0) == 1);
    CHECK(send(client, "g", 1, 0) == 1 && !has_come(server, 20));
    close(client);
    CHECK(has_come(server, 1000) && recv(server, bytes, 8, 0) == 1 && recv(server, bytes, 8, 0) == 0);
    close(server);
    // A whole segment does not wait.
    static char many[300000];
    be_connected(&client, &server);
    CHECK(set(client, IPPROTO_TCP, TCP_CORK, 1) == 0);
    if (fork() == 0) {
        _exit(send(client, many, sizeof many, 0) == sizeof many ? 0 : 1);
    }
    CHECK(recv(server, many, 100000, MSG_WAITALL) == 100000);
    CHECK(recv(server, many, 200000, MSG_WAITALL) == 200000);
    int status = -1;
    CHECK(wait(&status) > 0 && status == 0);
    close(client), close(server);
    CHECK(FAILS(setsockopt(stream(), IPPROTO_TCP, TCP_CORK, "", 1), EINVAL));
}

static void check_deferred(void) {
    int port, fd = listener(&port, 0), client = stream();
    char byte;
    CHECK(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 0);
    static const int said[][2] = {{1, 1}, {2, 3}, {3, 3}, {4, 7}, {10, 15}, {0, 0}, {-1, 0}, {300, 367}, {3, 3}};
    for (unsigned i = 0; i < sizeof said / sizeof *said; i++) {
        CHECK(set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, said[i][0]) == 0 && option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) == said[i][1]);
    }
    CHECK(connect_to(client, HERE, port) == 0 && events(fd, POLLIN, 50) == 0);
    CHECK(send(client, "a", 1, 0) == 1 && events(fd, POLLIN, 1000) == POLLIN);
    int server = accept(fd, NULL, NULL);
    CHECK(server >= 0 && recv(server, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'a');
    close(client), close(server);
    // Who sends nothing is accepted at last.
    client = stream();
    CHECK(set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1) == 0 && connect_to(client, HERE, port) == 0);
    CHECK(events(fd, POLLIN, 300) == 0 && events(fd, POLLIN, 9000) == POLLIN);
    server = accept(fd, NULL, NULL);
    CHECK(server >= 0 && send(client, "b", 1, 0) == 1 && recv(server, &byte, 1, 0) == 1 && byte == 'b');
    close(client), close(server);
    // Who has nothing to say and ends is one to accept.
    client = stream();
    CHECK(set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 60) == 0 && connect_to(client, HERE, port) == 0 && events(fd, POLLIN, 50) == 0);
    CHECK(shutdown(client, SHUT_WR) == 0 && events(fd, POLLIN, 1000) == POLLIN);
    server = accept(fd, NULL, NULL);
    CHECK(server >= 0 && recv(server, &byte, 1, 0) == 0);
    close(client), close(server);
    // The listener is gone before bytes come.
    client = stream();
    CHECK(connect_to(client, HERE, port) == 0 && close(fd) == 0);
    send(client, "c", 1, MSG_NOSIGNAL);
    CHECK(events(client, POLLIN, 3000) != 0 && recv(client, &byte, 1, 0) == -1 && (errno == ECONNRESET || errno == EPIPE));
    close(client);
}

static void check_opened_fast(void) {
    int port, fd = listener(&port, 0), client, server;
    int off = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY);
    if (off >= 0) {
        CHECK(write(off, "0", 1) == 1);
        close(off);
    }
    CHECK(option(fd, IPPROTO_TCP, TCP_FASTOPEN) == 0 && set(fd, IPPROTO_TCP, TCP_FASTOPEN, 5) == 0 && option(fd, IPPROTO_TCP, TCP_FASTOPEN) == 5);
    CHECK(FAILS(set(fd, IPPROTO_TCP, TCP_FASTOPEN, -1), EINVAL));
    CHECK(FAILS(set(fd, IPPROTO_TCP, 30, 2), EINVAL) && FAILS(set(fd, IPPROTO_TCP, 30, 1), EOPNOTSUPP) && option(fd, IPPROTO_TCP, 30) == 0);
    close(fd);
    be_connected(&client, &server);
    CHECK(FAILS(set(client, IPPROTO_TCP, TCP_FASTOPEN, 5), EINVAL));
    CHECK(FAILS(send(client, "a", 1, MSG_FASTOPEN), EOPNOTSUPP));
    // Acknowledgements: at once at first; who is told to wait does.
    CHECK(option(stream(), IPPROTO_TCP, TCP_QUICKACK) == 1);
    CHECK(set(client, IPPROTO_TCP, TCP_QUICKACK, 0) == 0 && option(client, IPPROTO_TCP, TCP_QUICKACK) == 0);
    CHECK(set(client, IPPROTO_TCP, TCP_QUICKACK, 1) == 0 && option(client, IPPROTO_TCP, TCP_QUICKACK) == 1);
    CHECK(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0 && set(client, IPPROTO_TCP, TCP_USER_TIMEOUT, 700) == 0);
    CHECK(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT) == 700 && FAILS(set(client, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL));
    close(client), close(server);
}

// More than the buffer holds, from every place in it.
static void check_waiting_for_all(void) {
    static char bytes[300000], got[300000];
    int client, server, status = -1;
    be_connected(&client, &server);
    for (int i = 0; i < 40; i++) {
        int len = 100000 + 997 * i;
        if (fork() == 0) {
            _exit(send(client, bytes, len, 0) == len ? 0 : 1);
        }
        CHECK(recv(server, got, len, MSG_WAITALL) == len && wait(&status) > 0 && status == 0);
    }
    close(client), close(server);
}

static void check_waits(void) {
    check_waiting_for_all();
    check_corks();
    check_deferred();
    check_opened_fast();
}
