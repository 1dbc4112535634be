// The code of the vDSO: functions that programs call at EL0 instead of the kernel. `kernel/task/src/vdso.rs` copies it into the page of a
// shared object; the page before that one is the clock page (sched/src/time/clock_page.rs), whose words it reads. It lies in no text of
// the kernel, which never runs it, and refers to nothing outside of itself.

.equ CLOCK_PAGE_CHANGES, 0          // odd while the clock is being changed
.equ CLOCK_PAGE_FACTOR, 8           // nanoseconds per tick, times 2^32
.equ CLOCK_PAGE_RESOLUTION, 16      // nanoseconds that a tick takes
.equ CLOCK_PAGE_START, 24           // a point in time of the timer, in nanoseconds
.equ CLOCK_PAGE_CLOCK, 32           // what the clock said then
.equ CLOCK_PAGE_RATE, 40            // how much more it runs in a nanosecond, times 2^32

// Clocks by number, as bits: time since boot (1, 4, 6, 7), and time since 1970 (0, 5). The others are the kernel's business.
.equ MONOTONIC_CLOCKS, 0xd2
.equ REALTIME_CLOCKS, 0x21

.equ NR_CLOCK_GETTIME, 113
.equ NR_CLOCK_GETRES, 114
.equ NR_RT_SIGRETURN, 139

// The address of the clock page: this code lies in one page.
.macro clock_page register
    adr     \register, vdso_code
    and     \register, \register, #0xfffffffffffff000
    sub     \register, \register, #0x1000
.endm

// The kind of clock that w0 names, as a bit in w3; the flags say whether it has one.
.macro clock_bit
    mov     w3, #1
    lsl     w3, w3, w0
    cmp     w0, #31
    csel    w3, w3, wzr, ls
.endm

// Nanoseconds since boot in x6. Uses x8, x13, x14.
.macro monotonic_now
    isb                             // the counter is not read early
    mrs     x6, cntvct_el0
    ldr     x8, [x2, #CLOCK_PAGE_FACTOR]
    mul     x13, x6, x8
    umulh   x14, x6, x8
    extr    x6, x14, x13, #32
.endm

// Nanoseconds since 1970 in x6. Uses x5, x7 to x14.
.macro realtime_now
1:  ldr     w5, [x2, #CLOCK_PAGE_CHANGES]
    tbz     w5, #0, 2f
    yield
    b       1b
2:  dmb     ishld                   // the line is not read early,
    isb                             // nor the counter;
    mrs     x6, cntvct_el0
    eor     x7, x6, x6              // nor the line, and the number for the second time, before the counter: they depend on it
    add     x7, x2, x7
    ldp     x8, x14, [x7, #CLOCK_PAGE_FACTOR]
    ldp     x9, x10, [x7, #CLOCK_PAGE_START]
    ldr     x11, [x7, #CLOCK_PAGE_RATE]
    dmb     ishld
    ldr     w12, [x7, #CLOCK_PAGE_CHANGES]
    cmp     w12, w5
    b.ne    1b
    mul     x13, x6, x8
    umulh   x14, x6, x8
    extr    x6, x14, x13, #32
    sub     x6, x6, x9
    add     x10, x10, x6
    mul     x13, x6, x11
    smulh   x14, x6, x11
    extr    x13, x14, x13, #32
    add     x6, x10, x13
.endm

// x6 nanoseconds as seconds in x9 and the rest in x10. Uses x8.
.macro split_seconds
    mov     x8, #0xca00
    movk    x8, #0x3b9a, lsl #16
    udiv    x9, x6, x8
    msub    x10, x9, x8, x6
.endm

.section .rodata.vdso, "a"
.balign 16
.global vdso_code, vdso_rt_sigreturn, vdso_clock_gettime, vdso_gettimeofday, vdso_clock_getres, vdso_getcpu, vdso_code_end
vdso_code:
    nop                             // unwinders look at the instruction before the one that a handler returns to
    nop
    nop
    nop

// Where handlers return to. Unwinders know these two instructions.
vdso_rt_sigreturn:
    mov     x8, #NR_RT_SIGRETURN
    svc     #0

// int clock_gettime(clockid_t w0, struct timespec *x1)
.balign 16
vdso_clock_gettime:
    clock_page x2
    clock_bit
    mov     w4, #MONOTONIC_CLOCKS
    tst     w3, w4
    b.eq    3f
    monotonic_now
4:  split_seconds
    stp     x9, x10, [x1]
    mov     w0, #0
    ret
3:  mov     w4, #REALTIME_CLOCKS
    tst     w3, w4
    b.eq    5f
    realtime_now
    b       4b
5:  mov     x8, #NR_CLOCK_GETTIME
    svc     #0
    ret

// int gettimeofday(struct timeval *x0, struct timezone *x1)
.balign 16
vdso_gettimeofday:
    cbz     x0, 6f
    clock_page x2
    realtime_now
    split_seconds
    mov     x8, #1000
    udiv    x10, x10, x8
    stp     x9, x10, [x0]
6:  cbz     x1, 7f
    str     xzr, [x1]
7:  mov     w0, #0
    ret

// int clock_getres(clockid_t w0, struct timespec *x1)
.balign 16
vdso_clock_getres:
    clock_bit
    mov     w4, #(MONOTONIC_CLOCKS | REALTIME_CLOCKS)
    tst     w3, w4
    b.eq    8f
    cbz     x1, 9f
    clock_page x2
    ldr     x3, [x2, #CLOCK_PAGE_RESOLUTION]
    stp     xzr, x3, [x1]
9:  mov     w0, #0
    ret
8:  mov     x8, #NR_CLOCK_GETRES
    svc     #0
    ret

// int getcpu(unsigned *x0, unsigned *x1, void *)
.balign 16
vdso_getcpu:
    mrs     x2, tpidrro_el0         // the number of the processor (cpu.rs)
    cbz     x0, 10f
    str     w2, [x0]
10: cbz     x1, 11f
    str     wzr, [x1]               // there is one node
11: mov     w0, #0
    ret
vdso_code_end:
.text
