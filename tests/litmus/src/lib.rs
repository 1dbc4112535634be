//! Arm's memory model, as far as the kernel's orders between processors need it: whether an outcome of a few instructions on a few
//! processors can be reached. The rules are those of Arm ARM B2.3; [`local`] has what a processor keeps in order by itself,
//! [`execution`] what holds between them.

mod assembler;
mod candidate;
pub mod condition;
pub mod event;
pub mod execution;
pub mod instruction;
pub mod local;
mod memory;
pub mod order;
pub mod program;
pub mod relation;
mod run;
mod state;
pub mod trace;
pub mod value;
