// Tries that change areas of memory, or begin another program in them.

static const size_t PAGE = 4096;

static int unmapped(void *at, size_t len, int error) {
    arm(0);
    if (at != MAP_FAILED) munmap(at, len);
    return error;
}

static int map_with(int flags, int fd) {
    char *at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    return unmapped(at, 8 * PAGE, at == MAP_FAILED ? errno : 0);
}
static int try_map(void) { return map_with(MAP_PRIVATE | MAP_ANONYMOUS, -1); }
static int try_map_shared(void) { return map_with(MAP_SHARED | MAP_ANONYMOUS, -1); }
static int try_map_file(void) {
    int fd = open("/tmp/file", O_RDWR);
    if (fd < 0) return errno;
    int error = map_with(MAP_SHARED, fd);
    arm(0);
    close(fd);
    return error;
}

static int try_segment(void) {
    int id = shmget(0x7a11, 3 * PAGE, IPC_CREAT | 0600), error = error_of(id);
    char *at = (char *)-1;
    if (!error) error = error_of((long)(at = shmat(id, NULL, 0)));
    if (!error) error = error_of(shmctl(id, IPC_STAT, &(struct shmid_ds){0}));
    arm(0);
    if (at != (char *)-1) shmdt(at);
    if (id >= 0) shmctl(id, IPC_RMID, NULL);
    return error;
}

// Some areas beside one another, made before the try.
static char *many(int count) {
    unsigned left = left_over();
    arm(0);
    char *at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < count; i += 2) mprotect(at + i * PAGE, PAGE, PROT_READ);
    is_noted = false;
    arm(left);
    return at;
}

static int try_split(void) {
    char *at = many(120);
    int error = error_of(munmap(at + 57 * PAGE, 6 * PAGE));
    if (!error) error = error_of(munmap(at + 11 * PAGE, PAGE));
    return unmapped(at, 120 * PAGE, error);
}

static int try_protect(void) {
    char *at = many(120);
    int error = error_of(mprotect(at + 20 * PAGE, 61 * PAGE, PROT_NONE));
    if (!error) error = error_of(mprotect(at + 90 * PAGE, PAGE, PROT_WRITE));
    return unmapped(at, 120 * PAGE, error);
}

static int try_move(void) {
    char *at = many(9);
    char *to = mremap(at + PAGE, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    int error = to == MAP_FAILED ? errno : 0;
    arm(0);
    if (to != MAP_FAILED) munmap(to, 4 * PAGE);
    return unmapped(at, 9 * PAGE, error);
}

static int try_grow_break(void) {
    char *before = sbrk(0);
    long after = syscall(SYS_brk, before + 40 * PAGE);
    arm(0);
    // brk(2) says by the old break that it could not.
    int error = after == (long)(before + 40 * PAGE) ? 0 : ENOMEM;
    syscall(SYS_brk, before);
    return error;
}

static int try_advise(void) {
    char *at = many(20);
    int error = error_of(madvise(at, 20 * PAGE, MADV_DONTFORK));
    if (!error) error = error_of(madvise(at, 20 * PAGE, MADV_DONTNEED));
    return unmapped(at, 20 * PAGE, error);
}

static int try_populate(void) {
    return map_with(MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
}

static int try_lock_memory(void) {
    char *at = many(9);
    int error = error_of(mlock(at, 9 * PAGE));
    return unmapped(at, 9 * PAGE, error);
}

// What is shared with a parent is copied first: in the child, which says what became of it.
static bool may_die;

static int in_child(Try make) {
    unsigned left = left_over();
    arm(0);
    pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) {
        int own = open("/proc/self/fail-nth", O_RDWR);
        char text[16];
        int len = snprintf(text, sizeof text, "%u%s", left, counted);
        if (own < 0 || pwrite(own, text, len, 0) != len) _exit(99);
        control = own;
        int error = make();
        len = pread(own, text, sizeof text - 1, 0);
        if (pwrite(own, "0", 1, 0) != 1 || len < 1) _exit(99);
        text[len] = 0;
        // 100 and more: all of it was done, and nothing was refused.
        _exit(error == 0 && strtoul(text, NULL, 10) != 0 ? 100 : error);
    }
    int status = -1;
    waitpid(child, &status, 0);
    // A program that has begun may end for want of memory; so may one that exec had given up already, as on Linux.
    bool is_dead = WIFSIGNALED(status) && may_die;
    if (is_dead || (may_die && WEXITSTATUS(status) == 127)) return ENOMEM;
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 99) return EIO;
    bool was_done = WEXITSTATUS(status) == 100;
    noted = was_done;
    is_noted = true;
    return was_done ? 0 : WEXITSTATUS(status);
}

// From memory that another process might have.
static int try_others_memory(void) {
    char from[100] = {1}, to[100] = {0};
    struct iovec own = {to, sizeof to}, others = {from, sizeof from};
    return error_of(process_vm_readv(getpid(), &own, 1, &others, 1, 0));
}

static int map_one(void) { return mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0; }
static int try_map_after_fork(void) { return in_child(map_one); }

static int execute(char **arguments) {
    char *environment[] = {"FAIL_NTH=end", NULL};
    execve("/proc/self/exe", arguments, environment);
    return errno;
}

// A program that begins has the count of its thread; it ends at once (main looks at its environment) and says what is left of it.
static int exec_one(void) {
    char *arguments[] = {"fail_nth", NULL};
    return execute(arguments);
}
static int begin(Try make) {
    may_die = true;
    int error = in_child(make);
    may_die = false;
    return error;
}
static int try_exec(void) { return begin(exec_one); }

// exec in a table of descriptors that another has as well: where it fails, the two see each other's descriptors as before.
static int exec_sharing_files(void) {
    enum { FAR = 90 };
    unsigned left = left_over();
    arm(0);
    int ends[2], ready[2];
    char byte;
    struct sigaction action = {.sa_handler = nothing};
    if (pipe(ends) < 0 || pipe(ready) < 0 || dup3(0, FAR - 1, O_CLOEXEC) < 0 || sigaction(SIGUSR1, &action, NULL) < 0) _exit(99);
    pid_t other = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (other < 0) _exit(99);
    if (other == 0) {
        // It ends with the other where that has become another program.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (write(ready[1], "", 1) != 1 || read(ends[0], &byte, 1) != 1) _exit(99);
        _exit(fcntl(FAR, F_GETFD) == 0 ? 0 : 98);
    }
    if (read(ready[0], &byte, 1) != 1) _exit(99);
    arm(left);
    int error = exec_one();
    arm(0);
    int status = -1;
    if (dup2(0, FAR) != FAR || write(ends[1], "", 1) != 1 || waitpid(other, &status, 0) != other) _exit(99);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? error : EIO;
}
static int try_exec_sharing(void) { return begin(exec_sharing_files); }

static int exec_many(void) {
    static char *arguments[400];
    static char text[300];
    memset(text, 'a', sizeof text - 1);
    for (int i = 0; i < 399; i++) arguments[i] = text;
    return execute(arguments);
}
static int try_exec_arguments(void) { return begin(exec_many); }

static int descriptors_grow(void) {
    for (int fd = 20; fd < 1000; fd += 70) {
        if (fcntl(0, F_DUPFD, fd) < 0) return errno;
    }
    return 0;
}
static int try_descriptors_grow(void) { return in_child(descriptors_grow); }
