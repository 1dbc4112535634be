// Pseudo-terminals: names and numbers in a devpts, what passes between master and slave, packet mode, sizes, job control across a
// pair, hang-ups, limits. Everything is asked of the kernel, so it runs on Linux as it is.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <utmp.h>

#define FAILS(call, error) (errno = 0, (call) == -1 && errno == (error))

static char name[64];

static int open_master(void) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    CHECK(ptsname_r(master, name, sizeof name) == 0);
    return master;
}

static int open_pair(int *slave) {
    int master = open_master();
    *slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(*slave >= 0);
    return master;
}

static int events(int file) {
    struct pollfd one = {file, POLLIN | POLLPRI | POLLOUT, 0};
    return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

// Waits until there is something to read, for a second at most.
static int wait_for(int file) {
    struct pollfd one = {file, POLLIN | POLLPRI, 0};
    return poll(&one, 1, 1000) == 1;
}

// Reads until that text has come.
static int reads(int file, const char *text, size_t len) {
    char bytes[256];
    size_t got = 0;
    while (got < len && wait_for(file)) {
        ssize_t more = read(file, bytes + got, sizeof bytes - got);
        if (more <= 0) break;
        got += more;
    }
    if (got == len && memcmp(bytes, text, len) == 0) return 1;
    printf("%zu bytes:", got);
    for (size_t i = 0; i < got; i++) printf(" %02x", bytes[i]);
    printf("\n");
    return 0;
}
#define READS(file, text) reads(file, text, sizeof text - 1)
static void set_raw(int file) {
    struct termios raw;
    CHECK(tcgetattr(file, &raw) == 0);
    cfmakeraw(&raw);
    CHECK(tcsetattr(file, TCSANOW, &raw) == 0);
}

static void names(void) {
    struct stat about;
    struct statfs system;
    CHECK(stat("/dev/pts", &about) == 0 && about.st_ino == 1 && (about.st_mode & 07777) == 0755);
    CHECK(statfs("/dev/pts", &system) == 0 && system.f_type == 0x1cd1);
    CHECK(stat("/dev/pts/ptmx", &about) == 0 && about.st_rdev == makedev(5, 2) && about.st_mode == S_IFCHR);
    CHECK(FAILS(open("/dev/pts/0", O_RDWR), ENOENT) && FAILS(open("/dev/pts/00", O_RDWR), ENOENT));
    int master = posix_openpt(O_RDWR | O_NOCTTY), locked = 0;
    unsigned number = 99;
    CHECK(ioctl(master, TIOCGPTN, &number) == 0 && number == 0);
    CHECK(ioctl(master, TIOCGPTLCK, &locked) == 0 && locked == 1);
    CHECK(FAILS(open("/dev/pts/0", O_RDWR | O_NOCTTY), EIO));
    CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
    CHECK(ioctl(master, TIOCGPTLCK, &locked) == 0 && locked == 0);
    CHECK(stat("/dev/pts/0", &about) == 0 && about.st_rdev == makedev(136, 0));
    CHECK(about.st_uid == 0 && about.st_gid == 5 && about.st_mode == (S_IFCHR | 0620) && about.st_ino == 3);
    CHECK(chmod("/dev/pts/0", 0600) == 0 && stat("/dev/pts/0", &about) == 0 && about.st_mode == (S_IFCHR | 0600));
    int slave = open("/dev/pts/0", O_RDWR | O_NOCTTY);
    char link[64] = {0}, path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", slave);
    CHECK(readlink(path, link, sizeof link) > 0 && strcmp(link, "/dev/pts/0") == 0);
    CHECK(ttyname_r(slave, link, sizeof link) == 0 && strcmp(link, "/dev/pts/0") == 0 && isatty(master));
    CHECK(FAILS(ioctl(slave, TIOCGPTN, &number), ENOTTY));
    int second = open_master(), peer = ioctl(second, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(strcmp(name, "/dev/pts/1") == 0 && peer >= 0 && (fcntl(peer, F_GETFD) & FD_CLOEXEC));
    CHECK(fstat(peer, &about) == 0 && about.st_rdev == makedev(136, 1));
    CHECK(mknod("/tmp/slave", S_IFCHR | 0666, makedev(136, 0)) == 0 && FAILS(open("/tmp/slave", O_RDWR), EIO));
    DIR *list = opendir("/dev/pts");
    int found = 0;
    for (struct dirent *entry; (entry = readdir(list));) {
        found |= (strcmp(entry->d_name, "0") == 0) | (strcmp(entry->d_name, "1") == 0) << 1 |
                 (strcmp(entry->d_name, "ptmx") == 0) << 2;
    }
    CHECK(found == 7);
    closedir(list), close(slave), close(peer), close(second), close(master);
    CHECK(FAILS(stat("/dev/pts/0", &about), ENOENT) && FAILS(stat("/dev/pts/1", &about), ENOENT));
    // Somebody else's belongs to him.
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        open_master();
        CHECK(stat(name, &about) == 0 && about.st_uid == 1000 && about.st_gid == 5);
        end_child();
    }
    CHECK(child_passed(child));
}

static void bytes(void) {
    struct winsize size = {1, 1, 1, 1};
    struct termios termios;
    int slave, master = open_master(), waiting;
    char buffer[16];
    CHECK(events(master) == POLLOUT && FAILS(read(master, buffer, 16), EAGAIN));
    slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(ioctl(master, TIOCGWINSZ, &size) == 0 && size.ws_row == 0 && size.ws_col == 0);
    CHECK(tcgetattr(master, &termios) == 0 && termios.c_iflag == (ICRNL | IXON) && termios.c_oflag == (OPOST | ONLCR));
    CHECK(termios.c_cflag == (B38400 | CS8 | CREAD) && (termios.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
    CHECK(write(master, "on\r", 3) == 3 && READS(master, "on\r\n") && READS(slave, "on\n"));
    CHECK(write(slave, "a\tb\n", 4) == 4);
    CHECK(wait_for(master) && ioctl(master, FIONREAD, &waiting) == 0 && waiting == 5 && READS(master, "a\tb\r\n"));
    CHECK(ioctl(master, TIOCOUTQ, &waiting) == 0 && waiting == 0);
    // The master's settings are the slave's.
    set_raw(master);
    CHECK(tcgetattr(slave, &termios) == 0 && (termios.c_lflag & (ICANON | ECHO)) == 0);
    CHECK(write(master, "x\n\3", 3) == 3 && READS(slave, "x\n\3") && events(master) == POLLOUT);
    CHECK(write(slave, "gone", 4) == 4 && wait_for(master) && tcflush(master, TCIFLUSH) == 0);
    CHECK(FAILS(read(master, buffer, 16), EAGAIN));
    // Much, both ways, is neither lost nor out of order.
    for (int way = 0; way < 2; way++) {
        int from = way ? master : slave, to = way ? slave : master, wrong = 0;
        fcntl(master, F_SETFL, O_RDWR);
        pid_t child = start_child();
        if (child == 0) {
            static unsigned char text[100000];
            for (int i = 0; i < 100000; i++) text[i] = i % 251;
            for (int at = 0; at < 100000;) {
                ssize_t more = write(from, text + at, 100000 - at);
                if (more <= 0) _exit(1);
                at += more;
            }
            end_child();
        }
        for (int at = 0; at < 100000;) {
            unsigned char piece[3000];
            ssize_t more = read(to, piece, sizeof piece);
            if (more <= 0) break;
            for (int i = 0; i < more; i++, at++) wrong += piece[i] != at % 251;
            if (at == 100000) wrong--;
        }
        CHECK(wrong == -1 && child_passed(child));
    }
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    // What nobody reads does not keep who sets the terminal.
    fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
    memset(name, 'x', sizeof name);
    while (write(slave, name, sizeof name) > 0) {}
    CHECK(errno == EAGAIN && tcdrain(slave) == 0 && tcgetattr(slave, &termios) == 0);
    CHECK(tcsetattr(slave, TCSADRAIN, &termios) == 0 && (events(slave) & POLLOUT) == 0);
    close(slave), close(master);
}

static void packets(void) {
    int slave, master = open_pair(&slave), on = 1, is_on = 0;
    struct termios termios;
    CHECK(FAILS(ioctl(slave, TIOCPKT, &on), ENOTTY));
    CHECK(ioctl(master, TIOCPKT, &on) == 0 && ioctl(master, TIOCGPKT, &is_on) == 0 && is_on == 1);
    CHECK(write(slave, "text", 4) == 4 && READS(master, "\0text"));
    CHECK(write(master, "\x13", 1) == 1 && wait_for(master) && (events(master) & POLLPRI) && READS(master, "\4"));
    CHECK(write(master, "\x11", 1) == 1 && READS(master, "\10"));
    CHECK(tcflow(slave, TCOOFF) == 0 && READS(master, "\4") && tcflow(slave, TCOON) == 0 && READS(master, "\10"));
    CHECK(tcflush(slave, TCIFLUSH) == 0 && READS(master, "\1"));
    CHECK(tcflush(slave, TCOFLUSH) == 0 && READS(master, "\2"));
    CHECK(tcgetattr(slave, &termios) == 0);
    termios.c_iflag &= ~IXON;
    CHECK(tcsetattr(slave, TCSANOW, &termios) == 0 && READS(master, "\20"));
    termios.c_iflag |= IXON, termios.c_lflag &= ~ECHO;
    CHECK(tcsetattr(slave, TCSANOW, &termios) == 0 && READS(master, "\40"));
    CHECK(write(master, "\3", 1) == 1 && READS(master, "\3"));
    termios.c_lflag |= EXTPROC;
    CHECK(tcsetattr(slave, TCSANOW, &termios) == 0 && READS(master, "\100"));
    on = 0;
    CHECK(ioctl(master, TIOCPKT, &on) == 0 && write(slave, "x", 1) == 1 && READS(master, "x"));
    close(slave), close(master);
}

static void closing(void) {
    int slave, master = open_pair(&slave);
    char buffer[16], link[64] = {0}, path[64];
    CHECK(write(slave, "last", 4) == 4);
    close(slave);
    CHECK(wait_for(master) && events(master) == (POLLIN | POLLOUT | POLLHUP));
    CHECK(READS(master, "last") && FAILS(read(master, buffer, 16), EIO) && events(master) == (POLLOUT | POLLHUP));
    slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(FAILS(read(master, buffer, 16), EAGAIN) && events(master) == POLLOUT);
    // A reader at the slave finds out that the master goes.
    pid_t child = start_child();
    if (child == 0) {
        close(master);
        CHECK(FAILS(read(slave, buffer, 16), EIO) && read(slave, buffer, 16) == 0);
        end_child();
    }
    usleep(20000);
    close(master);
    CHECK(child_passed(child));
    CHECK(read(slave, buffer, 16) == 0 && FAILS(write(slave, "x", 1), EIO));
    CHECK((events(slave) & (POLLIN | POLLOUT | POLLHUP)) == (POLLIN | POLLOUT | POLLHUP));
    CHECK(FAILS(ioctl(slave, TIOCGWINSZ, buffer), EIO) && FAILS(open(name, O_RDWR), ENOENT));
    snprintf(path, sizeof path, "/proc/self/fd/%d", slave);
    CHECK(readlink(path, link, sizeof link) > 0 && strstr(link, "(deleted)"));
    close(slave);
}

static volatile sig_atomic_t counts[32];

static void count(int signal) {
    const char *letter = signal == SIGINT ? "I" : signal == SIGQUIT ? "Q" : signal == SIGWINCH ? "W" : "";
    counts[signal]++;
    write(1, letter, strlen(letter));
}

static void count_signals(void) {
    for (int signal = 1; signal < 32; signal++) {
        struct sigaction action = {.sa_handler = count};
        if (signal != SIGKILL && signal != SIGSTOP && signal != SIGCHLD) sigaction(signal, &action, NULL);
    }
}

// In the session of the slave: says what it hears, a letter each.
static void session(void) {
    char byte;
    count_signals();
    CHECK(tcgetpgrp(0) == getpid() && tcgetsid(0) == getpid() && open("/dev/tty", O_RDWR) >= 0);
    struct termios quiet;
    CHECK(tcgetattr(0, &quiet) == 0);
    quiet.c_lflag &= ~ECHO;
    CHECK(tcsetattr(0, TCSANOW, &quiet) == 0);
    write(1, "!", 1);
    for (;;) {
        ssize_t got = read(0, &byte, 1);
        if (got == 1 && byte == 'q') break;
        if (got == 1 && byte == 'b') {
            // A job in the background may not read; put into the foreground it may.
            int status = -1;
            pid_t job = start_child();
            if (job == 0) {
                setpgid(0, 0);
                signal(SIGTTIN, SIG_DFL), signal(SIGCONT, SIG_DFL);
                write(1, "n", 1);
                while (read(0, &byte, 1) == 1 && byte == '\n') {}
                CHECK(byte == 'j');
                end_child();
            }
            CHECK(waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
            signal(SIGTTOU, SIG_IGN);
            CHECK(tcsetpgrp(0, job) == 0 && kill(job, SIGCONT) == 0);
            write(1, "f", 1);
            CHECK(child_passed(job) && tcsetpgrp(0, getpid()) == 0);
            write(1, "d", 1);
        }
    }
    end_child();
}

static void jobs(void) {
    int slave, master = open_pair(&slave), heard[2];
    struct winsize size = {50, 132, 0, 0}, seen;
    pid_t group;
    CHECK(FAILS(ioctl(master, TIOCGSID, &group), ENOTTY));
    pid_t child = start_child();
    if (child == 0) {
        close(master);
        CHECK(login_tty(slave) == 0);
        session();
    }
    CHECK(READS(master, "!"));
    CHECK(ioctl(master, TIOCGPGRP, &group) == 0 && group == child && tcgetsid(master) == child);
    CHECK(FAILS(tcsetpgrp(master, child), ENOTTY) && FAILS(ioctl(master, TIOCNOTTY), ENOTTY));
    CHECK(write(master, "\3", 1) == 1 && READS(master, "I"));
    CHECK(ioctl(master, TIOCSIG, SIGQUIT) == 0 && READS(master, "Q") && FAILS(ioctl(master, TIOCSIG, SIGKILL), EINVAL));
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0 && READS(master, "W"));
    CHECK(ioctl(slave, TIOCGWINSZ, &seen) == 0 && memcmp(&size, &seen, sizeof size) == 0);
    size.ws_row = 51;
    CHECK(ioctl(slave, TIOCSWINSZ, &size) == 0 && READS(master, "W"));
    CHECK(ioctl(master, TIOCGWINSZ, &seen) == 0 && seen.ws_row == 51);
    CHECK(write(master, "b\n", 2) == 2 && READS(master, "nf"));
    CHECK(write(master, "j\n", 2) == 2 && READS(master, "d"));
    // The end of the session leaves the slave usable.
    CHECK(write(master, "q\n", 2) == 2 && child_passed(child));
    CHECK(FAILS(ioctl(master, TIOCGSID, &group), ENOTTY) && write(slave, "on", 2) == 2 && READS(master, "on"));
    // The master's end is heard by the leader, who has no terminal then; at his own end by who was in the foreground.
    CHECK(pipe(heard) == 0);
    child = start_child();
    if (child == 0) {
        char letters[8];
        int told[2];
        close(heard[0]), close(master);
        CHECK(pipe(told) == 0 && login_tty(slave) == 0);
        count_signals();
        pid_t job = fork();
        if (job == 0) {
            close(told[0]);
            setpgid(0, 0);
            write(told[1], "j", 1);
            while (!counts[SIGHUP] || !counts[SIGCONT]) usleep(1000);
            write(heard[1], "J", 1);
            _exit(0);
        }
        CHECK(read(told[0], letters, 1) == 1);
        signal(SIGTTOU, SIG_IGN);
        CHECK(tcsetpgrp(0, job) == 0);
        write(heard[1], "L", 1);
        while (!counts[SIGHUP] || !counts[SIGCONT]) usleep(1000);
        CHECK(FAILS(open("/dev/tty", O_RDWR), ENXIO) && read(0, letters, 1) == 0 && FAILS(ioctl(0, TIOCSCTTY, 0), EIO));
        end_child();
    }
    close(heard[1]), close(slave);
    CHECK(READS(heard[0], "L"));
    close(master);
    CHECK(child_passed(child) && READS(heard[0], "J"));
}

static long number(const char *file) {
    char text[32] = {0};
    int open_file = open(file, O_RDONLY);
    read(open_file, text, sizeof text - 1);
    close(open_file);
    return atol(text);
}

static int set_number(const char *file, long value) {
    char text[32];
    int open_file = open(file, O_WRONLY), len = snprintf(text, sizeof text, "%ld\n", value);
    int outcome = write(open_file, text, len) == len ? 0 : -1, why = errno;
    close(open_file);
    errno = why;
    return outcome;
}

static void limits(void) {
    const char *most = "/proc/sys/kernel/pty/max", *now = "/proc/sys/kernel/pty/nr";
    CHECK(number(most) == 4096 && number(now) == 0 && number("/proc/sys/kernel/pty/reserve") == 1024);
    int first = open_master();
    CHECK(number(now) == 1 && set_number(most, 3) == 0);
    int second = open_master();
    CHECK(FAILS(open("/dev/ptmx", O_RDWR | O_NOCTTY), ENOSPC) && number(now) == 2);
    CHECK(FAILS(set_number(most, -1), EINVAL) && set_number(most, 4096) == 0);
    close(first);
    // The lowest number is taken again.
    first = open_master();
    CHECK(strcmp(name, "/dev/pts/0") == 0);
    close(first), close(second);
    // Another instance has numbers of its own.
    CHECK(mkdir("/tmp/pts", 0755) == 0 && FAILS(mount("devpts", "/tmp/pts", "devpts", 0, "size=1"), EINVAL));
    CHECK(mount("devpts", "/tmp/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=600,gid=7,max=1") == 0);
    struct stat about;
    CHECK(stat("/tmp/pts/ptmx", &about) == 0 && about.st_mode == (S_IFCHR | 0666));
    first = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
    CHECK(stat("/tmp/pts/0", &about) == 0 && about.st_gid == 7 && about.st_mode == (S_IFCHR | 0600));
    CHECK(FAILS(open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY), ENOSPC) && FAILS(umount("/tmp/pts"), EBUSY));
    CHECK(mount("devpts", "/tmp/pts", "devpts", MS_REMOUNT, "max=2,ptmxmode=0600") == 0);
    second = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
    CHECK(second >= 0 && stat("/tmp/pts/ptmx", &about) == 0 && about.st_mode == (S_IFCHR | 0600));
    close(first), close(second);
    CHECK(umount("/tmp/pts") == 0);
    // A ptmx elsewhere looks for a devpts beside itself.
    CHECK(mkdir("/tmp/x", 0755) == 0 && mknod("/tmp/x/ptmx", S_IFCHR | 0666, makedev(5, 2)) == 0);
    CHECK(FAILS(open("/tmp/x/ptmx", O_RDWR), ENOENT) && mkdir("/tmp/x/pts", 0755) == 0);
    CHECK(FAILS(open("/tmp/x/ptmx", O_RDWR), ENODEV));
    char drivers[2048] = {0};
    int file = open("/proc/tty/drivers", O_RDONLY);
    CHECK(read(file, drivers, sizeof drivers - 1) > 0);
    close(file);
    CHECK(strstr(drivers, "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"));
    CHECK(strstr(drivers, "pty_master           /dev/ptm      128 0-1048575 pty:master\n"));
}

static void checks(void) {
    if (access("/dev/ptmx", F_OK) != 0) CHECK(mknod("/dev/ptmx", S_IFCHR, makedev(5, 2)) == 0 && chmod("/dev/ptmx", 0666) == 0);
    if (access("/dev/tty", F_OK) != 0) CHECK(mknod("/dev/tty", S_IFCHR | 0666, makedev(5, 0)) == 0);
    CHECK(mkdir("/dev/pts", 0755) == 0 || errno == EEXIST);
    CHECK(mount("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620") == 0);
    names();
    bytes();
    packets();
    closing();
    jobs();
    limits();
}

int main(void) {
    return run_as_init("ptys", checks);
}
