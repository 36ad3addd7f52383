/** What an entry of the log says, in words. */

import { nameOf, plural, ROLE } from "./words.js";

/** Kind of an entry -> words for the list of kinds. */
export const KIND = {
  imported: "cells added", setting: "setting", taken: "reading taken", released: "reading given back", finished: "reading finished",
  reopened: "reading reopened", decided: "decision", wbc: "WBC", signed: "signature", amended: "amendment", user_added: "account added",
  password_changed: "password changed", user_disabled: "account locked", user_enabled: "account unlocked", token_added: "token made",
  token_removed: "token voided", tokens_removed: "tokens voided", login: "login", logout: "logout",
};

const role = (data) => (ROLE[data.role] ?? data.role).toLowerCase();
const short = (checksum) => (checksum ? `${checksum.slice(0, 12)}…` : "not stated");
const ACT = { undo: "Undone: ", redo: "Done again: " };

const SAYS = {
  imported: (data) => [`${plural(data.n_cells, "cell")} of ${data.file} added`, `model ${short(data.bundle_sha256)}`],
  setting: (data) => [data.has_second_reader ? "Every slide is read twice from now on" : "A second reading is no longer needed"],
  taken: (data) => [`Took the ${role(data)}${data.reader ? ` of ${data.reader} over` : ""}`],
  released: (data) => [`Gave the ${role(data)}${data.reader ? ` of ${data.reader}` : ""} back`],
  finished: (data) => [`Finished the ${role(data)}`, data.is_hidden ? "" : `${data.n_decided} of ${plural(data.n_cells, "cell")} decided one by one`],
  reopened: (data) => [`Reopened the ${role(data)}`],
  wbc: (data) => [data.wbc === null ? "Removed the WBC" : `WBC ${data.wbc} × 10⁹/L`],
  signed: (data) => [`Signed version ${data.version}`, `hash ${short(data.hash)}`],
  amended: (data) => [`Amended version ${data.version}`, `reason: ${data.reason}`],
  user_added: (data) => [`Added the account ${data.name}`, data.roles.join(", ")],
  password_changed: (data) => [`Changed the password of ${data.name}`, data.n_tokens_voided ? `voided ${plural(data.n_tokens_voided, "token")}` : ""],
  user_disabled: (data) => [`Locked ${data.name} out`],
  user_enabled: (data) => [`Let ${data.name} in again`],
  token_added: (data) => [`Made a token of ${data.name}`, `for ${data.purpose}`],
  token_removed: (data) => [`Voided a token of ${data.name}`, `for ${data.purpose}`],
  tokens_removed: (data) => [`Voided ${plural(data.n, "token")} of ${data.name}`],
  login: () => ["Logged in"],
  logout: () => ["Logged out"],
};

/**
 * @param {object} entry Of the log.
 * @param {string|null} before The label that a decision replaced.
 * @returns {{title: string, more: string[]}}
 */
export function saying(entry, before = null) {
  const { kind, data = {}, damage = [], body } = entry;
  const named = [KIND[kind] ?? kind];
  let says = null;
  try {
    if (body === undefined) says = kind === "decided" ? decided(data, before) : SAYS[kind]?.(data) ?? named;
  } catch { /* it has not what an entry of its kind has */ }
  const [title, ...more] = says ?? named;
  const isDamaged = says === null || damage.length > 0;
  return { title: isDamaged ? `Damaged entry: ${title}` : title, more: [...more.filter(Boolean), ...damage] };
}

function decided(data, before) {
  if (data.is_hidden) return ["A decision, hidden until both readings are finished", role(data)];
  const { label, predicted } = data;
  const from = before ?? predicted;
  const change = label === null ? `${nameOf(from)} withdrawn: as predicted, ${nameOf(predicted)}`
    : label === from ? `Confirmed: ${nameOf(label)}` : `From ${nameOf(from)} to ${nameOf(label)}`;
  return [`${ACT[data.act] ?? ""}${change}`, `${role(data)}, cell ${data.name}`, `predicted ${nameOf(predicted)} by model ${short(data.bundle_sha256)}`];
}
