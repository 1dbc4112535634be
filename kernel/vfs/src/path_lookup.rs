//! Path walk: path_resolution(7).

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::{AccessFlags, NAME_MAX};
use memory::fallible::{self, TryVec};

use super::dentry::Dentry;
use super::path::{Component, first_component, is_absolute};
use super::permission::Subject;
use sched::scheduler;

/// Most symbolic links on one walk: `MAXSYMLINKS`.
const MAX_LINKS: u32 = 40;

/// What to do with a symbolic link at the end of the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastLink {
    /// Go where it points.
    Follow,
    /// Take the link itself, unless a slash follows: then a directory is wanted.
    Keep,
    /// Take what has the name, whatever it is, though a slash may follow: whoever makes, moves or removes it says what that means.
    Name,
}

/// A lookup of paths: where it begins, and whose rights count (`nameidata` of Linux).
pub struct PathLookup<'a> {
    /// What `/` means.
    pub root: &'a Arc<Dentry>,
    /// Where a relative path begins.
    pub start: &'a Arc<Dentry>,
    /// Whose rights count.
    pub subject: &'a Subject,
}

/// Where a path led.
pub struct LookupResult {
    /// The directory that holds, or would hold, the last component.
    pub directory: Arc<Dentry>,
    /// The last component; empty when the walk ended at `/`, `.`, `..` or behind a magic link.
    pub name: Vec<u8>,
    /// What stands there, if anything.
    pub entry: Option<Arc<Dentry>>,
    /// How the path ended, for the calls that treat `.` and `..` apart.
    pub last: LastComponent,
    /// A slash followed: it must be, or become, a directory.
    pub has_trailing_slash: bool,
}

/// The kind of the last component.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastComponent {
    /// A name.
    Name,
    /// `/`, or a place that a magic link led to.
    Root,
    /// `.`
    Dot,
    /// `..`
    DotDot,
}

impl PathLookup<'_> {
    /// Walks the whole path, which must lead to something.
    ///
    /// # Errors
    /// `ENOENT` if nothing is there; those of [`PathLookup::walk`].
    pub fn find(&self, path: &[u8], last_link: LastLink) -> Result<Arc<Dentry>, Errno> {
        self.walk(path, last_link)?.entry.ok_or(Errno::ENOENT)
    }

    /// Walks the path; the last component may be missing.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`.
    pub fn walk(&self, path: &[u8], last_link: LastLink) -> Result<LookupResult, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let at = if is_absolute(path) {
            self.root.clone()
        } else {
            self.start.clone()
        };
        let mut progress = LookupProgress {
            at,
            text: Cow::Borrowed(path),
            from: 0,
            links: 0,
        };
        loop {
            scheduler::cond_resched_killable()?;
            if let Some(end) = self.step(&mut progress, last_link)? {
                return Ok(end);
            }
        }
    }

    /// Takes one component.
    fn step(
        &self,
        progress: &mut LookupProgress<'_>,
        last_link: LastLink,
    ) -> Result<Option<LookupResult>, Errno> {
        let at = progress.at.clone();
        let Some(component) = first_component(&progress.text[progress.from..]) else {
            return Ok(Some(LookupResult::at(at, LastComponent::Root)));
        };
        self.check_searchable(&at)?;
        check_name(component.name)?;
        let Component {
            name,
            is_last,
            has_trailing_slash: slash,
            ..
        } = component;
        let from = progress.text.len() - component.rest.len();
        if let Some((next, last)) = self.step_dots(&at, name) {
            progress.at = next.clone();
            progress.from = from;
            return Ok(is_last.then(|| LookupResult::at(next, last)));
        }
        let child = match at.child(name) {
            Err(Errno::ENOENT) if is_last => return LookupResult::missing(at, &component).map(Some),
            other => other?,
        };
        let is_directory_wanted = !is_last || (slash && last_link != LastLink::Name);
        if child.inode.is_symlink() && (is_directory_wanted || last_link == LastLink::Follow) {
            progress.from = from;
            let behind = if is_last && !slash {
                Behind::Nothing
            } else {
                Behind::More
            };
            return self.follow(progress, &child, behind);
        }
        if is_directory_wanted && !child.inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if is_last {
            return LookupResult::found(at, &component, child).map(Some);
        }
        progress.at = child;
        progress.from = from;
        Ok(None)
    }

    /// Goes where a symbolic link points, which is not the end of the path if more is behind it.
    fn follow(
        &self,
        progress: &mut LookupProgress<'_>,
        link: &Arc<Dentry>,
        behind: Behind,
    ) -> Result<Option<LookupResult>, Errno> {
        progress.links += 1;
        if progress.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        match self.link_target(link)? {
            Target::Dentry(dentry) if behind == Behind::Nothing => {
                return Ok(Some(LookupResult::at(dentry, LastComponent::Root)));
            }
            Target::Dentry(dentry) if !dentry.inode.is_directory() => return Err(Errno::ENOTDIR),
            Target::Dentry(dentry) => progress.at = dentry,
            Target::Path(mut text) => {
                if is_absolute(&text) {
                    progress.at = self.root.clone();
                }
                text.try_extend(&progress.text[progress.from..])?;
                progress.text = Cow::Owned(text);
                progress.from = 0;
            }
        }
        Ok(None)
    }

    fn check_searchable(&self, directory: &Arc<Dentry>) -> Result<(), Errno> {
        if !directory.inode.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        self.subject.check(&directory.inode, AccessFlags::X_OK)
    }

    /// `.` and `..`; the root's parent is the root.
    fn step_dots(&self, at: &Arc<Dentry>, name: &[u8]) -> Option<(Arc<Dentry>, LastComponent)> {
        match name {
            b"." => Some((at.clone(), LastComponent::Dot)),
            b".." if Arc::ptr_eq(at, self.root) => Some((at.clone(), LastComponent::DotDot)),
            b".." => Some((at.parent(), LastComponent::DotDot)),
            _ => None,
        }
    }

    fn link_target(&self, link: &Arc<Dentry>) -> Result<Target, Errno> {
        if let Some(dentry) = link.inode.ops.link_target()? {
            return Ok(Target::Dentry(dentry));
        }
        let text = link.inode.link_text()?;
        link.inode.note_accessed();
        if text.is_empty() {
            Err(Errno::ENOENT)
        } else {
            Ok(Target::Path(text))
        }
    }
}

/// How far a walk has come: `text[from..]` is still to be walked from `at`.
struct LookupProgress<'a> {
    at: Arc<Dentry>,
    text: Cow<'a, [u8]>,
    from: usize,
    links: u32,
}

/// What is behind a symbolic link in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// Components, or a slash.
    More,
}

enum Target {
    Path(Vec<u8>),
    Dentry(Arc<Dentry>),
}

impl LookupResult {
    fn at(dentry: Arc<Dentry>, last: LastComponent) -> Self {
        let entry = Some(dentry.clone());
        LookupResult {
            directory: dentry,
            name: Vec::new(),
            entry,
            last,
            has_trailing_slash: false,
        }
    }

    fn found(directory: Arc<Dentry>, last: &Component<'_>, entry: Arc<Dentry>) -> Result<Self, Errno> {
        Ok(LookupResult {
            entry: Some(entry),
            ..LookupResult::missing(directory, last)?
        })
    }

    fn missing(directory: Arc<Dentry>, last: &Component<'_>) -> Result<Self, Errno> {
        Ok(LookupResult {
            directory,
            name: fallible::bytes(last.name)?,
            entry: None,
            last: LastComponent::Name,
            has_trailing_slash: last.has_trailing_slash,
        })
    }
}

/// Whether a directory could have an entry of that name.
///
/// # Errors
/// `ENAMETOOLONG`.
pub fn check_name(name: &[u8]) -> Result<(), Errno> {
    if name.len() > NAME_MAX {
        Err(Errno::ENAMETOOLONG)
    } else {
        Ok(())
    }
}
