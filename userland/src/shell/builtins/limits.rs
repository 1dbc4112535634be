//! `ulimit`: what this shell and its programs may use.

use alloc::format;
use alloc::string::{String, ToString};

use super::{done, wrong};
use crate::runtime::process;
use crate::shell::executor::Run;
use crate::shell::state::Shell;
use abi::process::{
    RLIM64_INFINITY, RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_MEMLOCK,
    RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_SIGPENDING, RLIMIT_STACK, RLimit,
};

/// Letter, the kernel's number, bytes in a unit, what it is.
const LIMITS: [(char, usize, u64, &str); 12] = [
    ('c', RLIMIT_CORE, 512, "core file size (blocks)"),
    ('d', RLIMIT_DATA, 1024, "data segment (KiB)"),
    ('e', RLIMIT_NICE, 1, "scheduling priority"),
    ('f', RLIMIT_FSIZE, 512, "file size (blocks)"),
    ('i', RLIMIT_SIGPENDING, 1, "pending signals"),
    ('l', RLIMIT_MEMLOCK, 1024, "locked memory (KiB)"),
    ('n', RLIMIT_NOFILE, 1, "open files"),
    ('r', RLIMIT_RTPRIO, 1, "real-time priority"),
    ('s', RLIMIT_STACK, 1024, "stack size (KiB)"),
    ('t', RLIMIT_CPU, 1, "processor time (seconds)"),
    ('u', RLIMIT_NPROC, 1, "processes of the user"),
    ('v', RLIMIT_AS, 1024, "address space (KiB)"),
];

fn show(value: u64, unit: u64) -> String {
    if value == RLIM64_INFINITY {
        "unlimited".into()
    } else {
        (value / unit).to_string()
    }
}

/// `ulimit [-HS] [-a | -letter] [limit]`; without a letter `-f`, as POSIX has it.
pub fn limit(shell: &mut Shell, arguments: &[String]) -> Run {
    let (mut is_soft, mut is_hard, mut is_all) = (false, false, false);
    let mut chosen = 'f';
    let mut wanted = None;
    for argument in &arguments[1..] {
        let Some(letters) = argument.strip_prefix('-') else {
            wanted = Some(argument.as_str());
            continue;
        };
        for letter in letters.chars() {
            match letter {
                'S' => is_soft = true,
                'H' => is_hard = true,
                'a' => is_all = true,
                letter if LIMITS.iter().any(|limit| limit.0 == letter) => chosen = letter,
                letter => return wrong(shell, arguments, &format!("-{letter}: unknown option")),
            }
        }
    }
    for (letter, resource, unit, name) in LIMITS.iter().filter(|limit| is_all || limit.0 == chosen) {
        let old = match process::limit(*resource, None) {
            Ok(old) => old,
            Err(error) => return wrong(shell, arguments, &error.to_string()),
        };
        let shown = if is_hard && !is_soft { old.max } else { old.cur };
        match wanted {
            None if is_all => println!("-{letter}: {name:<27} {}", show(shown, *unit)),
            None => println!("{}", show(shown, *unit)),
            Some(text) => {
                let Some(value) = value(text, *unit, &old) else {
                    return wrong(
                        shell,
                        arguments,
                        &format!("{text}: a number or `unlimited' is needed"),
                    );
                };
                // Without a choice both change.
                let new = RLimit {
                    cur: if is_hard && !is_soft {
                        old.cur.min(value)
                    } else {
                        value
                    },
                    max: if is_soft && !is_hard { old.max } else { value },
                };
                if let Err(error) = process::limit(*resource, Some(new)) {
                    return wrong(shell, arguments, &error.to_string());
                }
            }
        }
    }
    done(shell, 0)
}

fn value(text: &str, unit: u64, old: &RLimit) -> Option<u64> {
    match text {
        "unlimited" => Some(RLIM64_INFINITY),
        "hard" => Some(old.max),
        "soft" => Some(old.cur),
        text => text.parse::<u64>().ok()?.checked_mul(unit),
    }
}
