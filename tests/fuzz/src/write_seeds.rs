//! Writes what `make fuzz` begins with, into FOLDER/TARGET/, and the words of each target to FOLDER/TARGET.dict:
//!   seeds FOLDER TARGET [FILE...]    further files, cut to 64 KiB, are seeds of this target too

use std::path::{Path, PathBuf};

/// Longest seed of a further file.
const MOST: usize = 64 << 10;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, name, files @ ..] = &arguments[..] else {
        eprintln!("seeds FOLDER TARGET [FILE...]");
        std::process::exit(2);
    };
    let Some(target) = fuzz::TARGETS.iter().find(|target| target.name == name) else {
        let names: Vec<_> = fuzz::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("seeds: no target {name}; there are {}", names.join(" "));
        std::process::exit(2);
    };
    let to: PathBuf = Path::new(folder).join(name);
    std::fs::create_dir_all(&to)?;
    for (index, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(to.join(format!("seed-{index}")), seed)?;
    }
    for (index, file) in files.iter().enumerate() {
        let mut bytes = std::fs::read(file)?;
        bytes.truncate(MOST);
        std::fs::write(to.join(format!("file-{index}")), bytes)?;
    }
    let quoted = |word: &&[u8]| {
        let letters: String = word.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("\"{letters}\"\n")
    };
    let dictionary: String = target.words.iter().map(quoted).collect();
    std::fs::write(Path::new(folder).join(format!("{name}.dict")), dictionary)
}
