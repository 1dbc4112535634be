// Tries of calls that wait, of threads and processes, and of files.

static const struct timespec MOMENT = {.tv_nsec = 1000};

static int try_sleep(void) { return error_of(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &MOMENT, NULL)); }

static int try_interval_timer(void) {
    struct itimerval far = {.it_value = {1000, 0}}, off = {0};
    int error = error_of(setitimer(ITIMER_REAL, &far, NULL));
    arm(0);
    setitimer(ITIMER_REAL, &off, NULL);
    return error;
}

static int try_timer(void) {
    int id = -1;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec far = {.it_value = {1000, 0}};
    int error = error_of(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    if (!error) error = error_of(syscall(SYS_timer_settime, id, 0, &far, NULL));
    arm(0);
    if (id >= 0) syscall(SYS_timer_delete, id);
    return error;
}

static int until_moment(long result) {
    int error = error_of(result);
    return error == ETIMEDOUT || error == EAGAIN ? 0 : error;
}

static int try_futex(void) {
    static int word;
    return until_moment(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &MOMENT, NULL, 0));
}

static int try_poll_timeout(void) {
    struct pollfd entries[300];
    for (int i = 0; i < 300; i++) entries[i] = (struct pollfd){.fd = control - 1, .events = POLLIN};
    return error_of(syscall(SYS_ppoll, entries, 300, &(struct timespec){.tv_nsec = 1000}, NULL, 8));
}

static int try_select_timeout(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(control - 1, &set);
    struct timeval wait = {.tv_usec = 1};
    return error_of(select(control, &set, NULL, NULL, &wait));
}

static int try_wait_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return until_moment(syscall(SYS_rt_sigtimedwait, &set, NULL, &MOMENT, 8));
}

static int idle(void *unused) {
    (void)unused;
    syscall(SYS_exit, 0);
    return 0;
}

// A thread, and whether it is gone.
static int try_thread(void) {
    static char stack[8192] __attribute__((aligned(16)));
    static volatile int tid;
    tid = 0;
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |
                CLONE_CHILD_CLEARTID;
    int made = clone(idle, stack + sizeof stack, flags, NULL, &tid, NULL, &tid);
    int error = made < 0 ? errno : 0;
    arm(0);
    while (made >= 0 && tid != 0) sched_yield();
    return error;
}

static int try_clone_everything(void) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } request = {.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_FS, .exit_signal = SIGCHLD};
    int tid = 0;
    request.child_tid = request.parent_tid = (uintptr_t)&tid;
    long child = syscall(SYS_clone3, &request, sizeof request);
    if (child == 0) _exit(0);
    int error = child < 0 ? errno : 0;
    arm(0);
    if (child > 0) waitpid(child, NULL, 0);
    return error == ENOSYS ? 0 : error;
}

static int try_statistics(void) {
    struct rusage usage;
    struct tms times_of;
    struct sysinfo info;
    int error = error_of(getrusage(RUSAGE_SELF, &usage));
    if (!error) error = error_of(times(&times_of) == -1 ? -1 : 0);
    return error ? error : error_of(sysinfo(&info));
}

static int try_xattr(void) {
    char value[8];
    int error = error_of(syscall(SYS_setxattr, "/tmp/file", "user.some", "value", 5, 0));
    if (!error) error = error_of(syscall(SYS_getxattr, "/tmp/file", "user.some", value, sizeof value));
    if (!error) error = error_of(syscall(SYS_listxattr, "/tmp/file", value, 0));
    arm(0);
    syscall(SYS_removexattr, "/tmp/file", "user.some");
    return error;
}

static int with_file(int (*work)(int fd)) {
    int fd = open("/tmp/grown", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int error = fd < 0 ? errno : work(fd);
    arm(0);
    if (fd >= 0) close(fd);
    unlink("/tmp/grown");
    return error;
}

static int grow_and_shrink(int fd) {
    int error = error_of(ftruncate(fd, 1 << 20));
    if (!error) error = error_of(pwrite(fd, "text", 4, 700000));
    return error ? error : error_of(ftruncate(fd, 1000));
}
static int try_truncate(void) { return with_file(grow_and_shrink); }

static int reserve_blocks(int fd) { return error_of(fallocate(fd, 0, 0, 40 * 4096)); }
static int try_allocate(void) { return with_file(reserve_blocks); }

static int copy_here(int fd) {
    int from = open("/tmp/file", O_RDONLY);
    if (from < 0) return errno;
    int error = error_of(syscall(SYS_copy_file_range, from, NULL, fd, NULL, 4096, 0));
    close(from);
    return error;
}
static int try_copy_file(void) { return with_file(copy_here); }

static int send_here(int fd) {
    int from = open("/tmp/file", O_RDONLY);
    if (from < 0) return errno;
    int error = error_of(syscall(SYS_sendfile, fd, from, NULL, 4096));
    close(from);
    return error;
}
static int try_send_file(void) { return with_file(send_here); }

static int try_splice_tee(void) {
    int one[2], other[2];
    if (pipe(one) < 0) return errno;
    int error = error_of(pipe(other));
    bool is_whole = error == 0;
    if (!error) error = error_of(write(one[1], "text", 4));
    if (!error) error = error_of(syscall(SYS_tee, one[0], other[1], 4, 0));
    struct iovec parts[2] = {{"more", 4}, {"bytes", 5}};
    if (!error) error = error_of(syscall(SYS_vmsplice, one[1], parts, 2, 0));
    int from = error ? -1 : open("/tmp/file", O_RDONLY);
    if (!error) error = error_of(from);
    if (!error) error = error_of(syscall(SYS_splice, from, NULL, one[1], NULL, 4096, 0));
    if (!error) error = error_of(syscall(SYS_splice, one[0], NULL, other[1], NULL, 6, 0));
    arm(0);
    if (from >= 0) close(from);
    close(one[0]);
    close(one[1]);
    if (is_whole) close(other[0]);
    if (is_whole) close(other[1]);
    return error;
}

static int try_semaphores(void) {
    int id = semget(IPC_PRIVATE, 20, 0600);
    int error = error_of(id);
    struct sembuf many[20] = {{0}};
    for (int i = 0; i < 20; i++) many[i] = (struct sembuf){i, 1, SEM_UNDO};
    unsigned short values[20];
    if (!error) error = error_of(semop(id, many, 20));
    if (!error) error = error_of(semctl(id, 0, GETALL, values));
    if (!error) error = error_of(semctl(id, 0, SETALL, values));
    arm(0);
    if (id >= 0) semctl(id, 0, IPC_RMID);
    return error;
}

static int try_messages(void) {
    struct {
        long type;
        char bytes[20];
    } message = {3, "text"};
    int id = msgget(IPC_PRIVATE, 0600);
    int error = error_of(id);
    if (!error) error = error_of(msgsnd(id, &message, 4, 0));
    if (!error) error = error_of(msgrcv(id, &message, 20, 0, IPC_NOWAIT));
    arm(0);
    if (id >= 0) msgctl(id, IPC_RMID, NULL);
    return error;
}

static int try_posix_queue(void) {
    struct mq_attr wanted = {.mq_maxmsg = 2, .mq_msgsize = 8};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    char text[8];
    int queue = syscall(SYS_mq_open, "queue", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &wanted);
    int error = error_of(queue);
    if (!error) error = error_of(syscall(SYS_mq_notify, queue, &event));
    if (!error) error = error_of(syscall(SYS_mq_notify, queue, NULL));
    if (!error) error = error_of(syscall(SYS_mq_timedsend, queue, "text", 4, 3, NULL));
    if (!error) error = error_of(syscall(SYS_mq_timedreceive, queue, text, 8, NULL, NULL));
    if (!error) error = error_of(syscall(SYS_mq_unlink, "queue"));
    arm(0);
    syscall(SYS_mq_unlink, "queue");
    if (queue >= 0) close(queue);
    return error;
}

// Waits for a message that another thread's hand gives, and for a time that is over.
static int try_posix_wait(void) {
    char text[8];
    struct mq_attr wanted = {.mq_maxmsg = 1, .mq_msgsize = 8};
    unsigned left = left_over();
    arm(0);
    int queue = syscall(SYS_mq_open, "waited", O_RDWR | O_CREAT, 0600, &wanted);
    CHECK(queue >= 0 && syscall(SYS_mq_unlink, "waited") == 0);
    arm(left);
    int error = until_moment(syscall(SYS_mq_timedreceive, queue, text, 8, NULL, &MOMENT));
    if (!error) error = error_of(syscall(SYS_mq_timedsend, queue, "text", 4, 3, NULL));
    if (!error) error = until_moment(syscall(SYS_mq_timedsend, queue, "text", 4, 3, &MOMENT));
    arm(0);
    close(queue);
    return error;
}

static int chroot_in_child(void) { return error_of(chroot("/tmp")); }
static int try_chroot(void) { return in_child(chroot_in_child); }

// A child that the try makes beforehand, and that sleeps.
static pid_t sleeper(unsigned *left) {
    *left = left_over();
    arm(0);
    pid_t child = fork();
    if (child == 0) {
        for (;;) pause();
    }
    is_noted = false;
    arm(*left);
    return child;
}

static int try_stop_child(void) {
    unsigned left;
    pid_t child = sleeper(&left);
    int error = error_of(kill(child, SIGSTOP));
    int status = 0;
    if (!error) error = error_of(waitpid(child, &status, WUNTRACED));
    if (!error) error = error_of(kill(child, SIGCONT));
    arm(0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return error;
}

static int try_wait_child(void) {
    unsigned left;
    pid_t child = sleeper(&left);
    siginfo_t info;
    int error = error_of(kill(child, SIGKILL));
    if (!error) error = error_of(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    if (!error) error = error_of(waitpid(child, NULL, 0));
    arm(0);
    waitpid(child, NULL, 0);
    return error;
}

static int try_links(void) {
    char text[200];
    int error = error_of(readlink("/proc/self/exe", text, sizeof text));
    if (!error) error = error_of(readlink("/proc/self/fd/0", text, sizeof text));
    struct stat status;
    return error ? error : error_of(stat("/proc/self/root/tmp/link", &status));
}

static int try_owner(void) {
    int error = error_of(chown("/tmp/file", 5, 6));
    if (!error) error = error_of(chmod("/tmp/file", 0640));
    return error ? error : error_of(utimensat(AT_FDCWD, "/tmp/file", NULL, 0));
}

static int try_tasks(void) {
    int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
    if (fd < 0) return errno;
    char entries[2048];
    int error = error_of(syscall(SYS_getdents64, fd, entries, sizeof entries));
    arm(0);
    close(fd);
    return error;
}

static int try_pagemap(void) { return read_text("/proc/self/pagemap"); }
static int try_limits_text(void) { return read_text("/proc/self/limits"); }

static int try_syslog(void) {
    static char text[16384];
    return error_of(syscall(SYS_syslog, 3, text, sizeof text));
}

static int try_membarrier(void) { return error_of(syscall(SYS_membarrier, 16, 0, 0)); }

static int try_capabilities(void) {
    uint32_t header[2] = {0x20080522, 0}, data[6];
    int error = error_of(syscall(SYS_capget, header, data));
    return error ? error : error_of(syscall(SYS_capset, header, data));
}

static int dup_many(void) {
    for (int i = 0; i < 100; i++) {
        if (dup(0) < 0) return errno;
    }
    return error_of(dup2(0, 500) < 0 ? -1 : 0);
}
static int try_dup_many(void) { return in_child(dup_many); }

// A process with living and ended children, some of them in groups of their own that are stopped, ends.
static int leave_orphans(void) {
    for (int i = 0; i < 6; i++) {
        pid_t child = fork();
        if (child < 0) return errno;
        if (child == 0) {
            if (i % 3 == 1) setpgid(0, 0);
            if (i % 3 == 1) raise(SIGTSTP);
            _exit(0);
        }
    }
    return 0;
}
static int try_orphans(void) {
    int error = in_child(leave_orphans), status;
    for (pid_t orphan; (orphan = waitpid(-1, &status, WUNTRACED)) > 0;) {
        if (WIFSTOPPED(status)) kill(orphan, SIGKILL);
    }
    return error;
}
