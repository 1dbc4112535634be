//! Hardware in the loop: a real board at the other end of a serial device is switched on, told what to do, and believed only what it
//! prints. `hil --tty DEVICE --power COMMAND [--tftp FOLDER] [--seconds N] [--reboots N] [--out FOLDER]`.
//!
//! COMMAND, given to the shell, must take the board's power away and give it back. With a FOLDER of a TFTP server the image goes there
//! first; else the board boots what its card holds. Writes `report.txt` and the raw `hil.log`; ends with what passed and what failed.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::files;
use tests::session::{Session, Transcript};

/// Between two keys: nobody types faster, and no adapter loses any of it.
const PACE: Duration = Duration::from_millis(2);
/// From power to the shell: the firmware takes some seconds, and a network boot more.
const BOOT: Duration = Duration::from_secs(180);
/// The longest that one command may take on a board.
const STEP: Duration = Duration::from_secs(300);
const PROMPT: &str = r"(?m)^holstein:\S* ?# $";
/// Text that ends the run, wherever it appears.
const CRASH: &str = r"\*\*\* kernel|panicked at|[Kk]ernel panic";

/// What is wanted.
struct Wanted {
    tty: PathBuf,
    power: String,
    tftp: Option<PathBuf>,
    /// How long the board is kept busy.
    seconds: u64,
    reboots: u32,
    out: PathBuf,
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Wanted> {
    let (mut tty, mut power, mut tftp) = (None, None, None);
    let (mut seconds, mut reboots) = (600, 50);
    let mut out = files::built().join("hil");
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--tty" => tty = Some(value.into()),
            "--power" => power = Some(value),
            "--tftp" => tftp = Some(value.into()),
            "--seconds" => seconds = value.parse()?,
            "--reboots" => reboots = value.parse()?,
            "--out" => out = value.into(),
            _ => bail!("{word} is not known"),
        }
    }
    Ok(Wanted {
        tty: tty.context("--tty DEVICE")?,
        power: power.context("--power COMMAND")?,
        tftp,
        seconds,
        reboots,
        out,
    })
}

/// The files that a network boot takes, beside the firmware's own.
fn give_to_server(folder: &Path) -> Result<()> {
    let card = files::built().join("card");
    for name in [
        "kernel8.img",
        "initramfs.cpio",
        "config.txt",
        "cmdline.txt",
        "bcm2711-rpi-4-b.dtb",
    ] {
        let from = files::existing(card.join(name))?;
        std::fs::copy(&from, folder.join(name)).with_context(|| format!("{name} to {}", folder.display()))?;
    }
    // Who boots by the network need not have a card: the root is the initramfs, which comes before one that cmdline.txt names.
    let config = folder.join("config.txt");
    let text = std::fs::read_to_string(&config)?.replace("\n#initramfs ", "\ninitramfs ");
    std::fs::write(&config, text)?;
    let line = folder.join("cmdline.txt");
    let text = std::fs::read_to_string(&line)?;
    std::fs::write(&line, format!("{} pmu=programs\n", text.trim_end()))?;
    Ok(())
}

/// Switches the board off and on, and listens.
fn power_cycle(wanted: &Wanted) -> Result<(Session, Arc<Transcript>)> {
    let status = Command::new("sh")
        .args(["-c", &wanted.power])
        .status()
        .context("the command that switches power")?;
    ensure!(
        status.success(),
        "the command that switches power ended with {status}"
    );
    let end = Instant::now() + Duration::from_secs(10);
    while !wanted.tty.exists() {
        ensure!(Instant::now() < end, "{} is not there", wanted.tty.display());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut bridge = Command::new("sh");
    bridge.args(["-c", BRIDGE, "bridge"]).arg(&wanted.tty);
    let limit = BOOT + STEP * 4 + Duration::from_secs(wanted.seconds) + BOOT * wanted.reboots;
    let (mut board, transcript) = Session::start(bridge, None, PROMPT, Instant::now() + limit)?;
    board.set_pace(PACE);
    board.set_step(BOOT);
    Ok((board, transcript))
}

/// Standard input to the device $1, and what comes from it to standard output; ends with either.
const BRIDGE: &str = r#"
exec 3<>"$1"
stty raw -echo 115200 <&3
cat <&3 &
cat >&3
kill $!
"#;

/// One step, and what it adds to the report.
type Step = fn(&mut Session, &Wanted) -> Result<String>;

const STEPS: &[(&str, Step)] = &[
    ("boot", boot),
    ("report", report),
    ("shell", shell),
    ("demos", demos),
    ("bench", bench),
    ("stress", stress),
    ("reboots", reboots),
    ("power-off", power_off),
];

fn boot(board: &mut Session, _: &Wanted) -> Result<String> {
    let banner = board.expect(r"Holstein \d\S* on .*$")?;
    board.expect_prompt()?;
    board.set_step(STEP);
    Ok(banner.lines().last().unwrap_or_default().to_owned())
}

fn report(board: &mut Session, _: &Wanted) -> Result<String> {
    let text = board.run("cat /proc/board")?;
    ensure!(
        text.contains("BEGIN Holstein") && text.contains("END board report"),
        "no report: {text:?}"
    );
    ensure!(!text.contains("FAILED"), "the self test failed:\n{text}");
    Ok(text)
}

fn shell(board: &mut Session, _: &Wanted) -> Result<String> {
    for (command, output) in [
        ("echo $((6 * 7))", "42\n"),
        ("seq 1 500 | sort -rn | head -n 1", "500\n"),
        ("seq 1 20000 | tail -n 1; seq 1 20000 | wc -l", "20000\n20000\n"),
        ("for i in 1 2 3; do (echo $i); done | wc -l", "3\n"),
        ("sh -c 'exit 37'; echo $?", "37\n"),
        ("echo one two > /tmp/hil; cat /tmp/hil; rm /tmp/hil", "one two\n"),
    ] {
        let printed = board.run(command)?;
        ensure!(
            printed == output,
            "{command:?} printed {printed:?}, not {output:?}"
        );
    }
    Ok(String::new())
}

fn demos(board: &mut Session, _: &Wanted) -> Result<String> {
    let text = board.run("cow all")?;
    let failed: Vec<&str> = text.lines().filter(|line| line.starts_with("FAILED")).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    let last = text
        .lines()
        .rfind(|line| line.contains(" passed"))
        .context("no demo was played")?;
    Ok(last.to_owned())
}

/// What they cost in time; and in cycles and instructions, where the board's command line lets `bench` read the counters
/// (`pmu=programs`).
fn bench(board: &mut Session, _: &Wanted) -> Result<String> {
    const ROWS: &str = "null_call fork switch pipe_round_trip demand_zero";
    let report = board.run("cat /proc/board")?;
    let has_counters = report.contains("performance counters: cycles and instructions");
    let cycles = if has_counters { "cycles " } else { "" };
    let text = board.run(&format!("bench {cycles}{ROWS}"))?;
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("bench")).collect();
    ensure!(
        rows.iter().any(|row| row.starts_with("bench-end")),
        "the bench did not end: {text:?}"
    );
    if !has_counters {
        return Ok(rows.join("\n"));
    }
    let table = rows
        .iter()
        .filter(|row| row.starts_with("bench\t"))
        .map(|row| counted(row))
        .collect::<Result<Vec<String>>>()?;
    ensure!(
        table.iter().any(|row| !row.ends_with('-')),
        "the processor counted nothing: {text:?}"
    );
    Ok(format!("{}\n{HEADER}\n{}", rows.join("\n"), table.join("\n")))
}

const HEADER: &str = "row                        ns      cycles  instructions";

/// A row of the bench as one of a table: its name, nanoseconds, PMCCNTR and INST_RETIRED for one operation; `-` where the
/// part that counts is a child's.
fn counted(row: &str) -> Result<String> {
    let fields: Vec<&str> = row.split('\t').collect();
    let [_, name, _, nanoseconds, .., counts] = fields[..] else {
        bail!("no row: {row:?}");
    };
    let count = |wanted: &str| {
        let mut named = counts.split(',').filter_map(|count| count.split_once('='));
        named
            .find(|(name, _)| *name == wanted)
            .map_or("-", |(_, count)| count)
    };
    Ok(format!(
        "{name:<16} {nanoseconds:>12} {:>11} {:>13}",
        count("cycles"),
        count("instructions")
    ))
}

/// Programs on all processors that fork, map, write and end, until the time is over.
fn stress(board: &mut Session, wanted: &Wanted) -> Result<String> {
    const ROUND: &str = "for n in 1 2 3 4 5 6 7 8; do (seq 1 3000 | sort -n | wc -l) & done; wait";
    let end = Instant::now() + Duration::from_secs(wanted.seconds);
    let mut rounds = 0;
    while Instant::now() < end {
        let text = board.run(ROUND)?;
        let sorted = text.lines().filter(|line| *line == "3000").count();
        ensure!(sorted == 8, "round {rounds}: {text:?}");
        rounds += 1;
    }
    Ok(format!("{rounds} rounds"))
}

fn reboots(board: &mut Session, wanted: &Wanted) -> Result<String> {
    for number in 1..=wanted.reboots {
        board.set_step(BOOT);
        board.type_line("reboot")?;
        board
            .expect("reboot: Restarting system$")
            .with_context(|| format!("reboot {number}"))?;
        board
            .expect(r"Holstein \d")
            .with_context(|| format!("reboot {number}"))?;
        board
            .expect_prompt()
            .with_context(|| format!("reboot {number}"))?;
    }
    board.set_step(STEP);
    Ok(format!("{} times", wanted.reboots))
}

fn power_off(board: &mut Session, _: &Wanted) -> Result<String> {
    board.type_line("poweroff")?;
    board.expect("reboot: Power down$")?;
    Ok(String::new())
}

/// Plays all steps; the first that fails is the last. Returns the report, and whether all passed.
fn play(wanted: &Wanted) -> Result<(String, bool)> {
    if let Some(folder) = &wanted.tftp {
        give_to_server(folder)?;
    }
    let (mut board, transcript) = power_cycle(wanted)?;
    let mut text = String::new();
    let mut is_good = true;
    for (name, step) in STEPS {
        let start = Instant::now();
        let outcome = step(&mut board, wanted).and_then(|found| without_crash(&transcript, found));
        let seconds = start.elapsed().as_secs_f32();
        let (word, more) = match &outcome {
            Ok(found) => ("ok    ", found.clone()),
            Err(error) => ("FAILED", format!("{error:#}")),
        };
        let line = format!("{word} {name:<12} {seconds:8.1} s\n{}\n", more.trim_end());
        print!("{line}");
        text += &line;
        is_good &= outcome.is_ok();
        if !is_good {
            break;
        }
    }
    std::fs::write(wanted.out.join("hil.log"), transcript.text())?;
    Ok((text, is_good))
}

fn without_crash(transcript: &Transcript, found: String) -> Result<String> {
    let text = transcript.text();
    let crash = regex::Regex::new(CRASH)?
        .find(&text)
        .map(|found| found.as_str().to_owned());
    ensure!(crash.is_none(), "the kernel crashed: {crash:?}");
    Ok(found)
}

fn run() -> Result<bool> {
    let wanted = wanted(std::env::args().skip(1))?;
    std::fs::create_dir_all(&wanted.out).with_context(|| wanted.out.display().to_string())?;
    let (text, is_good) = play(&wanted)?;
    let report = wanted.out.join("report.txt");
    std::fs::write(&report, text).with_context(|| report.display().to_string())?;
    println!("{}, and the raw log beside it", report.display());
    Ok(is_good)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hil: {error:#}");
            ExitCode::FAILURE
        }
    }
}
