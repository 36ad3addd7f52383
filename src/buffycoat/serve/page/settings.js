/** What a reader sets for this browser: theme, size of the pictures, white balance, outlines. */

const PREFIX = "buffycoat.";
const scope = { of: "" };
const DEFAULTS = { theme: "auto", size: "112", white: "off", outlines: "off" };
const SIZES = [72, 88, 112, 144, 192, 256];
export const changes = new EventTarget();

export function setting(name) {
  try {
    return localStorage.getItem(PREFIX + name) ?? DEFAULTS[name];
  } catch {
    return DEFAULTS[name];
  }
}

/** Keep a choice in this browser. */
export function store(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Storage is full or blocked: the choice holds for this page only.
  }
}

export function set(name, value) {
  store(name, value);
  apply(name, value);
  changes.dispatchEvent(new CustomEvent(name, { detail: value }));
}

export const isOn = (name) => setting(name) === "on";
export const toggle = (name) => set(name, isOn(name) ? "off" : "on");

/** One size up or down. */
export function resize(step) {
  const at = SIZES.indexOf(Number(setting("size")));
  set("size", String(SIZES[Math.min(Math.max(at + step, 0), SIZES.length - 1)]));
}

export function apply(name, value = setting(name)) {
  const root = document.documentElement;
  if (name === "size") root.style.setProperty("--cell", `${value}px`);
  if (name === "theme" && value === "auto") delete root.dataset.theme;
  else if (name === "theme") root.dataset.theme = value;
}

/** Text that a reader has typed and not sent yet; survives a reload. */
export function draft(name, field) {
  const key = draftKey(name);
  try {
    field.value = localStorage.getItem(key) ?? "";
    field.addEventListener("input", () => localStorage.setItem(key, field.value));
  } catch {
    // Storage is full or blocked: the text stays in the field alone.
  }
  return field;
}

export function dropDraft(name) {
  try {
    localStorage.removeItem(draftKey(name));
  } catch {
    // Storage is blocked: there was no draft.
  }
}

/** Whose drafts these are: of one user in one review. */
export function keepDraftsOf(owner) {
  scope.of = owner;
}

const draftKey = (name) => `${PREFIX}draft.${name}.${scope.of}`;
