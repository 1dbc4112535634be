use super::*;
use std::sync::atomic::AtomicUsize;

/// A device of which only the calls of its driver are known.
#[derive(Default)]
struct FakeDevice {
    served: AtomicUsize,
}

impl InterruptHandler for FakeDevice {
    fn handle(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }
}

impl FakeDevice {
    fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

#[test]
fn each_number_calls_its_own_handler() {
    let table = InterruptTable::new();
    let devices = [Arc::new(FakeDevice::default()), Arc::new(FakeDevice::default())];
    assert_eq!(table.register(33, "first", devices[0].clone()), Ok(()));
    assert_eq!(table.register(47, "second", devices[1].clone()), Ok(()));
    assert!(table.serve(33, 0) && table.serve(33, 1) && table.serve(47, 0));
    assert_eq!(devices.each_ref().map(|device| device.served()), [2, 1]);
}

#[test]
fn a_number_without_handler_is_told_apart() {
    let table = InterruptTable::new();
    assert!(!table.serve(33, 0));
    assert_eq!(
        table.register(33, "device", Arc::new(FakeDevice::default())),
        Ok(())
    );
    assert!(table.serve(33, 0));
    assert!(!table.serve(34, 0));
}

#[test]
fn interrupts_are_counted_by_number_and_processor() {
    let table = InterruptTable::new();
    for (number, name) in [(33, "first"), (47, "second")] {
        assert_eq!(
            table.register(number, name, Arc::new(FakeDevice::default())),
            Ok(())
        );
    }
    for (number, here) in [(47, 2), (33, 0), (47, 2), (47, 1)] {
        assert!(table.serve(number, here));
    }
    let seen: Vec<_> = table
        .lines()
        .map(|line| (line.number(), line.name(), [0, 1, 2].map(|here| line.count(here))))
        .collect();
    assert_eq!(seen, [(33, "first", [1, 0, 0]), (47, "second", [0, 1, 2])]);
}

#[test]
fn a_number_is_registered_once_and_the_table_ends() {
    let table = InterruptTable::new();
    for number in 0..MOST as u32 {
        let device = Arc::new(FakeDevice::default());
        assert_eq!(table.register(number, "device", device.clone()), Ok(()));
        assert_eq!(table.register(number, "again", device), Err(RegisterError::Taken));
    }
    let late = Arc::new(FakeDevice::default());
    assert_eq!(
        table.register(MOST as u32, "late", late.clone()),
        Err(RegisterError::Full)
    );
    assert!(!table.serve(MOST as u32, 0));
    assert_eq!(late.served(), 0);
}
