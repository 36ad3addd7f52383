/** Names, numbers and states in words. */

const names = new Map();
const keys = new Map();
export const project = { classes: [], extra: [], mostWbc: 0, fewest: 0 };

/** Take classes and limits of the session. */
export function learn({ taxonomy, most_wbc: mostWbc, fewest_leukocytes: fewest, second_reader: hasSecond }) {
  Object.assign(project, { classes: taxonomy.classes, extra: taxonomy.extra, mostWbc, fewest });
  Object.assign(ROLE, { consensus: hasSecond ? "Consensus" : "Correction" }); // of one reader's labels, by a signer
  Object.assign(ROLE_ACTION, { consensus: hasSecond ? "Decide consensus" : "Correct" });
  for (const { code, name, key } of [...taxonomy.classes, ...taxonomy.extra]) {
    names.set(code, name);
    if (key) keys.set(key.toLowerCase(), code);
  }
}

export const nameOf = (code) => names.get(code) ?? (code === "?" ? "readers disagree" : code);
export const codeOfKey = (key) => keys.get(key);
/** Codes in the order of the page. */
export const inOrder = (codes) => allClasses().map(({ code }) => code).filter((code) => codes.includes(code));
export const allClasses = () => [...project.classes, ...project.extra];

export const STATUS = {
  new: "new",
  reading: "being read",
  read: "read",
  second: "second reading",
  disagreement: "disagreements",
  ready: "ready to sign",
  signed: "signed",
  amending: "being amended",
};

export const ROLE = { first: "First reading", second: "Second reading", consensus: "Consensus" };
export const ROLE_ACTION = { first: "Read", second: "Read as second", consensus: "Decide consensus" };

/** How a name is known where it is not by an account; null for an account, and where it was not recorded. */
export const identity = (how) => ({ stated: "a stated name, not a login", machine: "the computer's user, not a login" })[how] ?? null;

/** A reason to look in a few words, for a caption; the sentence stands beside the large picture. */
export const brief = ({ code, text }) => (code === "outlier" ? "unlike the training cells" : text);

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
/** One decimal, of percents. */
export const percent = (value) => (value === null || value === undefined ? "–" : value.toFixed(1));
export const range = (low, high) => (low === null || low === undefined ? "" : `${percent(low)}–${percent(high)}`);
/** Why a differential of so few leukocytes says little; null where there are enough. */
export const tooFew = (count) => (count < project.fewest
  ? `${plural(count, "leukocyte")} counted: too few for a differential of ${project.fewest}; limits are wide` : null);
export const probability = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

/** Day and minute, in the reader's time zone. */
export function when(iso, timeStyle = "short") {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle });
}

/** Day and second. */
export const moment = (iso) => when(iso, "medium");
