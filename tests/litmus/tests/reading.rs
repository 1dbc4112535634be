//! What is read wrongly answers nothing: each of these is refused, and says why.

use litmus::execution::{Answer, answer};
use litmus::order;
use litmus::program::Program;

const MESSAGE: &str = "AArch64 mp
{ 0:X0=x; 0:X1=f; 1:X0=x; 1:X1=f; }
 P0           | P1           ;
 MOV W2,#1    | LDR W3,[X1]  ;
 STR W2,[X0]  | DMB ISHLD    ;
 DMB ISHST    | LDR W4,[X0]  ;
 STR W2,[X1]  |              ;
exists (1:X3=1 /\\ 1:X4=0)
";

fn refused(text: &str, why: &str) {
    let said = match Program::parse(text) {
        Ok(program) => answer(&program).map(|answer| format!("{answer:?}")),
        Err(error) => Err(error),
    };
    let error = said.expect_err("it is wrong");
    assert!(format!("{error:#}").contains(why), "{error:#}");
}

#[test]
fn a_file_of_herd7_is_answered() {
    let program = Program::parse(MESSAGE).expect("it is one");
    assert_eq!(answer(&program).expect("it is known"), Answer::Never);
    let weaker = MESSAGE.replace("DMB ISHLD", "NOP      ");
    let program = Program::parse(&weaker).expect("it is one");
    assert_eq!(answer(&program).expect("it is known"), Answer::Sometimes);
    let other = MESSAGE.replace("1:X4=0)", "1:X4=0 \\/ not (1:X3=5))");
    let program = Program::parse(&other).expect("it is one");
    assert_eq!(answer(&program).expect("it is known"), Answer::Always);
}

#[test]
fn what_is_not_known_is_refused() {
    refused(&MESSAGE.replace("DMB ISHLD", "DMB ALL"), "no barrier: ALL");
    refused(&MESSAGE.replace("DMB ISHLD", "LDP W3,W4,[X1]"), "unknown");
    refused(
        &MESSAGE.replace("STR W2,[X0]", "STR W2,[X32]"),
        "no register: X32",
    );
    refused(&MESSAGE.replace("MOV W2,#1", "B L7"), "no label L7");
    refused(&MESSAGE.replace("0:X0=x; ", ""), "an access by Number(0)");
    refused(&MESSAGE.replace("exists", "never"), "no condition");
    refused(&MESSAGE.replace("AArch64", "X86"), "not for AArch64");
    refused(
        &MESSAGE.replace("mp\n", "mp\nVariant=memtag\n"),
        "unknown variant",
    );
    refused(&MESSAGE.replace("X4=0)", "X4=0"), "a bracket is open");
}

#[test]
fn orders_say_all_of_themselves() {
    let order = "order a\n  must: b\n  init: 0:X0=x\n  P0:\n    @t STR W1,[X0]\n  never: ([x]=1)\n  without t: never\n";
    assert_eq!(order::parse(order).expect("whole").len(), 1);
    for (part, other, why) in [
        ("  without t: never\n", "", "nothing is said of the tag t"),
        ("without t", "without u", "no line has the tag u"),
        ("  must: b\n", "", "says not what must hold"),
        ("@t STR W1,[X0]", "@t", "a tag without an instruction"),
        ("never: ([x]=1)", "perhaps: ([x]=1)", "unknown word: perhaps"),
        ("order a", "a", "a line of no order"),
    ] {
        let error = order::parse(&order.replacen(part, other, 1)).expect_err(why);
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}
