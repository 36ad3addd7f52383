/** Tabs as the ARIA pattern has them: arrow keys between, one of them in the Tab order. */

import { h } from "./dom.js";

export class Tabs {
  /**
   * @param {Record<string, [string, Node]>} parts Name -> title and panel.
   * @param {(name: string) => void} onopen
   */
  constructor(label, parts, onopen = () => {}) {
    this.onopen = onopen;
    this.isStarted = false;
    this.tabs = new Map();
    this.list = h("div", { role: "tablist", "aria-label": label, onkeydown: (event) => this.#keys(event) });
    this.head = h("div", { class: "tab-head" }, this.list);
    this.node = h("div", { class: "tabs" }, this.head);
    for (const [name, [title, content]] of Object.entries(parts)) this.#add(name, title, content);
    this.open(Object.keys(parts)[0]);
    this.isStarted = true;
  }

  open(name) {
    this.name = name;
    for (const [other, { tab, panel }] of this.tabs) {
      const is = other === name;
      tab.setAttribute("aria-selected", String(is));
      tab.tabIndex = is ? 0 : -1;
      panel.hidden = !is;
    }
    if (this.isStarted) this.onopen(name);
  }

  #add(name, title, content) {
    const tab = h("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => this.open(name),
    }, title);
    const panel = h("div", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": tab.id, tabindex: "0" }, content);
    this.tabs.set(name, { tab, panel });
    this.list.append(tab);
    this.node.append(panel);
  }

  #keys(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const names = [...this.tabs.keys()];
    const next = names[(names.indexOf(this.name) + step + names.length) % names.length];
    this.open(next);
    this.tabs.get(next).tab.focus();
  }
}
