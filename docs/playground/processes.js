// The processes side by side: their areas, and a cell for each page.

import { hex, make, show } from "./dom.js";
import { changed, command, session } from "./session.js";

export const KINDS = {
  own: "its own",
  shared: "shared",
  zero: "the zero frame",
  file: "a file's page",
  swapped: "swapped out",
  absent: "nothing yet",
};

const PAGE_ACTS = [
  ["l", "load", "ldr: read the page's word"],
  ["s", "store", "str: write the page's word"],
  ["i", "execute", "fetch an instruction of the page"],
  ["r", "read-only", "mprotect(PROT_READ)"],
  ["w", "read-write", "mprotect(PROT_READ | PROT_WRITE)"],
  ["n", "no access", "mprotect(PROT_NONE)"],
  ["d", "drop", "madvise(MADV_DONTNEED)"],
  ["t", "swap out", "madvise(MADV_PAGEOUT): it leaves the tables"],
  ["u", "unmap", "munmap"],
];

const PROCESS_ACTS = [
  ["f", "fork", "fork(2)"],
  ["v", "vfork", "vfork(2)"],
  ["x", "exec", "execve(2)"],
  ["e", "exit", "exit(2)"],
  ["m", "mmap", "mmap(2) of two pages of zeros"],
  ["p", "mmap file", "mmap(2) of a file, MAP_PRIVATE"],
  ["h", "mmap shared", "mmap(2) of a file, MAP_SHARED"],
  ["b", "brk", "brk(2), one page more"],
  ["t", "swap all out", "memory is short: all its pages that can leave the tables"],
  ["c", "other cpu", "it goes on on the other processor"],
];

export function act(text) {
  command(text);
  changed();
}

function pageText(page) {
  const parts = [`page ${hex(page.page)}`, KINDS[page.kind]];
  if (page.frame !== null) {
    parts.push(`frame ${hex(page.frame)}`, `value ${page.value}`);
    parts.push(page.writable ? "can be written" : "read-only for the MMU");
  }
  if (page.slot !== null) parts.push(`slot ${page.slot}`, `value ${page.value}`);
  return parts.join(", ");
}

// What is read aloud: with what stands on the cell.
function pageName(page) {
  const name = `page ${hex(page.page)}, ${KINDS[page.kind]}`;
  if (page.slot !== null) return `${name}, value and slot ${page.value} slot ${page.slot}`;
  return page.frame === null ? name : `${name}, value and frame ${page.value} ${hex(page.frame)} ${page.writable ? "rw" : "ro"}`;
}

function placeOf({ frame, slot }) {
  if (slot !== null) return `slot ${slot}`;
  return frame === null ? "none" : `${hex(frame)} `;
}

function isSelected(process, page) {
  return session.selected?.process === process.number && session.selected?.page === page.page;
}

function cell(process, page) {
  const isWrong = page.value !== null && page.value !== page.expected;
  const key = `${process.number}.${hex(page.page)}`;
  return make(
    "button",
    {
      class: `page ${page.kind}${isWrong ? " wrong" : ""}`,
      "data-key": key,
      "data-kind": page.kind,
      "data-frame": page.frame === null ? "" : hex(page.frame),
      "data-slot": page.slot ?? "",
      "data-value": page.value ?? "",
      "data-writable": String(page.writable),
      "aria-pressed": String(isSelected(process, page)),
      "aria-label": pageName(page) + (isWrong ? `, but it should be ${page.expected}` : ""),
      title: pageText(page),
      onclick: () => {
        session.selected = { process: process.number, page: page.page };
        changed();
      },
      onkeydown: (event) => pageKey(event, key),
    },
    make("b", { "aria-hidden": page.value === null ? "true" : null }, page.value === null ? "·" : String(page.value)),
    " ",
    make("small", {}, placeOf(page), page.frame !== null && make("i", {}, page.writable ? "rw" : "ro")),
  );
}

function pageKey(event, key) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const cells = [...document.querySelectorAll("#processes .page")];
    const next = cells[cells.indexOf(event.currentTarget) + (event.key === "ArrowRight" ? 1 : -1)];
    next?.focus();
    event.preventDefault();
  } else if ("lsi".includes(event.key)) {
    const [process, page] = key.split(".");
    session.selected = { process: Number(process), page: parseInt(page, 16) };
    act(`${event.key}${key}`);
    event.preventDefault();
    event.stopPropagation();
  }
}

// The numbers of an area's pages.
function span({ pages }) {
  const [first, last] = [hex(pages[0].page), hex(pages.at(-1).page)];
  return first === last ? first : `${first}–${last}`;
}

function area(process, found) {
  return make(
    "div",
    { class: "area" },
    make(
      "div",
      { class: "area-name" },
      make("span", {}, found.name),
      make("code", {}, found.rights),
      make("code", {}, span(found)),
      found.sharing === "shared" && make("em", {}, "MAP_SHARED"),
    ),
    make("div", { class: "pages" }, found.pages.map((page) => cell(process, page))),
  );
}

function factsOf(page) {
  const name = `Page ${hex(page.page)}`;
  if (page.slot !== null) return `${name}: swapped out. Its descriptor is not valid, and names slot ${page.slot}. The next use takes a fault.`;
  if (page.frame === null) return `${name}: nothing is mapped. The first use takes a fault.`;
  const rights = page.writable ? "can be written." : page.leaf_writable ? "read-only, by a table above it." : "read-only, by its own descriptor.";
  return `${name}, ${KINDS[page.kind]}: frame ${hex(page.frame)}, count ${page.count}, ${rights}`;
}

function details(process) {
  const pages = process.areas.flatMap((found) => found.pages);
  const page = pages.find((found) => isSelected(process, found));
  if (!page) return make("p", { class: "details hint" }, "Choose a page to do something to it.");
  const key = `${process.number}.${hex(page.page)}`;
  const facts = factsOf(page);
  return make(
    "div",
    { class: "details" },
    make("p", {}, facts),
    make(
      "div",
      { class: "buttons" },
      PAGE_ACTS.map(([letter, name, title]) =>
        make("button", { title, "data-key": `${letter}${key}`, "data-command": `${letter}${key}`, onclick: () => act(`${letter}${key}`) }, name),
      ),
    ),
  );
}

function card(process) {
  const waits = process.awaits !== null;
  return make(
    "article",
    { class: "process", "data-process": process.number, "aria-label": `Process ${process.number}` },
    make(
      "h2",
      {},
      `Process ${process.number}`,
      make("small", {}, process.parent ? ` child of ${process.parent}` : ""),
      make(
        "small",
        {},
        ` · cpu ${process.cpu} · asid ${process.asid || "none yet"} · root ${hex(process.root)}`,
        waits && make("strong", {}, ` · waits for ${process.awaits}`),
      ),
    ),
    make("div", { class: "areas" }, process.areas.map((found) => area(process, found))),
    make(
      "div",
      { class: "buttons" },
      PROCESS_ACTS.map(([letter, name, title]) =>
        make(
          "button",
          {
            title,
            disabled: waits,
            "data-key": `${letter}${process.number}`,
            "data-command": `${letter}${process.number}`,
            onclick: () => act(`${letter}${process.number}`),
          },
          name,
        ),
      ),
    ),
    details(process),
  );
}

export function showProcesses() {
  const { processes } = session.state;
  const legend = make(
    "ul",
    { class: "legend", "aria-label": "Colours of pages" },
    Object.entries(KINDS).map(([kind, name]) => make("li", {}, make("span", { class: `swatch ${kind}` }), name)),
  );
  show(
    "processes",
    processes.length ? processes.map(card) : make("p", {}, "Every process has ended. Undo, or begin anew."),
    legend,
  );
}
