// Sockets: each call, and what goes along with messages.
#include <sys/socket.h>
#include <sys/un.h>

static const struct sockaddr_un socket_path = {AF_UNIX, "/tmp/socket"};

static int try_socket_pair(void) {
    int ends[2], others[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return errno;
    static char bytes[9000];
    int error = error_of(write(ends[0], bytes, sizeof bytes));
    if (!error) error = error_of(recv(ends[1], bytes, sizeof bytes, MSG_PEEK));
    if (!error) error = error_of(socketpair(AF_UNIX, SOCK_DGRAM, 0, others));
    bool is_whole = error == 0;
    if (!error) error = error_of(send(others[0], bytes, sizeof bytes, 0));
    if (!error) error = error_of(recv(others[1], bytes, sizeof bytes, MSG_PEEK));
    arm(0);
    close(ends[0]), close(ends[1]);
    if (is_whole) close(others[0]), close(others[1]);
    return error;
}

static int try_socket_rights(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return errno;
    char byte = 0, control[CMSG_SPACE(2 * sizeof(int))] = "";
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(head), ends, sizeof ends);
    int error = error_of(sendmsg(ends[0], &message, 0)), got[2] = {-1, -1};
    if (error == ENOBUFS) error = ENOMEM; // so say the calls, for their control messages
    if (!error) {
        error = error_of(recvmsg(ends[1], &message, 0));
        // What finds no memory is not there; that is told, and no error.
        if (!error && message.msg_controllen > 0) memcpy(got, CMSG_DATA(head), head->cmsg_len - CMSG_LEN(0));
        if (!error && (message.msg_flags & MSG_CTRUNC)) error = ENOMEM;
    }
    arm(0);
    for (int i = 0; i < 2; i++)
        if (got[i] >= 0) close(got[i]);
    close(ends[0]), close(ends[1]);
    return error;
}

static int try_socket_names(void) {
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = -1, accepted = -1;
    if (server < 0) return errno;
    int error = error_of(bind(server, (void *)&socket_path, sizeof socket_path));
    if (!error) error = error_of(listen(server, 1));
    if (!error) error = error_of(client = socket(AF_UNIX, SOCK_STREAM, 0));
    if (!error) error = error_of(connect(client, (void *)&socket_path, sizeof socket_path));
    if (!error) error = error_of(accepted = accept(server, NULL, NULL));
    arm(0);
    close(server), close(client), close(accepted);
    unlink("/tmp/socket");
    return error;
}

static int try_socket_any_name(void) {
    int one = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (one < 0) return errno;
    int error = error_of(bind(one, (void *)&socket_path, 2));
    arm(0);
    close(one);
    return error;
}
