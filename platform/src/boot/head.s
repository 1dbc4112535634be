// The ways in: from the loader's jump to `start` in Rust, on the boot processor; and for the others, from the firmware's jump
// to `start_secondary`.
//
// Entered with the MMU and D-cache off, at EL1 or EL2, x0 = physical address of the device tree (Linux,
// Documentation/arch/arm64/booting.rst). Until `high` everything is addressed relative to the PC, nothing but the four boot
// tables is written, and no stack is used. From there on the code runs at its link address:
//
//   TTBR0  identity: the one 2 MiB block that holds this file and early.s, and as Device the GiB of the likely UART
//   TTBR1  the image, in 2 MiB blocks, at its link address; the last blocks of that GiB are slots for the device tree,
//          the likely UART and the pool of the final tables (boot/window.rs)
//
// The other processors come when the final map is made: TTBR0 is the same identity, TTBR1 the final map.

.equ CURRENT_EL2,       2 << 2
.equ CURRENT_EL1,       1 << 2
.equ CURRENT_EL3,       3 << 2

// SPSR: D, A, I, F masked, EL1h.
.equ SPSR_EL1H,         0x3c5
.equ HCR_EL2_RW,        1 << 31
// CNTHCTL_EL2: EL1PCEN, EL1PCTEN.
.equ CNTHCTL_EL2_VALUE, 3
// CPTR_EL2: RES1 bits; TFP = 0, so FP is not trapped.
.equ CPTR_EL2_VALUE,    0x33ff
// ICC_SRE_EL2: Enable, DIB, DFB, SRE.
.equ ICC_SRE_EL2_VALUE, 0xf

// SCTLR_EL1 with the MMU off: RES1 of Armv8.0 (bits 29, 28, 23, 22, 20, 11).
.equ SCTLR_EL1_OFF,     0x30d00800
// ... and on: M, C, SA, SA0, I, and for EL0: DZE (14), UCT (15), UCI (26). WFI and WFE of EL0 trap (nTWI, nTWE = 0).
.equ SCTLR_EL1_ON,      SCTLR_EL1_OFF | (1 << 0) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 12) | (1 << 14) | (1 << 15) | (1 << 26)

// MAIR_EL1: index 0 Device-nGnRE, index 1 Normal Write-Back Read- and Write-Allocate.
.equ MAIR_EL1_VALUE,    0xff04
// TCR_EL1: T0SZ = T1SZ = 25 (39 bits), table walks Inner and Outer WBWA, Inner Shareable, TG0 = TG1 = 4 KiB, A1 = 0,
// AS = 1 (16-bit ASIDs), TBI0 = 1 (programs may tag pointers), HPD0 = HPD1 = 0. IPS is added from ID_AA64MMFR0_EL1.
.equ TCR_EL1_VALUE,     25 | (1 << 8) | (1 << 10) | (3 << 12) | (25 << 16) | (1 << 24) | (1 << 26) | (3 << 28) | (2 << 30) | (1 << 36) | (1 << 37)
.equ PARANGE_48_BITS,   5
.equ MDSCR_EL1_TDCC,    1 << 12

// Block descriptor: Normal (index 1), AF, Inner Shareable, EL1 read-write, UXN. Executable at EL1: boot only.
.equ BLOCK_NORMAL,      (1 << 54) | (1 << 10) | (3 << 8) | (1 << 2) | 1
// ... and Device (index 0), never executable.
.equ BLOCK_DEVICE,      (1 << 54) | (1 << 53) | (1 << 10) | 1
.equ TABLE,             3
.equ BLOCK_SHIFT,       21
.equ IMAGE_L1_INDEX,    510

// The affinity fields of MPIDR_EL1.
.equ MPIDR_AFFINITY,    0xff00ffffff
// CpuBlock::stack_top (cpu.rs).
.equ BLOCK_STACK_TOP,   16

.equ UART_DR,           0x00

// A stage of boot, for early.s, which says what it does with x25 to x28.
.macro stage letter, number
    mov     w28, #(\letter | \number << 8)
    tbz     w27, #31, 9f            // only a Pi's UART is that high
    mov     w25, #\letter
    str     w25, [x27, #UART_DR]
9:
.endm

.section .head.text, "ax"
.global _head
_head:
    b       entry                   // code0
    .long   0                       // code1
    .quad   0                       // text_offset
    .quad   __end - _head     // image_size; the image tool adds its payload
    .quad   0xa                     // flags: little endian, 4 KiB pages, anywhere in memory
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

entry:
    mov     x19, x0                 // x19: device tree
    msr     daifset, #0xf
    bl      find_likely_uart        // x27
    stage   'H', 1
    bl      come_to_el1             // x20: exception level at entry
    stage   '1', 2
    b       boot

// Returns at EL1, interrupts and MMU off, x20 = the exception level before. Uses x9.
come_to_el1:
    msr     daifset, #0xf
    mrs     x9, CurrentEL
    lsr     x20, x9, #2
    cmp     x9, #CURRENT_EL1
    b.eq    at_el1
    cmp     x9, #CURRENT_EL3
    b.eq    entered_too_high

    adr     x9, early_vectors
    msr     vbar_el2, x9
    mov     x9, #HCR_EL2_RW
    msr     hcr_el2, x9
    mov     x9, #CNTHCTL_EL2_VALUE
    msr     cnthctl_el2, x9
    msr     cntvoff_el2, xzr
    mov     x9, #CPTR_EL2_VALUE
    msr     cptr_el2, x9
    msr     hstr_el2, xzr
    msr     vttbr_el2, xzr
    mrs     x9, midr_el1
    msr     vpidr_el2, x9
    mrs     x9, mpidr_el1
    msr     vmpidr_el2, x9

    // EL1 owns all event counters, where there are any: MDCR_EL2.HPMN = PMCR_EL0.N.
    mrs     x9, id_aa64dfr0_el1
    ubfx    x9, x9, #8, #4
    sub     x9, x9, #1
    cmp     x9, #14                 // 0: none, 15: not the architected ones
    b.hs    1f
    mrs     x9, pmcr_el0
    ubfx    x9, x9, #11, #5
    msr     mdcr_el2, x9
1:
    // A GICv3 is driven by system registers: let EL1 use them, deliver nothing to a hypervisor.
    mrs     x9, id_aa64pfr0_el1
    ubfx    x9, x9, #24, #4
    cbz     x9, 1f
    mov     x9, #ICC_SRE_EL2_VALUE
    msr     S3_4_C12_C9_5, x9       // ICC_SRE_EL2
    isb
    msr     S3_4_C12_C11_0, xzr     // ICH_HCR_EL2
1:
    ldr     x9, =SCTLR_EL1_OFF
    msr     sctlr_el1, x9
    mov     x9, #SPSR_EL1H
    msr     spsr_el2, x9
    adr     x9, at_el1
    msr     elr_el2, x9
    eret

at_el1:
    ldr     x9, =SCTLR_EL1_OFF
    msr     sctlr_el1, x9
    adr     x9, early_vectors
    msr     vbar_el1, x9
    isb
    ret

boot:
    adrp    x21, _head        // x21: the image's physical address
    and     x9, x21, #((1 << BLOCK_SHIFT) - 1)
    cbnz    x9, loaded_askew

    // The tables are stored with the cache off and walked with it on: no line of theirs may be cached before or after.
    adrp    x22, boot_tables        // x22: identity L1, identity L2, image L1, image L2
    bl      invalidate_tables
    mov     x9, x22
    add     x10, x22, #4 * 4096
1:  stp     xzr, xzr, [x9], #16
    cmp     x9, x10
    b.lo    1b

    mov     x9, #TABLE
    add     x10, x22, #4096
    orr     x10, x10, x9
    ubfx    x11, x21, #30, #9
    str     x10, [x22, x11, lsl #3]         // identity L1 -> identity L2
    ldr     x12, =BLOCK_NORMAL
    orr     x13, x21, x12
    ubfx    x11, x21, #BLOCK_SHIFT, #9
    add     x10, x22, #4096
    str     x13, [x10, x11, lsl #3]         // identity L2 -> the block of this code
    ldr     x10, =BLOCK_DEVICE
    lsr     x11, x27, #30
    orr     x10, x10, x11, lsl #30
    cbz     x27, 1f
    str     x10, [x22, x11, lsl #3]         // identity L1 -> the GiB of the likely UART
1:
    add     x10, x22, #3 * 4096
    orr     x10, x10, x9
    add     x11, x22, #2 * 4096
    str     x10, [x11, #IMAGE_L1_INDEX * 8] // image L1 -> image L2
    add     x10, x22, #3 * 4096
    adrp    x11, __end
    mov     x14, #1 << BLOCK_SHIFT
2:  str     x13, [x10], #8                  // image L2 -> blocks up to __end
    add     x13, x13, x14
    sub     x15, x13, x12
    cmp     x15, x11
    b.lo    2b
    dmb     sy
    bl      invalidate_tables
    stage   'T', 3

    mov     x0, x22
    add     x1, x22, #2 * 4096
    bl      turn_mmu_on
    stage   'M', 4
    ldr     x9, =high
    br      x9

// Turns MMU and caches on: x0 for TTBR0, where this code has its own address, x1 for TTBR1. Uses x9 and x10.
turn_mmu_on:
    // What reset leaves open: no debug exceptions, EL0 kept from the debug channel, nothing in its read-only register.
    mov     x9, #MDSCR_EL1_TDCC
    msr     mdscr_el1, x9
    msr     tpidrro_el0, xzr
    mrs     x9, id_aa64dfr0_el1     // nor at the event counters, where there are any
    ubfx    x9, x9, #8, #4
    sub     x9, x9, #1
    cmp     x9, #14                 // 0: none, 15: not the architected ones
    b.hs    1f
    msr     pmuserenr_el0, xzr
1:
    ldr     x9, =MAIR_EL1_VALUE
    msr     mair_el1, x9
    ldr     x9, =TCR_EL1_VALUE
    mrs     x10, id_aa64mmfr0_el1
    and     x10, x10, #0xf
    cmp     x10, #PARANGE_48_BITS
    b.lo    1f
    mov     x10, #PARANGE_48_BITS
1:  bfi     x9, x10, #32, #3
    msr     tcr_el1, x9
    msr     ttbr0_el1, x0
    msr     ttbr1_el1, x1
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     nsh
    isb
    ldr     x9, =SCTLR_EL1_ON
    msr     sctlr_el1, x9
    isb
    ret

// DC IVAC over the four boot tables (x22), by the smallest line of CTR_EL0. Uses x9 to x11.
invalidate_tables:
    mrs     x11, ctr_el0
    ubfx    x11, x11, #16, #4
    mov     x10, #4
    lsl     x11, x10, x11
    mov     x9, x22
    add     x10, x22, #4 * 4096
1:  dc      ivac, x9
    add     x9, x9, x11
    cmp     x9, x10
    b.lo    1b
    dsb     sy
    ret

// At the link address, cached. x19: device tree, x20: entry level, x21: image.
high:
    adrp    x9, __bss_start
    adrp    x10, __bss_end          // both page aligned
1:  cmp     x9, x10
    b.hs    2f
    stp     xzr, xzr, [x9], #16
    b       1b
2:  ldr     x9, =boot_stack_top
    mov     sp, x9
    bl      prepare_for_rust
    mov     x0, x19
    mov     x1, x21
    mov     x2, x20
    b       start

// Vectors, FP, and the end of the backtrace. Uses x9.
prepare_for_rust:
    ldr     x9, =exception_vectors
    msr     vbar_el1, x9
    mov     x9, #(3 << 20)          // CPACR_EL1.FPEN: no traps (a return to EL0 with FP state needs it)
    msr     cpacr_el1, x9
    isb
    mov     x9, x30
    mov     x29, xzr
    mov     x30, xzr
    br      x9

// Where PSCI or the spin table lets another processor begin: MMU and D-cache off, EL1 or EL2. What it reads before the MMU is
// on was cleaned to the point of coherency: this code and the boot tables by who loaded us, `secondary_starts` by who writes
// it (boot/secondary.rs).
.global secondary_entry
secondary_entry:
    mov     x27, xzr                // the console is in use: no word before Rust
    mov     w28, wzr
    bl      come_to_el1
    mrs     x9, mpidr_el1
    ldr     x10, =MPIDR_AFFINITY
    and     x9, x9, x10
3:  adrp    x10, secondary_starts
    add     x10, x10, :lo12:secondary_starts
    ldr     x1, [x10], #16          // the root of the final map; then rows { affinity, CpuBlock }
1:  ldp     x11, x19, [x10], #16
    cmp     x11, x9
    b.eq    2f
    cmn     x11, #1                 // the last row
    b.ne    1b
    wfe                             // not its turn: on some boards one word releases all
    b       3b
2:  adrp    x0, boot_tables         // the identity
    bl      turn_mmu_on
    ldr     x9, =secondary_high
    br      x9

// At the link address, cached. x19: CpuBlock.
secondary_high:
    ldr     x9, [x19, #BLOCK_STACK_TOP]
    mov     sp, x9
    bl      prepare_for_rust
    mov     x0, x19
    b       start_secondary

// extern "C" fn replace_kernel_root(root: PhysAddr, empty: PhysAddr)
// Puts another tree under TTBR1. Called at its physical address (the identity map is on): between the two roots nothing of
// TTBR1 is mapped, so that no block of the old tree can meet a page of the new one in the TLB (Arm ARM D8.16.1).
.global replace_kernel_root
replace_kernel_root:
    msr     ttbr1_el1, x1
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     ttbr1_el1, x0
    isb
    ret

.ltorg

.section .boot_tables, "aw", %nobits
.balign 4096
.global boot_tables
boot_tables:
    .space  4 * 4096

// One slot like those of thread.rs: bit 15 of a stack pointer that has run over is 0.
//   0x0000 emergency stack | 0x7000 guard page, unmapped in the final map | 0x8000 boot stack | 0x10000
.section .boot_stacks, "aw", %nobits
.balign 65536
.global boot_stack_slot
boot_stack_slot:
    .space  0x7000
.global emergency_stack_top
emergency_stack_top:
    .space  0x9000
.global boot_stack_top
boot_stack_top:
