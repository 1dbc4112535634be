// Part of advisory.c: whose a record lock is, when tables of descriptors are shared, left and taken along.
// A lock belongs to the table of descriptors: who shares it with the process that set the lock keeps that when the process ends, and
// gives it up by closing.
static int obstructor;

static void *set_or_free(void *type) { return (void *)(long)(set(file, (int)(long)type, 0, 5) == 0); }

static void tables(void) {
    int answer[2];
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(set(file, F_WRLCK, 10, 5) == 0 && set(file, F_RDLCK, 30, 5) == 0 ? 0 : 1);
    CHECK(waitpid(child, &obstructor, 0) == child && obstructor == 0);
    // By whom it was set is still told.
    struct flock lock = lock_of(F_WRLCK, 0, 0);
    CHECK(pipe(answer) == 0);
    pid_t asker = fork();
    if (asker == 0) {
        lock = lock_of(F_WRLCK, 0, 0);
        write(answer[1], fcntl(file, F_GETLK, &lock) == 0 ? &lock : NULL, sizeof lock);
        _exit(0);
    }
    CHECK(read(answer[0], &lock, sizeof lock) == sizeof lock && lock.l_type == F_WRLCK && lock.l_start == 10 && lock.l_pid == child);
    waitpid(asker, NULL, 0), close(answer[0]), close(answer[1]);
    // They are the caller's own too.
    CHECK(set(file, F_WRLCK, 30, 5) == 0 && set(file, F_UNLCK, 30, 5) == 0);
    close(dup(file));
    CHECK(obstacle(F_WRLCK, 0, 0) == -1);
    // A table of its own from then on: of the lock it had before it keeps nothing if another has that table too.
    CHECK(set(file, F_WRLCK, 50, 5) == 0);
    child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        int alone = unshare(CLONE_FILES) == 0 && set(file, F_WRLCK, 50, 5) == -1;
        close(dup(file));
        _exit(alone ? 0 : 1);
    }
    CHECK(waitpid(child, &obstructor, 0) == child && obstructor == 0);
    CHECK(obstacle(F_WRLCK, 0, 0) == 50 + 1000000L * F_WRLCK && set(file, F_UNLCK, 0, 0) == 0);
    // A thread's lock is the process's when the thread is gone.
    pthread_t thread;
    void *done;
    CHECK(pthread_create(&thread, NULL, set_or_free, (void *)F_WRLCK) == 0 && pthread_join(thread, &done) == 0 && done != NULL);
    CHECK(obstacle(F_WRLCK, 0, 0) == 0 + 1000000L * F_WRLCK);
    CHECK(pthread_create(&thread, NULL, set_or_free, (void *)F_UNLCK) == 0 && pthread_join(thread, &done) == 0 && done != NULL);
    CHECK(obstacle(F_WRLCK, 0, 0) == -1);
}

// exec(3) in a process of several threads keeps them: the new program, this one, holds what the old one set.
static void *sleep_long(void *unused) {
    pause();
    return unused;
}

static void kept_by_exec(void) {
    int ready[2], go[2];
    char number[3][16];
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, sleep_long, NULL);
        if (set(file, F_WRLCK, 70, 5) != 0) _exit(1);
        int fds[3] = {ready[1], go[0], file};
        for (int i = 0; i < 3; i++) snprintf(number[i], sizeof number[i], "%d", fds[i]);
        execl("/proc/self/exe", "advisory", "held", number[0], number[1], number[2], NULL);
        _exit(2);
    }
    char byte;
    CHECK(read(ready[0], &byte, 1) == 1);
    struct flock lock = lock_of(F_WRLCK, 0, 0);
    CHECK(fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_start == 70 && lock.l_pid == child);
    CHECK(write(go[1], "", 1) == 1 && waitpid(child, &obstructor, 0) == child && obstructor == 0);
    lock = lock_of(F_WRLCK, 0, 0);
    CHECK(fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
    for (int i = 0; i < 2; i++) close(ready[i]), close(go[i]);
}

// What is executed.
static int held(char **numbers) {
    char byte;
    if (write(atoi(numbers[0]), "", 1) != 1 || read(atoi(numbers[1]), &byte, 1) != 1) return 1;
    return fcntl(atoi(numbers[2]), F_GETFD) == 0 ? 0 : 2;
}
