//! Our own userland, driven by typing.

use crate::boot::power_off;
use crate::small_programs;
use anyhow::{Result, ensure};
use tests::{Scene, Session, Stage};

pub const SCENES: &[Scene] = &[
    Scene::portable("shell.words_and_quotes", words_and_quotes),
    Scene::portable("shell.pipes_and_redirections", pipes_and_redirections),
    Scene::portable("shell.lists_and_status", lists_and_status),
    Scene::portable("shell.language", language),
    Scene::portable("shell.options_and_names", options_and_names),
    Scene::portable("shell.small_programs", small_programs),
    Scene::portable("shell.subshells", subshells),
    Scene::portable("shell.jobs", jobs),
    Scene::portable("shell.control_keys", control_keys),
    Scene::portable("shell.line_editing", line_editing),
    Scene::portable("shell.history", history),
    Scene::portable("shell.help", help),
    Scene::portable("shell.files", files),
    Scene::holstein("shell.processes", processes),
    Scene::holstein("shell.faults", faults),
    Scene::portable("shell.errors", errors),
    Scene::portable("shell.reboot", reboot),
];

fn boot(stage: &mut Stage) -> Result<Session> {
    let load = stage.load();
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    shell.run("cd /tmp")?;
    Ok(shell)
}

/// Runs each command, whose output must be exactly this, and powers off.
fn prints(stage: &mut Stage, cases: &[(&str, &str)]) -> Result<()> {
    let mut shell = boot(stage)?;
    for (command, expected) in cases {
        let output = shell.run(command)?;
        ensure!(
            output == *expected,
            "{command:?} printed {output:?}, not {expected:?}"
        );
    }
    power_off(&mut shell)
}

fn words_and_quotes(stage: &mut Stage) -> Result<()> {
    prints(
        stage,
        &[
            ("echo one  two   'three  four'", "one two three  four\n"),
            ("a=5; b='x y'; echo $a \"$b\" '$a' ${b} \\$a", "5 x y $a x y $a\n"),
            ("echo $((a * 8 + 2)) $((7 % 4))", "42 3\n"),
            ("echo \"$(echo inner) `echo ticks`\"", "inner ticks\n"),
            (
                "set -- p q r; echo $# $2 \"$@\"; shift; echo $1",
                "3 q p q r\nq\n",
            ),
            ("echo ${nothing:-default}[${nothing}]", "default[]\n"),
            ("echo a\\ b \"c\\\"d\" 'e\"f' # comment", "a b c\"d e\"f\n"),
            ("touch s1 s2 t1; echo s* [st]1 nothing*", "s1 s2 s1 t1 nothing*\n"),
            (
                "export V=seen; sh -c 'echo $V'; W=once sh -c 'echo $W'; echo [$W]",
                "seen\nonce\n[]\n",
            ),
        ],
    )
}

fn pipes_and_redirections(stage: &mut Stage) -> Result<()> {
    prints(
        stage,
        &[
            ("echo one two | wc -w | cat", "2\n"),
            ("echo 1234 > file; cat file; cat < file", "1234\n1234\n"),
            ("echo more >> file; wc -l < file", "2\n"),
            ("cat nosuch 2> errors; wc -l < errors", "1\n"),
            ("cat nosuch > both 2>&1; wc -l < both", "1\n"),
            ("seq 1 500 | sort -rn | head -n 1", "500\n"),
            ("yes | head -n 3 | cat", "y\ny\ny\n"),
            ("seq 1 20000 | tail -n 1; seq 1 20000 | wc -l", "20000\n20000\n"),
            ("for i in 1 2 3; do echo $i; done | wc -l", "3\n"),
            ("{ echo a; echo b; } | cat", "a\nb\n"),
        ],
    )
}

fn lists_and_status(stage: &mut Stage) -> Result<()> {
    prints(
        stage,
        &[
            ("true && echo yes || echo no", "yes\n"),
            ("false && echo yes || echo no", "no\n"),
            ("false; echo $?; true; echo $?", "1\n0\n"),
            ("sh -c 'exit 37'; echo $?", "37\n"),
            ("sh -c 'kill -9 $$'; echo $?", "Killed\n137\n"),
            ("! true; echo $?", "1\n"),
            ("if [ 3 -gt 2 ]; then echo larger; else echo not; fi", "larger\n"),
            ("i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done; echo $i", "3\n"),
            ("f() { echo f of $1; return 4; }; f x; echo $?", "f of x\n4\n"),
            ("case abc in x) echo x ;; a*) echo a ;; esac", "a\n"),
        ],
    )
}

fn language(stage: &mut Stage) -> Result<()> {
    prints(
        stage,
        &[
            ("[[ abc == a* && ! abc == \"a*\" ]] && echo matches", "matches\n"),
            ("x='a b'; [[ $x != '' && ( 2 -lt 10 || z < a ) ]]; echo $?", "0\n"),
            ("[[ -d /tmp && -n $nothing ]]; echo $?", "1\n"),
            (
                "x=holstein; echo ${x:1:3} ${x:5} ${x: -3} ${x:2:-2} [${x:9}]",
                "ols ein ein lste []\n",
            ),
            (
                "x=a.b.c; echo ${x/./-} ${x//./-} ${x//.} ${x/[bc]*/!}",
                "a-b.c a-b-c abc a.!\n",
            ),
            ("cat <<< \"one $((1 + 1))\"; wc -l <<< x", "one 2\n1\n"),
            (
                "alias say='echo said'; say it; alias say; unalias say; type say 2>&1",
                "said it\nsay='echo said'\nsh: type: say: not found\n",
            ),
            ("alias ls='ls -d'; ls /tmp; unalias -a", "/tmp\n"),
            ("echo 'v=sourced' > s; source ./s; echo $v", "sourced\n"),
        ],
    )
}

fn options_and_names(stage: &mut Stage) -> Result<()> {
    prints(
        stage,
        &[
            (
                "set -o pipefail; false | true; echo $?; set +o pipefail; false | true; echo $?",
                "1\n0\n",
            ),
            ("set -f; echo /t*; set +o noglob; echo /t*", "/t*\n/tmp\n"),
            ("set -o | grep pipefail", "pipefail        off\n"),
            (
                "set -o nosuch 2>&1; echo $?",
                "sh: set: nosuch: unknown option\n1\n",
            ),
            ("command -v cat cd nosuch; echo $?", "/bin/cat\ncd\n1\n"),
            (
                "echo() { printf 'mine\\n'; }; echo a; command echo a; unset -f echo",
                "mine\na\n",
            ),
            (
                "ulimit -n 77; ulimit -n; sh -c 'ulimit -n'; ulimit -Hn",
                "77\n77\n77\n",
            ),
            ("ulimit -q 2>&1; echo $?", "sh: ulimit: -q: unknown option\n1\n"),
            (
                "echo 'a b c' | { read -r x y; echo $y; }; echo abc | { read -n 2 x; echo $x; }",
                "b c\nab\n",
            ),
            ("read -z 2>&1; echo $?", "sh: read: -z: unknown option\n2\n"),
            ("echo $HOME $TERM", "/root vt102\n"),
        ],
    )
}

fn small_programs(stage: &mut Stage) -> Result<()> {
    prints(stage, small_programs::CASES)
}

fn subshells(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.check(
        "v=1; (v=2; cd /; echo $v; pwd); echo $v; pwd",
        "^2\n/\n1\n/tmp\n$",
    )?;
    shell.check("(exit 3); echo $?", "^3\n$")?;
    shell.run("foo() { echo foo ran; }; bar() { echo bar ran; }")?;
    let output = shell.run("foo; (echo 1234 > file) & bar")?;
    ensure!(
        output.contains("foo ran\n") && output.contains("bar ran\n"),
        "{output:?}"
    );
    shell.run("wait")?;
    shell.check("cat file", "^1234\n$")?;
    shell.check("(echo 1; (echo 2; (echo 3))) | sort -r | head -n 1", "^3\n$")?;
    power_off(&mut shell)
}

fn jobs(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.run("sleep 100 &")?;
    shell.check("jobs", "sleep 100")?;
    shell.check("kill %1; wait; jobs; echo none left", "none left")?;
    shell.check("(sleep 1; echo late) & echo early; wait", "^early\n(.*\n)*late")?;
    shell.check("sh -c 'exit 9' & wait $!; echo status $?", "^status 9$")?;
    power_off(&mut shell)
}

/// Waits until the command has said that it runs, then types a key at it.
fn at_key(shell: &mut Session, command: &str, key: &str) -> Result<()> {
    shell.type_line(&format!("echo starting; {command}"))?;
    shell.expect("^starting$")?;
    // Time for the command to come to its read or sleep, which shows in no output.
    std::thread::sleep(std::time::Duration::from_millis(500));
    shell.type_keys(key)
}

fn control_keys(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    at_key(&mut shell, "sleep 100", "\x03")?;
    shell.expect_prompt()?;
    shell.check("echo status $?", "^status 130$")?;
    at_key(&mut shell, "sleep 101", "\x1a")?;
    shell.expect_prompt()?;
    shell.check("jobs", "(?i)stopped.*sleep 101")?;
    shell.type_line("fg")?;
    shell.expect("sleep 101")?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    shell.type_keys("\x03")?;
    shell.expect_prompt()?;
    at_key(&mut shell, "cat > typed", "one\rtwx\x7fo\r\x04")?;
    shell.expect_prompt()?;
    shell.check("cat typed", "^one\ntwo\n$")?;
    at_key(&mut shell, "while true; do true; done", "\x03")?;
    shell.expect("holstein:/tmp# ")?;
    power_off(&mut shell)
}

fn line_editing(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    const LEFT: &str = "\x1b[D";
    const UP: &str = "\x1b[A";
    shell.type_keys("echo abd")?;
    shell.type_keys(LEFT)?;
    shell.type_line("c")?;
    shell.expect("^abcd$")?;
    shell.expect_prompt()?;
    shell.type_keys(UP)?;
    shell.type_line("e")?;
    shell.expect("^abcde$")?;
    shell.expect_prompt()?;
    shell.type_line("echo wronx\x7fg")?;
    shell.expect("^wrong$")?;
    shell.expect_prompt()?;
    // To the start of the line, and the line thrown away.
    shell.type_line("cho end\x01e")?;
    shell.expect("^end$")?;
    shell.expect_prompt()?;
    shell.type_line("echo thrown away\x15echo kept")?;
    shell.expect("^kept$")?;
    shell.expect_prompt()?;
    shell.type_keys("echo never")?;
    shell.type_keys("\x03")?;
    shell.expect_prompt()?;
    shell.check("echo after", "^after\n$")?;
    page(&mut shell)?;
    power_off(&mut shell)
}

/// Lines typed are kept in the file that HISTFILE names, which another shell reads; a long one is cut.
fn history(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.run("seq 1200 | sed 's/^/echo /' > kept; HISTFILE=/tmp/kept")?;
    shell.check("wc -l < kept; head -n 1 kept", "^501\necho 701\n$")?;
    shell.check("echo  one 'two'", "^one two\n$")?;
    shell.run("true")?;
    shell.run("true")?;
    shell.check(
        "tail -n 4 kept; ls -l kept",
        "^wc -l[^\n]*\necho  one 'two'\ntrue\ntail[^\n]*\n-rw------- [^\n]*\n$",
    )?;
    shell.type_line("HISTFILE=/tmp/kept sh")?;
    shell.expect_prompt()?;
    shell.type_keys("\x1b[A\x1b[A\x1b[A\x1b[A")?;
    shell.type_line("")?;
    shell.expect("^one two$")?;
    shell.expect_prompt()?;
    shell.run("exit")?;
    shell.check("HISTFILE=/nosuch/file; echo on", "^on\n$")?;
    power_off(&mut shell)
}

/// `help` of a builtin, a program, a topic, and of what is none; on a console whose size the kernel's command line gives.
fn help(stage: &mut Stage) -> Result<()> {
    let mut load = stage.load();
    load.command_line.push_str(" LINES=31 COLUMNS=97");
    let mut shell = stage.boot_virt(&load)?;
    shell.expect_prompt()?;
    shell.check("stty size; env | grep -c -e LINES -e COLUMNS", "^31 97\n0\n$")?;
    let list = "(?s)cowtop.*Commands of the shell.*getopts.*To begin:.*help NAME.*memory, files, jobs, leave";
    shell.check("help", list)?;
    shell.check("help cd", "^cd \\[folder \\| -\\] +change the current folder\n$")?;
    shell.check(
        "help uptime",
        "^usage: uptime \nuptime prints how long the machine runs\\.\n$",
    )?;
    shell.check(
        "help pagemap; echo $?",
        "^usage: pagemap[^\n]*\npagemap shows [^\n]*\n0\n$",
    )?;
    shell.check("help leave", "poweroff +writes what is to be written and")?;
    shell.check(
        "help no such; echo $?",
        "no such: no such command or topic[^\n]*memory[^\n]*\n1\n$",
    )?;
    power_off(&mut shell)
}

/// A pager on a terminal of six rows: a file, then a stream.
fn page(shell: &mut Session) -> Result<()> {
    shell.run("stty rows 6 cols 40; seq 100 > hundred")?;
    shell.type_line("less -N hundred")?;
    shell.expect("5 5.*\n.*hundred")?;
    shell.type_keys(" ")?;
    shell.expect("^ +10 10.*\n.*:")?;
    shell.type_keys("/7[45]$\r")?;
    shell.expect("74 .*7m74.*\n.*7m75")?;
    shell.type_keys("nn")?;
    shell.expect("Pattern not found")?;
    shell.type_keys("G")?;
    shell.expect("100 100.*\n.*END")?;
    shell.type_keys("q")?;
    shell.expect("1049lholstein:/tmp# ")?;
    // One without end.
    shell.type_line("yes | less -X")?;
    shell.expect("^y.*\n.*:")?;
    shell.type_keys("q")?;
    shell.expect("Kholstein:/tmp# ")?;
    shell.check(
        "less hundred | tail -n 1; less -F nosuch 2>&1; stty sane rows 0 cols 0",
        "^100\nless: nosuch: No such",
    )?;
    Ok(())
}

fn files(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.run("mkdir -p d/e; echo hello > d/file; ln -s file d/link")?;
    shell.check("ls -l d", r"^drwxr-xr-x +2 root +root +\d+ .* e$")?;
    shell.check("ls -l d", r"^-rw-r--r-- +1 root +root +6 .* file$")?;
    shell.check("ls -l d", r"^lrwxrwxrwx +1 root +root +4 .* link -> file$")?;
    shell.check("cat d/link; cp d/file d/copy; cat d/copy", "^hello\nhello\n$")?;
    shell.check("mv d/copy d/e/moved; find d | sort | tail -n 1", "^d/link\n$")?;
    shell.check("ls d/e; rm d/e/moved; rmdir d/e; ls d | wc -l", "^moved\n2\n$")?;
    shell.check("grep -c l d/file; head -n 1 d/file; stat d/file", "^1\nhello\n")?;
    shell.check("grep -c -e nothing -e ^he d/file", "^1\n")?;
    shell.check("rm -r d; ls d; echo $?", "(?i)no such file[^\n]*\n[1-9]\n$")?;
    power_off(&mut shell)
}

fn processes(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.run("sleep 50 &")?;
    let listing = shell.run("ps")?;
    ensure!(listing.contains("init") && listing.contains("sleep"), "{listing}");
    shell.check("cat /proc/$!/status", r"^State:\s+S \(sleeping\)$")?;
    shell.check(
        "cat /proc/self/maps",
        r"^[0-9a-f]+-[0-9a-f]+ r-xp .*/bin/holstein-box$",
    )?;
    shell.check("free", r"(?i)mem")?;
    shell.check("uname -s -m", r"aarch64")?;
    shell.run("kill $!; wait")?;
    power_off(&mut shell)
}

/// `faults` runs a command and prints what it cost in page faults.
fn faults(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    let output = shell.check("faults true", r"(?i)minor[^\d]*[1-9]\d*|[1-9]\d* minor")?;
    ensure!(
        output.to_lowercase().contains("major") && output.contains("copied"),
        "{output:?}"
    );
    power_off(&mut shell)
}

fn errors(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.check("halp; echo $?", "help and Tab say what is here\n127\n$")?;
    shell.check("sh -c no-such-command", "not found\n$")?;
    shell.check("cat /no/such/file; echo $?", "(?i)no such file[^\n]*\n1\n$")?;
    shell.check(
        "echo : > plain; ./plain; echo $?",
        "(?i)permission denied\n126\n$",
    )?;
    shell.check("echo ) ; echo alive", "(?i)syntax|unexpected")?;
    shell.check("cd /nowhere; pwd", "(?i)no such file[^\n]*\n/tmp\n$")?;
    shell.check("echo x > /no/where; echo $?", "(?i)no such file[^\n]*\n1\n$")?;
    power_off(&mut shell)
}

fn reboot(stage: &mut Stage) -> Result<()> {
    let mut shell = boot(stage)?;
    shell.type_line("reboot")?;
    shell.expect_end()
}
