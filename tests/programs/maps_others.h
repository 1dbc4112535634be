// Memory of another process: process_vm_readv(2), process_vm_writev(2).

#define AT(start, bytes) {(void *)(start), (bytes)}

static ssize_t read_from(pid_t pid, struct iovec *own, struct iovec *others, int count) {
    return process_vm_readv(pid, own, count, others, count, 0);
}

static ssize_t write_to(pid_t pid, void *from, volatile void *to, size_t len) {
    struct iovec own = AT(from, len), others = AT(to, len);
    return process_vm_writev(pid, &own, 1, &others, 1, 0);
}

// The child waits with its memory as it was at the fork until a byte comes, then checks what its parent has written to it.
static void checked_by_child(volatile char *memory, int go) {
    char byte;
    CHECK(read(go, &byte, 1) == 1);
    CHECK(memory[0] == 'w' && memory[2 * PAGE - 1] == 'w' && memory[2 * PAGE] == 2 && memory[3 * PAGE] == 0);
    end_child();
}

static void others_memory(void) {
    volatile char *memory = map(6, PROT_READ | PROT_WRITE);
    for (int page = 0; page < 3; page++) memory[page * PAGE] = page;
    CHECK(mprotect((void *)(memory + 4 * PAGE), PAGE, PROT_READ) == 0);
    CHECK(munmap((void *)(memory + 5 * PAGE), PAGE) == 0);
    int go[2];
    CHECK(pipe(go) == 0);
    pid_t child = start_child();
    if (child == 0) checked_by_child(memory, go[0]);

    // A store to a shared page is seen by its process alone.
    static char bytes[6 * PAGE];
    memset(bytes, 'w', sizeof bytes);
    CHECK(write_to(child, bytes, memory, 2 * PAGE) == 2 * PAGE);
    CHECK(memory[0] == 0 && memory[PAGE] == 1 && memory[2 * PAGE - 1] == 0);
    // Ranges of different shapes, across pages, one of them a page that nobody has touched.
    struct iovec own[] = {AT(bytes, 10), AT(bytes + 100, 2 * PAGE)};
    struct iovec others[] = {AT(memory + PAGE, 5), AT(memory + 2 * PAGE - 1, PAGE + 6)};
    CHECK(read_from(child, own, others, 2) == PAGE + 11);
    CHECK(bytes[0] == 'w' && bytes[5] == 'w' && bytes[6] == 2 && bytes[7] == 0 && bytes[100] == 0);
    // As far as it goes.
    struct iovec all = AT(bytes, 6 * PAGE), theirs = AT(memory, 6 * PAGE);
    CHECK(read_from(child, &all, &theirs, 1) == 5 * PAGE);
    CHECK(write_to(child, bytes, memory + 4 * PAGE, 1) == -1 && errno == EFAULT);
    CHECK(write_to(child, bytes, memory + 5 * PAGE, 1) == -1 && errno == EFAULT);
    CHECK(write_to(child, (void *)(memory + 5 * PAGE), memory, 1) == -1 && errno == EFAULT);
    CHECK(write_to(child, bytes, opaque(-4096ul), 1) == -1 && errno == EFAULT);
    // Nothing is nothing, whoever is asked.
    struct iovec none = AT(memory, 0);
    CHECK(read_from(0x3fffffff, &none, &theirs, 1) == 0 && read_from(0x3fffffff, &all, &none, 1) == 0);
    CHECK(read_from(0x3fffffff, &all, &theirs, 1) == -1 && errno == ESRCH);
    CHECK(read_from(0, &all, &theirs, 1) == -1 && errno == ESRCH);
    CHECK(process_vm_readv(child, &all, 1, &theirs, 1, 1) == -1 && errno == EINVAL);
    CHECK(process_vm_readv(child, &all, 1, &theirs, 1025, 0) == -1 && errno == EINVAL);
    struct iovec negative = AT(memory, -1ul);
    CHECK(read_from(child, &all, &negative, 1) == -1 && errno == EINVAL);
    // Its own, too; but not somebody's.
    CHECK(read_from(getpid(), &all, &theirs, 1) == 5 * PAGE && bytes[2 * PAGE] == 2);
    pid_t stranger = start_child();
    if (stranger == 0) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK(read_from(child, &all, &theirs, 1) == -1 && errno == EPERM);
        CHECK(write_to(child, bytes, memory, 1) == -1 && errno == EPERM);
        end_child();
    }
    CHECK(child_passed(stranger));
    CHECK(write(go[1], "", 1) == 1 && child_passed(child));
    // Who has ended has no memory.
    pid_t ended = fork();
    if (ended == 0) _exit(0);
    siginfo_t info;
    CHECK(waitid(P_PID, ended, &info, WEXITED | WNOWAIT) == 0);
    CHECK(read_from(ended, &all, &theirs, 1) == -1 && errno == ESRCH);
    CHECK(waitpid(ended, NULL, 0) == ended);
    close(go[0]);
    close(go[1]);
    munmap((void *)memory, 5 * PAGE);
}
