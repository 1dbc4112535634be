//! Puts the page together: one file that works from anywhere, so without anything to fetch. The modules of `docs/playground` become
//! one script, with the heart as WebAssembly and its sources inside, which the browser decompresses.

use miniz_oxide::deflate::compress_to_vec;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The page is to be small.
const MOST_BYTES: usize = 1_000_000;

/// Where the page is, from the root of the tree.
const PAGE: &str = "docs/playground";
/// The heart's sources, whose lines are shown.
const HEART: &str = "kernel/mm/src";
/// The ways in which the machine can disobey, with the words that say how.
const SABOTAGES: &str = "tests/machine/src/sabotage.rs";

/// A run that was recorded, to look at without a board.
const RECORDING: &str = "tests/playground/tests/recordings/raspi4b.txt";

/// What the page shows of this repository.
#[derive(Serialize)]
struct Texts<'a> {
    sources: BTreeMap<String, String>,
    sabotages: BTreeMap<&'a str, &'a str>,
    sample: String,
}

/// Writes the page with the heart of `wasm` to `out`.
pub fn build(wasm: &Path, out: &Path) -> Result<(), String> {
    let template = read(&Path::new(PAGE).join("index.html"))?;
    let style = read(&Path::new(PAGE).join("style.css"))?;
    let mut modules = Vec::new();
    collect("main.js", &mut modules)?;
    let mut sources = BTreeMap::new();
    collect_sources(Path::new(HEART), &mut sources)?;
    let heart = fs::read(wasm).map_err(|error| format!("{}: {error}", wasm.display()))?;
    let sabotages = read(Path::new(SABOTAGES))?;
    let texts = Texts {
        sources,
        sabotages: variants(&sabotages),
        sample: read(Path::new(RECORDING))?,
    };
    let texts = serde_json::to_vec(&texts).map_err(|error| error.to_string())?;
    let mut script = format!(
        "const HEART = \"{}\";\nconst TEXTS = \"{}\";\n",
        packed(&heart),
        packed(&texts)
    );
    for (name, text) in &modules {
        script.push_str(&format!("\n// {name}\n{}", plain(text)));
    }
    let page = replaced(
        &template,
        "<link rel=\"stylesheet\" href=\"style.css\">",
        &format!("<style>\n{style}</style>"),
    )?;
    let page = replaced(
        &page,
        "<script type=\"module\" src=\"main.js\"></script>",
        &format!("<script type=\"module\">\n{script}</script>"),
    )?;
    if page.len() > MOST_BYTES {
        return Err(format!(
            "the page has {} bytes, more than {MOST_BYTES}",
            page.len()
        ));
    }
    fs::write(out, &page).map_err(|error| format!("{}: {error}", out.display()))?;
    let address = fs::canonicalize(out).unwrap_or_else(|_| out.to_path_buf());
    println!(
        "{} KiB, to be opened in a browser: file://{}",
        page.len().div_ceil(1024),
        address.display()
    );
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn replaced(text: &str, from: &str, to: &str) -> Result<String, String> {
    let (before, after) = text
        .split_once(from)
        .ok_or_else(|| format!("index.html lacks {from}"))?;
    Ok(format!("{before}{to}{after}"))
}

/// The module and what it imports, each once and after what it imports.
fn collect(name: &str, modules: &mut Vec<(String, String)>) -> Result<(), String> {
    if modules.iter().any(|(known, _)| known == name) {
        return Ok(());
    }
    let text = read(&Path::new(PAGE).join(name))?;
    for import in statements(&text).filter_map(imported) {
        collect(import, modules)?;
    }
    modules.push((name.to_owned(), text));
    Ok(())
}

/// The import statements of a module: each begins a line and ends with a semicolon.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("import ").map(|(at, _)| at);
    starts
        .filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n')
        .filter_map(|at| Some(&text[at..at + text[at..].find(';')? + 1]))
}

fn imported(statement: &str) -> Option<&str> {
    statement.split('"').nth(1)?.strip_prefix("./")
}

/// A module as a part of one script: what it imports is there, what it exports is for all.
fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    for statement in statements(text) {
        plain = plain.replacen(statement, "", 1);
    }
    let lines = plain.lines();
    lines
        .map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line)))
        .collect()
}

/// The variants of an enumeration that have a line of documentation, with that line.
fn variants(text: &str) -> BTreeMap<&str, &str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let pairs = lines
        .windows(2)
        .filter_map(|pair| Some((pair[1].strip_suffix(',')?, pair[0].strip_prefix("/// ")?)));
    pairs
        .filter(|(name, _)| name.chars().all(char::is_alphanumeric))
        .collect()
}

fn collect_sources(folder: &Path, sources: &mut BTreeMap<String, String>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    for path in paths {
        if path.is_dir() {
            collect_sources(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.insert(path.to_string_lossy().into_owned(), read(&path)?);
        }
    }
    Ok(())
}

/// How hard to try: the most that miniz does.
const EFFORT: u8 = 10;

/// Compressed (RFC 1951), as letters.
fn packed(bytes: &[u8]) -> String {
    base64(&compress_to_vec(bytes, EFFORT))
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for nth in 0..4 {
            text.push(if nth <= chunk.len() {
                char::from(LETTERS[(word >> (18 - 6 * nth) & 63) as usize])
            } else {
                '='
            });
        }
    }
    text
}
