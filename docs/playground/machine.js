// The machine: each processor's TLB, the frames, and what all of it has cost.

import { hex, make, show } from "./dom.js";
import { stateOf } from "./heart.js";
import { act } from "./processes.js";
import { changed, session } from "./session.js";

function tlb(cpu, number) {
  const runs = session.state.processes.find((process) => process.space === cpu.space);
  const rows = cpu.tlb.map((entry) => {
    const state = entry.is_right ? "as the tables" : entry.is_owned ? "stale" : "nobody's";
    return make(
      "tr",
      { class: entry.is_right ? "" : entry.is_owned ? "stale" : "unowned" },
      make("td", {}, entry.asid),
      make("td", {}, hex(entry.page)),
      make("td", {}, hex(entry.frame)),
      make("td", {}, make("code", {}, entry.rights)),
      make("td", {}, state),
    );
  });
  return make(
    "article",
    { class: "tlb", "data-cpu": number },
    make("h2", {}, `TLB of cpu ${number}`, make("small", {}, runs ? ` runs process ${runs.number}` : " idle")),
    rows.length
      ? make(
          "table",
          {},
          make("thead", {}, make("tr", {}, ["asid", "page", "frame", "rights", "state"].map((name) => make("th", { scope: "col" }, name)))),
          make("tbody", {}, rows),
        )
      : make("p", { class: "hint" }, "Empty."),
  );
}

function memory() {
  const { frames, free, total, held } = session.state;
  return make(
    "article",
    { class: "memory" },
    make("h2", {}, "Memory", make("small", {}, ` ${free} of ${total} frames free${held ? `, ${held} taken by others` : ""}`)),
    make(
      "ul",
      { class: "frames", "aria-label": "Frames in use" },
      frames
        .filter((frame) => frame.role !== "held")
        .map((frame) => make("li", { title: `${frame.role}, ${frame.count} references` }, make("b", {}, hex(frame.frame)), ` ${frame.role} ×${frame.count}`)),
    ),
  );
}

// A slot that pages have: where its bytes are.
function slot({ slot, count, frame, stored }) {
  const places = [frame !== null && `frame ${hex(frame)}, cached`, stored !== null && "on the device"].filter(Boolean);
  return make("li", { "data-slot": slot }, make("b", {}, slot), ` ×${count}: ${places.join(", ")}`);
}

function swap() {
  const { slots, total, waiting } = session.state.swap;
  return make(
    "article",
    { class: "swap" },
    make("h2", {}, "Swap area", make("small", {}, ` ${slots.length} of ${total} slots used${waiting ? `, ${waiting} to be written` : ""}`)),
    slots.length > 0 && make("ul", { class: "frames", "aria-label": "Slots in use" }, slots.map(slot)),
    make(
      "div",
      { class: "buttons" },
      make("button", { "data-key": "y", "data-command": "y", title: "The device writes the pages of the swap cache; frames that nobody maps are free then", onclick: () => act("y") }, "write to the device"),
    ),
  );
}

const NAMES = {
  forks: "forks",
  cow_copied: "pages copied",
  cow_regained: "pages given back, no copy",
  zero_filled: "pages of zeros",
  zero_shared: "zero frame mapped",
  file_mapped: "file pages mapped",
  cow_tables_copied: "tables copied",
  cow_tables_regained: "tables given back",
  faults_spurious: "spurious faults",
  pages_evicted: "pages swapped out",
};

function figures({ counters, stores, tlbis, dsbs, copied, zeroed, free, total, held }) {
  const rows = Object.entries(NAMES).map(([key, name]) => [key, name, counters[key] ?? 0]);
  rows.push(["stores", "descriptors stored", stores], ["tlbis", "TLB invalidations", tlbis], ["dsbs", "DSBs", dsbs], ["copied", "bytes copied", copied], ["zeroed", "bytes zeroed", zeroed]);
  rows.push(["frames", "frames in use now", total - free - held]);
  return rows;
}

let isCompared = false;

// The same commands by the other scheme, on a machine of their own.
function otherScheme() {
  const commands = session.history.filter((command) => !command.endsWith("classic"));
  return stateOf(session.state.scheme === "classic" ? commands : ["+classic", ...commands]);
}

function costs() {
  const { scheme } = session.state;
  const other = isCompared ? figures(otherScheme()) : null;
  const names = scheme === "classic" ? ["copies tables", "shares tables"] : ["shares tables", "copies tables"];
  return make(
    "article",
    { class: "costs" },
    make("h2", {}, "Cost so far", make("small", {}, scheme === "classic" ? " fork copies all tables" : " fork shares tables")),
    make(
      "table",
      {},
      other && make("thead", {}, make("tr", {}, make("td"), names.map((name) => make("th", { scope: "col" }, name)))),
      make(
        "tbody",
        {},
        figures(session.state).map(([key, name, count], nth) =>
          make("tr", { "data-counter": key }, make("th", { scope: "row" }, name), make("td", {}, count), other && make("td", { class: "other" }, other[nth][2])),
        ),
      ),
    ),
    make(
      "label",
      {},
      make("input", {
        type: "checkbox",
        "data-key": "compare",
        checked: isCompared,
        onchange: (event) => {
          isCompared = event.target.checked;
          changed();
        },
      }),
      " beside the same history by the other scheme",
    ),
  );
}

export function showMachine() {
  show("machine", make("div", { class: "tlbs" }, session.state.cpus.map(tlb)), make("div", { class: "tlbs" }, memory(), swap()), costs());
}
