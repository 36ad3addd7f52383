/** Dialogs with a form that stays, with the reason, when the server refuses. */

import { button, dialog, fill, h } from "./dom.js";

/** A labelled field that must be filled in; both. */
export function field(label, attributes) {
  const input = h("input", { required: true, autocomplete: "off", ...attributes });
  return [h("label", { class: "block" }, label, input), input];
}

/** A list to choose from, or all; the field and its label with it. */
export function choice(label, options) {
  const field = h("select", { id: `filter-${label}` }, h("option", { value: "" }, "all"),
    options.map(([value, name]) => h("option", { value }, name)));
  return { field, node: h("span", {}, h("label", { for: field.id }, `${label} `), field) };
}

/**
 * @param {Array} parts What stands in it.
 * @param {string} label Of the button that sends it.
 * @param {() => Promise<void>} act May fail.
 * @param {{isKept?: boolean, onclose?: () => void}} options `isKept`: stays open when it is done.
 */
export function form(title, parts, label, act, { isKept = false, onclose = () => {} } = {}) {
  const problem = h("p", { class: "warning", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, label);
  const body = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      fill(problem);
      try {
        await act();
        if (!isKept) node.close();
      } catch (error) {
        fill(problem, error.message);
        submit.disabled = false;
      }
    },
  }, parts, problem, h("p", { class: "actions" }, button(isKept ? "Close" : "Cancel", () => node.close()), submit));
  const node = dialog(title, body, { onclose });
  return node;
}
