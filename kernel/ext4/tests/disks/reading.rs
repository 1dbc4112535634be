//! Images that mke2fs and debugfs made, read by this file system and by another one.

use crate::model::{Kind, Model};
use crate::support::{Disk, Folder, Random, debugfs, make, mount, mount_read_only};
use ext4::{BlockState, Ext4, Moment, ROOT};
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A tree of the host: files of many sizes, holes, links, a large directory.
fn tree() -> Folder {
    let folder = Folder::new();
    let mut random = Random(11);
    for (name, size) in [("empty", 0), ("short", 5), ("block", 4096), ("long", 3_000_000)] {
        let bytes: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
        std::fs::write(folder.path(name), bytes).unwrap();
    }
    std::fs::create_dir_all(folder.path("a/b/c")).unwrap();
    std::fs::create_dir(folder.path("many")).unwrap();
    for index in 0..400 {
        let name = format!("many/an entry with a long name, number {index}");
        std::fs::write(folder.path(&name), format!("{index}")).unwrap();
    }
    symlink("short", folder.path("fast")).unwrap();
    symlink("x/".repeat(100), folder.path("slow")).unwrap();
    let file = std::fs::File::create(folder.path("sparse")).unwrap();
    use std::os::unix::fs::FileExt;
    for index in 0..40 {
        file.write_all_at(b"here", index * 100_000).unwrap();
    }
    file.set_len(20_000_000).unwrap();
    std::fs::hard_link(folder.path("short"), folder.path("a/b/again")).unwrap();
    folder
}

/// Compares with what the host has.
fn compare(model: &Model, inode: u32, path: &Path) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    match &model.nodes[&inode].kind {
        Kind::Directory(entries) => {
            let mut names: Vec<Vec<u8>> = Vec::new();
            for entry in std::fs::read_dir(path).unwrap() {
                let name = entry.unwrap().file_name();
                compare(model, entries[name.as_encoded_bytes()], &path.join(&name));
                names.push(name.as_encoded_bytes().to_vec());
            }
            let is_root = inode == ROOT;
            assert_eq!(entries.len(), names.len() + usize::from(is_root));
        }
        Kind::File(bytes) => assert!(std::fs::read(path).unwrap() == *bytes, "{}", path.display()),
        Kind::Symlink(text) => {
            assert!(metadata.is_symlink());
            assert_eq!(
                std::fs::read_link(path).unwrap().as_os_str().as_encoded_bytes(),
                text
            );
        }
        Kind::Node(..) => panic!("{} is no node", path.display()),
    }
}

/// Files whose bytes the other reader does not read: it takes unwritten extents for long ones, and stumbles over holes of ext2.
fn strange(volume: &mut Ext4, model: &Model) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for (inode, node) in &model.nodes {
        let Kind::File(bytes) = &node.kind else {
            continue;
        };
        let has_extents = volume.status(*inode).unwrap().flags & 0x8_0000 != 0;
        let (mut at, end) = (0, bytes.len().div_ceil(volume.block_size()) as u32);
        while at < end {
            let part = volume.map(*inode, at, end - at).unwrap();
            at += part.len;
            if part.state == BlockState::Unwritten || (part.state == BlockState::Hole && !has_extents) {
                found.insert(*inode);
            }
        }
    }
    found
}

/// Compares with what another reader of the same image has.
fn compare_with_oracle(model: &Model, strange: &BTreeSet<u32>, image: Vec<u8>) {
    let oracle = ext4_view::Ext4::load(Box::new(image)).unwrap();
    let mut left = vec![(ROOT, String::from("/"))];
    while let Some((inode, path)) = left.pop() {
        let Kind::Directory(entries) = &model.nodes[&inode].kind else {
            panic!("{path} is no directory");
        };
        let mut seen = 0;
        for entry in oracle.read_dir(path.as_str()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let name: &[u8] = name.as_ref();
            if name == b"." || name == b".." {
                continue;
            }
            seen += 1;
            let inode = entries[name];
            let node = &model.nodes[&inode];
            let metadata = entry.metadata().unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), node.owner);
            assert_eq!(metadata.mode(), node.mode & 0o7777);
            match &node.kind {
                Kind::Directory(_) => left.push((inode, entry.path().display().to_string())),
                Kind::File(_) if strange.contains(&inode) => {}
                Kind::File(bytes) => assert!(oracle.read(&entry.path()).unwrap() == *bytes),
                Kind::Symlink(text) => {
                    let target = oracle.read_link(&entry.path()).unwrap();
                    let target: &[u8] = target.as_ref();
                    assert_eq!(target, text);
                }
                Kind::Node(..) => {}
            }
        }
        assert_eq!(seen, entries.len(), "{path}");
    }
}

fn read(options: &[&str]) {
    let folder = tree();
    let source = folder.0.to_str().unwrap();
    let image = make(64 << 10, &[options, &["-d", source]].concat());
    let disk = Disk::new(image.clone());
    let mut volume = mount_read_only(&disk).unwrap();
    let model = Model::read(&mut volume);
    compare(&model, ROOT, &folder.0);
    assert!(disk.image() == image, "reading has written");
    // The other one wants `filetype` and does not know `meta_bg`.
    let is_unknown = |option: &&str| {
        ["meta_bg", "^filetype", "none"]
            .iter()
            .any(|feature| option.contains(feature))
    };
    if !options.iter().any(is_unknown) {
        compare_with_oracle(&model, &strange(&mut volume, &model), image);
    }
}

#[test]
fn ext4_of_today() {
    read(&["-t", "ext4"]);
    read(&["-t", "ext4", "-b", "4096", "-O", "metadata_csum_seed,orphan_file"]);
}

#[test]
fn other_forms() {
    read(&[
        "-t",
        "ext4",
        "-b",
        "2048",
        "-O",
        "^64bit,^metadata_csum,uninit_bg",
        "-I",
        "128",
    ]);
    read(&["-t", "ext4", "-O", "^flex_bg,meta_bg,^resize_inode", "-g", "2048"]);
    read(&["-t", "ext3"]);
    read(&["-t", "ext2", "-b", "4096", "-O", "^dir_index,^filetype"]);
    read(&["-t", "ext2", "-r", "0", "-O", "none"]);
}

/// What this file system wrote, another one reads alike.
#[test]
fn an_oracle_reads_what_was_written() {
    let load = crate::model::Load {
        longest: 20_000,
        largest: 300_000,
        within: 0,
        names: 200,
    };
    let disk = Disk::new(make(32 << 10, &["-t", "ext4"]));
    let mut volume = mount(&disk).unwrap();
    let mut model = Model::read(&mut volume);
    let (mut random, mut unnamed) = (Random(21), Vec::new());
    for _ in 0..600 {
        model.step(&mut volume, &mut random, &load, &mut unnamed);
    }
    for inode in model.nodes.keys().copied().collect::<Vec<u32>>() {
        let node = model.node_mut(inode);
        // The other one refuses times whose lower 32 bits are above those of 2038.
        node.accessed = Moment {
            seconds: 6_000_000_000,
            nanoseconds: 7,
        };
        let change = ext4::Change {
            accessed: Some(node.accessed),
            ..Default::default()
        };
        volume.change_status(inode, &change).unwrap();
    }
    volume.commit().unwrap();
    let strange = strange(&mut volume, &model);
    // Once with a journal to be replayed, once without.
    compare_with_oracle(&model, &strange, disk.image());
    volume.unmount().unwrap();
    compare_with_oracle(&model, &strange, disk.image());
}

#[test]
fn times_after_2038_as_debugfs_writes_them() {
    let image = make(8 << 10, &["-t", "ext4"]);
    let script = "write /etc/hostname f\nset_inode_field f mtime @4294967295\nset_inode_field f atime @6000000000\n\
        set_inode_field f crtime @0\n";
    let (image, _) = debugfs(&image, script);
    let mut volume = mount_read_only(&Disk::new(image)).unwrap();
    let file = volume.lookup(ROOT, b"f").unwrap();
    let status = volume.status(file).unwrap();
    assert_eq!(status.modified.seconds, 4_294_967_295);
    assert_eq!(status.accessed.seconds, 6_000_000_000);
    assert_eq!(
        status.created,
        Moment {
            seconds: 0,
            nanoseconds: 0
        }
    );
}

#[test]
fn extended_attributes_of_mke2fs() {
    let image = make(8 << 10, &["-t", "ext4"]);
    let script =
        "write /etc/hostname f\nea_set f user.one value\nea_set f user.empty \"\"\nea_set f trusted.long "
            .to_owned()
            + &"v".repeat(300)
            + "\n";
    let (image, _) = debugfs(&image, &script);
    let disk = Disk::new(image);
    let mut volume = mount(&disk).unwrap();
    let file = volume.lookup(ROOT, b"f").unwrap();
    assert_eq!(volume.attribute(file, b"user.one").unwrap(), b"value");
    assert_eq!(
        volume.attribute(file, b"trusted.long").unwrap(),
        "v".repeat(300).as_bytes()
    );
    assert_eq!(
        volume.attribute(file, b"user.none").unwrap_err(),
        abi::Errno::ENODATA
    );
    assert_eq!(
        volume.attribute(file, b"system.x").unwrap_err(),
        abi::Errno::EOPNOTSUPP
    );
    volume.set_attribute(file, b"user.one", Some(&[7; 500])).unwrap();
    volume.unmount().unwrap();
    crate::support::check(&disk.image()).unwrap();
    let (_, said) = debugfs(&disk.image(), "ea_list f\n");
    assert!(
        said.contains("user.one (500)") && said.contains("trusted.long (300)"),
        "{said}"
    );
}
