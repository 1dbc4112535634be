//! What /sys/block/zram0 has beside what each disk has (Documentation/admin-guide/blockdev/zram.rst of Linux): its size, and what it
//! keeps.

use abi::Errno;
use block::volume;
use block::zram::{self, Zram, ZramUsage};
use mm::PAGE_SIZE;

use super::entry::FixedEntry;
use super::setting_file;
use super::text::number;

/// Bytes of a page.
const PAGE: u64 = PAGE_SIZE as u64;
/// Bytes of what is written to one of these files that are looked at.
const MOST: usize = 32;

pub static ENTRIES: [FixedEntry<()>; 7] = [
    FixedEntry::text("comp_algorithm", |(), text| {
        text.bytes(b"[lz4]\n");
        Ok(())
    }),
    FixedEntry::object("disksize", 0o644, |()| {
        setting_file::open::<MOST>(
            |text| number(text, zram()?.pages() * PAGE),
            |written| zram()?.set_size(bytes(written)?.div_ceil(PAGE)),
        )
    }),
    FixedEntry::text("initstate", |(), text| {
        number(text, u64::from(zram()?.pages() > 0))
    }),
    FixedEntry::text("io_stat", |(), text| {
        let (reads, writes) = zram()?.usage().failed;
        text.add(format_args!("{reads:8} {writes:8} {:8} {:8}\n", 0, 0));
        Ok(())
    }),
    FixedEntry::object("mem_limit", 0o200, |()| {
        setting_file::open::<MOST>(
            |_| Ok(()),
            |written| {
                zram()?.set_limit(bytes(written)?.div_ceil(PAGE) as usize);
                Ok(())
            },
        )
    }),
    FixedEntry::text("mm_stat", |(), text| {
        let ZramUsage { store, limit, .. } = zram()?.usage();
        let used = store.frames * PAGE;
        text.add(format_args!(
            "{:8} {:8} {used:8} {:8} {:8} {:8} {:8} {:8} {:8}\n",
            store.pages * PAGE,
            store.packed_bytes,
            limit as u64 * PAGE,
            store.most_frames * PAGE,
            store.same,
            0,
            store.whole,
            store.whole
        ));
        Ok(())
    }),
    FixedEntry::object("reset", 0o200, |()| {
        setting_file::open::<MOST>(|_| Ok(()), |written| reset(bytes(written)?))
    }),
];

fn zram() -> Result<&'static Zram, Errno> {
    zram::get().map(|zram| &**zram).ok_or(Errno::ENODEV)
}

/// `EBUSY` while it is swapped to or mounted, as on Linux.
fn reset(wanted: u64) -> Result<(), Errno> {
    if wanted == 0 {
        return Err(Errno::EINVAL);
    }
    let volume = volume::all().find(|volume| volume.name == zram::ZRAM_NAME);
    let _claim = volume.ok_or(Errno::ENODEV)?.claim()?;
    pagecache::forget_disk((zram::ZRAM_MAJOR, 0))?;
    zram()?.reset();
    Ok(())
}

/// A number of bytes, with K, M, G or T behind it or not (`memparse` of Linux).
fn bytes(written: &[u8]) -> Result<u64, Errno> {
    let text = written.trim_ascii();
    let (number, shift) = match text.split_last() {
        Some((b'k' | b'K', number)) => (number, 10),
        Some((b'm' | b'M', number)) => (number, 20),
        Some((b'g' | b'G', number)) => (number, 30),
        Some((b't' | b'T', number)) => (number, 40),
        _ => (text, 0),
    };
    let number: u64 = setting_file::number(number)?;
    number.checked_mul(1 << shift).ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes(b"64M\n"), Ok(64 << 20));
        assert_eq!(bytes(b"4096"), Ok(4096));
        assert_eq!(bytes(b"M"), Err(Errno::EINVAL));
        assert_eq!(bytes(b"99999999999999999999"), Err(Errno::EINVAL));
        assert_eq!(bytes(b"17179869184G"), Err(Errno::EINVAL));
    }
}
