/**
 * Decisions on their way to the server, kept in localStorage until it has them.
 *
 * Each decision has a `client_id`, so sending it twice stores it once, and `expects`, the sequence
 * number of the decision that the reader saw. A second decision on a cell waits for the answer to
 * the first (`after`). One that the server does not take stays here with its `problem` until the
 * reader has chosen what to do.
 */

import { Unreachable } from "./api.js";

const PREFIX = "buffycoat.queue.";
const MAX_BATCH = 500;
const AWAY = new Set([429, 500, 503, 507]); // too many requests, a fault, restarting, disk full
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];

export class Queue extends EventTarget {
  #entries = [];
  #isSending = false;
  #order = Date.now();
  #failures = 0;
  #timer = null;

  /**
   * @param {string} owner Project and user: another's decisions are never sent under this name.
   * @param {(decisions: object[]) => Promise<{accepted: object[], conflicts: object[]}>} send
   */
  constructor(owner, send, storage = openStorage()) {
    super();
    Object.assign(this, { owner, send, storage, state: "saved", isKept: storage !== null });
    this.#entries = stored(storage, owner);
    addEventListener("online", () => this.flush());
    addEventListener("beforeunload", (event) => {
      if (!this.isKept && this.#entries.length) event.preventDefault();
    });
  }

  /** Decisions that the server has not answered yet. */
  get waiting() {
    return this.#entries.filter((entry) => !entry.problem);
  }

  /** Decisions that need a choice of the reader. */
  get problems() {
    return this.#entries.filter((entry) => entry.problem);
  }

  /** Of one reading, oldest first. */
  of(slide, role) {
    return this.#entries.filter((entry) => entry.slide === slide && entry.role === role);
  }

  /** @param {{slide, role, cell: number, label: string|null, expects: number|null, step: string, act: string}} decision */
  add(decision) {
    for (const old of this.problems) if (isSameCell(old, decision)) this.drop(old);
    const before = this.waiting.filter((entry) => isSameCell(entry, decision)).at(-1);
    const entry = {
      ...decision,
      client_id: crypto.randomUUID(),
      owner: this.owner,
      order: (this.#order += 1),
      at: new Date().toISOString(),
      after: before?.client_id ?? null,
    };
    this.#entries.push(entry);
    this.#keep(entry);
    queueMicrotask(() => this.flush());
    return entry;
  }

  /** Forget a decision: the server has it, or the reader chose another. */
  drop(entry) {
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.storage?.removeItem(keyOf(entry));
    this.#tell("change");
  }

  /** Send a refused decision as it is once more. */
  retry(entry) {
    delete entry.problem;
    this.#keep(entry);
    return this.flush();
  }

  /** Send all that waits. */
  async flush() {
    if (this.#isSending) return;
    clearTimeout(this.#timer);
    this.#isSending = true;
    let batch = [];
    try {
      for (batch = this.#next(); batch.length; batch = this.#next()) {
        this.#become("saving");
        this.#settle(batch, await this.send(batch.map(wire)));
        this.#failures = 0;
      }
      this.#become("saved");
    } catch (error) {
      this.#fail(batch, error);
    } finally {
      this.#isSending = false;
    }
  }

  #next() {
    return this.#entries.filter((entry) => !entry.after && !entry.problem).slice(0, MAX_BATCH);
  }

  #settle(batch, reply) {
    const byId = new Map(batch.map((entry) => [entry.client_id, entry]));
    for (const { client_id: id, seq } of reply.accepted) {
      const entry = byId.get(id);
      byId.delete(id);
      for (const later of this.#entries.filter((other) => other.after === id)) {
        Object.assign(later, { after: null, expects: seq });
        this.#keep(later);
      }
      this.drop(entry);
      this.#tell("accepted", { ...entry, seq });
    }
    for (const { client_id: id, current } of reply.conflicts) {
      const entry = byId.get(id);
      byId.delete(id);
      this.#trouble(this.#lastOfChain(entry), { kind: "conflict", current });
    }
    for (const { client_id: id, message } of reply.refused ?? []) {
      const entry = byId.get(id);
      byId.delete(id);
      this.#trouble(this.#lastOfChain(entry), { kind: "refused", message });
    }
    for (const entry of byId.values()) {
      this.#trouble(this.#lastOfChain(entry), { kind: "refused", message: "It gave no answer." });
    }
  }

  /** After a conflict only the reader's last choice on the cell is asked about. */
  #lastOfChain(entry) {
    const later = this.#entries.find((other) => other.after === entry.client_id);
    if (!later) return entry;
    this.drop(entry);
    later.after = null;
    return this.#lastOfChain(later);
  }

  #trouble(entry, problem) {
    entry.problem = problem;
    this.#keep(entry);
    this.#tell("problem", entry);
  }

  #fail(batch, error) {
    const isAway = error instanceof Unreachable || AWAY.has(error.status);
    if (isAway || error.status === 401) {
      this.#become(isAway ? "offline" : "login");
      const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
      this.#failures += 1;
      if (isAway) this.#timer = setTimeout(() => this.flush(), wait);
      return;
    }
    for (const entry of batch) {
      this.#trouble(this.#lastOfChain(entry), { kind: "refused", message: error.message });
    }
    queueMicrotask(() => this.flush());
  }

  #keep(entry) {
    try {
      this.storage.setItem(keyOf(entry), JSON.stringify(entry));
    } catch {
      this.isKept = false; // full, or blocked: only this tab has the decisions
    }
    this.#tell("change");
  }

  #become(state) {
    const wasAway = this.state === "offline";
    this.state = state;
    if (wasAway && state === "saved") this.#tell("back");
    this.#tell("change");
  }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Whether another person's decisions wait in this browser, and whose. */
export function otherOwners(owner, storage = openStorage()) {
  const counts = new Map();
  for (const entry of all(storage)) {
    if (entry.owner !== owner) counts.set(entry.owner, (counts.get(entry.owner) ?? 0) + 1);
  }
  return counts;
}

function stored(storage, owner) {
  return all(storage).filter((entry) => entry.owner === owner).sort((a, b) => a.order - b.order);
}

function all(storage) {
  if (!storage) return [];
  return Object.keys(storage).filter((key) => key.startsWith(PREFIX)).map((key) => read(storage.getItem(key))).filter(Boolean);
}

/** A stored decision; null if something else wrote it. */
function read(text) {
  try {
    const entry = JSON.parse(text);
    return entry?.client_id && entry.owner ? entry : null;
  } catch {
    return null;
  }
}

/** The browser's storage, or null where it is blocked. */
function openStorage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

const keyOf = (entry) => PREFIX + entry.client_id;
const isSameCell = (a, b) => a.cell === b.cell && a.role === b.role;
const wire = ({ client_id, cell, role, label, expects, step, act }) => ({ client_id, cell, role, label, expects, step, act });
