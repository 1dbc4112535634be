// The page in a real browser: each tour is clicked through, 10,000 random clicks are made, and what the page shows is compared with
// the same history performed by the heart on this host. `node test.mjs FOLDER` with the page in FOLDER; REPLAY is the native program.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { moving, still } from "./picture.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BROWSERS = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
const RECORDING = resolve("tests/playground/tests/recordings/raspi4b.txt");
const CLICKS = Number(process.env.CLICKS ?? 10_000);
const folder = resolve(process.argv[2]);
const address = pathToFileURL(`${folder}/index.html`).href;
const browserPath = BROWSERS.find(existsSync);
if (!browserPath) {
  console.error(`no browser: ${BROWSERS.join(" or ")} (.ci/setup web)`);
  process.exit(2);
}

let passed = 0;
let failed = 0;
const begun = Date.now();

async function test(name, run) {
  const start = Date.now();
  try {
    await run();
    passed += 1;
    console.log(`${name}: ok (${Date.now() - start} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`${name}: FAILED\n${error.stack}`);
  }
}

function same(what, got, wanted) {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}\n   is ${left}\n   not ${right}`);
}

// The state after a history, by the heart on this host.
function native(history) {
  const run = spawnSync(process.env.REPLAY, ["replay"], { input: history.join(","), encoding: "utf8", maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`replay: ${run.stderr}`);
  return JSON.parse(run.stdout);
}

const hex = (number) => number.toString(16);

// What a person sees: the cells, the tables and the counters, as the document has them.
function seen() {
  const cells = [...document.querySelectorAll("#processes .page")].map((cell) => [
    cell.dataset.key,
    cell.dataset.kind,
    cell.dataset.frame,
    cell.dataset.slot,
    cell.dataset.value,
    cell.dataset.writable,
    cell.querySelector("b").textContent,
  ]);
  const tables = [...document.querySelectorAll("#tree .table")].map((table) => [table.dataset.frame, Number(table.dataset.count)]);
  const tlbs = [...document.querySelectorAll(".tlb")].map((tlb) =>
    [...tlb.querySelectorAll("tbody tr")].map((row) => [...row.cells].slice(0, 4).map((found) => found.textContent)),
  );
  const counters = [...document.querySelectorAll("[data-counter]")].map((row) => [row.dataset.counter, Number(row.cells[1].textContent)]);
  const slots = [...document.querySelectorAll(".swap li")].map((slot) => slot.textContent);
  const squares = document.querySelectorAll("#tree .square.swapped").length;
  return { cells, tables: tables.sort(), tlbs, counters, slots, squares, memory: document.querySelector(".memory h2 small").textContent.trim() };
}

// Swapped pages, each once in the table that names its slot.
function swappedOnce(state) {
  const found = new Set();
  for (const process of state.processes)
    for (const upper of process.tree)
      for (const lower of upper.entries) for (const page of lower.entries) if (page.slot !== null) found.add(`${lower.frame}.${page.index}`);
  return found.size;
}

// The same, by the native state.
function wanted(state) {
  const cells = state.processes.flatMap((process) =>
    process.areas.flatMap((area) =>
      area.pages.map((page) => [
        `${process.number}.${hex(page.page)}`,
        page.kind,
        page.frame === null ? "" : hex(page.frame),
        page.slot === null ? "" : String(page.slot),
        page.value === null ? "" : String(page.value),
        String(page.writable),
        page.value === null ? "·" : String(page.value),
      ]),
    ),
  );
  const tables = new Map();
  for (const process of state.processes) {
    tables.set(`0.${process.root}`, [hex(process.root), 1]);
    for (const upper of process.tree) {
      tables.set(`1.${upper.frame}`, [hex(upper.frame), upper.count]);
      for (const lower of upper.entries) tables.set(`2.${lower.frame}`, [hex(lower.frame), lower.count]);
    }
  }
  const tlbs = state.cpus.map((cpu) => cpu.tlb.map((entry) => [String(entry.asid), hex(entry.page), hex(entry.frame), entry.rights]));
  const names = ["forks", "cow_copied", "cow_regained", "zero_filled", "zero_shared", "file_mapped", "cow_tables_copied", "cow_tables_regained", "faults_spurious", "pages_evicted"];
  const counters = names.map((name) => [name, state.counters[name] ?? 0]);
  counters.push(["stores", state.stores], ["tlbis", state.tlbis], ["dsbs", state.dsbs], ["copied", state.copied], ["zeroed", state.zeroed], ["frames", state.total - state.free - state.held]);
  const held = state.held ? `, ${state.held} taken by others` : "";
  const slots = state.swap.slots.map(({ slot, count, frame, stored }) => {
    const places = [frame !== null && `frame ${hex(frame)}, cached`, stored !== null && "on the device"].filter(Boolean);
    return `${slot} ×${count}: ${places.join(", ")}`;
  });
  return { cells, tables: [...tables.values()].sort(), tlbs, counters, slots, squares: swappedOnce(state), memory: `${state.free} of ${state.total} frames free${held}` };
}

async function compare(page, what) {
  const { history, state } = await page.evaluate(() => ({ history: playground.session.history, state: playground.session.state }));
  const answer = native(history);
  same(`${what}: the state after ${history.length} commands`, state, answer);
  same(`${what}: what is shown after ${history.join(",").slice(-200)}`, await page.evaluate(seen), wanted(answer));
  return answer;
}

async function open(browser, options = {}, fragment = "") {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
  page.on("request", (request) => /^(file|data|blob):/.test(request.url()) || page.errors.push(`asks for ${request.url()}`));
  await page.goto(address + fragment);
  await page.waitForFunction(() => globalThis.playground?.session.state);
  return page;
}

const click = (page, selector) => page.locator(selector).click();
const press = (page, command) => click(page, `[data-command="${command}"]`);

async function done(page) {
  same("errors of the page", page.errors, []);
  await page.context().close();
}

const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });

await test("fork, store, undo", async () => {
  const page = await open(browser);
  await compare(page, "at first");
  await click(page, '[data-key="1.500"]');
  await press(page, "s1.500");
  await press(page, "f1");
  let state = await compare(page, "after the fork");
  same("processes", state.processes.length, 2);
  await click(page, '[data-key="2.500"]');
  await press(page, "s2.500");
  state = await compare(page, "after the store");
  same("the sentence", await page.textContent("#report"), "process 2 stores to page 500: 2, one fault: copied");
  same("a page was copied", state.counters.cow_copied, 1);
  await click(page, '[data-key="undo"]');
  same("the history", await page.evaluate(() => playground.session.history), ["s1.500", "f1"]);
  await compare(page, "after undo");
  await done(page);
});

await test("by the keyboard alone", async () => {
  const page = await open(browser);
  await page.focus('[data-key="1.500"]');
  await page.keyboard.press("s");
  same("the focus stays", await page.evaluate(() => document.activeElement.dataset.key), "1.500");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("l");
  same("the history", await page.evaluate(() => playground.session.history), ["s1.500", "l1.501"]);
  await page.keyboard.press("u");
  same("undone", await page.evaluate(() => playground.session.history), ["s1.500"]);
  await page.focus('[data-command="f1"]');
  await page.keyboard.press("Enter");
  await compare(page, "by keyboard");
  const unnamed = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, input")].filter((one) => !one.textContent.trim() && !one.getAttribute("aria-label") && !one.labels?.length).length,
  );
  same("controls without a name", unnamed, 0);
  await done(page);
});

await test("steps show the line that asked", async () => {
  const page = await open(browser, {}, "#h=s1.500,f1,s2.500");
  const steps = await page.evaluate(() => playground.session.report.steps);
  const files = new Set(steps.filter((step) => step.file).map((step) => step.file.replace(/^.*mm\/src\//, "")));
  for (const file of ["fault.rs", "table.rs", "privatise.rs"]) if (!files.has(file)) throw new Error(`no step of ${file}: ${[...files]}`);
  const stores = page.locator("#steps li.store button");
  await stores.first().click();
  const marked = await page.textContent("#steps mark");
  if (!/store|link|share/.test(marked)) throw new Error(`the line of a store is: ${marked}`);
  const named = (await stores.first().locator("small").textContent()).split(":");
  const caption = await page.textContent("#steps figcaption b");
  if (!caption.endsWith(named.join(":"))) throw new Error(`${caption} is shown for ${named}`);
  const visible = await page.evaluate(() => playground.session.step);
  const faulting = await page.locator("#steps li small", { hasText: /^fault\.rs:/ }).count();
  if (faulting === 0) throw new Error("no step of fault.rs");
  await page.keyboard.press("]");
  same("the step", await page.evaluate(() => playground.session.step), visible + 1);
  await done(page);
});

await test("beside the classical scheme", async () => {
  const page = await open(browser, {}, "#h=s1.500,s1.501,m1,s1.7fbfffe,f1,s2.500");
  await click(page, '[data-key="compare"]');
  const other = await page.evaluate(() => [...document.querySelectorAll("[data-counter] .other")].map((cell) => Number(cell.textContent)));
  const state = native(["+classic", ...(await page.evaluate(() => playground.session.history))]);
  same("the other scheme", other, wanted(state).counters.map(([, count]) => count));
  await compare(page, "beside it");
  await done(page);
});

await test("an address holds a history", async () => {
  const page = await open(browser, {}, "#h=s1.500,f1,s2.500,e1");
  await compare(page, "from the address");
  const hash = await page.evaluate(() => location.hash);
  same("the address", hash, "#h=s1.500,f1,s2.500,e1");
  await done(page);
});

// What a question asks to look at is seen beside it, without scrolling: all tables where it is about tables, else the pages that were used.
async function notInView(page, tour, step) {
  const pages = step.commands.map((text) => /^[lsitrw](\d+\.[0-9a-f]+)$/.exec(text)?.[1]).filter(Boolean);
  const seen = tour.about === "tables" ? ["#tree svg"] : pages.map((key) => `[data-key="${key}"]`);
  return page.evaluate((places) => {
    const hidden = (place) => {
      const { top, left, bottom, right } = document.querySelector(place).getBoundingClientRect();
      return top < 0 || left < 0 || bottom > innerHeight || right > innerWidth;
    };
    return places.filter((place) => document.querySelector(place) && hidden(place));
  }, ["#report", '[data-key="go-on"]', ...seen]);
}

await test("every question's tour", async () => {
  const page = await open(browser, { viewport: { width: 1280, height: 800 } });
  const questions = await page.locator('[data-key="question"] option').count();
  same("questions", questions, 17);
  for (let number = 1; number < questions; number++) {
    await page.selectOption('[data-key="question"]', String(number));
    const tour = await page.evaluate((number) => playground.tours.find((found) => found.number === number), number);
    for (const [nth, step] of tour.steps.entries()) {
      await click(page, `[data-key="answer-${nth % 2 ? step.right : 0}"]`);
      const report = await page.evaluate(() => playground.session.report);
      same(`Q${number}, step ${nth + 1}: the faults`, report.faults, step.faults);
      same(`Q${number}, step ${nth + 1}: the end`, report.word, step.word ?? "done");
      same(`Q${number}, step ${nth + 1}: right answers shown`, await page.locator("#tour .right").count(), 1);
      same(`Q${number}, step ${nth + 1}: not in view`, await notInView(page, tour, step), []);
      await compare(page, `Q${number}, step ${nth + 1}`);
      await click(page, '[data-key="go-on"]');
    }
    same(`Q${number}: its end`, await page.locator('#tour [data-key="again"]').count(), 1);
  }
  await done(page);
});

await test("a question by the keyboard alone", async () => {
  const page = await open(browser, {}, "#q=12");
  const focused = () => page.evaluate(() => document.activeElement.dataset.key);
  await page.focus('[data-key="answer-0"]');
  const keys = [];
  for (let at = 0; at < 5; at++) {
    keys.push(await focused());
    await page.keyboard.press("Enter");
  }
  same("where the keyboard was", keys, ["answer-0", "go-on", "answer-0", "go-on", "next-tour"]);
  same("the next question", [await page.evaluate(() => playground.session.tour.number), await focused()], [13, "answer-0"]);
  // What was pressed is gone: the keyboard stays where it stood.
  await page.goto(`${address}#h=s1.500`);
  await page.waitForFunction(() => playground.session.history.length === 1);
  await page.focus('[data-key="undo"]');
  await page.keyboard.press("Enter");
  same("after the last undo", await focused(), "restart");
  await done(page);
});

await test("on a phone: the tables beside their question", async () => {
  const page = await open(browser, { viewport: { width: 390, height: 844 } }, "#q=12");
  const tour = await page.evaluate(() => playground.tours.find((found) => found.number === 12));
  for (const [nth, step] of tour.steps.entries()) {
    await click(page, `[data-key="answer-${step.right}"]`);
    same(`step ${nth + 1}: not in view`, await notInView(page, tour, step), []);
    await click(page, '[data-key="go-on"]');
  }
  await done(page);
});

await test("a recorded run is done again", async () => {
  const page = await open(browser);
  await click(page, ".settings summary");
  await click(page, '[data-key="sample"]');
  const total = await page.evaluate(() => playground.session.state.playback.total);
  await click(page, '[data-key="next-record"]');
  await click(page, '[data-key="next-record"]');
  await click(page, '[data-key="undo"]');
  const histories = [await page.evaluate(() => playground.session.history)];
  await click(page, '[data-key="all-records"]');
  same("its words", await page.textContent('[data-key="playback"]'), `Record ${total} of ${total}. All is as /proc showed it on the board.`);
  histories.push(await page.evaluate(() => playground.session.history));
  same("what was done", histories, [["n"], Array(total).fill("n")]);
  const run = spawnSync(process.env.REPLAY, ["replay", RECORDING], { input: histories[1].join(","), encoding: "utf8", maxBuffer: 1 << 26 });
  const state = JSON.parse(run.stdout);
  same("the state at its end", await page.evaluate(() => playground.session.state), state);
  same("what is shown at its end", await page.evaluate(seen), wanted(state));
  // The file of somebody, and one that is none.
  await page.setInputFiles('[data-key="recording"]', RECORDING);
  await page.waitForFunction(() => playground.session.state.playback?.at === 0);
  await click(page, '[data-key="close-recording"]');
  await compare(page, "without it");
  await done(page);
});

await test("examples and all sabotages", async () => {
  const page = await open(browser);
  await click(page, ".settings summary");
  const words = [];
  for (const example of await page.locator('[data-key^="example-"]').all()) {
    await example.click();
    words.push(await page.evaluate(() => [playground.session.report.word, playground.session.panic, playground.session.state.complaint !== null]));
    await compare(page, "an example");
  }
  same("how they end", words, [["wrong", null, true], ["wrong", null, false], ["done", null, false]]);
  const names = await page.locator('[data-key="sabotage"] option').evaluateAll((options) => options.map((option) => option.value));
  if (names.length < 33) throw new Error(`only ${names.length} sabotages`);
  for (const name of names.slice(1)) {
    await page.selectOption('[data-key="sabotage"]', name);
    const hint = await page.locator(".settings p.hint").textContent();
    if (hint.endsWith(name.slice(1))) throw new Error(`${name} is not explained`);
  }
  await done(page);
});

await test("a sabotage shows", async () => {
  const page = await open(browser, {}, "#h=s1.500,=SwallowAside1is,f1,s1.500");
  const report = await page.textContent("#report");
  if (!/complains/.test(report)) throw new Error(report);
  same("wrong pages", await page.locator("#processes .page.wrong").count(), 1);
  await done(page);
});

// Clicks in the page itself: anything that can be clicked, as fast as it goes.
function clickAround({ count, seed }) {
  let random = seed;
  const below = (bound) => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return Math.floor((random / 2 ** 32) * bound);
  };
  let clicks = 0;
  while (clicks < count) {
    const cells = document.querySelectorAll("#processes .page");
    if (cells.length === 0) {
      document.querySelector('[data-key="restart"]').click();
      clicks += 1;
      continue;
    }
    const kind = below(100);
    if (kind < 40) cells[below(cells.length)].click();
    else if (kind < 97) {
      const buttons = document.querySelectorAll("#processes [data-command]:not(:disabled), .swap [data-command]");
      buttons[below(buttons.length)].click();
    } else if (kind < 98) document.querySelector('[data-key="undo"]:not(:disabled)')?.click();
    else {
      const selects = ["scheme", "stack", "temper", "memory"];
      const select = document.querySelector(`[data-key="${selects[below(selects.length)]}"]`);
      select.selectedIndex = below(select.options.length);
      select.dispatchEvent(new Event("change"));
    }
    clicks += 1;
    if (playground.session.panic || playground.session.state.complaint) return playground.session.panic ?? playground.session.state.complaint;
  }
  return null;
}

await test(`${CLICKS} random clicks`, async () => {
  const page = await open(browser);
  const rounds = 10;
  let swappedOut = 0;
  for (let round = 0; round < rounds; round++) {
    const trouble = await page.evaluate(clickAround, { count: CLICKS / rounds, seed: 1 + round });
    same(`round ${round}: trouble`, trouble, null);
    const state = await compare(page, `round ${round}`);
    swappedOut += state.counters.pages_evicted ?? 0;
    const pages = state.processes.flatMap((process) => process.areas.flatMap((area) => area.pages));
    same(`round ${round}: pages that hold what they should not`, pages.filter((found) => found.value !== null && found.value !== found.expected), []);
  }
  if (CLICKS >= 1000 && swappedOut === 0) throw new Error("no page was ever swapped out");
  await done(page);
});

for (const [name, options] of Object.entries({
  "wide-light": { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  "wide-dark": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  "phone-light": { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2 },
  "phone-dark": { viewport: { width: 390, height: 844 }, colorScheme: "dark", deviceScaleFactor: 2 },
})) {
  await test(`as seen: ${name}`, async () => {
    const page = await open(browser, options, "#q=12.1&h=s1.500,s1.501,m1,s1.7fbfffe,f1,s2.500");
    await click(page, '[data-key="2.500"]');
    const { content, window } = await page.evaluate(() => ({ content: document.documentElement.scrollWidth, window: innerWidth }));
    if (content > window) throw new Error(`it is ${content} wide in a window of ${window}`);
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    // Names, roles, contrast and the rest that a program can judge, by axe.
    await page.addScriptTag({ content: AXE });
    for (const place of ['[data-key="answer-0"]', ".settings summary", '[data-key="example-a TLBI that is missing"]']) {
      if (await page.locator(place).count()) await click(page, place);
      const broken = await page.evaluate(async () =>
        (await axe.run()).violations.map((rule) => [rule.id, rule.help, rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 160))]),
      );
      same("what axe finds", broken, []);
    }
    await done(page);
  });
}

// The picture of the README, small enough for one; `make picture` takes it.
await test("the README's moving picture", async () => {
  const story = ["s1.500", "s1.501", "f1", "s2.500", "s1.500"];
  const page = await open(browser, { viewport: { width: 1100, height: 800 }, colorScheme: "light" }, "#h=m1,s1.7fbfffe,s1.500,s1.501,f1,s2.500,s1.500");
  const box = (place) => page.locator(place).boundingBox();
  const [top, bottom] = [await box("#steer"), await box("#tables")];
  const SCALE = 0.75;
  const clip = { x: 0, y: top.y - 12, width: 1100, height: bottom.y + bottom.height - top.y + 24 };
  const frames = [];
  for (const step of story.keys()) {
    await page.evaluate((history) => (location.hash = `#h=${history}`), ["m1", "s1.7fbfffe", ...story.slice(0, step + 1)].join(","));
    await page.waitForFunction((length) => playground.session.history.length === length, step + 3);
    frames.push({ still: await still(page, clip, SCALE), milliseconds: step + 1 === story.length ? 5000 : 2500 });
  }
  const size = { width: Math.round(clip.width * SCALE), height: Math.round(clip.height * SCALE) };
  const picture = moving(frames, size);
  if (picture.length > 300_000) throw new Error(`it has ${picture.length} bytes`);
  writeFileSync(`${folder}/readme.webp`, picture);
  // A browser takes it for what it is.
  const seen = await page.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/webp;base64,${data}`;
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  }, picture.toString("base64"));
  same("its size", seen, [size.width, size.height]);
  await done(page);
});

await browser.close();
console.log(`${Math.round((Date.now() - begun) / 1000)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
