//! The small programs, each a function of its arguments that returns the exit status. They behave as those of GNU
//! coreutils where both have an option; what they do not know they refuse by name.

mod arguments;
mod print;
mod processes;
mod test;

/// A program: arguments with its own name first, to the exit status.
pub type Applet = fn(&[&str]) -> i32;

/// Every program by name, sorted.
pub const APPLETS: &[(&str, Applet)] = &[
    ("[", test::test),
    ("basename", print::basename),
    ("dirname", print::dirname),
    ("echo", print::echo),
    ("env", processes::env),
    ("false", print::failure),
    ("kill", processes::kill),
    ("printf", print::printf),
    ("ps", processes::list),
    ("pwd", print::working_directory),
    ("sleep", processes::sleep),
    ("test", test::test),
    ("time", processes::time),
    ("true", print::success),
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
