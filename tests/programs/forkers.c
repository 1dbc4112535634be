// Four threads write without pause while another forks 10,000 times. Each child, which sees memory as it stood in one
// moment, and now and then the parent, checks every byte of it.
//
// A writer goes round its pages and stores the number of the round into each word of a page, one word after the other. In
// any one moment its memory is therefore: words of this round, up to a place, and words of the round before from there on.
// A page that a child shares with the parent although somebody has written to it since, or a store that went to a page
// that was copied already, breaks that order.
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

#define WRITERS 4
#define PAGE 4096
#define PAGES 8
#define WORDS (PAGE / sizeof(uint64_t))
#define FORKS 10000

// Each writer's pages, and one word more: the round it is in, stored before the round's first word.
static struct writer {
    _Alignas(PAGE) _Atomic uint64_t words[PAGES * WORDS];
    _Atomic uint64_t round;
} * writers;

static atomic_int is_over;

static void *write_rounds(void *argument) {
    struct writer *own = argument;
    for (uint64_t round = 1; !is_over; round++) {
        // Release order on every store: nobody sees a later one without those before it.
        atomic_store_explicit(&own->round, round, memory_order_release);
        for (unsigned i = 0; i < PAGES * WORDS; i++)
            atomic_store_explicit(&own->words[i], round, memory_order_release);
    }
    return NULL;
}

// What is wrong with a snapshot; NULL for nothing.
static const char *fault_in(const struct writer *own) {
    uint64_t round = own->round;
    unsigned place = 0;
    while (place < PAGES * WORDS && own->words[place] == round) place++;
    for (unsigned i = place; i < PAGES * WORDS; i++)
        if (own->words[i] != round - 1) return own->words[i] == round ? "a later store" : "a foreign round";
    return NULL;
}

// In a child nothing moves: its memory must be one moment, and stay so.
static int check_child(void) {
    uint64_t rounds[WRITERS];
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < WRITERS; i++) {
            const char *fault = fault_in(&writers[i]);
            if (pass == 1 && rounds[i] != writers[i].round) fault = "a round that goes on";
            rounds[i] = writers[i].round;
            if (fault == NULL) continue;
            printf("writer %d: %s\n", i, fault);
            return 1;
        }
    // The child's own stores are nobody else's.
    for (int i = 0; i < WRITERS; i++)
        for (unsigned word = 0; word < PAGES * WORDS; word += WORDS / 2) writers[i].words[word] = ~0ull;
    return 0;
}

// In the parent everything moves: a word is of the round before the check, of one after it, or between.
static int check_parent(void) {
    for (int i = 0; i < WRITERS; i++) {
        uint64_t first = writers[i].round;
        for (unsigned word = 0; word < PAGES * WORDS; word++) {
            uint64_t found = writers[i].words[word];
            if (found + 1 < first || found > writers[i].round) {
                printf("writer %d: the parent finds %#jx in round %ju\n", i, (uintmax_t)found, (uintmax_t)first);
                return 1;
            }
        }
    }
    return 0;
}

static void fork_and_check(int forks) {
    for (int i = 0; i < forks; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            int wrong = check_child();
            fflush(stdout);
            _exit(wrong);
        }
        int status = -1;
        CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
        CHECK(check_parent() == 0);
        if (child < 0 || failed > 0) return;
    }
}

static void checks(void) {
    pthread_t threads[WRITERS];
    writers = mmap(NULL, WRITERS * sizeof *writers, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(writers != MAP_FAILED);
    for (int i = 0; i < WRITERS; i++) CHECK(pthread_create(&threads[i], NULL, write_rounds, &writers[i]) == 0);
    const char *wanted = getenv("FORKS");
    fork_and_check(wanted ? atoi(wanted) : FORKS);
    is_over = 1;
    for (int i = 0; i < WRITERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(writers[i].round > 0 && fault_in(&writers[i]) == NULL);
    }
}

int main(void) {
    return run_as_init("forkers", checks);
}
