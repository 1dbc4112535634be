// Threads by clone(2) alone. They share errno and thread-local memory with whoever makes them.
#pragma once
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// A thread like a library's; RAW_ALONE is one with descriptors and directories of its own.
#define RAW_ALONE (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define RAW_THREAD (RAW_ALONE | CLONE_FS | CLONE_FILES)

#define RAW_STACK (128 * 1024)

struct raw_thread {
    int tid, parent_word;
    // Cleared by the kernel at the end.
    volatile int child_word;
    char *stack;
};

static inline int start_raw(struct raw_thread *thread, int (*function)(void *), void *argument, int flags) {
    thread->stack = mmap(NULL, RAW_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (thread->stack == MAP_FAILED) return -1;
    thread->child_word = 1;
    thread->parent_word = 0;
    thread->tid = clone(function, thread->stack + RAW_STACK, flags, argument, &thread->parent_word, NULL,
                        &thread->child_word);
    return thread->tid > 0 ? 0 : -1;
}

// Waits for the kernel to clear the word. The stack is free only then.
static inline void join_raw(struct raw_thread *thread) {
    while (thread->child_word) syscall(SYS_futex, &thread->child_word, FUTEX_WAIT, 1, NULL, NULL, 0);
    munmap(thread->stack, RAW_STACK);
}

static inline void pause_shortly(void) { usleep(1000); }
