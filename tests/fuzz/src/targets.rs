//! The list of targets.

mod bootargs;
mod core_name;
mod cpio;
mod dtb;
mod elf;
mod gzip;
mod line_discipline;
mod mount_options;
mod path;
mod regex;
mod script;
mod shell;
mod symbols;

/// One reader of bytes.
pub struct Target {
    /// As its file in `fuzz_targets` is called.
    pub name: &'static str,
    /// Gives the bytes to the reader and checks the answer. Whether the reader accepted them: it does accept the seeds.
    pub run: fn(&[u8]) -> bool,
    /// Real inputs, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that mean something to the reader.
    pub words: &'static [&'static [u8]],
}

macro_rules! targets {
    ($($name:ident)*) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $name::run,
            seeds: $name::seeds,
            words: $name::WORDS,
        }),*];
    };
}

targets! {
    bootargs core_name cpio dtb elf gzip line_discipline mount_options path regex script shell symbols
}
