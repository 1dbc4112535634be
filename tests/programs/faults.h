// Touching what may not be touched: the signal that it brings is a value, for each thread its own.
#pragma once
#include <setjmp.h>
#include <signal.h>

static __thread sigjmp_buf back;
static __thread volatile siginfo_t seen;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    seen = *info;
    siglongjmp(back, signal);
}

// Faults are caught from now on, with these further flags of the action.
static int catch_faults(int flags) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags};
    return sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0;
}

// Touches an address: 0, or the signal it brought with its code and address in `seen`.
#define TOUCH(access) (sigsetjmp(back, 1) == 0 ? ((void)(access), 0) : seen.si_signo)
