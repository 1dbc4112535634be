//! Whose something is, and who may do what with it: sysvipc(7), "Resource access permissions".

use abi::Errno;
use abi::capability::CAP_IPC_OWNER;
use abi::ipc::IpcPerm;
use vfs::Credentials;

/// Whose something is.
#[derive(Clone, Copy, Debug)]
pub struct Owners {
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// Who made it, for ever.
    pub cuid: u32,
    /// The group of who made it.
    pub cgid: u32,
    /// The nine bits of rights.
    pub mode: u32,
}

impl Owners {
    /// What whoever has these credentials makes now.
    pub fn new(maker: &Credentials, mode: u32) -> Owners {
        Owners {
            uid: maker.euid,
            gid: maker.egid,
            cuid: maker.euid,
            cgid: maker.egid,
            mode: mode & 0o777,
        }
    }

    /// Whether `who` may do what the bits of `wanted` ask, of whichever class they are.
    ///
    /// # Errors
    /// `EACCES`.
    pub fn check(&self, who: &Credentials, wanted: u32) -> Result<(), Errno> {
        let wanted = (wanted >> 6 | wanted >> 3 | wanted) & 0o7;
        let is_in = |gid| who.fsgid == gid || who.groups.contains(&gid);
        let granted = if self.is_owner(who) {
            self.mode >> 6
        } else if is_in(self.cgid) || is_in(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        if wanted & !granted == 0 || who.can(CAP_IPC_OWNER) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Somebody else's from now on, with other rights.
    pub fn give(&mut self, uid: u32, gid: u32, mode: u32) {
        self.uid = uid;
        self.gid = gid;
        self.mode = mode & 0o777;
    }

    /// As programs see it.
    pub fn perm(&self) -> IpcPerm {
        IpcPerm {
            uid: self.uid,
            gid: self.gid,
            cuid: self.cuid,
            cgid: self.cgid,
            mode: self.mode,
            ..IpcPerm::default()
        }
    }

    /// Whether it is theirs, or was made by them.
    pub fn is_owner(&self, who: &Credentials) -> bool {
        [self.uid, self.cuid].contains(&who.euid)
    }
}
