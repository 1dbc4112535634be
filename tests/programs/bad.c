// Does one forbidden thing, named by its argument. Each must end the process by a signal, and nothing else.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// A value that the compiler knows nothing about.
static uintptr_t opaque(uintptr_t value) {
    __asm__ volatile("" : "+r"(value));
    return value;
}

static void load(uintptr_t address) { (void)*(volatile int *)opaque(address); }
static void store(uintptr_t address) { *(volatile int *)opaque(address) = 1; }
static void jump(uintptr_t address) { ((void (*)(void))opaque(address))(); }

static void load_null(void) { load(0); }
static void store_null(void) { store(0); }
static void load_wild(void) { load(0x123456789000); }
static void load_kernel(void) { load(0xffffffff80000000); }
static void store_kernel(void) { store(0xffffff8040000000); }
static void load_not_canonical(void) { load(0x00ff000000000000); }
static void store_text(void) { store((uintptr_t)load_null); }
static void jump_null(void) { jump(0); }
static void jump_data(void) {
    static unsigned code = 0xd65f03c0; // ret
    jump((uintptr_t)&code);
}
static void jump_stack(void) {
    volatile unsigned code = 0xd65f03c0;
    jump((uintptr_t)&code);
}
static void jump_kernel(void) { jump(0xffffffff80000000); }
static void jump_odd(void) { jump((uintptr_t)load_null + 2); }

static int deeper(volatile int n) {
    volatile char frame[4096];
    frame[0] = n;
    return n < 0 ? 0 : deeper(n + 1) + frame[0];
}
static void stack_overflow(void) { deeper(1); }
static void stack_pointer_away(void) { __asm__ volatile("mov sp, %0\n\tstr x0, [sp, #-16]!" ::"r"(opaque(0x1000))); }
static void undefined(void) { __asm__ volatile("udf #0"); }
static void privileged(void) { __asm__ volatile("msr daifset, #15"); }
static void system_register(void) { __asm__ volatile("mrs x9, ttbr0_el1" ::: "x9"); }
// Nobody reads the processor's counters but with `pmu=programs`, and then not without CAP_PERFMON.
static void read_counters(void) {
    __asm__ volatile("mrs x9, pmccntr_el0\n\tmrs xzr, pmccntr_el0\n\tmrs x10, pmevcntr0_el0" ::: "x9", "x10");
}
static void read_counters_as_user(void) {
    if (setuid(1000) == 0) read_counters();
}
static void set_counter(void) { __asm__ volatile("msr pmccntr_el0, xzr"); }
static void hypervisor_call(void) { __asm__ volatile("hvc #0"); }
static void breakpoint(void) { __asm__ volatile("brk #1"); }
static void unaligned_exclusive(void) {
    static uint64_t words[2];
    uint64_t *odd = (uint64_t *)opaque((uintptr_t)words + 4);
    uint64_t value;
    __asm__ volatile("ldxr %0, [%1]" : "=r"(value) : "r"(odd));
}
static void abort_itself(void) { abort(); }
static void protected_page(void) { store((uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)); }
static void beyond_file(void) {
    FILE *file = fopen("/tmp/short", "w+");
    load((uintptr_t)mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fileno(file), 0) + 4096);
}
// The signal's frame cannot be written: the stack is gone.
static void handler(int signal) { (void)signal; }
static void handler_without_stack(void) {
    signal(SIGSEGV, handler);
    __asm__ volatile("mov sp, %0\n\tldr x9, [sp]" ::"r"(opaque(0x10)) : "x9");
}
static void return_from_no_signal(void) {
    __asm__ volatile("mov sp, %0\n\tmov x8, #139\n\tsvc #0" ::"r"(opaque(0x10)));
}

static const struct {
    const char *name;
    void (*act)(void);
} ACTS[] = {
#define ACT(name) {#name, name}
    ACT(load_null), ACT(store_null), ACT(load_wild), ACT(load_kernel), ACT(store_kernel), ACT(load_not_canonical),
    ACT(store_text), ACT(jump_null), ACT(jump_data), ACT(jump_stack), ACT(jump_kernel), ACT(jump_odd),
    ACT(stack_overflow), ACT(stack_pointer_away), ACT(undefined), ACT(privileged),
    ACT(system_register), ACT(read_counters), ACT(read_counters_as_user), ACT(set_counter), ACT(hypervisor_call), ACT(breakpoint), ACT(unaligned_exclusive), ACT(abort_itself),
    ACT(protected_page), ACT(beyond_file), ACT(handler_without_stack), ACT(return_from_no_signal),
};

int main(int count, char **arguments) {
    for (size_t i = 0; count == 2 && i < sizeof ACTS / sizeof *ACTS; i++)
        if (strcmp(arguments[1], ACTS[i].name) == 0) ACTS[i].act();
    puts("nothing happened");
    return 1;
}
