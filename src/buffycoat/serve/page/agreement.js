/** How readers and model agree, class by class, over all slides that were read. */

import { get } from "./api.js";
import { h } from "./dom.js";
import { nameOf, plural, range } from "./words.js";

const two = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

export async function agreement() {
  const { n_slides: nSlides, n_cells: nCells, kappa, no_class: noClass, classes } = await get("agreement");
  const head = ["Class", "Reader %", "Model %", "No class by the reader", "Bias", "95 % of differences", "Slope", "Intercept", "Within reader's limits"];
  return h("div", { class: "sheet" }, h("h1", {}, "Readers and model"),
    h("p", {}, `${plural(nSlides, "slide")} read, ${plural(nCells, "cell")}`, kappa ? `; Cohen's kappa ${two(kappa.value)} (${two(kappa.low)}–${two(kappa.high)})` : "", "."),
    rejected(noClass, nCells),
    nSlides && !classes.length ? h("p", {}, "On no slide have both counted a leukocyte: there are no percentages to compare.") : null,
    h("p", { class: "hint" }, "The reader corrects what the model proposes, so they agree more than with a reader who does not see the model's classes. " +
      "Bias and the range of differences: Bland-Altman. Slope and intercept: Passing-Bablok, where a class is on enough slides."),
    h("p", { class: "row" }, h("a", { class: "button", href: "#/" }, "Worklist")),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Agreement by class" },
      h("table", { class: "log" },
        h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, classes.map(row)))));
}

/** Cells to which the reader gave no class: what the model called them stays in its percentages. */
function rejected(noClass, nCells) {
  const named = Object.entries(noClass);
  if (!named.length) return null;
  const n = named.reduce((sum, [, count]) => sum + count, 0);
  return h("p", {}, `${n} of ${plural(nCells, "cell")} ${n === 1 ? "has" : "have"} no class by the reader (` +
    `${named.map(([code, count]) => `${nameOf(code)}: ${count}`).join(", ")}). ` +
    "The model's percentages count them as what it called them, the reader's leave them out, and to kappa they are disagreements.");
}

function row(one) {
  const figure = (name) => h("td", { class: "number" }, two(one[name]), h("small", {}, ` ${range(one[`${name}_low`], one[`${name}_high`])}`));
  return h("tr", {}, h("th", { scope: "row" }, nameOf(one.name)),
    h("td", { class: "number" }, two(one.reader_mean)), h("td", { class: "number" }, two(one.model_mean)),
    h("td", { class: "number" }, one.no_class ? `${one.no_class} of the model's ${one.model_count}` : "–"),
    figure("bias"), h("td", { class: "number" }, one.lower === null ? "–" : `${two(one.lower)} to ${two(one.upper)}`),
    figure("slope"), figure("intercept"), h("td", { class: "number" }, `${one.n_within_limits_of_reader} of ${one.n_slides}`));
}
