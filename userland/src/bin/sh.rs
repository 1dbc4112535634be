//! The shell: `sh`, `sh -c command`, `sh script arguments`.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

userland::entry!(userland::shell::interactive::main);
