// Words for the time before Rust, on a board by guess (devices/likely.rs): a letter for each stage of boot on a Raspberry Pi 4, and on
// both boards why boot went no further. No stack, no memory but registers of devices; x25 to x28 belong to this file until Rust runs.
//
//   x27   the likely UART; 0: no guess
//   w28   the stage: its letter, and above it how often the LED blinks if it is the last one

.equ RPI4_GPIO,         0xfe200000
.equ RPI4_UART,         0xfe201000
.equ VIRT_UART,         0x09000000

.equ GPFSEL1,           0x04
.equ GPFSEL3,           0x0c
.equ GPFSEL4,           0x10
.equ GPSET1,            0x20
.equ GPCLR1,            0x2c
// GPIO42, the green LED: field 2 of GPFSEL4, bit 10 of the second word of pins.
.equ LED,               1 << 10
// GPIO14 and GPIO15 as ALT0: fields 4 and 5 of GPFSEL1.
.equ UART_PINS,         0x24

.equ UART_FR,           0x18
.equ UART_IBRD,         0x24
.equ UART_FBRD,         0x28
.equ UART_LCR_H,        0x2c
.equ UART_CR,           0x30
.equ FR_BUSY_BIT,       3
.equ FR_FULL_BIT,       5
.equ POLLS,             1 << 20

.section .head.text, "ax"

// x27 = the likely UART; that of a Pi is put on GPIO14 and GPIO15, for a clock of 48 MHz. Uses x9 to x11.
find_likely_uart:
    adrp    x9, _head
    lsr     x9, x9, #30             // RAM of a Pi begins at 0, of virt at 1 GiB
    mov     x27, xzr
    cbz     x9, 1f
    cmp     x9, #1
    b.ne    4f
    mov     x27, #VIRT_UART
    ret
1:  ldr     x27, =RPI4_UART
    ldr     x10, =RPI4_GPIO
    ldr     w9, [x10, #GPFSEL3]     // GPIO30 to 33, where Bluetooth is, become inputs
    and     w9, w9, #~0xfff
    str     w9, [x10, #GPFSEL3]
    ldr     w9, [x10, #GPFSEL1]
    mov     w11, #UART_PINS
    bfi     w9, w11, #12, #6
    str     w9, [x10, #GPFSEL1]
    ldr     w9, [x10, #GPFSEL4]     // the LED is an output
    mov     w11, #1
    bfi     w9, w11, #6, #3
    str     w9, [x10, #GPFSEL4]
    dsb     sy
    mov     w11, #POLLS
2:  ldr     w9, [x27, #UART_FR]     // what the firmware says last
    tbz     w9, #FR_BUSY_BIT, 3f
    subs    w11, w11, #1
    b.ne    2b
3:  str     wzr, [x27, #UART_CR]
    str     wzr, [x27, #UART_LCR_H]
    mov     w9, #26                 // devices/baud.rs
    str     w9, [x27, #UART_IBRD]
    mov     w9, #3
    str     w9, [x27, #UART_FBRD]
    mov     w9, #0x70               // 8n1, FIFOs
    str     w9, [x27, #UART_LCR_H]
    mov     w9, #0x101              // on, sends
    str     w9, [x27, #UART_CR]
4:  ret

// Sends w0. Uses x9 and x10.
early_byte:
    cbz     x27, 2f
    mov     w10, #POLLS
1:  ldr     w9, [x27, #UART_FR]
    tbz     w9, #FR_FULL_BIT, 3f
    subs    w10, w10, #1
    b.ne    1b
2:  ret
3:  str     w0, [x27, #UART_DR]
    ret

// Sends the text at x1 up to its NUL. Uses x0, x9, x10, x26.
early_text:
    mov     x26, x30
1:  ldrb    w0, [x1], #1
    cbz     w0, 2f
    bl      early_byte
    b       1b
2:  br      x26

// Sends x1 as sixteen digits. Uses x0, x2, x9, x10, x26.
early_number:
    mov     x26, x30
    mov     w2, #16
1:  ror     x1, x1, #60             // the highest digit is the lowest now
    and     w0, w1, #0xf
    cmp     w0, #10
    add     w0, w0, #'0'
    b.lo    2f
    add     w0, w0, #('a' - '0' - 10)
2:  bl      early_byte
    subs    w2, w2, #1
    b.ne    1b
    br      x26

.macro say text
    adr     x1, 8f
    bl      early_text
    b       9f
8:  .asciz  "\text"
    .balign 4
9:
.endm

// Entered at EL3, which is the firmware's.
entered_too_high:
    say     "\r\nholstein: entered at EL3; EL2 or EL1 is wanted\r\n"
    b       blink

// x21: where the image lies. No block could map it.
loaded_askew:
    say     "\r\nholstein: loaded at "
    mov     x1, x21
    bl      early_number
    say     ", which is no multiple of 2 MiB: the loader does not know the header of an arm64 Image\r\n"
    b       blink

early_exception:
    say     "\r\nholstein: exception before the kernel runs, behind stage "
    and     w0, w28, #0xff
    bl      early_byte
    say     ". ESR "
    mrs     x3, CurrentEL
    cmp     x3, #(2 << 2)
    b.eq    1f
    mrs     x1, esr_el1
    mrs     x3, elr_el1
    mrs     x4, far_el1
    b       2f
1:  mrs     x1, esr_el2
    mrs     x3, elr_el2
    mrs     x4, far_el2
2:  bl      early_number
    say     " ELR "
    mov     x1, x3
    bl      early_number
    say     " FAR "
    mov     x1, x4
    bl      early_number
    say     " image "
    adrp    x1, _head
    bl      early_number
    say     "\r\n"

// Blinks as often as w28 says, waits, and again for ever: half a second for each blink by the counter. On a board without that LED
// it sleeps.
blink:
    tbz     w27, #31, park
    ldr     x10, =RPI4_GPIO
    mov     w11, #LED
    mrs     x12, cntfrq_el0
    lsr     x12, x12, #2
1:  ubfx    w13, w28, #8, #8
2:  str     w11, [x10, #GPSET1]
    bl      wait_a_quarter
    str     w11, [x10, #GPCLR1]
    bl      wait_a_quarter
    subs    w13, w13, #1
    b.gt    2b
    mov     w13, #6
3:  bl      wait_a_quarter
    subs    w13, w13, #1
    b.ne    3b
    b       1b

// x12: ticks. Uses x9 and x14.
wait_a_quarter:
    isb
    mrs     x14, cntvct_el0
1:  isb
    mrs     x9, cntvct_el0
    sub     x9, x9, x14
    cmp     x9, x12
    b.lo    1b
    ret

// For a processor that nobody wants.
park:
    wfe
    b       park

.ltorg

// VBAR_EL1 until the kernel has its own, and VBAR_EL2 for good.
.balign 2048
early_vectors:
.rept 16
    .balign 0x80
    b       early_exception
.endr
.balign 0x80
