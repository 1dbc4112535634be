// The tables of all processes as one picture: a table that two roots lead to stands there once.

import { draw, hex, make, show } from "./dom.js";
import { session } from "./session.js";

const WIDTH = 90;
const GAP = 6;
const HEIGHT = 44;
const LAYER = 80;
const SQUARE = 12;
const IN_A_ROW = 5;
// No picture is drawn smaller than this: it is scrolled then.
const SMALLEST = 0.7;

// The nodes of the three layers, each frame once, and the lines between them.
function collect(processes) {
  const layers = [[], [], []];
  const lines = [];
  const known = new Map();
  const node = (layer, frame, make) => {
    const key = `${layer}.${frame}`;
    if (!known.has(key)) {
      const made = { layer, frame, ...make() };
      known.set(key, made);
      layers[layer].push(made);
    }
    return known.get(key);
  };
  for (const process of processes) {
    const root = node(0, process.root, () => ({ names: [], count: 1, pages: [] }));
    root.names.push(process.number);
    for (const upper of process.tree) {
      const second = node(1, upper.frame, () => ({ count: upper.count, pages: [] }));
      line(lines, root, second, upper);
      for (const lower of upper.entries) {
        const third = node(2, lower.frame, () => ({ count: lower.count, pages: lower.entries }));
        line(lines, second, third, lower);
      }
    }
  }
  return { layers, lines };
}

function line(lines, from, to, entry) {
  if (!lines.some((known) => known.from === from && known.to === to && known.index === entry.index)) {
    lines.push({ from, to, index: entry.index, readOnly: entry.read_only });
  }
}

function kindOf(page) {
  if (page.slot !== null) return "swapped";
  const pages = session.state.processes.flatMap((process) => process.areas.flatMap((area) => area.pages));
  return pages.find((found) => found.frame === page.frame)?.kind ?? "shared";
}

function target({ frame, slot, read_only }) {
  return slot === null ? `frame ${hex(frame)}${read_only ? ", read-only," : ""}` : `slot ${slot}`;
}

// Each node stands under the middle of those above it, as far as its neighbours let it.
function place({ layers, lines }) {
  let width = 0;
  for (const layer of layers) {
    const wish = (node) => {
      const above = lines.filter((found) => found.to === node).map((found) => found.from.x);
      return above.length ? above.reduce((sum, x) => sum + x, 0) / above.length : 0;
    };
    if (layer[0]?.layer) layer.sort((a, b) => wish(a) - wish(b));
    layer.forEach((node, nth) => {
      node.x = nth * (WIDTH + GAP);
      node.y = node.layer * LAYER;
    });
    width = Math.max(width, layer.length * (WIDTH + GAP) - GAP);
  }
  for (const layer of layers) {
    const used = layer.length * (WIDTH + GAP) - GAP;
    const stretch = layer.length > 1 ? (width - used) / (layer.length - 1) : 0;
    layer.forEach((node, nth) => {
      node.x += layer.length > 1 ? nth * stretch : (width - used) / 2;
    });
  }
  return width;
}

function box(node) {
  const title = node.layer === 0 ? `root ${hex(node.frame)}` : `L${node.layer + 1} ${hex(node.frame)}`;
  const below = node.layer === 0 ? `process ${node.names.join(", ")}` : `×${node.count}`;
  const rows = Math.ceil(node.pages.length / IN_A_ROW);
  const squares = node.pages.map((page, nth) =>
    draw(
      "rect",
      {
        class: `square ${kindOf(page)}`,
        x: 9 + (nth % IN_A_ROW) * (SQUARE + 2),
        y: HEIGHT + 2 + Math.floor(nth / IN_A_ROW) * (SQUARE + 2),
        width: SQUARE,
        height: SQUARE,
      },
      draw("title", {}, `page ${hex(page.page)} → ${target(page)} ×${page.count}`),
    ),
  );
  return draw(
    "g",
    { transform: `translate(${node.x} ${node.y})`, class: `table${node.count > 1 ? " is-shared" : ""}`, "data-frame": hex(node.frame), "data-count": node.count },
    draw("rect", { width: WIDTH, height: HEIGHT + (rows ? rows * (SQUARE + 2) + 8 : 0), rx: 6 }),
    draw("text", { x: 9, y: 18 }, title),
    draw("text", { x: 9, y: 35, class: "count" }, below),
    squares,
  );
}

function pagesOf({ entries }) {
  const out = entries.filter((entry) => entry.slot !== null).length;
  return `${entries.length - out} pages${out ? `, ${out} swapped out` : ""}`;
}

function words(processes) {
  return processes
    .map((process) => {
      const tables = process.tree.flatMap((upper) => [
        `level 2 table ${hex(upper.frame)}, ${upper.count} references`,
        ...upper.entries.map((lower) => `level 3 table ${hex(lower.frame)}, ${lower.count} references, ${pagesOf(lower)}`),
      ]);
      return `Process ${process.number}: root ${hex(process.root)}; ${tables.join("; ")}.`;
    })
    .join(" ");
}

export function showTree() {
  const { processes } = session.state;
  const graph = collect(processes);
  const width = place(graph);
  const most = Math.max(0, ...graph.layers[2].map((node) => Math.ceil(node.pages.length / IN_A_ROW)));
  const height = 2 * LAYER + HEIGHT + most * (SQUARE + 2) + 10;
  const curves = graph.lines.map(({ from, to, readOnly, index }) => {
    const [x1, y1, x2, y2] = [from.x + WIDTH / 2, from.y + HEIGHT, to.x + WIDTH / 2, to.y];
    return draw(
      "path",
      { class: `line${readOnly ? " read-only" : ""}`, d: `M${x1} ${y1} C${x1} ${y1 + 28} ${x2} ${y2 - 28} ${x2} ${y2}` },
      draw("title", {}, `entry ${index}${readOnly ? ": no writes below" : ""}`),
    );
  });
  show(
    "tree",
    make("p", { class: "for-readers" }, words(processes)),
    draw(
      "svg",
      { viewBox: `-2 -2 ${width + 4} ${height + 4}`, width: width + 4, style: `min-width: ${Math.round((width + 4) * SMALLEST)}px`, "aria-hidden": "true" },
      curves,
      graph.layers.flat().map(box),
    ),
  );
}
