//! The folder that mdBook makes pages of: the chapters, whose links to files of the repository lead to pages of their lines.

use super::links::{Target, line_of, of, target};
use super::{Chapter, SOURCE, chapters};
use crate::files;
use anyhow::{Context, Result, anyhow};
use std::fmt::Write;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Writes everything into `folder`: `book.toml`, and `src` for mdBook.
///
/// # Errors
/// A link leads nowhere, or a file cannot be written.
pub fn write(folder: &Path) -> Result<()> {
    let pages = folder.join("src");
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    fs::create_dir_all(&pages)?;
    fs::copy(
        files::root().join(SOURCE).join("../book.toml"),
        folder.join("book.toml"),
    )?;
    for chapter in chapters()? {
        let text = with_links(&chapter, &pages)?;
        fs::write(pages.join(&chapter.name), text)?;
    }
    Ok(())
}

/// The chapter, with links that hold where it is going to stand; what they lead to is put there.
fn with_links(chapter: &Chapter, pages: &Path) -> Result<String> {
    let mut text = chapter.text.clone();
    let mut links: Vec<&str> = of(&chapter.text).collect();
    links.sort_unstable();
    links.dedup();
    for link in links {
        let Target::File(file, name) = target(chapter, link) else {
            continue;
        };
        let place = place_of(&file)?;
        let new = if is_picture(&place) {
            let beside = Path::new("pictures").join(place.file_name().context("a picture has a name")?);
            copy(&file, &pages.join(&beside))?;
            beside.display().to_string()
        } else {
            // mdBook takes whatever has `.md` in it for a chapter.
            let name_of_page = place.display().to_string().replace(".md", "-md");
            let page = Path::new("code").join(format!("{name_of_page}.html"));
            write_code(&file, &place, &pages.join(&page))?;
            let line = name.map(|name| line_of(&file, &name).map_err(|error| anyhow!("{link}: {error}")));
            match line.transpose()? {
                Some(line) => format!("{}#L{line}", page.display()),
                None => page.display().to_string(),
            }
        };
        text = text.replace(&format!("]({link})"), &format!("]({new})"));
    }
    Ok(text)
}

fn is_picture(file: &Path) -> bool {
    file.extension()
        .is_some_and(|ending| ["png", "svg", "webp", "gif"].iter().any(|known| ending == *known))
}

/// The path of a file from the root.
fn place_of(file: &Path) -> Result<PathBuf> {
    let mut place = PathBuf::new();
    let inside = file.strip_prefix(files::root())?;
    for part in inside.components() {
        match part {
            Component::ParentDir => {
                place.pop();
            }
            part => place.push(part),
        }
    }
    Ok(place)
}

fn copy(file: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::copy(file, to).with_context(|| file.display().to_string())?;
    Ok(())
}

/// A page with the lines of a file, or with what is in a folder.
fn write_code(file: &Path, place: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    let text = if file.is_dir() {
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(file)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        names.join("\n")
    } else {
        fs::read_to_string(file).with_context(|| file.display().to_string())?
    };
    fs::write(to, page(&place.display().to_string(), &text))?;
    Ok(())
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
    <style>:root{color-scheme:light dark}body{margin:1em}h1{font:bold 1em sans-serif}pre{font-size:.85em}\
    i{display:inline-block;width:3em;padding-right:1em;text-align:right;opacity:.6;font-style:normal;user-select:none}\
    span:target{background:Highlight;color:HighlightText}</style>";

fn page(title: &str, text: &str) -> String {
    let mut page = format!("{HEAD}<title>{0}</title><h1>{0}</h1><pre>", escaped(title));
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        writeln!(
            page,
            "<span id=\"L{number}\"><i>{number}</i>{}</span>",
            escaped(line)
        )
        .expect("writing to a string");
    }
    page + "</pre></html>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[test]
fn lines_can_be_linked_to() {
    let page = page("a.rs", "one\nif a < b && c");
    assert!(
        page.contains("<span id=\"L2\"><i>2</i>if a &lt; b &amp;&amp; c</span>"),
        "{page}"
    );
    let crooked = files::root().join("docs/book/src/../../../kernel/mm");
    assert_eq!(place_of(&crooked).expect("a place"), Path::new("kernel/mm"));
}
