/** Which cell has the focus and which are selected, by mouse, finger and keys. */

export class Selection extends EventTarget {
  #chosen = new Set();
  #active = null;
  #anchor = null;
  isSeveral = false; // by finger: each tap adds or removes

  /** @param {import("./grid.js").Grid} grid */
  constructor(grid) {
    super();
    this.grid = grid;
    grid.node.addEventListener("click", (event) => this.#click(event));
    grid.node.addEventListener("focusin", (event) => this.#focused(event));
    this.#rove(grid.inOrder[0] ?? null);
  }

  get active() {
    return this.#active;
  }

  /** The selected cells in the order of the page; the one with the focus if none is. */
  get cells() {
    const chosen = this.grid.inOrder.filter((cell) => this.#chosen.has(cell));
    return chosen.length || !this.#active ? chosen : [this.#active];
  }

  get size() {
    return this.#chosen.size;
  }

  has(cell) {
    return this.#chosen.has(cell);
  }

  /** Select exactly these. */
  set(cells, active = cells[0] ?? this.#active) {
    for (const cell of this.#chosen) this.#mark(cell, false);
    this.#chosen = new Set(cells);
    for (const cell of cells) this.#mark(cell, true);
    this.#rove(active);
    this.#tell();
  }

  toggle(cell) {
    const isIn = !this.#chosen.delete(cell);
    if (isIn) this.#chosen.add(cell);
    this.#mark(cell, isIn);
    this.#anchor = cell;
    this.#rove(cell);
    this.#tell();
  }

  /** Move the focus there; with `extend` select all up to there. */
  moveTo(cell, { extend = false, only = true } = {}) {
    if (!cell) return;
    if (extend) this.set(this.#between(this.#anchor ?? this.#active, cell), cell);
    else if (only) this.#only(cell);
    else this.#rove(cell);
    this.focus();
  }

  focus() {
    if (this.#active) this.grid.optionOf(this.#active).focus();
  }

  /** The cell that the keys go to from here, or null. */
  neighbour(key) {
    const option = this.#active && this.grid.optionOf(this.#active);
    if (!option) return null;
    if (key === "ArrowRight") return this.#besides(1);
    if (key === "ArrowLeft") return this.#besides(-1);
    if (key === "Home") return this.grid.cellOf(option.parentElement.firstElementChild);
    if (key === "End") return this.grid.cellOf(option.parentElement.lastElementChild);
    if (key === "PageDown" || key === "PageUp") return this.#otherClass(option, key === "PageDown" ? 1 : -1);
    return this.#otherRow(option, key === "ArrowDown" ? 1 : -1);
  }

  /** Where the focus goes when these cells leave: the next of the class, else the one before. */
  after(cells) {
    const leaving = new Set(cells);
    const option = this.grid.optionOf(cells.at(-1));
    for (const way of ["nextElementSibling", "previousElementSibling"]) {
      for (let node = option[way]; node; node = node[way]) {
        const cell = this.grid.cellOf(node);
        if (!leaving.has(cell)) return cell;
      }
    }
    const order = this.grid.inOrder;
    const rest = order.slice(order.indexOf(cells.at(-1)) + 1).filter((cell) => !leaving.has(cell));
    return rest[0] ?? order.find((cell) => !leaving.has(cell)) ?? cells[0];
  }

  #only(cell) {
    this.#anchor = cell;
    this.set([cell], cell);
  }

  #between(from, to) {
    const order = this.grid.inOrder;
    const [start, end] = [order.indexOf(from), order.indexOf(to)].sort((a, b) => a - b);
    return order.slice(start, end + 1);
  }

  #besides(step) {
    const order = this.grid.inOrder;
    return order[order.indexOf(this.#active) + step] ?? null;
  }

  #otherRow(option, step) {
    const list = option.parentElement;
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const at = [...list.children].indexOf(option);
    const wanted = at + step * columns;
    const inList = list.children[wanted];
    if (inList) return this.grid.cellOf(inList);
    const lastRow = Math.floor((list.childElementCount - 1) / columns);
    if (step > 0 && Math.floor(at / columns) < lastRow) return this.grid.cellOf(list.lastElementChild);
    const next = this.#nextList(list, step);
    if (!next) return null;
    const size = next.childElementCount;
    const row = step > 0 ? 0 : Math.floor((size - 1) / columns);
    return this.grid.cellOf(next.children[Math.min(row * columns + (at % columns), size - 1)]);
  }

  #otherClass(option, step) {
    const next = this.#nextList(option.parentElement, step);
    return next && this.grid.cellOf(next.firstElementChild);
  }

  #nextList(list, step) {
    const lists = [...this.grid.node.querySelectorAll("[role=listbox]")];
    return lists[lists.indexOf(list) + step] ?? null;
  }

  #click(event) {
    const cell = this.grid.cellOf(event.target);
    if (!cell) return;
    if (event.shiftKey) this.set(this.#between(this.#anchor ?? this.#active, cell), cell);
    else if (event.ctrlKey || event.metaKey || this.isSeveral) this.toggle(cell);
    else this.#only(cell);
    this.focus();
  }

  #focused(event) {
    const cell = this.grid.cellOf(event.target);
    if (cell && cell !== this.#active) this.#rove(cell);
  }

  #rove(cell) {
    if (this.#active) this.grid.optionOf(this.#active).tabIndex = -1;
    this.#active = cell;
    if (cell) this.grid.optionOf(cell).tabIndex = 0;
    this.dispatchEvent(new CustomEvent("active", { detail: cell }));
  }

  #mark(cell, isIn) {
    this.grid.optionOf(cell).setAttribute("aria-selected", String(isIn));
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
