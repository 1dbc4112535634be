// Files that tell of events, and waiting for them: eventfd, epoll, timerfd, pidfd, signalfd. On Linux too.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

// Nothing is mapped there.
static void *volatile const NOWHERE = (void *)8;

static void sleep_ms(int milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

// What poll(2) says now.
static int events_of(int fd) {
    struct pollfd one = {fd, ~0, 0};
    return poll(&one, 1, 0) == 1 ? one.revents : 0;
}

// What stands behind a descriptor in /proc/self/`folder`: the text of the link, or of the file.
static const char *shown(const char *folder, int fd) {
    static char text[4096];
    char path[64];
    ssize_t len = -1;
    snprintf(path, sizeof path, "/proc/self/%s/%d", folder, fd);
    if (strcmp(folder, "fd") == 0) {
        len = readlink(path, text, sizeof text - 1);
    } else {
        int file = open(path, O_RDONLY);
        len = read(file, text, sizeof text - 1);
        close(file);
    }
    text[len < 0 ? 0 : len] = 0;
    return text;
}

static void ignore(int signal) { (void)signal; }

// A signal, without SA_RESTART, after some milliseconds.
static void interrupt_after(int milliseconds) {
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGALRM, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    static timer_t timer;
    static int is_made;
    if (!is_made) is_made = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
    struct itimerspec once = {.it_value = {0, milliseconds * 1000000L}};
    timer_settime(timer, 0, &once, NULL);
}

#include "waiting_eventfd.h"

#include "waiting_epoll.h"

#include "waiting_timers.h"

#include "waiting_processes.h"

#include "waiting_signals.h"

static void checks(void) {
    check_eventfd();
    check_epoll();
    check_timerfd();
    check_pidfd();
    check_foreign_signalfd();
    check_signalfd();
}

int main(void) { return run_as_init("waiting", checks); }
