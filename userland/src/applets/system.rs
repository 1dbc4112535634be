//! The machine: poweroff, reboot, halt, sync, uname, free, uptime, nproc, date, dmesg, id, tty, clear.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::arguments::{human_size, parse};
use super::rights::user_name;
use crate::runtime::{Errno, file, output, process, system, terminal, time};
use abi::reboot::{LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_RESTART};

fn stop_machine(arguments: &[&str], command: u32) -> i32 {
    let parsed = match parse(arguments, "fn") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    match output::flush().and_then(|()| system::reboot(command)) {
        Ok(()) => 0,
        Err(error) => parsed.fail(error),
    }
}

/// poweroff: what was not written to a disk is written first.
pub fn power_off(arguments: &[&str]) -> i32 {
    stop_machine(arguments, LINUX_REBOOT_CMD_POWER_OFF)
}

/// reboot
pub fn restart(arguments: &[&str]) -> i32 {
    stop_machine(arguments, LINUX_REBOOT_CMD_RESTART)
}

/// halt
pub fn halt(arguments: &[&str]) -> i32 {
    stop_machine(arguments, LINUX_REBOOT_CMD_HALT)
}

/// sync
pub fn sync(arguments: &[&str]) -> i32 {
    match parse(arguments, "") {
        Ok(_) => {
            system::sync();
            0
        }
        Err(status) => status,
    }
}

/// uname [-asnrvm]
pub fn name(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "asnrvm") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let name = match system::name() {
        Ok(name) => name,
        Err(error) => return parsed.fail(error),
    };
    let fields = [
        ('s', name.sysname),
        ('n', name.nodename),
        ('r', name.release),
        ('v', name.version),
        ('m', name.machine),
    ];
    let is_default = !"asnrvm".chars().any(|letter| parsed.has(letter));
    let wanted = |letter: char| parsed.has('a') || parsed.has(letter) || (is_default && letter == 's');
    let chosen = fields
        .iter()
        .filter(|(letter, _)| wanted(*letter))
        .map(|(_, field)| system::field(field));
    println!("{}", chosen.collect::<Vec<String>>().join(" "));
    0
}

/// free [-bkmh]: from /proc/meminfo, in KiB unless told.
pub fn free(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "bkmh") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let text = match file::read_text("/proc/meminfo") {
        Ok(text) => text,
        Err(error) => return parsed.fail(format_args!("/proc/meminfo: {error}")),
    };
    let kib = |key: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        value
            .and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let show = |kib: u64| match () {
        _ if parsed.has('h') => human_size(kib * 1024),
        _ if parsed.has('b') => format!("{}", kib * 1024),
        _ if parsed.has('m') => format!("{}", kib / 1024),
        _ => format!("{kib}"),
    };
    let (total, free) = (kib("MemTotal"), kib("MemFree"));
    let cache = kib("Buffers") + kib("Cached") + kib("SReclaimable");
    let used = total.saturating_sub(free + cache);
    println!(
        "{:>18} {:>11} {:>11} {:>11} {:>11}",
        "total", "used", "free", "buff/cache", "available"
    );
    println!(
        "Mem:  {:>12} {:>11} {:>11} {:>11} {:>11}",
        show(total),
        show(used),
        show(free),
        show(cache),
        show(kib("MemAvailable"))
    );
    let (total, free) = (kib("SwapTotal"), kib("SwapFree"));
    println!(
        "Swap: {:>12} {:>11} {:>11}",
        show(total),
        show(total.saturating_sub(free)),
        show(free)
    );
    0
}

/// uptime
pub fn uptime(arguments: &[&str]) -> i32 {
    let information = match system::information() {
        Ok(information) => information,
        Err(error) => {
            eprintln!("{}: {error}", arguments[0]);
            return 1;
        }
    };
    let minutes = information.uptime / 60;
    let clock = date_text(time::now(time::CLOCK_REALTIME).map_or(0, |now| now.sec));
    let days = if minutes >= 1440 {
        format!("{} days, ", minutes / 1440)
    } else {
        String::new()
    };
    let load = information
        .loads
        .map(|load| format!("{}.{:02}", load >> 16, ((load & 0xffff) * 100) >> 16));
    println!(
        " {} up {days}{}:{:02}, {} processes, load average: {}",
        &clock[11..19],
        minutes / 60 % 24,
        minutes % 60,
        information.procs,
        load.join(", ")
    );
    0
}

/// nproc
pub fn processors(arguments: &[&str]) -> i32 {
    match system::processors() {
        Ok(count) => {
            println!("{count}");
            0
        }
        Err(error) => {
            eprintln!("{}: {error}", arguments[0]);
            1
        }
    }
}

/// Year, month, day of the Gregorian calendar, from days since 1970-01-01.
fn civil_date(days: i64) -> (i64, i64, i64) {
    // Counted in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `2026-11-20 22:25:00`, in UTC.
pub fn date_text(seconds: i64) -> String {
    let (year, month, day) = civil_date(seconds.div_euclid(86_400));
    let rest = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// date [-u] [-s time] [+format]
pub fn date(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "us:") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if let Some(text) = parsed.value('s') {
        let Some(sec) = parse_date(text) else {
            return parsed.fail(format_args!("invalid date '{text}'"));
        };
        if let Err(error) = time::set(time::CLOCK_REALTIME, time::TimeSpec { sec, nsec: 0 }) {
            return parsed.fail(format_args!("cannot set date: {error}"));
        }
    }
    let seconds = match time::now(time::CLOCK_REALTIME) {
        Ok(now) => now.sec,
        Err(error) => return parsed.fail(error),
    };
    match parsed.operands.as_slice() {
        [] => println!("{}", format_date("%a %b %e %H:%M:%S UTC %Y", seconds)),
        [format] if format.starts_with('+') => println!("{}", format_date(&format[1..], seconds)),
        _ => return parsed.usage("[-u] [-s time] [+format]"),
    }
    0
}

/// `2026-11-20 22:25[:00]` in UTC, or `@seconds`, as seconds since 1970.
fn parse_date(text: &str) -> Option<i64> {
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().ok();
    }
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "0:0"));
    let numbers = |text: &str, mark: char| -> Option<Vec<i64>> {
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split(mark)
            .map(|part| part.parse().ok().filter(|_| plain(part)))
            .collect()
    };
    let (date, mut clock) = (numbers(date, '-')?, numbers(clock, ':')?);
    clock.resize(clock.len().max(3), 0);
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), clock.as_slice()) else {
        return None;
    };
    // The day's number is found by trying: civil_date is the one place that knows the calendar.
    let guess = (year - 1970) * 365 + (year - 1970) / 4 + (month - 1) * 30 + day;
    let days = (guess - 60..guess + 60).find(|days| civil_date(*days) == (*year, *month, *day))?;
    let is_time = *hour < 24 && *minute < 60 && *second < 60;
    is_time.then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// strftime(3), for the conversions in use. Others stay as they are.
pub fn format_date(format: &str, seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = date_text(seconds);
    let (_, month, day) = civil_date(seconds.div_euclid(86_400));
    let mut result = String::new();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            result.push(c);
            continue;
        }
        let piece = match characters.next() {
            Some('Y') => text[..text.len() - 15].into(),
            Some('m') => format!("{month:02}"),
            Some('d') => format!("{day:02}"),
            Some('e') => format!("{day:2}"),
            Some('H') => text[text.len() - 8..text.len() - 6].into(),
            Some('M') => text[text.len() - 5..text.len() - 3].into(),
            Some('S') => text[text.len() - 2..].into(),
            Some('F') => text[..text.len() - 9].into(),
            Some('T') => text[text.len() - 8..].into(),
            Some('s') => format!("{seconds}"),
            Some('Z') => "UTC".into(),
            Some('a') => DAYS[seconds.div_euclid(86_400).rem_euclid(7) as usize].into(),
            Some('b') => MONTHS[(month - 1) as usize].into(),
            Some('%') => "%".into(),
            Some('n') => "\n".into(),
            Some(other) => format!("%{other}"),
            None => "%".into(),
        };
        result.push_str(&piece);
    }
    result
}

/// dmesg
pub fn dmesg(arguments: &[&str]) -> i32 {
    match system::kernel_log() {
        Ok(log) => {
            let text = String::from_utf8_lossy(&log);
            // Each line begins with its level in angle brackets (syslog(2)).
            let plain = |line: &str| match line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((level, rest)) if level.parse::<u32>().is_ok() => String::from(rest),
                _ => String::from(line),
            };
            text.lines().for_each(|line| println!("{}", plain(line)));
            0
        }
        Err(error) => {
            eprintln!("{}: the kernel keeps no log for us: {error}", arguments[0]);
            1
        }
    }
}

/// id [-ug]
pub fn id(arguments: &[&str]) -> i32 {
    let parsed = match parse(arguments, "ugn") {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let (user, group) = (process::effective_user_id(), process::effective_group_id());
    // Of groups only that of root has a name here.
    let name = |id: i32, is_user: bool| {
        if is_user {
            user_name(id as u32)
        } else {
            (id == 0).then(|| "root".into())
        }
    };
    let named =
        |id: i32, is_user: bool| name(id, is_user).map_or(format!("{id}"), |name| format!("{id}({name})"));
    let single = |id: i32, is_user: bool| match name(id, is_user).filter(|_| parsed.has('n')) {
        Some(name) => println!("{name}"),
        None => println!("{id}"),
    };
    match (parsed.has('u'), parsed.has('g')) {
        (true, _) => single(user, true),
        (_, true) => single(group, false),
        _ if parsed.has('n') => return parsed.fail("-n goes with -u or -g"),
        _ => println!("uid={} gid={}", named(user, true), named(group, false)),
    }
    0
}

/// tty: the name of the terminal on standard input.
pub fn terminal_name(_arguments: &[&str]) -> i32 {
    if !terminal::is_terminal(0) {
        println!("not a tty");
        return 1;
    }
    match file::read_link("/proc/self/fd/0") {
        Ok(name) => println!("{name}"),
        Err(Errno::ENOENT) => println!("/dev/console"),
        Err(error) => {
            eprintln!("tty: {error}");
            return 3;
        }
    }
    0
}

/// clear
pub fn clear(_arguments: &[&str]) -> i32 {
    print!("\x1b[H\x1b[2J");
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_text(0), "1970-01-01 00:00:00");
        assert_eq!(date_text(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(date_text(4_107_542_399), "2100-02-28 23:59:59");
        assert_eq!(date_text(4_107_542_400), "2100-03-01 00:00:00");
        assert_eq!(date_text(-1), "1969-12-31 23:59:59");
        for seconds in [0, 951_782_400, 4_107_542_399, 1_000_000_000] {
            assert_eq!(parse_date(&date_text(seconds)), Some(seconds));
        }
        assert_eq!(parse_date("2026-11-29 05:30"), Some(1_795_930_200));
        assert_eq!(
            ["2026-02-30", "x", "2026-1", "2026-01-01 25:00"].map(parse_date),
            [None; 4]
        );
        assert_eq!(
            format_date("%a %b %e %T %Y%%", 1_000_000_000),
            "Sun Sep  9 01:46:40 2001%"
        );
    }
}
