//! Single rules: of orphans, of files without names, of room, of a disk that fails.

use crate::support::{Disk, check, debugfs, make, mount, mount_read_only};
use crate::trees::read_all;
use abi::Errno;
use ext4::{Access, BlockState, Ext4, New, ROOT, Size};

const FILE: New<'static> = New {
    mode: 0o100644,
    user: 0,
    group: 0,
    target: b"",
    device: (0, 0),
};
const DIRECTORY: New<'static> = New {
    mode: 0o040755,
    ..FILE
};

fn free_blocks(volume: &mut Ext4) -> u64 {
    volume.usage().unwrap().free_blocks
}

#[test]
fn a_file_without_a_name_is_freed_by_whoever_mounts_next() {
    let disk = Disk::new(make(8 << 10, &["-t", "ext4"]));
    let mut volume = mount(&disk).unwrap();
    let before = volume.usage().unwrap();
    for index in 0..3 {
        let name = format!("f{index}");
        let file = volume.create(ROOT, name.as_bytes(), &FILE).unwrap();
        volume.write(file, 0, &[1; 9000]).unwrap();
        assert_eq!(volume.unlink(ROOT, name.as_bytes()).unwrap(), (file, 0));
        assert_eq!(read_all(&mut volume, file), [1; 9000]);
    }
    assert_eq!(volume.orphans().unwrap().len(), 3);
    volume.commit().unwrap();
    drop(volume);
    // Only read, it keeps them.
    assert_eq!(mount_read_only(&disk).unwrap().orphans().unwrap().len(), 3);
    let mut volume = mount(&disk).unwrap();
    assert!(volume.orphans().unwrap().is_empty() && !volume.is_damaged());
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
    let after = mount(&disk).unwrap().usage().unwrap();
    assert_eq!(
        (after.free_blocks, after.free_inodes),
        (before.free_blocks, before.free_inodes)
    );
}

#[test]
fn a_file_made_without_a_name_gets_one() {
    let disk = Disk::new(make(8 << 10, &["-t", "ext4"]));
    let mut volume = mount(&disk).unwrap();
    let file = volume.create_unnamed(ROOT, &FILE).unwrap();
    let other = volume.create_unnamed(ROOT, &FILE).unwrap();
    volume.write(file, 0, b"bytes").unwrap();
    volume.link(ROOT, b"name", file).unwrap();
    assert_eq!(volume.orphans().unwrap(), [other]);
    volume.release(other).unwrap();
    volume.release(file).unwrap();
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
    let mut volume = mount_read_only(&disk).unwrap();
    let file = volume.lookup(ROOT, b"name").unwrap();
    assert_eq!(read_all(&mut volume, file), b"bytes");
}

#[test]
fn the_orphan_file_of_newer_kernels_is_emptied() {
    let image = make(8 << 10, &["-t", "ext4", "-O", "orphan_file"]);
    let (image, _) = debugfs(&image, "write /etc/hostname f\n");
    let (image, said) = debugfs(
        &image,
        "stat f\nsif f links_count 0\nunlink f\nfeature orphan_present\n",
    );
    assert!(said.contains("orphan_present"), "{said}");
    let disk = Disk::new(image);
    let mut volume = mount(&disk).unwrap();
    volume.unmount().unwrap();
    let (_, said) = debugfs(&disk.image(), "features\n");
    assert!(
        said.contains("orphan_file") && !said.contains("orphan_present"),
        "{said}"
    );
}

#[test]
fn room_that_was_freed_is_used_only_after_a_commit_but_then_at_once() {
    let disk = Disk::new(make(4 << 10, &["-t", "ext4", "-b", "1024", "-J", "size=1"]));
    let mut volume = mount(&disk).unwrap();
    let file = volume.create(ROOT, b"f", &FILE).unwrap();
    let mut size = 0u64;
    while volume.write(file, size, &[3; 1024]).is_ok() {
        size += 1024;
    }
    assert_eq!(volume.write(file, size, &[3; 1024]).unwrap_err(), Errno::ENOSPC);
    assert_eq!(read_all(&mut volume, file).len() as u64, size);
    assert_eq!(volume.create(ROOT, b"d", &DIRECTORY).unwrap_err(), Errno::ENOSPC);
    assert_eq!(volume.lookup(ROOT, b"d").unwrap_err(), Errno::ENOENT);
    for _ in 0..20 {
        volume.truncate(file, 0).unwrap();
        volume.write(file, 0, &[4; 500_000]).unwrap();
    }
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
}

#[test]
fn room_that_was_reserved_is_zeros_and_stays() {
    let disk = Disk::new(make(8 << 10, &["-t", "ext4", "-b", "1024"]));
    let mut volume = mount(&disk).unwrap();
    let file = volume.create(ROOT, b"f", &FILE).unwrap();
    let before = free_blocks(&mut volume);
    volume.reserve(file, 0..100 << 10, Size::Stays).unwrap();
    assert_eq!(before - free_blocks(&mut volume), 100);
    assert_eq!(volume.status(file).unwrap().size, 0);
    assert_eq!(volume.map(file, 0, 1000).unwrap().state, BlockState::Unwritten);
    volume.write(file, 50 << 10, b"in the middle").unwrap();
    assert_eq!(volume.map(file, 50, 1000).unwrap().state, BlockState::Written);
    let bytes = read_all(&mut volume, file);
    assert!(bytes[..50 << 10].iter().all(|byte| *byte == 0));
    volume.punch(file, 10 << 10..20 << 10).unwrap();
    assert_eq!(volume.map(file, 10, 1000).unwrap().len, 10);
    volume.truncate(file, 10).unwrap();
    assert_eq!(before - free_blocks(&mut volume), 1);
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
}

#[test]
fn a_large_directory_comes_and_goes() {
    let disk = Disk::new(make(40 << 10, &["-t", "ext4", "-b", "1024", "-N", "24000"]));
    let mut volume = mount(&disk).unwrap();
    let directory = volume.create(ROOT, b"d", &DIRECTORY).unwrap();
    let file = volume.create(directory, b"the one", &FILE).unwrap();
    let name = |index: u32| {
        format!("{index} is the name of a file in a directory that has an index of two levels {index:060}")
            .into_bytes()
    };
    // Entries are listed while others come: each once that was there all the time.
    let (mut position, mut seen) = (0, 0);
    for index in 0..4_000 {
        volume
            .link(directory, &name(index), file)
            .unwrap_or_else(|error| panic!("{index}: {}", error.name()));
        if index % 10 == 0 {
            let mut taken = 0;
            position = volume
                .list(directory, position, &mut |entry| {
                    seen += usize::from(entry.name == b"the one");
                    taken += 1;
                    taken < 3
                })
                .unwrap();
        }
    }
    while volume
        .list(directory, position, &mut |entry| {
            seen += usize::from(entry.name == b"the one");
            position = entry.next;
            false
        })
        .unwrap()
        < i64::MAX as u64
    {}
    assert_eq!(seen, 1);
    assert_eq!(
        volume.link(directory, &name(17), file).unwrap_err(),
        Errno::EEXIST
    );
    volume.commit().unwrap();
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
    let mut volume = mount(&disk).unwrap();
    for index in 0..4_000 {
        assert_eq!(volume.lookup(directory, &name(index)).unwrap(), file);
        volume.unlink(directory, &name(index)).unwrap();
    }
    volume.unlink(directory, b"the one").unwrap();
    volume.release(file).unwrap();
    volume.remove_directory(ROOT, b"d").unwrap();
    volume.release(directory).unwrap();
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
}

#[test]
fn a_scattered_file_has_a_deep_tree_that_goes_again() {
    let disk = Disk::new(make(64 << 10, &["-t", "ext4", "-b", "1024"]));
    let mut volume = mount(&disk).unwrap();
    let before = free_blocks(&mut volume);
    let file = volume.create(ROOT, b"f", &FILE).unwrap();
    // Every second block: extents never join. 84 of them fill a node, so that there are two levels below the root.
    for index in (0..2400u64).map(|index| index * 7919 % 2400) {
        volume.write(file, index * 2048, &[index as u8; 100]).unwrap();
    }
    volume.commit().unwrap();
    for index in 0..2400u64 {
        let mut bytes = [0; 101];
        volume.read(file, index * 2048, &mut bytes).unwrap();
        assert!(bytes[..100].iter().all(|byte| *byte == index as u8));
    }
    // The rest is filled: extents join, nodes go.
    for index in 0..2400u64 {
        volume.write(file, index * 2048 + 1024, &[1; 1024]).unwrap();
    }
    let disk_now = {
        volume.commit().unwrap();
        disk.image()
    };
    let mut again = mount(&Disk::new(disk_now.clone())).unwrap();
    again.unmount().unwrap();
    volume.truncate(file, 3_000_000).unwrap();
    volume.punch(file, 100_000..2_000_000).unwrap();
    volume.unlink(ROOT, b"f").unwrap();
    volume.release(file).unwrap();
    volume.commit().unwrap();
    assert_eq!(free_blocks(&mut volume), before);
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
}

/// Ranges go and come in the middle of a tree of many leaves: more than one transaction has room for.
#[test]
fn ranges_of_a_scattered_file_move() {
    let disk = Disk::new(make(64 << 10, &["-t", "ext4", "-b", "1024"]));
    let mut volume = mount(&disk).unwrap();
    let before = free_blocks(&mut volume);
    let file = volume.create(ROOT, b"f", &FILE).unwrap();
    let mut model = vec![0; 8000 << 10];
    for index in (0..4000usize).map(|index| index * 1009 % 4000) {
        let bytes = [index as u8 | 1; 1024];
        volume.write(file, index as u64 * 2048, &bytes).unwrap();
        model[index * 2048..index * 2048 + 1024].copy_from_slice(&bytes);
    }
    volume.truncate(file, model.len() as u64).unwrap();
    let full = free_blocks(&mut volume);
    // (start, blocks): inside an extent's gap, at an extent, many leaves at once, the first block.
    for (start, len) in [(3001, 2), (2000, 1), (100, 5000), (0, 1)] {
        let range = start << 10..(start + len) << 10;
        volume.insert(file, range.clone()).unwrap();
        assert_eq!(
            volume.map(file, start as u32, len as u32).unwrap().state,
            BlockState::Hole
        );
        model.splice(
            range.start as usize..range.start as usize,
            vec![0; (len as usize) << 10],
        );
        assert!(
            read_all(&mut volume, file) == model,
            "{start} and {len} have come"
        );
        check(&{
            volume.commit().unwrap();
            disk.image()
        })
        .unwrap();
        assert_eq!(free_blocks(&mut volume), full);
    }
    for (start, len) in [(0, 1), (100, 5000), (7, 900), (2000, 1), (1500, 700)] {
        let range = start << 10..(start + len) << 10;
        volume.collapse(file, range.clone()).unwrap();
        model.drain(range.start as usize..range.end as usize);
        assert!(
            read_all(&mut volume, file) == model,
            "{start} and {len} have gone"
        );
        check(&{
            volume.commit().unwrap();
            disk.image()
        })
        .unwrap();
    }
    let end = model.len() as u64;
    assert_eq!(volume.collapse(file, end - 1024..end).unwrap_err(), Errno::EINVAL);
    assert_eq!(volume.collapse(file, 0..100).unwrap_err(), Errno::EINVAL);
    assert_eq!(volume.insert(file, end..end + 1024).unwrap_err(), Errno::EINVAL);
    assert_eq!(
        volume.insert(file, 0..volume.longest_file() & !1023).unwrap_err(),
        Errno::EFBIG
    );
    volume.unlink(ROOT, b"f").unwrap();
    volume.release(file).unwrap();
    volume.commit().unwrap();
    assert_eq!(free_blocks(&mut volume), before);
}

#[test]
fn a_disk_that_fails_stops_changes_and_not_reading() {
    let disk = Disk::dying(make(8 << 10, &["-t", "ext4"]), 40);
    let mut volume = mount(&disk).unwrap();
    let mut failed = None;
    for index in 0..100 {
        let name = format!("f{index}");
        let done = volume
            .create(ROOT, name.as_bytes(), &FILE)
            .and_then(|_| volume.commit());
        failed = failed.or(done.err());
    }
    assert_eq!(failed, Some(Errno::EIO));
    assert_eq!(volume.create(ROOT, b"more", &FILE).unwrap_err(), Errno::EROFS);
    assert!(volume.lookup(ROOT, b"f0").is_ok());
}

#[test]
fn remounting() {
    let disk = Disk::new(make(8 << 10, &["-t", "ext4"]));
    let mut volume = mount_read_only(&disk).unwrap();
    assert_eq!(volume.create(ROOT, b"f", &FILE).unwrap_err(), Errno::EROFS);
    volume.set_access(Access::ReadWrite).unwrap();
    volume.create(ROOT, b"f", &FILE).unwrap();
    volume.set_access(Access::ReadOnly).unwrap();
    check(&disk.image()).unwrap();
    assert_eq!(volume.create(ROOT, b"g", &FILE).unwrap_err(), Errno::EROFS);
    volume.set_access(Access::ReadWrite).unwrap();
    volume.unlink(ROOT, b"f").unwrap();
    volume.unmount().unwrap();
    let mut volume = mount_read_only(&disk).unwrap();
    assert_eq!(volume.lookup(ROOT, b"f").unwrap_err(), Errno::ENOENT);
}

/// While it is only read somebody mends it on the disk, as e2fsck does of a root.
#[test]
fn what_was_changed_on_the_disk_while_it_was_only_read_is_seen_when_it_is_written() {
    let disk = Disk::new(make(8 << 10, &["-t", "ext4"]));
    let mut volume = mount(&disk).unwrap();
    volume.create(ROOT, b"before", &FILE).unwrap();
    volume.set_access(Access::ReadOnly).unwrap();
    let mut other = mount(&disk).unwrap();
    for round in 0..40 {
        let name = format!("other{round}");
        let file = other.create(ROOT, name.as_bytes(), &FILE).unwrap();
        other.write(file, 0, &[7; 5000]).unwrap();
    }
    other.unlink(ROOT, b"before").unwrap();
    other.unmount().unwrap();
    volume.set_access(Access::ReadWrite).unwrap();
    assert_eq!(volume.lookup(ROOT, b"before").unwrap_err(), Errno::ENOENT);
    for round in 0..40 {
        let name = format!("own{round}");
        let file = volume.create(ROOT, name.as_bytes(), &FILE).unwrap();
        volume.write(file, 0, &[9; 5000]).unwrap();
    }
    volume.lookup(ROOT, b"other39").unwrap();
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
}

#[test]
fn every_allocation_may_fail() {
    let disk = Disk::new(make(8 << 10, &["-t", "ext4"]));
    let mut volume = mount(&disk).unwrap();
    let directory = volume.create(ROOT, b"d", &DIRECTORY).unwrap();
    let mut made = 0;
    for round in 0..400u64 {
        memory::fallible::fail_after(Some(round % 40));
        let name = format!("f{round}");
        let done = volume.create(directory, name.as_bytes(), &FILE).and_then(|file| {
            volume.write(file, 0, &[5; 3000])?;
            volume.set_attribute(file, b"user.a", Some(&[1; 300]))?;
            volume.commit()
        });
        memory::fallible::fail_after(None);
        match done {
            Ok(()) => made += 1,
            Err(error) => assert_eq!(error, Errno::ENOMEM),
        }
    }
    assert!(made > 0, "none succeeded");
    volume.commit().unwrap();
    volume.unmount().unwrap();
    check(&disk.image()).unwrap();
}
