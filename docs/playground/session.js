// What has been done, and the way back: a history of commands, which the address of the page holds.

import { perform, replay, setRecording, stateText } from "./heart.js";

export const session = {
  history: [],
  state: null,
  report: null,
  panic: null,
  // What is looked at.
  selected: null,
  step: 0,
  tour: null,
};

const watchers = [];

export function watch(watcher) {
  watchers.push(watcher);
}

export function changed() {
  for (const watcher of watchers) watcher();
}

function look() {
  session.state = JSON.parse(stateText());
}

function guarded(act) {
  try {
    act();
    look();
    session.panic = null;
  } catch (error) {
    session.panic = error.message;
  }
}

// Does one command; whether it could be done.
export function command(text) {
  if (session.panic) return false;
  let isDone = false;
  guarded(() => {
    const answer = perform(text);
    if (answer.ok) {
      session.history.push(text);
      session.report = answer.ok;
      session.step = null;
      isDone = true;
    } else {
      session.report = { word: "refused", sentence: answer.error, steps: [], faults: [], command: text };
    }
  });
  if (session.panic) session.history.push(text);
  note();
  return isDone;
}

// Begins anew, with these commands done.
export function restart(commands) {
  session.history = [];
  session.report = null;
  session.step = 0;
  session.selected = null;
  const last = commands.at(-1);
  guarded(() => replay(commands.slice(0, -1)));
  session.history = commands.slice(0, -1);
  if (last !== undefined) command(last);
  else note();
}

// The same, with a recording or without one.
export function openRecording(text) {
  session.tour = null;
  setRecording(text);
  restart([]);
}

export function undo() {
  const selected = session.selected;
  restart(session.history.slice(0, -1));
  session.selected = selected;
}

// The address of the page says what has been done, and which tour is open.
export function fragment() {
  if (session.state?.playback) return "";
  const parts = [];
  if (session.tour) parts.push(`q=${session.tour.number}.${session.tour.at}`);
  if (session.history.length) parts.push(`h=${session.history.join(",")}`);
  return parts.length ? `#${parts.join("&")}` : "";
}

const LONGEST_ADDRESS = 4000;

export function note() {
  const address = fragment();
  if (address.length > LONGEST_ADDRESS) return;
  try {
    history.replaceState(null, "", address || location.pathname);
  } catch {
    // A page from a file may not be allowed to.
  }
}

export function readFragment() {
  const parts = new URLSearchParams(decodeURIComponent(location.hash.slice(1)).replaceAll("+", "%2B"));
  const [question, at] = (parts.get("q") ?? "").split(".");
  return {
    question: Number(question) || 0,
    at: Number(at) || 0,
    history: (parts.get("h") ?? "").split(",").filter(Boolean),
  };
}
