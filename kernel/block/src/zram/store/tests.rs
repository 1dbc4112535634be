//! A store that is refused what it asks for.

use super::{PackedAs, RESERVE, Store};
use crate::zram::store::frames::RECORDS;
use alloc::vec::Vec;
use memory::fallible::fail_after;
use mm::PAGE_SIZE;

const PAGES: usize = 3 * RECORDS;

/// Each page needs a frame of its own, and one in so many a list of records; both are refused, and what was kept for it serves.
#[test]
fn pages_are_kept_where_no_memory_is_to_be_had() {
    drop(platform::host::boot(16 << 20, "", None));
    memory::start(memory::asids(None)).unwrap();
    let mut store = Store::new(PAGES as u32).unwrap();
    for index in 0..PAGES {
        if index % RESERVE == 0 {
            store.fill_reserve();
        }
        let bytes: Vec<u8> = (0..PAGE_SIZE).map(|byte| (byte * 7 + index) as u8).collect();
        for refused in 0..2 {
            fail_after(Some(refused));
            let kept = store.keep(index as u32, PackedAs::Whole, &bytes, 0);
            fail_after(None);
            assert_eq!(kept, Ok(()), "page {index}, refused {refused}");
            if refused == 0 {
                store.forget(index as u32);
            }
        }
    }
    let mut read = [0; PAGE_SIZE];
    for index in 0..PAGES {
        store.read(index as u32, &mut read);
        assert_eq!(read[5], (35 + index) as u8);
    }
}
