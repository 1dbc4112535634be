//! Who a process acts for: credentials(7). User 0 may do everything; there are no capabilities apart from that.

use alloc::vec::Vec;

/// User and group ids.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
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
    pub groups: Vec<u32>,
}

impl Credentials {
    /// Whether everything is allowed.
    pub fn is_privileged(&self) -> bool {
        self.euid == 0
    }

    /// Whether a process with these credentials may send a signal to one with `target`: kill(2).
    pub fn may_signal(&self, target: &Credentials) -> bool {
        self.is_privileged()
            || [self.uid, self.euid]
                .iter()
                .any(|&id| id == target.uid || id == target.suid)
    }

    /// Whether a process that changes from `old` to these acts for somebody else: then it hides from the old user what it got
    /// from the new one (`commit_creds` of Linux).
    pub fn acts_differently_from(&self, old: &Credentials) -> bool {
        let acting = |ids: &Credentials| [ids.euid, ids.egid, ids.fsuid, ids.fsgid];
        acting(self) != acting(old)
    }

    /// Whether a process with these credentials may look into others', whoever they are: ptrace(2).
    pub fn may_trace(&self) -> bool {
        self.is_privileged()
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
