// The discipline of the clock: adjtimex(2), clock_adjtime(2).
#pragma once
#include <sys/timex.h>

#define REFUSES(call, error) (errno = 0, (call) == -1 && errno == (error))

static long long nanos_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

struct moment { long long raw, ahead; };

// Both clocks at one moment: of many tries that in which least time passed between the readings.
static struct moment look(void) {
    struct moment best = {0};
    long long least = 1ll << 60;
    for (int i = 0; i < 200; i++) {
        long long raw = nanos_of(CLOCK_MONOTONIC_RAW), day = nanos_of(CLOCK_REALTIME), passed = nanos_of(CLOCK_MONOTONIC_RAW) - raw;
        if (passed < least) least = passed, best = (struct moment){raw + passed / 2, day - raw - passed / 2};
    }
    return best;
}

// How much the time of day gains on the hardware's count in that time, in parts per million.
static long gain(int ms) {
    struct moment first = look();
    usleep(ms * 1000);
    struct moment last = look();
    return (long)((last.ahead - first.ahead) * 1000000 / (last.raw - first.raw));
}

static int adjust(struct timex all) { return adjtimex(&all); }

static void adjust_refusals(void) {
    struct timex all = {0};
    CHECK(REFUSES(adjtimex((void *)8), EFAULT) && REFUSES(clock_adjtime(99, &all), EINVAL) && REFUSES(clock_adjtime(CLOCK_MONOTONIC, &all), EOPNOTSUPP));
    CHECK(REFUSES(adjust((struct timex){.modes = ADJ_TICK, .tick = 8999}), EINVAL) && REFUSES(adjust((struct timex){.modes = ADJ_TICK, .tick = 11001}), EINVAL));
    CHECK(REFUSES(adjust((struct timex){.modes = 0x8000}), EINVAL) && REFUSES(adjust((struct timex){.modes = ADJ_FREQUENCY, .freq = 1l << 62}), EINVAL));
    CHECK(REFUSES(adjust((struct timex){.modes = ADJ_SETOFFSET, .time = {0, 1000000}}), EINVAL) && REFUSES(adjust((struct timex){.modes = ADJ_SETOFFSET, .time = {0, -1}}), EINVAL));
    CHECK(REFUSES(adjust((struct timex){.modes = ADJ_SETOFFSET | ADJ_NANO, .time = {0, 1000000000}}), EINVAL));
    pid_t child = start_child();
    if (child == 0) {
        CHECK(setuid(1000) == 0 && adjtimex(&all) >= 0 && all.tick == 10000);
        CHECK(REFUSES(adjust((struct timex){.modes = ADJ_FREQUENCY}), EPERM) && REFUSES(adjust((struct timex){.modes = ADJ_OFFSET_SINGLESHOT}), EPERM));
        CHECK(adjust((struct timex){.modes = ADJ_OFFSET_SS_READ}) >= 0 && clock_adjtime(CLOCK_REALTIME, &all) >= 0);
        end_child();
    }
    CHECK(child_passed(child));
}

static void adjust_state(void) {
    struct timex all = {0};
    CHECK(adjtimex(&all) == TIME_ERROR && (all.status & STA_UNSYNC) && all.precision == 1 && all.tolerance == 32768000 && all.tick == 10000 && all.freq == 0);
    CHECK(llabs(all.time.tv_sec * 1000000ll + all.time.tv_usec - nanos_of(CLOCK_REALTIME) / 1000) < 5000000);
    all = (struct timex){.modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR, .status = STA_PLL | STA_CLOCKERR, .maxerror = 1000, .esterror = 77};
    CHECK(adjtimex(&all) == TIME_OK && all.status == STA_PLL && all.maxerror >= 1000 && all.maxerror < 20000 && all.esterror == 77);
    all = (struct timex){.modes = ADJ_NANO | ADJ_TIMECONST, .constant = 3};
    CHECK(adjtimex(&all) == TIME_OK && all.status == (STA_PLL | STA_NANO) && all.constant == 3);
    all = (struct timex){.modes = ADJ_MICRO | ADJ_TIMECONST, .constant = 3};
    CHECK(adjtimex(&all) == TIME_OK && all.status == STA_PLL && all.constant == 7);
    all = (struct timex){.modes = ADJ_FREQUENCY, .freq = 1l << 36};
    CHECK(adjtimex(&all) == TIME_OK && all.freq == 32768000);
    all = (struct timex){.modes = ADJ_FREQUENCY, .freq = -1234567};
    CHECK(adjtimex(&all) == TIME_OK && all.freq == -1234567);
    long long day = nanos_of(CLOCK_REALTIME), tai;
    CHECK(adjust((struct timex){.modes = ADJ_TAI, .constant = 37}) == TIME_OK);
    tai = nanos_of(CLOCK_TAI);
    CHECK(tai - day >= 37000000000ll && tai - day < 47000000000ll && adjust((struct timex){.modes = ADJ_TAI}) == TIME_OK);
    // Setting the clock says that nothing is known of its errors.
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(clock_settime(CLOCK_REALTIME, &now) == 0 && adjust((struct timex){0}) == TIME_ERROR);
}

static void adjust_rates(void) {
    struct timex all = {.modes = ADJ_FREQUENCY | ADJ_TICK, .freq = 0, .tick = 10500};
    CHECK(adjtimex(&all) >= 0 && all.tick == 10500);
    long faster = gain(200);
    CHECK(faster > 48000 && faster < 52000);
    // Who waits for a time of day waits less.
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 300000000, end.tv_sec += end.tv_nsec / 1000000000, end.tv_nsec %= 1000000000;
    long long day = end.tv_sec * 1000000000ll + end.tv_nsec, start = nanos_of(CLOCK_MONOTONIC_RAW);
    CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL) == 0 && nanos_of(CLOCK_REALTIME) >= day);
    CHECK(nanos_of(CLOCK_MONOTONIC_RAW) - start > 270000000);
    CHECK(adjust((struct timex){.modes = ADJ_TICK, .tick = 9500}) >= 0);
    long slower = gain(200);
    CHECK(slower < -48000 && slower > -52000);
    // It never goes back, whatever is changed.
    long long last = nanos_of(CLOCK_REALTIME), now;
    for (int i = 0; i < 2000; i++, last = now) {
        if (i % 20 == 0) adjust((struct timex){.modes = ADJ_TICK, .tick = i % 40 ? 9000 : 11000});
        now = nanos_of(CLOCK_REALTIME);
        CHECK(now >= last);
    }
    CHECK(adjust((struct timex){.modes = ADJ_TICK | ADJ_FREQUENCY, .tick = 10000, .freq = 500 << 16}) >= 0);
    long frequency = gain(400);
    CHECK(frequency > 450 && frequency < 550);
    CHECK(adjust((struct timex){.modes = ADJ_FREQUENCY}) >= 0);
    frequency = gain(200);
    CHECK(frequency > -50 && frequency < 50);
}

static void adjust_offsets(void) {
    struct timex all = {.modes = ADJ_SETOFFSET | ADJ_NANO, .time = {100, 500}};
    long long ahead = nanos_of(CLOCK_REALTIME) - nanos_of(CLOCK_MONOTONIC_RAW), moved;
    CHECK(adjtimex(&all) == TIME_ERROR);
    moved = nanos_of(CLOCK_REALTIME) - nanos_of(CLOCK_MONOTONIC_RAW) - ahead;
    CHECK(moved >= 99900000000ll && moved < 110000000000ll);
    all = (struct timex){.modes = ADJ_SETOFFSET | ADJ_MICRO, .time = {-101, 999999}};
    CHECK(adjtimex(&all) == TIME_ERROR);
    // adjtime(3): half a millisecond each second.
    all = (struct timex){.modes = ADJ_OFFSET_SINGLESHOT, .offset = 5000};
    CHECK(adjtimex(&all) >= 0 && all.offset == 0);
    long slewed = gain(1300);
    CHECK(slewed > 60 && slewed < 550);
    all = (struct timex){.modes = ADJ_OFFSET_SS_READ};
    CHECK(adjtimex(&all) >= 0 && all.offset < 5000 && all.offset > 3000);
    all = (struct timex){.modes = ADJ_OFFSET_SINGLESHOT};
    CHECK(adjtimex(&all) >= 0 && all.offset > 3000 && adjust((struct timex){.modes = ADJ_OFFSET_SS_READ}) >= 0);
    // The loop takes a part of what is left each second. Without it nothing is taken.
    CHECK(adjust((struct timex){.modes = ADJ_STATUS}) >= 0);
    all = (struct timex){.modes = ADJ_OFFSET, .offset = 100000};
    CHECK(adjtimex(&all) >= 0 && all.offset == 0);
    CHECK(adjust((struct timex){.modes = ADJ_STATUS | ADJ_NANO | ADJ_TIMECONST, .status = STA_PLL | STA_FREQHOLD, .constant = 0}) >= 0);
    all = (struct timex){.modes = ADJ_OFFSET, .offset = 100000000};
    CHECK(adjtimex(&all) >= 0 && all.offset > 99000000 && all.offset <= 100000000);
    slewed = gain(1300);
    CHECK(slewed > 5000 && slewed < 40000);
    all = (struct timex){0};
    CHECK(adjtimex(&all) >= 0 && all.offset < 80000000 && all.offset > 10000000);
    CHECK(adjust((struct timex){.modes = ADJ_OFFSET | ADJ_FREQUENCY}) >= 0 && adjust((struct timex){.modes = ADJ_STATUS | ADJ_MICRO, .status = STA_UNSYNC}) == TIME_ERROR);
}

static void check_adjusting(void) {
    adjust_refusals();
    adjust_state();
    adjust_rates();
    adjust_offsets();
}
