// Scheduling policies: what sched(7) says of priorities, shares, rights, and what children inherit. All of the computing ones
// stay on the first processor, and one of priority 90 looks after them there.
#include "cores.h"
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
    uint64_t further;
};

static int set_policy(pid_t pid, int policy, int priority) {
    struct sched_param param = {.sched_priority = priority};
    return (int)syscall(SYS_sched_setscheduler, pid, policy, &param);
}
static int get_policy(pid_t pid) { return (int)syscall(SYS_sched_getscheduler, pid); }
static int priority_of(pid_t pid) {
    struct sched_param param = {.sched_priority = -1};
    return syscall(SYS_sched_getparam, pid, &param) == 0 ? param.sched_priority : -1;
}
static int set_attributes(struct attributes *given) { return (int)syscall(SYS_sched_setattr, 0, given, 0); }
static int get_attributes(struct attributes *given, unsigned size) {
    return (int)syscall(SYS_sched_getattr, 0, given, size, 0);
}
static int fails(long result, int error) { return result == -1 && errno == error; }

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
static double now(void) { return seconds_of(CLOCK_MONOTONIC); }
static void sleep_millis(long millis) {
    struct timespec time = {.tv_sec = millis / 1000, .tv_nsec = millis % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0) {}
}

// Field 18, 19, 40 and 41 of /proc/self/stat.
static void read_stat(long fields[4]) {
    char text[1024] = "";
    int file = open("/proc/self/stat", O_RDONLY);
    CHECK(read(file, text, sizeof text - 1) > 0);
    close(file);
    char *at = strrchr(text, ')') + 2;
    for (int field = 3; *at != 0; field++, at = strchr(at, ' ') ? strchr(at, ' ') + 1 : at + strlen(at)) {
        int index = field == 18 ? 0 : field == 19 ? 1 : field == 40 ? 2 : field == 41 ? 3 : -1;
        if (index >= 0) fields[index] = strtol(at, NULL, 10);
    }
}

// ---- What is answered, without anybody who runs.

static void check_answers(void) {
    struct sched_param param = {.sched_priority = 0};
    struct timespec interval;
    CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_RR) == 1);
    CHECK(sched_get_priority_max(SCHED_DEADLINE) == 0 && sched_get_priority_min(SCHED_DEADLINE) == 0);
    CHECK(sched_get_priority_max(SCHED_IDLE) == 0 && fails(sched_get_priority_max(4), EINVAL));
    CHECK(fails(syscall(SYS_sched_getparam, -1, &param), EINVAL));
    CHECK(fails(syscall(SYS_sched_getparam, 0, NULL), EINVAL));
    CHECK(fails(syscall(SYS_sched_setparam, -1, &param), EINVAL));
    CHECK(fails(syscall(SYS_sched_setparam, 0, NULL), EINVAL));
    CHECK(fails(syscall(SYS_sched_getscheduler, -1), EINVAL));
    CHECK(fails(syscall(SYS_sched_setscheduler, -1, SCHED_OTHER, &param), EINVAL));
    CHECK(fails(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL));
    CHECK(fails(syscall(SYS_sched_setscheduler, 0, -1, &param), EINVAL));
    CHECK(fails(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, 8), EFAULT));
    CHECK(fails(set_policy(4000000, SCHED_OTHER, 0), ESRCH) && fails(get_policy(4000000), ESRCH));
    CHECK(fails(set_policy(0, SCHED_FIFO, 0), EINVAL) && fails(set_policy(0, SCHED_FIFO, 100), EINVAL));
    CHECK(fails(set_policy(0, SCHED_OTHER, 1), EINVAL) && fails(set_policy(0, 4, 0), EINVAL));
    CHECK(fails(syscall(SYS_sched_rr_get_interval, -1, &interval), EINVAL));
    CHECK(fails(syscall(SYS_sched_rr_get_interval, 4000000, &interval), ESRCH));
    CHECK(set_policy(0, SCHED_RR, 7) == 0 && get_policy(0) == SCHED_RR && priority_of(0) == 7);
    CHECK(sched_rr_get_interval(0, &interval) == 0 && interval.tv_sec == 0 && interval.tv_nsec == 100000000);
    long fields[4];
    read_stat(fields);
    CHECK(fields[0] == -8 && fields[1] == 0 && fields[2] == 7 && fields[3] == SCHED_RR);
    param.sched_priority = 9;
    CHECK(syscall(SYS_sched_setparam, 0, &param) == 0 && get_policy(0) == SCHED_RR && priority_of(0) == 9);
    CHECK(set_policy(0, SCHED_FIFO, 99) == 0 && get_policy(0) == SCHED_FIFO);
    CHECK(sched_rr_get_interval(0, &interval) == 0 && interval.tv_sec == 0 && interval.tv_nsec == 0);
    CHECK(set_policy(0, SCHED_BATCH, 0) == 0 && get_policy(0) == SCHED_BATCH && priority_of(0) == 0);
    CHECK(set_policy(0, SCHED_IDLE, 0) == 0 && get_policy(0) == SCHED_IDLE);
    CHECK(set_policy(0, SCHED_OTHER, 0) == 0 && get_policy(0) == SCHED_OTHER);
    CHECK(sched_rr_get_interval(0, &interval) == 0 && interval.tv_nsec > 0);
    CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
    read_stat(fields);
    CHECK(fields[0] == 25 && fields[1] == 5 && fields[2] == 0 && fields[3] == 0);
    CHECK(setpriority(PRIO_PROCESS, 0, 0) == 0);
}

static void check_attributes(void) {
    struct attributes own = {0}, given = {.size = 48, .policy = SCHED_FIFO, .priority = 3};
    CHECK(set_attributes(&given) == 0 && get_policy(0) == SCHED_FIFO && priority_of(0) == 3);
    CHECK(get_attributes(&own, 48) == 0 && own.size == 48 && own.policy == SCHED_FIFO && own.priority == 3);
    given = (struct attributes){.size = 48, .policy = SCHED_OTHER, .nice = 7};
    CHECK(set_attributes(&given) == 0 && getpriority(PRIO_PROCESS, 0) == 7);
    CHECK(get_attributes(&own, 56) == 0 && own.size == 56 && own.policy == SCHED_OTHER && own.nice == 7);
    given = (struct attributes){.size = 48, .policy = SCHED_OTHER, .nice = 100};
    CHECK(set_attributes(&given) == 0 && getpriority(PRIO_PROCESS, 0) == 19);
    given = (struct attributes){.size = 0, .policy = SCHED_BATCH};
    CHECK(set_attributes(&given) == 0 && get_policy(0) == SCHED_BATCH && getpriority(PRIO_PROCESS, 0) == 0);
    given = (struct attributes){.size = 48, .policy = SCHED_OTHER, .priority = 1};
    CHECK(fails(set_attributes(&given), EINVAL));
    given = (struct attributes){.size = 48, .policy = SCHED_OTHER, .flags = 1ull << 40};
    CHECK(fails(set_attributes(&given), EINVAL));
    given = (struct attributes){.size = 47, .policy = SCHED_OTHER};
    CHECK(fails(set_attributes(&given), E2BIG) && given.size >= 48);
    given = (struct attributes){.size = sizeof given, .policy = SCHED_OTHER, .further = 1};
    CHECK(fails(set_attributes(&given), E2BIG) && given.size == 56);
    given = (struct attributes){.size = sizeof given, .policy = SCHED_OTHER};
    CHECK(set_attributes(&given) == 0);
    given = (struct attributes){.size = 48, .policy = SCHED_DEADLINE, .runtime = 2000, .deadline = 1000};
    CHECK(fails(set_attributes(&given), EINVAL));
    CHECK(fails(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL));
    CHECK(fails(syscall(SYS_sched_setattr, -1, &given, 0), EINVAL));
    CHECK(fails(syscall(SYS_sched_setattr, 0, &given, 1), EINVAL));
    CHECK(fails(get_attributes(&own, 47), EINVAL) && fails(get_attributes(NULL, 48), EINVAL));
    CHECK(fails(syscall(SYS_sched_getattr, 0, &own, 48, 1), EINVAL));
    CHECK(fails(syscall(SYS_sched_getattr, 4000000, &own, 48, 0), ESRCH));
}

static void check_settings(void) {
    char text[32] = "";
    int file = open("/proc/sys/kernel/sched_rt_runtime_us", O_RDWR);
    CHECK(read(file, text, sizeof text) == 7 && strcmp(text, "950000\n") == 0);
    CHECK(fails(pwrite(file, "2000000\n", 8, 0), EINVAL));
    CHECK(pwrite(file, "900000\n", 7, 0) == 7 && pwrite(file, "950000\n", 7, 0) == 7);
    close(file);
    memset(text, 0, sizeof text);
    file = open("/proc/sys/kernel/sched_rt_period_us", O_RDONLY);
    CHECK(read(file, text, sizeof text) == 8 && strcmp(text, "1000000\n") == 0);
    close(file);
}

// ---- Rights, and what children inherit.

static void become_user(void) { CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0); }

static void check_rights(void) {
    pid_t child = start_child();
    if (child == 0) {
        become_user();
        CHECK(fails(set_policy(0, SCHED_FIFO, 1), EPERM) && fails(set_policy(getppid(), SCHED_OTHER, 0), EPERM));
        CHECK(set_policy(0, SCHED_BATCH, 0) == 0 && set_policy(0, SCHED_OTHER | 0x40000000, 0) == 0);
        CHECK(get_policy(0) == 0x40000000 && fails(set_policy(0, SCHED_OTHER, 0), EPERM));
        CHECK(fails(setpriority(PRIO_PROCESS, 0, -1), EACCES) && setpriority(PRIO_PROCESS, 0, 3) == 0);
        CHECK(fails(setpriority(PRIO_PROCESS, 0, 2), EACCES) && fails(setpriority(PRIO_PROCESS, getppid(), 3), EPERM));
        struct attributes given = {.size = 48, .policy = SCHED_OTHER, .flags = 1, .nice = 1};
        CHECK(fails(set_attributes(&given), EPERM));
        CHECK(set_policy(0, SCHED_IDLE | 0x40000000, 0) == 0);
        CHECK(fails(set_policy(0, SCHED_OTHER | 0x40000000, 0), EPERM));
        end_child();
    }
    CHECK(child_passed(child));
    child = start_child();
    if (child == 0) {
        struct rlimit priorities = {5, 5}, shares = {25, 25};
        CHECK(setrlimit(RLIMIT_RTPRIO, &priorities) == 0 && setrlimit(RLIMIT_NICE, &shares) == 0);
        become_user();
        CHECK(set_policy(0, SCHED_FIFO, 5) == 0 && fails(set_policy(0, SCHED_FIFO, 6), EPERM));
        CHECK(set_policy(0, SCHED_RR, 5) == 0 && set_policy(0, SCHED_OTHER, 0) == 0);
        CHECK(setpriority(PRIO_PROCESS, 0, -5) == 0 && fails(setpriority(PRIO_PROCESS, 0, -6), EACCES));
        CHECK(set_policy(0, SCHED_IDLE, 0) == 0 && set_policy(0, SCHED_OTHER, 0) == 0);
        end_child();
    }
    CHECK(child_passed(child));
}

static void check_inheritance(void) {
    CHECK(set_policy(0, SCHED_FIFO, 4) == 0 && setpriority(PRIO_PROCESS, 0, -3) == 0);
    pid_t child = start_child();
    if (child == 0) {
        CHECK(get_policy(0) == SCHED_FIFO && priority_of(0) == 4 && getpriority(PRIO_PROCESS, 0) == -3);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(set_policy(0, SCHED_FIFO | 0x40000000, 4) == 0 && get_policy(0) == (SCHED_FIFO | 0x40000000));
    child = start_child();
    if (child == 0) {
        CHECK(get_policy(0) == SCHED_OTHER && priority_of(0) == 0 && getpriority(PRIO_PROCESS, 0) == 0);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(set_policy(0, SCHED_OTHER, 0) == 0 && setpriority(PRIO_PROCESS, 0, 0) == 0);
}

// ---- Who runs. Each of these is a thread that stays on the first processor.

struct runner {
    pthread_t thread;
    int policy, priority, nice, processors;
    double span; // of processor time; 0: until it is over
    double used; // processor time
};
static _Atomic int is_over, started;
static _Atomic int order[8], ends;
static struct runner *_Atomic running; // the last that was seen to run
static _Atomic int changes; // of that

static void *run_body(void *argument) {
    struct runner *own = argument;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    if (own->processors <= 1) stay_on(0);
    CHECK(setpriority(PRIO_PROCESS, (id_t)tid, own->nice) == 0);
    CHECK(set_policy(tid, own->policy, own->priority) == 0);
    started++;
    double begin = seconds_of(CLOCK_THREAD_CPUTIME_ID), used = 0;
    while (own->span != 0 ? used < own->span : !is_over) {
        if (running != own) changes++;
        running = own;
        used = seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin;
    }
    own->used = used;
    order[ends++ % 8] = own->priority;
    return NULL;
}

// Starts them one after another; the caller, of priority 90 on the same processor, sleeps until each has got ready.
static void begin_all(struct runner *runners, int count) {
    is_over = started = ends = changes = 0;
    running = NULL;
    for (int i = 0; i < count; i++) runners[i].thread = start(run_body, &runners[i]);
}
static void end_all(struct runner *runners, int count) {
    is_over = 1;
    for (int i = 0; i < count; i++) pthread_join(runners[i].thread, NULL);
}

// Two that compute for a while: what share of both the second gets.
static double share_of_second(struct runner first, struct runner second, long millis) {
    struct runner both[] = {first, second};
    begin_all(both, 2);
    sleep_millis(millis);
    end_all(both, 2);
    return both[1].used / (both[0].used + both[1].used);
}

static void check_shares(void) {
    struct runner usual = {.policy = SCHED_OTHER};
    double share = share_of_second(usual, (struct runner){.policy = SCHED_OTHER, .nice = 5}, 400);
    if (share < 0.1 || share > 0.42) printf("nice 5 got %f\n", share);
    CHECK(share > 0.1 && share < 0.42); // 335 of 1359
    share = share_of_second(usual, (struct runner){.policy = SCHED_OTHER, .nice = 19}, 500);
    if (share >= 0.06) printf("nice 19 got %f\n", share);
    CHECK(share < 0.06); // 15 of 1039
    share = share_of_second(usual, (struct runner){.policy = SCHED_IDLE}, 300);
    if (share >= 0.15) printf("idle got %f\n", share);
    CHECK(share < 0.15); // 3 of 1027
    share = share_of_second(usual, (struct runner){.policy = SCHED_BATCH}, 300);
    if (share < 0.35 || share > 0.65) printf("batch got %f\n", share);
    CHECK(share > 0.35 && share < 0.65);
}

// Those who look after it, above all others.
static void *look_after(void *argument) {
    void (*checks)(void) = (void (*)(void))argument;
    stay_on(0);
    CHECK(set_policy((pid_t)syscall(SYS_gettid), SCHED_FIFO, 90) == 0);
    checks();
    return NULL;
}
static void with_priority(void (*checks)(void)) { pthread_join(start(look_after, (void *)checks), NULL); }

static void check_order(void) {
    // The higher comes first, whoever was there before; equals one after the other.
    struct runner runners[] = {
        {.policy = SCHED_OTHER, .span = 0.02},
        {.policy = SCHED_FIFO, .priority = 10, .span = 0.03},
        {.policy = SCHED_FIFO, .priority = 30, .span = 0.03},
        {.policy = SCHED_FIFO, .priority = 20, .span = 0.03},
    };
    begin_all(runners, 4);
    end_all(runners, 4);
    CHECK(order[0] == 30 && order[1] == 20 && order[2] == 10 && order[3] == 0);
    // FIFO does not take turns, RR does.
    struct runner equals[] = {
        {.policy = SCHED_FIFO, .priority = 10, .span = 0.15},
        {.policy = SCHED_FIFO, .priority = 10, .span = 0.15},
    };
    begin_all(equals, 2);
    end_all(equals, 2);
    CHECK(changes == 2);
    equals[0].policy = equals[1].policy = SCHED_RR;
    equals[0].span = equals[1].span = 0.26;
    begin_all(equals, 2);
    end_all(equals, 2);
    CHECK(changes >= 4);
}

// One who never sleeps leaves a little for others.
static void check_throttle(void) {
    struct runner both[] = {{.policy = SCHED_OTHER}, {.policy = SCHED_FIFO, .priority = 40}};
    begin_all(both, 2);
    sleep_millis(2100);
    end_all(both, 2);
    if (both[0].used < 0.02 || both[0].used > 0.5) printf("others got %f s\n", both[0].used);
    CHECK(both[0].used > 0.02 && both[0].used < 0.5);
}

// A change of one who runs or waits is heeded at once.
static void check_changes(void) {
    struct runner runners[] = {
        {.policy = SCHED_FIFO, .priority = 20, .span = 0.05},
        {.policy = SCHED_FIFO, .priority = 30, .span = 0.05},
    };
    begin_all(runners, 2);
    sleep_millis(10);
    struct sched_param lower = {.sched_priority = 10};
    CHECK(pthread_setschedparam(runners[1].thread, SCHED_FIFO, &lower) == 0);
    runners[1].priority = 10;
    end_all(runners, 2);
    CHECK(order[0] == 20 && order[1] == 10);
}

// With several processors: as many as there are processors run at once, and the highest of all are they.
static void check_spread(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 3) return;
    struct runner runners[8];
    int count = (int)processors > 6 ? 6 : (int)processors;
    for (int i = 0; i < count; i++)
        runners[i] = (struct runner){.policy = SCHED_FIFO, .priority = 40, .processors = 4, .span = 0.2};
    double begin = now();
    begin_all(runners, count);
    end_all(runners, count);
    double span = now() - begin, used = 0;
    for (int i = 0; i < count; i++) used += runners[i].used;
    if (span > 0.7) printf("%d of them took %f s, %f of processors\n", count, span, used);
    CHECK(span < 0.7);
}

static void checks(void) {
    check_answers();
    check_attributes();
    check_settings();
    check_rights();
    check_inheritance();
    with_priority(check_order);
    with_priority(check_changes);
    with_priority(check_shares);
    with_priority(check_throttle);
    check_spread();
}

int main(void) { return run_as_init("policies", checks); }
