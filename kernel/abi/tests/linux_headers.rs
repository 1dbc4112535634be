//! Compares every number of this crate with Linux's own headers for arm64: each `pub const NAME: type = value;` and each
//! `const NAME = value;` of a word of flags becomes a static assertion in a C file that the cross compiler checks. What the headers do not export is
//! listed in `NOT_IN_HEADERS`; system calls that are younger than the installed headers are passed over.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Names of our own, of the kernel's inner headers, of POSIX, or younger than the installed headers.
const NOT_IN_HEADERS: &str = "
    AT_RSEQ_ALIGN AT_RSEQ_FEATURE_SIZE COUNT DT_BLK DT_CHR DT_DIR DT_FIFO DT_LNK DT_REG DT_SOCK DT_UNKNOWN
    EFD_CLOEXEC EFD_NONBLOCK EFD_SEMAPHORE F_OK HARD_MSGMAX HARD_MSGSIZEMAX HEADER_LEN IOV_MAX
    KPF_RESERVED LOOP_CTRL_MINOR MAX MEMBARRIER_CMD_GET_REGISTRATIONS MSG_CMSG_COMPAT MNT_DETACH MNT_EXPIRE MNT_FORCE NCCS NPROTO N_TTY O_ASYNC PIDFD_SIGNAL_PROCESS_GROUP
    PIDFD_SIGNAL_THREAD_GROUP PM_FILE PM_MMAP_EXCLUSIVE PM_PFN_MASK
    PM_PRESENT PM_SOFT_DIRTY PM_SWAP PM_UFFD_WP RLIM_NLIMITS RWF_NOAPPEND R_OK SCM_MAX_FD SHMMIN SHMMNI SIGSET_SIZE SOCK_MAX
    SOCK_TYPE_MASK STORAGE_LEN TASK_COMM_LEN
    UMOUNT_NOFOLLOW USER_HZ UTIME_NOW UTIME_OMIT W_OK X_OK
";

fn constants() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // Where the checkout is now, not where it was when this was compiled.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR for tests");
    collect(&Path::new(&folder).join("src"), &mut found);
    found
}

fn collect(path: &Path, found: &mut BTreeMap<String, String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), found);
        }
        return;
    }
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("pub const ") {
            let Some((name, rest)) = rest.split_once(": ") else {
                continue;
            };
            let Some((_, value)) = rest.split_once(" = ") else {
                continue;
            };
            found.insert(name.into(), value.trim_end_matches(';').into());
        } else if let Some((name, value)) = line.strip_prefix("const ").and_then(|row| row.split_once(" = "))
        {
            // A bit of a word of flags.
            if !name.contains(':') {
                found.insert(name.into(), value.trim_end_matches(';').into());
            }
        } else if path.ends_with("nr.rs") && line.ends_with(';') && line.contains("\" = ") {
            let name = line.split('"').nth(1).unwrap();
            let value = line.split(" = ").nth(1).unwrap().trim_end_matches(';');
            found.insert(format!("__NR_{name}"), value.into());
        } else if let Some((name, value)) = table_row(line) {
            found.insert(name.into(), value.into());
        }
    }
}

/// A row `ENOENT = 2, ...` or `SIGHUP = 1, ...` of the tables of errors and signals.
fn table_row(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(" = ")?;
    let value = rest.split_once(", ")?.0;
    let is_row =
        (name.starts_with('E') || name.starts_with("SIG")) && value.chars().all(|c| c.is_ascii_digit());
    is_row.then_some((name, value))
}

/// The value as C writes it; `None` for what is not a plain number.
fn to_c(value: &str) -> Option<String> {
    let value = value.replace('_', "");
    if let Some(octal) = value.strip_prefix("0o") {
        return Some(format!("0{octal}"));
    }
    let is_number = |text: &str| {
        let digits = text.trim_start_matches('-').trim_start_matches("0x");
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit())
    };
    value
        .split(" << ")
        .all(is_number)
        .then(|| value.replace("1 << ", "1ULL << "))
}

const PROLOGUE: &str = "
#include <stddef.h>
#include <linux/types.h>
#include <asm/unistd.h>
#include <asm/errno.h>
#include <linux/signal.h>
#include <linux/signalfd.h>
#include <asm/sigcontext.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/hwcap.h>
#include <asm/mman.h>
#include <asm/poll.h>
#include <asm/resource.h>
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/inotify.h>
#include <linux/kernel-page-flags.h>
#include <linux/limits.h>
#include <linux/loop.h>
#include <linux/xattr.h>
#include <linux/rseq.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/membarrier.h>
#include <linux/close_range.h>
#include <linux/sem.h>
#include <linux/msg.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/mqueue.h>
#include <linux/pidfd.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/resource.h>
#include <linux/securebits.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <linux/timex.h>
#include <linux/wait.h>
#include <linux/net.h>
#include <linux/un.h>
#include <asm/socket.h>
#include <linux/sockios.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <linux/time.h>
#include <linux/errqueue.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
";

/// What the C library says, for the kernel's headers keep it for themselves.
const LIBRARY_PROLOGUE: &str = "
#define _GNU_SOURCE
#include <linux/sock_diag.h>
#include <linux/types.h>
#include <sys/shm.h>
#include <sys/msg.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
";

fn is_librarys(name: &str) -> bool {
    [
        "AF_", "ARPHRD_", "ICMP", "IFF_", "IPC_", "MSG_", "SCM_", "SHM_", "SHUT_", "SOCK_", "SOL_RAW",
        "SPLICE_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

#[test]
fn every_number_is_linuxs() {
    let (mut kernel, mut library) = (PROLOGUE.to_string(), LIBRARY_PROLOGUE.to_string());
    let mut asked = 0;
    for (name, value) in constants() {
        let (Some(value), false) = (
            to_c(&value),
            NOT_IN_HEADERS.split_whitespace().any(|known| known == name),
        ) else {
            continue;
        };
        asked += 1;
        let assertion =
            format!("_Static_assert((__u64)({name}) == (__u64)({value}), \"{name} is not {value}\");\n");
        match name.starts_with("__NR_") {
            true => kernel += &format!("#ifdef {name}\n{assertion}#endif\n"),
            false if is_librarys(&name) => library += &assertion,
            false => kernel += &assertion,
        }
    }
    assert!(asked > 800, "the sources were not read: {asked} constants found");
    check("numbers.c", &kernel);
    check("library.c", &library);
}

/// Lets the cross compiler check the assertions.
fn check(name: &str, source: &str) {
    let folder = std::env::current_exe().unwrap().with_extension("files");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), source).unwrap();
    let output = Command::new("aarch64-linux-gnu-gcc")
        .args(["-fsyntax-only", name])
        .current_dir(&folder)
        .output()
        .expect("aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu) is needed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
