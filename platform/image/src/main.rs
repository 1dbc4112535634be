//! `image`: makes the files that the boards boot. One subcommand for each file; the work is in the library.

use anyhow::{Context, Result, bail};
use image::{initramfs, kernel, sdcard};
use std::path::Path;

const USAGE: &str = "\
usage: image kernel ELF INITRAMFS OUT        flat arm64 Image with symbols and embedded initramfs
       image cpio OUT ROOTFS DIR...          cpio archive (newc) from a list file; programs are looked up in DIRs
       image sdcard OUT NAME=FILE...         card image: MBR and one FAT32 partition with these files
       image dtb IN OUT                      copy of a device tree whose console is serial0";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["kernel", elf, archive, out] => {
            let image = kernel::image(&read(elf)?, &read(archive)?).with_context(|| elf.to_owned())?;
            write(out, &image)
        }
        ["cpio", out, list, ref dirs @ ..] => {
            let text = std::fs::read_to_string(list).with_context(|| list.to_owned())?;
            let dirs: Vec<&Path> = dirs.iter().map(Path::new).collect();
            write(
                out,
                &initramfs::archive(&text, &dirs).with_context(|| list.to_owned())?,
            )
        }
        ["sdcard", out, ref files @ ..] if !files.is_empty() => {
            let files = files
                .iter()
                .map(|spec| card_file(spec))
                .collect::<Result<Vec<_>>>()?;
            write(out, &sdcard::card(&files)?)
        }
        ["dtb", input, out] => write(
            out,
            &sdcard::with_console_on_serial0(&read(input)?).with_context(|| input.to_owned())?,
        ),
        _ => bail!("{USAGE}"),
    }
}

/// `NAME=FILE`: the file's path on the card and its bytes.
fn card_file(spec: &str) -> Result<(String, Vec<u8>)> {
    let (name, path) = spec
        .split_once('=')
        .with_context(|| format!("{spec}: NAME=FILE expected"))?;
    Ok((name.to_owned(), read(path)?))
}

fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.to_owned())
}

/// Writes a file, and the folder it stands in.
fn write(path: &str, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = Path::new(path).parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, bytes).with_context(|| path.to_owned())
}
