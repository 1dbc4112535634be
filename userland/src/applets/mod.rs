//! The small programs, each a function of its arguments that returns the exit status. They behave as those of GNU
//! coreutils where both have an option; what they do not know they refuse by name.

mod arguments;
mod files;
mod find;
mod grep;
mod list;
mod numbers;
mod print;
mod processes;
mod system;
pub mod test;
mod text;

/// A program: arguments with its own name first, to the exit status.
pub type Applet = fn(&[&str]) -> i32;

/// Every program by name, sorted.
pub const APPLETS: &[(&str, Applet)] = &[
    ("[", test::test),
    ("basename", print::basename),
    ("cat", text::cat),
    ("clear", system::clear),
    ("cp", files::copy),
    ("date", system::date),
    ("dirname", print::dirname),
    ("dmesg", system::dmesg),
    ("echo", print::echo),
    ("env", processes::env),
    ("false", print::failure),
    ("find", find::find),
    ("free", system::free),
    ("grep", grep::grep),
    ("halt", system::halt),
    ("head", text::head),
    ("hexdump", text::hexdump),
    ("id", system::id),
    ("kill", processes::kill),
    ("ln", files::link),
    ("ls", list::list),
    ("mkdir", files::make_directories),
    ("mv", files::rename),
    ("nproc", system::processors),
    ("poweroff", system::power_off),
    ("printf", print::printf),
    ("ps", processes::list),
    ("pwd", print::working_directory),
    ("reboot", system::restart),
    ("rm", files::remove),
    ("rmdir", files::remove_directories),
    ("seq", numbers::sequence),
    ("sleep", processes::sleep),
    ("sort", numbers::sort),
    ("stat", list::status),
    ("tail", text::tail),
    ("tee", text::tee),
    ("test", test::test),
    ("time", processes::time),
    ("touch", files::touch),
    ("true", print::success),
    ("tty", system::terminal_name),
    ("uname", system::name),
    ("uniq", numbers::unique),
    ("uptime", system::uptime),
    ("wc", numbers::count),
    ("which", processes::which),
    ("yes", print::yes),
];

/// The program of that name.
pub fn find(name: &str) -> Option<Applet> {
    APPLETS
        .iter()
        .find(|(found, _)| *found == name)
        .map(|(_, applet)| *applet)
}
