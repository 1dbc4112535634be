//! A recording of a real run is done again by the same code, and ends with the tables that /proc showed on the board.

use playground::Kernel;

/// `cowtrace -r` on QEMU's virt.
const RECORDING: &str = include_str!("recordings/virt.txt");

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
    for (from, to) in [
        ("cow_copied=1 tlbi_address=1", "cow_copied=2 tlbi_address=1"),
        ("L1 0 0 4000000040b38003", "L1 0 0 0000000040b38003"),
    ] {
        let mut kernel =
            Kernel::boot_recording(&RECORDING.replacen(from, to, 1)).expect("it begins as it did");
        while kernel.perform("n").is_ok() {}
        assert!(!kernel.differences().is_empty(), "{to}");
    }
    let other = RECORDING.replacen("-> 40b38 references 1", "-> 40b38 references 2", 1);
    assert!(Kernel::boot_recording(&other).is_err() && Kernel::boot_recording("nonsense").is_err());
}
