//! A line of tracefs, taken apart.

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// The thread's name, its number, and its process's.
    pub name: &'a str,
    pub tid: u32,
    pub pid: u32,
    pub cpu: u32,
    /// Seconds and microseconds, as microseconds.
    pub micros: u64,
    /// `fault`, `call`, `access`, `exec`, `exit`, `switch` or `swap`.
    pub event: &'a str,
    /// What is said of it.
    pub about: &'a str,
}

impl<'a> Line<'a> {
    /// `None`: it is no record.
    pub fn parse(line: &'a str) -> Option<Line<'a>> {
        if line.starts_with('#') {
            return None;
        }
        let (who, rest) = line.rsplit_once(") [")?;
        let (thread, pid) = who.rsplit_once(" (")?;
        let (name, tid) = thread.rsplit_once('-')?;
        let (cpu, rest) = rest.split_once(']')?;
        let (time, rest) = rest.split_once(": ")?;
        let (event, about) = rest.split_once(':')?;
        let (seconds, micros) = time.trim().split_once('.')?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        Some(Line {
            name: name.trim_start(),
            tid: number(tid)? as u32,
            pid: number(pid)? as u32,
            cpu: number(cpu)? as u32,
            micros: number(seconds)? * 1_000_000 + number(micros)?,
            event,
            about: about.trim_start(),
        })
    }

    /// What it may be called: the call, or the fault with its kind.
    pub fn title(&self) -> &'a str {
        match self.event {
            "fault" => self.value("access").unwrap_or("fault"),
            "call" => self.about.split('(').next().unwrap_or(self.event),
            "access" => self.about.split(' ').next().unwrap_or(self.event),
            _ => self.event,
        }
    }

    /// All that stands as `name=number`.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.about.split(' ').filter_map(|word| word.split_once('='))
    }

    /// What stands behind `name=`.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.values()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The number behind `name=`; 0 without it.
    pub fn count(&self, name: &str) -> u64 {
        self.value(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart() {
        let text = "           a-b c-42      (     41) [003]    12.000345: fault: address=0x7000 access=write ns=812 cow_copied=1";
        let line = Line::parse(text).expect("it is a record");
        assert_eq!((line.name, line.tid, line.pid, line.cpu), ("a-b c", 42, 41, 3));
        assert_eq!(
            (line.micros, line.event, line.title()),
            (12_000_345, "fault", "write")
        );
        assert_eq!(
            (line.count("ns"), line.count("cow_copied"), line.count("none")),
            (812, 1, 0)
        );
        let call = Line::parse(
            "sh-7       (      7) [000]     1.000000: call: munmap(0x1000, 0x2000, 0x0) = -22 ns=9",
        );
        assert_eq!(
            call.map(|line| (line.title(), line.count("ns"))),
            Some(("munmap", 9))
        );
        let end = Line::parse("sh-7       (      7) [000]     1.000000: exit:");
        assert_eq!(end.map(|line| (line.title(), line.about)), Some(("exit", "")));
        assert_eq!(Line::parse("# tracer: nop"), None);
        assert_eq!(Line::parse(""), None);
    }
}
