//! The small programs, each a function of its arguments that returns the exit status. They behave as those of GNU
//! coreutils where both have an option; what they do not know they refuse by name.

mod arguments;
mod cowtop;
mod cowtrace;
mod diff;
mod files;
mod find;
mod grep;
mod keyboard;
mod less;
pub mod list;
mod mounts;
mod numbers;
mod pieces;
mod print;
mod processes;
mod rights;
mod screen;
mod sed;
mod system;
pub mod test;
mod text;
mod xargs;

/// A program: arguments with its own name first, to the exit status.
pub type Applet = fn(&[&str]) -> i32;

/// Every program by name, sorted: what it does, and its usage and purpose with a tab between.
pub const APPLETS: &[(&str, Applet, &str)] = &[
    ("[", test::test, "expression ]\ttests files, strings and numbers"),
    (
        "basename",
        print::basename,
        "path [ending]\tprints the last name of a path",
    ),
    (
        "cat",
        text::cat,
        "[-nu] [files]\tprints files one after the other",
    ),
    (
        "chmod",
        rights::change_mode,
        "[-R] mode files\tsets rights: 644, u+x, go-w, a=r",
    ),
    ("clear", system::clear, "\tclears the screen"),
    (
        "cowtop",
        cowtop::cowtop,
        "[-1a] [-d seconds] [pids]\tshows the pages of processes side by side, live; without pids, of some to step by hand: f, w, r, x, ? for help",
    ),
    (
        "cowtrace",
        cowtrace::cowtrace,
        "[-c | -j] [-e events] [-o file] command [arguments]\tshows the page faults, forks and copies of a command",
    ),
    ("cp", files::copy, "[-apfrR] sources target\tcopies files"),
    (
        "cut",
        pieces::cut,
        "-c list | -f list [-d character] [-s] [files]\tprints parts of lines",
    ),
    (
        "date",
        system::date,
        "[-u] [-s time] [+format]\tprints or sets the time: 'YYYY-MM-DD hh:mm[:ss]' or @seconds",
    ),
    (
        "df",
        mounts::space,
        "[-k] [folders]\tprints the space on file systems",
    ),
    (
        "diff",
        diff::diff,
        "[-u | -U lines] [-qsrNiwbBa] old new\tprints what differs between files or folders",
    ),
    (
        "dirname",
        print::dirname,
        "paths\tprints a path without its last name",
    ),
    ("dmesg", system::dmesg, "\tprints the kernel's log"),
    ("echo", print::echo, "[-neE] [words]\tprints words"),
    (
        "env",
        processes::env,
        "[-i] [name=value]... [command]\truns a command in another environment, or prints it",
    ),
    ("false", print::failure, "\tfails"),
    (
        "find",
        find::find,
        "[paths] [-name pattern] [-type bcdflp] [-maxdepth n] [-print]\tfinds files",
    ),
    ("free", system::free, "[-bkmh]\tprints how much memory is used"),
    (
        "grep",
        grep::grep,
        "[-EFGHchilnqrsv] pattern [files] | -e pattern ... [files]\tprints lines that match",
    ),
    ("halt", system::halt, "[-fn]\tstops the machine"),
    (
        "head",
        text::head,
        "[-n lines | -c bytes] [files]\tprints the beginning of files",
    ),
    ("hexdump", text::hexdump, "[-C] [-n bytes] [files]\tprints bytes"),
    ("id", system::id, "[-u | -g] [-n]\tprints who one is"),
    ("kill", processes::kill, "[-signal] pids\tsends a signal"),
    (
        "less",
        less::less,
        "[-FIiNRSX] [files]\tshows text page by page: space, b, j, k, g, G, /text, n, N, q",
    ),
    ("ln", files::link, "[-sf] target name\tmakes a link"),
    (
        "ls",
        list::list,
        "[-1aAdFhilrStR] [names]\tlists folders and files",
    ),
    (
        "lsblk",
        mounts::disks,
        "\tlists the disks and their partitions, what is on them, and where they are mounted",
    ),
    (
        "mkdir",
        files::make_directories,
        "[-p] [-m mode] folders\tmakes folders",
    ),
    (
        "mount",
        mounts::mount,
        "[-t type] [-o options] [source | LABEL=label | UUID=uuid] [folder]\tmounts a file system, or lists what is mounted",
    ),
    ("mv", files::rename, "[-f] sources target\trenames files"),
    ("nproc", system::processors, "\tprints how many processors run"),
    ("poweroff", system::power_off, "[-fn]\tturns the machine off"),
    ("printf", print::printf, "format [arguments]\tprints by a format"),
    (
        "ps",
        processes::list,
        "\tlists every process, with memory and faults",
    ),
    ("pwd", print::working_directory, "\tprints the current folder"),
    ("reboot", system::restart, "[-fn]\tstarts the machine anew"),
    (
        "resize",
        screen::resize,
        "\tasks the terminal for its size, and sets it",
    ),
    ("rm", files::remove, "[-rRf] names\tremoves files"),
    (
        "rmdir",
        files::remove_directories,
        "folders\tremoves empty folders",
    ),
    (
        "sed",
        sed::sed,
        "[-nsEr] [-i[suffix]] [-l width] script | -e script ... | -f file ... [files]\tedits lines as they pass",
    ),
    (
        "seq",
        numbers::sequence,
        "[-s separator] [first [step]] last\tprints numbers",
    ),
    ("sleep", processes::sleep, "time[smhd] ...\twaits"),
    (
        "sort",
        numbers::sort,
        "[-nru] [-k field] [-t separator] [files]\tsorts lines",
    ),
    ("stat", list::status, "[-L] files\tprints what is known of files"),
    (
        "stty",
        screen::settings,
        "[-a | size | settings]\tshows or changes the terminal on standard input",
    ),
    (
        "sync",
        system::sync,
        "\twrites to the disks what was not written yet",
    ),
    (
        "tail",
        text::tail,
        "[-n [+]lines | -c bytes] [files]\tprints the end of files",
    ),
    ("tee", text::tee, "[-a] files\tcopies standard input to files"),
    ("test", test::test, "expression\ttests files, strings and numbers"),
    (
        "time",
        processes::time,
        "command [arguments]\tprints how long a command took, and its faults",
    ),
    (
        "touch",
        files::touch,
        "[-c] files\tmakes files, or sets their times",
    ),
    (
        "tr",
        pieces::translate,
        "[-cds] set [set]\tchanges, deletes or squeezes characters",
    ),
    ("true", print::success, "\tsucceeds"),
    ("tty", system::terminal_name, "\tprints the terminal's name"),
    ("umount", mounts::unmount, "[-l] folders\tunmounts file systems"),
    ("uname", system::name, "[-asnrvm]\tprints what system this is"),
    (
        "uniq",
        numbers::unique,
        "[-cdu] [file]\tprints lines that repeat once",
    ),
    ("uptime", system::uptime, "\tprints how long the machine runs"),
    (
        "wc",
        numbers::count,
        "[-lwc] [files]\tcounts lines, words and bytes",
    ),
    ("which", processes::which, "names\tprints where programs lie"),
    ("whoami", rights::who_am_i, "\tprints the user's name"),
    (
        "xargs",
        xargs::xargs,
        "[-0rt] [-n number | -I text] [command [arguments]]\truns a command with the words of its input",
    ),
    ("yes", print::yes, "[words]\tprints words for ever"),
];

/// Those whose arguments are all words of theirs, as POSIX has it.
const NO_HELP: [&str; 6] = ["[", "echo", "false", "printf", "test", "true"];

/// Whether there is a program of that name.
pub fn is_known(name: &str) -> bool {
    APPLETS.iter().any(|(found, ..)| *found == name)
}

/// Tells the usage and the purpose of a program; false if there is none of that name.
pub fn explain(name: &str) -> bool {
    let Some((name, _, usage)) = APPLETS.iter().find(|(found, ..)| *found == name) else {
        return false;
    };
    let (usage, purpose) = usage.split_once('\t').unwrap_or((usage, ""));
    crate::println!("usage: {name} {usage}\n{name} {purpose}.");
    true
}

/// Runs the program that the first argument names, or tells its usage if that is all it is asked for; `None` if there is
/// no such program.
pub fn run(name: &str, arguments: &[&str]) -> Option<i32> {
    let (name, applet, _) = APPLETS.iter().find(|(found, ..)| *found == name)?;
    if arguments.get(1) == Some(&"--help") && !NO_HELP.contains(name) {
        explain(name);
        return Some(0);
    }
    Some(applet(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_tells_its_usage_and_purpose() {
        assert!(APPLETS.is_sorted_by_key(|(name, ..)| *name));
        for (name, _, usage) in APPLETS {
            let (_, purpose) = usage.split_once('\t').expect(name);
            assert!(purpose.len() > 4, "{name}");
        }
        assert!(NO_HELP.iter().all(|name| is_known(name)));
    }
}
