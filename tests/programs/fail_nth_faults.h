// Page faults with their n-th allocation refused, and calls with only their frames refused.

// In a process of its own, with or without somebody beside it who is ended for memory first: what it touches has to be there, and
// what it must not touch unchanged.
struct fault {
    const char *name;
    // Made before the process that takes the fault is forked.
    void (*prepare)(void);
    // Made in it, before it is armed.
    void (*begin)(void);
    void (*touch)(void);
    // In the parent, afterwards.
    int (*is_intact)(void);
    void (*finish)(void);
};

enum { WIDE = 4 << 20 };
static char *place;
static size_t place_len;
static int place_fd = -1;

static void map_place(size_t len, int flags, int fd) {
    place_len = len;
    place = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);
    CHECK(place != MAP_FAILED);
}

static void unmap_place(void) {
    munmap(place, place_len);
    if (place_fd >= 0) close(place_fd);
    place_fd = -1;
}

static void prepare_zeros(void) { map_place(WIDE, MAP_PRIVATE | MAP_ANONYMOUS, -1); }
static void prepare_far(void) { map_place(3L << 30, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1); }
static void prepare_touched(void) {
    prepare_zeros();
    memset(place, 'p', place_len);
}
static void prepare_shared(void) { map_place(WIDE, MAP_SHARED | MAP_ANONYMOUS, -1); }
static void prepare_file(void) {
    place_fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    CHECK(ftruncate(place_fd, WIDE) == 0);
    map_place(WIDE, MAP_SHARED, place_fd);
}
static void prepare_copy(void) {
    prepare_file();
    CHECK(pwrite(place_fd, "p", 1, 0) == 1);
    munmap(place, place_len);
    map_place(WIDE, MAP_PRIVATE, place_fd);
}

static void begin_nothing(void) {}
// The table is the process's own, the page is not.
static void begin_beside(void) { place[4096] = 'b'; }

static void touch_first(void) { *(volatile char *)place = 'c'; }
static void touch_middle(void) { ((volatile char *)place)[1L << 30] = 'c'; }
static int zeros = -1;
static void begin_read(void) { zeros = open("/dev/zero", O_RDONLY); }
static void touch_by_read(void) { CHECK(read(zeros, place, 8192) == 8192 && place[0] == 0 && place[8191] == 0); }
static void touch_by_advice(void) { CHECK(madvise(place, 4 * 4096, 23 /* MADV_POPULATE_WRITE */) == 0); }
static void touch_stack(void) {
    volatile char deep[300 * 1024];
    deep[0] = 1;
    (void)deep[0];
}

static int always(void) { return 1; }
static int is_p(void) { return place[0] == 'p' && place[WIDE - 1] == 'p'; }
static int is_kept_in_file(void) {
    char byte = 0;
    return pread(place_fd, &byte, 1, 0) == 1 && byte == 'p';
}

static const struct fault faults[] = {
    {"zeros", prepare_zeros, begin_nothing, touch_first, always, unmap_place},
    {"zeros in new tables", prepare_far, begin_nothing, touch_middle, always, unmap_place},
    {"a copy and its tables", prepare_touched, begin_nothing, touch_first, is_p, unmap_place},
    {"a copy in an own table", prepare_touched, begin_beside, touch_first, is_p, unmap_place},
    {"shared memory", prepare_shared, begin_nothing, touch_first, always, unmap_place},
    {"a hole of a file", prepare_file, begin_nothing, touch_first, always, unmap_place},
    {"a copy of a file's page", prepare_copy, begin_nothing, touch_first, is_kept_in_file, unmap_place},
    {"a stack", prepare_zeros, begin_nothing, touch_stack, always, unmap_place},
    {"pages asked for", prepare_zeros, begin_nothing, touch_by_advice, always, unmap_place},
    {"the kernel's store", prepare_touched, begin_read, touch_by_read, is_p, unmap_place},
};

static unsigned long faults_refused;

// Who is ended first when memory runs out: itself, or whoever it gives birth to.
static void be_chosen(void) {
    int file = open("/proc/self/oom_score_adj", O_WRONLY);
    if (write(file, "1000", 4) != 4) abort();
    close(file);
}

static pid_t start_victim(void) {
    int ready[2];
    char byte;
    if (pipe(ready) != 0) abort();
    pid_t victim = fork();
    if (victim == 0) {
        be_chosen();
        (void)!write(ready[1], "r", 1);
        for (;;) pause();
    }
    (void)!read(ready[0], &byte, 1);
    close(ready[0]);
    close(ready[1]);
    return victim;
}

// Ends with 1 if the fault was served after an allocation was refused, with 0 if none was.
static void take_fault(const struct fault *fault, unsigned nth, int is_chosen) {
    failed = 0;
    int own = open("/proc/self/fail-nth", O_RDWR);
    char text[16];
    int len = snprintf(text, sizeof text, "%u faults", nth);
    if (is_chosen) be_chosen();
    fault->begin();
    if (pwrite(own, text, len, 0) != len) abort();
    fault->touch();
    char left[16] = {0};
    ssize_t read_back = pread(own, left, sizeof left - 1, 0);
    (void)!pwrite(own, "0", 1, 0);
    if (read_back < 1 || failed) _exit(99);
    _exit(strtoul(left, NULL, 10) == 0);
}

// Whether an allocation was refused. Then either who took the fault ended, if it was to be chosen, or the victim.
static int fault_once(const struct fault *fault, unsigned nth, int is_chosen) {
    pid_t victim = is_chosen ? 0 : start_victim();
    pid_t taker = fork();
    if (taker == 0) take_fault(fault, nth, is_chosen);
    int status = -1, victims = -1;
    CHECK(waitpid(taker, &status, 0) == taker);
    int was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    int was_refused = was_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 1);
    CHECK(was_killed || (WIFEXITED(status) && WEXITSTATUS(status) <= 1));
    CHECK(was_killed == (is_chosen && was_refused));
    if (victim) {
        if (!was_refused) kill(victim, SIGUSR2);
        CHECK(waitpid(victim, &victims, 0) == victim);
        CHECK(WIFSIGNALED(victims) && WTERMSIG(victims) == (was_refused ? SIGKILL : SIGUSR2));
    }
    CHECK(fault->is_intact());
    return was_refused;
}

static void play_fault(const struct fault *fault) {
    unsigned refused[2] = {0, 0};
    for (int is_chosen = 0; is_chosen < 2; is_chosen++) {
        fault->prepare();
        unsigned nth = first_nth;
        while (nth < MOST && fault_once(fault, nth, is_chosen)) nth++;
        CHECK(nth < MOST);
        refused[is_chosen] = nth - first_nth;
        fault->finish();
    }
    CHECK(first_nth > 1 || (refused[0] > 0 && refused[1] > 0));
    printf("fault on %s: %u refused, %u of who was chosen\n", fault->name, refused[0], refused[1]);
    faults_refused += refused[0] + refused[1];
}

static void play_faults(void) {
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++) play_fault(&faults[i]);
}

// Only frames, and kernel stacks.
static int try_fill_pipe(void) {
    static char bytes[60000];
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) < 0) return errno;
    long done = write(ends[1], bytes, sizeof bytes);
    int error = error_of(done);
    arm(0);
    close(ends[0]);
    close(ends[1]);
    return error;
}
