/** The differential of a slide: raw, corrected and absolute, with limits; versions and downloads. */

import { download, get, post } from "./api.js";
import { alert, button, fill, h } from "./dom.js";
import { draft, dropDraft } from "./settings.js";
import { identity, percent, plural, project, range, tooFew, when } from "./words.js";

const WAIT_MS = 400;
const badWbc = () => `WBC: a number above 0 and below ${project.mostWbc} is expected, in 10⁹/L, such as 7.4`;
const FORMATS = { csv: "CSV", pdf: "PDF", fhir: "FHIR", hl7: "HL7", geojson: "GeoJSON" };

export class Differential {
  #timer = null;
  #asked = 0;
  #storing = Promise.resolve();

  constructor(slide, role) {
    Object.assign(this, { slide, role });
    this.wbc = draft(`wbc.${slide.n}`, h("input", {
      id: "wbc", inputmode: "decimal", autocomplete: "off", size: "6", "aria-describedby": "wbc-unit",
      readonly: slide.status === "signed", oninput: () => this.refresh(), onchange: () => this.store().catch((error) => this.#say(error.message)),
    }));
    if (!this.wbc.value || this.wbc.readOnly) this.wbc.value = slide.wbc ?? "";
    this.problem = h("p", { class: "warning", role: "alert" });
    this.body = h("div", { class: "differential" }, h("p", { class: "hint" }, "…"));
    this.node = h("div", {},
      h("p", { class: "row" }, h("label", { for: "wbc" }, "WBC of the analyser"), this.wbc, h("span", { id: "wbc-unit" }, "10⁹/L")),
      this.problem, this.body);
  }

  /** The typed count, or null. A comma is a decimal point here. */
  get wbcValue() {
    const text = this.wbc.value.trim().replace(",", ".");
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : null;
    return value > 0 && value < project.mostWbc ? value : null;
  }

  get hasBadWbc() {
    return this.wbc.value.trim() !== "" && this.wbcValue === null;
  }

  /** Keep what is typed with the slide, for whoever signs it. */
  store() {
    this.#storing = this.#storing.catch(() => {}).then(() => this.#store());
    return this.#storing;
  }

  async #store() {
    if (this.hasBadWbc) throw new Error(badWbc());
    const { slide, wbcValue: wbc } = this;
    if (wbc !== (slide.wbc ?? null)) {
      await post(`slides/${slide.n}/wbc`, { client_id: crypto.randomUUID(), wbc });
      slide.wbc = wbc;
    }
    dropDraft(`wbc.${slide.n}`);
    this.refresh(0);
  }

  #say(text = "") {
    fill(this.problem, text);
  }

  refresh(wait = WAIT_MS) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.load(), wait);
  }

  close() {
    clearTimeout(this.#timer);
  }

  /**
   * The figures that a signature freezes, with its flags and the WBC that the server has: what is
   * typed here is stored before. The field shows it too, unless another is typed meanwhile.
   */
  async asSigned() {
    const { slide, wbcValue: before } = this;
    const found = await get(`slides/${slide.n}/differential?role=final`);
    if (found.wbc !== before && this.wbcValue === before && !this.hasBadWbc) {
      slide.wbc = found.wbc;
      this.wbc.value = found.wbc ?? "";
      this.refresh(0);
    }
    return found;
  }

  async load() {
    const ask = (this.#asked += 1);
    this.wbc.setAttribute("aria-invalid", String(this.hasBadWbc));
    this.#say(this.hasBadWbc ? badWbc() : "");
    try {
      const typed = this.wbcValue === null ? "" : `&wbc=${this.wbcValue}`;
      const found = await get(`slides/${this.slide.n}/differential?role=${this.role}${typed}`);
      if (ask !== this.#asked) return; // a later one is on its way
      fill(this.body, list(warnings(found)), table(found), list(notes(found)));
    } catch (error) {
      if (ask === this.#asked) this.#say(error.message); // the figures before it stay
    }
  }
}

const isOtherThanPredicted = (row) => row.predicted_count !== undefined && row.predicted_count !== row.count;

/** Rows of the differential as a table. */
export function table({ rows, n_leukocytes: total }) {
  const some = (name) => rows.some((row) => row[name] !== null && row[name] !== undefined);
  const [hasAdjusted, hasAbsolute] = [some("adjusted"), some("absolute")];
  const isOther = rows.some(isOtherThanPredicted);
  const line = (row) => h("tr", { class: row.count || row.predicted_count ? "" : "none" },
    h("th", { scope: "row", title: row.name }, row.name, row.is_leukocyte === false ? h("small", {}, ", per 100 leukocytes") : null),
    h("td", {}, row.count, isOtherThanPredicted(row)
      ? h("small", { title: "as predicted" }, ` (${row.predicted_count})`) : null),
    h("td", {}, percent(row.percent), h("small", {}, range(row.low, row.high))),
    hasAdjusted ? h("td", {}, percent(row.adjusted), h("small", {}, range(row.adjusted_low, row.adjusted_high))) : null,
    hasAbsolute ? h("td", {}, row.absolute === null || row.absolute === undefined ? "–" : row.absolute.toFixed(2)) : null);
  const head = ["Class", "Count", "%", hasAdjusted ? "Corrected %" : null, hasAbsolute ? "10⁹/L" : null];
  return h("table", { class: "counts" },
    h("caption", {}, `${plural(total, "leukocyte")}. ${isOther ? "In brackets: as predicted. " : ""}Small: 95 % limits.`),
    h("thead", {}, h("tr", {}, head.filter(Boolean).map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map(line)));
}

/** What to know before the figures are trusted: flags, and too few cells. */
export function warnings({ flags = [], n_leukocytes: total }) {
  return [...flags.map(({ text }) => text), tooFew(total)].filter(Boolean).map((text) => h("li", { class: "flag" }, text));
}

const notes = ({ notes: texts = [] }) => texts.map((text) => h("li", {}, text.text ?? text));
export const list = (lines) => (lines.length ? h("ul", { class: "notes" }, lines) : null);

/** The signed versions of a slide, newest first, with their downloads. */
export async function versions(slide) {
  const all = await get(`slides/${slide.n}/versions`);
  const list = (all.versions ?? all).toSorted((a, b) => b.version - a.version);
  return h("div", {},
    list.length ? null : h("p", { class: "hint" }, "Not signed yet. What you download now has the status “preliminary”."),
    list.length ? null : downloads(slide, null),
    list.map((one) => h("section", { class: "version" },
      h("h3", {}, `Version ${one.version}`),
      h("p", {}, `Signed by ${one.signer}${identity(one.identity) ? ` (${identity(one.identity)})` : ""}, ${when(one.at)}`),
      one.comment ? h("p", { class: "comment" }, one.comment) : null,
      one.reason ? h("p", {}, `Reason of the amendment: ${one.reason}`) : null,
      h("p", { class: "hash", title: one.hash }, `SHA-256 ${one.hash.slice(0, 16)}…`),
      downloads(slide, one.version))));
}

function downloads(slide, version) {
  const query = version === null ? "" : `?version=${version}`;
  const which = version === null ? "preliminary" : `version ${version}`;
  const save = (format) => download(`slides/${slide.n}/export/${format}${query}`).catch((error) => alert(error.message));
  return h("p", { class: "downloads" }, Object.entries(FORMATS).map(([format, name]) =>
    button(name, () => save(format), { "aria-label": `${name}, ${which}` })));
}
