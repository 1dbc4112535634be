// Signals and cancellation among threads: those sent to one of them, those sent to the process, those that a thread waits
// for; what they interrupt, and what is made again.
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

static atomic_int caught[65];
static _Atomic pid_t caught_by[65];
static sem_t ready;

static void note(int signal) {
    caught_by[signal] = syscall(SYS_gettid);
    caught[signal]++;
}

static void catch_with(int signal, int flags) {
    struct sigaction action = {.sa_handler = note, .sa_flags = flags};
    sigaction(signal, &action, NULL);
}

static void wait_until_caught(int signal, int count) {
    for (int i = 0; i < 20000 && caught[signal] < count; i++) usleep(500);
    CHECK(caught[signal] == count);
}

static void set_mask(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

static atomic_int is_over;
static _Atomic pid_t sleeper_id;

static void *sleep_until_over(void *unused) {
    sleeper_id = syscall(SYS_gettid);
    sem_post(&ready);
    while (!is_over) usleep(1000);
    return unused;
}

static void *spin_until_over(void *unused) {
    sleeper_id = syscall(SYS_gettid);
    sem_post(&ready);
    while (!is_over) continue;
    return unused;
}

static pthread_t start(void *(*routine)(void *)) {
    pthread_t thread;
    is_over = 0;
    CHECK(pthread_create(&thread, NULL, routine, NULL) == 0);
    while (sem_wait(&ready) != 0) continue;
    return thread;
}

static void finish(pthread_t thread) {
    is_over = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

static void to_one_thread(void) {
    void *(*routines[])(void *) = {sleep_until_over, spin_until_over};
    catch_with(SIGUSR1, SA_RESTART);
    for (int i = 0; i < 2; i++) {
        caught[SIGUSR1] = 0;
        pthread_t thread = start(routines[i]);
        for (int sent = 1; sent <= 20; sent++) {
            CHECK(pthread_kill(thread, SIGUSR1) == 0);
            wait_until_caught(SIGUSR1, sent);
            CHECK(caught_by[SIGUSR1] == sleeper_id);
        }
        finish(thread);
    }
    CHECK(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
    // A joined thread is gone a moment after its last word was cleared.
    for (int i = 0; i < 1000 && syscall(SYS_tgkill, getpid(), sleeper_id, 0) == 0; i++) usleep(1000);
    CHECK(syscall(SYS_tgkill, getpid(), sleeper_id, SIGUSR1) == -1 && errno == ESRCH);
    CHECK(syscall(SYS_tgkill, getpid() + 1, getpid(), SIGUSR1) == -1 && errno == ESRCH);
    CHECK(pthread_kill(pthread_self(), 0) == 0);
}

// A signal for the process goes to a thread that lets it in.
static void to_the_process(void) {
    catch_with(SIGUSR2, SA_RESTART);
    set_mask(SIG_UNBLOCK, SIGUSR2);
    pthread_t thread = start(spin_until_over);
    set_mask(SIG_BLOCK, SIGUSR2);
    for (int sent = 1; sent <= 20; sent++) {
        CHECK(kill(getpid(), SIGUSR2) == 0);
        wait_until_caught(SIGUSR2, sent);
        CHECK(caught_by[SIGUSR2] == sleeper_id);
    }
    finish(thread);
    // Nobody lets it in: it waits for the first who does.
    CHECK(kill(getpid(), SIGUSR2) == 0);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR2));
    set_mask(SIG_UNBLOCK, SIGUSR2);
    CHECK(caught[SIGUSR2] == 21 && caught_by[SIGUSR2] == getpid());
}

static void *wait_for_signals(void *unused) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGRTMIN);
    sem_post(&ready);
    for (int i = 0; i < 10; i++) {
        int signal = 0;
        if (sigwait(&set, &signal) != 0 || signal != (i < 5 ? SIGTERM : SIGRTMIN)) failed++;
        sem_post(&ready);
    }
    siginfo_t info;
    struct timespec time = {0, 50000000};
    CHECK(sigtimedwait(&set, &info, &time) == -1 && errno == EAGAIN);
    return unused;
}

static void wait_in_one_thread(void) {
    set_mask(SIG_BLOCK, SIGTERM);
    set_mask(SIG_BLOCK, SIGRTMIN);
    pthread_t thread = start(wait_for_signals);
    for (int i = 0; i < 10; i++) {
        CHECK(kill(getpid(), i < 5 ? SIGTERM : SIGRTMIN) == 0);
        while (sem_wait(&ready) != 0) continue;
    }
    finish(thread);
    set_mask(SIG_UNBLOCK, SIGTERM);
    set_mask(SIG_UNBLOCK, SIGRTMIN);
}

static int pipe_ends[2];
static atomic_int read_error;

static void *read_pipe(void *unused) {
    char byte;
    sem_post(&ready);
    read_error = read(pipe_ends[0], &byte, 1) < 0 ? errno : 0;
    return unused;
}

// The call that a signal finds a thread in: it fails, or is made again.
static void interrupted_calls(void) {
    CHECK(pipe(pipe_ends) == 0);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        caught[SIGUSR1] = 0;
        catch_with(SIGUSR1, flags);
        pthread_t thread = start(read_pipe);
        usleep(50000);
        pthread_kill(thread, SIGUSR1);
        wait_until_caught(SIGUSR1, 1);
        usleep(20000);
        CHECK(write(pipe_ends[1], "x", 1) == 1);
        finish(thread);
        CHECK(read_error == (flags ? 0 : EINTR));
        char byte;
        if (!flags) CHECK(read(pipe_ends[0], &byte, 1) == 1);
    }
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static atomic_int cleaned;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void clean(void *argument) {
    cleaned += (long)argument;
}

static void unlock(void *argument) {
    cleaned += 10;
    pthread_mutex_unlock(argument);
}

static void *cancelled_in_read(void *unused) {
    char byte;
    pthread_cleanup_push(clean, (void *)1L);
    sem_post(&ready);
    (void)!read(pipe_ends[0], &byte, 1);
    pthread_cleanup_pop(0);
    return unused;
}

static void *cancelled_in_wait(void *unused) {
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    sem_post(&ready);
    for (;;) pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
    return unused;
}

static void *cancelled_anywhere(void *unused) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    sem_post(&ready);
    for (volatile long i = 0;; i++) continue;
    return unused;
}

static atomic_int cancels;

// Its canceller may be late by any time: it does not ask before that one has asked.
static void *cancelled_late(void *unused) {
    int before = cancels;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    sem_post(&ready);
    while (cancels == before) usleep(1000);
    cleaned += 100;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    cleaned += 1000;
    return unused;
}

static void cancellation(void) {
    void *(*routines[])(void *) = {cancelled_in_read, cancelled_in_wait, cancelled_anywhere, cancelled_late};
    CHECK(pipe(pipe_ends) == 0);
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < 4; i++) {
            pthread_t thread = start(routines[i]);
            if (round > 0) usleep(5000);
            void *result = NULL;
            CHECK(pthread_cancel(thread) == 0);
            cancels++;
            CHECK(pthread_join(thread, &result) == 0);
            CHECK(result == PTHREAD_CANCELED);
        }
    CHECK(cleaned == 5 * 111);
    CHECK(pthread_mutex_trylock(&mutex) == 0);
    pthread_mutex_unlock(&mutex);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void *fault(void *unused) {
    *(volatile int *)8 = 1;
    return unused;
}

static _Atomic pid_t faulted;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    faulted = syscall(SYS_gettid);
    if (signal != SIGSEGV || info->si_addr != (void *)8) _exit(50);
    pthread_exit(&faulted);
}

// A fault is the business of the thread that made it.
static void faults(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    pthread_t busy = start(spin_until_over);
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        void *result = NULL;
        CHECK(pthread_create(&thread, NULL, fault, NULL) == 0);
        CHECK(pthread_join(thread, &result) == 0 && result == &faulted);
        CHECK(faulted != getpid() && faulted != sleeper_id);
    }
    finish(busy);
    signal(SIGSEGV, SIG_DFL);
}

// SIGSTOP stops all threads, SIGCONT lets all go on.
static void stop_and_continue(void) {
    atomic_int *count = (atomic_int *)&caught[64];
    pid_t child = start_child();
    if (child == 0) {
        start(sleep_until_over);
        start(spin_until_over);
        for (;;) ++*count;
    }
    for (int i = 0; i < 3; i++) {
        int status = 0;
        usleep(20000);
        CHECK(kill(child, SIGSTOP) == 0);
        CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
        CHECK(kill(child, SIGCONT) == 0);
        CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    }
    CHECK(kill(child, SIGKILL) == 0);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void checks(void) {
    sem_init(&ready, 0, 0);
    to_one_thread();
    to_the_process();
    wait_in_one_thread();
    interrupted_calls();
    cancellation();
    faults();
    stop_and_continue();
}

int main(void) {
    return run_as_init("thread_signals", checks);
}
