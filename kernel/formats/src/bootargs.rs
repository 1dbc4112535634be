//! The kernel command line, read as Linux reads it: bootparam(7), `Documentation/admin-guide/kernel-parameters.rst`, and
//! the code of `lib/cmdline.c` and `init/main.c`.
//!
//! Words are separated by blanks; `"` keeps blanks together. What the kernel does not know goes to init: `key=value` into
//! its environment, other words into its arguments, names with a dot nowhere. All after `--` are arguments of init.

use core::fmt;

/// One word of the line, without its quotes. `Display` writes it as `name` or `name=value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Before the first `=`, or the whole word.
    pub name: &'a str,
    /// Behind the first `=`.
    pub value: Option<&'a str>,
}

/// Names that belong to the kernel: they are not handed to init, whether or not the kernel acts on them.
const KERNEL_NAMES: &[&str] = &[
    "asid",
    "boot",
    "console",
    "debug",
    "earlycon",
    "errata",
    "fork",
    "growroot",
    "ignore_loglevel",
    "init",
    "initcall_debug",
    "ip",
    "keep_bootcon",
    "loglevel",
    "maxcpus",
    "mem",
    "nokaslr",
    "noinitrd",
    "nosmp",
    "nr_cpus",
    "panic",
    "pmu",
    "quiet",
    "rdinit",
    "reboot",
    "ro",
    "root",
    "rootdelay",
    "rootflags",
    "rootfstype",
    "rootwait",
    "rw",
    "semihosting",
    "spectre_bhb",
    "watchdog",
];

/// The command line.
///
/// ```
/// use formats::bootargs::CommandLine;
///
/// let line = CommandLine::parse("quiet rdinit=/init TERM=\"vt 100\" -- demo");
/// assert_eq!((line.rdinit(), line.loglevel()), (Some("/init"), Some(4)));
/// assert!(line.init_environment().eq([("TERM", "vt 100")]));
/// assert!(line.init_arguments().map(|word| word.name).eq(["demo"]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandLine<'a> {
    text: &'a str,
}

impl<'a> CommandLine<'a> {
    /// Takes the text. Every text is a command line.
    pub const fn parse(text: &'a str) -> CommandLine<'a> {
        CommandLine { text }
    }

    /// The text as given.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The words before `--`.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        Words { rest: self.text }.take_while(|parameter| !parameter.is_end())
    }

    /// The value of the last parameter of that name; `-` and `_` are the same in names.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.parameters()
            .filter(|parameter| is_same_name(parameter.name, name))
            .filter_map(|p| p.value)
            .last()
    }

    /// Whether the word stands there without a value, as `quiet` does.
    pub fn has_flag(&self, name: &str) -> bool {
        self.parameters()
            .any(|parameter| parameter.value.is_none() && is_same_name(parameter.name, name))
    }

    /// `init=`: the program to start from the root file system.
    pub fn init(&self) -> Option<&'a str> {
        self.value("init")
    }

    /// `rdinit=`: the program to start from the initramfs.
    pub fn rdinit(&self) -> Option<&'a str> {
        self.value("rdinit")
    }

    /// `console=`, each of them: the last is where /dev/console leads.
    pub fn consoles(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.parameters()
            .filter(|parameter| parameter.name == "console")
            .filter_map(|parameter| parameter.value)
    }

    /// The console log level: `loglevel=n`, `quiet` (4) or `debug` (10), whichever is last. Messages of a level below it
    /// are shown.
    pub fn loglevel(&self) -> Option<u8> {
        self.parameters()
            .filter_map(|parameter| match (parameter.name, parameter.value) {
                ("loglevel", Some(value)) => value.parse().ok(),
                ("quiet", None) => Some(4),
                ("debug", None) => Some(10),
                _ => None,
            })
            .last()
    }

    /// `panic=`: restart so many seconds after a panic; 0 stay, negative at once.
    pub fn panic(&self) -> Option<i32> {
        self.value("panic")?.parse().ok()
    }

    /// Arguments for init: unknown words behind the last `init=` or `rdinit=`, then all behind `--`.
    pub fn init_arguments(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let last_init = self
            .parameters()
            .enumerate()
            .filter(|(_, p)| matches!(p.name, "init" | "rdinit"))
            .last();
        let from_init = last_init.map_or(0, |(index, _)| index);
        let before = self
            .parameters()
            .skip(from_init)
            .filter(|p| p.value.is_none() && is_for_init(p));
        let after = Words { rest: self.text }
            .skip_while(|parameter| !parameter.is_end())
            .skip(1);
        before.chain(after)
    }

    /// Environment for init: unknown `key=value` words. Where a key comes twice the last one counts, as the later
    /// replaces the earlier; the caller's own defaults (`HOME`, `TERM`) are replaced likewise.
    pub fn init_environment(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let line = *self;
        line.parameters()
            .enumerate()
            .filter(|(_, parameter)| is_for_init(parameter))
            .filter_map(|(index, parameter)| Some((index, parameter.name, parameter.value?)))
            .filter(move |&(index, name, _)| {
                !line
                    .parameters()
                    .skip(index + 1)
                    .any(|later| later.name == name && later.value.is_some())
            })
            .map(|(_, name, value)| (name, value))
    }
}

/// Whether the kernel hands the parameter on. A name with a dot is meant for a module that is not there.
fn is_for_init(parameter: &Parameter) -> bool {
    !parameter.name.contains('.')
        && !KERNEL_NAMES
            .iter()
            .any(|known| is_same_name(known, parameter.name))
}

/// Names are equal if they differ in `-` and `_` only (`parameq`).
fn is_same_name(a: &str, b: &str) -> bool {
    let dash = |byte| if byte == b'-' { b'_' } else { byte };
    a.len() == b.len() && a.bytes().map(dash).eq(b.bytes().map(dash))
}

/// Iterates over the words: `next_arg` of `lib/cmdline.c`.
#[derive(Clone)]
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Words<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        let text = self.rest.trim_start_matches(is_blank);
        if text.is_empty() {
            self.rest = text;
            return None;
        }
        let mut is_quoted = false;
        let end = text.find(|c| {
            is_quoted ^= c == '"';
            is_blank(c) && !is_quoted
        });
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.rest = rest;
        Some(Parameter::from_word(word))
    }
}

impl<'a> Parameter<'a> {
    /// Takes the quotes from around the whole word, or from around the value.
    fn from_word(word: &'a str) -> Parameter<'a> {
        let word = unquote(word);
        match word.split_once('=') {
            Some((name, value)) => Parameter {
                name,
                value: Some(unquote(value)),
            },
            None => Parameter {
                name: word,
                value: None,
            },
        }
    }

    /// Whether it is the `--` that begins the arguments of init.
    fn is_end(&self) -> bool {
        self.name == "--" && self.value.is_none()
    }
}

impl fmt::Display for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.value.map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

/// Takes a quote at the start, and then one at the end.
fn unquote(text: &str) -> &str {
    match text.strip_prefix('"') {
        Some(text) => text.strip_suffix('"').unwrap_or(text),
        None => text,
    }
}

fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b' || c == '\0'
}
