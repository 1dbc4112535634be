//! Redirections: POSIX Shell Command Language 2.7.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::state::Shell;
use super::syntax::{Redirection, RedirectionKind};
use crate::runtime::file::{self, File};
use crate::runtime::output;
use abi::file::{AtFlags, OpenFlags};

/// Descriptors that the shell keeps for itself begin here, out of the way of scripts.
const KEPT: i32 = 10;

/// Redirections in force; dropped, the descriptors are what they were.
#[derive(Default)]
pub struct Redirected {
    /// A descriptor, and the copy of what it was (`None`: it was closed).
    saved: Vec<(i32, Option<File>)>,
}

impl Redirected {
    /// Leaves the redirections in force for good (`exec >file`).
    pub fn keep(mut self) {
        self.saved.clear();
    }
}

impl Drop for Redirected {
    fn drop(&mut self) {
        // An error of the output stays noted; what was printed goes where it was printed to.
        let _ = output::flush();
        for (descriptor, copy) in self.saved.drain(..).rev() {
            let restored = match copy {
                Some(copy) => file::duplicate(copy.descriptor(), descriptor),
                None => file::close(descriptor),
            };
            if let Err(error) = restored {
                eprintln!("sh: descriptor {descriptor} is lost: {error}");
            }
        }
        output::redirected();
    }
}

impl Shell {
    /// Performs redirections one after the other; at the first that fails, those before are undone.
    pub fn redirect(&mut self, redirections: &[Redirection]) -> Result<Redirected, String> {
        let mut redirected = Redirected::default();
        for redirection in redirections {
            self.redirect_one(redirection, &mut redirected)?;
        }
        Ok(redirected)
    }

    fn redirect_one(&mut self, redirection: &Redirection, redirected: &mut Redirected) -> Result<(), String> {
        let target = self.expand_single(&redirection.target)?;
        let flags = match redirection.kind {
            RedirectionKind::Read => OpenFlags::O_RDONLY,
            RedirectionKind::Write => OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC,
            RedirectionKind::Append => OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_APPEND,
            RedirectionKind::ReadWrite => OpenFlags::O_RDWR | OpenFlags::O_CREAT,
            RedirectionKind::Duplicate => return self.duplicate(redirection.descriptor, &target, redirected),
            RedirectionKind::HereString => {
                let text = here_document(&(target + "\n"))?;
                return replace(redirection.descriptor, text.descriptor(), redirected);
            }
            RedirectionKind::Here => {
                let text = here_document(&target)?;
                return replace(redirection.descriptor, text.descriptor(), redirected);
            }
        };
        let opened = File::open(&target, flags, 0o666).map_err(|error| format!("{target}: {error}"))?;
        if opened.descriptor() == redirection.descriptor {
            // It was closed, so the kernel gave the file this very number.
            redirected.saved.push((opened.into_descriptor(), None));
            return Ok(());
        }
        replace(redirection.descriptor, opened.descriptor(), redirected)
    }

    fn duplicate(&self, descriptor: i32, target: &str, redirected: &mut Redirected) -> Result<(), String> {
        if target == "-" {
            save(descriptor, redirected)?;
            // Closing what is closed is no error here.
            let _ = file::close(descriptor);
            return Ok(());
        }
        let source: i32 = target
            .parse()
            .map_err(|_| format!("{target}: a descriptor must be a number"))?;
        file::descriptor_flags(source).map_err(|error| format!("{source}: {error}"))?;
        replace(descriptor, source, redirected)
    }
}

/// Remembers what a descriptor was, once for each set of redirections.
fn save(descriptor: i32, redirected: &mut Redirected) -> Result<(), String> {
    let _ = output::flush();
    if redirected.saved.iter().any(|(saved, _)| *saved == descriptor) {
        return Ok(());
    }
    let copy = match file::descriptor_flags(descriptor) {
        Ok(_) => {
            let copy =
                file::duplicate_above(descriptor, KEPT).map_err(|error| format!("{descriptor}: {error}"))?;
            Some(File::from_descriptor(copy))
        }
        Err(_) => None,
    };
    redirected.saved.push((descriptor, copy));
    Ok(())
}

fn replace(descriptor: i32, source: i32, redirected: &mut Redirected) -> Result<(), String> {
    save(descriptor, redirected)?;
    file::duplicate(source, descriptor).map_err(|error| format!("{descriptor}: {error}"))?;
    output::redirected();
    Ok(())
}

/// A file without a name that holds the text.
fn here_document(text: &str) -> Result<File, String> {
    let name = format!("/tmp/.here-{}", crate::runtime::process::id());
    let make = || {
        let writer = File::open(
            &name,
            OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC,
            0o600,
        )?;
        let reader = File::open(&name, OpenFlags::O_RDONLY, 0);
        file::unlink(&name, AtFlags::empty())?;
        file::write_all(writer.descriptor(), text.as_bytes())?;
        reader
    };
    make().map_err(|error| format!("here-document: {error}"))
}
