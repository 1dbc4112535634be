// Streams: what is asked of them seldom.

// Both ends of a connection.
static int pair(int *server) {
    int port, fd = listener(&port), client = stream();
    CHECK(connect_to(client, HERE, port) == 0);
    *server = accept(fd, NULL, NULL);
    CHECK(*server >= 0);
    close(fd);
    return client;
}

static long millis(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Who wants no bytes waits for some nevertheless, once, and takes none.
static void nothing_wanted(void) {
    static const int FLAGS[] = {0, MSG_WAITALL, MSG_PEEK, MSG_PEEK | MSG_WAITALL, MSG_TRUNC | MSG_WAITALL};
    int server, client = pair(&server);
    struct timeval soon = {0, 50000};
    char byte = 0;
    CHECK(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
    for (int i = 0; i < 5; i++) {
        long start = millis();
        CHECK(recv(server, &byte, 0, FLAGS[i]) == 0 && millis() - start >= 40);
        CHECK(FAILS(recv(server, &byte, 0, FLAGS[i] | MSG_DONTWAIT), EAGAIN));
    }
    CHECK(send(client, "x", 1, 0) == 1 && events(server, POLLIN, 1000) == POLLIN);
    CHECK(recv(server, &byte, 0, 0) == 0 && recv(server, &byte, 0, MSG_WAITALL) == 0 && recv(server, &byte, 0, MSG_PEEK) == 0);
    CHECK(recv(server, &byte, 1, 0) == 1 && byte == 'x');
    close(client);
    CHECK(recv(server, &byte, 0, MSG_WAITALL) == 0);
    close(server);
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
    CHECK(FAILS(recv(ends[0], &byte, 0, 0), EAGAIN) && FAILS(recv(ends[0], &byte, 0, MSG_WAITALL), EAGAIN));
    close(ends[0]), close(ends[1]);
}

// Whoever writes and reads in turn as one program does not wait for the other side's acknowledgements: 50 pieces, each shorter than a
// segment, take no time to speak of.
static void pieces(void) {
    static char bytes[16384];
    int server, client = pair(&server);
    long start = millis();
    for (int i = 0; i < 50; i++) {
        CHECK(send(client, bytes, sizeof bytes, 0) == sizeof bytes && recv(server, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes);
    }
    CHECK(millis() - start < 300);
    close(client), close(server);
}
