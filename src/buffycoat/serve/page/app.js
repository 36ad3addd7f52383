/** Start: session, queue, routes, and the bar above. */

import { accounts } from "./accounts.js";
import { agreement } from "./agreement.js";
import { post, session, Unreachable, whenExpired } from "./api.js";
import { alert, announce, button, fill, find, h } from "./dom.js";
import { logView } from "./log.js";
import { askLogin } from "./login.js";
import { otherOwners, Queue } from "./queue.js";
import { showKeys } from "./keys.js";
import { retryLost } from "./pictures.js";
import { apply, changes, isOn, keepDraftsOf, resize, set, setting, toggle } from "./settings.js";
import { SlideView } from "./slide.js";
import { asReader, changeReader } from "./stated.js";
import { learn, plural } from "./words.js";
import { disagreements, worklist } from "./worklist.js";

const RETRY_MS = 2000;
const THEMES = { auto: "System colours", light: "Light", dark: "Dark" };
const main = find("main");

class App {
  view = null;
  #asked = 0;

  async start() {
    apply("size");
    this.session = await this.#firstSession();
    learn(this.session);
    find("notice").textContent = this.session.notice;
    this.#expectLogin();
    keepDraftsOf(this.#owner);
    this.queue = new Queue(this.#owner, (decisions) => post("decisions", { decisions }));
    this.queue.addEventListener("change", () => this.drawBar());
    this.queue.addEventListener("back", retryLost);
    for (const name of ["white", "outlines", "theme"]) changes.addEventListener(name, () => this.drawBar());
    addEventListener("hashchange", () => this.show());
    addEventListener("keydown", (event) => {
      if (event.key === "?" && !this.view && !event.target.closest?.("input, textarea")) showKeys();
    });
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address says what is shown
      if (this.view) this.view.selection.focus();
      else main.focus();
    });
    this.#tellOthers();
    this.queue.flush();
    await this.show();
  }

  /** Draw what the address says. */
  async show() {
    const ask = (this.#asked += 1);
    const [place, n, what] = location.hash.replace(/^#\/?/, "").split("/");
    main.setAttribute("aria-busy", "true");
    try {
      const next = await this.#page(place, Number(n), what);
      if (ask !== this.#asked) return next.close?.();
      this.view?.close();
      this.view = next instanceof SlideView ? next : null;
      fill(main, this.view ? next.node : next);
      document.title = `${this.view ? next.slide.id : next.querySelector("h1").textContent} – buffycoat review`;
      scrollTo(0, 0);
      if (this.view) next.selection.focus();
      else main.focus({ preventScroll: true });
    } catch (error) {
      if (ask === this.#asked) this.#failed(error);
    } finally {
      main.removeAttribute("aria-busy");
    }
    this.drawBar();
  }

  #page(place, n, what) {
    if (place === "slides" && what === "disagreements") return disagreements(this, n);
    if (place === "slides") return SlideView.open(this, n, what);
    if (place === "log") return logView();
    if (place === "agreement") return agreement();
    if (place === "accounts") return accounts(this);
    return worklist(this);
  }

  #failed(error) {
    this.view?.close();
    this.view = null;
    fill(main, h("div", { class: "sheet" }, h("p", { class: "warning", role: "alert" }, error.message),
      h("p", { class: "row" }, button("Try again", () => this.show()), h("a", { class: "button", href: "#/" }, "Worklist"))));
  }

  async #firstSession() {
    for (;;) {
      try {
        const found = await session();
        return found.user ? await asReader(found) : await askLogin();
      } catch (error) {
        if (error.status === 401) continue;
        if (!(error instanceof Unreachable)) throw error;
        const kept = [...otherOwners("").values()].reduce((sum, count) => sum + count, 0);
        const told = kept ? ` ${plural(kept, "decision")} kept in this browser: sent when it is back.` : "";
        const text = `The server does not answer. Trying again …${told}`;
        if (main.textContent !== text) fill(main, h("p", { class: "lead", role: "status" }, text)); // said once
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** A session that ends mid-work asks for the login in place; another user starts afresh. */
  #expectLogin() {
    whenExpired(async () => {
      const { name } = this.session.user;
      const renewed = await askLogin({ name, why: "Your session has ended. What you decided is kept and is sent after the login." });
      if (renewed.user.name !== name) location.reload();
      this.session = renewed;
      retryLost();
      this.queue.flush();
    });
  }

  get #owner() {
    const { project, user } = this.session;
    return JSON.stringify([project.name, project.created, user.name]);
  }

  #tellOthers() {
    for (const [owner, count] of otherOwners(this.#owner)) {
      const [project, created, name] = JSON.parse(owner);
      if (project !== this.session.project.name || created !== this.session.project.created) continue;
      alert(`${plural(count, "decision")} of ${name} not sent yet, kept in this browser. They are sent when ${name} ${this.session.is_single_user ? "reads" : "logs in"} here.`, { kind: "info" });
    }
  }

  async logOut() {
    await this.queue.flush();
    if (this.queue.waiting.length) return alert("Some decisions are not sent yet. Log out when the server answers again.");
    await post("logout");
    location.hash = "";
    location.reload();
  }

  /** The buttons of a slide. */
  tools(view) {
    const press = (name, label, title) => button(label, () => toggle(name), { "aria-pressed": String(isOn(name)), title, "data-setting": name });
    const node = h("div", { class: "tools", role: "group", "aria-label": "Tools" },
      button("Undo", () => view.step("undo"), { title: "Ctrl+Z", "data-step": "undo" }),
      button("Redo", () => view.step("redo"), { title: "Ctrl+Shift+Z", "data-step": "redo" }),
      press("white", "White balance", "Shift+W"), press("outlines", "Outlines", "Shift+O"),
      button("−", () => resize(-1), { "aria-label": "Smaller pictures", title: "-" }),
      button("+", () => resize(1), { "aria-label": "Larger pictures", title: "+" }));
    node.addEventListener("click", (event) => event.detail && view.selection.focus()); // by mouse: the keys stay with the cells
    return node;
  }

  drawBar() {
    const { view } = this;
    const bar = find("bar");
    if (bar.dataset.view !== this.#barKey) this.#buildBar(bar);
    for (const node of bar.querySelectorAll("[data-setting]")) node.setAttribute("aria-pressed", String(isOn(node.dataset.setting)));
    const can = { undo: view?.reading.canUndo, redo: view?.reading.canRedo };
    for (const node of bar.querySelectorAll("[data-step]")) node.setAttribute("aria-disabled", String(!can[node.dataset.step]));
    const state = find("saved");
    const [kind, text] = this.#saveState();
    if (state.textContent === text) return;
    // A screen reader hears of trouble and of its end, not of each decision that is saved.
    state.setAttribute("aria-live", kind === "bad" || state.classList.contains("bad") ? "polite" : "off");
    Object.assign(state, { className: `saved ${kind}`, textContent: text });
  }

  get #barKey() {
    return this.view ? `${this.view.slide.n} ${this.view.role} ${this.view.slide.status}` : location.hash;
  }

  #saveState() {
    const { state, waiting, problems, isKept } = this.queue;
    if (!isKept && waiting.length) return ["bad", "This browser cannot keep decisions: leave this tab open until they are sent"];
    if (problems.length) return ["bad", `${plural(problems.length, "decision")} to choose`];
    if (state === "offline") return ["bad", `Offline: ${plural(waiting.length, "decision")} kept here`];
    if (state === "login") return ["bad", `Log in to send ${plural(waiting.length, "decision")}`];
    return waiting.length ? ["busy", "Saving …"] : ["good", "All saved"];
  }

  #buildBar(bar) {
    const { view } = this;
    const { user, is_single_user: isSingle, is_reader_given: isGiven } = this.session;
    bar.dataset.view = this.#barKey;
    const theme = h("select", { "aria-label": "Theme", onchange: (event) => set("theme", event.target.value) },
      Object.entries(THEMES).map(([value, name]) => h("option", { value, selected: setting("theme") === value }, name)));
    fill(bar,
      h("a", { href: "#/", class: "home" }, "buffycoat review"),
      view ? h("div", { class: "where" }, h("b", {}, view.slide.id), view.slide.patient ? h("span", {}, view.slide.patient) : null, h("span", { class: "role" }, view.roleName)) : null,
      h("span", { id: "saved" }),
      h("span", { class: "spring" }),
      view?.tools, h("div", { class: "own" },
        button("Keys", showKeys, { title: "?", class: "by-key" }), theme,
        user.roles.includes("admin") ? [h("a", { href: "#/accounts" }, "Accounts"), h("a", { href: "#/log" }, "Log")]
          : h("a", { href: "#/accounts" }, "Account"),
        isSingle && !isGiven ? button(user.name, () => changeReader(user.name), { title: "Another reader …", "aria-label": `Reader ${user.name}: another reader …`, class: "who" })
          : h("span", { class: "who" }, user.name),
        isSingle ? null : button("Log out", () => this.logOut().catch((error) => alert(error.message)))));
  }
}

navigator.serviceWorker?.register("worker.js").catch(() => {
  // Without it the page works, and cannot be loaded again while the server is away.
});
const app = new App();
app.start().catch((error) => {
  fill(main, h("p", { class: "lead warning", role: "alert" }, error.message));
  announce(error.message);
});
