//! The kernel command line, which a boot loader hands over.

use formats::bootargs::CommandLine;

pub const WORDS: &[&[u8]] = &[
    b" ",
    b"\"",
    b"=",
    b"--",
    b"init=",
    b"rdinit=",
    b"console=",
    b"loglevel=",
    b"panic=",
    b"quiet",
    b".",
];

pub fn run(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let line = CommandLine::parse(text);
    assert_eq!(line.text(), text);
    for parameter in line.parameters() {
        assert!(!parameter.name.contains('='), "{parameter:?}");
        let value = parameter.value.map_or(0, |value| value.len() + 1);
        assert!(parameter.to_string().len() == parameter.name.len() + value);
        assert_eq!(parameter.value.is_some(), parameter.to_string().contains('='));
        if parameter.value.is_some() {
            assert!(line.value(parameter.name).is_some());
        } else {
            assert!(line.has_flag(parameter.name));
        }
    }
    assert!(line.consoles().all(|console| text.contains(console)));
    assert!(line.init_arguments().count() <= text.len());
    let environment: Vec<_> = line.init_environment().collect();
    for (index, (name, _)) in environment.iter().enumerate() {
        let comes_again = environment[index + 1..].iter().any(|(later, _)| later == name);
        assert!(!comes_again, "{name} twice");
    }
    line.loglevel();
    line.panic();
    line.init().is_some() || line.rdinit().is_some()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let lines: [&[u8]; 3] = [
        b"console=ttyAMA0,115200 console=tty1 root=PARTUUID=x rootwait quiet init=/bin/sh -- -c \"echo a  b\"",
        b"rdinit=/init loglevel=7 panic=-1 TERM=\"vt 100\" \"HOME=/a b\" single module.option=1 -- demo",
        b"maxcpus=2 fork=classic debug init=/init HOME=/root HOME=/ reboot=k",
    ];
    lines.map(<[u8]>::to_vec).to_vec()
}
