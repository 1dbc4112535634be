use super::*;

const CODE_BYTES: [u8; 64] = [7; 64];
const FUNCTIONS: [ExportedFunction; 2] = [
    ExportedFunction {
        name: "first",
        start: 16,
        end: 32,
    },
    ExportedFunction {
        name: "second_one",
        start: 32,
        end: 64,
    },
];

fn written() -> [u8; LEN] {
    let mut page = [0; LEN];
    write(&mut page, "name.so.1", "VERSION_7", &CODE_BYTES, &FUNCTIONS).expect("it fits");
    page
}

fn number(page: &[u8], at: usize, len: usize) -> usize {
    page[at..at + len]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | usize::from(*byte))
}

fn text(page: &[u8], at: usize) -> &[u8] {
    page[at..].split(|byte| *byte == 0).next().unwrap()
}

/// What the dynamic section says under that tag.
fn dynamic(page: &[u8], tag: usize) -> usize {
    let segment = (0..number(page, 56, 2))
        .map(|index| number(page, 32, 8) + index * number(page, 54, 2))
        .find(|at| number(page, *at, 4) == 2)
        .expect("a loader finds the dynamic section");
    let mut at = number(page, segment + 8, 8);
    while number(page, at, 8) != tag {
        assert_ne!(number(page, at, 8), 0, "there is no {tag:#x}");
        at += 16;
    }
    number(page, at + 8, 8)
}

/// A function by its name, as loaders look for it: its place, its length, its version.
fn find<'a>(page: &'a [u8], name: &str) -> Option<(usize, usize, &'a [u8])> {
    let (table, strings) = (dynamic(page, 4), dynamic(page, 5));
    let buckets = number(page, table, 4);
    let mut index = number(page, table + 8 + 4 * (hash(name) as usize % buckets), 4);
    while index != 0 {
        let symbol = dynamic(page, 6) + index * dynamic(page, 11);
        if text(page, strings + number(page, symbol, 4)) == name.as_bytes() {
            let version = number(page, dynamic(page, 0x6fff_fff0) + 2 * index, 2);
            let mut definition = dynamic(page, 0x6fff_fffc);
            while number(page, definition + 4, 2) != version {
                definition += number(page, definition + 16, 4);
            }
            let auxiliary = definition + number(page, definition + 12, 4);
            let version = text(page, strings + number(page, auxiliary, 4));
            assert_eq!(number(page, definition + 8, 4), hash("VERSION_7") as usize);
            return Some((number(page, symbol + 8, 8), number(page, symbol + 16, 8), version));
        }
        index = number(page, table + 8 + 4 * (buckets + index), 4);
    }
    None
}

#[test]
fn loaders_find_what_is_exported() {
    let page = written();
    assert_eq!(find(&page, "first"), Some((CODE + 16, 16, &b"VERSION_7"[..])));
    assert_eq!(
        find(&page, "second_one"),
        Some((CODE + 32, 32, &b"VERSION_7"[..]))
    );
    assert_eq!(find(&page, "third"), None);
    assert_eq!(text(&page, dynamic(&page, 5) + dynamic(&page, 14)), b"name.so.1");
    assert_eq!(page[CODE..][..64], CODE_BYTES);
}

#[test]
fn debuggers_find_the_sections() {
    let page = written();
    let (table, size, count) = (number(&page, 40, 8), number(&page, 58, 2), number(&page, 60, 2));
    let names = number(&page, table + number(&page, 62, 2) * size + 24, 8);
    let section = |name: &str| {
        (0..count)
            .map(|index| table + index * size)
            .find(|at| text(&page, names + number(&page, *at, 4)) == name.as_bytes())
            .map(|at| (number(&page, at + 24, 8), number(&page, at + 32, 8)))
    };
    assert_eq!(section(".text"), Some((CODE, 64)));
    assert_eq!(section(".dynsym").map(|(at, _)| at), Some(dynamic(&page, 6)));
    assert_eq!(section(".dynstr"), Some((dynamic(&page, 5), dynamic(&page, 10))));
    assert!(table + size * count <= LEN);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut page = [0; LEN];
    assert!(write(&mut page, "name", "version", &[0; LEN - CODE], &FUNCTIONS).is_none());
    let many = [FUNCTIONS[1]; 90];
    assert!(write(&mut page, "name", "version", &CODE_BYTES, &many).is_none());
}
