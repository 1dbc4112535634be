//! `cow`: questions about copy-on-write, answered by running them. `cow list`, `cow q1`, `cow all`.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

userland::entry!(userland::demo::main);
