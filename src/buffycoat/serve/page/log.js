/** The log of the project, and whether its chain of hashes is whole. For admins. */

import { get } from "./api.js";
import { button, fill, h } from "./dom.js";
import { plural, when } from "./words.js";

const PAGE = 200;

export async function logView() {
  const body = h("tbody");
  const more = button("Show more", () => load());
  const checked = h("p", { role: "status" });
  let last = 0;
  const load = async () => {
    const { entries: events } = await get(`log?after=${last}&limit=${PAGE}`);
    last = events.at(-1)?.seq ?? last;
    body.append(...events.map(row));
    more.hidden = events.length < PAGE;
  };
  const check = async () => {
    fill(checked, "Checking …");
    const { is_whole: isWhole, n, head, faults } = await get("log/check");
    checked.className = isWhole ? "good" : "warning";
    fill(checked, isWhole ? `The log is whole: ${plural(n, "entry", "entries")}, head ${head}` : `The log is not whole: ${faults.join("; ")}`);
  };
  await Promise.all([load(), check()]);
  return h("div", { class: "sheet" }, h("h1", {}, "Log"),
    h("p", {}, "Every decision, reading, signature and login, in order. Each event holds the hash of the one before."),
    checked, h("p", { class: "row" }, button("Check again", check), h("a", { class: "button", href: "#/" }, "Worklist")),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Events" },
      h("table", { class: "log" },
        h("thead", {}, h("tr", {}, ["No.", "When", "Who", "What", "Hash"].map((title) => h("th", { scope: "col" }, title)))), body)),
    more);
}

function row({ seq, at, person, kind, hash, ...rest }) {
  const { prev, ...detail } = rest;
  return h("tr", {}, h("td", { class: "number" }, seq), h("td", {}, when(at)), h("td", {}, person),
    h("td", {}, h("b", {}, kind), " ", h("code", {}, JSON.stringify(detail))),
    h("td", { class: "hash", title: hash }, hash.slice(0, 12)));
}
