//! How capabilities change: by exec, by the calls that change ids, by capset(2) and prctl(2). The rules are those of
//! capabilities(7), step by step as in Linux's `security/commoncap.c`. No file has capabilities of its own.

use super::credentials::Credentials;
use abi::Errno;
use abi::capability::{
    CAP_LAST_CAP, CAP_SETPCAP, CAP_SETUID, CapSet, SECBIT_KEEP_CAPS, SECBIT_KEEP_CAPS_LOCKED,
    SECBIT_NO_CAP_AMBIENT_RAISE, SECBIT_NO_SETUID_FIXUP, SECBIT_NOROOT, SECURE_ALL_BITS, SECURE_ALL_LOCKS,
};

/// Whether the capabilities that are permitted stay when all user ids become others than 0: `PR_SET_KEEPCAPS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeepCapabilities {
    /// They go.
    No,
    /// They stay, until the next execve(2).
    Yes,
}

/// What keeps a program from getting more rights than its caller has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restraint {
    /// Nothing.
    None,
    /// Others share the caller's root and current directory and could change them under its hands: only who may become anybody goes on.
    SharedFsContext,
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivileges,
}

/// What a program's file asks for.
#[derive(Clone, Copy, Default, Debug)]
pub struct SetIds {
    /// Its owner, if it is to act for that one.
    pub user: Option<u32>,
    /// Its group, likewise.
    pub group: Option<u32>,
}

/// What exec changes of credentials.
pub struct ProgramRights {
    /// Effective user, and saved one, and that for files.
    euid: u32,
    /// Effective group, likewise.
    egid: u32,
    permitted: CapSet,
    effective: CapSet,
    ambient: CapSet,
    /// Whether they are more than the real user's (`AT_SECURE`).
    pub is_secure: bool,
}

impl Credentials {
    fn has_secure(&self, bit: u32) -> bool {
        self.secure_bits & bit != 0
    }

    fn is_any_user_root(&self) -> bool {
        self.has_user(0)
    }

    /// The rights of a program that a process with these credentials runs.
    pub fn for_program(&self, wanted: SetIds, restraint: Restraint) -> ProgramRights {
        let mut new = ProgramRights {
            euid: wanted.user.unwrap_or(self.euid),
            egid: wanted.group.unwrap_or(self.egid),
            permitted: CapSet::EMPTY,
            effective: CapSet::EMPTY,
            ambient: self.ambient,
            is_secure: false,
        };
        let is_root_special = !self.has_secure(SECBIT_NOROOT);
        if is_root_special && (new.euid == 0 || self.uid == 0) {
            new.permitted = self.bounding.union(self.inheritable);
        }
        let is_effective = is_root_special && new.euid == 0;
        let is_set_id = new.euid != self.uid || new.egid != self.gid;
        let is_gain = is_set_id || !new.permitted.is_within(self.permitted);
        if is_gain && restraint != Restraint::None {
            if restraint == Restraint::NoNewPrivileges || !self.can(CAP_SETUID) {
                (new.euid, new.egid) = (self.uid, self.gid);
            }
            new.permitted = new.permitted.intersection(self.permitted);
        }
        if is_set_id {
            new.ambient = CapSet::EMPTY;
        }
        new.permitted = new.permitted.union(new.ambient);
        new.effective = if is_effective { new.permitted } else { new.ambient };
        let has_grown = !new.permitted.is_within(new.ambient);
        new.is_secure = is_set_id || (self.uid != 0 && (is_effective || has_grown));
        new
    }

    /// Whether a program with those rights has these credentials.
    pub fn are_of_program(&self, rights: &ProgramRights) -> bool {
        let users = [self.euid, self.suid, self.fsuid];
        let groups = [self.egid, self.sgid, self.fsgid];
        users.iter().all(|&id| id == rights.euid)
            && groups.iter().all(|&id| id == rights.egid)
            && self.permitted == rights.permitted
            && self.effective == rights.effective
            && self.ambient == rights.ambient
            && !self.has_secure(SECBIT_KEEP_CAPS)
    }

    /// These credentials with a program's rights.
    pub fn of_program(&self, rights: &ProgramRights) -> Credentials {
        let (user, group) = (rights.euid, rights.egid);
        Credentials {
            euid: user,
            suid: user,
            fsuid: user,
            egid: group,
            sgid: group,
            fsgid: group,
            permitted: rights.permitted,
            effective: rights.effective,
            ambient: rights.ambient,
            secure_bits: self.secure_bits & !SECBIT_KEEP_CAPS,
            ..self.clone()
        }
    }

    /// After a change of the user ids from those of `old`: who leaves user 0 loses its rights, who takes it as effective
    /// user uses them again.
    pub fn follow_users(&mut self, old: &Credentials) {
        if self.has_secure(SECBIT_NO_SETUID_FIXUP) {
            return;
        }
        if old.is_any_user_root() && !self.is_any_user_root() {
            if !self.has_secure(SECBIT_KEEP_CAPS) {
                self.permitted = CapSet::EMPTY;
                self.effective = CapSet::EMPTY;
            }
            self.ambient = CapSet::EMPTY;
        }
        match (old.euid == 0, self.euid == 0) {
            (true, false) => self.effective = CapSet::EMPTY,
            (false, true) => self.effective = self.permitted,
            _ => {}
        }
    }

    /// After setfsuid(2): the rights about files go and come with user 0.
    pub fn follow_file_user(&mut self, old: &Credentials) {
        if self.has_secure(SECBIT_NO_SETUID_FIXUP) {
            return;
        }
        match (old.fsuid == 0, self.fsuid == 0) {
            (true, false) => self.effective = self.effective.difference(CapSet::FILES),
            (false, true) => {
                let regained = self.permitted.intersection(CapSet::FILES);
                self.effective = self.effective.union(regained);
            }
            _ => {}
        }
    }

    /// The same process judged by its real ids: access(2).
    pub fn with_real_ids(&self) -> Credentials {
        let mut real = self.clone();
        (real.fsuid, real.fsgid) = (self.uid, self.gid);
        if !self.has_secure(SECBIT_NO_SETUID_FIXUP) {
            real.effective = if self.uid == 0 {
                self.permitted
            } else {
                CapSet::EMPTY
            };
        }
        real
    }

    /// capset(2).
    ///
    /// # Errors
    /// `EPERM` for more than is permitted, or inheritable beyond what may be.
    pub fn set_capabilities(
        &mut self,
        effective: CapSet,
        permitted: CapSet,
        inheritable: CapSet,
    ) -> Result<(), Errno> {
        let may_inherit = self.inheritable.union(self.permitted);
        let is_inheritance_fine = (self.can(CAP_SETPCAP) || inheritable.is_within(may_inherit))
            && inheritable.is_within(self.inheritable.union(self.bounding));
        if !is_inheritance_fine || !permitted.is_within(self.permitted) || !effective.is_within(permitted) {
            return Err(Errno::EPERM);
        }
        self.effective = effective;
        self.permitted = permitted;
        self.inheritable = inheritable;
        self.ambient = self.ambient.intersection(permitted.intersection(inheritable));
        Ok(())
    }

    /// `PR_CAPBSET_DROP`.
    ///
    /// # Errors
    /// `EPERM`, `EINVAL`.
    pub fn drop_bounding(&mut self, capability: u64) -> Result<(), Errno> {
        self.require(CAP_SETPCAP)?;
        self.bounding = self.bounding.without(valid(capability)?);
        Ok(())
    }

    /// `PR_SET_SECUREBITS`.
    ///
    /// # Errors
    /// `EPERM` for bits that are locked or unknown, and without `CAP_SETPCAP`.
    pub fn set_secure_bits(&mut self, bits: u64) -> Result<(), Errno> {
        let old = self.secure_bits;
        let new = u32::try_from(bits).map_err(|_| Errno::EPERM)?;
        let locked = (old & SECURE_ALL_LOCKS) >> 1;
        let is_locked = locked & (old ^ new) != 0 || old & SECURE_ALL_LOCKS & !new != 0;
        if is_locked || new & !(SECURE_ALL_LOCKS | SECURE_ALL_BITS) != 0 {
            return Err(Errno::EPERM);
        }
        self.require(CAP_SETPCAP)?;
        self.secure_bits = new;
        Ok(())
    }

    /// `PR_GET_KEEPCAPS`.
    pub fn keeps_capabilities(&self) -> bool {
        self.has_secure(SECBIT_KEEP_CAPS)
    }

    /// `PR_SET_KEEPCAPS`.
    ///
    /// # Errors
    /// `EPERM` if that is locked.
    pub fn set_keep_capabilities(&mut self, what: KeepCapabilities) -> Result<(), Errno> {
        if self.has_secure(SECBIT_KEEP_CAPS_LOCKED) {
            return Err(Errno::EPERM);
        }
        self.secure_bits &= !SECBIT_KEEP_CAPS;
        if what == KeepCapabilities::Yes {
            self.secure_bits |= SECBIT_KEEP_CAPS;
        }
        Ok(())
    }

    /// `PR_CAP_AMBIENT_RAISE`.
    ///
    /// # Errors
    /// `EPERM` unless the capability is permitted and inheritable.
    pub fn raise_ambient(&mut self, capability: u64) -> Result<(), Errno> {
        let capability = valid(capability)?;
        let is_held = self.permitted.has(capability) && self.inheritable.has(capability);
        if !is_held || self.has_secure(SECBIT_NO_CAP_AMBIENT_RAISE) {
            return Err(Errno::EPERM);
        }
        self.ambient = self.ambient.with(capability);
        Ok(())
    }

    /// `PR_CAP_AMBIENT_LOWER`.
    ///
    /// # Errors
    /// `EINVAL` if there is no such capability.
    pub fn lower_ambient(&mut self, capability: u64) -> Result<(), Errno> {
        self.ambient = self.ambient.without(valid(capability)?);
        Ok(())
    }
}

/// The capability of that number.
///
/// # Errors
/// `EINVAL`.
pub fn valid(capability: u64) -> Result<u32, Errno> {
    u32::try_from(capability)
        .ok()
        .filter(|&number| number <= CAP_LAST_CAP)
        .ok_or(Errno::EINVAL)
}
