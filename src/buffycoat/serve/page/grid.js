/**
 * The cells of a slide by class, most doubtful first.
 *
 * Each class is a list box; its cells are options, of which one in the whole grid takes the Tab key.
 * Of a cell far from the window there is its place, its name for screen readers and its state; its
 * picture and captions are made when it comes near. A slide of 5,000 cells has 5,000 elements then,
 * and not 50,000.
 */

import { button, fill, h } from "./dom.js";
import { frame, outline, picture, refresh } from "./pictures.js";
import { UNDECIDED } from "./reading.js";
import { changes, isOn } from "./settings.js";
import { allClasses, brief, nameOf, plural, probability, project } from "./words.js";

const NEAR = "300px";
const AT_ONCE = 150; // cells that are drawn before anything is laid out: more than a window shows

export class Grid {
  /** @param {import("./reading.js").Reading} reading */
  constructor(reading) {
    this.reading = reading;
    this.node = h("div", { class: "grid", id: "grid" });
    this.sections = new Map();
    this.options = new Map();
    this.watcher = new IntersectionObserver((seen) => this.#near(seen), { rootMargin: NEAR });
    this.#build();
    const redraw = () => this.#redraw();
    for (const name of ["white", "outlines"]) changes.addEventListener(name, redraw);
    this.close = () => {
      this.watcher.disconnect();
      for (const name of ["white", "outlines"]) changes.removeEventListener(name, redraw);
    };
  }

  /** Cells in the order of the page. */
  get inOrder() {
    return [...this.node.querySelectorAll("[role=option]")].map((node) => this.cellOf(node));
  }

  cellOf(node) {
    return this.reading.byNumber.get(Number(node.closest("[role=option]")?.dataset.n));
  }

  optionOf(cell) {
    return this.options.get(cell.n);
  }

  /** The cells of a class as they stand on the page. */
  ofClass(code) {
    return [...(this.sections.get(code)?.list.children ?? [])].map((node) => this.cellOf(node));
  }

  /** Draw changed cells again, each where it belongs now. */
  update(cells) {
    const touched = new Set();
    const focused = document.activeElement;
    for (const cell of cells) {
      const option = this.optionOf(cell);
      const before = option.parentElement?.dataset.code;
      const code = this.reading.classOf(cell);
      this.#draw(option, cell);
      if (before !== code) {
        this.#insert(this.#section(code).list, option, cell.order);
        touched.add(before);
      }
      touched.add(code);
    }
    for (const code of touched) this.#count(code);
    if (this.node.contains(focused) && document.activeElement !== focused) focused.focus();
  }

  #build() {
    const groups = new Map();
    for (const cell of this.reading.cells) {
      const code = this.reading.classOf(cell);
      if (!groups.has(code)) groups.set(code, []);
      groups.get(code).push(cell);
    }
    if (groups.has(UNDECIDED)) this.#section(UNDECIDED);
    for (const { code } of allClasses()) this.#section(code);
    for (const code of groups.keys()) this.#section(code); // a class of another model's
    for (const [code, { list }] of this.sections) {
      list.append(...(groups.get(code) ?? []).map((cell) => this.#option(cell)));
      this.#count(code);
    }
  }

  #section(code) {
    if (!this.sections.has(code)) {
      const count = h("span", { class: "count" });
      const heading = h("h2", {}, nameOf(code), " ", count);
      const list = h("div", { class: "cells", "data-code": code, "aria-multiselectable": "true" });
      const select = button("Select all", () => this.onselectall(code), { class: "quiet" });
      select.setAttribute("aria-label", `Select all of ${nameOf(code)}`);
      const node = h("section", { "data-drop": code === UNDECIDED ? null : code },
        h("div", { class: "heading" }, h("span", { class: "code" }, code), heading, select), list);
      this.sections.set(code, { node, list, count, select });
      this.node.append(node);
    }
    return this.sections.get(code);
  }

  #count(code) {
    const section = this.sections.get(code);
    if (!section) return;
    const size = section.list.childElementCount;
    section.count.textContent = size.toLocaleString("en");
    section.select.hidden = !size;
    section.node.classList.toggle("empty", !size);
    const isExtra = !project.classes.some((known) => known.code === code);
    section.node.hidden = !size && isExtra; // an artefact's heading shows once there is one
    if (size) {
      section.list.setAttribute("role", "listbox");
      section.list.setAttribute("aria-label", `${nameOf(code)}, ${plural(size, "cell")}`);
    } else {
      section.list.removeAttribute("role");
      section.list.removeAttribute("aria-label");
    }
  }

  #option(cell) {
    const option = h("div", {
      role: "option", tabindex: "-1", "aria-selected": "false", draggable: "true", "data-n": cell.n, class: "cell",
    });
    if (this.options.size < AT_ONCE) furnish(option, cell);
    this.#draw(option, cell);
    this.options.set(cell.n, option);
    this.watcher.observe(option);
    return option;
  }

  #draw(option, cell) {
    drawState(option, cell, this.reading);
    if (option.firstElementChild) fill(option.lastElementChild, told(cell, this.reading));
  }

  #insert(list, option, order) {
    const after = [...list.children].find((node) => this.cellOf(node).order > order);
    list.insertBefore(option, after ?? null);
  }

  #near(seen) {
    for (const { target, isIntersecting } of seen) {
      target.classList.toggle("near", isIntersecting);
      if (isIntersecting && !target.firstElementChild) {
        const cell = this.cellOf(target);
        furnish(target, cell);
        this.#draw(target, cell);
      }
      if (isIntersecting && isOn("outlines")) outline(target.firstElementChild, Number(target.dataset.n));
    }
  }

  #redraw() {
    refresh(this.node);
    for (const option of this.node.querySelectorAll(".near")) {
      outline(option.firstElementChild, Number(option.dataset.n));
    }
    if (!isOn("outlines")) for (const svg of this.node.querySelectorAll("svg")) svg.remove();
  }
}

const isOther = (cell) => cell.label !== null && cell.label !== cell.predicted;

/** Give an option its picture and room for its captions. */
function furnish(option, cell) {
  option.append(
    frame(cell, picture(cell.n, "", { loading: "lazy", width: 112, height: 112 })),
    h("div", { class: "told", "aria-hidden": "true" }));
}

/** Put a cell's state into its option, furnished or not. */
function drawState(option, cell, reading) {
  const isChanged = isOther(cell);
  const classes = {
    look: cell.needs_look && cell.label === null,
    changed: isChanged,
    confirmed: cell.label !== null && !isChanged,
    pending: cell.isPending,
    conflict: cell.conflict,
    "not-counted": cell.not_counted,
  };
  for (const [name, is] of Object.entries(classes)) option.classList.toggle(name, Boolean(is));
  option.setAttribute("aria-label", spoken(cell, reading, isChanged));
}

/** Captions of a cell. */
function told(cell, reading) {
  const isChanged = isOther(cell);
  const others = cell.set?.filter((code) => code !== cell.predicted) ?? [];
  const fault = cell.is_missing ? "picture missing" : cell.is_changed ? "picture changed since the prediction" : null;
  const mark = cell.conflict ? "conflict" : cell.isPending ? "…" : cell.label === null || isChanged ? "" : "✓";
  const labels = disputed(cell, reading);
  return [
    h("div", { class: "line" },
      h("b", {}, isChanged ? `was ${cell.predicted}` : cell.predicted), h("span", {}, probability(cell.probability)),
      mark ? h("span", { class: "mark" }, mark) : null),
    others.length ? h("div", { class: "set" }, `or ${others.join(", ")}`) : null,
    fault ? h("div", { class: "reason" }, fault) : null,
    cell.not_counted ? h("div", { class: "left-out", title: cell.not_counted }, "not counted") : null,
    labels ? h("div", { class: "set" }, `1st ${labels.first} · 2nd ${labels.second}`) : null,
    cell.needs_look && cell.reasons?.length
      ? h("div", { class: "reason", title: cell.reasons.map(({ text }) => text).join("\n") }, brief(cell.reasons[0])) : null,
  ];
}

/** What two readers said of a cell, where they differ. */
function disputed(cell, reading) {
  const labels = reading.other?.[cell.n];
  return labels?.second && labels.first !== labels.second ? labels : null;
}

/** What a screen reader says of a cell. */
function spoken(cell, reading, isChanged) {
  const parts = [nameOf(reading.classOf(cell)), `probability ${probability(cell.probability)}`];
  if (isChanged) parts.splice(1, 0, `predicted ${nameOf(cell.predicted)}`);
  else if (cell.label !== null) parts.push("confirmed");
  if (cell.set?.length > 1) parts.push(`prediction set ${cell.set.map(nameOf).join(", ")}`);
  const labels = disputed(cell, reading);
  if (labels) parts.push(`first reader ${nameOf(labels.first)}, second reader ${nameOf(labels.second)}`);
  if (cell.is_missing) parts.push("picture missing");
  if (cell.is_changed) parts.push("picture changed since the prediction");
  if (cell.not_counted) parts.push(`not counted: ${cell.not_counted}`);
  if (cell.seen) parts.push("cut out at the border: partly mirrored");
  if (cell.needs_look) parts.push(`needs a look: ${(cell.reasons ?? []).map(({ text }) => text).join("; ")}`);
  if (cell.conflict) parts.push("conflict");
  return `${parts.join(", ")}.`;
}
