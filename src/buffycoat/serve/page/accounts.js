/** Accounts, passwords and tokens. For admins; everybody changes their own password and tokens. */

import { get, post } from "./api.js";
import { alert, button, fill, find, h } from "./dom.js";
import { field, form } from "./form.js";
import { tokens } from "./tokens.js";
import { plural, when } from "./words.js";

const ROLES = { reader: "reads slides", signer: "signs and amends", admin: "makes accounts, sees the log" };
const LEAST_PASSWORD = 12;

export async function accounts(app) {
  const { user, is_single_user: isSingle } = app.session;
  const isAdmin = user.roles.includes("admin");
  const body = h("tbody");
  const load = async () => {
    const { users } = await get("users");
    fill(body, users.map((one) => row(one, { isOwn: one.name === user.name, load })));
  };
  await load();
  return h("div", { class: "sheet" }, h("h1", {}, isAdmin ? "Accounts" : "Your account"),
    isSingle ? h("p", {}, "Without accounts nobody logs in: who reads states a name. With the first account, which must be an admin's, everybody logs in.") : null,
    h("p", { class: "row" }, isAdmin ? button("Add an account …", () => add(load), { class: "primary" }) : null, h("a", { class: "button", href: "#/" }, "Worklist")),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Accounts" },
      h("table", { class: "log" }, h("thead", {}, h("tr", {}, ["Name", "Roles", "Made", "Action"].map((title) => h("th", { scope: "col" }, title)))), body)));
}

function row(one, { isOwn, load }) {
  const path = `users/${encodeURIComponent(one.name)}`;
  const lock = async () => {
    await post(`${path}/disable`, { disabled: !one.is_disabled });
    await load();
    find(`lock-${one.name}`)?.focus();
  };
  return h("tr", {}, h("th", { scope: "row" }, one.name, one.is_disabled ? " (locked)" : ""), h("td", {}, one.roles.join(", ")), h("td", {}, when(one.made_at)),
    h("td", { class: "actions" },
      button("Password …", () => password(one.name, path, isOwn)),
      button("Tokens …", () => tokens(one.name, path).catch((error) => alert(error.message))),
      isOwn ? null : button(one.is_disabled ? "Let in again" : "Lock out …", () => (one.is_disabled ? lock().catch((error) => alert(error.message)) : confirmLock(one.name, lock)), { id: `lock-${one.name}` })));
}

const passwordField = (name = "Password") => field(`${name} (${LEAST_PASSWORD} characters or more)`, { type: "password", minlength: LEAST_PASSWORD, autocomplete: "new-password" });

function add(load) {
  const [nameLabel, name] = field("Name", {});
  const [passwordLabel, secret] = passwordField();
  const boxes = Object.entries(ROLES).map(([role, does]) => {
    const box = h("input", { type: "checkbox", value: role, checked: role === "reader" });
    return [h("label", { class: "row" }, box, `${role}: ${does}`), box];
  });
  form("Add an account", [nameLabel, passwordLabel, h("fieldset", {}, h("legend", {}, "Roles"), boxes.map(([label]) => label))], "Add", async () => {
    const roles = boxes.map(([, box]) => box).filter((box) => box.checked).map((box) => box.value);
    await post("users", { name: name.value, password: secret.value, roles });
    await load();
  });
}

function password(name, path, isOwn) {
  const [label, secret] = passwordField(isOwn ? "New password" : "Password");
  const [currentLabel, current] = field("Current password", { type: "password", autocomplete: "current-password" });
  const ends = isOwn ? "Other sessions of this account end. Its tokens stay." : "Sessions and tokens of this account end.";
  form(`New password of ${name}`, [h("p", {}, ends), isOwn ? currentLabel : null, label], "Change", async () => {
    const asked = { password: secret.value, ...(isOwn ? { current: current.value } : {}) };
    const { n_tokens: kept, n_tokens_voided: voided } = await post(`${path}/password`, asked);
    const tokens = isOwn && kept ? `${plural(kept, "token")} of it still ${kept === 1 ? "works" : "work"}: “Tokens …” voids them.` : voided ? `${plural(voided, "token")} voided.` : "";
    alert(`The password of ${name} is changed. ${tokens}`, { kind: "info" });
  });
}

function confirmLock(name, lock) {
  form(`Lock ${name} out`, [h("p", {}, "Sessions and tokens of this account end. What it decided stays.")], "Lock out", lock);
}
