// timerfd_create(2).
#include <sys/timerfd.h>

static void set_timer(int fd, int flags, int64_t first, int64_t period) {
    struct itimerspec setting = {{period / 1000000000, period % 1000000000}, {first / 1000000000, first % 1000000000}};
    CHECK(timerfd_settime(fd, flags, &setting, NULL) == 0);
}

static int64_t clock_now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void check_timers(void) {
    struct itimerspec setting = {{0, 0}, {0, 1000000000}}, old;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    uint64_t count = 0;
    CHECK(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(strcmp(shown("fd", fd), "anon_inode:[timerfd]") == 0);
    CHECK(FAILS(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL) && FAILS(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL));
    CHECK(FAILS(timerfd_settime(fd, 0, &setting, NULL), EINVAL) && FAILS(timerfd_settime(fd, 8, &old, NULL), EINVAL));
    CHECK(FAILS(timerfd_settime(fd, 0, NOWHERE, NULL), EFAULT) && FAILS(timerfd_gettime(fd, NOWHERE), EFAULT));
    CHECK(FAILS(timerfd_gettime(99, &old), EBADF) && FAILS(timerfd_gettime(0, &old), EINVAL));
    CHECK(FAILS(read(fd, &count, 8), EAGAIN) && FAILS(read(fd, &count, 7), EINVAL) && FAILS(write(fd, &count, 8), EINVAL));
    CHECK(timerfd_gettime(fd, &old) == 0 && old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0 && events_of(fd) == 0);
    set_timer(fd, 0, 5000000000, 7000000000);
    CHECK(timerfd_gettime(fd, &old) == 0 && old.it_value.tv_sec == 4 && old.it_interval.tv_sec == 7);
    CHECK(strstr(shown("fdinfo", fd), "clockid: 1\nticks: 0\nsettime flags: 00\nit_value: (4, ") != NULL);
    setting.it_value.tv_nsec = 10000000;
    CHECK(timerfd_settime(fd, 0, &setting, &old) == 0 && old.it_value.tv_sec == 4 && old.it_interval.tv_sec == 7);
    struct pollfd one = {fd, POLLIN, 0};
    CHECK(poll(&one, 1, 5000) == 1 && one.revents == POLLIN && read(fd, &count, 8) == 8 && count == 1 && FAILS(read(fd, &count, 8), EAGAIN));
    // Those that have passed are counted, and the timer goes on.
    set_timer(fd, 0, 10000000, 10000000);
    sleep_ms(55);
    CHECK(read(fd, &count, 8) == 8 && count >= 4 && count < 50 && timerfd_gettime(fd, &old) == 0 && old.it_interval.tv_nsec == 10000000);
    fcntl(fd, F_SETFL, 0);
    CHECK(read(fd, &count, 8) == 8 && count >= 1);
    set_timer(fd, 0, 0, 0);
    interrupt_after(20);
    CHECK(FAILS(read(fd, &count, 8), EINTR));
    set_timer(fd, TFD_TIMER_ABSTIME, clock_now(CLOCK_MONOTONIC) + 20000000, 0);
    int epoll = epoll_create1(0);
    struct epoll_event event;
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 3) == 0 && ready(epoll, 3) == 0);
    CHECK(epoll_wait(epoll, &event, 1, 5000) == 1 && read(fd, &count, 8) == 8 && count == 1);
    set_timer(fd, TFD_TIMER_ABSTIME, 1, 0);
    CHECK(read(fd, &count, 8) == 8 && count == 1);
    close(fd);
}

// A time of day comes sooner when the clock is set.
static void check_clock_settings(void) {
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), cancelled = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    int relative = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    int64_t start = clock_now(CLOCK_REALTIME);
    uint64_t count;
    set_timer(fd, TFD_TIMER_ABSTIME, start + 100000000000, 0);
    set_timer(relative, 0, 100000000000, 0);
    set_timer(cancelled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, start + 900000000000, 0);
    CHECK(events_of(fd) == 0 && events_of(cancelled) == 0);
    struct timespec later = {start / 1000000000 + 200, 0};
    CHECK(clock_settime(CLOCK_REALTIME, &later) == 0);
    sleep_ms(5);
    CHECK(read(fd, &count, 8) == 8 && count == 1 && FAILS(read(relative, &count, 8), EAGAIN));
    CHECK(events_of(cancelled) == POLLIN && FAILS(read(cancelled, &count, 8), ECANCELED) && FAILS(read(cancelled, &count, 8), EAGAIN));
    later.tv_sec -= 200;
    CHECK(clock_settime(CLOCK_REALTIME, &later) == 0);
    close(fd), close(relative), close(cancelled);
}

static void check_timerfd(void) {
    check_timers();
    check_clock_settings();
}
