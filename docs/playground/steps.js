// What the last command did, event after event, beside the line of the heart that asked for it.

import { make, show } from "./dom.js";
import { changed, session } from "./session.js";

let withLoads = false;
let sources = {};
const AROUND = 9;

export function setSources(all) {
  sources = all;
}

// Reads and stores of neighbours by one line are one step to look at.
function visible() {
  const shown = [];
  for (const step of session.report?.steps ?? []) {
    if (step.kind === "load" && !withLoads) continue;
    const before = shown.at(-1);
    if (before && isMore(before, step)) {
      before.last = step.index;
      before.times += 1;
      if (/none$/.test(before.text) && !/none$/.test(step.text)) before.text = step.text;
    } else shown.push({ ...step, last: step.index, times: 1 });
  }
  return shown;
}

function isMore(before, step) {
  const isSame = before.kind === step.kind && before.table === step.table && before.file === step.file && before.line === step.line;
  return isSame && step.table !== null && step.index === before.last + 1;
}

// The step to begin with: the first that the heart asks for, for what the program does.
export function firstStep() {
  const steps = visible();
  const program = steps.findIndex((step) => step.kind === "program");
  const next = steps.findIndex((step, nth) => nth > program && step.file);
  return Math.max(0, next, program);
}

function many(count, thing) {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

export function move(by) {
  session.step = Math.max(0, Math.min(visible().length - 1, session.step + by));
  changed();
  document.querySelector("#steps [aria-current]")?.scrollIntoView({ block: "nearest" });
}

function shortName(file) {
  return file.replace(/^.*mm\/src\//, "");
}

function functionAt(lines, line) {
  for (let at = line - 1; at >= 0; at--) {
    const found = lines[at].match(/^\s*(?:pub(?:\(crate\))? )?(?:const )?fn (\w+)/);
    if (found) return found[1];
  }
  return "";
}

function sourceOf(step) {
  if (!step) return make("p", { class: "hint" }, "Nothing was asked of the machine.");
  if (!step.file) return make("p", { class: "hint" }, "This is the program or the kernel around the heart, not the heart itself.");
  const key = Object.keys(sources).find((known) => step.file.endsWith(known));
  if (!key) return make("p", { class: "hint" }, step.file);
  const lines = sources[key].split("\n");
  const first = Math.max(0, step.line - 1 - AROUND);
  const shown = lines.slice(first, step.line + AROUND);
  return make(
    "figure",
    { class: "source" },
    make("figcaption", {}, make("b", {}, `${key}:${step.line}`), ` in ${functionAt(lines, step.line)}`),
    make(
      "pre",
      { tabindex: "0", "aria-label": `${key} around line ${step.line}` },
      shown.map((text, nth) => {
        const number = first + nth + 1;
        return make(number === step.line ? "mark" : "span", { "data-line": number }, `${String(number).padStart(4)}  ${text}\n`);
      }),
    ),
  );
}

export function showSteps() {
  const steps = visible();
  session.step = Math.min(session.step ?? firstStep(), Math.max(0, steps.length - 1));
  const current = steps[session.step];
  const cost = session.report?.cost;
  show(
    "steps",
    make("h2", { id: "steps-title" }, "What it did, step by step"),
    cost &&
      make(
        "p",
        { class: "hint" },
        `${many(cost.stores, "descriptor")} stored, ${many(cost.tlbis, "TLB invalidation")}, ${many(cost.dsbs, "DSB")}, ${cost.copied} bytes copied, ${cost.zeroed} zeroed.`,
      ),
    make(
      "div",
      { class: "buttons" },
      make("button", { "data-key": "step-back", onclick: () => move(-1), disabled: session.step === 0 }, "◀ back"),
      make("button", { "data-key": "step-on", onclick: () => move(1), disabled: session.step >= steps.length - 1 }, "step ▶"),
      make(
        "label",
        {},
        make("input", {
          type: "checkbox",
          "data-key": "with-loads",
          checked: withLoads,
          onchange: (event) => {
            withLoads = event.target.checked;
            session.step = 0;
            changed();
          },
        }),
        " loads too",
      ),
    ),
    make(
      "div",
      { class: "beside" },
      make(
        "ol",
        { class: "log", "aria-label": "Steps" },
        steps.map((step, nth) =>
          make(
            "li",
            { class: step.kind, "aria-current": nth === session.step ? "step" : null },
            make(
              "button",
              {
                "data-key": `step-${nth}`,
                onclick: () => {
                  session.step = nth;
                  changed();
                },
              },
              make("span", {}, step.text, step.times > 1 && make("em", {}, ` and ${step.times - 1} more to [${step.last}]`)),
              make("small", {}, step.file ? `${shortName(step.file)}:${step.line}` : `cpu ${step.cpu}`),
            ),
          ),
        ),
      ),
      sourceOf(current),
    ),
  );
}
