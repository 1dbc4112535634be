// Exception vectors (Arm ARM D1.3.1), the register save on the way out of EL0, exceptions of the kernel itself, and the
// switch between kernel threads.

// UserContext (user/registers.rs): x[31], sp, pc, pstate.
.equ CONTEXT_X30,       240
.equ CONTEXT_PC,        256
// KernelFrame (crash/exception.rs): x[31], sp, pc, pstate, esr, far.
.equ FRAME_SIZE,        288
.equ FRAME_SP,          248
.equ FRAME_PC,          256
.equ FRAME_PSTATE,      264
.equ FRAME_ESR,         272
.equ FRAME_FAR,         280
// Stacks begin at odd multiples of 32 KiB and have no more than that: this bit of a good stack pointer (below its top) is 1.
.equ STACK_BIT,         15

// What the vectors tell `user::run` in x2: ESR_EL1, or one of these (trap.rs).
.equ TRAP_INTERRUPT,    -1
.equ TRAP_SYSTEM_ERROR, 1 << 63

// From EL0 into `user::run`, which left { its x19, x29, the context } on the stack.
.macro leave_user
    stp     x0, x1, [sp, #-16]!
    ldr     x0, [sp, #32]
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    mrs     x1, sp_el0
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x30, x1, [x0, #CONTEXT_X30]
    stp     x2, x3, [x0, #CONTEXT_PC]
.endm

.macro user_vector
.balign 0x80
    leave_user
.endm

.macro kernel_vector kind
.balign 0x80
    // Is there a stack? x0 and sp are taken apart and put together again, for there is no free register.
    sub     sp, sp, #FRAME_SIZE
    add     sp, sp, x0
    sub     x0, sp, x0
    tbz     x0, #STACK_BIT, 1f
    sub     x0, sp, x0
    sub     sp, sp, x0
    stp     x0, x1, [sp]
    mov     x1, #\kind
    b       kernel_exception
    // No: what lay in x0 and sp is kept in two EL0 thread registers, which a crash needs no more.
1:  msr     tpidrro_el0, x0
    sub     x0, sp, x0
    msr     tpidr_el0, x0
    mrs     x0, tpidr_el1
    ldr     x0, [x0, #8]            // CpuBlock::emergency_stack_top
    sub     sp, x0, #FRAME_SIZE
    mrs     x0, tpidr_el0
    stp     x0, x1, [sp]
    mov     x1, #\kind
    b       stack_overflow
.endm

.section .vectors.text, "ax"
.balign 2048
.global exception_vectors
exception_vectors:
    // The kernel, on SP_EL0: never used. The numbers are those of crash::Kind.
    kernel_vector 4
    kernel_vector 4
    kernel_vector 4
    kernel_vector 4
    // The kernel, on SP_EL1. Interrupts are masked; a synchronous exception may be a fault on user memory.
    kernel_vector 0
    kernel_vector 1
    kernel_vector 2
    kernel_vector 3
    // EL0, AArch64.
    user_vector                     // synchronous
    mrs     x2, esr_el1
    b       user_return
    user_vector                     // IRQ
    mov     x2, #TRAP_INTERRUPT
    b       user_return
    user_vector                     // FIQ: masked at EL0 (`Pstate`)
    mov     x2, #TRAP_INTERRUPT
    b       user_return
    user_vector                     // SError
    mrs     x2, esr_el1
    orr     x2, x2, #TRAP_SYSTEM_ERROR
    b       user_return
    // EL0, AArch32: no such state is ever entered.
    kernel_vector 5
    kernel_vector 5
    kernel_vector 5
    kernel_vector 5
.balign 0x80

// The same behind a loop that makes the branch history of EL0 useless (Spectre-BHB), for who asks for it (board/hardening.rs).
.macro branch_vector number
.balign 0x80
    b       exception_vectors + \number * 0x80
.endm

.macro loop_vector number
.balign 0x80
    stp     x0, x1, [sp, #-16]!
    mov     x0, #8
1:  b       2f
2:  subs    x0, x0, #1              // the flags of EL0 are in SPSR
    b.ne    1b
    dsb     nsh
    isb
    ldp     x0, x1, [sp], #16
    b       exception_vectors + \number * 0x80
.endm

.balign 2048
.global exception_vectors_with_loop
exception_vectors_with_loop:
.irp number, 0, 1, 2, 3, 4, 5, 6, 7
    branch_vector \number
.endr
.irp number, 8, 9, 10, 11
    loop_vector \number
.endr
.irp number, 12, 13, 14, 15
    branch_vector \number
.endr
.balign 0x80

// x0 and x1 are stored, x1 = kind, sp = frame. The stack pointer before the exception is computed.
kernel_exception:
    stp     x2, x3, [sp, #16]
    add     x2, sp, #FRAME_SIZE
1:  str     x2, [sp, #FRAME_SP]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    str     x30, [sp, #240]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x2, x3, [sp, #FRAME_PC]
    mrs     x4, esr_el1
    mrs     x5, far_el1
    stp     x4, x5, [sp, #FRAME_ESR]
    mov     x0, sp
    bl      handle_kernel_exception
    // Back only when the fault was one on user memory, and the frame's pc is a landing now (arch/copy.s), or was true no more, and
    // the instruction is tried again: Rust has kept x20 to x28, everything else is restored.
    ldp     x2, x3, [sp, #FRAME_PC]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x29, x30, [sp, #232]
    ldp     x0, x1, [sp]
    add     sp, sp, #FRAME_SIZE
    eret

stack_overflow:
    stp     x2, x3, [sp, #16]
    mrs     x2, tpidrro_el0
    add     x2, x2, #FRAME_SIZE
    mov     x1, #6
    b       1b

// extern "C" fn switch_stacks(from: *mut usize, to: *const usize, from_runs: *const AtomicBool)
// Saves what a callee must keep, and the stack pointer in *from; only then is `from` free to run elsewhere, and this
// processor does not touch its stack again. Continues where *to was saved.
.text
.global switch_stacks
switch_stacks:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x9, sp
    str     x9, [x0]
    stlrb   wzr, [x2]
    ldr     x9, [x1]
    mov     sp, x9
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

// extern "C" fn call_on_stack(function: *const (), argument: *mut (), stack_pointer: usize)
// Calls function(argument) on another stack. The frame record stays on this one, for backtraces.
.global call_on_stack
call_on_stack:
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     sp, x2
    mov     x9, x0
    mov     x0, x1
    blr     x9
    mov     sp, x29
    ldp     x29, x30, [sp], #16
    ret

// Where a new thread begins: x19 = entry, x20 = argument. x29 = 0 ends its backtrace.
.global thread_start
thread_start:
    mov     x0, x20
    mov     x30, xzr
    br      x19
