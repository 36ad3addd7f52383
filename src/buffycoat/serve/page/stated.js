/** Who reads, where there are no accounts: asked once in a browser, and said to be a stated name. */

import { readAs, session } from "./api.js";
import { dialog, h } from "./dom.js";
import { setting, store } from "./settings.js";

const MOST = 64;
const NAME = "reader";

/** The session of whoever reads; asks for the name if it is not known. */
export async function asReader(found) {
  if (!found.is_single_user || found.is_reader_given) return found;
  let [name, why] = [setting(NAME), ""];
  for (;;) {
    name ||= await ask("", { canCancel: false, why });
    try {
      readAs(name);
      const named = await session();
      store(NAME, name);
      return named;
    } catch (error) {
      readAs(null);
      if (error.status !== 422) throw error;
      [name, why] = [null, error.message]; // no name: an invisible character, say
    }
  }
}

/** Another reader at the same computer: the page is loaded again under that name. */
export async function changeReader(now) {
  const name = await ask(now, { canCancel: true });
  if (name && name !== now) {
    store(NAME, name);
    location.reload();
  }
}

/** @returns {Promise<string|null>} Null if it is given up. */
function ask(now, { canCancel, why = "" }) {
  return new Promise((resolve) => {
    const field = h("input", { required: true, maxlength: MOST, autocomplete: "name", value: now, pattern: ".*\\S.*" });
    let name = null;
    const node = dialog("Who reads?", h("form", {
      onsubmit: (event) => {
        event.preventDefault();
        name = field.value.trim();
        node.close();
      },
    },
    h("p", { class: "warning", role: "alert" }, why),
    h("p", {}, "Your name stands beside each decision in the log, and on every report. It is a stated name, not a login, and both say so. Logins come with accounts."),
    h("label", { class: "block" }, "Name", field),
    h("p", { class: "actions" },
      canCancel ? h("button", { type: "button", onclick: () => node.close() }, "Cancel") : null,
      h("button", { type: "submit", class: "primary" }, "Go on"))),
    { canCancel, onclose: () => resolve(name) });
    field.focus();
    field.select();
  });
}
