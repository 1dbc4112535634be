//! What orders rest on: instructions that are looked for in the finished kernel, and nothing else, unless it is said why.

use litmus::execution::{Answer, answer, answer_without_dependencies};
use litmus::order::{self, Order};
use litmus::program::Program;
use std::path::Path;

fn orders() -> Vec<Order> {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs it");
    order::read_all(&Path::new(&own).join("orders")).expect("they can be read")
}

/// Whether the order holds by what `code` lines name, `bare` of the order that the rest makes, and by dependencies.
fn holds(order: &Order, bare: bool, dependencies: bool) -> bool {
    let text = order.made_of(&order.named(), bare);
    let program = Program::parse(&text).expect("it was written by the order");
    let found = if dependencies {
        answer(&program)
    } else {
        answer_without_dependencies(&program)
    };
    found.expect("it can be answered") == Answer::Never
}

#[test]
fn orders_rest_on_what_is_looked_for() {
    let orders = orders();
    let mut wrong = Vec::new();
    for order in orders.iter().filter(|order| !order.code.is_empty()) {
        let (unnamed, depends) = (order.unnamed.is_some(), order.depends.is_some());
        if !holds(order, !unnamed, depends) {
            wrong.push(format!("{} rests on more than it names", order.name));
        }
        if unnamed && holds(order, true, depends) {
            wrong.push(format!("{} rests on nothing that is unnamed", order.name));
        }
        if depends && holds(order, !unnamed, false) {
            wrong.push(format!("{} rests on no dependency", order.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_kernel_with_a_weaker_barrier_is_noticed() {
    let orders = orders();
    let of = |name: &str, tag: &str, has: &str| {
        let order = orders
            .iter()
            .find(|order| order.name == name)
            .expect("it is there");
        let mut found = order.named();
        *found.get_mut(tag).expect("it is named") = has.to_owned();
        let program = Program::parse(&order.made_of(&found, true)).expect("it was written by the order");
        answer_without_dependencies(&program).expect("it can be answered")
    };
    assert_eq!(of("missed-wakeup", "f1", "DMB ISH"), Answer::Never);
    assert_eq!(of("missed-wakeup", "f1", "DMB ISHST"), Answer::Sometimes);
    assert_eq!(of("lock-handover", "rel", "STR"), Answer::Sometimes);
    assert_eq!(of("cow-replace", "s2", "DSB ISHST"), Answer::Sometimes);
}
