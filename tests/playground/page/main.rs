//! `playground replay [RECORDING] < HISTORY`: the state after a history, as the page has it. `playground page WASM OUT`: puts the page together.

mod assemble;

use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["replay"] => replay(""),
        ["replay", recording] => std::fs::read_to_string(recording)
            .map_err(|error| format!("{recording}: {error}"))
            .and_then(|text| replay(&text)),
        ["page", wasm, out] => assemble::build(wasm.as_ref(), out.as_ref()),
        _ => Err("usage: playground replay [RECORDING] < HISTORY, or playground page WASM OUT".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("playground: {why}");
            ExitCode::FAILURE
        }
    }
}

fn replay(recording: &str) -> Result<(), String> {
    let mut history = String::new();
    std::io::stdin()
        .read_to_string(&mut history)
        .map_err(|error| error.to_string())?;
    let state = playground::Kernel::replay_on(recording, &history)?.state();
    println!(
        "{}",
        serde_json::to_string(&state).map_err(|error| error.to_string())?
    );
    Ok(())
}
