/** The classes with their keys and counts: a click gives the selected cells that class. */

import { button, h } from "./dom.js";
import { allClasses } from "./words.js";

export class Palette {
  /** @param {(code: string) => void} choose */
  constructor(reading, choose) {
    this.reading = reading;
    this.counts = new Map();
    this.node = h("div", { class: "palette", role: "toolbar", "aria-label": "Class of the selected cells" },
      allClasses().map((known) => this.#entry(known, choose)));
    this.node.addEventListener("keydown", (event) => this.#keys(event));
    this.node.firstElementChild.tabIndex = 0;
    this.update();
  }

  update() {
    const counts = new Map();
    for (const cell of this.reading.cells) {
      const code = this.reading.classOf(cell);
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    for (const [code, node] of this.counts) node.textContent = (counts.get(code) ?? 0).toLocaleString("en");
  }

  /** Show which class the cell with the focus has. */
  mark(code) {
    for (const node of this.node.children) node.classList.toggle("current", node.dataset.drop === code);
  }

  set isDisabled(is) {
    for (const node of this.node.children) node.disabled = is;
  }

  #entry({ code, name, key }, choose) {
    const count = h("span", { class: "count" });
    this.counts.set(code, count);
    return button(
      [key ? h("kbd", {}, key) : null, h("b", {}, code), count],
      () => choose(code),
      { "data-drop": code, title: `${name} (${key})`, "aria-label": `${code}, ${name}, key ${key}`, "aria-keyshortcuts": key, tabindex: "-1" });
  }

  #keys(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...this.node.children];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    for (const node of all) node.tabIndex = node === next ? 0 : -1;
    next.focus();
  }
}
