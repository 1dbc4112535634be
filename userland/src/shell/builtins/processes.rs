//! Builtins about processes: trap, jobs, fg, bg, wait, kill.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{applet, done, wrong};
use crate::runtime::signal::{self, Disposition, Signal};
use crate::shell::executor::{Leave, Run};
use crate::shell::jobs::All;
use crate::shell::state::Shell;

pub fn trap(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    let signal_name = |number: u8| Signal::new(u64::from(number)).map_or("EXIT", Signal::name);
    if arguments.len() < 2 {
        for (number, command) in &shell.traps {
            println!(
                "trap -- '{}' {}",
                command.replace('\'', "'\\''"),
                signal_name(*number)
            );
        }
        return Run::Continue(());
    }
    let is_reset = arguments[1] == "-" || arguments.len() == 2;
    let names = if arguments.len() == 2 {
        &arguments[1..]
    } else {
        &arguments[2..]
    };
    for name in names {
        let number = match name.as_str() {
            "EXIT" | "0" => 0,
            name => match signal::by_name(name) {
                Some(signal) => signal.number(),
                None => return wrong(shell, arguments, &format!("{name}: no such signal")),
            },
        };
        let disposition = match (is_reset, arguments[1].as_str()) {
            (true, _) => Disposition::Default,
            (false, "") => Disposition::Ignore,
            (false, _) => Disposition::Note,
        };
        if let Some(signal) = Signal::new(u64::from(number))
            && let Err(error) = signal::set(signal, disposition)
        {
            return wrong(shell, arguments, &format!("{name}: {error}"));
        }
        if is_reset {
            shell.traps.remove(&number);
        } else {
            shell.traps.insert(number, arguments[1].clone());
        }
    }
    Run::Continue(())
}

/// `jobs`
pub fn jobs(shell: &mut Shell, _arguments: &[String]) -> Run {
    shell.jobs.print(All::Yes);
    done(shell, 0)
}

/// `fg [%job]`
pub fn foreground(shell: &mut Shell, arguments: &[String]) -> Run {
    match shell.continue_in_foreground(arguments.get(1).map(String::as_str)) {
        Ok(true) => Run::Break(Leave::Interrupted),
        Ok(false) => Run::Continue(()),
        Err(message) => wrong(shell, arguments, &message),
    }
}

/// `bg [%job]`
pub fn background(shell: &mut Shell, arguments: &[String]) -> Run {
    match shell.continue_in_background(arguments.get(1).map(String::as_str)) {
        Ok(()) => done(shell, 0),
        Err(message) => wrong(shell, arguments, &message),
    }
}

/// `wait [%job | pid]...`
pub fn wait(shell: &mut Shell, arguments: &[String]) -> Run {
    shell.status = 0;
    let names: Vec<Option<&str>> = if arguments.len() < 2 {
        Vec::from([None])
    } else {
        arguments[1..].iter().map(|name| Some(name.as_str())).collect()
    };
    for name in names {
        match shell.jobs.wait_done(name) {
            Ok(status) => shell.status = status,
            Err(message) => {
                let _ = wrong(shell, arguments, &message);
                shell.status = 127;
            }
        }
    }
    Run::Continue(())
}

/// `kill` knows `%job`; all else is the program's.
pub fn kill(shell: &mut Shell, arguments: &[String]) -> Run {
    let mut translated = Vec::new();
    for argument in arguments {
        let target = argument.starts_with('%').then(|| shell.jobs.target(argument));
        match target {
            Some(None) => return wrong(shell, arguments, &format!("{argument}: no such job")),
            Some(Some(pid)) if pid < 0 && translated.len() == 1 => {
                translated.extend(["--".to_string(), pid.to_string()])
            }
            Some(Some(pid)) => translated.push(pid.to_string()),
            None => translated.push(argument.clone()),
        }
    }
    let run = applet(shell, &translated);
    // A stopped job takes its signal only when it goes on.
    for target in arguments[1..]
        .iter()
        .filter_map(|argument| shell.jobs.stopped(argument))
    {
        if let Err(error) = signal::send(target, Signal::SIGCONT) {
            return wrong(shell, arguments, &format!("{target}: {error}"));
        }
    }
    run
}
