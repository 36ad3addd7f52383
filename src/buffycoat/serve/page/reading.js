/** One reading of a slide: the cells, what the reader decided, undo and redo. Knows no page. */

import { inOrder } from "./words.js";

const MAX_UNDO = 500;
export const UNDECIDED = "?";

export class Reading extends EventTarget {
  #undo = [];
  #redo = [];

  /**
   * @param {object} reply Of /slides/{slide}/cells.
   * @param {import("./queue.js").Queue} queue
   * @param {object[]} steps What this reader did before, of /slides/{slide}/readings/{role}/steps.
   */
  constructor(slide, role, reply, queue, steps = []) {
    super();
    Object.assign(this, { slide, role, queue, other: reply.other ?? null });
    this.cells = reply.cells.map((cell, order) => ({
      ...cell, set: inOrder(cell.set ?? []), order, saved: cell.label, isPending: false, conflict: null,
    }));
    this.byNumber = new Map(this.cells.map((cell) => [cell.n, cell]));
    this.#recall(steps, queue.of(slide, role));
    for (const entry of queue.of(slide, role)) this.#overlay(entry);
    this.listeners = { accepted: (event) => this.#accepted(event.detail), problem: (event) => this.#problem(event.detail) };
    for (const [type, listener] of Object.entries(this.listeners)) queue.addEventListener(type, listener);
  }

  /** Stop listening; decisions that wait are still sent. */
  close() {
    for (const [type, listener] of Object.entries(this.listeners)) this.queue.removeEventListener(type, listener);
  }

  /** The class that a cell has now: as decided, else as it came. */
  classOf(cell) {
    return cell.label ?? this.given(cell);
  }

  /** The class of a cell that this reader has not decided. */
  given(cell) {
    const labels = this.other?.[cell.n];
    if (!labels) return cell.predicted;
    const first = labels.first ?? cell.predicted;
    return first === (labels.second ?? first) ? first : UNDECIDED;
  }

  get changed() {
    return this.cells.filter((cell) => this.classOf(cell) !== cell.predicted);
  }

  /** Cells that ask for a look and have no decision yet; in a consensus, those on which two readers differ. */
  get unseen() {
    const asks = this.other ? (cell) => this.given(cell) === UNDECIDED : (cell) => cell.needs_look;
    return this.cells.filter((cell) => cell.label === null && asks(cell));
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  /** Give cells a class; null withdraws. Returns the cells that it changed. */
  decide(cells, label) {
    const steps = cells
      .filter((cell) => cell.label !== label || cell.conflict)
      .map((cell) => ({ cell, from: cell.label, to: label }));
    if (!steps.length) return [];
    this.#undo.push(steps);
    this.#undo.splice(0, this.#undo.length - MAX_UNDO);
    this.#redo = [];
    return this.#apply("decide", steps.map(({ cell, to }) => [cell, to]));
  }

  /** Withdraw the last step by deciding as before: nothing is overwritten. */
  undo() {
    const steps = this.#undo.pop();
    if (!steps) return [];
    this.#redo.push(steps);
    return this.#apply("undo", steps.filter(({ cell, to }) => cell.label === to).map(({ cell, from }) => [cell, from]));
  }

  redo() {
    const steps = this.#redo.pop();
    if (!steps) return [];
    this.#undo.push(steps);
    return this.#apply("redo", steps.filter(({ cell, from }) => cell.label === from).map(({ cell, to }) => [cell, to]));
  }

  /** End a conflict: take what the server has, or decide again having seen it. */
  resolve(cell, { keepMine }) {
    const entry = cell.conflict;
    cell.conflict = null;
    this.queue.drop(entry);
    if (keepMine && cell.label !== entry.label) this.#apply("decide", [[cell, entry.label]]);
    else this.#changed([cell]);
  }

  #apply(act, changes) {
    const step = crypto.randomUUID();
    for (const [cell, label] of changes) {
      cell.label = label;
      cell.isPending = true;
      cell.conflict = null;
      this.queue.add({ slide: this.slide, cell: cell.n, role: this.role, label, expects: cell.seq, step, act });
    }
    const cells = changes.map(([cell]) => cell);
    this.#changed(cells);
    return cells;
  }

  /** Undo and redo as they stood before a reload: what the server has, then what waits here. */
  #recall(steps, entries) {
    const waiting = new Map();
    const labels = new Map();
    for (const { client_id: id, step = id, act, cell, label } of entries.filter(({ problem }) => !problem)) {
      if (!waiting.has(step)) waiting.set(step, { step, act, cells: [] });
      const from = labels.has(cell) ? labels.get(cell) : this.byNumber.get(cell)?.label ?? null;
      waiting.get(step).cells.push([cell, from, label]);
      labels.set(cell, label);
    }
    for (const { act, cells } of [...steps, ...waiting.values()]) {
      const done = cells.map(([n, from, to]) => ({ cell: this.byNumber.get(n), from, to })).filter(({ cell }) => cell);
      if (act === "undo") this.#redo.push(...this.#undo.splice(-1));
      else if (act === "redo") this.#undo.push(...this.#redo.splice(-1));
      else {
        this.#undo.push(done);
        this.#redo = [];
      }
    }
    this.#undo.splice(0, this.#undo.length - MAX_UNDO);
  }

  #overlay(entry) {
    const cell = this.byNumber.get(entry.cell);
    if (!cell) return;
    if (entry.problem) cell.conflict = entry;
    else Object.assign(cell, { label: entry.label, isPending: true });
  }

  #accepted({ slide, role, cell: n, seq, label }) {
    const cell = slide === this.slide && role === this.role ? this.byNumber.get(n) : null;
    if (!cell) return;
    Object.assign(cell, { seq, saved: label });
    cell.isPending = this.queue.waiting.some((entry) => entry.cell === n && entry.role === role);
    this.dispatchEvent(new CustomEvent("saved", { detail: [cell] }));
  }

  #problem(entry) {
    const cell = entry.slide === this.slide && entry.role === this.role ? this.byNumber.get(entry.cell) : null;
    if (!cell) return;
    const { current, kind } = entry.problem;
    if (kind === "conflict") Object.assign(cell, { saved: current?.label ?? null, seq: current?.seq ?? null });
    Object.assign(cell, { label: cell.saved, isPending: false, conflict: entry });
    this.#changed([cell]);
  }

  #changed(cells) {
    this.dispatchEvent(new CustomEvent("change", { detail: cells }));
  }
}
