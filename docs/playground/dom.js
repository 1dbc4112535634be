// Elements: one function that makes them.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function hex(number) {
  return number.toString(16);
}

// Replaces what an element holds, and leaves the focus where it was: on the element of the same data-key, or, where that is not there
// any more, at the beginning of what replaced it.
export function show(id, ...children) {
  const place = document.getElementById(id);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  place.replaceChildren(...children.flat().filter(Boolean));
  if (!focused) return;
  const same = place.querySelector(`[data-key="${CSS.escape(focused)}"]:not(:disabled)`);
  (same ?? place.querySelector("button:not(:disabled), select"))?.focus({ preventScroll: true });
}
