//! `image`: makes the files that the boards boot. One subcommand for each file; the work is in the library.

use anyhow::{Context, Result, bail};
use image::{busybox, folder, initramfs, kernel, sdcard};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: image kernel ELF INITRAMFS OUT        flat arm64 Image with symbols and embedded initramfs
       image cpio OUT ROOTFS DIR...          cpio archive (newc) from a list file; programs are looked up in DIRs
       image folder DIR OUT                  cpio archive of a folder
       image busybox ROOTFS BUSYBOX OUT      cpio archive of a busybox, with links for what the list file leaves free
       image sdcard PARTITION OUT            card image: MBR and the FAT32 partition at 1 MiB
       image dtb IN OUT                      copy of a device tree whose console is serial0";

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
        ["folder", dir, out] => write(out, &folder::archive(Path::new(dir))?),
        ["busybox", list, program, out] => {
            let text = std::fs::read_to_string(list).with_context(|| list.to_owned())?;
            write(
                out,
                &busybox::archive(&text, read(program)?).with_context(|| program.to_owned())?,
            )
        }
        ["sdcard", partition, out] => write(
            out,
            &sdcard::card(&read(partition)?).with_context(|| partition.to_owned())?,
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

/// Writes a file, and the folder it stands in.
fn write(path: &str, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = Path::new(path).parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, bytes).with_context(|| path.to_owned())
}
