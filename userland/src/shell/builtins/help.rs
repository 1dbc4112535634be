//! `help`: what there is, and what a person may want to do with it.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Run, done};
use crate::applets;
use crate::applets::list::in_columns;
use crate::runtime::terminal;
use crate::shell::state::Shell;
use crate::shell::{builtins, spawn};

/// What `help` says of them.
const HELP: &str = "\
\x20 . file             run a file's commands in this shell
\x20 :                  nothing, successfully
\x20 [ expression ]     test files, strings and numbers
\x20 alias [name=text]   a short name for a command
\x20 bg [%job]          let a stopped job go on in the background
\x20 break [n]          leave n loops
\x20 cd [folder | -]    change the current folder
\x20 command [-vV] name  run a command, no function; or say what it is
\x20 continue [n]       go on with the next round of a loop
\x20 echo [-n] words    print
\x20 eval words         run the words as a command
\x20 exec [command]     become a command; keep redirections
\x20 exit [status]      leave the shell
\x20 export name[=v]    give a variable to programs
\x20 false              fail
\x20 fg [%job]          bring a job to the foreground
\x20 getopts abc: name  read the options of a script
\x20 help [topic]       this list; or what a command or a topic is
\x20 history            the lines typed; kept in $HISTFILE if that is set
\x20 jobs               jobs in the background
\x20 kill [-SIG] pid    send a signal to a process or %job
\x20 local name[=v]     a variable until the function returns
\x20 printf format ...  print by a format
\x20 pwd                print the current folder
\x20 read [-rs] [-p text] names  read a line into variables
\x20 readonly name[=v]  a variable that no longer changes
\x20 return [status]    leave a function
\x20 set [-efux] [-o name] [--] ..  set options and $1, $2, ...
\x20 shift [n]          drop the first arguments
\x20 source file        the same as .
\x20 test expression    test files, strings and numbers
\x20 trap command SIG   run a command at a signal, or at EXIT
\x20 true               succeed
\x20 type names         say what a name is
\x20 ulimit [-HSa] [-n] show or set what programs may use
\x20 umask [mode]       rights that new files do not get
\x20 unalias [-a] names forget aliases
\x20 unset [-f] names   forget variables or functions
\x20 wait [%job | pid]  wait for background jobs
";

/// Programs of ours that are no applets.
const PROGRAMS: [(&str, &str); 7] = [
    (
        "cow",
        "cow list | tour | all | q1 ...\tanswers questions about copy-on-write by running them",
    ),
    (
        "faults",
        "faults command\truns a command and prints the page faults of its processes",
    ),
    (
        "forkcost",
        "forkcost [mebibytes ...]\ttells what fork costs a parent that has touched so much memory",
    ),
    (
        "init",
        "init\tis the first process; it starts a shell and powers off after it",
    ),
    (
        "pagemap",
        "pagemap [pid | self] [address | start-end]\tshows a process's pages, their frames, how often those are mapped",
    ),
    ("sh", "sh [-i] [-c command | file]\tis this shell"),
    (
        "stress",
        "stress forkbomb [n] | hog [mebibytes] | churn [rounds]\tdoes too much on purpose, and ends by itself",
    ),
];

/// What a person may want to do, and how.
const TOPICS: [(&str, &str); 4] = [
    (
        "memory",
        "To see pages being shared and copied:
  cow list            the questions; cow q2 answers one
  faults ls           run a command and print the page faults of its processes
  cowtop              pages of processes side by side, live; f forks, w stores
  pagemap $$          the pages of this shell, their frames, who else maps them
  cat /proc/self/translation   the descriptors themselves
  cat /proc/vmstat    counters: copies, tables shared, TLB invalidations
  cat /proc/meminfo   how much memory there is, and what for
",
    ),
    (
        "files",
        "What is in memory only is lost at power-off; a disk keeps it:
  lsblk               the disks and their partitions, what is on them
  mount               what is mounted where
  mount /dev/vda /mnt            a disk of QEMU virt; its type is found out
  mount LABEL=HOLSTEIN /mnt      a label: the boot partition of our card
  mount -t tmpfs none /mnt       memory as a disk
  umount /mnt         before the disk is taken away
  sync                writes now what was not written yet
  df                  how full they are
A disk for QEMU: make run DISK=file, which is made if it is not there.
On a Raspberry Pi the card of `make sdcard` is / and keeps what is written.
",
    ),
    (
        "jobs",
        "Programs beside each other:
  sleep 9 &           begins in the background
  jobs                lists them; ^Z stops the one in front
  fg %1               brings one to the front
  bg %1               lets a stopped one go on in the background
  kill %1             ends one; kill -KILL if it will not
  ps                  all processes
",
    ),
    (
        "leave",
        "To end:
  exit                leaves this shell; the first one powers off
  poweroff            writes what is to be written and powers off
  reboot              begins anew
QEMU itself ends with Ctrl-A X: what was not written to a disk is lost.
",
    ),
];

/// `help`: everything; `help NAME`: a builtin, a program or a topic.
pub fn help(shell: &mut Shell, arguments: &[String]) -> Run {
    let Some((first, _)) = arguments[1..].split_first() else {
        return list(shell);
    };
    let mut status = 0;
    if arguments.len() > 2 || !explain(first) {
        let what = arguments[1..].join(" ");
        let topics: Vec<&str> = topics().collect();
        let topics = topics.join(", ");
        eprintln!("help: {what}: no such command or topic; `help` lists the commands, topics are {topics}");
        status = 1;
    }
    done(shell, status)
}

/// Says what is known of one name; false if that is nothing.
fn explain(name: &str) -> bool {
    if let Some((_, text)) = TOPICS.iter().find(|(topic, _)| *topic == name) {
        print!("{text}");
        return true;
    }
    let is_of_name = |line: &&str| line.split_whitespace().next() == Some(name);
    if let Some(line) = HELP.lines().find(is_of_name) {
        println!("{}", line.trim_start());
        return true;
    }
    if let Some((_, line)) = PROGRAMS.iter().find(|(program, _)| *program == name) {
        let (usage, purpose) = line.split_once('\t').unwrap_or((line, ""));
        println!("usage: {usage}\n{name} {purpose}.");
        return true;
    }
    applets::explain(name)
}

/// What it is about, for completion.
pub fn topics() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().map(|(name, _)| *name)
}

/// Everything by name; what a person wants first comes last, where the screen stands still.
fn list(shell: &mut Shell) -> Run {
    let screen = terminal::columns(1);
    let mut programs = spawn::programs(shell, "");
    programs.sort();
    programs.dedup();
    println!("Programs in {}:\n", shell.text("PATH"));
    print!("{}", in_columns(&programs, screen));
    println!("\nCommands of the shell itself:\n");
    let builtins: Vec<String> = builtins::known("");
    print!("{}", in_columns(&builtins, screen));
    print!("{MORE}");
    println!("\n{}", crate::disks::advice());
    done(shell, 0)
}

/// The end of the list.
const MORE: &str = "
Also: if, while, until, for, case, [[ ]], functions, ! | && || ; & ( ) { },
< > >> << <<< 2>&1, $name ${name:-word} ${name:1:2} ${name/a/b} $(command)
$((1 + 2)), * ? [a-z].
Keys: arrows, Home, End, Tab, ^A ^E ^K ^U ^W ^L, Alt-B Alt-F Alt-D by words,
^R searches; ^C stops, ^Z suspends, ^D ends.

To begin:
  cow list            questions on copy-on-write: cow q2 is one, cow tour all
  cowtop              pages of processes side by side, live
  faults ls           run a command and print the page faults of its processes
  poweroff            to leave
help NAME tells more of a command, or of a topic: memory, files, jobs, leave.
";

#[cfg(test)]
mod tests {
    use super::super::BUILTINS;
    use super::*;

    #[test]
    fn help_names_every_builtin_and_they_are_sorted() {
        assert!(BUILTINS.is_sorted_by_key(|(name, _)| *name));
        let helped: Vec<&str> = HELP
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(helped, BUILTINS.map(|(name, _)| name));
    }

    /// The end of the list fits one, too, and names all topics.
    #[test]
    fn the_list_ends_with_what_one_needs_first() {
        assert!(MORE.lines().count() < 22 && MORE.lines().all(|line| line.len() < 96));
        let names: Vec<&str> = topics().collect();
        assert!(MORE.trim_end().ends_with(&[&names.join(", "), "."].concat()));
    }

    /// A topic fits a terminal of 80 columns and 24 rows, and every program that it names exists.
    #[test]
    fn topics_can_be_read_and_name_what_there_is() {
        for (topic, text) in TOPICS {
            assert!(text.lines().count() < 23 && text.ends_with('\n'), "{topic}");
            for line in text.lines() {
                assert!(line.chars().count() < 80, "{topic}: {line}");
                let Some(command) = line.strip_prefix("  ") else {
                    continue;
                };
                let name = command.split_whitespace().next().unwrap_or_default();
                let is_known = applets::is_known(name)
                    || super::super::find(name).is_some()
                    || PROGRAMS.iter().any(|(program, _)| *program == name);
                assert!(is_known || command.starts_with(' '), "{topic}: {name}");
            }
        }
    }
}
