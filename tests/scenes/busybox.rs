//! Debian's busybox, unmodified, as init and as shell: real programs that nobody here wrote.

use anyhow::{Result, ensure};
use std::path::PathBuf;
use tests::{Machine, Scene, Session, Stage, Virt, files};

pub const SCENES: &[Scene] = &[
    Scene::portable("busybox.shell_as_init", shell_as_init),
    Scene::portable("busybox.init_and_poweroff", init_and_poweroff),
    Scene::portable("busybox.reboot", reboot),
    Scene::portable("busybox.script", script),
    Scene::portable("busybox.pipes", pipes),
    Scene::portable("busybox.background", background),
    Scene::portable("busybox.job_control", job_control),
    Scene::portable("busybox.files", files_and_folders),
    Scene::portable("busybox.archives", archives),
    Scene::portable("busybox.sort_and_awk", sort_and_awk),
    Scene::portable("busybox.processes", processes),
    Scene::portable("busybox.vi", vi),
    Scene::portable("busybox.tasks_by_the_hundred", tasks_by_the_hundred),
];

/// Boots the virt board with busybox's files and these words on the command line.
pub fn boot(stage: &mut Stage, command_line: &str) -> Result<Session> {
    boot_on(stage, &Machine::Virt(Virt::default()), command_line)
}

/// The same on this board.
pub fn boot_on(stage: &mut Stage, machine: &Machine, command_line: &str) -> Result<Session> {
    let initramfs = initramfs(stage, "")?;
    let load = stage.load_with(initramfs, command_line);
    stage.boot(machine, &load)
}

/// Busybox's files, and what these further lines of a list name in the scene's own folder.
pub fn initramfs(stage: &Stage, further: &str) -> Result<PathBuf> {
    let rootfs = files::root().join("tests/rootfs");
    let busybox = files::busybox()?;
    let own = stage.file("");
    let list = std::fs::read_to_string(rootfs.join("busybox.txt"))? + further;
    stage.initramfs(&list, &[busybox.parent().unwrap_or(&rootfs), &rootfs, &own])
}

/// Boots to busybox's shell with a program from `tests/programs` as `/NAME`; on virt when no machine is named.
pub fn boot_with_program(stage: &mut Stage, program: &str, machine: Option<Machine>) -> Result<Session> {
    stage.compile(program)?;
    let initramfs = initramfs(stage, &format!("file /{program} {program} 755\n"))?;
    let load = stage.load_with(initramfs, "rdinit=/init");
    let machine = machine.unwrap_or_else(|| Machine::Virt(Virt::default()));
    let mut shell = stage.boot(&machine, &load)?;
    shell.expect_prompt()?;
    Ok(shell)
}

/// Boots to the login shell that busybox's init starts, in /root.
pub fn boot_to_shell(stage: &mut Stage) -> Result<Session> {
    let mut shell = boot(stage, "rdinit=/init")?;
    shell.expect_prompt()?;
    shell.run("cd /root")?;
    Ok(shell)
}

fn power_off(shell: &mut Session) -> Result<()> {
    shell.type_line("poweroff")?;
    shell.expect_end()
}

fn shell_as_init(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage, "rdinit=/bin/sh")?;
    shell.expect_prompt()?;
    shell.check("echo process $$", "^process 1$")?;
    shell.check("/bin/busybox uname -m", "^aarch64$")?;
    shell.type_line("/bin/busybox poweroff -f")?;
    shell.expect_end()
}

fn init_and_poweroff(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.check("cat /proc/1/cmdline | tr '\\0' '\\n'", "init")?;
    shell.check("tty", "^/dev/ttyAMA0$")?;
    shell.check("ls /bin | wc -l", "^2[0-9][0-9]$")?;
    // A shell that exits is started again by init.
    shell.run("exit")?;
    shell.check("echo again", "^again$")?;
    power_off(&mut shell)
}

fn reboot(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.type_line("reboot")?;
    shell.expect_end()
}

fn script(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    let output = shell.run("./language.sh a b")?;
    ensure!(
        output.trim_end().ends_with("language: 31 checks, 0 mistakes"),
        "{output}"
    );
    power_off(&mut shell)
}

fn pipes(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.check("echo one two three | wc -w", "^3$")?;
    shell.check("seq 1 2000 | awk '{s+=$1} END {print s}'", "^2001000$")?;
    shell.check("yes | head -n 50000 | wc -l", "^50000$")?;
    shell.check(
        "head -c 1000000 /dev/zero | md5sum",
        "^879f4bba57ed37c9ec5e5aedf9864698 ",
    )?;
    shell.check("mkfifo p; (echo through > p) & cat p", "^through$")?;
    shell.check("echo $(echo a $(echo b)) `echo c` | tr abc xyz", "^x y z$")?;
    shell.check("(echo 1; (echo 2; (echo 3))) | tac | xargs", "^3 2 1$")?;
    power_off(&mut shell)
}

fn background(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.run("foo() { echo foo ran; }; bar() { echo bar ran; }")?;
    let output = shell.run("foo; (echo 1234 > file) & bar")?;
    ensure!(
        output.contains("foo ran\n") && output.contains("bar ran\n"),
        "{output:?}"
    );
    shell.run("wait")?;
    shell.check("cat file", "^1234$")?;
    shell.check(
        "for i in 1 2 3; do (sleep 1; echo t$i >> l) & done; wait; sort l",
        "t1\nt2\nt3",
    )?;
    shell.check("sh -c 'exit 5' & wait $!; echo status $?", "^status 5$")?;
    power_off(&mut shell)
}

fn job_control(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.run("sleep 100 &")?;
    shell.check("jobs", r"\[1\]\+ +Running +sleep 100")?;
    shell.run("kill %1; wait %1")?;
    interrupt(&mut shell, "\x03", "sleep 101")?;
    shell.check("echo status $?", "^status 130$")?;
    interrupt(&mut shell, "\x1a", "sleep 102")?;
    shell.check("jobs", r"Stopped +sleep 102")?;
    shell.type_line("fg")?;
    shell.expect("^sleep 102$")?;
    interrupt_now(&mut shell, "\x03")?;
    shell.check("echo finished $?", "^finished 130$")?;
    shell.type_line("echo ready; cat > typed")?;
    shell.expect("^ready$")?;
    shell.type_keys("one\rtwx\x7fo\r\x04")?;
    shell.expect_prompt()?;
    shell.check("cat typed", "one\ntwo\n")?;
    power_off(&mut shell)
}

/// Starts a command, waits until it is in front, and types a control character at it.
fn interrupt(shell: &mut Session, key: &str, command: &str) -> Result<()> {
    shell.type_line(&format!("echo starting; {command}"))?;
    shell.expect("^starting$")?;
    interrupt_now(shell, key)
}

fn interrupt_now(shell: &mut Session, key: &str) -> Result<()> {
    pause();
    shell.type_keys(key)?;
    shell.expect_prompt()?;
    Ok(())
}

/// Time for a program to come to its read. Nothing that it prints could be waited for.
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(500));
}

fn files_and_folders(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.run("mkdir -p a/b/c; echo hello > a/file; ln -s file a/link; chmod 640 a/file")?;
    let listing = shell.run("ls -l a")?;
    let is_listed = |pattern: &str| regex::Regex::new(pattern).is_ok_and(|line| line.is_match(&listing));
    ensure!(
        is_listed(r"(?m)^drwxr-xr-x +3 +(root|0) +(root|0) +\d+ .* b$"),
        "{listing}"
    );
    ensure!(
        is_listed(r"(?m)^-rw-r----- +1 +(root|0) +(root|0) +6 .* file$"),
        "{listing}"
    );
    ensure!(
        is_listed(r"(?m)^lrwxrwxrwx +1 +(root|0) +(root|0) +4 .* link -> file$"),
        "{listing}"
    );
    shell.check("find a | sort | xargs", "^a a/b a/b/c a/file a/link$")?;
    shell.check("find a -type l -o -name c | sort | xargs", "^a/b/c a/link$")?;
    shell.check(
        "cat a/link; readlink a/link; readlink -f a/link",
        "hello\nfile\n/root/a/file\n",
    )?;
    shell.check(
        "ln a/file a/hard; stat -c '%h %s %a %F' a/hard",
        "^2 6 640 regular file$",
    )?;
    shell.check(
        "mv a/file a/b/moved; cat a/b/moved; ls a | xargs",
        "hello\nb hard link\n",
    )?;
    shell.check("cat a/link; rmdir a/b", "No such file[^\n]*\n.*not empty")?;
    shell.check(
        "cp -r a copy; find copy -type f | wc -l; cmp a/hard copy/hard",
        "^2\n$",
    )?;
    shell.check(
        "echo 0123456789 > n; truncate -s 4 n; cat n; echo; dd if=n bs=1 skip=1 count=2 2>/dev/null; echo",
        "0123\n12",
    )?;
    shell.check("cd a/b; pwd; cd ../..; pwd", "/root/a/b\n/root\n")?;
    shell.check("rm -r a copy; ls | cat", "language.sh\nn\n")?;
    shell.check(
        "test -w /etc/words && test ! -x /etc/words && echo right",
        "^right$",
    )?;
    power_off(&mut shell)
}

fn archives(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.run("mkdir d; seq 1 20000 > d/numbers; cp /bin/busybox d; tar czf d.tgz d")?;
    shell.check("tar tzf d.tgz | sort | xargs", "^d/ d/busybox d/numbers$")?;
    shell.run("mkdir e; tar xzf d.tgz -C e")?;
    shell.check(
        "cmp d/busybox e/d/busybox && cmp d/numbers e/d/numbers && echo same",
        "^same$",
    )?;
    shell.check("md5sum < d/numbers", "^e071f707df7bbeee2a6a1eb48011ddd0 ")?;
    shell.check(
        "gzip -c d/numbers | gunzip | cmp - d/numbers && echo equal",
        "^equal$",
    )?;
    shell.check("e/d/busybox echo copied program runs", "^copied program runs$")?;
    power_off(&mut shell)
}

fn sort_and_awk(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.check("sort /etc/words | uniq -c | sort -rn | head -n 1", "^ *3 apple$")?;
    shell.check("sort -u /etc/words | xargs", "^apple fig pear quince$")?;
    let count = "awk '{n[$1]++} END {for (w in n) print n[w], w}' /etc/words | sort -n";
    shell.check(count, "1 pear\n1 quince\n2 fig\n3 apple\n")?;
    shell.check(
        "awk 'BEGIN {printf \"%.6f %.2f\\n\", 1 / 7, 3 * 0.5}'",
        "^0.142857 1.50$",
    )?;
    shell.check(
        "sed -n 's/^a\\(p*\\)le$/<\\1>/p' /etc/words | head -n 1",
        "^<pp>$",
    )?;
    shell.check("grep -c ^f /etc/words; grep -v -e a -e f /etc/words", "^2\n")?;
    shell.check("seq 1 30000 | sort -rn | head -n 2 | xargs", "^30000 29999$")?;
    shell.check("seq 1 1000 | xargs -n 100 echo | wc -l", "^10$")?;
    power_off(&mut shell)
}

fn processes(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.run("sleep 200 &")?;
    let listing = shell.run("ps")?;
    let has = |pattern: &str| regex::Regex::new(pattern).is_ok_and(|line| line.is_match(&listing));
    ensure!(has(r"(?m)^ *PID +USER +.*COMMAND$"), "{listing}");
    ensure!(has(r"(?m)^ *1 (root|0) .*init$"), "{listing}");
    ensure!(has(r"(?m) sleep 200$") && has(r"(?m)\bps\b"), "{listing}");
    shell.check(
        "cat /proc/$!/comm; readlink /proc/$!/exe",
        "^sleep\n.*/bin/busybox$",
    )?;
    shell.check("grep State /proc/$!/status", r"^State:\s+S \(sleeping\)$")?;
    shell.check(
        "pidof sleep | wc -w; killall sleep; wait; pidof sleep | wc -w",
        "^1\n(.*\n)*0$",
    )?;
    shell.check("free | head -n 1", "total +used +free")?;
    shell.check("sh -c 'echo $PPID' | grep -c .", "^1$")?;
    shell.check("time -p true 2>&1 | xargs", "^real 0")?;
    shell.check("timeout 1 sleep 50; echo $?", "^143$")?;
    power_off(&mut shell)
}

fn vi(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.run("printf 'first line\\nsecond line\\n' > text; stty rows 24 cols 80")?;
    shell.type_line("vi text")?;
    // The screen is cleared, the lines stand on it, and tildes below the end.
    shell.expect(r"\x1b\[H\x1b\[J")?;
    shell.expect(r"first line\x1b\[2;1Hsecond line(\x1b\[\d+;1H~){21}.* text 1/2 50%")?;
    // Escape must stand alone for a moment, or it begins a function key.
    for keys in ["jA and more\x1b", "ggix\x1b", ":wq\r"] {
        shell.type_keys(keys)?;
        pause();
    }
    shell.expect("/root # ")?;
    shell.check("cat text", "xfirst line\nsecond line and more\n")?;
    power_off(&mut shell)
}

fn tasks_by_the_hundred(stage: &mut Stage) -> Result<()> {
    let mut shell = boot_to_shell(stage)?;
    shell.check(
        "i=0; while [ $i -lt 300 ]; do /bin/true & i=$((i+1)); done; wait; echo $i",
        "^300$",
    )?;
    shell.check("for i in $(seq 100); do echo $i | cat; done | wc -l", "^100$")?;
    shell.check("ps | grep -c '[t]rue'", "^0$")?;
    power_off(&mut shell)
}
