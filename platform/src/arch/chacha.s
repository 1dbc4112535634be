// ChaCha20 (Bernstein 2008, "ChaCha, a variant of Salsa20"), four blocks at once: each of v0 to v15 holds one word of the state
// for all four. The FP registers are the user's: those in use are kept on the stack, as in copy.s. No interrupt comes in between.

.arch_extension fp
.arch_extension simd

// Four quarter rounds, each of the words a, b, c and d of one number.
.macro quarter_rounds a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3
    add     v\a0\().4s, v\a0\().4s, v\b0\().4s
    add     v\a1\().4s, v\a1\().4s, v\b1\().4s
    add     v\a2\().4s, v\a2\().4s, v\b2\().4s
    add     v\a3\().4s, v\a3\().4s, v\b3\().4s
    eor     v\d0\().16b, v\d0\().16b, v\a0\().16b
    eor     v\d1\().16b, v\d1\().16b, v\a1\().16b
    eor     v\d2\().16b, v\d2\().16b, v\a2\().16b
    eor     v\d3\().16b, v\d3\().16b, v\a3\().16b
    rev32   v\d0\().8h, v\d0\().8h              // rotates by 16
    rev32   v\d1\().8h, v\d1\().8h
    rev32   v\d2\().8h, v\d2\().8h
    rev32   v\d3\().8h, v\d3\().8h
    add     v\c0\().4s, v\c0\().4s, v\d0\().4s
    add     v\c1\().4s, v\c1\().4s, v\d1\().4s
    add     v\c2\().4s, v\c2\().4s, v\d2\().4s
    add     v\c3\().4s, v\c3\().4s, v\d3\().4s
    eor     v16.16b, v\b0\().16b, v\c0\().16b
    eor     v17.16b, v\b1\().16b, v\c1\().16b
    eor     v18.16b, v\b2\().16b, v\c2\().16b
    eor     v19.16b, v\b3\().16b, v\c3\().16b
    shl     v\b0\().4s, v16.4s, #12
    shl     v\b1\().4s, v17.4s, #12
    shl     v\b2\().4s, v18.4s, #12
    shl     v\b3\().4s, v19.4s, #12
    sri     v\b0\().4s, v16.4s, #20
    sri     v\b1\().4s, v17.4s, #20
    sri     v\b2\().4s, v18.4s, #20
    sri     v\b3\().4s, v19.4s, #20
    add     v\a0\().4s, v\a0\().4s, v\b0\().4s
    add     v\a1\().4s, v\a1\().4s, v\b1\().4s
    add     v\a2\().4s, v\a2\().4s, v\b2\().4s
    add     v\a3\().4s, v\a3\().4s, v\b3\().4s
    eor     v\d0\().16b, v\d0\().16b, v\a0\().16b
    eor     v\d1\().16b, v\d1\().16b, v\a1\().16b
    eor     v\d2\().16b, v\d2\().16b, v\a2\().16b
    eor     v\d3\().16b, v\d3\().16b, v\a3\().16b
    tbl     v\d0\().16b, {v\d0\().16b}, v20.16b // rotates by 8
    tbl     v\d1\().16b, {v\d1\().16b}, v20.16b
    tbl     v\d2\().16b, {v\d2\().16b}, v20.16b
    tbl     v\d3\().16b, {v\d3\().16b}, v20.16b
    add     v\c0\().4s, v\c0\().4s, v\d0\().4s
    add     v\c1\().4s, v\c1\().4s, v\d1\().4s
    add     v\c2\().4s, v\c2\().4s, v\d2\().4s
    add     v\c3\().4s, v\c3\().4s, v\d3\().4s
    eor     v16.16b, v\b0\().16b, v\c0\().16b
    eor     v17.16b, v\b1\().16b, v\c1\().16b
    eor     v18.16b, v\b2\().16b, v\c2\().16b
    eor     v19.16b, v\b3\().16b, v\c3\().16b
    shl     v\b0\().4s, v16.4s, #7
    shl     v\b1\().4s, v17.4s, #7
    shl     v\b2\().4s, v18.4s, #7
    shl     v\b3\().4s, v19.4s, #7
    sri     v\b0\().4s, v16.4s, #25
    sri     v\b1\().4s, v17.4s, #25
    sri     v\b2\().4s, v18.4s, #25
    sri     v\b3\().4s, v19.4s, #25
.endm

// Adds the word of the state at x4 to that word of all four blocks.
.macro add_state word
    ld1r    {v16.4s}, [x4], #4
    add     v\word\().4s, v\word\().4s, v16.4s
.endm

// Stores four words of a block.
.macro store_words block, a, b, c, d
    st4     {v\a\().s, v\b\().s, v\c\().s, v\d\().s}[\block], [x1], #16
.endm

.text

// extern "C" fn chacha_blocks(state: *const [u32; 16], to: *mut u8, fours: usize)
// Writes 256 bytes `fours` times (once at least): the blocks from the state's on. Its counter, the low word of which must not
// overflow on the way, stays as it is.
.global chacha_blocks
chacha_blocks:
    stp     q0, q1, [sp, #-384]!
    stp     q2, q3, [sp, #32]
    stp     q4, q5, [sp, #64]
    stp     q6, q7, [sp, #96]
    stp     q8, q9, [sp, #128]
    stp     q10, q11, [sp, #160]
    stp     q12, q13, [sp, #192]
    stp     q14, q15, [sp, #224]
    stp     q16, q17, [sp, #256]
    stp     q18, q19, [sp, #288]
    stp     q20, q21, [sp, #320]
    str     q22, [sp, #352]
    adr     x3, 9f
    ldp     q20, q21, [x3]              // the bytes' places after a rotation by 8; 0, 1, 2, 3
    ldr     w3, [x0, #48]
    dup     v16.4s, w3
    add     v21.4s, v21.4s, v16.4s      // the counters of the four
    movi    v22.4s, #4
1:  mov     x4, x0
    ld1r    {v0.4s}, [x4], #4
    ld1r    {v1.4s}, [x4], #4
    ld1r    {v2.4s}, [x4], #4
    ld1r    {v3.4s}, [x4], #4
    ld1r    {v4.4s}, [x4], #4
    ld1r    {v5.4s}, [x4], #4
    ld1r    {v6.4s}, [x4], #4
    ld1r    {v7.4s}, [x4], #4
    ld1r    {v8.4s}, [x4], #4
    ld1r    {v9.4s}, [x4], #4
    ld1r    {v10.4s}, [x4], #4
    ld1r    {v11.4s}, [x4], #4
    mov     v12.16b, v21.16b
    add     x4, x4, #4
    ld1r    {v13.4s}, [x4], #4
    ld1r    {v14.4s}, [x4], #4
    ld1r    {v15.4s}, [x4]
    mov     w3, #10
2:  quarter_rounds 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    quarter_rounds 0, 1, 2, 3, 5, 6, 7, 4, 10, 11, 8, 9, 15, 12, 13, 14
    subs    w3, w3, #1
    b.ne    2b
    mov     x4, x0
    add_state 0
    add_state 1
    add_state 2
    add_state 3
    add_state 4
    add_state 5
    add_state 6
    add_state 7
    add_state 8
    add_state 9
    add_state 10
    add_state 11
    add     v12.4s, v12.4s, v21.4s
    add     x4, x4, #4
    add_state 13
    add_state 14
    add_state 15
    add     v21.4s, v21.4s, v22.4s
    .irp    block, 0, 1, 2, 3
    store_words \block, 0, 1, 2, 3
    store_words \block, 4, 5, 6, 7
    store_words \block, 8, 9, 10, 11
    store_words \block, 12, 13, 14, 15
    .endr
    subs    x2, x2, #1
    b.ne    1b
    ldr     q22, [sp, #352]
    ldp     q20, q21, [sp, #320]
    ldp     q18, q19, [sp, #288]
    ldp     q16, q17, [sp, #256]
    ldp     q14, q15, [sp, #224]
    ldp     q12, q13, [sp, #192]
    ldp     q10, q11, [sp, #160]
    ldp     q8, q9, [sp, #128]
    ldp     q6, q7, [sp, #96]
    ldp     q4, q5, [sp, #64]
    ldp     q2, q3, [sp, #32]
    ldp     q0, q1, [sp], #384
    ret
.balign 16
9:  .byte   3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14
    .word   0, 1, 2, 3
