// eventfd2(2).

static int put_count(int fd, uint64_t count) { return write(fd, &count, 8); }

static uint64_t get_count(int fd) {
    uint64_t count = 0;
    return read(fd, &count, 8) == 8 ? count : ~0ull;
}

static void *write_later(void *fd) {
    sleep_ms(30);
    put_count(*(int *)fd, 7);
    return NULL;
}

static void *read_later(void *fd) {
    sleep_ms(30);
    get_count(*(int *)fd);
    return NULL;
}

static void check_counting(void) {
    int fd = eventfd(5, EFD_NONBLOCK);
    uint64_t count = 0;
    CHECK(fd >= 0 && fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK) && fcntl(fd, F_GETFD) == 0);
    CHECK(events_of(fd) == (POLLIN | POLLOUT) && get_count(fd) == 5);
    CHECK(FAILS(read(fd, &count, 8), EAGAIN) && events_of(fd) == POLLOUT);
    CHECK(put_count(fd, 0) == 8 && FAILS(read(fd, &count, 8), EAGAIN));
    CHECK(put_count(fd, 3) == 8 && put_count(fd, 4) == 8 && get_count(fd) == 7);
    CHECK(FAILS(put_count(fd, ~0ull), EINVAL) && put_count(fd, ~0ull - 1) == 8);
    CHECK(FAILS(put_count(fd, 1), EAGAIN) && events_of(fd) == POLLIN && put_count(fd, 0) == 8);
    CHECK(get_count(fd) == ~0ull - 1);
    CHECK(FAILS(read(fd, &count, 7), EINVAL) && FAILS(write(fd, &count, 7), EINVAL));
    CHECK(FAILS(read(fd, NOWHERE, 8), EAGAIN) && FAILS(write(fd, NOWHERE, 8), EFAULT));
    // What could not be told is gone.
    CHECK(put_count(fd, 2) == 8 && FAILS(read(fd, NOWHERE, 8), EFAULT) && FAILS(read(fd, &count, 8), EAGAIN));
    uint64_t many[2] = {0, 9};
    CHECK(put_count(fd, 2) == 8 && read(fd, many, 16) == 8 && many[0] == 2 && many[1] == 9);
    close(fd);
}

static void check_eventfd_as_file(void) {
    int fd = eventfd(0x1f, EFD_CLOEXEC | EFD_SEMAPHORE);
    struct stat status, other;
    CHECK(fcntl(fd, F_GETFL) == O_RDWR && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(strcmp(shown("fd", fd), "anon_inode:[eventfd]") == 0);
    CHECK(strstr(shown("fdinfo", fd), "\neventfd-count:               1f\n") != NULL);
    CHECK(fstat(fd, &status) == 0 && status.st_mode == 0600 && status.st_size == 0 && status.st_nlink == 1);
    int second = eventfd(0, 0);
    CHECK(fstat(second, &other) == 0 && other.st_ino == status.st_ino && other.st_dev == status.st_dev);
    close(second);
    CHECK(lseek(fd, 5, SEEK_SET) == 0 && FAILS(pread(fd, &status, 8, 0), ESPIPE) && FAILS(pwrite(fd, &status, 8, 0), ESPIPE));
    CHECK(FAILS(ftruncate(fd, 0), EINVAL));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(FAILS(open(path, O_RDWR), ENXIO));
    for (int i = 0; i < 31; i++) CHECK(get_count(fd) == 1);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && FAILS(read(fd, path, 8), EAGAIN));
    close(fd);
    CHECK(FAILS(eventfd(0, 2), EINVAL) && FAILS(eventfd(0, O_APPEND), EINVAL));
}

static void check_blocking(void) {
    int fd = eventfd(0, 0);
    pthread_t thread;
    uint64_t count = 0;
    pthread_create(&thread, NULL, write_later, &fd);
    CHECK(get_count(fd) == 7 && pthread_join(thread, NULL) == 0);
    pthread_create(&thread, NULL, write_later, &fd);
    struct pollfd one = {fd, POLLIN, 0};
    CHECK(poll(&one, 1, 5000) == 1 && one.revents == POLLIN && get_count(fd) == 7 && pthread_join(thread, NULL) == 0);
    CHECK(put_count(fd, ~0ull - 1) == 8);
    pthread_create(&thread, NULL, read_later, &fd);
    CHECK(put_count(fd, 1) == 8 && pthread_join(thread, NULL) == 0 && get_count(fd) == 1);
    interrupt_after(20);
    CHECK(FAILS(read(fd, &count, 8), EINTR));
    close(fd);
    // One write for three readers.
    fd = eventfd(0, EFD_SEMAPHORE);
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = start_child();
        if (children[i] == 0) {
            CHECK(get_count(fd) == 1);
            end_child();
        }
    }
    sleep_ms(30);
    CHECK(put_count(fd, 3) == 8);
    for (int i = 0; i < 3; i++) CHECK(child_passed(children[i]));
    close(fd);
}

static void check_eventfd(void) {
    check_counting();
    check_eventfd_as_file();
    check_blocking();
}
