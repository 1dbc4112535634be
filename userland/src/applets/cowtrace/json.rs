//! Records as Trace Event Format: what Perfetto (ui.perfetto.dev) and chrome://tracing open. A slice for each record on the row of its
//! thread; what the heart did for it stands among its arguments.

use super::line::Line;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// The whole file.
pub fn of<'a>(lines: impl Iterator<Item = Line<'a>>) -> String {
    let mut text = String::from("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    let mut names: Vec<(u32, u32, &str)> = Vec::new();
    let mut separator = "";
    for line in lines {
        // A String takes all that is written to it.
        let _ = write!(text, "{separator}{}", Slice(&line));
        separator = ",\n";
        match names.iter_mut().find(|(_, tid, _)| *tid == line.tid) {
            Some(known) => known.2 = line.name,
            None => names.push((line.pid, line.tid, line.name)),
        }
    }
    for (pid, tid, name) in names {
        let name = Quoted(name);
        let _ = write!(
            text,
            "{separator}{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{pid},\"tid\":{tid},\"args\":{{\"name\":{name}}}}}"
        );
        separator = ",\n";
        if pid == tid {
            let _ = write!(
                text,
                "{separator}{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{pid},\"args\":{{\"name\":{name}}}}}"
            );
        }
    }
    text.push_str("\n]}\n");
    text
}

struct Slice<'a>(&'a Line<'a>);

impl core::fmt::Display for Slice<'_> {
    fn fmt(&self, to: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let line = self.0;
        let nanoseconds = line.count("ns");
        write!(
            to,
            "{{\"ph\":\"X\",\"name\":{},\"cat\":{},\"ts\":{},\"dur\":{}.{:03},\"pid\":{},\"tid\":{},\"args\":{{\"cpu\":{},\"what\":{}",
            Quoted(line.title()),
            Quoted(line.event),
            line.micros,
            nanoseconds / 1000,
            nanoseconds % 1000,
            line.pid,
            line.tid,
            line.cpu,
            Quoted(line.about)
        )?;
        for (name, value) in line.values().filter(|(_, value)| value.parse::<u64>().is_ok()) {
            write!(to, ",{}:{value}", Quoted(name))?;
        }
        to.write_str("}}")
    }
}

/// A string of JSON.
struct Quoted<'a>(&'a str);

impl core::fmt::Display for Quoted<'_> {
    fn fmt(&self, to: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        to.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(to, "\\{character}")?,
                control if (control as u32) < 0x20 => write!(to, "\\u{:04x}", control as u32)?,
                other => to.write_char(other)?,
            }
        }
        to.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_may_hold_is_quoted() {
        let lines = "a\"b\\-7       (      7) [002]     1.000002: fault: address=0x10 access=read ns=1203 zero_shared=1";
        let text = of(lines.lines().filter_map(Line::parse));
        assert!(
            text.contains(r#""ph":"X","name":"read","cat":"fault","ts":1000002,"dur":1.203,"pid":7,"tid":7"#)
        );
        assert!(text.contains(r#""ns":1203,"zero_shared":1}}"#));
        assert!(text.contains(r#""args":{"name":"a\"b\\"}"#));
    }
}
