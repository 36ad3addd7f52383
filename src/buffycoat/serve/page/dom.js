/** Elements, announcements and dialogs. Text is only ever set as text, never as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @param {string} tag Name; with "svg:" before it an SVG element.
 * @param {object} attributes `onclick` and the like are listeners; null and false are left out.
 * @param {...(Node|string|number|null|Array)} children
 */
export function h(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

/** Replace what an element holds. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

export const find = (id) => document.getElementById(id);

const SHOWN_MS = 5000;
let hiding = null;

/**
 * Say something to a screen reader; the same words twice are said twice.
 * With `isShown` everybody sees it for a while: where a key did nothing.
 */
export function announce(text, { isShown = false } = {}) {
  const live = find("live");
  clearTimeout(hiding);
  live.classList.toggle("sr-only", !isShown);
  if (isShown) hiding = setTimeout(() => live.classList.add("sr-only"), SHOWN_MS);
  live.textContent = live.textContent === text ? `${text}\u00a0` : text;
}

/** A button with a key named in its title. */
export function button(label, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, label);
}

/**
 * Where the keys go: back to what had them, to what took its place, to the dialog below, or to the cells.
 * @param {Element|null} before What had the focus.
 */
function focusAgain(before) {
  const main = find("main");
  const isThere = before?.isConnected && before !== document.body;
  const again = isThere ? before : before?.id ? find(before.id) : null;
  const below = document.querySelector("dialog[open]")?.querySelector(".actions button:not([hidden])");
  (again ?? below ?? main.querySelector("[role=option][tabindex='0']") ?? main).focus({ preventScroll: true });
}

/**
 * Open a modal dialog; focus goes back to where it was.
 * @returns {HTMLDialogElement} Its `close()` removes it.
 */
export function dialog(title, body, { onclose = () => {}, canCancel = true } = {}) {
  const before = document.activeElement;
  const heading = h("h2", { id: `dialog-${Date.now()}` }, title);
  const node = h("dialog", { "aria-labelledby": heading.id }, heading, body);
  if (!canCancel) node.addEventListener("cancel", (event) => event.preventDefault());
  node.addEventListener("close", () => {
    node.remove();
    focusAgain(before);
    onclose(node.returnValue);
  });
  document.body.append(node);
  node.showModal();
  return node;
}

/** A message above the page that stays until it is dismissed. */
export function alert(text, { kind = "error", actions = [] } = {}) {
  const box = h("div", { class: `alert ${kind}`, role: kind === "error" ? "alert" : "status" }, h("p", {}, text));
  box.append(
    h("span", { class: "actions" },
      actions.map(([label, act]) => button(label, () => { box.remove(); act(); })),
      button("Dismiss", () => box.remove())));
  find("alerts").append(box);
  return box;
}
