// TCP_INFO: what Redis, nginx, curl and ss ask.
#pragma once

// As much of struct tcp_info as Linux 6.1 has.
struct full_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options, wscale, limits;
    uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets, last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering, rcv_rtt, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};

static struct full_info info_of(int fd) {
    struct full_info info = {0};
    socklen_t len = sizeof info;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && len == 232);
    return info;
}

static void check_info(void) {
    int port, fd = listener(&port, 0), client = stream();
    struct full_info info = info_of(client);
    CHECK(info.state == 7 && info.segs_out == 0);
    info = info_of(fd);
    CHECK(info.state == 10 && info.unacked == 0 && info.sacked == 16);
    CHECK(connect_to(client, HERE, port) == 0);
    info = info_of(fd);
    CHECK(info.unacked == 1 && info.sacked == 16);
    int server = accept(fd, NULL, NULL);
    static char bytes[5000];
    info = info_of(client);
    CHECK(info.state == 1 && info.bytes_received == 0 && info.bytes_sent == 0 && info.segs_out == 2 && info.segs_in == 1);
    CHECK((info.options & 4) != 0 && info.snd_mss >= 536 && info.pmtu == 65535 && info.snd_wnd > 5000 && info.rtt > 0);
    for (int i = 0; i < 10; i++) {
        CHECK(send(client, bytes, sizeof bytes, 0) == sizeof bytes && recv(server, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes);
        CHECK(send(server, bytes, 7, 0) == 7 && recv(client, bytes, 7, MSG_WAITALL) == 7);
    }
    info = info_of(client);
    CHECK(info.bytes_sent == 50000 && info.bytes_acked == 50001 && info.data_segs_out >= 10 && info.data_segs_in >= 10);
    CHECK(info.total_retrans == 0 && info.bytes_retrans == 0 && info.rtt > 0 && info.rtt < 3000000 && info.min_rtt <= info.rtt);
    CHECK(info.bytes_received == 70 && info.segs_in >= 11 && info.segs_out >= 12 && info.unacked == 0 && info.notsent_bytes == 0);
    CHECK(send(server, bytes, 100, 0) == 100 && events(client, POLLIN, 1000) == POLLIN);
    info = info_of(client);
    CHECK(info.bytes_received == 170);
    usleep(300000);
    info = info_of(client);
    CHECK(info.last_data_recv >= 290 && info.last_data_recv < 60000 && info.last_data_sent >= 290);
    // A shorter buffer gets the beginning of it.
    uint8_t state = 0;
    socklen_t len = 1;
    CHECK(getsockopt(client, IPPROTO_TCP, TCP_INFO, &state, &len) == 0 && len == 1 && state == 1);
    CHECK(FAILS(setsockopt(client, IPPROTO_TCP, TCP_INFO, &info, sizeof info), ENOPROTOOPT));
    close(server);
    CHECK(recv(client, bytes, 100, 0) == 100 && recv(client, bytes, 1, 0) == 0);
    CHECK(info_of(client).state == 8);
    close(client), close(fd);
    char name[16] = "";
    len = sizeof name;
    fd = stream();
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && len == 16 && strlen(name) > 2);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0 && FAILS(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "none", 4), ENOENT));
    len = sizeof name;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && strcmp(name, "reno") == 0);
    CHECK(FAILS(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0), EINVAL));
    close(fd);
}
