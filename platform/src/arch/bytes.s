// memcpy, memmove, memset, memcmp: what the compiler calls to move, fill and compare values (C11 7.24). The ones of compiler_builtins, which
// the linker takes for want of others, keep to aligned accesses; these need Normal memory, which is all that Rust values of
// this kernel ever lie in (devices are only accessed by volatile words), and the MMU on, as it is whenever Rust runs.

.text

// extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8
.global memcpy
memcpy:
    mov     x3, x0
    subs    x2, x2, #128
    b.lo    2f
1:  ldp     x4, x5, [x1], #128
    ldp     x6, x7, [x1, #-112]
    ldp     x8, x9, [x1, #-96]
    ldp     x10, x11, [x1, #-80]
    stp     x4, x5, [x3], #128
    stp     x6, x7, [x3, #-112]
    stp     x8, x9, [x3, #-96]
    stp     x10, x11, [x3, #-80]
    ldp     x4, x5, [x1, #-64]
    ldp     x6, x7, [x1, #-48]
    ldp     x8, x9, [x1, #-32]
    ldp     x10, x11, [x1, #-16]
    stp     x4, x5, [x3, #-64]
    stp     x6, x7, [x3, #-48]
    stp     x8, x9, [x3, #-32]
    stp     x10, x11, [x3, #-16]
    subs    x2, x2, #128
    b.hs    1b
2:  tbz     x2, #6, 3f              // the low seven bits are those of what is left
    ldp     x4, x5, [x1], #64
    ldp     x6, x7, [x1, #-48]
    ldp     x8, x9, [x1, #-32]
    ldp     x10, x11, [x1, #-16]
    stp     x4, x5, [x3], #64
    stp     x6, x7, [x3, #-48]
    stp     x8, x9, [x3, #-32]
    stp     x10, x11, [x3, #-16]
3:  tbz     x2, #5, 4f
    ldp     x4, x5, [x1], #32
    ldp     x6, x7, [x1, #-16]
    stp     x4, x5, [x3], #32
    stp     x6, x7, [x3, #-16]
4:  tbz     x2, #4, 5f
    ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
5:  tbz     x2, #3, 6f
    ldr     x4, [x1], #8
    str     x4, [x3], #8
6:  tst     x2, #7
    b.eq    9f
    tbz     x2, #2, 7f
    ldr     w4, [x1], #4
    str     w4, [x3], #4
7:  tbz     x2, #1, 8f
    ldrh    w4, [x1], #2
    strh    w4, [x3], #2
8:  tbz     x2, #0, 9f
    ldrb    w4, [x1]
    strb    w4, [x3]
9:  ret

// extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8
.global memmove
memmove:
    sub     x3, x0, x1
    cmp     x3, x2
    b.hs    memcpy                  // `to` is not inside what is still to be read
    add     x3, x0, x2              // from the end down
    add     x1, x1, x2
    subs    x2, x2, #64
    b.lo    2f
1:  ldp     x4, x5, [x1, #-16]
    ldp     x6, x7, [x1, #-32]
    ldp     x8, x9, [x1, #-48]
    ldp     x10, x11, [x1, #-64]!
    stp     x4, x5, [x3, #-16]
    stp     x6, x7, [x3, #-32]
    stp     x8, x9, [x3, #-48]
    stp     x10, x11, [x3, #-64]!
    subs    x2, x2, #64
    b.hs    1b
2:  tbz     x2, #5, 3f
    ldp     x4, x5, [x1, #-16]
    ldp     x6, x7, [x1, #-32]!
    stp     x4, x5, [x3, #-16]
    stp     x6, x7, [x3, #-32]!
3:  tbz     x2, #4, 4f
    ldp     x4, x5, [x1, #-16]!
    stp     x4, x5, [x3, #-16]!
4:  tbz     x2, #3, 5f
    ldr     x4, [x1, #-8]!
    str     x4, [x3, #-8]!
5:  tbz     x2, #2, 6f
    ldr     w4, [x1, #-4]!
    str     w4, [x3, #-4]!
6:  tbz     x2, #1, 7f
    ldrh    w4, [x1, #-2]!
    strh    w4, [x3, #-2]!
7:  tbz     x2, #0, 8f
    ldrb    w4, [x1, #-1]
    strb    w4, [x3, #-1]
8:  ret

// extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8
.global memset
memset:
    mov     x3, x0
    and     x1, x1, #0xff
    mov     x4, #0x0101010101010101
    mul     x1, x1, x4
    subs    x2, x2, #128
    b.lo    2f
1:  stp     x1, x1, [x3], #128
    stp     x1, x1, [x3, #-112]
    stp     x1, x1, [x3, #-96]
    stp     x1, x1, [x3, #-80]
    stp     x1, x1, [x3, #-64]
    stp     x1, x1, [x3, #-48]
    stp     x1, x1, [x3, #-32]
    stp     x1, x1, [x3, #-16]
    subs    x2, x2, #128
    b.hs    1b
2:  tbz     x2, #6, 3f              // the low seven bits are those of what is left
    stp     x1, x1, [x3], #64
    stp     x1, x1, [x3, #-48]
    stp     x1, x1, [x3, #-32]
    stp     x1, x1, [x3, #-16]
3:  tbz     x2, #5, 4f
    stp     x1, x1, [x3], #32
    stp     x1, x1, [x3, #-16]
4:  tbz     x2, #4, 5f
    stp     x1, x1, [x3], #16
5:  tbz     x2, #3, 6f
    str     x1, [x3], #8
6:  tst     x2, #7
    b.eq    9f
    tbz     x2, #2, 7f
    str     w1, [x3], #4
7:  tbz     x2, #1, 8f
    strh    w1, [x3], #2
8:  tbz     x2, #0, 9f
    strb    w1, [x3]
9:  ret

// extern "C" fn memcmp(one: *const u8, other: *const u8, len: usize) -> i32; bcmp, of which only 0 is asked for, is the same.
.global memcmp
.global bcmp
memcmp:
bcmp:
    subs    x2, x2, #8
    b.lo    2f
1:  ldr     x3, [x0], #8
    ldr     x4, [x1], #8
    cmp     x3, x4
    b.ne    6f
    subs    x2, x2, #8
    b.hs    1b
2:  tbz     x2, #2, 3f              // the low three bits are those of what is left
    ldr     w3, [x0], #4
    ldr     w4, [x1], #4
    cmp     w3, w4
    b.ne    6f
3:  tbz     x2, #1, 4f
    ldrh    w3, [x0], #2
    ldrh    w4, [x1], #2
    cmp     w3, w4
    b.ne    6f
4:  tbz     x2, #0, 5f
    ldrb    w3, [x0]
    ldrb    w4, [x1]
    sub     w0, w3, w4
    ret
5:  mov     w0, #0
    ret
6:  rev     x3, x3                  // the first byte that differs decides: the highest now
    rev     x4, x4
    cmp     x3, x4
    cset    w0, hi
    csinv   w0, w0, wzr, hi
    ret
