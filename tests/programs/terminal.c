// The terminal of a session: who has it, who gives it up, what poll says of typed bytes, and what becomes of output that was
// not sent. Everything is typed by TIOCSTI, so it runs on Linux as it is.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static int terminal;
static struct termios usual;
static volatile sig_atomic_t hang_ups, continues, interrupts, told;

static void count(int signal) {
    if (signal == SIGHUP) hang_ups++;
    if (signal == SIGCONT) continues++;
    if (signal == SIGINT) interrupts++;
    if (signal == SIGIO) told++;
}

static void type(const char *keys) {
    for (; *keys; keys++) CHECK(ioctl(terminal, TIOCSTI, keys) == 0);
}

static int is_readable(void) {
    struct pollfd one = {terminal, POLLIN, 0};
    return poll(&one, 1, 0) == 1 && (one.revents & POLLIN);
}

static void set(struct termios wanted) {
    CHECK(tcsetattr(terminal, TCSANOW, &wanted) == 0);
}

static void polling(void) {
    struct termios raw = usual;
    char bytes[8];
    raw.c_lflag &= ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 3, raw.c_cc[VTIME] = 0;
    set(raw);
    type("ab");
    CHECK(!is_readable());
    type("c");
    CHECK(is_readable());
    CHECK(read(terminal, bytes, 8) == 3 && memcmp(bytes, "abc", 3) == 0);
    type("d");
    CHECK(!is_readable());
    raw.c_cc[VTIME] = 1;
    set(raw);
    CHECK(is_readable());
    raw.c_cc[VMIN] = 0;
    set(raw);
    CHECK(read(terminal, bytes, 8) == 1 && bytes[0] == 'd');
    set(usual);
}

// The number of the controlling terminal in /proc/self/stat.
static int number(void) {
    char text[1024] = {0};
    int stat = open("/proc/self/stat", O_RDONLY), found = -1;
    read(stat, text, sizeof(text) - 1);
    close(stat);
    sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %d", &found);
    return found;
}

static int has_terminal(void) {
    int own = open("/dev/tty", O_RDWR);
    if (own >= 0) close(own);
    return own >= 0;
}

static void giving_up(void) {
    int ready[2], gone[2];
    CHECK(has_terminal() && number() != 0);
    // A member of the session gives it up for itself and those that come after it.
    pid_t child = start_child();
    if (child == 0) {
        CHECK(has_terminal());
        CHECK(ioctl(terminal, TIOCNOTTY) == 0);
        CHECK(FAILS(open("/dev/tty", O_RDWR), ENXIO) && number() == 0);
        CHECK(FAILS(ioctl(terminal, TIOCNOTTY), ENOTTY));
        CHECK(FAILS(tcgetpgrp(terminal), ENOTTY));
        CHECK(write(terminal, "", 1) == 1);
        pid_t grandchild = start_child();
        if (grandchild == 0) {
            CHECK(!has_terminal());
            end_child();
        }
        CHECK(child_passed(grandchild));
        end_child();
    }
    CHECK(child_passed(child));
    CHECK(has_terminal() && hang_ups == 0);
    // The leader gives it up for the session; what is open stays usable, and what it was for others does not come back.
    CHECK(pipe(ready) == 0 && pipe(gone) == 0);
    child = start_child();
    if (child == 0) {
        char byte;
        close(gone[1]), close(ready[0]);
        CHECK(has_terminal());
        write(ready[1], "r", 1);
        read(gone[0], &byte, 1);
        CHECK(!has_terminal() && number() == 0);
        end_child();
    }
    char byte;
    close(ready[1]), close(gone[0]);
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK(ioctl(terminal, TIOCNOTTY) == 0);
    CHECK(hang_ups == 1 && continues == 1);
    CHECK(!has_terminal() && number() == 0);
    struct termios now;
    CHECK(tcgetattr(terminal, &now) == 0 && write(terminal, "", 1) == 1);
    CHECK(ioctl(terminal, TIOCSCTTY, 0) == 0 && has_terminal() && tcgetpgrp(terminal) == getpid());
    close(gone[1]);
    CHECK(child_passed(child));
    child = start_child();
    if (child == 0) {
        CHECK(has_terminal());
        end_child();
    }
    CHECK(child_passed(child));
}

static void background(void) {
    struct termios stopping = usual;
    stopping.c_lflag |= TOSTOP;
    set(stopping);
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        signal(SIGTTOU, SIG_DFL);
        int console = open("/dev/console", O_RDWR | O_NOCTTY);
        if (console < 0 || write(console, "", 1) != 1) _exit(1);
        // Neither is a reader of /dev/console stopped.
        fcntl(console, F_SETFL, O_NONBLOCK);
        char byte;
        if (read(console, &byte, 1) != -1 || errno != EAGAIN) _exit(2);
        write(terminal, "", 1);
        _exit(0);
    }
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
    kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child);
    set(usual);
}

static int waiting(void) {
    int bytes = -1;
    CHECK(ioctl(terminal, TIOCOUTQ, &bytes) == 0);
    return bytes;
}

static void output(void) {
    struct termios silent = usual;
    silent.c_lflag &= ~ECHO;
    silent.c_iflag &= ~IXON;
    set(silent);
    CHECK(tcdrain(terminal) == 0 && waiting() == 0);
    CHECK(tcflow(terminal, TCOOFF) == 0);
    CHECK(write(terminal, "never sent", 10) == 10 && waiting() == 10);
    CHECK(tcflush(terminal, TCIFLUSH) == 0 && waiting() == 10);
    CHECK(tcflush(terminal, TCOFLUSH) == 0 && waiting() == 0);
    CHECK(write(terminal, "never sent", 10) == 10 && waiting() == 10);
    type("\x03");
    CHECK(interrupts == 1 && waiting() == 0);
    silent.c_lflag |= NOFLSH;
    set(silent);
    CHECK(write(terminal, "never sent", 10) == 10 && waiting() == 10);
    type("\x03");
    CHECK(interrupts == 2 && waiting() == 10);
    // Who waits for the end of it waits; a signal ends that.
    struct sigaction action = {.sa_handler = count};
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    CHECK(FAILS(tcdrain(terminal), EINTR));
    CHECK(tcflush(terminal, TCIOFLUSH) == 0 && waiting() == 0);
    CHECK(tcflow(terminal, TCOON) == 0);
    CHECK(FAILS(ioctl(terminal, TCFLSH, 7), EINVAL) && FAILS(ioctl(terminal, TCXONC, 7), EINVAL));
    // Keys stop it and let it go on.
    silent.c_iflag |= IXON;
    silent.c_lflag &= ~NOFLSH;
    set(silent);
    type("\x13");
    CHECK(write(terminal, "sent later\n", 11) == 11 && waiting() > 0);
    type("\x11");
    CHECK(tcdrain(terminal) == 0 && waiting() == 0);
    type("\x13");
    CHECK(write(terminal, "never sent", 10) == 10 && waiting() == 10);
    type("\x03");
    CHECK(interrupts == 3 && tcdrain(terminal) == 0);
    set(usual);
}

static void signals(void) {
    struct termios silent = usual;
    silent.c_lflag &= ~(ECHO | ICANON);
    set(silent);
    int flags = fcntl(terminal, F_GETFL);
    CHECK(fcntl(terminal, F_GETOWN) == 0);
    CHECK(fcntl(terminal, F_SETFL, flags | O_ASYNC) == 0);
    CHECK(fcntl(terminal, F_GETOWN) == -getpgrp());
    type("x");
    CHECK(told >= 1);
    told = 0;
    CHECK(fcntl(terminal, F_SETFL, flags) == 0);
    type("y");
    CHECK(told == 0);
    CHECK(tcflush(terminal, TCIFLUSH) == 0);
    int discipline = -1;
    CHECK(ioctl(terminal, TIOCGETD, &discipline) == 0 && discipline == 0);
    CHECK(ioctl(terminal, TIOCSETD, &discipline) == 0);
    CHECK(FAILS(ioctl(terminal, 0x5499, 0), ENOTTY));
    set(usual);
}

static void checks(void) {
    struct sigaction action = {.sa_handler = count};
    sigaction(SIGHUP, &action, NULL), sigaction(SIGCONT, &action, NULL);
    sigaction(SIGINT, &action, NULL), sigaction(SIGIO, &action, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    CHECK(setsid() == getpid());
    terminal = open("/dev/ttyAMA0", O_RDWR);
    CHECK(terminal >= 0 && tcgetattr(terminal, &usual) == 0);
    usual.c_lflag |= ICANON | ISIG | ECHO;
    usual.c_iflag |= IXON;
    set(usual);
    CHECK(tcgetpgrp(terminal) == getpid());
    polling();
    giving_up();
    background();
    output();
    signals();
}

int main(void) {
    return run_as_init("terminal", checks);
}
