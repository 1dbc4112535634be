// The heart, in WebAssembly. Texts go through its memory.

const encoder = new TextEncoder();
const decoder = new TextDecoder();
let compiled = null;
let heart = null;
let recording = "";

// What stands in the page compressed.
export async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}

function say(text) {
  const bytes = encoder.encode(text);
  const at = heart.room(bytes.length);
  new Uint8Array(heart.memory.buffer, at, bytes.length).set(bytes);
}

function hear(length) {
  return decoder.decode(new Uint8Array(heart.memory.buffer, heart.answer_address(), length));
}

// Asks for something. A panic of the kernel is an error with its last words; the machine is of no use then until the next replay.
function ask(what, text) {
  try {
    if (text !== undefined) say(text);
    return hear(heart[what]());
  } catch (error) {
    let words = String(error);
    try {
      words = hear(heart.last_words()) || words;
    } catch {
      // It could not even say that.
    }
    throw new Error(words);
  }
}

export async function loadHeart(base64) {
  compiled = await WebAssembly.compile(await unpacked(base64));
}

// Machines begin with what this recording of a real run begins with; with one process if it is empty.
export function setRecording(text) {
  recording = text;
}

// A new machine, on which the commands have been performed.
export function replay(commands) {
  heart = new WebAssembly.Instance(compiled, {}).exports;
  ask("load", recording);
  const trouble = ask("replay", commands.join(","));
  if (trouble) throw new Error(trouble);
}

// Performs a command: what it did, or why it cannot be.
export function perform(command) {
  return JSON.parse(ask("perform", command));
}

// What there is to see after some commands, on a machine of their own.
export function stateOf(commands) {
  const shown = heart;
  try {
    replay(commands);
    return JSON.parse(stateText());
  } finally {
    heart = shown;
  }
}

export function stateText() {
  return ask("state");
}

export function sabotages() {
  return JSON.parse(ask("sabotages"));
}
