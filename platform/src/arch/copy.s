// Copies: between kernel and user memory with the rights of EL0 (LDTR, STTR), whole frames, and the FP registers.
//
// A fault of a user access between `first` and `end` of a row in .fixups continues at `landing`, with all registers as they
// were (crash::handle_kernel_exception). ESR_EL1 and FAR_EL1 still tell which access it was.

.arch_extension fp
.arch_extension simd

.macro fixup first, end, landing
    .pushsection .fixups, "a"
    .quad   \first, \end, \landing
    .popsection
.endm

.text

// extern "C" fn user_load(to: *mut u8, from: usize, len: usize) -> usize   bytes copied; fewer than len: a fault
.global user_load
user_load:
    mov     x3, x0
    subs    x2, x2, #64
    b.lo    2f
1:  ldtr    x4, [x1]
    ldtr    x5, [x1, #8]
    ldtr    x6, [x1, #16]
    ldtr    x7, [x1, #24]
    ldtr    x8, [x1, #32]
    ldtr    x9, [x1, #40]
    ldtr    x10, [x1, #48]
    ldtr    x11, [x1, #56]
    stp     x4, x5, [x0], #64
    stp     x6, x7, [x0, #-48]
    stp     x8, x9, [x0, #-32]
    stp     x10, x11, [x0, #-16]
    add     x1, x1, #64
    subs    x2, x2, #64
    b.hs    1b
2:  add     x2, x2, #64             // fewer than 64 left
    subs    x2, x2, #8
    b.lo    4f
3:  ldtr    x4, [x1]
    str     x4, [x0], #8
    add     x1, x1, #8
    subs    x2, x2, #8
    b.hs    3b
4:  add     x2, x2, #8
    cbz     x2, 6f
5:  ldtrb   w4, [x1]                // bytes: the tail, and what is good before a fault
    strb    w4, [x0], #1
    add     x1, x1, #1
    subs    x2, x2, #1
    b.ne    5b
6:  sub     x0, x0, x3
    ret
7:  add     x2, x2, #64             // landing of the 64-byte loop: go on by bytes until the bad one
    b       5b
8:  add     x2, x2, #8
    b       5b
fixup 1b, 2b, 7b
fixup 3b, 4b, 8b
fixup 5b, 6b, 6b

// extern "C" fn user_store(to: usize, from: *const u8, len: usize) -> usize   bytes copied
.global user_store
user_store:
    mov     x3, x0
    subs    x2, x2, #64
    b.lo    2f
1:  ldp     x4, x5, [x1]
    ldp     x6, x7, [x1, #16]
    ldp     x8, x9, [x1, #32]
    ldp     x10, x11, [x1, #48]
    sttr    x4, [x0]
    sttr    x5, [x0, #8]
    sttr    x6, [x0, #16]
    sttr    x7, [x0, #24]
    sttr    x8, [x0, #32]
    sttr    x9, [x0, #40]
    sttr    x10, [x0, #48]
    sttr    x11, [x0, #56]
    add     x0, x0, #64
    add     x1, x1, #64
    subs    x2, x2, #64
    b.hs    1b
2:  add     x2, x2, #64
    subs    x2, x2, #8
    b.lo    4f
3:  ldr     x4, [x1]
    sttr    x4, [x0]
    add     x0, x0, #8
    add     x1, x1, #8
    subs    x2, x2, #8
    b.hs    3b
4:  add     x2, x2, #8
    cbz     x2, 6f
5:  ldrb    w4, [x1]
    sttrb   w4, [x0]
    add     x0, x0, #1
    add     x1, x1, #1
    subs    x2, x2, #1
    b.ne    5b
6:  sub     x0, x0, x3
    ret
7:  add     x2, x2, #64
    b       5b
8:  add     x2, x2, #8
    b       5b
fixup 1b, 2b, 7b
fixup 3b, 4b, 8b
fixup 5b, 6b, 6b

// extern "C" fn user_zero(to: usize, len: usize) -> usize   bytes zeroed
.global user_zero
user_zero:
    mov     x3, x0
    subs    x1, x1, #8
    b.lo    2f
1:  sttr    xzr, [x0]
    add     x0, x0, #8
    subs    x1, x1, #8
    b.hs    1b
2:  add     x1, x1, #8
    cbz     x1, 4f
3:  sttrb   wzr, [x0]
    add     x0, x0, #1
    subs    x1, x1, #1
    b.ne    3b
4:  sub     x0, x0, x3
    ret
5:  add     x1, x1, #8
    b       3b
fixup 1b, 2b, 5b
fixup 3b, 4b, 4b

// extern "C" fn user_string(to: *mut u8, from: usize, len: usize) -> (usize, usize)
// Copies up to and including a NUL. x0 = bytes before it, or copied; x1 = 0 a NUL was found, 1 none in len bytes, 2 a fault.
.global user_string
user_string:
    mov     x3, x0
    mov     x5, #1
    cbz     x2, 10f
1:  tst     x1, #7                  // bytes up to a boundary of words: a word there lies in one page
    b.eq    3f
2:  ldtrb   w4, [x1]
    strb    w4, [x0]
    cbz     w4, 9f
    add     x0, x0, #1
    add     x1, x1, #1
    subs    x2, x2, #1
    b.ne    1b
    b       10f
3:  mov     x6, #0x0101010101010101
    subs    x2, x2, #8
    b.lo    6f
4:  ldtr    x4, [x1]
    sub     x7, x4, x6              // the lowest byte that borrows from its top bit, which was clear, is the NUL
    bic     x7, x7, x4
    ands    x7, x7, #0x8080808080808080
    b.ne    8f
5:  str     x4, [x0], #8
    add     x1, x1, #8
    subs    x2, x2, #8
    b.hs    4b
6:  add     x2, x2, #8
    cbz     x2, 10f
7:  ldtrb   w4, [x1]                // fewer than eight are wanted
    strb    w4, [x0]
    cbz     w4, 9f
    add     x0, x0, #1
    add     x1, x1, #1
    subs    x2, x2, #1
    b.ne    7b
    b       10f
8:  str     x4, [x0]                // with what follows the NUL: there is room for eight
    rbit    x7, x7
    clz     x7, x7
    add     x0, x0, x7, lsr #3
9:  mov     x5, #0
10: mov     x1, x5
    sub     x0, x0, x3
    ret
11: mov     x5, #2
    b       10b
fixup 2b, 3b, 11b
fixup 4b, 5b, 11b
fixup 7b, 8b, 11b

// One word at a multiple of four: x1 = 0, or 2 after a fault; x0 = the value found.
// extern "C" fn user_load_u32(at: usize) -> (usize, usize)
.global user_load_u32
user_load_u32:
    mov     x2, x0
1:  ldtr    w0, [x2]
2:  mov     x1, #0
    ret
3:  mov     x1, #2
    ret
fixup 1b, 2b, 3b

// extern "C" fn user_store_u32(at: usize, value: u32) -> (usize, usize)
.global user_store_u32
user_store_u32:
1:  sttr    w1, [x0]
2:  mov     x1, #0
    ret
3:  mov     x1, #2
    ret
fixup 1b, 2b, 3b

// extern "C" fn user_compare_exchange_u32(at: usize, old: u32, new: u32) -> (usize, usize)
// There is no unprivileged exclusive: the LDTR proves that EL0 may read, AP[2] stops a store for EL1 as for EL0.
.global user_compare_exchange_u32
user_compare_exchange_u32:
    mov     x3, x0
    mov     w4, w1
1:  ldtr    w0, [x3]
    ldaxr   w0, [x3]
    cmp     w0, w4
    b.ne    2f
    stlxr   w5, w2, [x3]
    cbnz    w5, 1b
    mov     x1, #0
    ret
2:  clrex
    mov     x1, #0
    ret
3:  mov     x1, #2
    ret
fixup 1b, 2b, 3b

// extern "C" fn copy_frame_bytes(to: *mut u8, from: *const u8)
// 4 KiB, both 4 KiB aligned and apart. The eight FP registers in use are the user's: kept on the stack.
.global copy_frame_bytes
copy_frame_bytes:
    stp     q0, q1, [sp, #-128]!
    stp     q2, q3, [sp, #32]
    stp     q4, q5, [sp, #64]
    stp     q6, q7, [sp, #96]
    add     x2, x1, #4096
1:  .rept 4                         // unrolled: eight instructions for each 128 bytes
    ldp     q0, q1, [x1], #128
    ldp     q2, q3, [x1, #-96]
    ldp     q4, q5, [x1, #-64]
    ldp     q6, q7, [x1, #-32]
    stp     q0, q1, [x0], #128
    stp     q2, q3, [x0, #-96]
    stp     q4, q5, [x0, #-64]
    stp     q6, q7, [x0, #-32]
    .endr
    cmp     x1, x2
    b.ne    1b
    ldp     q2, q3, [sp, #32]
    ldp     q4, q5, [sp, #64]
    ldp     q6, q7, [sp, #96]
    ldp     q0, q1, [sp], #128
    ret

// extern "C" fn zero_frame_bytes(to: *mut u8)
// 4 KiB, 4 KiB aligned, Normal memory. By DC ZVA where its block is 64 bytes (DCZID_EL0 = 4), else by stores.
.global zero_frame_bytes
zero_frame_bytes:
    mrs     x1, dczid_el0
    cmp     x1, #4
    add     x2, x0, #4096
    b.ne    2f
    .rept 64                        // unrolled: two instructions for each of the 64 blocks
    dc      zva, x0
    add     x0, x0, #64
    .endr
    ret
2:  stp     xzr, xzr, [x0], #16
    stp     xzr, xzr, [x0], #16
    stp     xzr, xzr, [x0], #16
    stp     xzr, xzr, [x0], #16
    cmp     x0, x2
    b.ne    2b
    ret

// UserRegisters (user/registers.rs): v[32] at 0, fpsr and fpcr at 512, tpidr_el0 at 520.
// extern "C" fn save_user_registers(to: *mut UserRegisters)
.global save_user_registers
save_user_registers:
    stp     q0, q1, [x0]
    stp     q2, q3, [x0, #32]
    stp     q4, q5, [x0, #64]
    stp     q6, q7, [x0, #96]
    stp     q8, q9, [x0, #128]
    stp     q10, q11, [x0, #160]
    stp     q12, q13, [x0, #192]
    stp     q14, q15, [x0, #224]
    stp     q16, q17, [x0, #256]
    stp     q18, q19, [x0, #288]
    stp     q20, q21, [x0, #320]
    stp     q22, q23, [x0, #352]
    stp     q24, q25, [x0, #384]
    stp     q26, q27, [x0, #416]
    stp     q28, q29, [x0, #448]
    stp     q30, q31, [x0, #480]
    mrs     x1, fpsr
    mrs     x2, fpcr
    add     x0, x0, #512
    stp     w1, w2, [x0]
    mrs     x1, tpidr_el0
    str     x1, [x0, #8]
    ret

// extern "C" fn restore_user_registers(from: *const UserRegisters)
.global restore_user_registers
restore_user_registers:
    ldp     q0, q1, [x0]
    ldp     q2, q3, [x0, #32]
    ldp     q4, q5, [x0, #64]
    ldp     q6, q7, [x0, #96]
    ldp     q8, q9, [x0, #128]
    ldp     q10, q11, [x0, #160]
    ldp     q12, q13, [x0, #192]
    ldp     q14, q15, [x0, #224]
    ldp     q16, q17, [x0, #256]
    ldp     q18, q19, [x0, #288]
    ldp     q20, q21, [x0, #320]
    ldp     q22, q23, [x0, #352]
    ldp     q24, q25, [x0, #384]
    ldp     q26, q27, [x0, #416]
    ldp     q28, q29, [x0, #448]
    ldp     q30, q31, [x0, #480]
    add     x0, x0, #512
    ldp     w1, w2, [x0]
    msr     fpsr, x1
    msr     fpcr, x2
    ldr     x1, [x0, #8]
    msr     tpidr_el0, x1
    ret
