// NETLINK_SOCK_DIAG: sock_diag(7). Of Debian's Linux it is a module, which nobody loads here: then there is nothing to look at.
#pragma once
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/un.h>

static char diag_answer[1 << 17];
static int diag_parts; // datagrams that the last answer took

static int ask(int fd, const void *request, size_t len, int flags) {
    struct {
        struct nlmsghdr head;
        char body[64];
    } message = {.head = {NLMSG_LENGTH(len), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | flags, 77, 0}};
    memcpy(message.body, request, len);
    return send(fd, &message, message.head.nlmsg_len, 0) == (ssize_t)message.head.nlmsg_len;
}

// Calls `look` with each message of the answer; the error that it ends with.
static int read_answer(int fd, void (*look)(struct nlmsghdr *)) {
    for (diag_parts = 1;; diag_parts++) {
        long len = recv(fd, diag_answer, sizeof diag_answer, 0);
        if (len <= 0) return -errno;
        for (struct nlmsghdr *head = (void *)diag_answer; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
            if (head->nlmsg_seq != 77) return -1000;
            if (head->nlmsg_type == NLMSG_ERROR) return ((struct nlmsgerr *)NLMSG_DATA(head))->error;
            if (head->nlmsg_type == NLMSG_DONE) return 0;
            look(head);
        }
    }
}

static struct {
    unsigned port, user, inode, state, count, has_info, received, all;
} found;

static void look_inet(struct nlmsghdr *head) {
    struct inet_diag_msg *told = NLMSG_DATA(head);
    found.all++;
    if (ntohs(told->id.idiag_sport) != found.port || told->idiag_state != found.state) return;
    found.count++, found.user = told->idiag_uid, found.inode = told->idiag_inode, found.received = told->idiag_rqueue;
    CHECK(told->idiag_family == AF_INET && told->id.idiag_src[0] == htonl(HERE));
    int len = head->nlmsg_len - NLMSG_LENGTH(sizeof *told);
    for (struct rtattr *attribute = (void *)(told + 1); RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
        if (attribute->rta_type == INET_DIAG_INFO) found.has_info = RTA_PAYLOAD(attribute) >= 232 && *(uint8_t *)RTA_DATA(attribute) == told->idiag_state;
}

static void look_unix(struct nlmsghdr *head) {
    struct unix_diag_msg *told = NLMSG_DATA(head);
    int len = head->nlmsg_len - NLMSG_LENGTH(sizeof *told);
    for (struct rtattr *attribute = (void *)(told + 1); RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
        if (attribute->rta_type == UNIX_DIAG_NAME && RTA_PAYLOAD(attribute) == 6 && memcmp(RTA_DATA(attribute), "\0diag!", 6) == 0)
            found.count++, found.inode = told->udiag_ino, found.state = told->udiag_state;
    }
}

static void check_diag(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    struct inet_diag_req_v2 request = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_ext = 1 << (INET_DIAG_INFO - 1), .idiag_states = ~0u};
    CHECK(fd >= 0 && ask(fd, &request, sizeof request, NLM_F_DUMP));
    int result = read_answer(fd, look_inet);
    if (result == -ENOENT) {
        close(fd);
        return;
    }
    CHECK(result == 0);
    int port, listening = listener(&port, 0), client = stream();
    CHECK(connect_to(client, HERE, port) == 0);
    found.port = port, found.state = 10, found.count = 0;
    CHECK(ask(fd, &request, sizeof request, NLM_F_DUMP) && read_answer(fd, look_inet) == 0);
    CHECK(found.count == 1 && found.user == 0 && found.inode == inode_of(listening) && found.received == 1 && found.has_info);
    int server = accept(listening, NULL, NULL);
    CHECK(send(client, "four", 4, 0) == 4);
    found.state = 1, found.count = 0, request.idiag_states = 1 << 1;
    CHECK(ask(fd, &request, sizeof request, NLM_F_DUMP) && read_answer(fd, look_inet) == 0);
    CHECK(found.count == 1 && found.inode == inode_of(server) && found.received == 4 && found.has_info);
    // One that names a port, and states that no socket has.
    request.id.idiag_sport = htons(port), found.all = 0;
    CHECK(ask(fd, &request, sizeof request, NLM_F_DUMP) && read_answer(fd, look_inet) == 0 && found.all == 1);
    request.idiag_states = 1 << 4, found.all = 0;
    CHECK(ask(fd, &request, sizeof request, NLM_F_DUMP) && read_answer(fd, look_inet) == 0 && found.all == 0);
    close(server), close(client), close(listening);
    // More than goes into one part; each is told once.
    enum { MANY = 400 };
    static int many[MANY];
    for (int i = 0; i < MANY; i++) CHECK((many[i] = socket(AF_INET, SOCK_DGRAM, 0)) >= 0 && bind_to(many[i], HERE, 20000 + i) == 0);
    request = (struct inet_diag_req_v2){.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_UDP, .idiag_states = ~0u};
    found.port = 20000 + MANY - 1, found.state = 7, found.count = found.all = 0;
    CHECK(ask(fd, &request, sizeof request, NLM_F_DUMP) && read_answer(fd, look_inet) == 0);
    CHECK(found.all == MANY && found.count == 1 && found.inode == inode_of(many[MANY - 1]) && diag_parts > 1);
    for (int i = 0; i < MANY; i++) close(many[i]);
    struct sockaddr_un name = {AF_UNIX, "\0diag!"};
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(local, (any_t *)&name, 8) == 0 && listen(local, 5) == 0);
    struct unix_diag_req local_request = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER};
    found.count = 0;
    CHECK(ask(fd, &local_request, sizeof local_request, NLM_F_DUMP) && read_answer(fd, look_unix) == 0);
    CHECK(found.count == 1 && found.state == 10 && found.inode == inode_of(local));
    close(local);
    // What there is not, and what is no question.
    local_request.sdiag_family = 200;
    CHECK(ask(fd, &local_request, sizeof local_request, NLM_F_DUMP) && read_answer(fd, look_unix) == -EINVAL);
    local_request.sdiag_family = AF_APPLETALK;
    CHECK(ask(fd, &local_request, sizeof local_request, NLM_F_DUMP) && read_answer(fd, look_unix) == -ENOENT);
    request.sdiag_protocol = IPPROTO_ICMP;
    CHECK(ask(fd, &request, sizeof request, NLM_F_DUMP) && read_answer(fd, look_unix) == -ENOENT);
    close(fd);
}
