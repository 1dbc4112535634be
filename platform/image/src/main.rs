//! `image`: makes the files that the boards boot. One subcommand for each file; the work is in the library.

use anyhow::{Context, Result, bail};
use image::{busybox, folder, initramfs, kernel, sdcard};
use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: image kernel ELF INITRAMFS OUT        flat arm64 Image with symbols and embedded initramfs
       image cpio OUT ROOTFS DIR...          cpio archive (newc) from a list file; programs are looked up in DIRs
       image folder DIR OUT [OWNERS]         cpio archive of a folder; a file with lines of path, user, group and mode says what is not root's
       image busybox ROOTFS BUSYBOX OUT      cpio archive of a busybox, with links for what the list file leaves free
       image sdcard BOOT ROOT OUT            card image: MBR, the FAT32 partition at 1 MiB, the root behind it
       image dtb IN OUT                      copy of a device tree whose console is serial0";

/// Bytes of a piece that may be a hole.
const HOLE: usize = 64 << 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<()> {
    match *args {
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
        ["folder", dir, out] => write(out, &folder::archive(Path::new(dir), "")?),
        ["folder", dir, out, owners] => {
            let text = std::fs::read_to_string(owners).with_context(|| owners.to_owned())?;
            write(
                out,
                &folder::archive(Path::new(dir), &text).with_context(|| owners.to_owned())?,
            )
        }
        ["busybox", list, program, out] => {
            let text = std::fs::read_to_string(list).with_context(|| list.to_owned())?;
            write(
                out,
                &busybox::archive(&text, read(program)?).with_context(|| program.to_owned())?,
            )
        }
        ["sdcard", boot, root, out] => write_parts(
            out,
            &sdcard::card(&read(boot)?, &read(root)?).with_context(|| root.to_owned())?,
        ),
        ["dtb", input, out] => write(
            out,
            &sdcard::with_console_on_serial0(&read(input)?).with_context(|| input.to_owned())?,
        ),
        _ => bail!("{USAGE}"),
    }
}

fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.to_owned())
}

/// Writes the parts of a file where they belong; what is zeros becomes a hole.
fn write_parts(path: &str, parts: &[(usize, Cow<'_, [u8]>)]) -> Result<()> {
    write(path, &[])?;
    let file = File::options()
        .write(true)
        .open(path)
        .with_context(|| path.to_owned())?;
    for (start, bytes) in parts {
        file.set_len((start + bytes.len()) as u64)?;
        for (chunk, at) in bytes.chunks(HOLE).zip((*start..).step_by(HOLE)) {
            if chunk.iter().any(|&byte| byte != 0) {
                file.write_all_at(chunk, at as u64)
                    .with_context(|| path.to_owned())?;
            }
        }
    }
    Ok(())
}

/// Writes a file, and the folder it stands in.
fn write(path: &str, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = Path::new(path).parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, bytes).with_context(|| path.to_owned())
}
