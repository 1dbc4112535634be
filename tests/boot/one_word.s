// A boot loader for raspi4b that has one release word for all processors, as some boards have: the others leave QEMU's spin table and
// wait for the word, by code beside it in a page that no tree reserves; then the kernel is entered, with the device tree in x0.
.equ WORD,      0x1000
.equ CODE,      0x1040
.equ KERNEL,    0x200000

    mov     x1, #CODE
    adr     x2, wait
    ldp     x4, x5, [x2]
    stp     x4, x5, [x1]
    ldr     x4, [x2, #16]
    str     x4, [x1, #16]
    mov     x2, #WORD
    str     xzr, [x2]
    dsb     sy
    ic      ialluis
    dsb     sy
    mov     x2, #0xe0               // QEMU's spin table: words of processors 1 to 3
    stp     x1, x1, [x2]
    str     x1, [x2, #16]
    dsb     sy
    sev
    mov     x2, #KERNEL
    br      x2

.balign 8
wait:
    mov     x3, #WORD
1:  wfe
    ldr     x4, [x3]
    cbz     x4, 1b
    br      x4
    nop
