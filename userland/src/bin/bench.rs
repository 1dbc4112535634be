//! `bench [marks|lines] [cycles] [sizes=MIB,...] [repeats=N] [ROW...]`: what system calls, faults and forks cost. Runs on Linux too.
//!
//! Times are nanoseconds of the virtual counter: guest instructions, under QEMU's `-icount shift=0,sleep=off`. As the
//! first process it mounts /proc, waits until a kernel has done what it does after boot, and powers off at the end.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

extern crate alloc;

use abi::mount::MountFlags;
use abi::reboot::LINUX_REBOOT_CMD_POWER_OFF;
use userland::bench::processor::ProcessorCounts;
use userland::bench::report::Report;
use userland::bench::settings::Settings;
use userland::bench::{lines, lives, rows};
use userland::runtime::measure::on_own_page;
use userland::runtime::time::{self, TimeSpec};
use userland::runtime::{mounts, output, process, system};
use userland::{eprintln, println};

userland::entry!(program);

/// How long Linux is busy with itself after boot.
const SETTLING_SECONDS: u64 = 5;

fn program(arguments: &[&str]) -> i32 {
    let is_first = process::id() == 1;
    if is_first {
        // A kernel may have mounted it itself; without it there are no counters, and all else works.
        let _ = mounts::mount("proc", "/proc", "proc", MountFlags::empty(), "");
        let _ = time::sleep(TimeSpec::from_nanoseconds(SETTLING_SECONDS * 1_000_000_000));
    }
    let status = on_own_page(|| bench(arguments.get(1..).unwrap_or_default()));
    if !is_first {
        return status;
    }
    if let Err(error) = output::flush().and_then(|()| system::reboot(LINUX_REBOOT_CMD_POWER_OFF)) {
        eprintln!("bench: {error}");
    }
    status
}

fn bench(words: &[&str]) -> i32 {
    let settings = match Settings::parse(words) {
        Ok(settings) => settings,
        Err(word) => {
            eprintln!(
                "bench: {word}: expected marks, lines, cycles, sizes=MIB,MIB..., repeats=N or the name of a row"
            );
            return 2;
        }
    };
    if settings.counts_cycles && !prepare_to_count_cycles() {
        return 1;
    }
    let mut report = Report::new(&settings);
    if let Err(error) = lives::warm_up() {
        report.fail("warm_up", error);
    }
    let rows = if settings.counts_lines {
        lines::rows()
    } else {
        rows()
    };
    for row in rows.iter().filter(|row| settings.wants(row.name)) {
        if let Err(error) = (row.run)(&settings, &mut report) {
            report.fail(row.name, error);
        }
    }
    println!("bench-kernel\t{}", kernel());
    report.finish()
}

/// The processor's counters are to be read: of one processor, and only where the kernel lets a program do that.
fn prepare_to_count_cycles() -> bool {
    if !ProcessorCounts::can_be_read() {
        eprintln!("bench: cycles: programs cannot read counters here: boot Holstein with pmu=programs");
        return false;
    }
    system::stay_on_first_processor()
        .inspect_err(|error| eprintln!("bench: {error}"))
        .is_ok()
}

/// Name and release of the kernel.
fn kernel() -> alloc::string::String {
    system::name().map_or_else(
        |error| alloc::format!("{error}"),
        |name| {
            alloc::format!(
                "{} {}",
                system::field(&name.sysname),
                system::field(&name.release)
            )
        },
    )
}
