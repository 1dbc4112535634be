// pidfd_open(2) and its kin.
#include <sched.h>

static int pidfd_of(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }
static int send_by(int fd, int signal, siginfo_t *info, unsigned flags) { return syscall(SYS_pidfd_send_signal, fd, signal, info, flags); }

static void check_pidfd_errors(void) {
    int fd = pidfd_of(getpid(), 0), other = eventfd(0, 0);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) == O_RDWR && events_of(fd) == 0);
    CHECK(strcmp(shown("fd", fd), "anon_inode:[pidfd]") == 0);
    char line[64];
    snprintf(line, sizeof line, "\nPid:\t%d\n", getpid());
    CHECK(strstr(shown("fdinfo", fd), line) != NULL);
    CHECK(FAILS(pidfd_of(0, 0), EINVAL) && FAILS(pidfd_of(-1, 0), EINVAL) && FAILS(pidfd_of(getpid(), 1), EINVAL));
    CHECK(FAILS(pidfd_of(4000000, 0), ESRCH));
    CHECK(send_by(fd, 0, NULL, 0) == 0 && FAILS(send_by(fd, 99, NULL, 0), EINVAL) && FAILS(send_by(fd, 0, NULL, 64), EINVAL));
    CHECK(FAILS(send_by(other, 0, NULL, 0), EBADF) && FAILS(send_by(99, 0, NULL, 0), EBADF));
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    CHECK(FAILS(send_by(fd, SIGUSR2, &info, 0), EINVAL) && FAILS(send_by(fd, SIGUSR2, NOWHERE, 0), EFAULT));
    CHECK(FAILS(waitid(P_PIDFD, other, &info, WEXITED), EBADF) && FAILS(waitid(P_PIDFD, -1, &info, WEXITED), EINVAL));
    CHECK(FAILS(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD));
    CHECK(FAILS(read(fd, line, 8), EINVAL) && FAILS(lseek(fd, 0, SEEK_SET), ESPIPE));
    close(fd), close(other);
    // A directory of /proc names a process, but to send to alone; no other directory does.
    snprintf(line, sizeof line, "/proc/%d", getpid());
    fd = open(line, O_RDONLY | O_DIRECTORY);
    CHECK(send_by(fd, 0, NULL, 0) == 0 && FAILS(send_by(fd, SIGUSR2, &info, 0), EINVAL));
    CHECK(FAILS(syscall(SYS_pidfd_getfd, fd, 0, 0), EBADF) && FAILS(waitid(P_PIDFD, fd, &info, WEXITED), EBADF));
    other = openat(fd, "task", O_RDONLY | O_DIRECTORY);
    CHECK(other >= 0 && FAILS(send_by(other, 0, NULL, 0), EBADF));
    close(other), other = open(line, O_PATH);
    CHECK(other >= 0 && FAILS(send_by(other, 0, NULL, 0), EBADF));
    close(fd), close(other);
    pid_t child = start_child();
    if (child == 0) pause();
    snprintf(line, sizeof line, "/proc/%d", child);
    fd = open(line, O_RDONLY | O_DIRECTORY);
    CHECK(send_by(fd, SIGTERM, NULL, 0) == 0 && waitid(P_PID, child, &info, WEXITED) == 0 && info.si_status == SIGTERM);
    CHECK(FAILS(send_by(fd, 0, NULL, 0), ESRCH));
    close(fd);
}

static void check_pidfd_of_child(void) {
    int ends[2];
    siginfo_t info = {0};
    CHECK(pipe(ends) == 0);
    pid_t child = start_child();
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 7 : 1);
    }
    int fd = pidfd_of(child, O_NONBLOCK);
    CHECK(fd >= 0 && events_of(fd) == 0 && send_by(fd, 0, NULL, 0) == 0);
    CHECK(FAILS(waitid(P_PIDFD, fd, &info, WEXITED), EAGAIN) && waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG) == 0);
    // What it has open, one may have.
    int taken = syscall(SYS_pidfd_getfd, fd, ends[0], 0);
    struct stat one, other;
    CHECK(taken >= 0 && fcntl(taken, F_GETFD) == FD_CLOEXEC && fstat(taken, &one) == 0 && fstat(ends[0], &other) == 0 && one.st_ino == other.st_ino);
    CHECK(FAILS(syscall(SYS_pidfd_getfd, fd, 99, 0), EBADF) && FAILS(syscall(SYS_pidfd_getfd, fd, 0, 1), EINVAL));
    CHECK(FAILS(syscall(SYS_pidfd_getfd, taken, 0, 0), EBADF));
    pid_t stranger = start_child();
    if (stranger == 0) {
        CHECK(setresuid(1000, 1000, 1000) == 0);
        CHECK(FAILS(send_by(fd, SIGKILL, NULL, 0), EPERM) && FAILS(syscall(SYS_pidfd_getfd, fd, 0, 0), EPERM));
        end_child();
    }
    CHECK(child_passed(stranger));
    int epoll = epoll_create1(0);
    struct epoll_event event;
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 5) == 0 && ready(epoll, 5) == 0);
    close(ends[1]), close(taken);
    CHECK(epoll_wait(epoll, &event, 1, 5000) == 1 && event.events == EPOLLIN && (events_of(fd) & ~POLLRDNORM) == POLLIN);
    CHECK(send_by(fd, SIGTERM, NULL, 0) == 0);
    CHECK(waitid(P_PIDFD, fd, &info, WEXITED) == 0 && info.si_pid == child && info.si_code == CLD_EXITED && info.si_status == 7);
    CHECK(FAILS(send_by(fd, 0, NULL, 0), ESRCH) && FAILS(syscall(SYS_pidfd_getfd, fd, 0, 0), ESRCH) && (events_of(fd) & POLLIN));
    CHECK(strstr(shown("fdinfo", fd), "\nPid:\t-1\n") != NULL && FAILS(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD));
    close(fd), close(epoll), close(ends[0]);
}

static void check_clone_pidfd(void) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } request = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
    int fd = -1, old = -1;
    request.pidfd = (uintptr_t)&fd;
    pid_t child = syscall(SYS_clone3, &request, sizeof request);
    if (child == 0) {
        // The descriptor is not the child's.
        sleep_ms(20);
        _exit(fcntl(3, F_GETFD) == -1 ? 3 : 4);
    }
    siginfo_t info = {0};
    CHECK(child > 0 && fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(waitid(P_PIDFD, fd, &info, WEXITED) == 0 && info.si_pid == child && info.si_code == CLD_EXITED);
    child = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &old, NULL, NULL);
    if (child == 0) _exit(5);
    CHECK(child > 0 && old >= 0 && waitid(P_PIDFD, old, &info, WEXITED) == 0 && info.si_status == 5);
    CHECK(FAILS(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &old, NULL, NULL), EINVAL));
    CHECK(FAILS(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, NOWHERE, NULL, NULL), EFAULT));
    close(fd), close(old);
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    fd = pidfd_of(getpid(), 0);
    info = (siginfo_t){.si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value.sival_int = 77};
    siginfo_t got = {0};
    CHECK(send_by(fd, SIGUSR1, &info, 0) == 0 && sigwaitinfo(&all, &got) == SIGUSR1 && got.si_value.sival_int == 77 && got.si_code == SI_QUEUE);
    CHECK(send_by(fd, SIGUSR2, NULL, 0) == 0 && sigwaitinfo(&all, &got) == SIGUSR2 && got.si_pid == getpid() && got.si_code == SI_USER);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fd);
}

static void check_pidfd(void) {
    check_pidfd_errors();
    check_pidfd_of_child();
    check_clone_pidfd();
}
