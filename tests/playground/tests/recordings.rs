//! A recording of a real run is done again by the same code, and ends with the tables that /proc showed on the board.

use playground::Kernel;

/// `cowtrace -r` on QEMU's raspi4b, kept by the scene that does it (`RECORDING=file`, boot.raspi4b).
const RECORDING: &str = include_str!("recordings/raspi4b.txt");

#[test]
fn the_end_is_that_of_proc() {
    let mut kernel = Kernel::boot_recording(RECORDING).expect("it can be put together");
    let mut done = 0;
    while kernel.perform("n").is_ok() {
        done += 1;
        assert_eq!(kernel.mmu().complaint(), None);
    }
    assert!(done > 10, "{done} records");
    assert_eq!(kernel.differences(), [] as [String; 0]);
}

/// What happened otherwise on the board is told.
#[test]
fn what_differs_is_told() {
    let one_copy = "cow_copied=1 tlbi_address=1";
    let copies = (one_copy.to_owned(), one_copy.replacen('1', "2", 1));
    // Below it the second process may not store: the table is shared.
    let shared = line_of(|line| line.starts_with("L1 0 0 4"));
    let opened = (shared.to_owned(), shared.replacen("0 4", "0 0", 1));
    for (from, to) in [copies, opened] {
        let told = RECORDING.replacen(&from, &to, 1);
        assert_ne!(told, RECORDING, "{from}");
        let mut kernel = Kernel::boot_recording(&told).expect("it begins as it did");
        while kernel.perform("n").is_ok() {}
        assert!(!kernel.differences().is_empty(), "{to}");
    }
    let table = line_of(|line| line.starts_with("L1 0 0 0"));
    let other = RECORDING.replacen(table, &table.replacen("references 1", "references 2", 1), 1);
    assert!(Kernel::boot_recording(&other).is_err() && Kernel::boot_recording("nonsense").is_err());
}

/// The first line of that kind.
fn line_of(is_meant: impl Fn(&str) -> bool) -> &'static str {
    RECORDING
        .lines()
        .find(|line| is_meant(line))
        .expect("there is one")
}
