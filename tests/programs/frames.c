// Signal frames: what a handler finds on its stack, and which frames sigreturn(2) takes back.
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x800
#endif
enum { FP = 0x46508001, ESR = 0x45535201 };

struct head {
    uint32_t magic, size;
};

static struct head *records(ucontext_t *context) { return (struct head *)context->uc_mcontext.__reserved; }

static struct head *find(ucontext_t *context, uint32_t magic) {
    for (struct head *head = records(context); head->magic; head = (struct head *)((char *)head + head->size)) {
        if (head->magic == magic) return head;
    }
    return NULL;
}

static struct head *end_of(ucontext_t *context) {
    struct head *head = records(context);
    while (head->magic) head = (struct head *)((char *)head + head->size);
    return head;
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signal, &action, NULL) == 0);
}

// ---- Faults tell what they were.

static uint64_t syndrome, fault_address, told_address;
static int told_code, told_signal, has_syndrome;

static void note_fault(int signal, siginfo_t *info, void *argument) {
    ucontext_t *context = argument;
    struct head *head = find(context, ESR);
    has_syndrome = head && head->size == 16;
    syndrome = head ? *(uint64_t *)(head + 1) : 0;
    fault_address = context->uc_mcontext.fault_address;
    told_address = (uint64_t)info->si_addr;
    told_code = info->si_code;
    told_signal = signal;
    context->uc_mcontext.pc += 4;
}

static void load(uint64_t at) {
    uint64_t value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(at) : "memory");
}
static void store(uint64_t at) { __asm__ volatile("str xzr, [%0]" : : "r"(at) : "memory"); }

static int is_write(void) { return syndrome >> 6 & 1; }
static unsigned class(void) { return (unsigned)(syndrome >> 26); }

static void faults(void) {
    handle(SIGSEGV, note_fault, 0);
    uint64_t page = (uint64_t)mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap((void *)(page + 4096), 4096);
    load(page);
    store(page + 8);
    CHECK(has_syndrome && is_write() && class() == 0x24 && (syndrome & 0x3c) == 0x0c);
    CHECK(told_code == SEGV_ACCERR && told_address == page + 8 && fault_address == page + 8);
    load(page + 4096);
    CHECK(has_syndrome && !is_write() && class() == 0x24 && (syndrome & 0x3c) == 0x04);
    CHECK(told_code == SEGV_MAPERR && told_address == page + 4096 && fault_address == page + 4096);
    load(0x00ff000000000000ull);
    // The kernel's half tells nothing.
    store(0xffff800000000040ull);
    CHECK(has_syndrome && is_write() && (syndrome & 0x3f) == 0x04 && told_address == 0xffff800000000040ull);
    // The top byte of a pointer is the program's.
    uint64_t tag = 0x5aull << 56;
    load(page | tag);
    CHECK(told_address == 0xffff800000000040ull);
    load((page + 4096) | tag);
    CHECK(told_address == page + 4096 && fault_address == page + 4096);
    handle(SIGSEGV, note_fault, SA_EXPOSE_TAGBITS);
    load((page + 4096) | tag);
    CHECK(told_address >> 56 << 56 == tag && (told_address & 0xffffffffffff) == page + 4096);
    CHECK(fault_address == page + 4096);
    munmap((void *)page, 4096);
}

// ---- The alternate stack in frames.

static char stack[64 << 10], inner_stack[64 << 10];
static stack_t outer, nested, asked, again;

static void note_nested(int signal, siginfo_t *info, void *argument) {
    (void)signal, (void)info;
    nested = ((ucontext_t *)argument)->uc_stack;
}

static void note_outer(int signal, siginfo_t *info, void *argument) {
    (void)signal, (void)info;
    outer = ((ucontext_t *)argument)->uc_stack;
    sigaltstack(NULL, &asked);
    raise(SIGUSR2);
    stack_t other = {.ss_sp = inner_stack, .ss_size = sizeof inner_stack};
    again.ss_flags = sigaltstack(&other, NULL) == 0 ? 0 : errno;
}

static void stacks(void) {
    stack_t now = {.ss_size = 1};
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE && now.ss_size == 0);
    handle(SIGUSR1, note_outer, SA_ONSTACK);
    handle(SIGUSR2, note_nested, SA_ONSTACK);
    stack_t set = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK(sigaltstack(&set, NULL) == 0);
    raise(SIGUSR1);
    CHECK(outer.ss_sp == stack && outer.ss_flags == 0 && outer.ss_size == sizeof stack);
    CHECK(nested.ss_sp == stack && nested.ss_flags == 0 && nested.ss_size == sizeof stack);
    CHECK(asked.ss_flags == SS_ONSTACK && again.ss_flags == EPERM);
    set.ss_flags = SS_ONSTACK;
    CHECK(sigaltstack(&set, NULL) == 0 && sigaltstack(NULL, &now) == 0 && now.ss_flags == 0);
    raise(SIGUSR1);
    CHECK(outer.ss_flags == SS_ONSTACK && nested.ss_flags == SS_ONSTACK);
    set.ss_flags = (int)SS_AUTODISARM;
    CHECK(sigaltstack(&set, NULL) == 0 && sigaltstack(NULL, &now) == 0 && now.ss_flags == (int)SS_AUTODISARM);
    raise(SIGUSR1);
    CHECK(outer.ss_flags == (int)SS_AUTODISARM && outer.ss_size == sizeof stack);
    CHECK(nested.ss_flags == SS_DISABLE && nested.ss_size == 0 && asked.ss_flags == SS_DISABLE && again.ss_flags == 0);
    CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && now.ss_flags == (int)SS_AUTODISARM);
    set = (stack_t){.ss_flags = SS_DISABLE};
    CHECK(sigaltstack(&set, &now) == 0 && sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE && now.ss_sp == NULL);
}

// ---- Frames that were tampered with.

static void (*tamper)(ucontext_t *);

static void tamper_with_frame(int signal, siginfo_t *info, void *argument) {
    (void)signal, (void)info;
    tamper(argument);
}

static int code_of_death[2];

static void tell_code(int signal, siginfo_t *info, void *argument) {
    (void)signal, (void)argument;
    if (write(code_of_death[1], &info->si_code, sizeof info->si_code) < 0) _exit(3);
    _exit(2);
}

// 0 if the frame is taken; -1, or the code of SIGSEGV if that is asked for.
static int sigreturn_with(void (*how)(ucontext_t *)) {
    int code = -1;
    CHECK(pipe(code_of_death) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        stack_t set = {.ss_sp = stack, .ss_size = sizeof stack};
        sigaltstack(&set, NULL);
        handle(SIGSEGV, tell_code, SA_ONSTACK);
        handle(SIGUSR1, tamper_with_frame, 0);
        tamper = how;
        raise(SIGUSR1);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    close(code_of_death[1]);
    if (read(code_of_death[0], &code, sizeof code) != sizeof code) code = -1;
    close(code_of_death[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    return code;
}

static void nothing(ucontext_t *context) { (void)context; }
static void flags_only(ucontext_t *context) { context->uc_mcontext.pstate ^= 0xf0000000; }
static void debug_masked(ucontext_t *context) { context->uc_mcontext.pstate |= 1 << 9; }
static void error_masked(ucontext_t *context) { context->uc_mcontext.pstate |= 1 << 8; }
static void interrupt_masked(ucontext_t *context) { context->uc_mcontext.pstate |= 1 << 7; }
static void fast_masked(ucontext_t *context) { context->uc_mcontext.pstate |= 1 << 6; }
static void to_el1(ucontext_t *context) { context->uc_mcontext.pstate |= 5; }
static void to_el1t(ucontext_t *context) { context->uc_mcontext.pstate |= 4; }
static void to_32_bits(ucontext_t *context) { context->uc_mcontext.pstate |= 0x10; }
static void no_magic(ucontext_t *context) { records(context)->magic = 0x12345678; }
static void no_fp(ucontext_t *context) { *records(context) = (struct head){0, 0}; }
static void short_fp(ucontext_t *context) { records(context)->size -= 16; }
static void put(ucontext_t *context, uint32_t magic, uint32_t size) {
    struct head *end = end_of(context);
    *end = (struct head){magic, size};
    memset(end + 1, 0, 560);
}
static void unknown(ucontext_t *context) { put(context, 0x12345678, 16); }
static void known(ucontext_t *context) { put(context, ESR, 16); }
static void long_record(ucontext_t *context) { put(context, ESR, 8192); }
static void odd_record(ucontext_t *context) { put(context, ESR, 24); }
static void tiny_record(ucontext_t *context) { put(context, ESR, 0); }
static void bad_end(ucontext_t *context) { put(context, 0, 16); }
static void twice(ucontext_t *context) {
    struct head *end = end_of(context);
    memcpy(end, records(context), 528);
    memset((char *)end + 528, 0, 16);
}
static void moved(ucontext_t *context) {
    memmove((char *)records(context) + 3072, records(context), 544);
    *records(context) = (struct head){ESR, 3072};
}

static void sigreturn_at(uint64_t sp) {
    __asm__ volatile("mov sp, %0\n mov x8, #139\n svc #0\n brk #1" : : "r"(sp));
    __builtin_unreachable();
}
static void misaligned(ucontext_t *context) { sigreturn_at((uint64_t)context - 128 + 8); }
static void not_readable(ucontext_t *context) {
    (void)context;
    sigreturn_at((uint64_t)mmap(NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
static void beyond_all(ucontext_t *context) {
    (void)context;
    sigreturn_at(0x0000fffffffffff0ull);
}

static void bad_frames(void) {
    CHECK(sigreturn_with(nothing) == 0 && sigreturn_with(flags_only) == 0);
    CHECK(sigreturn_with(known) == 0 && sigreturn_with(moved) == 0);
    CHECK(sigreturn_with(debug_masked) == SEGV_ACCERR && sigreturn_with(error_masked) == SEGV_ACCERR);
    CHECK(sigreturn_with(interrupt_masked) == SEGV_ACCERR && sigreturn_with(fast_masked) == SEGV_ACCERR);
    CHECK(sigreturn_with(to_el1) == SEGV_ACCERR && sigreturn_with(to_el1t) == SEGV_ACCERR);
    CHECK(sigreturn_with(to_32_bits) == SEGV_ACCERR);
    CHECK(sigreturn_with(no_magic) == SEGV_ACCERR && sigreturn_with(no_fp) == SEGV_ACCERR);
    CHECK(sigreturn_with(short_fp) == SEGV_ACCERR && sigreturn_with(unknown) == SEGV_ACCERR);
    CHECK(sigreturn_with(long_record) == SEGV_ACCERR && sigreturn_with(odd_record) == SEGV_ACCERR);
    CHECK(sigreturn_with(tiny_record) == SEGV_ACCERR && sigreturn_with(bad_end) == SEGV_ACCERR);
    CHECK(sigreturn_with(twice) == SEGV_ACCERR && sigreturn_with(misaligned) == SEGV_ACCERR);
    CHECK(sigreturn_with(not_readable) == SEGV_ACCERR);
    CHECK(sigreturn_with(beyond_all) == SEGV_MAPERR);
}

// ---- More signals than may wait.

static void full_queues(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    struct rlimit none = {0, 0};
    CHECK(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    union sigval value = {.sival_int = 7};
    CHECK(syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN) == -1 && errno == EAGAIN);
    CHECK(sigqueue(getpid(), SIGRTMIN, value) == -1 && errno == EAGAIN);
    CHECK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1) == 0);
    // kill(2) loses no signal, but its details.
    CHECK(kill(getpid(), SIGRTMIN + 1) == 0);
    siginfo_t info = {0};
    CHECK(sigwaitinfo(&all, &info) == SIGUSR1);
    CHECK(sigwaitinfo(&all, &info) == SIGRTMIN + 1 && info.si_code == SI_USER && info.si_pid == 0);
}

static void in_child(void (*checks)(void)) {
    pid_t child = start_child();
    if (child == 0) {
        checks();
        end_child();
    }
    CHECK(child_passed(child));
}

static void checks(void) {
    in_child(faults);
    in_child(stacks);
    bad_frames();
    in_child(full_queues);
}

int main(void) { return run_as_init("frames", checks); }
