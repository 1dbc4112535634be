//! Which functions an instruction of the finished kernel was written in, however deep it was inlined.

use addr2line::Loader;

/// A function of a chain of inlined ones.
pub struct Place {
    /// Its file, from the repository's root if it is one of ours, with all of its path otherwise.
    pub file: String,
    /// The last word of its name.
    pub function: String,
    /// The line.
    pub line: u32,
}

impl Place {
    /// `mm/fork::fork` of a function of `kernel/mm/src/fork.rs`, if it is of ours.
    pub fn ours(&self) -> Option<String> {
        let file = self.file.strip_prefix("kernel/").unwrap_or(&self.file);
        let is_ours = self.file.starts_with("kernel/") || self.file.starts_with("platform/");
        let file = file.trim_start_matches("src/").replace("/src/", "/");
        is_ours.then(|| format!("{}::{}", file.trim_end_matches(".rs"), self.function))
    }

    /// `alloc/sync::drop` of a function of a library that has orders of its own, and is inlined everywhere.
    pub fn of_library(&self) -> Option<String> {
        let file = match &self.file {
            file if file.ends_with("alloc/src/sync.rs") => "alloc/sync",
            file if file.contains("/spin-") && file.ends_with("/once.rs") => "spin/once",
            file if file.contains("/spin-") && file.ends_with("/mutex/spin.rs") => "spin/mutex",
            file if file.contains("/virtio-drivers-") && file.ends_with("/queue.rs") => "virtio/queue",
            _ => return None,
        };
        Some(format!("{file}::{}", self.function))
    }
}

/// Where the instruction at `address` was written: the innermost function first.
pub fn chain(loader: &Loader, address: u64) -> Vec<Place> {
    let mut places = Vec::new();
    let Ok(mut frames) = loader.find_frames(address) else {
        return places;
    };
    while let Ok(Some(frame)) = frames.next() {
        let name = frame.function.as_ref().and_then(|name| name.demangle().ok());
        let location = frame.location.as_ref();
        let file = location.and_then(|location| location.file).unwrap_or_default();
        let ours = ["kernel/", "platform/"].iter().filter_map(|folder| {
            let at = file.find(&format!("/{folder}"))? + 1;
            file[at..].contains("/src/").then_some(at)
        });
        places.push(Place {
            file: ours.min().map_or(file, |at| &file[at..]).to_owned(),
            function: plain(&name.unwrap_or_default()),
            line: location.and_then(|location| location.line).unwrap_or_default(),
        });
    }
    places
}

/// The function that asks for what stands in `chain`: the innermost but for the faces of atomics.
pub fn asked_by(chain: &[Place]) -> Option<&Place> {
    chain
        .iter()
        .find(|place| !place.file.ends_with("core/src/sync/atomic.rs"))
}

/// The last word of a function's path, without the types that it was made for; of a closure, the function around it.
fn plain(name: &str) -> String {
    let mut depth = 0;
    let mut text = String::new();
    // The arrow of a function's type closes nothing.
    for letter in name.replace("->", "").chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
    }
    let words = text
        .split("::")
        .filter(|word| !word.is_empty() && !word.starts_with('{'));
    words.last().unwrap_or(&text).to_owned()
}
