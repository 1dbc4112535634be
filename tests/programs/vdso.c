// The vDSO: what it exports, and that it says what the calls say. On Linux too, but for what is marked.
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static int is_linux;
static const char *image;

static int (*vdso_gettime)(clockid_t, struct timespec *);
static int (*vdso_getres)(clockid_t, struct timespec *);
static int (*vdso_gettimeofday)(struct timeval *, struct timezone *);
static int (*vdso_getcpu)(unsigned *, unsigned *, void *);

static unsigned hash(const char *name) {
    unsigned hash = 0;
    for (; *name; name++) {
        hash = (hash << 4) + (unsigned char)*name;
        unsigned high = hash & 0xf0000000;
        hash = (hash ^ high >> 24) & ~high;
    }
    return hash;
}

// What the object exports under that name and version, found as a loader does.
static const void *find(const char *name) {
    const Elf64_Ehdr *header = (const void *)image;
    const Elf64_Phdr *segments = (const void *)(image + header->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    uint64_t load = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD) load = segments[i].p_vaddr - segments[i].p_offset;
        if (segments[i].p_type == PT_DYNAMIC) dynamic = (const void *)(image + segments[i].p_offset);
    }
    const char *strings = NULL;
    const Elf64_Sym *symbols = NULL;
    const uint32_t *table = NULL;
    const uint16_t *versions = NULL;
    const char *definitions = NULL;
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        const void *at = image + (dynamic->d_un.d_ptr - load);
        if (dynamic->d_tag == DT_STRTAB) strings = at;
        if (dynamic->d_tag == DT_SYMTAB) symbols = at;
        if (dynamic->d_tag == DT_HASH) table = at;
        if (dynamic->d_tag == DT_VERSYM) versions = at;
        if (dynamic->d_tag == DT_VERDEF) definitions = at;
    }
    CHECK(strings && symbols && versions && definitions);
    if (!table) return NULL;
    for (uint32_t i = table[2 + hash(name) % table[0]]; i != 0; i = table[2 + table[0] + i]) {
        if (strcmp(strings + symbols[i].st_name, name) != 0 || symbols[i].st_shndx == SHN_UNDEF) continue;
        CHECK(ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC || ELF64_ST_TYPE(symbols[i].st_info) == STT_NOTYPE);
        const Elf64_Verdef *definition = (const void *)definitions;
        while (definition->vd_ndx != (versions[i] & 0x7fff) && definition->vd_next != 0) definition = (const void *)((const char *)definition + definition->vd_next);
        const Elf64_Verdaux *version = (const void *)((const char *)definition + definition->vd_aux);
        CHECK(strcmp(strings + version->vda_name, "LINUX_2.6.39") == 0 && definition->vd_hash == hash("LINUX_2.6.39"));
        return image + (symbols[i].st_value - load);
    }
    return NULL;
}

static int64_t nanos(const struct timespec *time) { return time->tv_sec * 1000000000l + time->tv_nsec; }

static int64_t by_call(clockid_t clock) {
    struct timespec now;
    return syscall(SYS_clock_gettime, clock, &now) == 0 ? nanos(&now) : -1;
}

static int64_t by_vdso(clockid_t clock) {
    struct timespec now = {0, -1};
    return vdso_gettime(clock, &now) == 0 && now.tv_nsec >= 0 && now.tv_nsec < 1000000000 ? nanos(&now) : -1;
}

static void check_image(void) {
    image = (const char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(image != NULL && (uintptr_t)image % 4096 == 0 && memcmp(image, ELFMAG, SELFMAG) == 0);
    const Elf64_Ehdr *header = (const void *)image;
    CHECK(header->e_type == ET_DYN && header->e_machine == EM_AARCH64 && header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_phnum >= 2);
    // The sections, for debuggers.
    const Elf64_Shdr *sections = (const void *)(image + header->e_shoff);
    const char *names = image + sections[header->e_shstrndx].sh_offset;
    int found = 0;
    for (int i = 0; i < header->e_shnum; i++) found += strcmp(names + sections[i].sh_name, ".text") == 0 || strcmp(names + sections[i].sh_name, ".dynsym") == 0;
    CHECK(found == 2);
    *(const void **)&vdso_gettime = find("__kernel_clock_gettime");
    *(const void **)&vdso_getres = find("__kernel_clock_getres");
    *(const void **)&vdso_gettimeofday = find("__kernel_gettimeofday");
    *(const void **)&vdso_getcpu = find("__kernel_getcpu");
    const uint32_t *back = find("__kernel_rt_sigreturn");
    // mov x8, #139; svc #0: unwinders know them.
    CHECK(back != NULL && back[0] == 0xd2801168 && back[1] == 0xd4000001);
    CHECK(vdso_gettime && vdso_getres && vdso_gettimeofday && find("__kernel_none") == NULL);
    // Linux has none of that name on this machine.
    CHECK(is_linux || vdso_getcpu);
}

static void check_maps(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[256], rights[8];
    unsigned long start, end, object = 0, object_end = 0, clock = 0, clock_end = 0;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3) continue;
        if (strstr(line, "[vdso]\n")) object = start, object_end = end, CHECK(strcmp(rights, "r-xp") == 0);
        if (strstr(line, "[vvar]\n")) clock = start, clock_end = end, CHECK(strcmp(rights, "r--p") == 0);
    }
    fclose(maps);
    CHECK(object == (uintptr_t)image && object_end > object && clock_end == object && clock_end > clock);
    // Nobody writes to the clock; a debugger may put a breakpoint into its own copy of the code.
    CHECK(FAILS(mprotect((void *)clock, clock_end - clock, PROT_READ | PROT_WRITE), EACCES));
    pid_t child = start_child();
    if (child == 0) {
        CHECK(mprotect((void *)object, object_end - object, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
        ((volatile char *)image)[8] = 7;
        CHECK(image[8] == 7 && by_vdso(CLOCK_MONOTONIC) > 0);
        end_child();
    }
    CHECK(child_passed(child) && image[8] != 7);
    int fd = open("/proc/self/mem", O_RDONLY);
    char bytes[64];
    CHECK(pread(fd, bytes, sizeof bytes, (off_t)(uintptr_t)image) == 64 && memcmp(bytes, image, 64) == 0);
    close(fd);
}

static void check_clocks(void) {
    static const clockid_t CLOCKS[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof CLOCKS / sizeof *CLOCKS; i++) {
        clockid_t clock = CLOCKS[i];
        int is_coarse = is_linux && (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE);
        int64_t slack = is_coarse ? 20000000 : 0, last = 0;
        for (int round = 0; round < 200; round++) {
            int64_t before = by_call(clock), between = by_vdso(clock), after = by_call(clock);
            check(before <= between + slack && between <= after + slack && last <= after, __FILE__, __LINE__, "the vDSO says what the call says");
            last = after;
        }
        struct timespec one = {7, 7}, other = {8, 8};
        CHECK(vdso_getres(clock, &one) == 0 && syscall(SYS_clock_getres, clock, &other) == 0 && nanos(&one) == nanos(&other) && vdso_getres(clock, NULL) == 0);
    }
    struct timespec now;
    for (int i = 0; i < 4; i++) {
        int clock = ((int[]){12, 31, 32, 33})[i];
        CHECK(vdso_gettime(clock, &now) == -EINVAL && vdso_getres(clock, &now) == -EINVAL);
    }
    CHECK(vdso_gettime(CLOCK_REALTIME_ALARM, &now) == 0 || is_linux);
    struct timeval time = {0, -1};
    struct timezone zone = {5, 5};
    int64_t before = by_call(CLOCK_REALTIME);
    CHECK(vdso_gettimeofday(&time, &zone) == 0 && zone.tz_minuteswest == 0 && zone.tz_dsttime == 0 && vdso_gettimeofday(NULL, NULL) == 0);
    int64_t between = time.tv_sec * 1000000000l + time.tv_usec * 1000, after = by_call(CLOCK_REALTIME);
    CHECK(before / 1000 <= between / 1000 && between <= after && time.tv_usec >= 0 && time.tv_usec < 1000000);
    // The clock is set, back and forth.
    for (int i = 0; i < 50; i++) {
        struct timespec wanted = {1000000000 + i * 1000000, 5};
        CHECK(clock_settime(CLOCK_REALTIME, &wanted) == 0);
        int64_t now = by_vdso(CLOCK_REALTIME);
        CHECK(now >= nanos(&wanted) && now < nanos(&wanted) + 1000000000);
    }
}

static void check_processors(void) {
    int count = sysconf(_SC_NPROCESSORS_ONLN);
    if (!vdso_getcpu) return;
    for (int i = 0; i < count; i++) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(i, &set);
        unsigned cpu = 99, node = 99;
        CHECK(sched_setaffinity(0, sizeof set, &set) == 0 && vdso_getcpu(&cpu, &node, NULL) == 0 && cpu == (unsigned)i && node == 0);
        CHECK(vdso_getcpu(NULL, NULL, NULL) == 0);
    }
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
}

static volatile sig_atomic_t handled;
static void note(int signal) { handled += signal; }

// A handler without a restorer returns by the vDSO.
static void check_handlers(void) {
    struct {
        void (*handler)(int);
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } action = {note, 0, NULL, 0};
    CHECK(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8) == 0 && raise(SIGUSR1) == 0 && handled == SIGUSR1);
    CHECK(raise(SIGUSR1) == 0 && handled == 2 * SIGUSR1);
}

// The clock that somebody makes faster and slower never runs backwards, whoever looks, wherever.
static _Atomic int64_t latest;
static _Atomic int is_over, backwards;

static void *look(void *by) {
    int64_t (*now)(clockid_t) = by ? by_vdso : by_call;
    while (!is_over) {
        int64_t seen = latest, mine = now(CLOCK_REALTIME);
        if (mine < seen) {
            if (backwards++ == 0) printf("%s: %ld ns before what was seen\n", by ? "vDSO" : "call", (long)(seen - mine));
        }
        while (seen < mine && !__atomic_compare_exchange_n(&latest, &seen, mine, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        }
    }
    return NULL;
}

static void check_adjusted(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, look, (void *)(i % 2)) == 0);
    for (int i = 0; i < 2000; i++) {
        struct timex wanted = {.modes = ADJ_TICK, .tick = i % 2 ? 9000 : 11000};
        CHECK(adjtimex(&wanted) >= 0);
        if (i % 100 == 0) usleep(5000);
    }
    is_over = 1;
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    struct timex usual = {.modes = ADJ_TICK, .tick = 10000};
    CHECK(adjtimex(&usual) >= 0 && latest > 0);
    // That of Linux 6.1 does: by 28 ns to 371 us, its vDSO.
    CHECK(backwards == 0 || is_linux);
}

static void checks(void) {
    struct utsname name;
    uname(&name);
    is_linux = strstr(name.version, "Holstein") == NULL;
    check_image();
    check_maps();
    check_clocks();
    check_processors();
    check_handlers();
    check_adjusted();
}

int main(void) { return run_as_init("vdso", checks); }
