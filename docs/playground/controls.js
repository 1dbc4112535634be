// Undo, begin anew, share; and what the machine and the kernel are like.

import { sabotages, setRecording } from "./heart.js";
import { make, show } from "./dom.js";
import { act } from "./processes.js";
import { changed, command, fragment, openRecording, restart, session, undo } from "./session.js";

let names = [];
let meanings = {};

export function setMeanings(all) {
  meanings = all;
}

let sample = "";

export function setSample(text) {
  sample = text;
}

const EXAMPLES = [
  ["a TLBI that is missing", "The parent's processor still holds its page as writable after the fork: its next store reaches the child.", ["s1.500", "=SwallowAside1is", "f1", "s1.500", "l2.500"]],
  ["a copy that is not made", "A frame is taken for the child's page, but nothing is copied to it: at the fork, that is the stack page.", ["s1.500", "=SwallowCopyFrame", "f1", "l2.7ffffff"]],
  ["unkind processors", "They walk ahead and keep everything that the architecture lets them keep. Nothing breaks.", ["+unkind", "s1.500", "s1.501", "f1", "s2.500", "s1.500", "l2.501", "s1.501"]],
];

function choice(name, key, title, options, value) {
  return make(
    "label",
    { title },
    name,
    make(
      "select",
      { "data-key": key, onchange: (event) => act(event.target.value) },
      options.map(([command, text, isSet]) => make("option", { value: command, selected: isSet }, text)),
    ),
  );
}

async function share(event) {
  const address = location.href.split("#")[0] + fragment();
  try {
    await navigator.clipboard.writeText(address);
    event.target.textContent = "address copied";
  } catch {
    prompt("The address of what you see:", address);
  }
}

function spaced(name) {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
}

// What both schemes cost for the same history: that of this page, replayed under the other one by a machine of its own.
export function showControls() {
  const { state } = session;
  if (!names.length) names = sabotages();
  show(
    "controls",
    make(
      "div",
      { class: "buttons" },
      make("button", { "data-key": "undo", class: "main", disabled: !session.history.length, onclick: () => { undo(); changed(); } }, "↶ undo"),
      make("button", { "data-key": "restart", onclick: () => { session.tour = null; restart([]); changed(); } }, "begin anew"),
      make("button", { "data-key": "share", onclick: share }, "share"),
    ),
    ...playing(state),
    make(
      "details",
      { class: "settings", open: settingsOpen, ontoggle: (event) => { settingsOpen = event.target.open; } },
      make("summary", {}, "Settings", make("small", {}, ", recordings"), make("small", {}, ` ${summary(state)}`)),
      make(
        "div",
        { class: "choices" },
        choice("fork", "scheme", "fork=classic copies all tables", [
          ["-classic", "shares the tables", state.scheme === "shared"],
          ["+classic", "copies the tables (classic)", state.scheme === "classic"],
        ]),
        choice("stack page", "stack", "The page under the stack pointer, which both sides write at once", [
          ["+stack", "copied at fork", state.stack_page === "copied"],
          ["-stack", "shared like the rest", state.stack_page === "shared"],
        ]),
        choice("processors", "temper", "Unkind processors do whatever the architecture allows, at the worst moment", [
          ["-unkind", "plain", !state.is_unkind],
          ["+unkind", "unkind", state.is_unkind],
        ]),
        choice("memory", "memory", "Somebody else takes the rest", [
          ["o", "ample", state.held === 0],
          ["o3", "3 frames left", state.held > 0 && state.free > 0],
          ["o0", "none left", state.held > 0 && state.free === 0],
        ]),
        choice("sabotage", "sabotage", "The machine disobeys in one way: see what breaks", [
          ["=", "none", state.sabotage === null],
          ...names.map((name) => [`=${name}`, spaced(name), state.sabotage === name]),
        ]),
      ),
      recordings(),
      state.sabotage && make("p", { class: "hint" }, `Sabotage: ${meanings[state.sabotage] ?? state.sabotage}`),
      make(
        "div",
        { class: "buttons" },
        make("span", { class: "hint" }, "See"),
        EXAMPLES.map(([name, title, commands]) =>
          make(
            "button",
            {
              title,
              "data-key": `example-${name}`,
              onclick: () => {
                session.tour = null;
                setRecording("");
                restart(commands);
                changed();
              },
            },
            name,
          ),
        ),
      ),
    ),
  );
}

let settingsOpen = false;

async function read(event) {
  const [file] = event.target.files;
  if (file) opened(await file.text());
}

function opened(text) {
  openRecording(text);
  changed();
}

function playToEnd() {
  for (let { at, total } = session.state.playback; at < total; at++) command("n");
  changed();
}

// A run that cowtrace -r recorded on a board, done again by the same code.
function recordings() {
  return make(
    "div",
    { class: "buttons" },
    make("button", { "data-key": "sample", title: "Recorded by cowtrace -r: two forks, stores, an end", onclick: () => opened(sample) }, "a recorded run"),
    make("label", { title: "What cowtrace -r FILE wrote on the board" }, "or yours ", make("input", { type: "file", "data-key": "recording", onchange: read })),
  );
}

function playing({ playback }) {
  if (!playback) return [];
  const left = playback.total - playback.at;
  return [
    make(
      "div",
      { class: "buttons" },
      make("button", { "data-key": "next-record", class: "main", disabled: !left, onclick: () => act("n") }, "next record"),
      make("button", { "data-key": "all-records", disabled: !left, onclick: playToEnd }, "to its end"),
      make("button", { "data-key": "close-recording", onclick: () => opened("") }, "close it"),
    ),
    make("p", { class: "hint", "data-key": "playback" }, `Record ${playback.at} of ${playback.total}. ${playbackText(playback)}`),
  ];
}

function playbackText({ next, differences }) {
  if (differences.length) return `It differs from the board: ${differences.join("; ")}`;
  return next ? `Next: ${next}` : "All is as /proc showed it on the board.";
}

function summary(state) {
  const unusual = [];
  if (state.scheme === "classic") unusual.push("classic fork");
  if (state.stack_page === "shared") unusual.push("stack page shared");
  if (state.is_unkind) unusual.push("unkind processors");
  if (state.sabotage) unusual.push(`sabotage: ${spaced(state.sabotage)}`);
  if (state.held) unusual.push("memory short");
  return unusual.join(", ") || "as the kernel boots";
}
