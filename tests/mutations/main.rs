//! Every fuzz target over its seeds and some thousand mutations of them. The mutations are the same at every run;
//! `HOLSTEIN_SEED=n` gives others, `HOLSTEIN_MUTATIONS=n` more.

use fuzz::mutate::Mutator;
use fuzz::{TARGETS, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A number from the environment.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// Gives the bytes to the target; if it panics, says for which bytes.
fn give(target: &Target, bytes: &[u8]) -> Result<bool, String> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).map_err(|_| {
        let text: String = bytes
            .iter()
            .flat_map(|byte| byte.escape_ascii())
            .map(char::from)
            .collect();
        format!(
            "{} fails for these {} bytes: b\"{text}\"",
            target.name,
            bytes.len()
        )
    })
}

/// Runs the target over its seeds and mutations of them; how many of these it accepted.
fn try_target(target: &Target, mutations: u64) -> Result<u64, String> {
    let seeds = (target.seeds)();
    for (index, seed) in seeds.iter().enumerate() {
        if !give(target, seed)? {
            return Err(format!("{} refuses its seed {index}", target.name));
        }
    }
    let mut mutator = Mutator::new(setting("HOLSTEIN_SEED", 0));
    let mut accepted = 0;
    for _ in 0..mutations {
        accepted += u64::from(give(target, &mutator.mutate(&seeds, target.words))?);
    }
    Ok(accepted)
}

/// One test for each target, so that they run beside each other.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let target = TARGETS.iter().find(|target| target.name == stringify!($name)).expect("a target");
            let mutations = setting("HOLSTEIN_MUTATIONS", 4000);
            let accepted = try_target(target, mutations).unwrap_or_else(|what| panic!("{what}"));
            assert!(accepted > 0 && accepted < mutations, "{accepted} of {mutations} accepted: damage too strong or too weak");
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    bootargs core_name cpio dtb elf gzip line_discipline mount_options path regex script shell symbols
}

#[test]
fn every_target_is_tested_and_bound_to_libfuzzer() {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for tests");
    let folder = Path::new(&root).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest of the targets");
    for name in names {
        let path = format!("fuzz_targets/{name}.rs");
        let binding =
            std::fs::read_to_string(folder.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(binding.contains(&format!("fuzz::run(\"{name}\", bytes)")) && manifest.contains(&path));
    }
}

#[test]
fn a_target_that_fails_is_noticed() {
    let seeds = || vec![b"harmless".to_vec()];
    let words: &[&[u8]] = &[b"bad"];
    let run = |bytes: &[u8]| {
        assert!(!bytes.windows(3).any(|part| part == b"bad"));
        bytes.starts_with(b"harm")
    };
    let target = Target {
        name: "none",
        run,
        seeds,
        words,
    };
    let found = try_target(&target, 1000).expect_err("it is found");
    assert!(
        found.contains("none fails for these") && found.contains("bad"),
        "{found}"
    );
    let refusing = Target {
        run: |_| false,
        ..target
    };
    assert_eq!(
        try_target(&refusing, 1),
        Err("none refuses its seed 0".to_owned())
    );
}
