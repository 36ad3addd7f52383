/** Pictures of cells: white balance, outlines, zoom. */

import { get, url } from "./api.js";
import { button, h } from "./dom.js";
import { isOn } from "./settings.js";

const AT_ONCE = 6;
const RETRY_MS = [1000, 4000];
const outlines = new Map();
const waiting = [];
let running = 0;

const imageUrl = (n) => url(`cells/${n}/image${isOn("white") ? "?white=1" : ""}`);
export const contextUrl = (n) => url(`cells/${n}/context`);

/** A picture that says so if it cannot be shown. */
export function picture(n, alt, attributes = {}) {
  return h("img", {
    src: imageUrl(n), alt, draggable: "false", decoding: "async", "data-n": n,
    onerror: (event) => again(event.target),
    ...attributes,
  });
}

/** Ask once more for a picture that did not come, later each time; then say that it is missing. */
function again(image) {
  const tries = Number(image.dataset.tries ?? 0);
  if (tries >= RETRY_MS.length) {
    image.closest(".frame")?.classList.add("lost");
    return;
  }
  image.dataset.tries = tries + 1;
  setTimeout(() => image.isConnected && askAgain(image), RETRY_MS[tries]);
}

/** Another fragment is another address to the browser, and the same one to the server. */
function askAgain(image) {
  image.src = `${image.src.replace(/#.*$/, "")}#${Date.now()}`;
}

/** A frame around a picture; what is mirrored beyond the border of the field is hatched. */
export function frame(cell, image, attributes = {}) {
  const node = h("div", { class: "frame", ...attributes }, image);
  hatch(node, cell?.seen);
  return node;
}

/** Hatch what lies outside of a part of a picture; null leaves all as it is. */
export function hatch(node, seen) {
  if (!seen) return;
  const [left, top, right, bottom] = seen.map((end) => `${end * 100}%`);
  const over = h("div", { class: "mirrored", "aria-hidden": "true" });
  over.style.clipPath = `polygon(evenodd, 0 0, 100% 0, 100% 100%, 0 100%, 0 0, ${left} ${top}, ${right} ${top}, ${right} ${bottom}, ${left} ${bottom}, ${left} ${top})`;
  node.append(over);
}

/** Show the pictures under `root` as the settings say now. */
export function refresh(root) {
  for (const image of root.querySelectorAll("img[data-n]")) {
    if (image.src !== imageUrl(image.dataset.n)) image.src = imageUrl(image.dataset.n);
  }
}

/** Ask again for pictures that did not come: the server was away, or the session had ended. */
export function retryLost() {
  for (const frame of document.querySelectorAll(".frame.lost")) {
    frame.classList.remove("lost");
    askAgain(frame.querySelector("img"));
  }
}

/** Lay the cell's outline over a picture, or take it away. */
export async function outline(frame, n) {
  if (!isOn("outlines")) {
    frame.querySelector("svg")?.remove();
    return;
  }
  if (frame.querySelector("svg")) return;
  const found = await outlineOf(n);
  if (!found || !frame.isConnected || !isOn("outlines") || frame.querySelector("svg")) return;
  const points = found.points.map(([x, y]) => `${x},${y}`).join(" ");
  const shape = (kind) => h("svg:polygon", { points, class: kind });
  frame.append(h("svg:svg", {
    viewBox: `0 0 ${found.width} ${found.height}`, class: "outline", "aria-hidden": "true",
  }, shape("halo"), shape("line")));
}

function outlineOf(n) {
  if (!outlines.has(n)) {
    outlines.set(n, new Promise((resolve) => waiting.push([n, resolve])));
    next();
  }
  return outlines.get(n);
}

async function next() {
  if (running >= AT_ONCE || !waiting.length) return;
  running += 1;
  const [n, resolve] = waiting.pop(); // what was scrolled to last is looked at now
  try {
    resolve(await get(`cells/${n}/outline`));
  } catch {
    outlines.delete(n); // asked again when it is looked at again
    resolve(null);
  } finally {
    running -= 1;
    next();
  }
}

const ZOOMS = [1, 1.5, 2, 3, 4, 6];

/** A large picture with zoom; scrolls by mouse, finger and arrow keys. */
export function viewer(image, label) {
  let at = 0;
  const inner = h("div", { class: "frame inner" }, image);
  const scroller = h("div", { class: "viewer", tabindex: "0", role: "group", "aria-label": label }, inner);
  const level = h("output", { class: "level" }, "1×");
  const step = (change) => {
    const middle = [
      (scroller.scrollLeft + scroller.clientWidth / 2) / scroller.scrollWidth,
      (scroller.scrollTop + scroller.clientHeight / 2) / scroller.scrollHeight,
    ];
    at = Math.min(Math.max(at + change, 0), ZOOMS.length - 1);
    inner.style.setProperty("--zoom", ZOOMS[at]);
    level.textContent = `${ZOOMS[at]}×`;
    scroller.scrollTo(
      middle[0] * scroller.scrollWidth - scroller.clientWidth / 2,
      middle[1] * scroller.scrollHeight - scroller.clientHeight / 2);
  };
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // a plain wheel scrolls
    event.preventDefault();
    step(event.deltaY < 0 ? 1 : -1);
  }, { passive: false });
  scroller.addEventListener("dblclick", () => step(at ? -at : 2));
  const zoom = h("span", { class: "zoom" },
    button("−", () => step(-1), { "aria-label": "Zoom out" }), level,
    button("+", () => step(1), { "aria-label": "Zoom in" }));
  return { node: scroller, inner, zoom };
}
