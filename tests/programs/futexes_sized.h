// The calls that say how large a word is: futex_wake(2), futex_wait(2), futex_requeue(2), known since Linux 6.7.
#pragma once
#include <sys/utsname.h>

#define SIZED (2 | PRIVATE)

static long sized_wake(void *word, unsigned long mask, int count, unsigned flags) { return syscall(454, word, mask, count, flags); }

static long sized_wait(void *word, unsigned long value, unsigned long mask, unsigned flags, struct timespec *end, int clock) {
    return syscall(455, word, value, mask, flags, end, clock);
}

static long sized_requeue(struct futex_waitv_word *words, unsigned flags, int wakes, int moves) { return syscall(456, words, flags, wakes, moves); }

static void *wait_sized(void *argument) {
    struct waiter *self = argument;
    self->error = sized_wait(self->word, *self->word, self->mask, SIZED, NULL, 0) == 0 ? 0 : errno;
    self->is_woken = 1;
    return NULL;
}

static void start_sized(struct waiter *waiters, int count) {
    for (int i = 0; i < count; i++) {
        waiters[i] = (struct waiter){.word = &word, .mask = 1u << i};
        CHECK(pthread_create(&waiters[i].thread, NULL, wait_sized, &waiters[i]) == 0);
        usleep(20000);
    }
}

#define REFUSED(call, error) (errno = 0, (call) == -1 && errno == (error))

static void sized_refusals(void) {
    static uint32_t here = 5;
    struct timespec bad = {0, 1000000000}, none = {0, 0};
    // Of the sizes there is one; a bit for NUMA, or any other, is none of it.
    static const unsigned wrong[] = {0, 1, 3, 2 | 4, 2 | 8, 2 | 256, PRIVATE};
    for (int i = 0; i < 7; i++) CHECK(REFUSED(sized_wake(&here, 1, 1, wrong[i]), EINVAL) && REFUSED(sized_wait(&here, 4, 1, wrong[i], NULL, 0), EINVAL));
    CHECK(REFUSED(sized_wake(&here, 0, 1, SIZED), EINVAL) && REFUSED(sized_wake(&here, 1ul << 32, 1, SIZED), EINVAL));
    CHECK(REFUSED(sized_wait(&here, 5, 0, SIZED, NULL, 0), EINVAL) && REFUSED(sized_wait(&here, 5, 1ul << 32, SIZED, NULL, 0), EINVAL));
    CHECK(REFUSED(sized_wait(&here, 1ul << 32 | 5, 1, SIZED, NULL, 0), EINVAL) && REFUSED(sized_wait(&here, 4, 1, SIZED, NULL, 99), EAGAIN));
    CHECK(REFUSED(sized_wait(&here, 5, 1, SIZED, &none, 99), EINVAL) && REFUSED(sized_wait(&here, 5, 1, SIZED, &bad, CLOCK_MONOTONIC), EINVAL));
    CHECK(REFUSED(sized_wait(&here, 5, 1, SIZED, (void *)8, CLOCK_MONOTONIC), EFAULT) && REFUSED(sized_wait(&here, 5, 1, SIZED, &none, CLOCK_REALTIME), ETIMEDOUT));
    CHECK(REFUSED(sized_wake((char *)&here + 1, 1, 1, SIZED), EINVAL) && REFUSED(sized_wake((void *)-4096l, 1, 1, SIZED), EFAULT));
    CHECK(sized_wake(&here, 1, 0, SIZED) == 0 && sized_wake(&here, 1, 1, 2) == 0);
    struct futex_waitv_word words[2] = {{5, (uintptr_t)&here, SIZED, 0}, {0, (uintptr_t)&word2, SIZED, 0}};
    CHECK(REFUSED(sized_requeue(words, 1, 1, 1), EINVAL) && REFUSED(sized_requeue(NULL, 0, 1, 1), EINVAL) && REFUSED(sized_requeue((void *)8, 0, 1, 1), EFAULT));
    CHECK(REFUSED(sized_requeue(words, 0, -1, 1), EINVAL) && REFUSED(sized_requeue(words, 0, 1, -1), EINVAL) && sized_requeue(words, 0, 1, 1) == 0);
    words[0].value = 4;
    CHECK(REFUSED(sized_requeue(words, 0, 1, 1), EAGAIN));
    words[0].value = 1ul << 32 | 5;
    CHECK(REFUSED(sized_requeue(words, 0, 1, 1), EINVAL));
    words[0].value = 5, words[1].reserved = 1;
    CHECK(REFUSED(sized_requeue(words, 0, 1, 1), EINVAL));
    words[1].reserved = 0, words[1].flags = 1;
    CHECK(REFUSED(sized_requeue(words, 0, 1, 1), EINVAL));
}

static void sized_words(void) {
    struct utsname name;
    int major = 0, minor = 0;
    CHECK(uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2);
    if (major < 6 || (major == 6 && minor < 7)) return;
    sized_refusals();
    struct waiter waiters[6];
    start_sized(waiters, 6);
    CHECK(sized_wake(&word, 0x3f, 0, SIZED) == 0 && sized_wake(&word, 0x14, 10, 2) == 0 && sized_wake(&word, 0x14, 10, SIZED) == 2);
    CHECK(woken(waiters, 6) == 0x14);
    struct futex_waitv_word words[2] = {{0, (uintptr_t)&word, SIZED, 0}, {0, (uintptr_t)&word2, 2, 0}};
    CHECK(sized_requeue(words, 0, 1, 2) == 3 && woken(waiters, 6) == 0x15);
    // The second word is one that processes may share, so the waiters are known by that now; the old call finds them, too.
    CHECK(sized_wake(&word2, ~0u, 10, SIZED) == 0 && sized_wake(&word2, ~0u, 1, 2) == 1 && woken(waiters, 6) == 0x17);
    CHECK(futex(&word2, FUTEX_WAKE, 10, NULL, NULL, 0) == 1 && wake(&word, 10) == 1);
    join_waiters(waiters, 6);
    struct timespec end = in_ms(CLOCK_MONOTONIC, 40);
    long start = now_ms();
    CHECK(REFUSED(sized_wait(&word, 0, 1, SIZED, &end, CLOCK_MONOTONIC), ETIMEDOUT) && now_ms() - start >= 38);
}
