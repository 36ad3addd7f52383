/** One cell large: picture with zoom and outline, its field of view, evidence, look-alikes, history. */

import { get } from "./api.js";
import { button, fill, h } from "./dom.js";
import { contextUrl, frame, hatch, outline, picture, refresh, viewer } from "./pictures.js";
import { changes } from "./settings.js";
import { nameOf, percent, plural, probability, ROLE, when } from "./words.js";

const WAIT_MS = 120;
const MOST_COMPARED = 6;
const MOST_CLASSES = 5;

export class CellPane {
  #timer = null;
  #shown = [];
  #isContext = false;

  /** @param {(code: string|null) => void} decide */
  constructor(reading, decide) {
    Object.assign(this, { reading, decide, isReadOnly: false });
    this.node = h("div", { class: "cell-pane" });
    this.redraw = () => {
      refresh(this.node);
      this.#outlines();
    };
    for (const name of ["white", "outlines"]) changes.addEventListener(name, this.redraw);
  }

  close() {
    clearTimeout(this.#timer);
    for (const name of ["white", "outlines"]) changes.removeEventListener(name, this.redraw);
  }

  /** Show one cell, or several side by side. */
  show(cells) {
    this.#shown = cells;
    clearTimeout(this.#timer);
    if (!cells.length) fill(this.node, h("p", { class: "hint" }, "Select a cell to see it here."));
    else if (cells.length > 1) this.#several(cells);
    else this.#one(cells[0]);
  }

  /** Draw again after a decision. */
  update() {
    this.show(this.#shown);
  }

  /** Field of view, or the cell alone. */
  toggleContext() {
    const hadFocus = this.node.contains(document.activeElement);
    this.#isContext = !this.#isContext;
    this.update();
    if (hadFocus) this.node.querySelector("[aria-pressed]")?.focus();
  }

  #several(cells) {
    fill(this.node,
      h("h2", {}, `${plural(cells.length, "cell")} selected`),
      h("div", { class: "compared" }, cells.slice(0, MOST_COMPARED).map((cell) => this.#tile(cell.n))),
      cells.length > MOST_COMPARED ? h("p", { class: "hint" }, `${cells.length - MOST_COMPARED} more are not shown.`) : null,
      this.#withdraw(cells));
    this.#outlines();
  }

  #one(cell) {
    const more = h("div", { class: "more" }, h("p", { class: "hint" }, "…"));
    const isContext = this.#isContext && cell.has_context;
    const image = isContext
      ? h("img", { src: contextUrl(cell.n), alt: "Field of view around the cell" })
      : picture(cell.n, `Cell, ${nameOf(this.reading.classOf(cell))}`);
    const view = viewer(image, "Picture; scroll with the arrow keys");
    view.inner.dataset.n = isContext ? "" : cell.n;
    if (!isContext) hatch(view.inner, cell.seen);
    fill(this.node,
      view.node,
      h("div", { class: "row" }, view.zoom,
        cell.has_context ? button("Field of view", () => this.toggleContext(), { "aria-pressed": String(isContext), title: "Shift+F" }) : null),
      cell.seen ? h("p", { class: "hint" }, "Hatched: outside of the field of view. The picture is mirrored there.") : null,
      this.#facts(cell), this.#withdraw([cell]), more);
    this.#outlines();
    this.#timer = setTimeout(() => this.#load(cell, more), WAIT_MS);
  }

  #facts(cell) {
    const now = this.reading.classOf(cell);
    return [
      h("h2", {}, nameOf(now), h("span", { class: "code" }, now)),
      h("dl", {},
        h("dt", {}, "Predicted"), h("dd", {}, `${nameOf(cell.predicted)}, probability ${probability(cell.probability)}`),
        h("dt", {}, "Prediction set"), h("dd", {}, (cell.set ?? []).map(nameOf).join(", ") || "–"),
        cell.outlier_percentile === null || cell.outlier_percentile === undefined ? null : [
          h("dt", {}, "Unlike training"), h("dd", {}, unlike(cell.outlier_percentile))],
        h("dt", {}, "Cell"), h("dd", { class: "id" }, cell.id)),
      cell.not_counted ? h("p", { class: "left-out" }, `Not counted: ${cell.not_counted}.`) : null,
      cell.needs_look ? h("ul", { class: "reasons" }, (cell.reasons ?? []).map(({ text }) => h("li", {}, text))) : null,
    ];
  }

  #withdraw(cells) {
    if (this.isReadOnly || cells.every((cell) => cell.label === null)) return null;
    return button("Withdraw my decision", () => this.decide(null), { class: "quiet", title: "Delete" });
  }

  async #load(cell, more) {
    let found;
    try {
      found = await get(`cells/${cell.n}?role=${this.reading.role}`);
    } catch (error) {
      fill(more, h("p", { class: "hint" }, error.message));
      return;
    }
    if (!more.isConnected) return;
    const alike = (found.alike ?? cell.alike ?? []).map((one) => one.n ?? one).filter((n) => n !== cell.n);
    fill(more,
      chart(found.probs ?? {}), evidence(found.evidence ?? [], cell),
      alike.length ? h("section", {}, h("h3", {}, "Look-alikes"),
        h("div", { class: "compared" }, alike.slice(0, MOST_COMPARED).map((n) => this.#tile(n)))) : null,
      history(found.history ?? []));
    this.#outlines();
  }

  #tile(n) {
    const cell = this.reading.byNumber.get(n);
    const label = cell ? nameOf(this.reading.classOf(cell)) : "another slide";
    return h("figure", {},
      frame(cell, picture(n, `Cell, ${label}`, { loading: "lazy" }), { "data-n": n }),
      h("figcaption", {}, label));
  }

  #outlines() {
    for (const frame of this.node.querySelectorAll(".frame[data-n]")) {
      if (frame.dataset.n) outline(frame, Number(frame.dataset.n));
    }
  }
}

/** How unlike the training cells a cell is. */
function unlike(percentile) {
  return `more than ${percent(Math.min(percentile, 99.9))} % of training cells`; // a rounded 100 % would be wrong
}

function chart(probs) {
  const rows = Object.entries(probs).sort((a, b) => b[1] - a[1]).slice(0, MOST_CLASSES);
  if (!rows.length) return null;
  return h("section", {}, h("h3", {}, "Probabilities"), h("table", { class: "probs" }, h("tbody", {}, rows.map(([code, value]) =>
    h("tr", {}, h("th", { scope: "row" }, nameOf(code)), h("td", {}, probability(value)),
      h("td", { class: "bar-cell" }, h("meter", { min: 0, max: 1, value, "aria-hidden": "true" })))))));
}

function evidence(texts, cell) {
  const known = new Set((cell.reasons ?? []).map(({ text }) => text));
  const others = texts.map((one) => one.text ?? one).filter((text) => !known.has(text) || !cell.needs_look);
  return others.length ? h("section", {}, h("h3", {}, "Evidence"), h("ul", {}, others.map((text) => h("li", {}, text)))) : null;
}

function history(rows) {
  if (!rows.length) return null;
  return h("section", {}, h("h3", {}, "Decisions"), h("ol", { class: "history" }, rows.map(({ at, reader, role, label, is_damaged: isDamaged }) =>
    h("li", {}, isDamaged ? `a damaged entry of the log – ${reader}, ${when(at)}` : `${label === null ? "withdrawn" : nameOf(label)} – ${reader}, ${(ROLE[role] ?? role).toLowerCase()}, ${when(at)}`))));
}
