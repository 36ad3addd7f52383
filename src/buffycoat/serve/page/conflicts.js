/** Decisions that the server did not take, in words, with both choices. */

import { button, fill, h } from "./dom.js";
import { picture } from "./pictures.js";
import { nameOf, plural, when } from "./words.js";

/** @param {import("./reading.js").Reading} reading */
export function conflicts(reading, { onshow, onresolved }) {
  const node = h("section", { class: "conflicts", "aria-label": "Decisions that need your choice" });
  const draw = () => {
    const cells = reading.cells.filter((cell) => cell.conflict);
    node.hidden = !cells.length;
    fill(node, cells.length ? h("h2", {}, `${plural(cells.length, "decision")} ${cells.length === 1 ? "needs" : "need"} your choice`) : null,
      cells.map((cell) => row(cell)));
  };
  const choose = (cell, keepMine) => {
    reading.resolve(cell, { keepMine });
    draw();
    onresolved(cell);
  };
  const row = (cell) => {
    const mine = words(cell.conflict.label);
    const theirs = words(cell.conflict.problem.current?.label ?? cell.saved);
    return h("div", { class: "conflict-row" },
      h("div", { class: "frame" }, picture(cell.n, "")),
      h("p", {}, explain(cell)),
      h("span", { class: "actions" },
        button(`Keep mine: ${mine}`, () => choose(cell, true)),
        button(`Take: ${theirs}`, () => choose(cell, false)),
        button("Show cell", () => onshow(cell), { class: "quiet" })));
  };
  draw();
  return { node, draw };
}

const words = (label) => (label === null || label === undefined ? "as predicted" : nameOf(label));

function explain(cell) {
  const { problem, label } = cell.conflict;
  const mine = `You chose ${words(label)} for cell ${cell.id}.`;
  if (problem.kind === "refused") return `${mine} The server did not take it: ${problem.message}`;
  const { current } = problem;
  if (!current) return `${mine} Meanwhile the decision that you saw was withdrawn.`;
  return `${mine} Meanwhile ${current.reader}, ${when(current.at)}, chose ${words(current.label)}.`;
}
