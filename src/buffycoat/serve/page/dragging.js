/** Drag the selection onto the heading or the key of a class. */

import { h } from "./dom.js";
import { plural } from "./words.js";

const TYPE = "application/x-buffycoat-cells";

/**
 * @param {HTMLElement} root Holds the cells and all that has `data-drop`.
 * @param {import("./selection.js").Selection} selection
 * @param {(code: string) => void} drop
 */
export function dragging(root, grid, selection, drop) {
  let over = null;
  const mark = (target) => {
    over?.classList.remove("over");
    over = target;
    over?.classList.add("over");
  };
  root.addEventListener("dragstart", (event) => {
    const cell = grid.cellOf(event.target);
    if (!cell) return;
    if (!selection.has(cell)) selection.moveTo(cell);
    event.dataTransfer.setData(TYPE, String(selection.size));
    event.dataTransfer.effectAllowed = "move";
    const badge = h("div", { class: "badge" }, plural(selection.size, "cell"));
    document.body.append(badge);
    event.dataTransfer.setDragImage(badge, -8, -8);
    setTimeout(() => badge.remove());
  });
  root.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes(TYPE)) return;
    const target = event.target.closest("[data-drop]");
    if (target !== over) mark(target);
    if (target) event.preventDefault();
  });
  root.addEventListener("drop", (event) => {
    if (!over || !event.dataTransfer.types.includes(TYPE)) return;
    event.preventDefault();
    drop(over.dataset.drop);
  });
  root.addEventListener("dragend", () => mark(null));
}
