// epoll(7).
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int watch(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epoll, operation, fd, &event);
}

// The events of the only file that is ready; 0 if there is none, ~0 if there are more or it is another one.
static uint32_t ready(int epoll, uint64_t data) {
    struct epoll_event events[4];
    int count = epoll_wait(epoll, events, 4, 0);
    if (count == 0) return 0;
    return count == 1 && events[0].data.u64 == data ? events[0].events : ~0u;
}

static int refused_by(int epoll, const char *path, int flags) {
    int file = open(path, flags), is_refused = FAILS(watch(epoll, EPOLL_CTL_ADD, file, EPOLLIN, 4), EPERM);
    close(file);
    return file >= 0 && is_refused;
}

// Of files that are always ready epoll takes those whose kind could have said otherwise: `events` is what it tells of this one.
static int is_always_ready(int epoll, const char *path, unsigned events) {
    struct epoll_event told[2];
    int file = open(path, O_RDONLY), is_ready = watch(epoll, EPOLL_CTL_ADD, file, EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM, 6) == 0;
    for (int i = 0; i < 2; i++) is_ready &= epoll_wait(epoll, told, 2, 0) == 1 && told[0].data.u64 == 6 && told[0].events == events;
    is_ready &= epoll_ctl(epoll, EPOLL_CTL_DEL, file, NULL) == 0 && epoll_wait(epoll, told, 2, 0) == 0;
    close(file);
    return is_ready;
}

static void check_what_is_watched(void) {
    enum { READ = EPOLLIN | EPOLLRDNORM, BOTH = READ | EPOLLOUT | EPOLLWRNORM };
    int epoll = epoll_create1(0);
    if (access("/dev/random", F_OK) != 0) mknod("/dev/random", S_IFCHR | 0600, makedev(1, 8));
    if (access("/dev/urandom", F_OK) != 0) mknod("/dev/urandom", S_IFCHR | 0600, makedev(1, 9));
    // Of processes only what is mounted; of the machine everything.
    for (int i = 0; i < 6; i++)
        CHECK(refused_by(epoll, (const char *[]){"/proc/self/maps", "/proc/self/stat", "/proc/self/cmdline", "/proc/self/status", "/proc/self/comm",
                                                 "/proc/self/smaps"}[i], O_RDONLY));
    CHECK(refused_by(epoll, "/proc/self", O_RDONLY) && refused_by(epoll, "/proc/sys", O_RDONLY));
    CHECK(is_always_ready(epoll, "/proc/mounts", READ) && is_always_ready(epoll, "/proc/self/mountinfo", READ));
    CHECK(is_always_ready(epoll, "/proc/meminfo", BOTH) && is_always_ready(epoll, "/proc/stat", BOTH) && is_always_ready(epoll, "/proc/uptime", BOTH));
    CHECK(is_always_ready(epoll, "/proc/sys/kernel/ostype", BOTH) && is_always_ready(epoll, "/proc/net/unix", BOTH));
    CHECK(is_always_ready(epoll, "/proc/locks", BOTH) && is_always_ready(epoll, "/proc/sysvipc/shm", BOTH));
    // Of the devices that are always ready, one.
    CHECK(is_always_ready(epoll, "/dev/random", READ));
    CHECK(refused_by(epoll, "/dev/urandom", O_RDONLY) && refused_by(epoll, "/dev/zero", O_RDONLY) && refused_by(epoll, "/dev/full", O_RDONLY));
    close(epoll);
}

static void check_epoll_errors(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, 0), ends[2];
    struct epoll_event event = {EPOLLIN, {0}}, events[2];
    CHECK(fcntl(epoll, F_GETFD) == FD_CLOEXEC && fcntl(epoll, F_GETFL) == O_RDWR && pipe(ends) == 0);
    CHECK(strcmp(shown("fd", epoll), "anon_inode:[eventpoll]") == 0);
    CHECK(FAILS(epoll_create1(1), EINVAL) && FAILS(epoll_create1(O_NONBLOCK), EINVAL));
    CHECK(FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, NOWHERE), EFAULT));
    CHECK(FAILS(epoll_ctl(99, EPOLL_CTL_ADD, fd, &event), EBADF) && FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, 99, &event), EBADF));
    CHECK(FAILS(epoll_ctl(fd, EPOLL_CTL_ADD, ends[0], &event), EINVAL) && FAILS(epoll_ctl(epoll, 7, fd, &event), EINVAL));
    CHECK(FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &event), EINVAL));
    CHECK(FAILS(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event), ENOENT) && FAILS(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL), ENOENT));
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1) == 0 && FAILS(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT, 2), EEXIST));
    // By another descriptor it is another one.
    int copy = dup(fd);
    CHECK(watch(epoll, EPOLL_CTL_ADD, copy, EPOLLIN, 3) == 0 && epoll_ctl(epoll, EPOLL_CTL_DEL, copy, NULL) == 0);
    int file = open("/tmp/file", O_RDWR | O_CREAT, 0600), folder = open("/tmp", O_RDONLY), null = open("/dev/null", O_RDWR);
    CHECK(FAILS(watch(epoll, EPOLL_CTL_ADD, file, EPOLLIN, 4), EPERM) && FAILS(watch(epoll, EPOLL_CTL_ADD, folder, EPOLLIN, 4), EPERM));
    CHECK(FAILS(watch(epoll, EPOLL_CTL_ADD, null, EPOLLIN, 4), EPERM));
    int place = open("/tmp", O_PATH);
    CHECK(FAILS(watch(epoll, EPOLL_CTL_ADD, place, EPOLLIN, 4), EBADF));
    CHECK(FAILS(syscall(SYS_epoll_pwait, epoll, events, 0, 0, NULL, 8), EINVAL) && FAILS(syscall(SYS_epoll_pwait, epoll, events, -1, 0, NULL, 8), EINVAL));
    CHECK(FAILS(epoll_wait(fd, events, 2, 0), EINVAL) && FAILS(epoll_wait(99, events, 2, 0), EBADF));
    CHECK(FAILS(epoll_wait(epoll, (void *)0xffffff8000000000, 2, 0), EFAULT) && epoll_wait(epoll, NOWHERE, 2, 0) == 0);
    CHECK(FAILS(syscall(SYS_epoll_pwait, epoll, events, 2, 0, events, 7), EINVAL));
    CHECK(FAILS(read(epoll, events, 8), EINVAL) && FAILS(write(epoll, events, 8), EINVAL));
    put_count(fd, 1);
    // What could not be told stays.
    CHECK(FAILS(epoll_wait(epoll, NOWHERE, 2, 0), EFAULT) && ready(epoll, 1) == EPOLLIN);
    for (int i = 0; i < 5; i++) close((int[]){copy, file, folder, null, place}[i]);
    close(ends[0]), close(ends[1]), close(fd), close(epoll);
}

static void check_level(void) {
    int epoll = epoll_create1(0), ends[2];
    char byte;
    CHECK(pipe2(ends, O_NONBLOCK) == 0 && watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 5) == 0);
    CHECK(ready(epoll, 5) == 0 && events_of(epoll) == 0);
    CHECK(write(ends[1], "ab", 2) == 2 && ready(epoll, 5) == EPOLLIN && ready(epoll, 5) == EPOLLIN && events_of(epoll) == (POLLIN | POLLRDNORM));
    CHECK(read(ends[0], &byte, 1) == 1 && ready(epoll, 5) == EPOLLIN && read(ends[0], &byte, 1) == 1 && ready(epoll, 5) == 0);
    CHECK(watch(epoll, EPOLL_CTL_MOD, ends[0], 0, 6) == 0 && write(ends[1], "c", 1) == 1 && ready(epoll, 6) == 0);
    CHECK(watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLRDNORM, 7) == 0 && ready(epoll, 7) == (EPOLLIN | EPOLLRDNORM));
    close(ends[1]);
    CHECK(ready(epoll, 7) == (EPOLLIN | EPOLLRDNORM | EPOLLHUP) && read(ends[0], &byte, 1) == 1 && ready(epoll, 7) == EPOLLHUP);
    CHECK(watch(epoll, EPOLL_CTL_MOD, ends[0], 0, 8) == 0 && ready(epoll, 8) == EPOLLHUP);
    // With the file it is gone.
    close(ends[0]);
    CHECK(ready(epoll, 8) == 0 && strstr(shown("fdinfo", epoll), "tfd:") == NULL);
    CHECK(pipe2(ends, O_NONBLOCK) == 0 && watch(epoll, EPOLL_CTL_ADD, ends[1], EPOLLOUT, 9) == 0 && ready(epoll, 9) == EPOLLOUT);
    while (write(ends[1], shown("fdinfo", epoll), 4096) == 4096) {
    }
    CHECK(ready(epoll, 9) == 0);
    close(ends[0]);
    CHECK((ready(epoll, 9) & (EPOLLERR | EPOLLOUT)) != 0);
    close(ends[1]), close(epoll);
}

static void check_edge(void) {
    int epoll = epoll_create1(0), ends[2];
    char bytes[4];
    CHECK(pipe2(ends, O_NONBLOCK) == 0 && write(ends[1], "a", 1) == 1);
    CHECK(watch(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET, 5) == 0);
    CHECK(ready(epoll, 5) == EPOLLIN && ready(epoll, 5) == 0 && events_of(epoll) == 0);
    // Each write is told, each read is not.
    CHECK(write(ends[1], "bc", 2) == 2 && ready(epoll, 5) == EPOLLIN && ready(epoll, 5) == 0);
    CHECK(read(ends[0], bytes, 1) == 1 && ready(epoll, 5) == 0);
    CHECK(write(ends[1], "d", 1) == 1 && write(ends[1], "e", 1) == 1 && events_of(epoll) != 0 && ready(epoll, 5) == EPOLLIN && ready(epoll, 5) == 0);
    CHECK(watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 6) == 0 && ready(epoll, 6) == EPOLLIN && ready(epoll, 6) == 0);
    CHECK(read(ends[0], bytes, 4) == 4 && ready(epoll, 6) == 0 && write(ends[1], "f", 1) == 1 && read(ends[0], bytes, 1) == 1);
    CHECK(ready(epoll, 6) == 0 && watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 7) == 0 && ready(epoll, 7) == 0);
    CHECK(write(ends[1], "g", 1) == 1 && ready(epoll, 7) == EPOLLIN && ready(epoll, 7) == 0 && write(ends[1], "h", 1) == 1);
    CHECK(ready(epoll, 7) == 0 && strstr(shown("fdinfo", epoll), " events: 40000000 data:                7 ") != NULL);
    CHECK(watch(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 8) == 0 && ready(epoll, 8) == EPOLLIN);
    // Disarmed, not even a hang-up is told.
    close(ends[1]);
    CHECK(ready(epoll, 8) == 0);
    int fd = eventfd(0, EFD_NONBLOCK);
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 9) == 0 && ready(epoll, 9) == EPOLLOUT && ready(epoll, 9) == 0);
    for (int i = 0; i < 3; i++) CHECK(put_count(fd, 1) == 8 && ready(epoll, 9) == (EPOLLIN | EPOLLOUT) && ready(epoll, 9) == 0);
    close(fd), close(ends[0]), close(epoll);
}

// Files are told in turn, as many as there is room for.
static void check_turns(void) {
    int epoll = epoll_create1(0), fds[5], seen[5] = {0};
    struct epoll_event events[2];
    for (int i = 0; i < 5; i++) CHECK((fds[i] = eventfd(1, 0)) >= 0 && watch(epoll, EPOLL_CTL_ADD, fds[i], EPOLLIN, i) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK(epoll_wait(epoll, events, 2, 0) == 2 && events[0].data.u64 != events[1].data.u64);
        seen[events[0].data.u64]++, seen[events[1].data.u64]++;
    }
    for (int i = 0; i < 5; i++) CHECK(seen[i] == 2);
    for (int i = 0; i < 5; i++) close(fds[i]);
    CHECK(epoll_wait(epoll, events, 2, 0) == 0);
    close(epoll);
}

// The open file is watched, not the descriptor.
static void check_descriptions(void) {
    int epoll = epoll_create1(0), fd = eventfd(1, 0), copy = dup(fd);
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 5) == 0);
    close(fd);
    CHECK(ready(epoll, 5) == EPOLLIN && FAILS(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL), EBADF));
    CHECK(FAILS(epoll_ctl(epoll, EPOLL_CTL_DEL, copy, NULL), ENOENT));
    pid_t child = start_child();
    if (child == 0) {
        CHECK(ready(epoll, 5) == EPOLLIN && watch(epoll, EPOLL_CTL_ADD, copy, EPOLLIN, 6) == 0);
        close(epoll);
        end_child();
    }
    CHECK(child_passed(child));
    struct epoll_event events[4];
    CHECK(epoll_wait(epoll, events, 4, 0) == 2 && epoll_ctl(epoll, EPOLL_CTL_DEL, copy, NULL) == 0 && ready(epoll, 5) == EPOLLIN);
    close(copy);
    CHECK(ready(epoll, 5) == 0);
    close(epoll);
}

static void check_nested(void) {
    int inner = epoll_create1(0), outer = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);
    CHECK(watch(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 1) == 0 && FAILS(watch(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 1), ELOOP));
    CHECK(watch(inner, EPOLL_CTL_ADD, fd, EPOLLIN, 2) == 0 && ready(outer, 1) == 0 && put_count(fd, 1) == 8);
    CHECK(ready(outer, 1) == EPOLLIN && ready(outer, 1) == EPOLLIN && ready(inner, 2) == EPOLLIN && events_of(outer) != 0);
    CHECK(get_count(fd) == 1 && ready(outer, 1) == 0 && ready(inner, 2) == 0);
    CHECK(watch(outer, EPOLL_CTL_MOD, inner, EPOLLIN | EPOLLET, 1) == 0 && put_count(fd, 1) == 8 && ready(outer, 1) == EPOLLIN && ready(outer, 1) == 0);
    CHECK(FAILS(watch(outer, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLEXCLUSIVE, 1), EINVAL));
    int chain[9];
    for (int i = 0; i < 9; i++) chain[i] = epoll_create1(0);
    for (int i = 0; i < 3; i++) CHECK(watch(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, 0) == 0);
    // However it is put together, so long a chain is none.
    int failed_one = 0;
    for (int i = 3; i < 8; i++) failed_one |= FAILS(watch(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, 0), ELOOP);
    for (int i = 2; i >= 0; i--) epoll_ctl(chain[i], EPOLL_CTL_DEL, chain[i + 1], NULL);
    for (int i = 7; i >= 0; i--) failed_one |= FAILS(watch(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, 0), ELOOP);
    CHECK(failed_one && FAILS(watch(chain[3], EPOLL_CTL_ADD, chain[2], EPOLLIN, 0), ELOOP));
    for (int i = 0; i < 9; i++) close(chain[i]);
    close(inner);
    CHECK(ready(outer, 1) == 0);
    close(outer), close(fd);
}

static void *wait_one(void *epoll) {
    struct epoll_event event;
    return (void *)(long)epoll_wait(*(int *)epoll, &event, 1, 500);
}

static void check_waiting(void) {
    int epoll = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);
    struct epoll_event events[2];
    pthread_t thread, threads[3];
    CHECK(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 5) == 0 && epoll_wait(epoll, events, 2, 20) == 0);
    pthread_create(&thread, NULL, write_later, &fd);
    CHECK(epoll_wait(epoll, events, 2, 5000) == 1 && events[0].events == EPOLLIN && pthread_join(thread, NULL) == 0 && get_count(fd) == 7);
    pthread_create(&thread, NULL, write_later, &fd);
    struct pollfd one = {epoll, POLLIN, 0};
    CHECK(poll(&one, 1, 5000) == 1 && pthread_join(thread, NULL) == 0 && get_count(fd) == 7);
    // A signal ends it, whatever the handler says.
    interrupt_after(20);
    CHECK(FAILS(epoll_wait(epoll, events, 2, 5000), EINTR));
    sigset_t all, none;
    sigfillset(&all), sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, NULL);
    interrupt_after(20);
    CHECK(epoll_wait(epoll, events, 2, 60) == 0);
    CHECK(FAILS(epoll_pwait(epoll, events, 2, 5000, &none), EINTR) && sigprocmask(SIG_SETMASK, &none, &all) == 0 && sigismember(&all, SIGALRM));
    struct timespec moment = {0, 1000}, wrong = {0, 1000000000};
    CHECK(syscall(SYS_epoll_pwait2, epoll, events, 2, &moment, NULL, 8) == 0);
    CHECK(FAILS(syscall(SYS_epoll_pwait2, epoll, events, 2, &wrong, NULL, 8), EINVAL));
    CHECK(FAILS(syscall(SYS_epoll_pwait2, epoll, events, 2, NOWHERE, NULL, 8), EFAULT));
    // One edge is for one of those who wait.
    CHECK(watch(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 5) == 0);
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, wait_one, &epoll);
    sleep_ms(50);
    put_count(fd, 1);
    long told = 0;
    for (int i = 0; i < 3; i++) {
        void *count;
        pthread_join(threads[i], &count);
        told += (long)count;
    }
    CHECK(told == 1);
    // So is one that is told to one epoll of several.
    int others[3];
    CHECK(get_count(fd) == 1 && epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
    CHECK(FAILS(watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1), EINVAL));
    for (int i = 0; i < 3; i++) others[i] = epoll_create1(0);
    for (int i = 0; i < 3; i++) CHECK(watch(others[i], EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, i) == 0);
    CHECK(FAILS(watch(others[0], EPOLL_CTL_MOD, fd, EPOLLIN, 1), EINVAL));
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, wait_one, &others[i]);
    sleep_ms(50);
    put_count(fd, 1);
    told = 0;
    for (int i = 0; i < 3; i++) {
        void *count;
        pthread_join(threads[i], &count);
        told += (long)count;
        close(others[i]);
    }
    CHECK(told >= 1);
    close(fd), close(epoll);
}

static void check_watch_limit(void) {
    int setting = open("/proc/sys/fs/epoll/max_user_watches", O_RDWR);
    char before[32] = "", text[8];
    CHECK(read(setting, before, sizeof before - 1) > 0 && atol(before) > 1000);
    CHECK(pwrite(setting, "0", 1, 0) == 1 || errno == EINVAL);
    CHECK(pwrite(setting, "3\n", 2, 0) == 2 && pread(setting, text, 8, 0) == 2 && text[0] == '3');
    int epoll = epoll_create1(0), fds[4];
    for (int i = 0; i < 4; i++) fds[i] = eventfd(0, 0);
    for (int i = 0; i < 3; i++) CHECK(watch(epoll, EPOLL_CTL_ADD, fds[i], EPOLLIN, i) == 0);
    CHECK(FAILS(watch(epoll, EPOLL_CTL_ADD, fds[3], EPOLLIN, 3), ENOSPC));
    close(fds[0]);
    CHECK(watch(epoll, EPOLL_CTL_ADD, fds[3], EPOLLIN, 3) == 0);
    for (int i = 1; i < 4; i++) close(fds[i]);
    CHECK(pwrite(setting, before, strlen(before), 0) == (ssize_t)strlen(before));
    close(epoll), close(setting);
}

static void check_epoll(void) {
    check_epoll_errors();
    check_what_is_watched();
    check_level();
    check_edge();
    check_turns();
    check_descriptions();
    check_nested();
    check_waiting();
    check_watch_limit();
}
