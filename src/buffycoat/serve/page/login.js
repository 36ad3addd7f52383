/** The login form: at the start, and in place when a session expires. */

import { login, Refused } from "./api.js";
import { dialog, fill, h } from "./dom.js";

let open = null;

/**
 * Ask for name and password; one form at a time, however many requests wait for it.
 * @returns {Promise<object>} The session.
 */
export function askLogin({ name = "", why = "" } = {}) {
  open ??= show(name, why).finally(() => {
    open = null;
  });
  return open;
}

function show(known, why) {
  return new Promise((resolve, reject) => {
    const name = h("input", { id: "login-name", autocomplete: "username", required: true, value: known });
    const password = h("input", { id: "login-password", type: "password", autocomplete: "current-password", required: true });
    const problem = h("p", { class: "warning", role: "alert" });
    const submit = h("button", { type: "submit", class: "primary" }, "Log in");
    const body = h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        fill(problem);
        try {
          resolve(await login(name.value, password.value));
          node.close();
        } catch (error) {
          fill(problem, error instanceof Refused && error.retryAfter ? `${error.message} Try again in ${error.retryAfter} s.` : error.message);
          submit.disabled = false;
          password.select();
        }
      },
    },
    why ? h("p", {}, why) : null,
    h("label", { class: "block" }, "Name", name), h("label", { class: "block" }, "Password", password),
    problem, h("p", { class: "actions" }, submit));
    const onclose = () => reject(new Refused(401, "login", "You are not logged in.")); // does nothing after a login
    const node = dialog("Log in", body, { canCancel: false, onclose });
    (known ? password : name).focus();
  });
}
