/** The slides to read, with flags and status; the list of disagreements of one slide. */

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { choice } from "./form.js";
import { nameOf, plural, ROLE, ROLE_ACTION, STATUS } from "./words.js";

const FLAGS = { blasts: "Blasts", left_shift: "Left shift", doubtful: "Doubtful", unfamiliar_site: "Other laboratory's look" };

/** @returns {Promise<Node>} */
export async function worklist(app) {
  const { slides } = await get("slides");
  const status = choice("Status", Object.entries(STATUS));
  const flag = choice("Flag", Object.entries(FLAGS));
  const text = h("input", { type: "search", id: "search", placeholder: "Slide or patient", "aria-label": "Search slides and patients" });
  const body = h("tbody");
  const counted = h("p", { class: "hint", role: "status" });
  const draw = () => {
    const wanted = text.value.trim().toLowerCase();
    const shown = slides.filter((slide) =>
      (!status.field.value || slide.status === status.field.value) &&
      (!flag.field.value || slide.flags.some(({ code }) => code === flag.field.value)) &&
      `${slide.id} ${slide.patient ?? ""}`.toLowerCase().includes(wanted));
    fill(body, shown.map((slide) => row(app, slide)));
    counted.textContent = shown.length === slides.length ? plural(slides.length, "slide") : `${shown.length} of ${plural(slides.length, "slide")}`;
  };
  for (const field of [status.field, flag.field, text]) field.addEventListener("input", draw);
  draw();
  const head = ["Slide", "Flags", "Status", "Cells", "Doubtful", "Changed", "Readers", "Action"];
  return h("div", { class: "sheet" },
    h("h1", {}, "Worklist"),
    h("div", { class: "row filters" }, text, status.node, flag.node, counted, h("span", { class: "spring" }), h("a", { href: "#/agreement" }, "Readers and model")),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Slides" },
      h("table", { class: "worklist" },
        h("thead", {}, h("tr", {}, head.map((title) => h("th", { scope: "col" }, title)))), body)));
}

function row(app, slide) {
  const readers = slide.readings.filter(({ reader }) => reader).map(({ role, reader, finished, n_decided: decided }) =>
    h("div", {}, `${ROLE[role]}: ${reader}`, finished ? " ✓" : decided && !isBlind(app, slide) ? `, ${decided} decided` : ""));
  const problems = app.queue.problems.filter((entry) => entry.slide === slide.n).length;
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: `#/slides/${slide.n}/${main(app, slide)}` }, slide.id),
      slide.patient ? h("small", {}, slide.patient) : null),
    h("td", {}, problems ? h("span", { class: "flag flag-blasts" }, `${plural(problems, "decision")} to choose`) : null,
      slide.flags.map(({ code, text }) => h("span", { class: `flag flag-${code}`, title: text }, FLAGS[code] ?? text))),
    h("td", {}, h("span", { class: "status" }, STATUS[slide.status] ?? slide.status), slide.version ? h("small", {}, `version ${slide.version}`) : null),
    h("td", { class: "number", "data-label": "Cells" }, slide.n_cells.toLocaleString("en")),
    h("td", { class: "number", "data-label": "Doubtful" }, slide.n_doubtful ?? "–"),
    h("td", { class: "number", "data-label": "Changed" }, isBlind(app, slide) ? "–" : slide.n_changed ?? "–"),
    h("td", {}, readers),
    h("td", { class: "actions" }, actions(app, slide)));
}

/** The role that a click on the slide's name opens: with several readers, none that is not taken yet. */
function main(app, slide) {
  const { is_single_user: isSingle, second_reader: hasSecond } = app.session;
  const [open] = isSingle ? openRoles(app, slide).filter((role) => hasSecond || role !== "consensus") : [];
  const isHeld = slide.readings.some(({ role, reader }) => role === open && reader); // taken over by "Read" alone
  return slide.my_role ?? (isHeld ? null : open) ?? "view";
}

/** Whether this user may still read the slide as second, and should know nothing of the first reading. */
export const isBlind = (app, slide) => openRoles(app, slide).includes("second");

/** Roles that this user can take on the slide now. */
export function openRoles(app, slide) {
  const { user, second_reader: hasSecond, is_single_user: isSingle } = app.session;
  if (slide.status === "signed") return [];
  const maySign = isSingle || user.roles.includes("signer");
  // Without accounts, who states another name takes an open reading over; a signer takes over what another decided.
  const mayTakeOver = ({ role, finished }) => (finished ? role === "consensus" && maySign : isSingle && !hasSecond);
  const isFree = (role) => !slide.readings.some((one) => one.role === role && one.reader && !mayTakeOver(one));
  const readings = ["first", ...(hasSecond ? ["second"] : [])].filter(isFree);
  const mayRead = user.roles.includes("reader") && !slide.my_role;
  const mayDecide = maySign || (hasSecond && mayRead);
  const isDone = (role) => slide.readings.some((one) => one.role === role && one.finished);
  const isRead = isDone("first") && (!hasSecond || isDone("second"));
  // Who read a slide alone opens that reading again.
  const isOwn = slide.my_role === "consensus" || (slide.my_role === "first" && !hasSecond && !isDone("consensus"));
  const roles = mayRead ? readings.slice(0, 1) : [];
  return isRead && mayDecide && !isOwn && isFree("consensus") ? [...roles, "consensus"] : roles;
}

/** Where this user goes on after a slide: the next that waits for them, from there around; null if none does. */
export async function nextSlide(app, n) {
  const { slides } = await get("slides");
  const waits = (slide) => slide.status !== "signed" &&
    ((slide.my_role && !isOver(slide)) || slide.can_sign || openRoles(app, slide).length > 0);
  const at = slides.findIndex((slide) => slide.n === n);
  const next = [...slides.slice(at + 1), ...slides.slice(0, Math.max(at, 0))].find(waits);
  return next ? `#/slides/${next.n}/${main(app, next)}` : null;
}

function actions(app, slide) {
  const link = (role, label) => h("a", { class: "button", href: `#/slides/${slide.n}/${role}` }, label);
  const links = [];
  if (slide.my_role) links.push(link(slide.my_role, isOver(slide) ? "Open" : "Continue"));
  for (const role of openRoles(app, slide)) links.push(link(role, ROLE_ACTION[role]));
  if (!links.length) links.push(link("view", "View"));
  if (app.session.second_reader && ["disagreement", "ready", "signed", "amending"].includes(slide.status)) {
    links.push(link("disagreements", "Disagreements"));
  }
  return links;
}

function isOver(slide) {
  return slide.status === "signed" || slide.readings.some((one) => one.role === slide.my_role && one.finished);
}

/** Where two readers differ. */
export async function disagreements(app, n) {
  const slide = await get(`slides/${n}`);
  const { cells, n_agree: agree, kappa } = await get(`slides/${n}/disagreements`);
  const { picture } = await import("./pictures.js");
  const isDecided = slide.readings.some(({ role: one, finished }) => one === "consensus" && finished);
  const role = slide.my_role === "consensus" || (!isDecided && openRoles(app, slide).includes("consensus")) ? "consensus" : "view";
  return h("div", { class: "sheet" },
    h("h1", {}, `Disagreements: ${slide.id}`),
    h("p", {}, `${plural(agree, "cell")} agreed, ${cells.length} not`, kappa === null || kappa === undefined ? "" : `; Cohen's kappa ${kappa.toFixed(2)}`, "."),
    h("p", { class: "row" }, h("a", { class: "button primary", href: `#/slides/${n}/${role}` }, role === "view" ? "View" : "Decide consensus"),
      h("a", { class: "button", href: "#/" }, "Worklist")),
    h("table", { class: "disagreements" },
      h("thead", {}, h("tr", {}, ["Cell", "First reader", "Second reader", "Consensus"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, cells.map((cell) => h("tr", {},
        h("th", { scope: "row" }, h("div", { class: "frame" }, picture(cell.n, `Cell ${cell.n}`, { loading: "lazy" }))),
        [cell.first, cell.second, cell.consensus].map((code) => h("td", {}, code ? nameOf(code) : "open")))))));
}
