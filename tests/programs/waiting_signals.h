// signalfd4(2).
#include <sys/signalfd.h>

static int next_signal(int fd, struct signalfd_siginfo *info) {
    memset(info, 0x55, sizeof *info);
    return read(fd, info, sizeof *info) == sizeof *info ? (int)info->ssi_signo : -1;
}

static void *raise_later(void *process) {
    sleep_ms(30);
    kill(*(pid_t *)process, SIGUSR1);
    return NULL;
}

// A child's file, while the reader has made none: it gets its own signals, and they wake it.
static void check_foreign_signalfd(void) {
    int ends[2];
    struct signalfd_siginfo info;
    sigset_t set, before;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &before);
    CHECK(pipe(ends) == 0);
    pid_t child = start_child(), own = getpid();
    if (child == 0) {
        int fd = signalfd(-1, &set, 0);
        CHECK(write(ends[1], &fd, sizeof fd) == sizeof fd);
        pause();
    }
    int fd = -1, epoll = epoll_create1(0), process = syscall(SYS_pidfd_open, child, 0);
    struct pollfd one;
    struct epoll_event told;
    pthread_t thread;
    CHECK(read(ends[0], &fd, sizeof fd) == sizeof fd);
    CHECK((fd = syscall(SYS_pidfd_getfd, process, fd, 0)) >= 0 && events_of(fd) == 0);
    one = (struct pollfd){fd, POLLIN, 0};
    pthread_create(&thread, NULL, raise_later, &own);
    CHECK(poll(&one, 1, 5000) == 1 && next_signal(fd, &info) == SIGUSR1 && info.ssi_pid == (unsigned)own && pthread_join(thread, NULL) == 0);
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 5) == 0 && ready(epoll, 5) == 0);
    pthread_create(&thread, NULL, raise_later, &own);
    CHECK(epoll_wait(epoll, &told, 1, 5000) == 1 && next_signal(fd, &info) == SIGUSR1 && pthread_join(thread, NULL) == 0);
    alarm(20); // Who is not woken is ended.
    pthread_create(&thread, NULL, raise_later, &own);
    CHECK(next_signal(fd, &info) == SIGUSR1 && pthread_join(thread, NULL) == 0);
    alarm(0);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    close(fd), close(epoll), close(process), close(ends[0]), close(ends[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void check_signalfd(void) {
    sigset_t set, before;
    struct signalfd_siginfo info, several[3];
    sigemptyset(&set);
    for (int signal = 1; signal < 65; signal++)
        if (signal == SIGUSR1 || signal == SIGUSR2 || signal == SIGCHLD || signal == SIGRTMIN) sigaddset(&set, signal);
    sigaddset(&set, SIGKILL);
    sigprocmask(SIG_BLOCK, &set, &before);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), other = eventfd(0, 0);
    CHECK(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(strcmp(shown("fd", fd), "anon_inode:[signalfd]") == 0 && strstr(shown("fdinfo", fd), "\nsigmask:\t0000000200010a00\n") != NULL);
    CHECK(FAILS(signalfd(-1, &set, 1), EINVAL) && FAILS(signalfd(99, &set, 0), EBADF) && FAILS(signalfd(other, &set, 0), EINVAL));
    CHECK(FAILS(syscall(SYS_signalfd4, -1, &set, 7, 0), EINVAL) && FAILS(syscall(SYS_signalfd4, -1, NOWHERE, 8, 0), EFAULT));
    CHECK(FAILS(read(fd, &info, sizeof info), EAGAIN) && FAILS(read(fd, &info, 127), EINVAL) && events_of(fd) == 0);
    // Who sent it, and what.
    kill(getpid(), SIGUSR1);
    CHECK(events_of(fd) == POLLIN && next_signal(fd, &info) == SIGUSR1 && info.ssi_pid == (unsigned)getpid() && info.ssi_code == SI_USER && info.ssi_uid == 0);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 6});
    kill(getpid(), SIGUSR2), kill(getpid(), SIGUSR2);
    CHECK(read(fd, several, sizeof several) == sizeof several && several[0].ssi_signo == SIGUSR2 && several[1].ssi_int == 5 && several[2].ssi_int == 6);
    CHECK(several[2].ssi_code == SI_QUEUE && several[2].ssi_pid == (unsigned)getpid() && FAILS(read(fd, &info, sizeof info), EAGAIN));
    pid_t child = fork();
    if (child == 0) _exit(9);
    int status;
    waitpid(child, &status, 0);
    CHECK(next_signal(fd, &info) == SIGCHLD && info.ssi_pid == (unsigned)child && info.ssi_code == CLD_EXITED && info.ssi_status == 9);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 8};
    struct itimerspec once = {.it_value = {0, 1000000}};
    timer_t timer;
    struct pollfd one = {fd, POLLIN, 0};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &once, NULL) == 0 && poll(&one, 1, 5000) == 1);
    CHECK(next_signal(fd, &info) == SIGUSR1 && info.ssi_code == SI_TIMER && info.ssi_int == 8 && timer_delete(timer) == 0);
    // Another set for the same file.
    sigdelset(&set, SIGUSR1);
    CHECK(signalfd(fd, &set, 0) == fd);
    kill(getpid(), SIGUSR1);
    CHECK(events_of(fd) == 0 && FAILS(read(fd, &info, sizeof info), EAGAIN));
    sigaddset(&set, SIGUSR1);
    CHECK(signalfd(fd, &set, 0) == fd && events_of(fd) == POLLIN && next_signal(fd, &info) == SIGUSR1);
    // It wakes who waits, in whatever way, also in a child.
    int epoll = epoll_create1(0);
    struct epoll_event told;
    pid_t own = getpid();
    pthread_t thread;
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 5) == 0 && ready(epoll, 5) == 0);
    pthread_create(&thread, NULL, raise_later, &own);
    CHECK(epoll_wait(epoll, &told, 1, 5000) == 1 && next_signal(fd, &info) == SIGUSR1 && pthread_join(thread, NULL) == 0);
    fcntl(fd, F_SETFL, 0);
    pthread_create(&thread, NULL, raise_later, &own);
    CHECK(next_signal(fd, &info) == SIGUSR1 && pthread_join(thread, NULL) == 0);
    child = start_child();
    if (child == 0) {
        own = getpid();
        pthread_create(&thread, NULL, raise_later, &own);
        CHECK(poll(&one, 1, 5000) == 1 && next_signal(fd, &info) == SIGUSR1 && info.ssi_pid == (unsigned)own);
        end_child();
    }
    CHECK(child_passed(child) && next_signal(fd, &info) == SIGCHLD);
    interrupt_after(20);
    CHECK(FAILS(read(fd, &info, sizeof info), EINTR));
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fd), close(other), close(epoll);
}
