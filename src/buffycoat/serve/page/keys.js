/** Keys of the grid. Letters and digits are classes; the page itself takes Shift with a letter. */

import { dialog, button, h } from "./dom.js";
import { resize, toggle } from "./settings.js";
import { allClasses, codeOfKey } from "./words.js";

const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

/** What the keys do, for the list of keys. */
const KEYS = [
  ["Arrow keys", "go to another cell; Page Up and Page Down to another class"],
  ["Shift + arrow keys", "select several"],
  ["Ctrl + arrow keys, Space", "go without selecting; select or leave out one cell"],
  ["Ctrl + A", "select all of the class"],
  ["Enter", "confirm the class as it stands, and go on"],
  ["Delete", "withdraw the decision"],
  ["Ctrl + Z, Ctrl + Shift + Z", "undo, redo"],
  [".  and  ,", "next and previous doubtful cell"],
  ["Shift + N", "the cell whose label would teach the model most"],
  ["+  and  −", "larger and smaller pictures"],
  ["Shift + W", "white balance"],
  ["Shift + O", "outlines"],
  ["Shift + F", "field of view around the cell"],
  ["Shift + C, Shift + D", "show the cell, show the differential"],
  ["?", "this list"],
];

/** @param {import("./slide.js").SlideView} view */
export function bindKeys(view) {
  view.grid.node.addEventListener("keydown", (event) => {
    if (event.target.role === "option" && ofGrid(view, event)) event.preventDefault();
  });
  view.node.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.target.closest("input, textarea, select, dialog")) return;
    if (anywhere(view, event)) event.preventDefault();
  });
}

/** Whether the key meant something to a cell. */
function ofGrid(view, event) {
  const { selection } = view;
  const { key, shiftKey } = event;
  const isCtrl = event.ctrlKey || event.metaKey;
  if (event.altKey) return false;
  if (MOVES.has(key)) {
    selection.moveTo(selection.neighbour(key), { extend: shiftKey, only: !isCtrl });
  } else if (key === " ") {
    selection.toggle(selection.active);
  } else if (isCtrl && key.toLowerCase() === "a") {
    view.grid.onselectall(view.reading.classOf(selection.active));
  } else if (isCtrl) {
    return false;
  } else if (key === "Escape") {
    selection.moveTo(selection.active);
  } else if (key === "Enter") {
    view.confirm();
  } else if (key === "Delete" || key === "Backspace") {
    view.decide(null);
  } else if (!shiftKey && codeOfKey(key.toLowerCase())) {
    view.decide(codeOfKey(key.toLowerCase()));
  } else {
    return false;
  }
  return true;
}

/** Whether the key meant something to the slide, wherever in it the focus is. */
function anywhere(view, event) {
  const { key, shiftKey } = event;
  const isCtrl = event.ctrlKey || event.metaKey;
  const letter = key.toLowerCase();
  if (event.altKey) return false;
  const does = isCtrl
    ? { z: () => view.step(shiftKey ? "redo" : "undo"), y: () => view.step("redo") }[letter]
    : {
        ".": () => view.goToUnseen(1), ",": () => view.goToUnseen(-1),
        "+": () => resize(1), "-": () => resize(-1), "?": showKeys,
      }[key] ?? (shiftKey ? {
        w: () => toggle("white"), o: () => toggle("outlines"), f: () => view.cellPane.toggleContext(),
        n: () => view.goToSuggested(), c: () => view.tabs.open("cell"), d: () => view.tabs.open("differential"),
      }[letter] : null);
  if (!does) return false;
  does();
  return true;
}

export function showKeys() {
  const classes = allClasses().map(({ key, name, code }) => [key, `${name} (${code})`]);
  const list = (rows, name) => h("table", { class: "keys" }, h("caption", {}, name),
    h("tbody", {}, rows.map(([key, does]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, does)))));
  const node = dialog("Keys", h("div", {},
    h("p", { class: "hint" }, "They hold while a cell has the focus."),
    h("div", { class: "key-lists", tabindex: "0", role: "group", "aria-label": "Keys" }, list(classes, "Classes"), list(KEYS, "Moves and views")),
    h("p", { class: "actions" }, button("Close", () => node.close(), { class: "primary" }))));
  node.classList.add("broad");
}
