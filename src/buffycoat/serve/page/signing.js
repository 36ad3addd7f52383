/** Finish a reading, sign, amend. Each says in words what it does before it does it. */

import { post } from "./api.js";
import { alert, h } from "./dom.js";
import { list, table, warnings } from "./differential.js";
import { form } from "./form.js";
import { draft, dropDraft } from "./settings.js";
import { identity, plural } from "./words.js";

const area = (label, attributes) => {
  const field = h("textarea", { rows: "2", ...attributes });
  return [h("label", { class: "block" }, label, field), field];
};

const warn = (text) => h("li", { class: "warning" }, text);

export function finish(view) {
  const { slide, role, reading } = view;
  const open = reading.unseen.length;
  form(`Finish: ${view.roleName}`, [
    h("p", {}, `${plural(reading.cells.length, "cell")}, ${reading.changed.length} given another class than predicted.`),
    open ? h("p", { class: "warning" }, `${plural(open, "doubtful cell")} without a decision of yours: as predicted.`) : null,
    h("p", {}, "You can reopen it until the slide is signed."),
  ], "Finish", async () => {
    await view.saved();
    await post(`slides/${slide.n}/readings/${role}/finish`);
    await view.reload();
  });
}

/** Sign what is on the page; finishes the signer's own reading first where it is not finished. */
export async function sign(view) {
  const { slide, differential } = view;
  await view.saved();
  await differential.store();
  const found = await differential.asSigned();
  const [label, comment] = area("Comment", { maxlength: "2000" });
  draft(`comment.${slide.n}`, comment);
  const id = crypto.randomUUID(); // the same for every try
  const { wbc } = found;
  const { project, user } = view.app.session;
  let isHalf = false; // the reading is finished, and the signature failed
  const told = form(`Sign ${slide.id}`, [
    h("p", {}, `You sign as ${user.name}${identity(user.identity) ? ` (${identity(user.identity)})` : ""}: the differential of ${plural(found.n_cells, "cell")} of slide ${slide.id}` +
      `${slide.patient ? `, patient ${slide.patient}` : ""}, as version ${(found.version ?? 0) + 1}.`),
    h("div", { class: "beside" }, h("div", {},
      list(warnings(found)),
      h("ul", {},
        h("li", {}, `${found.n_changed} of the cells given another class than predicted`),
        h("li", {}, `${found.n_decided} of the cells decided one by one; the others are signed as predicted`),
        readers(found),
        found.left_out.map(({ text, n }) => h("li", {}, `${n} of the cells not counted: ${text}`)),
        found.undecided_doubtful ? warn(`${plural(found.undecided_doubtful, "doubtful cell")} without a decision: signed as predicted`) : null,
        found.missing ? warn(`${plural(found.missing, "picture")} missing: nobody can see these cells`) : null,
        found.changed ? warn(`${plural(found.changed, "picture")} changed since the prediction: the class may be another cell's`) : null,
        view.isReadOnly ? null : h("li", {}, "Your reading is finished by this"),
        h("li", {}, wbc === null ? "No WBC: no absolute counts" : `WBC ${wbc} × 10⁹/L`),
        h("li", {}, `Predictions ${project.name}`, models(found))),
      label),
    h("div", { role: "group", "aria-label": "Differential to be signed" },
      table({ ...found, rows: found.rows.filter((row) => row.count || row.predicted_count) }))),
  ], "Sign", async () => {
    if (!view.isReadOnly) {
      await post(`slides/${slide.n}/readings/${view.role}/finish`);
      isHalf = true;
    }
    const asked = { client_id: id, wbc, comment: comment.value, state: found.state };
    const { version } = await post(`slides/${slide.n}/sign`, asked).catch((error) => {
      if (error.code !== "changed") throw error;
      isHalf = true; // what is on the page is no longer what there is
      told.close();
      alert(error.message);
      return {};
    });
    if (!version) return;
    for (const name of ["comment", "wbc"]) dropDraft(`${name}.${slide.n}`);
    isHalf = false;
    await view.reload(`Signed as version ${version}.`);
  }, { onclose: () => isHalf && view.reload() });
  told.classList.add("broad", "signing");
  told.scrollTop = 0; // the first field has the focus, and flags stand above it
}

/** Checksums of the models that predicted the slide's cells, as far as they are known. */
function models({ bundle_sha256: all }) {
  return all.filter(Boolean).map((checksum) => `, model checksum ${checksum.slice(0, 12)}…`);
}

/** How far two readers agreed; null where one has read the slide. */
function readers({ n_differ: n, n_cells: all }) {
  if (n === null) return null;
  return h("li", {}, n ? `Two readers differed on ${n} of ${plural(all, "cell")}: decided by consensus` : "Two readers agreed on every cell");
}

export function amend(view) {
  const { slide } = view;
  const [label, reason] = area("Reason", { required: true, maxlength: "2000" });
  draft(`reason.${slide.n}`, reason);
  const id = crypto.randomUUID();
  form(`Amend ${slide.id}`, [
    h("p", {}, `Version ${slide.version} stays as it was signed. The slide is opened again, and the next signature makes version ${slide.version + 1}.`),
    label,
  ], "Amend", async () => {
    const { my_role: mine } = await post(`slides/${slide.n}/amend`, { client_id: id, reason: reason.value });
    dropDraft(`reason.${slide.n}`);
    const place = `#/slides/${slide.n}/${mine ?? "view"}`;
    if (location.hash === place) await view.reload("Open for amendment.");
    else location.hash = place;
  });
}

/** Give the reading back, for another reader to go on with. */
export function release(view) {
  form("Give the reading back", [
    h("p", {}, "Another reader can take it. Your decisions stay in the record, and stand until that reader decides otherwise."),
  ], "Give back", async () => {
    await view.saved();
    await post(`slides/${view.slide.n}/readings/${view.role}/release`);
    location.hash = "#/";
  });
}

export async function reopen(view) {
  await post(`slides/${view.slide.n}/readings/${view.role}/reopen`);
  await view.reload("Reading reopened.");
}
