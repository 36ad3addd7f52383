/** How readers and model agree, class by class, over all slides that were read. */

import { get } from "./api.js";
import { h } from "./dom.js";
import { nameOf, plural, range } from "./words.js";

const two = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

export async function agreement() {
  const { n_slides: nSlides, n_cells: nCells, kappa, classes } = await get("agreement");
  const head = ["Class", "Reader %", "Model %", "Bias", "95 % of differences", "Slope", "Intercept", "Within reader's limits"];
  return h("div", { class: "sheet" }, h("h1", {}, "Readers and model"),
    h("p", {}, `${plural(nSlides, "slide")} read, ${plural(nCells, "cell")}`, kappa ? `; Cohen's kappa ${two(kappa.value)} (${two(kappa.low)}–${two(kappa.high)})` : "", "."),
    h("p", { class: "hint" }, "The reader corrects what the model proposes, so they agree more than with a reader who does not see the model's classes. " +
      "Bias and the range of differences: Bland-Altman. Slope and intercept: Passing-Bablok, where a class is on enough slides."),
    h("p", { class: "row" }, h("a", { class: "button", href: "#/" }, "Worklist")),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Agreement by class" },
      h("table", { class: "log" },
        h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, classes.map(row)))));
}

function row(one) {
  const figure = (name) => h("td", { class: "number" }, two(one[name]), h("small", {}, ` ${range(one[`${name}_low`], one[`${name}_high`])}`));
  return h("tr", {}, h("th", { scope: "row" }, nameOf(one.name)),
    h("td", { class: "number" }, two(one.reader_mean)), h("td", { class: "number" }, two(one.model_mean)),
    figure("bias"), h("td", { class: "number" }, one.lower === null ? "–" : `${two(one.lower)} to ${two(one.upper)}`),
    figure("slope"), figure("intercept"), h("td", { class: "number" }, `${one.n_within_limits_of_reader} of ${one.n_slides}`));
}
