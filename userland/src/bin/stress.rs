//! What is too much, on purpose, and ends by itself.
//!
//! * `stress forkbomb [n]`: forks children that wait, until the kernel refuses or there are n; prints how many there
//!   were and with what error the next was refused, then lets all of them end.
//! * `stress hog [mebibytes]`: maps and touches memory, a MiB at a time, until it is refused or the process is ended.
//! * `stress churn [rounds]`: forks, writes, execs and exits for ever so long; what is free at the end is printed.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use userland::pages::memory_kib;
use userland::runtime::file::{self, File};
use userland::runtime::memory::{Mapping, PAGE, Sharing};
use userland::runtime::process::{self, Fork, WaitStatus};
use userland::runtime::{Errno, Result, environment};
use userland::{eprintln, println};

userland::entry!(program);

fn program(arguments: &[&str]) -> i32 {
    let number = match arguments.get(2).map(|text| text.parse::<usize>()) {
        None => None,
        Some(Ok(number)) => Some(number),
        Some(Err(_)) => return usage(),
    };
    let result = match arguments.get(1).copied() {
        Some("forkbomb") => fork_bomb(number.unwrap_or(usize::MAX)),
        Some("hog") => hog(number.unwrap_or(usize::MAX)),
        Some("churn") => churn(number.unwrap_or(100)),
        _ => return usage(),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("stress: {error}");
            1
        }
    }
}

fn usage() -> i32 {
    eprintln!("usage: stress forkbomb [n] | hog [mebibytes] | churn [rounds]");
    2
}

/// Children that wait for the end of a pipe.
fn fork_bomb(most: usize) -> Result<()> {
    let (reader, writer) = file::pipe()?;
    let mut children = Vec::new();
    let mut refused = None;
    while children.len() < most && refused.is_none() {
        match process::fork() {
            Ok(Fork::Parent(pid)) => children.push(pid),
            Ok(Fork::Child) => {
                drop(writer);
                let status = wait_for_end_of(&reader);
                process::exit_now(status)
            }
            Err(error) => refused = Some(error),
        }
    }
    drop(writer);
    let count = children.len();
    let mut ended = 0;
    for child in children {
        ended += usize::from(process::wait_for_end(child)?.status == WaitStatus::Exited(0));
    }
    match refused {
        Some(error) => println!(
            "forkbomb: {count} children, the next was refused: {}",
            error.name()
        ),
        None => println!("forkbomb: {count} children"),
    }
    println!("forkbomb: {ended} of them ended well");
    if ended == count {
        Ok(())
    } else {
        Err(Errno::ECHILD)
    }
}

fn wait_for_end_of(reader: &File) -> i32 {
    let mut byte = [0];
    loop {
        match reader.read(&mut byte) {
            Err(Errno::EINTR) => {}
            Ok(_) => return 0,
            Err(_) => return 1,
        }
    }
}

/// Every page touched, so that each has a frame.
fn hog(most: usize) -> Result<()> {
    const STEP: usize = 1 << 20;
    let mut kept = Vec::new();
    while kept.len() < most {
        match Mapping::anonymous(STEP, Sharing::Private) {
            Ok(memory) => {
                for page in 0..memory.pages() {
                    memory.store(page * PAGE, page as u64);
                }
                kept.push(memory);
            }
            Err(error) => {
                println!("hog: refused after {} MiB: {}", kept.len(), error.name());
                return Ok(());
            }
        }
        if kept.len().is_multiple_of(64) {
            println!("hog: {} MiB", kept.len());
        }
    }
    println!("hog: has {} MiB", kept.len());
    Ok(())
}

/// Lives of every kind; nothing may be lost.
fn churn(rounds: usize) -> Result<()> {
    let memory = Mapping::anonymous(64 * PAGE, Sharing::Private)?;
    let variables: Vec<&str> = environment().collect();
    let free = || memory_kib("MemAvailable").ok_or(Errno::ENOENT);
    let before = free()?;
    for round in 0..rounds {
        memory.store((round % 64) * PAGE, round as u64);
        match process::fork()? {
            Fork::Child => {
                memory.store((round * 7 % 64) * PAGE, 1);
                if round.is_multiple_of(2) {
                    let error = process::execute("/bin/true", &["true"], &variables);
                    eprintln!("stress: /bin/true: {error}");
                    process::exit_now(127);
                }
                process::exit_now(0)
            }
            Fork::Parent(pid) => {
                let status = process::wait_for_end(pid)?.status;
                if status != WaitStatus::Exited(0) {
                    eprintln!("stress: round {round}: {status:?}");
                    return Err(Errno::ECHILD);
                }
            }
        }
    }
    println!(
        "churn: {rounds} rounds, free before {before} KiB, after {} KiB",
        free()?
    );
    Ok(())
}
