/** A slide: its cells by class on the left, one cell or the differential on the right. */

import { get, post } from "./api.js";
import { alert, announce, button, fill, h } from "./dom.js";
import { CellPane } from "./cell_pane.js";
import { conflicts } from "./conflicts.js";
import { Differential, versions } from "./differential.js";
import { dragging } from "./dragging.js";
import { Grid } from "./grid.js";
import { bindKeys } from "./keys.js";
import { Palette } from "./palette.js";
import { Reading, UNDECIDED } from "./reading.js";
import { Selection } from "./selection.js";
import { amend, finish, release, reopen, sign } from "./signing.js";
import { Tabs } from "./tabs.js";
import { nameOf, plural, ROLE, ROLE_ACTION, STATUS } from "./words.js";
import { isBlind, nextSlide, openRoles } from "./worklist.js";

const SAVED_WITHIN_MS = 20_000;

export class SlideView {
  /** Take the role, load the cells, and build the page. */
  static async open(app, n, role) {
    const isMine = role !== "view";
    let slide = await get(`slides/${n}`);
    if (isMine && slide.my_role !== role && slide.status !== "signed") slide = await post(`slides/${n}/readings`, { role });
    const seen = isMine ? role : viewable(app, slide);
    const [reply, { steps }] = await Promise.all([
      get(`slides/${n}/cells${seen ? `?role=${seen}` : ""}`),
      isMine ? get(`slides/${n}/readings/${role}/steps`) : { steps: [] },
    ]);
    return new SlideView(app, slide, isMine ? role : seen ?? "first", isMine, reply, steps);
  }

  constructor(app, slide, role, isMine, reply, steps) {
    Object.assign(this, { app, slide, role });
    const mine = slide.readings.find((one) => one.role === role);
    this.isFinished = mine?.finished ?? false;
    this.isReadOnly = !isMine || this.isFinished || slide.status === "signed";
    this.roleName = isMine ? ROLE[role] : "View";
    this.reading = new Reading(slide.n, role, reply, app.queue, steps);
    this.grid = new Grid(this.reading);
    this.selection = new Selection(this.grid);
    this.palette = new Palette(this.reading, (code) => this.decide(code));
    this.palette.isDisabled = this.isReadOnly;
    this.cellPane = new CellPane(this.reading, (code) => this.decide(code));
    this.cellPane.isReadOnly = this.isReadOnly;
    this.differential = new Differential(slide, shownBy(app, slide, isMine ? role : null));
    this.conflicts = conflicts(this.reading, {
      onshow: (cell) => this.selection.moveTo(cell),
      onresolved: (cell) => this.selection.moveTo(cell),
    });
    this.#compose();
    this.#listen();
  }

  close() {
    for (const part of [this.reading, this.grid, this.cellPane, this.differential]) part.close();
  }

  /** Give the selected cells a class, and go on to the next cell. */
  decide(code) {
    if (this.isReadOnly) return announce(this.whyReadOnly);
    const cells = this.selection.cells;
    if (!cells.length) return announce("No cell is selected.");
    const next = code === null ? cells[0] : this.selection.after(cells);
    this.reading.decide(cells, code);
    const done = code === null ? "as predicted again" : nameOf(code);
    announce(cells.length === 1 ? `${done}.` : `${plural(cells.length, "cell")}: ${done}.`);
    this.selection.moveTo(next);
  }

  /** Decide that the class is right as it stands. */
  confirm() {
    const codes = new Set(this.selection.cells.map((cell) => this.reading.classOf(cell)));
    if (codes.size !== 1) return announce("The selected cells are of several classes.");
    this.decide([...codes][0]);
  }

  step(kind) {
    if (this.isReadOnly) return announce(this.whyReadOnly);
    const cells = this.reading[kind]();
    if (!cells.length) return announce(`Nothing to ${kind}.`);
    this.selection.set(cells);
    this.selection.focus();
    announce(`${kind === "undo" ? "Undone" : "Redone"}: ${plural(cells.length, "cell")}.`);
  }

  /** The next cell that needs a look, from the one with the focus on. */
  goToUnseen(step) {
    const order = this.grid.inOrder;
    const at = order.indexOf(this.selection.active);
    const unseen = new Set(this.reading.unseen);
    for (let i = 1; i <= order.length; i += 1) {
      const cell = order[(at + step * i + order.length * 2) % order.length];
      if (unseen.has(cell)) return this.selection.moveTo(cell);
    }
    announce("No doubtful cell is left.", { isShown: true });
  }

  /** A cell that is uncertain and unlike those that have a label. */
  async goToSuggested() {
    try {
      const { cells } = await get(`suggestions?slide=${this.slide.n}&count=1`);
      if (cells.length) this.selection.moveTo(this.reading.byNumber.get(cells[0].n));
      else announce("Every cell has a label.");
    } catch (error) {
      alert(error.message);
    }
  }

  get whyReadOnly() {
    if (this.slide.status === "signed") return `Signed as version ${this.slide.version}. Amend to change it.`;
    if (this.roleName === "View") return "You look at this slide without a role in it.";
    return `This reading is finished. ${this.mayReopen ? "Reopen it to change it." : "A consensus changes labels now."}`;
  }

  /** Whether this reading can be opened again: one of two that both are finished and seen cannot. */
  get mayReopen() {
    const { slide, role } = this;
    const isDone = (one) => slide.readings.some((reading) => reading.role === one && reading.finished);
    const isSeen = this.app.session.second_reader && isDone("first") && isDone("second") && role !== "consensus";
    return this.isFinished && this.roleName !== "View" && slide.status !== "signed" && !isSeen;
  }

  /** Resolves when the server has every decision of this reading. */
  async saved() {
    const { queue } = this.app;
    const end = Date.now() + SAVED_WITHIN_MS;
    while (queue.waiting.length) {
      await queue.flush();
      if (Date.now() > end || queue.state === "offline") {
        throw new Error(`${plural(queue.waiting.length, "decision")} not sent yet: the server does not answer. They are kept; try again later.`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    if (queue.of(this.slide.n, this.role).length) throw new Error("Some decisions need your choice first: see above the cells.");
  }

  /** Open the slide again as the server has it now. */
  reload(message) {
    if (message) announce(message);
    return this.app.show();
  }

  #compose() {
    const { slide } = this;
    this.tools = this.app.tools(this);
    this.tabs = new Tabs("Cell or slide", {
      cell: ["Cell", this.cellPane.node],
      differential: ["Differential", h("div", {}, this.differential.node, this.actions = h("div", { class: "actions end" }))],
      versions: ["Versions", this.versions = h("div", {})],
    }, (name) => this.#opened(name));
    this.grid.onselectall = (code) => {
      this.selection.set(this.grid.ofClass(code));
      this.selection.focus();
      announce(`${plural(this.selection.size, "cell")} selected.`);
    };
    this.several = button("Select several", () => this.#toggleSeveral(), { class: "touch", "aria-pressed": "false" });
    this.node = h("div", { class: "slide" },
      h("h1", { class: "sr-only" }, `Slide ${slide.id}, ${this.roleName}`),
      h("div", { class: "left" },
        this.isReadOnly ? h("p", { class: "banner" }, this.#why(), this.#offers()) : null,
        h("div", { class: "top" }, this.palette.node,
          h("span", { class: "row" }, this.several, button("Undo", () => this.step("undo"), { class: "touch" }))),
        this.conflicts.node, this.grid.node),
      this.pane = h("aside", { class: "pane", "aria-label": "Cell and differential" }, this.tabs.node));
    this.tabs.head.append(button("Close", () => this.pane.classList.remove("open"), { class: "shut" }));
    this.#drawActions();
    this.cellPane.node.addEventListener("click", (event) => event.detail && event.target.closest("button") && this.selection.focus());
    dragging(this.node, this.grid, this.selection, (code) => this.decide(code));
    bindKeys(this);
  }

  /** Why nothing can be changed, with what would change that as a button. */
  #why() {
    const act = (words, does) => {
      const [before, after] = this.whyReadOnly.split(words);
      return [before, button(words, () => does(this)?.catch?.((error) => alert(error.message)), { class: "quiet" }), after];
    };
    if (this.mayReopen) return act("Reopen it", reopen);
    const mayAmend = this.slide.status === "signed" && this.app.session.user.roles.includes("signer");
    return mayAmend ? act("Amend", amend) : this.whyReadOnly;
  }

  /** The next slide, once this one is done; links to the roles that somebody who only looks can take. */
  #offers() {
    const isDone = this.isFinished || this.slide.status === "signed";
    const roles = this.roleName === "View" ? openRoles(this.app, this.slide) : [];
    return [
      roles.map((role) => [" ", h("a", { href: `#/slides/${this.slide.n}/${role}` }, ROLE_ACTION[role])]),
      isDone ? [" ", button("Next slide", () => this.#goToNext().catch((error) => alert(error.message)))] : [],
    ];
  }

  async #goToNext() {
    const place = await nextSlide(this.app, this.slide.n);
    if (place) location.hash = place;
    else announce("No other slide waits for you.", { isShown: true });
  }

  #listen() {
    this.reading.addEventListener("change", ({ detail: cells }) => {
      this.grid.update(cells);
      this.palette.update();
      this.conflicts.draw();
      this.cellPane.update();
      this.#drawActions();
      this.app.drawBar();
    });
    this.reading.addEventListener("saved", ({ detail: cells }) => {
      this.grid.update(cells);
      this.differential.refresh();
    });
    const show = () => {
      this.cellPane.show(this.selection.size > 1 ? this.selection.cells : [this.selection.active].filter(Boolean));
      this.palette.mark(this.selection.active && this.reading.classOf(this.selection.active));
    };
    this.selection.addEventListener("change", show);
    this.selection.addEventListener("active", show);
    show();
    this.differential.refresh(0);
  }

  #toggleSeveral() {
    this.selection.isSeveral = !this.selection.isSeveral;
    this.several.setAttribute("aria-pressed", String(this.selection.isSeveral));
    announce(this.selection.isSeveral ? "Each tap selects one more cell." : "A tap selects one cell.");
  }

  async #opened(name) {
    this.pane.classList.add("open"); // on a phone it covers the cells
    if (name === "differential") this.differential.refresh(0);
    if (name !== "versions") return;
    try {
      fill(this.versions, await versions(this.slide));
    } catch (error) {
      fill(this.versions, h("p", { class: "hint" }, error.message));
    }
  }

  /** Whether only this reading's end stands before the signature. */
  get #isLastStep() {
    if (this.isReadOnly) return false;
    if (this.role === "consensus") return !this.reading.cells.some((cell) => this.reading.classOf(cell) === UNDECIDED);
    return this.role === "first" && !this.app.session.second_reader;
  }

  /** Where the consensus stands that decides what is signed, seen from one of the readings before it. */
  get #consensus() {
    const { n, my_role: mine, readings } = this.slide;
    if (this.role === "consensus" || this.roleName === "View" || !readings.some(({ role }) => role === "consensus")) return null;
    return `#/slides/${n}/${mine === "consensus" ? mine : "view"}`;
  }

  #drawActions() {
    const { slide } = this;
    const may = (role) => this.app.session.user.roles.includes(role);
    const act = (label, does, attributes) => button(label, () => does(this).catch?.((error) => alert(error.message)), attributes);
    const isSigned = slide.status === "signed";
    const mayFinish = !this.isReadOnly;
    const canSign = slide.can_sign || this.#isLastStep;
    const decidedIn = this.#consensus;
    fill(this.actions,
      mayFinish ? button("Finish reading", () => finish(this)) : null,
      mayFinish && !this.app.session.is_single_user ? button("Give back …", () => release(this)) : null,
      this.mayReopen ? act("Reopen reading", reopen) : null,
      may("signer") && !isSigned && decidedIn
        ? h("p", { class: "hint" }, "What is signed is the consensus: ", h("a", { href: decidedIn }, "open it"), ".") : null,
      may("signer") && !isSigned && !decidedIn
        ? act("Sign …", sign, { class: "primary", disabled: !canSign, "aria-describedby": canSign ? null : "why-not" }) : null,
      may("signer") && isSigned ? button("Amend …", () => amend(this)) : null,
      !canSign && !isSigned && slide.why_not ? h("p", { class: "hint", id: "why-not" }, `Before signing: ${slide.why_not}.`) : null,
      h("p", { class: "hint" }, `Status: ${STATUS[slide.status] ?? slide.status}${slide.version ? `, version ${slide.version}` : ""}`));
  }
}

/** Whose figures are shown. */
function shownBy(app, slide, role) {
  if (role === null && isBlind(app, slide)) return "model";
  return role === null || role === "consensus" ? "final" : role;
}

/** The reading that somebody without a role may see; none for whom the second reading is open: it is blind. */
function viewable(app, slide) {
  if (isBlind(app, slide)) return null;
  const seen = ["consensus", "first"].find((role) => slide.readings.some((one) => one.role === role && one.n_decided !== null));
  return seen ?? null;
}
