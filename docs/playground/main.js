// The page: everything is drawn anew after each command.

import { setMeanings, setSample, showControls } from "./controls.js";
import { loadHeart, unpacked } from "./heart.js";
import { showMachine } from "./machine.js";
import { showProcesses } from "./processes.js";
import { changed, readFragment, restart, session, undo, watch } from "./session.js";
import { move, setSources, showSteps } from "./steps.js";
import { openTour, showTour } from "./tour.js";
import { TOURS } from "./tours.js";
import { showTree } from "./tree.js";

function showReport() {
  const place = document.getElementById("report");
  const { panic, report, state } = session;
  const complaint = state?.complaint?.split("\n")[0];
  if (panic) {
    place.className = "panic";
    place.textContent = `The kernel panics: ${panic}\nUndo, or begin anew.`;
  } else if (report) {
    place.className = complaint ? "wrong" : report.word;
    place.textContent = report.sentence + (complaint ? `\nThe machine complains: ${complaint}` : "");
  } else {
    place.className = "";
    place.textContent = "One process has just been started. Nothing of its heap is there yet. Store to a page, then fork.";
  }
}

// What a question is about stands first beside it, and below it where there is no room beside.
function arrange() {
  const tour = TOURS.find((found) => found.number === session.tour?.number);
  document.body.classList.toggle("touring", tour !== undefined);
  const [processes, tables] = ["processes", "tables"].map((id) => document.getElementById(id));
  const [first, second] = tour?.about === "tables" ? [tables, processes] : [processes, tables];
  if (first.nextElementSibling !== second) second.before(first);
}

function showAll() {
  arrange();
  showTour();
  showControls();
  showReport();
  if (session.state) {
    showProcesses();
    showTree();
    showSteps();
    showMachine();
  }
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "u" && session.history.length) {
    undo();
    changed();
  } else if (event.key === "[") move(-1);
  else if (event.key === "]") move(1);
}

function readAddress() {
  const asked = readFragment();
  if (asked.question) openTour(asked.question, asked.at);
  else session.tour = null;
  if (asked.history.length || !asked.question) restart(asked.history);
  changed();
}

if (!globalThis.DecompressionStream) {
  document.getElementById("report").textContent = "This browser is too old for the page: it needs DecompressionStream (Chrome 80, Firefox 113, Safari 16.4).";
  throw new Error("no DecompressionStream");
}
await loadHeart(HEART);
const texts = JSON.parse(new TextDecoder().decode(await unpacked(TEXTS)));
setSources(texts.sources);
setMeanings(texts.sabotages);
setSample(texts.sample);
watch(showAll);
addEventListener("keydown", key);
addEventListener("hashchange", readAddress);
readAddress();
// For the test of this page.
globalThis.playground = { session, tours: TOURS };
