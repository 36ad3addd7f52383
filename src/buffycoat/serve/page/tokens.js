/** Tokens of an account: what each is for, when it was made and used, and a button to void it. */

import { get, post, remove } from "./api.js";
import { button, dialog, fill, h } from "./dom.js";
import { field, form } from "./form.js";
import { when } from "./words.js";

const HEAD = ["For", "Made", "Last used", "Ends", "Action"];

/** @param {string} path Of the account. */
export async function tokens(name, path) {
  const list = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Tokens" });
  const load = async () => {
    const { tokens: all } = await get(`${path}/tokens`);
    const row = (one) => h("tr", {}, h("th", { scope: "row" }, one.purpose), h("td", {}, when(one.made_at)),
      h("td", {}, one.last_used_at ? when(one.last_used_at) : "never"),
      h("td", {}, new Date(one.expires_at) < Date.now() ? "has ended" : when(one.expires_at)),
      h("td", {}, button("Void …", () => confirm(one), { "aria-label": `Void the token for ${one.purpose} …` })));
    fill(list, all.length
      ? h("table", { class: "log" }, h("thead", {}, h("tr", {}, HEAD.map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, all.map(row)))
      : h("p", { class: "hint" }, "No tokens."));
    every.hidden = all.length < 2;
  };
  const voided = (title, text, where) => form(title, [h("p", {}, text)], "Void", async () => {
    await remove(where);
    await load();
  });
  const confirm = (one) => voided(`Void the token for ${one.purpose}`, "The program that uses it is refused from now on.", `${path}/tokens/${one.id}`);
  const every = button("Void all …", () => voided(`Void all tokens of ${name}`, "Every program that uses one is refused from now on.", `${path}/tokens`));
  await load();
  const node = dialog(`Tokens of ${name}`, h("div", {},
    h("p", {}, "A program with a token works as this account, without its password."), list,
    h("p", { class: "actions" }, every, button("Make a token …", () => make(name, path, load)),
      button("Close", () => node.close(), { class: "primary" }))));
  node.classList.add("broad");
}

function make(name, path, load) {
  const [purposeLabel, purpose] = field("What for", { maxlength: 64 });
  const [daysLabel, days] = field("Days it holds", { type: "number", min: 1, max: 3650, value: 365 });
  const made = h("p", { role: "status", class: "id" });
  form(`Token for a program of ${name}`, [h("p", {}, "It is shown once."), purposeLabel, daysLabel, made], "Make", async () => {
    const reply = await post(`${path}/tokens`, { purpose: purpose.value, days: Number(days.value) });
    fill(made, reply.token);
    await load();
  }, { isKept: true });
}
