//! The small programs in one: it does what the name says by which it is called (`ls`, `cat`, ...; all links to it), or
//! what its first argument says. `holstein-box` alone lists the names.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

use userland::applets::{self, APPLETS};
use userland::runtime::path::base_name;
use userland::{eprintln, println};

userland::entry!(program);

fn program(arguments: &[&str]) -> i32 {
    let name = arguments.first().map_or("", |name| base_name(name));
    if let Some(status) = applets::run(name, arguments) {
        return status;
    }
    let Some(name) = arguments.get(1) else {
        APPLETS.iter().for_each(|(name, ..)| println!("{name}"));
        return 0;
    };
    applets::run(name, &arguments[1..]).unwrap_or_else(|| {
        eprintln!("holstein-box: {name}: no such program");
        127
    })
}
