//! Scripts, patterns and arithmetic of the shell.

use std::collections::HashMap;
use userland::shell::arithmetic::{Variables, evaluate};
use userland::shell::parser::parse;
use userland::shell::pattern::{escape, matches, unescape};

pub const WORDS: &[&[u8]] = &[
    b"if ",
    b"then ",
    b"fi\n",
    b"for i in ",
    b"do ",
    b"done\n",
    b"case ",
    b"esac\n",
    b"$((",
    b"))",
    b"$(",
    b"${",
    b"}",
    b"`",
    b"<<E\n",
    b"E\n",
    b"&&",
    b"||",
    b";;",
    b"'",
    b"\"",
    b"[[ ",
    b" ]]",
    b"[!a-z]",
    b"*",
    b"!",
    b"2>&1",
];

struct Shell(HashMap<String, String>);

impl Variables for Shell {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }
}

/// The whole is a script; its first line is arithmetic, and a pattern for the second.
pub fn run(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let mut lines = text.lines();
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut variables = Shell(HashMap::from([("i".to_owned(), "3".to_owned())]));
    let value = evaluate(first, &mut variables);
    assert!(value.is_ok() || !first.trim().is_empty());
    matches(first, second);
    assert!(
        matches(&escape(first), first),
        "a pattern without meaning is itself"
    );
    assert_eq!(unescape(&escape(first)), first);
    parse(text).is_ok() || value.is_ok()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let scripts: [&[u8]; 6] = [
        b"(i + 2) * -3 % 4 << 1 == 7 ? 1 : 0",
        b"i = 0x1f || ! ~2 && 3 > 2",
        b"for i in a \"b c\" $(ls); do case $i in [!a-c]*|?) echo ${i%%.*} 2>&1;; esac; done",
        b"if [[ -f x && ! a == b* ]]; then cat <<E | sort &\nhere $((1 + i))\nE\nelse f() { echo `pwd`; }; fi",
        b"while read line; do echo \"${line:-none}\" >> out; done < in && { echo; } || (exit 1)",
        b"a*[b-d]\\?\nabcd?",
    ];
    scripts.map(<[u8]>::to_vec).to_vec()
}
