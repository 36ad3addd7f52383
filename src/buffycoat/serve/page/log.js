/** The log of the project in words, newest first, and whether its chain of hashes is whole. For admins. */

import { get } from "./api.js";
import { button, fill, h } from "./dom.js";
import { choice } from "./form.js";
import { KIND, saying } from "./log_words.js";
import { frame, picture } from "./pictures.js";
import { identity, moment, plural } from "./words.js";

const PAGE = 50;

export async function logView() {
  const { people, kinds, slides } = await get("log/filters");
  const names = new Map(slides.map(({ n, id }) => [n, id]));
  const slide = choice("Slide", slides.map(({ n, id }) => [n, id]));
  const person = choice("Who", people.map((name) => [name, name]));
  const kind = choice("What", kinds.map((code) => [code, KIND[code] ?? code]));
  const body = h("tbody");
  const shown = h("p", { class: "hint", role: "status" });
  const newer = button("Newer", () => turn(-1));
  const older = button("Older", () => turn(1));
  const problem = h("p", { class: "warning", role: "alert" });
  let starts = [0]; // of each page so far, the entry before its first
  let last = 0;
  let asks = 0;
  const can = (node, is) => node.setAttribute("aria-disabled", String(!is)); // it keeps the focus
  const load = async () => {
    const ask = (asks += 1);
    const asked = [["after", starts.at(-1)], ["slide", slide.field.value], ["person", person.field.value], ["kind", kind.field.value]];
    const query = new URLSearchParams(asked.filter(([, value]) => value));
    const { entries, before } = await get(`log?order=newest&limit=${PAGE + 1}&${query}`);
    if (ask !== asks) return; // a later one is on its way
    const page = entries.slice(0, PAGE);
    last = page.at(-1)?.seq ?? 0;
    fill(body, page.map((entry) => row(entry, before[entry.seq], names)));
    shown.textContent = page.length ? `Entries ${page[0].seq} to ${last}${starts.length === 1 ? ", the newest first" : ""}` : "No such entry.";
    can(newer, starts.length > 1);
    can(older, entries.length > PAGE);
  };
  const tell = (done) => done.then(() => fill(problem), (error) => fill(problem, error.message));
  const turn = (step) => {
    if ((step > 0 ? older : newer).getAttribute("aria-disabled") === "true") return;
    if (step > 0) starts.push(last);
    else starts.pop();
    tell(load());
  };
  for (const { field } of [slide, person, kind]) {
    field.addEventListener("input", () => {
      starts = [0];
      tell(load());
    });
  }
  const [whole] = await Promise.all([check(), load()]);
  return h("div", { class: "sheet" }, h("h1", {}, "Log"),
    h("p", {}, "Every decision, reading, signature and login. Nothing is changed or removed; each entry holds the hash of the one before."),
    whole,
    h("div", { class: "row filters" }, slide.node, person.node, kind.node, shown, h("span", { class: "spring" }), h("a", { class: "button", href: "#/" }, "Worklist")),
    problem,
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Entries" },
      h("table", { class: "log entries" },
        h("thead", {}, h("tr", {}, ["When", "Who", "Slide", "Cell", "What", "Record"].map((title) => h("th", { scope: "col" }, title)))), body)),
    h("p", { class: "row" }, newer, older));
}

/** A line that says whether the log is whole. */
async function check() {
  const line = h("p", { role: "status" });
  const look = async () => {
    const { is_whole: isWhole, n, head, faults } = await get("log/check");
    line.className = isWhole ? "good" : "warning";
    fill(line, isWhole ? `The log is whole: ${plural(n, "entry", "entries")}, head ${head}` : `The log is not whole: ${faults.join("; ")}`);
  };
  const again = button("Check again", () => {
    fill(line, "Checking …");
    look().catch((error) => fill(line, error.message));
  });
  await look();
  return h("div", {}, line, h("p", { class: "row" }, again));
}

function row(entry, before, names) {
  const { at, person, identity: how, slide, cell, data = {} } = entry;
  const { title, more } = saying(entry, before);
  const link = slide ? h("a", { href: `#/slides/${slide}/view` }, names.get(slide) ?? slide) : "";
  return h("tr", { class: entry.damage ? "damaged" : null }, h("td", {}, moment(at)), h("td", {}, person, identity(how) ? h("small", {}, identity(how)) : null), h("td", {}, link),
    h("td", {}, cell ? frame(null, picture(cell, `Cell ${data.name ?? cell}`, { loading: "lazy", width: 56, height: 56 })) : ""),
    h("td", {}, title, more.map((text) => h("small", {}, text))),
    h("td", {}, h("details", {}, h("summary", {}, `No. ${entry.seq}`), h("pre", { tabindex: "0" }, JSON.stringify(entry, null, 1)))));
}
