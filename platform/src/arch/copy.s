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

// The steps below copy from x1 to x0, which go on, by x4 to x11. `load`: from user memory; `store`: to it.

.macro load_64 offset
    ldtr    x4, [x1, #\offset]
    ldtr    x5, [x1, #\offset + 8]
    ldtr    x6, [x1, #\offset + 16]
    ldtr    x7, [x1, #\offset + 24]
    ldtr    x8, [x1, #\offset + 32]
    ldtr    x9, [x1, #\offset + 40]
    ldtr    x10, [x1, #\offset + 48]
    ldtr    x11, [x1, #\offset + 56]
    stp     x4, x5, [x0, #\offset]
    stp     x6, x7, [x0, #\offset + 16]
    stp     x8, x9, [x0, #\offset + 32]
    stp     x10, x11, [x0, #\offset + 48]
.endm

.macro store_64 offset
    ldp     x4, x5, [x1, #\offset]
    ldp     x6, x7, [x1, #\offset + 16]
    ldp     x8, x9, [x1, #\offset + 32]
    ldp     x10, x11, [x1, #\offset + 48]
    sttr    x4, [x0, #\offset]
    sttr    x5, [x0, #\offset + 8]
    sttr    x6, [x0, #\offset + 16]
    sttr    x7, [x0, #\offset + 24]
    sttr    x8, [x0, #\offset + 32]
    sttr    x9, [x0, #\offset + 40]
    sttr    x10, [x0, #\offset + 48]
    sttr    x11, [x0, #\offset + 56]
.endm

.macro load_32
    ldtr    x4, [x1]
    ldtr    x5, [x1, #8]
    ldtr    x6, [x1, #16]
    ldtr    x7, [x1, #24]
    stp     x4, x5, [x0]
    stp     x6, x7, [x0, #16]
.endm

.macro store_32
    ldp     x4, x5, [x1]
    ldp     x6, x7, [x1, #16]
    sttr    x4, [x0]
    sttr    x5, [x0, #8]
    sttr    x6, [x0, #16]
    sttr    x7, [x0, #24]
.endm

.macro load_16
    ldtr    x4, [x1]
    ldtr    x5, [x1, #8]
    stp     x4, x5, [x0]
.endm

.macro store_16
    ldp     x4, x5, [x1]
    sttr    x4, [x0]
    sttr    x5, [x0, #8]
.endm

.macro load_8
    ldtr    x4, [x1]
    str     x4, [x0]
.endm

.macro store_8
    ldr     x4, [x1]
    sttr    x4, [x0]
.endm

.macro load_4
    ldtr    w4, [x1]
    str     w4, [x0]
.endm

.macro store_4
    ldr     w4, [x1]
    sttr    w4, [x0]
.endm

.macro load_2
    ldtrh   w4, [x1]
    strh    w4, [x0]
.endm

.macro store_2
    ldrh    w4, [x1]
    sttrh   w4, [x0]
.endm

.macro load_1
    ldtrb   w4, [x1]
    strb    w4, [x0]
.endm

.macro store_1
    ldrb    w4, [x1]
    sttrb   w4, [x0]
.endm

// If the bit of x2 that stands for it is set: a step of so many bytes. A fault in it makes x2 what is left, and goes on by bytes.
.macro step way, bit, size, landing
    tbz     x2, #\bit, 52f
51: \way\()_\size
    add     x0, x0, #\size
    add     x1, x1, #\size
52:
fixup 51b, 52b, \landing
.endm

// Steps of 256 bytes, of 64, one of each smaller power of 2. A fault in a long step is met again by shorter ones, which go on up to
// the bad byte. x0 = bytes copied.
.macro user_copy way
    mov     x3, x0
    cmp     x2, #64
    b.lo    4f
    subs    x2, x2, #256
    b.lo    2f
1:  \way\()_64 0
    \way\()_64 64
    \way\()_64 128
    \way\()_64 192
    add     x0, x0, #256
    add     x1, x1, #256
    subs    x2, x2, #256
    b.hs    1b
2:  adds    x2, x2, #192            // less than 256 left; x2 = what is left, less 64
    b.mi    4f
3:  \way\()_64 0
    add     x0, x0, #64
    add     x1, x1, #64
    subs    x2, x2, #64
    b.hs    3b
4:  step    \way, 5, 32, 10f       // the low six bits are those of what is left
    step    \way, 4, 16, 11f
    step    \way, 3, 8, 12f
    step    \way, 2, 4, 13f
    step    \way, 1, 2, 14f
    tbz     x2, #0, 6f
5:  \way\()_1
    add     x0, x0, #1
6:  sub     x0, x0, x3
    ret
7:  \way\()_1                       // bytes before a bad one
    add     x0, x0, #1
    add     x1, x1, #1
    subs    x2, x2, #1
    b.ne    7b
8:  sub     x0, x0, x3
    ret
9:  add     x2, x2, #64
    b       7b
10: and     x2, x2, #63
    b       7b
11: and     x2, x2, #31
    b       7b
12: and     x2, x2, #15
    b       7b
13: and     x2, x2, #7
    b       7b
14: and     x2, x2, #3
    b       7b
fixup 1b, 2b, 2b
fixup 3b, 4b, 9b
fixup 5b, 6b, 6b
fixup 7b, 8b, 8b
.endm

// extern "C" fn user_load(to: *mut u8, from: usize, len: usize) -> usize   bytes copied; fewer than len: a fault
.global user_load
user_load:
    user_copy load

// extern "C" fn user_store(to: usize, from: *const u8, len: usize) -> usize   bytes copied
.global user_store
user_store:
    user_copy store

// extern "C" fn user_zero(to: usize, len: usize) -> usize   bytes zeroed
.global user_zero
user_zero:
    mov     x3, x0
    subs    x1, x1, #64
    b.lo    2f
1:  sttr    xzr, [x0]
    sttr    xzr, [x0, #8]
    sttr    xzr, [x0, #16]
    sttr    xzr, [x0, #24]
    sttr    xzr, [x0, #32]
    sttr    xzr, [x0, #40]
    sttr    xzr, [x0, #48]
    sttr    xzr, [x0, #56]
    add     x0, x0, #64
    subs    x1, x1, #64
    b.hs    1b
2:  adds    x1, x1, #56             // x1 = what is left, less 8
    b.mi    4f
3:  sttr    xzr, [x0]
    add     x0, x0, #8
    subs    x1, x1, #8
    b.hs    3b
4:  and     x1, x1, #7
    cbz     x1, 6f
5:  sttrb   wzr, [x0]
    add     x0, x0, #1
    subs    x1, x1, #1
    b.ne    5b
6:  sub     x0, x0, x3
    ret
7:  add     x1, x1, #64
    b       5b
8:  add     x1, x1, #8
    b       5b
fixup 1b, 2b, 7b
fixup 3b, 4b, 8b
fixup 5b, 6b, 6b

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
// 4 KiB, both 4 KiB aligned and apart. The eight FP registers in use are the user's: kept on the stack. Each line of the target is
// zeroed by DC ZVA (where that means 64 bytes: DCZID_EL0 = 4) right before it is stored to: so its old contents are not read from memory.
.global copy_frame_bytes
copy_frame_bytes:
    sub     sp, sp, #128
    mov     x3, sp
    st1     {v0.2d-v3.2d}, [x3], #64
    st1     {v4.2d-v7.2d}, [x3]
    mrs     x4, dczid_el0
    cmp     x4, #4
    b.ne    3f
1:  .rept 16                        // half a page, unrolled: six instructions for each 128 bytes
    ld1     {v0.2d-v3.2d}, [x1], #64
    ld1     {v4.2d-v7.2d}, [x1], #64
    dc      zva, x0
    st1     {v0.2d-v3.2d}, [x0], #64
    dc      zva, x0
    st1     {v4.2d-v7.2d}, [x0], #64
    .endr
    tst     x1, #4095               // 0 where the next page begins
    b.ne    1b
2:  ld1     {v0.2d-v3.2d}, [sp], #64
    ld1     {v4.2d-v7.2d}, [sp], #64
    ret
3:  ld1     {v0.2d-v3.2d}, [x1], #64
    st1     {v0.2d-v3.2d}, [x0], #64
    tst     x1, #4095
    b.ne    3b
    b       2b

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

// v0 to v31 at x0.
.macro vectors way
    \way    q0, q1, [x0]
    \way    q2, q3, [x0, #32]
    \way    q4, q5, [x0, #64]
    \way    q6, q7, [x0, #96]
    \way    q8, q9, [x0, #128]
    \way    q10, q11, [x0, #160]
    \way    q12, q13, [x0, #192]
    \way    q14, q15, [x0, #224]
    \way    q16, q17, [x0, #256]
    \way    q18, q19, [x0, #288]
    \way    q20, q21, [x0, #320]
    \way    q22, q23, [x0, #352]
    \way    q24, q25, [x0, #384]
    \way    q26, q27, [x0, #416]
    \way    q28, q29, [x0, #448]
    \way    q30, q31, [x0, #480]
.endm

// UserRegisters (user/registers.rs): v[32] at 0, fpsr and fpcr at 512, tpidr_el0 at 520.
// extern "C" fn save_user_registers(to: *mut UserRegisters)
.global save_user_registers
save_user_registers:
    vectors stp
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
    vectors ldp
    add     x0, x0, #512
    ldp     w1, w2, [x0]
    msr     fpsr, x1
    msr     fpcr, x2
    ldr     x1, [x0, #8]
    msr     tpidr_el0, x1
    ret

// extern "C" fn save_vectors(to: *mut [u128; 32]) -> u64   fpsr, and above it fpcr
.global save_vectors
save_vectors:
    vectors stp
    mrs     x0, fpsr
    mrs     x1, fpcr
    bfi     x0, x1, #32, #32
    ret

// extern "C" fn restore_vectors(from: *const [u128; 32], fpsr: u32, fpcr: u32)
.global restore_vectors
restore_vectors:
    vectors ldp
    mov     w1, w1
    mov     w2, w2
    msr     fpsr, x1
    msr     fpcr, x2
    ret
