//! Who a process acts for: credentials(7), capabilities(7). What a process may do beyond what its ids allow is decided by its
//! effective capabilities alone; that user 0 has them all is the doing of exec and of the calls that change ids (`capabilities`).

use abi::Errno;
use abi::capability::{CAP_KILL, CAP_SYS_ADMIN, CAP_SYS_NICE, CAP_SYS_PTRACE, CapSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

/// Most supplementary groups.
pub const NGROUPS_MAX: usize = 65536;

/// Ids and capabilities of a process. The default is what the first process has: user 0 with all rights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// Real user.
    pub uid: u32,
    /// Effective user: decides what is allowed.
    pub euid: u32,
    /// Saved user: one that `euid` may become again.
    pub suid: u32,
    /// User for access to files; follows `euid`.
    pub fsuid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective group.
    pub egid: u32,
    /// Saved group.
    pub sgid: u32,
    /// Group for access to files; follows `egid`.
    pub fsgid: u32,
    /// Supplementary groups.
    pub groups: Groups,
    /// Capabilities that checks ask for.
    pub effective: CapSet,
    /// Capabilities that may become effective.
    pub permitted: CapSet,
    /// Capabilities that user 0's programs, or those with file capabilities, keep over exec.
    pub inheritable: CapSet,
    /// Capabilities that exec may give at all.
    pub bounding: CapSet,
    /// Capabilities that every program keeps over exec.
    pub ambient: CapSet,
    /// `SECBIT_*`: what user 0 means.
    pub secure_bits: u32,
}

impl Default for Credentials {
    fn default() -> Credentials {
        Credentials {
            uid: 0,
            euid: 0,
            suid: 0,
            fsuid: 0,
            gid: 0,
            egid: 0,
            sgid: 0,
            fsgid: 0,
            groups: Groups::default(),
            effective: CapSet::ALL,
            permitted: CapSet::ALL,
            inheritable: CapSet::EMPTY,
            bounding: CapSet::ALL,
            ambient: CapSet::EMPTY,
            secure_bits: 0,
        }
    }
}

/// Supplementary groups. Copies share the list.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Groups(Option<Arc<Vec<u32>>>);

impl Groups {
    /// These groups.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(list: Vec<u32>) -> Result<Groups, Errno> {
        if list.is_empty() {
            return Ok(Groups::default());
        }
        Arc::try_new(list)
            .map(|list| Groups(Some(list)))
            .map_err(|_| Errno::ENOMEM)
    }
}

impl Deref for Groups {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

impl Credentials {
    /// Whether the capability is in force.
    #[inline]
    pub fn can(&self, capability: u32) -> bool {
        self.effective.has(capability)
    }

    /// [`Credentials::can`] as a check.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn require(&self, capability: u32) -> Result<(), Errno> {
        if self.can(capability) {
            Ok(())
        } else {
            Err(Errno::EPERM)
        }
    }

    /// Whether the system may be administered: `CAP_SYS_ADMIN`.
    pub fn is_privileged(&self) -> bool {
        self.can(CAP_SYS_ADMIN)
    }

    /// Whether a process with these credentials may send a signal to one with `target`: kill(2).
    pub fn may_signal(&self, target: &Credentials) -> bool {
        [self.uid, self.euid]
            .iter()
            .any(|&id| id == target.uid || id == target.suid)
            || self.can(CAP_KILL)
    }

    /// Whether a process that changes from `old` to these acts for somebody else, or gains rights: then it hides from the old
    /// user what it got from the new one (`commit_creds` of Linux).
    pub fn acts_differently_from(&self, old: &Credentials) -> bool {
        let acting = |ids: &Credentials| [ids.euid, ids.egid, ids.fsuid, ids.fsgid];
        acting(self) != acting(old) || !self.permitted.is_within(old.permitted)
    }

    /// Whether a process with these credentials may look into one with `target` if that is dumpable: ptrace(2), "Ptrace access
    /// mode checking", with the ids for access to files.
    pub fn may_inspect(&self, target: &Credentials) -> bool {
        let users = [target.uid, target.euid, target.suid];
        let groups = [target.gid, target.egid, target.sgid];
        let is_same = users.iter().all(|&id| id == self.fsuid) && groups.iter().all(|&id| id == self.fsgid);
        self.may_trace() || (is_same && target.permitted.is_within(self.effective))
    }

    /// Whether a process with these credentials may look into others, whoever they are: ptrace(2).
    pub fn may_trace(&self) -> bool {
        self.can(CAP_SYS_PTRACE)
    }

    /// Whether a process with these credentials may say how one with `target` is scheduled: the user must be one of its own,
    /// and it must not have more rights (sched_setaffinity(2), setpriority(2)).
    pub fn may_schedule(&self, target: &Credentials) -> bool {
        let is_own = self.euid == target.euid || self.euid == target.uid;
        (is_own && target.permitted.is_within(self.permitted)) || self.can(CAP_SYS_NICE)
    }

    /// Whether `id` is one of the three user ids.
    pub fn has_user(&self, id: u32) -> bool {
        [self.uid, self.euid, self.suid].contains(&id)
    }

    /// Whether `id` is one of the three group ids.
    pub fn has_group(&self, id: u32) -> bool {
        [self.gid, self.egid, self.sgid].contains(&id)
    }
}
