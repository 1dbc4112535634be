// Timers and clocks: setitimer, timer_create and its kin, clocks of processor time, RLIMIT_CPU. On Linux too.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t caught[65];
static volatile int last_code, last_value, last_overrun, last_tid;

static void handle(int signal, siginfo_t *info, void *context) {
    (void)context;
    caught[signal]++;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    last_overrun = info->si_overrun;
    last_tid = syscall(SYS_gettid);
}

static void catch(int signal) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(signal, &action, NULL);
    caught[signal] = 0;
}

static int64_t now(clockid_t clock) {
    struct timespec time = {0, 0};
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// Works until the clock of processor time has gone on by so many milliseconds.
static void work(int milliseconds) {
    int64_t end = now(CLOCK_THREAD_CPUTIME_ID) + milliseconds * 1000000LL;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end) {
    }
}

static void sleep_ms(int milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static int fails(long result, int error) { return result == -1 && errno == error; }

static void check_interval_timers(void) {
    catch(SIGVTALRM);
    catch(SIGPROF);
    struct itimerval once = {{0, 0}, {0, 200000}}, off = {{0, 0}, {0, 0}}, old;
    CHECK(setitimer(ITIMER_VIRTUAL, &once, NULL) == 0);
    CHECK(setitimer(ITIMER_PROF, &once, NULL) == 0);
    CHECK(getitimer(ITIMER_VIRTUAL, &old) == 0 && (old.it_value.tv_usec > 0 || old.it_value.tv_sec > 0));
    // Sleep is no processor time.
    sleep_ms(40);
    CHECK(caught[SIGVTALRM] == 0 && caught[SIGPROF] == 0);
    for (volatile long i = 0; i < 2000000000L && !caught[SIGVTALRM]; i++) {
    }
    CHECK(caught[SIGVTALRM] == 1);
    CHECK(caught[SIGPROF] == 1);
    CHECK(getitimer(ITIMER_VIRTUAL, &old) == 0 && old.it_value.tv_usec == 0 && old.it_value.tv_sec == 0);
    struct itimerval often = {{0, 8000}, {0, 8000}};
    CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0);
    work(90);
    CHECK(setitimer(ITIMER_PROF, &off, &old) == 0);
    CHECK(old.it_interval.tv_usec == 8000);
    CHECK(caught[SIGPROF] >= 3 && caught[SIGPROF] <= 60);
    int before = caught[SIGPROF];
    work(30);
    CHECK(caught[SIGPROF] == before);
    CHECK(fails(setitimer(3, &once, NULL), EINVAL));
    struct itimerval wrong = {{0, 0}, {0, 1000000}};
    CHECK(fails(setitimer(ITIMER_PROF, &wrong, NULL), EINVAL));
}

static int make(clockid_t clock, int notify, int signal, int value, int *id) {
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = signal, .sigev_value.sival_int = value};
    event._sigev_un._tid = syscall(SYS_gettid);
    return syscall(SYS_timer_create, clock, &event, id);
}

static int set(int id, int flags, int64_t first, int64_t period, struct itimerspec *old) {
    struct itimerspec new = {{period / 1000000000, period % 1000000000}, {first / 1000000000, first % 1000000000}};
    return syscall(SYS_timer_settime, id, flags, &new, old);
}

static int64_t left(int id) {
    struct itimerspec state = {{0, 0}, {0, 0}};
    if (syscall(SYS_timer_gettime, id, &state) != 0) return -1;
    return state.it_value.tv_sec * 1000000000LL + state.it_value.tv_nsec;
}

static int await(int signal, int milliseconds, siginfo_t *info) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    struct timespec timeout = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    return sigtimedwait(&set, info, &timeout);
}

static void block(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(how, &set, NULL);
}

#define MS 1000000LL

static void check_timers(void) {
    int rt = SIGRTMIN + 3, id, other;
    siginfo_t info;
    catch(rt);
    block(SIG_BLOCK, rt);
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (int i = 0; i < 3; i++) {
        CHECK(make(clocks[i], SIGEV_SIGNAL, rt, 70 + i, &id) == 0);
        CHECK(left(id) == 0);
        CHECK(set(id, 0, 20 * MS, 0, NULL) == 0);
        CHECK(left(id) > 0 && left(id) <= 20 * MS);
        CHECK(await(rt, 2000, &info) == rt);
        CHECK(info.si_code == SI_TIMER && info.si_value.sival_int == 70 + i && info.si_timerid == id);
        CHECK(info.si_overrun == 0);
        CHECK(left(id) == 0);
        // A point in time, one of them past.
        CHECK(set(id, TIMER_ABSTIME, now(clocks[i]) + 15 * MS, 0, NULL) == 0);
        CHECK(await(rt, 2000, &info) == rt);
        CHECK(set(id, TIMER_ABSTIME, 1, 0, NULL) == 0);
        CHECK(await(rt, 2000, &info) == rt);
        struct itimerspec old;
        CHECK(set(id, 0, 5000 * MS, 7 * MS, NULL) == 0);
        CHECK(set(id, 0, 0, 0, &old) == 0);
        CHECK(old.it_interval.tv_nsec == 7 * MS && old.it_value.tv_sec >= 3);
        CHECK(left(id) == 0);
        CHECK(await(rt, 20, &info) == -1 && errno == EAGAIN);
        CHECK(syscall(SYS_timer_delete, id) == 0);
        CHECK(fails(syscall(SYS_timer_delete, id), EINVAL));
        CHECK(fails(left(id), EINVAL));
    }
    // One signal waits, however many periods pass: the rest is the overrun.
    CHECK(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, rt, 5, &id) == 0);
    CHECK(set(id, 0, 5 * MS, 5 * MS, NULL) == 0);
    sleep_ms(63);
    CHECK(await(rt, 1000, &info) == rt);
    CHECK(info.si_overrun >= 9 && info.si_overrun < 200);
    CHECK(syscall(SYS_timer_getoverrun, id) == info.si_overrun);
    CHECK(await(rt, 1000, &info) == rt && info.si_overrun <= 3);
    CHECK(left(id) > 0 && left(id) <= 5 * MS);
    // Two timers have a place each, and a standard signal of theirs waits twice.
    CHECK(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, rt, 6, &other) == 0);
    CHECK(other != id);
    CHECK(set(other, 0, 1, 0, NULL) == 0);
    sleep_ms(20);
    int first = await(rt, 0, &info) == rt ? info.si_value.sival_int : 0;
    int second = await(rt, 0, &info) == rt ? info.si_value.sival_int : 0;
    CHECK(first + second == 11);
    CHECK(set(id, 0, 0, 0, NULL) == 0);
    // Set anew while its signal waits.
    CHECK(set(other, 0, 1, 0, NULL) == 0);
    sleep_ms(5);
    CHECK(set(other, 0, 10 * MS, 0, NULL) == 0);
    sleep_ms(25);
    CHECK(await(rt, 100, &info) == rt);
    CHECK(await(rt, 5, &info) == -1);
    CHECK(syscall(SYS_timer_delete, other) == 0 && syscall(SYS_timer_delete, id) == 0);
    // Nothing is told, but it can be asked.
    CHECK(make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &id) == 0);
    CHECK(set(id, 0, 10 * MS, 0, NULL) == 0);
    CHECK(left(id) > 0);
    sleep_ms(20);
    CHECK(left(id) == 0);
    CHECK(set(id, 0, 10 * MS, 30 * MS, NULL) == 0);
    sleep_ms(25);
    CHECK(left(id) > 0 && left(id) <= 30 * MS);
    CHECK(syscall(SYS_timer_delete, id) == 0);
    // By default SIGALRM with the id.
    block(SIG_BLOCK, SIGALRM);
    CHECK(syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &id) == 0);
    CHECK(set(id, 0, MS, 0, NULL) == 0);
    CHECK(await(SIGALRM, 1000, &info) == SIGALRM && info.si_value.sival_int == id);
    CHECK(syscall(SYS_timer_delete, id) == 0);
    block(SIG_UNBLOCK, SIGALRM);
    // A signal that is ignored lets the timer go on.
    signal(SIGUSR2, SIG_IGN);
    CHECK(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 0, &id) == 0);
    CHECK(set(id, 0, 2 * MS, 2 * MS, NULL) == 0);
    sleep_ms(20);
    catch(SIGUSR2);
    sleep_ms(40);
    CHECK(caught[SIGUSR2] > 0);
    CHECK(syscall(SYS_timer_delete, id) == 0);
    block(SIG_UNBLOCK, rt);
}

static void check_errors(void) {
    int id;
    CHECK(fails(make(99, SIGEV_SIGNAL, SIGUSR1, 0, &id), EINVAL));
    CHECK(fails(make(CLOCK_MONOTONIC_RAW, SIGEV_SIGNAL, SIGUSR1, 0, &id), EOPNOTSUPP));
    CHECK(fails(make(CLOCK_MONOTONIC_COARSE, SIGEV_SIGNAL, SIGUSR1, 0, &id), EOPNOTSUPP));
    CHECK(fails(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, 0, &id), EINVAL));
    CHECK(fails(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, 0, &id), EINVAL));
    CHECK(fails(make(CLOCK_MONOTONIC, 77, SIGUSR1, 0, &id), EINVAL));
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = 1 << 21;
    CHECK(fails(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL));
    CHECK(fails(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, (int *)8), EFAULT));
    CHECK(fails(syscall(SYS_timer_create, CLOCK_MONOTONIC, (void *)8, &id), EFAULT));
    CHECK(make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &id) == 0);
    CHECK(fails(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL));
    CHECK(fails(syscall(SYS_timer_settime, id, 0, (void *)8, NULL), EFAULT));
    CHECK(fails(set(id, 0, 0, -1, NULL), EINVAL));
    CHECK(fails(set(id + 1000, 0, 1, 0, NULL), EINVAL));
    CHECK(fails(syscall(SYS_timer_getoverrun, id + 1000), EINVAL));
    CHECK(fails(syscall(SYS_timer_gettime, id, (void *)8), EFAULT));
    CHECK(syscall(SYS_timer_delete, id) == 0);
    // Each timer keeps a place for a signal.
    struct rlimit old, few = {3, 3};
    pid_t child = start_child();
    if (child == 0) {
        int made = 0;
        CHECK(getrlimit(RLIMIT_SIGPENDING, &old) == 0);
        CHECK(setrlimit(RLIMIT_SIGPENDING, &few) == 0);
        while (made < 100 && syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id) == 0) made++;
        CHECK(made <= 3 && errno == EAGAIN);
        end_child();
    }
    CHECK(child_passed(child));
    static const clockid_t unfit[] = {CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE,
                                      CLOCK_THREAD_CPUTIME_ID};
    struct timespec little = {0, 1}, wrong = {0, 1000000000};
    for (int i = 0; i < 4; i++) CHECK(fails(syscall(SYS_clock_nanosleep, unfit[i], 0, &little, NULL), EOPNOTSUPP));
    CHECK(fails(syscall(SYS_clock_nanosleep, 99, 0, &little, NULL), EINVAL));
    CHECK(fails(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &wrong, NULL), EINVAL));
    CHECK(fails(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (void *)8, NULL), EFAULT));
    CHECK(syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &little, NULL) == 0);
}

static pid_t aim;

static void *take_signal(void *argument) {
    (void)argument;
    aim = syscall(SYS_gettid);
    int id;
    CHECK(make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, 9, &id) == 0);
    CHECK(set(id, 0, 10 * MS, 0, NULL) == 0);
    while (!caught[SIGUSR1]) usleep(1000);
    CHECK(last_tid == aim && last_value == 9 && last_code == SI_TIMER);
    CHECK(syscall(SYS_timer_delete, id) == 0);
    return NULL;
}

static void check_threads(void) {
    catch(SIGUSR1);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, take_signal, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(caught[SIGUSR1] == 1);
}

static volatile int stop;

static void *spin(void *argument) {
    (void)argument;
    while (!stop) {
    }
    return NULL;
}

static void check_processor_clocks(void) {
    siginfo_t info;
    int rt = SIGRTMIN + 4, id;
    block(SIG_BLOCK, rt);
    static const clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (int i = 0; i < 2; i++) {
        CHECK(make(clocks[i], SIGEV_SIGNAL, rt, i, &id) == 0);
        CHECK(set(id, 0, 80 * MS, 0, NULL) == 0);
        CHECK(await(rt, 120, &info) == -1);
        work(90);
        CHECK(await(rt, 0, &info) == rt && info.si_code == SI_TIMER && info.si_value.sival_int == i);
        CHECK(set(id, TIMER_ABSTIME, now(clocks[i]) + 10 * MS, 0, NULL) == 0);
        work(30);
        CHECK(await(rt, 0, &info) == rt);
        CHECK(syscall(SYS_timer_delete, id) == 0);
    }
    // The signal is ignored while it waits for one thread.
    CHECK(make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_THREAD_ID, rt, 0, &id) == 0);
    CHECK(set(id, 0, MS, MS, NULL) == 0);
    work(20);
    signal(rt, SIG_IGN);
    work(20);
    signal(rt, SIG_DFL);
    work(20);
    // Linux before 6.13 leaves such a timer standing; what counts is that the machine goes on.
    CHECK(syscall(SYS_timer_delete, id) == 0);
    await(rt, 0, &info);
    // Another thread's clock, and another process's.
    pthread_t thread;
    clockid_t other;
    CHECK(pthread_create(&thread, NULL, spin, NULL) == 0);
    CHECK(pthread_getcpuclockid(thread, &other) == 0 && other < 0);
    int64_t own = now(CLOCK_THREAD_CPUTIME_ID), before = now(other);
    struct timespec res;
    CHECK(clock_getres(other, &res) == 0 && res.tv_sec == 0);
    sleep_ms(50);
    CHECK(now(other) - before > 5 * MS);
    CHECK(now(CLOCK_THREAD_CPUTIME_ID) - own < 40 * MS);
    struct timespec amount = {0, 20 * MS};
    before = now(other);
    CHECK(syscall(SYS_clock_nanosleep, other, 0, &amount, NULL) == 0);
    CHECK(now(other) - before >= 18 * MS);
    before = now(CLOCK_PROCESS_CPUTIME_ID);
    CHECK(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &amount, NULL) == 0);
    CHECK(now(CLOCK_PROCESS_CPUTIME_ID) - before >= 18 * MS);
    stop = 1;
    pthread_join(thread, NULL);
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
        }
    }
    clockid_t of_child;
    CHECK(clock_getcpuclockid(child, &of_child) == 0);
    before = now(of_child);
    CHECK(syscall(SYS_clock_nanosleep, of_child, 0, &amount, NULL) == 0);
    CHECK(now(of_child) - before >= 18 * MS);
    // A thread's clock is its process's own matter.
    CHECK(fails(syscall(SYS_clock_gettime, (clockid_t)((~(unsigned)child << 3) | 6), &amount), EINVAL));
    CHECK(fails(syscall(SYS_clock_settime, of_child, &amount), EPERM));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK(fails(syscall(SYS_clock_gettime, of_child, &amount), EINVAL));
    CHECK(fails(syscall(SYS_clock_gettime, -1, &amount), EINVAL));
    CHECK(fails(syscall(SYS_clock_nanosleep, (clockid_t)-2, 0, &amount, NULL), EINVAL));
    CHECK(syscall(SYS_clock_gettime, (clockid_t)-2, &amount) == 0);
    block(SIG_UNBLOCK, rt);
}

// A child has no timers; a new program neither.
static void check_inheritance(void) {
    int id;
    catch(SIGUSR1);
    CHECK(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, &id) == 0);
    CHECK(set(id, 0, 30 * MS, 0, NULL) == 0);
    struct itimerval much = {{9, 0}, {9, 0}};
    CHECK(setitimer(ITIMER_PROF, &much, NULL) == 0);
    pid_t child = start_child();
    if (child == 0) {
        struct itimerval state;
        CHECK(fails(left(id), EINVAL));
        CHECK(getitimer(ITIMER_PROF, &state) == 0 && state.it_value.tv_sec == 0);
        sleep_ms(60);
        CHECK(caught[SIGUSR1] == 0);
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(caught[SIGUSR1] == 1);
    CHECK(syscall(SYS_timer_delete, id) == 0);
    struct itimerval off = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_PROF, &off, NULL) == 0);
    child = fork();
    if (child == 0) {
        signal(SIGUSR1, SIG_DFL);
        if (make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, &id) == 0) set(id, 0, 400 * MS, 0, NULL);
        execl("/proc/self/exe", "timers", "sleeper", NULL);
        _exit(2);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void check_limit(void) {
    pid_t child = start_child();
    if (child == 0) {
        struct rlimit limit = {1, 3};
        catch(SIGXCPU);
        CHECK(setrlimit(RLIMIT_CPU, &limit) == 0);
        while (!caught[SIGXCPU]) {
        }
        CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= 500 * MS && now(CLOCK_PROCESS_CPUTIME_ID) < 3900 * MS);
        CHECK(getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur == 2 && limit.rlim_max == 3);
        fflush(stdout);
        if (failed) _exit(1);
        while (caught[SIGXCPU] < 2) {
        }
        for (;;) {
        }
    }
    int status = -1;
    struct rusage usage;
    CHECK(wait4(child, &status, 0, &usage) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    int64_t used = usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 + usage.ru_stime.tv_sec * 1000 +
                   usage.ru_stime.tv_usec / 1000;
    CHECK(used >= 2000 && used < 9000);
    child = fork();
    if (child == 0) {
        struct rlimit limit = {1, RLIM_INFINITY};
        setrlimit(RLIMIT_CPU, &limit);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            for (;;) {
            }
        }
        waitpid(grandchild, &status, 0);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU ? 0 : 1);
    }
    CHECK(child_passed(child));
}

// The clock is set forward: who waits for a time of day that is past then is told.
static void check_setting(void) {
    struct timespec time;
    int id, rt = SIGRTMIN + 5;
    siginfo_t info;
    block(SIG_BLOCK, rt);
    CHECK(make(CLOCK_REALTIME, SIGEV_SIGNAL, rt, 0, &id) == 0);
    CHECK(set(id, TIMER_ABSTIME, now(CLOCK_REALTIME) + 500000 * MS, 0, NULL) == 0);
    int64_t end = now(CLOCK_REALTIME) + 500000 * MS, start = now(CLOCK_MONOTONIC);
    pid_t child = start_child();
    if (child == 0) {
        struct timespec point = {end / 1000000000, end % 1000000000};
        CHECK(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &point, NULL) == 0);
        end_child();
    }
    sleep_ms(20);
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += 1000;
    CHECK(clock_settime(CLOCK_REALTIME, &time) == 0);
    CHECK(child_passed(child));
    CHECK(await(rt, 1000, &info) == rt);
    CHECK(now(CLOCK_MONOTONIC) - start < 20000 * MS);
    time.tv_sec -= 1000;
    CHECK(clock_settime(CLOCK_REALTIME, &time) == 0);
    CHECK(syscall(SYS_timer_delete, id) == 0);
    CHECK(fails(clock_settime(CLOCK_MONOTONIC, &time), EINVAL));
    child = start_child();
    if (child == 0) {
        CHECK(setuid(1000) == 0);
        CHECK(fails(clock_settime(CLOCK_REALTIME, &time), EPERM));
        struct timeval wanted = {time.tv_sec, 0};
        CHECK(fails(settimeofday(&wanted, NULL), EPERM));
        end_child();
    }
    CHECK(child_passed(child));
}

#include "timers_adjust.h"

static void checks(void) {
    check_interval_timers();
    check_timers();
    check_errors();
    check_threads();
    check_processor_clocks();
    check_inheritance();
    check_limit();
    check_setting();
    // It takes seconds: once is enough.
    if (sysconf(_SC_NPROCESSORS_ONLN) == 1) check_adjusting();
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "sleeper") == 0) {
        usleep(600000);
        return 0;
    }
    return run_as_init("timers", checks);
}
