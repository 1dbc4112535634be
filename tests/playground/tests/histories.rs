//! Random histories: no program is ever shown what it should not see, the machine has nothing to complain of, and in the end every
//! frame is free again; a history gives the same state each time; a sabotaged machine shows.

use machine::random::Random;
use machine::sabotage::Sabotage;
use playground::{Kernel, State};

/// A command that a person might click next, seldom one that is refused.
fn click(kernel: &Kernel, dice: &mut Random, settings: &[&str]) -> String {
    let processes: Vec<u32> = kernel.processes.iter().map(|process| process.number).collect();
    if processes.is_empty() || dice.one_in(40) {
        return dice.pick(settings).to_string();
    }
    if dice.one_in(20) {
        return "y".to_owned();
    }
    let process = dice.pick(&processes);
    if dice.one_in(6) {
        return format!(
            "{}{process}",
            dice.pick(&["f", "f", "f", "v", "x", "e", "m", "p", "h", "b", "c", "t"])
        );
    }
    let pages: Vec<u64> = [0x400, 0x401, 0x402, 0x999, 0x7ff_fffe, 0x7ff_ffff]
        .into_iter()
        .chain(0x500..0x506)
        .chain(0x7fb_fff0..0x7fc_0000)
        .collect();
    let act = dice.pick(&["s", "s", "s", "l", "l", "i", "t", "u", "d", "r", "w", "n"]);
    format!("{act}{process}.{:x}", dice.pick(&pages))
}

fn json(state: &State) -> String {
    serde_json::to_string(state).expect("numbers and texts")
}

/// A history of `clicks` clicks, and the machine after it.
fn play(seed: u64, clicks: usize, settings: &[&str]) -> (Kernel, Vec<String>) {
    let mut kernel = Kernel::boot().expect("memory to begin with");
    let mut dice = Random::new(seed);
    let mut history = Vec::new();
    for _ in 0..clicks {
        let command = click(&kernel, &mut dice, settings);
        let Ok(report) = kernel.perform(&command) else {
            continue;
        };
        history.push(command);
        let (report, complaint) = (json_of(&report), kernel.mmu().complaint());
        assert!(
            !report.contains("\"word\":\"wrong\"") && complaint.is_none(),
            "seed {seed}: {report}\n{complaint:?}\nafter {history:?}"
        );
    }
    (kernel, history)
}

fn json_of(report: &playground::Report) -> String {
    serde_json::to_string(report).expect("numbers and texts")
}

const SETTINGS: [&str; 7] = ["+classic", "-classic", "+stack", "-stack", "o", "o2", "o9"];

#[test]
fn nobody_sees_what_is_not_theirs() {
    let whole = Kernel::boot().expect("memory to begin with");
    let free_at_first = whole.memory.frames().free_count();
    for seed in 0..12 {
        let settings: Vec<&str> = if seed % 2 == 0 {
            SETTINGS.into_iter().chain(["-unkind"]).collect()
        } else {
            SETTINGS.into_iter().chain(["+unkind"]).collect()
        };
        let (mut kernel, history) = play(seed, 700, &settings);
        let again = Kernel::replay(&history.join(",")).expect("memory to begin with");
        assert_eq!(
            json(&kernel.state()),
            json(&again.state()),
            "seed {seed}, replayed"
        );
        // One program in ample memory is left: then as much is free as when the first began.
        kernel.perform("o").expect("a setting");
        while let Some(process) = kernel.processes.last().map(|process| process.number) {
            kernel
                .perform(&format!("e{process}"))
                .expect("it lives, and awaits nobody younger");
        }
        assert!(kernel.memory.frames().free_count() > free_at_first, "seed {seed}");
        assert_eq!(
            kernel.memory.frames().count(kernel.memory.zero_frame()),
            1,
            "seed {seed}"
        );
        for frame in kernel.files.iter().flat_map(|file| file.pages()) {
            assert_eq!(
                kernel.memory.frames().count(*frame),
                1,
                "seed {seed}: a file's page is still mapped"
            );
        }
        let used = kernel
            .frames()
            .filter(|frame| kernel.memory.frames().count(*frame) != 0);
        assert_eq!(
            used.count(),
            1 + 5,
            "seed {seed}: the zero frame and the files' pages are left"
        );
        assert_eq!(kernel.memory.swap().usage().used, 0, "seed {seed}: slots");
    }
}

#[test]
fn a_missing_invalidation_shows_to_the_program() {
    let shown = |history: &str, last: &str| {
        let mut kernel = Kernel::replay(history).expect("memory to begin with");
        let report = kernel.perform(last).expect("it can be done");
        (json_of(&report), kernel.mmu().complaint())
    };
    let (_, complaint) = shown("s1.500,f1,s1.500", "l2.500");
    assert_eq!(complaint, None, "an honest machine");
    let (report, complaint) = shown("s1.500,=SwallowAside1is,f1,s1.500", "l2.500");
    assert!(report.contains("where it should find"), "{report}");
    assert!(complaint.is_some_and(|complaint| complaint.contains("stale")));
}

/// What a machine that disobeys leads to: `None` when nothing shows.
fn trouble(sabotage: Sabotage, seed: u64) -> Option<String> {
    let temper = if seed.is_multiple_of(2) {
        "-unkind"
    } else {
        "+unkind"
    };
    let caught = std::panic::catch_unwind(|| {
        let mut kernel = Kernel::boot().expect("memory to begin with");
        kernel.perform(temper).expect("a setting");
        kernel.perform(&format!("={sabotage:?}")).expect("a setting");
        let mut dice = Random::new(seed);
        (0..500).find_map(|_| {
            let report = kernel
                .perform(&click(&kernel, &mut dice, &["-stack", "+stack"]))
                .ok()?;
            let is_wrong = json_of(&report).contains("\"word\":\"wrong\"");
            is_wrong
                .then_some(report.sentence)
                .or_else(|| kernel.mmu().complaint())
        })
    });
    caught.unwrap_or_else(|_| Some("a panic".to_owned()))
}

/// What clicks cannot show: there is none for mremap(2), and a page is shown by its first word.
const UNSEEN: [&str; 3] = ["OpenMovedTable", "PartialCopyFrame", "SwallowFlushOfMovedTable"];

/// Whoever clicks around on a machine that disobeys is shown it, and never waits for ever.
#[test]
fn sabotages_show_to_who_clicks_around() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let unnoticed: Vec<String> = Sabotage::ALL
        .into_iter()
        .filter(|sabotage| !UNSEEN.contains(&format!("{sabotage:?}").as_str()))
        .filter(|sabotage| (0..10).all(|seed| trouble(*sabotage, seed).is_none()))
        .map(|sabotage| format!("{sabotage:?}"))
        .collect();
    std::panic::set_hook(loud);
    assert!(unnoticed.is_empty(), "not noticed: {unnoticed:?}");
}

#[test]
fn what_is_no_command_is_refused() {
    let mut kernel = Kernel::boot().expect("memory to begin with");
    let before = json(&kernel.state());
    for nonsense in [
        "",
        "z1",
        "f",
        "f7",
        "s1",
        "s1.",
        "s1.zz",
        "s1.fffffffffffffffff",
        "s9.500",
        "=Nothing",
        "o-1",
        "+",
        "é1",
    ] {
        assert!(kernel.perform(nonsense).is_err(), "{nonsense}");
    }
    assert_eq!(json(&kernel.state()), before);
    // Its low bits are those of the stack's page.
    let report = kernel.perform("l1.fffffffffffff").expect("an address");
    assert!(json_of(&report).contains("SEGV_MAPERR"), "{report:?}");
}
