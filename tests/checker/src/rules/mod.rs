//! The rules, each a comparison of an event with what came before it. A violation names the rule by the words here:
//!
//! | rule | what it says | Arm ARM |
//! |---|---|---|
//! | BREAK-BEFORE-MAKE | a live entry gets another address, size or memory type only by way of an invalid one | D8.16.1 |
//! | MAKE-BEFORE-FLUSH | a new entry is made while a TLB or walk cache may still hold the old one | D8.16.1 |
//! | PUBLISH-BEFORE-BARRIER | what an entry points to is ordered before the entry | B2.7.2 |
//! | STALE-TLB, STALE-LEVEL-3, STALE-WALK-CACHE | nothing that may be remembered allows what the tables do not | D8.13, D8.14 |
//! | TLBI-BEFORE-DSB | the store to an entry is complete before the TLBI that is for it | D8.13.5 |
//! | PENDING-TLBI, PENDING-STORE, PENDING-IC | EL0 is entered with maintenance incomplete | D8.13.5, D7.4 |
//! | USE-BEFORE-DSB | the kernel uses an address whose new entry no DSB has made visible to its walks | D8.2.6 |
//! | USE-BEFORE-ISB | ... and whose DSB no ISB has followed | D8.2.6 |
//! | NO-ISB | memory is used, or the MMU turned on, behind a write to TTBR, TCR, MAIR or SCTLR without an ISB | D19.1.2 |
//! | NEVER-INVALIDATED | the MMU is turned on with a TLB or an instruction cache as power left it | D8.13 |
//! | GLOBAL-LEFT, ROOT-BEFORE-FLUSH | a TLB may hold global entries of tables that were left | D8.13 |
//! | DOORBELL-BEFORE-DSB | stores are complete before other processors are interrupted | B2.7 |
//! | ILLEGAL-ACCESS | no translation, old or new, allowed an access that happened | D8.4 |
//! | PLAIN-ACCESS | the kernel touches programs' memory by LDTR and STTR only (no PAN on this core) | D8.4.3 |
//! | FRAME-STILL-REACHABLE, TABLE-STILL-REACHABLE | a frame is taken for new contents while a TLB, or a walk cache, may reach it | D8.13 |
//! | UNINITIALISED | a program reads what nobody has stored since power was switched on | |
//! | SHARED-ASID | two spaces run under one ASID | D8.15 |
//! | SPACE-NOT-ENTERED | a program that begins (its registers are all 0) does so in a space in which none has run | execve(2) |
//! | KERNEL-ENTRY | an entry of the kernel's half is global, not for EL0, and never writable and executable | D8.4, D8.15 |
//! | USER-ENTRY | an entry of a program's half is not global, and is nothing that EL1 may execute | D8.4, D8.15 |
//! | STALE-INSTRUCTIONS | an executed line was cleaned and invalidated since it was stored to | B2.7.4 |
//! | IC-BEFORE-DSB | DC is complete before the IC that is for it | B2.7.4 |
//! | STORED-UNCACHED, READ-UNCACHED, NEVER-CLEANED | what is stored with caches off and read with caches on, or the reverse, is maintained between | B2.9 |
//! | PENDING-DC | the MMU is turned on with DC incomplete | B2.9 |
//! | EXECUTE-BEFORE-ISB | the kernel's own instructions that were stored are executed behind an ISB | B2.7.4 |
//! | DEVICE-EXCLUSIVE | Device memory, and all memory with the MMU off, is accessed by no exclusive (what is not aligned faults in QEMU, too) | B2.7.2, B2.9 |
//! | PERIPHERAL-BEFORE-DSB | between two peripherals of the Raspberry Pi 4 stands a DSB SY | BCM2711 1.3 |
//! | DEVICE-BEFORE-DSB, END-BEFORE-DSB | an interrupt is active before its device is told, and the device was told before it ends | GIC 4.1 |
//! | DC-BEFORE-DSB, READ-CACHED | what a device answered is waited for, then the lines are dropped, then it is read | B2.9 |
//! | POWER-BEFORE-DSB, SLEEP-BEFORE-DSB | stores are complete before the machine ends or a processor sleeps | B2.7.2 |
//! | EXCLUSIVE-OPEN | an exclusive store of the kernel follows its own load | B2.9.5 |
//! | FRAME-NOT-ORDERED | a frame is taken for new contents behind all that was done with it | B2.3 |
//! | NOT-ORDERED | two processors' accesses to one place, one of them a store, are ordered by release and acquire | B2.3 |
//! | DROP-WITHOUT-RELEASE | who lets go of a reference releases what it did with what is counted | B2.3.11 |
//! | LAST-WITHOUT-ACQUIRE | who takes a count's last reference away acquires before it goes to what was counted | B2.3.11 |
//! | LOCK-WITHOUT-ACQUIRE, UNLOCK-WITHOUT-RELEASE | a lock of one byte is taken by a load that acquires, given back by a store that releases | B2.3.11 |
//! | ZERO-UNCACHED, ZERO-TABLE, MAIR-LIVE, SET-AND-WAY, TABLE-OUTSIDE | what may not happen at all | |

mod access;
mod barriers;
mod caches;
mod counts;
mod device;
mod exclusives;
mod firmware;
mod locks;
mod order;
mod programs;
mod remembered;
mod system;
mod tables;

pub use counts::LastReference;
pub use device::{Devices, Mailbox};
pub use exclusives::Open;
pub use locks::Locks;
pub use order::Role;

pub use access::{Memory, Site, TakesFrame, Value};
