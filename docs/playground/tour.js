// A question as a guided tour: what will happen? Guess, see it done, read why.

import { make, show } from "./dom.js";
import { setRecording } from "./heart.js";
import { changed, command, note, restart, session } from "./session.js";
import { TOURS } from "./tours.js";

export function openTour(number, at = 0) {
  setRecording("");
  const tour = TOURS.find((found) => found.number === number);
  if (!tour) {
    session.tour = null;
    restart([]);
    return;
  }
  session.tour = { number, at: Math.min(at, tour.steps.length), taken: null };
  const done = tour.steps.slice(0, session.tour.at).flatMap((step) => step.commands);
  restart([...tour.begin, ...done]);
}

function take(tour, answer) {
  const step = tour.steps[session.tour.at];
  session.tour.taken = answer;
  for (const text of step.commands) command(text);
  changed();
  focusOn("go-on");
}

// Who goes by keyboard goes on from here: what was pressed is not there any more.
function focusOn(...keys) {
  for (const key of keys) {
    const found = document.querySelector(`#tour [data-key="${key}"]`);
    if (found) return found.focus({ preventScroll: true });
  }
}

function begin(number) {
  openTour(number);
  changed();
  focusOn("answer-0");
}

function go(tour, at) {
  session.tour.at = at;
  session.tour.taken = null;
  note();
  changed();
  focusOn("answer-0", "next-tour", "again");
}

function question(tour) {
  const { at, taken } = session.tour;
  const step = tour.steps[at];
  if (!step) {
    return make(
      "div",
      { class: "question" },
      make("p", { class: "explanation" }, tour.end),
      make(
        "div",
        { class: "buttons" },
        tour.number < TOURS.length &&
          make("button", { class: "main", "data-key": "next-tour", onclick: () => begin(tour.number + 1) }, "next question"),
        make("button", { "data-key": "again", onclick: () => begin(tour.number) }, "once more"),
      ),
    );
  }
  const isTaken = taken !== null;
  return make(
    "div",
    { class: "question", "data-step": at },
    make("p", { class: "ask" }, make("small", {}, `${at + 1}/${tour.steps.length}  `), step.ask),
    make(
      "div",
      { class: "answers", role: "group", "aria-label": "What will happen?" },
      step.choices.map((text, nth) =>
        make(
          "button",
          {
            "data-key": `answer-${nth}`,
            disabled: isTaken,
            class: isTaken && nth === step.right ? "right" : isTaken && nth === taken ? "taken-wrong" : "",
            onclick: () => take(tour, nth),
          },
          isTaken && nth === step.right ? `✓ ${text}` : isTaken && nth === taken ? `✗ ${text}` : text,
        ),
      ),
    ),
    isTaken && make("p", { class: "explanation", id: "explanation" }, step.explain),
    isTaken && make("div", { class: "buttons" }, make("button", { class: "main", "data-key": "go-on", "aria-describedby": "explanation", onclick: () => go(tour, at + 1) }, "go on")),
  );
}

export function showTour() {
  const tour = TOURS.find((found) => found.number === session.tour?.number);
  show(
    "tour",
    make(
      "select",
      {
        "aria-label": "Question",
        "data-key": "question",
        onchange: (event) => {
          openTour(Number(event.target.value));
          changed();
        },
      },
      make("option", { value: 0, selected: !tour }, "No question: look around by yourself"),
      TOURS.map((found) => make("option", { value: found.number, selected: found === tour }, `Q${found.number}  ${found.title}`)),
    ),
    tour ? question(tour) : make("p", { class: "hint" }, "Choose one of sixteen questions that people ask about copy-on-write, or fork right away."),
  );
}
