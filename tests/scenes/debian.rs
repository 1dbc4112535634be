//! Debian's own dynamically linked programs, unmodified: ld.so, libc6, bash and perl.

use anyhow::Result;
use std::path::PathBuf;
use tests::{Scene, Session, Stage, files};

pub const SCENES: &[Scene] = &[
    Scene::portable("debian.bash", bash),
    Scene::portable("debian.perl", perl),
];

/// What is taken from which package.
const FILES: [(&str, &str); 8] = [
    ("bash", "bin/bash"),
    ("perl-base", "bin/perl"),
    ("libc6", "lib/ld-linux-aarch64.so.1"),
    ("libc6", "lib/aarch64-linux-gnu/libc.so.6"),
    ("libc6", "lib/aarch64-linux-gnu/libm.so.6"),
    ("libc6", "lib/aarch64-linux-gnu/libdl.so.2"),
    ("libtinfo6", "lib/aarch64-linux-gnu/libtinfo.so.6"),
    ("libcrypt1", "lib/aarch64-linux-gnu/libcrypt.so.1"),
];

/// The init of these scenes: it mounts what such scripts mount, and hands over to bash.
const INIT: &str = "#!/bin/busybox sh
set -e
/bin/busybox --install /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=64m,mode=1777 tmp /tmp
ln -sfn /proc/self/fd /dev/fd
cd /tmp
export PS1='\\w # '
exec bash --norc --noediting -i
";

/// Boots to bash.
fn boot(stage: &mut Stage) -> Result<Session> {
    std::fs::write(stage.file("init"), INIT)?;
    let mut list = String::from(
        "dir /proc 755\ndir /sys 755\ndir /dev 755\ndir /tmp 1777\nnod /dev/console c 5 1 600\n\
         file /init init 755\nfile /bin/busybox busybox 755\n",
    );
    let mut folders = vec![stage.file("")];
    folders.extend(files::busybox()?.parent().map(PathBuf::from));
    for (package, path) in FILES {
        let (folder, name) = files::debian_file(package, path)?;
        list += &format!("file /{path} {name} 755\n");
        folders.push(folder);
    }
    let folders: Vec<_> = folders.iter().map(PathBuf::as_path).collect();
    let initramfs = stage.initramfs(&list, &folders)?;
    let load = stage.load_with(initramfs, "rdinit=/init");
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    Ok(shell)
}

fn bash(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.check("echo $BASH $$", "^/bin/bash 1$")?;
    shell.check("for i in {1..40}; do /bin/true & done; wait; echo all", "^all$")?;
    shell.check("cat <(echo a) <(echo b) | paste -sd+", "^a\\+b$")?;
    shell.check("mapfile -t lines < <(seq 5); echo ${#lines[@]}", "^5$")?;
    shell.check("seq 1 20000 | sort -rn | head -n 1", "^20000$")?;
    shell.check("(exit 3) | cat; echo ${PIPESTATUS[@]}", "^3 0$")?;
    shell.check("trap 'echo got' USR1; kill -USR1 $$; trap - USR1", "^got$")?;
    shell.check("bash -c 'kill -SEGV $$'; echo status $?", "^status 139$")?;
    shell.check("readlink /proc/self/exe", "^/bin/readlink$")?;
    shell.check("grep -c libc.so.6 /proc/$$/maps", "^[1-9]")?;
    shell.type_line("poweroff -f")?;
    shell.expect_end()
}

fn perl(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.check(
        "perl -e 'for (1..9) { if (!fork) { exit $_ } } $s += $? >> 8 while wait > 0; print qq($s\\n)'",
        "^45$",
    )?;
    shell.check(
        "perl -e '$SIG{ALRM} = sub { print qq(alarm\\n) }; alarm 1; sleep 9'",
        "^alarm$",
    )?;
    shell.check(
        "perl -e 'pipe R, W; if (!fork) { print W q(x) x 300000; exit } close W; print length(join q(), <R>), qq(\\n)'",
        "^300000$",
    )?;
    shell.check(
        "perl -e '@a = (1..200000); if (!fork) { $_++ for @a; exit } wait; print $a[199999], qq(\\n)'",
        "^200000$",
    )?;
    shell.type_line("poweroff -f")?;
    shell.expect_end()
}
