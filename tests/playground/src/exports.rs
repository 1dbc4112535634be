//! What the page calls. Texts go through two buffers in linear memory: the page writes a command to one and reads the answer, JSON,
//! from the other. A browser runs this on one thread.

use crate::kernel::Kernel;
use crate::settings::Settings;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::panic::PanicInfo;
use machine::sabotage::Sabotage;
use spin::Mutex;

#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The machine that is shown.
struct Shown(Option<Kernel>);

// SAFETY: the module has no shared memory, so one thread alone ever runs in it.
unsafe impl Send for Shown {}

static KERNEL: Mutex<Shown> = Mutex::new(Shown(None));
static ASKED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static RECORDING: Mutex<String> = Mutex::new(String::new());
static ANSWER: Mutex<String> = Mutex::new(String::new());
static LAST_WORDS: Mutex<String> = Mutex::new(String::new());

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    *LAST_WORDS.lock() = info.to_string();
    core::arch::wasm32::unreachable()
}

fn answer(text: String) -> usize {
    let mut answer = ANSWER.lock();
    *answer = text;
    answer.len()
}

/// Room for a text of `len` bytes from the page.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn room(len: usize) -> *const u8 {
    let mut asked = ASKED.lock();
    *asked = vec![0; len];
    asked.as_ptr()
}

/// Where the answer is; its length is what the other functions return.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn answer_address() -> *const u8 {
    ANSWER.lock().as_ptr()
}

/// The recording that machines begin with from now on.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn load() -> usize {
    *RECORDING.lock() = text();
    answer(String::new())
}

/// A new machine, after the history that was asked for; the answer is empty, or says what went wrong.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn replay() -> usize {
    let history = text();
    let mut shown = KERNEL.lock();
    match Kernel::replay_on(&RECORDING.lock(), &history) {
        Ok(kernel) => {
            shown.0 = Some(kernel);
            answer(String::new())
        }
        Err(why) => answer(why),
    }
}

/// Performs the command that was asked for: `{"ok": report}` or `{"error": why}`.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn perform() -> usize {
    let command = text();
    let mut shown = KERNEL.lock();
    let Some(kernel) = &mut shown.0 else {
        return answer(format!("{:?}", Settings::USUAL));
    };
    answer(match kernel.perform(&command) {
        Ok(report) => format!("{{\"ok\":{}}}", json(&report)),
        Err(why) => format!("{{\"error\":{}}}", json(&why)),
    })
}

/// Everything that there is to see.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn state() -> usize {
    let shown = KERNEL.lock();
    answer(
        shown
            .0
            .as_ref()
            .map_or_else(String::new, |kernel| json(&kernel.state())),
    )
}

/// The ways in which the machine can disobey.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn sabotages() -> usize {
    let names = Sabotage::ALL.map(crate::command::sabotage_name);
    answer(json(&names.as_slice()))
}

/// What a panic said.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn last_words() -> usize {
    let words = LAST_WORDS.lock().clone();
    answer(words)
}

fn text() -> String {
    String::from_utf8_lossy(&ASKED.lock()).into_owned()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}
