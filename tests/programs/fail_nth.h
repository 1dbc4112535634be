// What the tries of fault injection are made with.
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

// A try: 0 or an error number. What it made it has taken back.
typedef int (*Try)(void);

static int control;
// A try begins with this allocation refused; fewer than MOST are made by any.
enum { MOST = 1000 };
static unsigned first_nth = 1;
static unsigned long injected;

static unsigned left_of(const char *name) {
    char text[16] = {0};
    int fd = open(name, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 1) return 0;
    close(fd);
    return strtoul(text, NULL, 10);
}

static unsigned left_over(void) {
    char text[16] = {0};
    if (pread(control, text, sizeof text - 1, 0) < 1) abort();
    return strtoul(text, NULL, 10);
}

// What was left when a try first disarmed.
static bool is_noted;
static unsigned noted;

// What is counted: "" for all of a call's allocations, " frames" for frames only.
static const char *counted = "";

static void arm(unsigned count) {
    char text[16];
    if (count == 0 && !is_noted) {
        noted = left_over();
        is_noted = true;
    }
    int len = snprintf(text, sizeof text, "%u%s", count, count ? counted : "");
    if (pwrite(control, text, len, 0) != len) abort();
}


static int error_of(long result) { return result < 0 ? errno : 0; }

static int close_of(int fd) {
    if (fd < 0) return errno;
    arm(0);
    close(fd);
    return 0;
}

#endif
