//! Rust files of the tree, with and without their comments and strings.

use std::path::Path;

/// One Rust file.
pub struct Source {
    /// Path from the repository's root.
    pub path: String,
    /// As it stands in the file.
    pub text: String,
    /// The same lines with comments and the contents of strings taken out.
    pub code: String,
}

impl Source {
    /// A file with this text.
    pub fn new(path: &str, text: &str) -> Self {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code: code(text),
        }
    }

    /// The numbered lines of the code.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// Every Rust file in the crates' folders.
pub fn sources(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["kernel", "platform", "userland", "tests"] {
        collect(root, &root.join(folder), &mut found);
    }
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.strip_prefix(root).unwrap_or(&path);
            found.push(Source::new(&name.to_string_lossy(), &text));
        }
    }
}

/// The text without comments and without what stands in quotes; lines stay where they are.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = not_code(rest);
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().filter(|&character| character == '\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of the comment, string or character literal at the start of the text; 0 if it starts with code.
fn not_code(text: &str) -> usize {
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        text.find("*/").map_or(text.len(), |end| end + 2)
    } else if text.starts_with('"') {
        quoted(text)
    } else if text.starts_with("r\"") || text.starts_with("r#\"") {
        let close = if text.starts_with("r#") { "\"#" } else { "\"" };
        let start = close.len() + 1;
        text[start..]
            .find(close)
            .map_or(text.len(), |end| start + end + close.len())
    } else if text.starts_with('\'') {
        character(text)
    } else {
        0
    }
}

fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    if text.starts_with("'\\") {
        return text[3..].find('\'').map_or(text.len(), |end| end + 4);
    }
    let mut characters = text.char_indices().skip(2);
    match characters.next() {
        Some((index, '\'')) => index + 1,
        _ => 0,
    }
}

#[test]
fn comments_and_strings_are_no_code() {
    let text = "a // unsafe\nb \"unsafe \\\" {\" c /* x\ny */ d r#\"e\"f\"# 'g' '\\'' &'h i '\"' j";
    assert_eq!(code(text), "a \nb  c \n d    &'h i  j");
}
