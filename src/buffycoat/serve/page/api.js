/** Calls of the server. A lost connection, an expired session and a refusal are three things. */

const BASE = new URL("api/v1/", document.baseURI);
const TIMEOUT_MS = 30_000;
const MOST_TRIES = 3;

/** The server answered, and said no. `message` is fit to show. */
export class Refused extends Error {
  constructor(status, code, message, retryAfter = null) {
    super(message);
    Object.assign(this, { status, code, retryAfter });
  }
}

/** No answer: offline, server down, or in trouble of its own. Worth trying again. */
export class Unreachable extends Error {}

let csrf = null;
let logIn = null;
let reader = null;

/** @param {() => Promise<void>} ask Asks for the login in place; rejects if that is given up. */
export function whenExpired(ask) {
  logIn = ask;
}

/** Without accounts: who says to be reading, in this window, until it is loaded again. */
export function readAs(name) {
  reader = name;
}

export const url = (path) => new URL(path, BASE).href;
export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);

/** Save a file under the name that the server gives it; a refusal is thrown, not saved. */
export async function download(path) {
  const response = await answer("GET", path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "export";
  const href = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), TIMEOUT_MS);
}

/** The session; also takes the token that changes need. */
export async function session() {
  return keepToken(await call("GET", "session", undefined, false));
}

export async function login(name, password) {
  return keepToken(await call("POST", "login", { name, password }, false));
}

function keepToken(reply) {
  csrf = reply.csrf;
  return reply;
}

async function call(...request) {
  const response = await answer(...request);
  return response.status === 204 ? null : response.json();
}

async function answer(method, path, body, mayLogIn = true) {
  const response = await sendAgain(method, path, body);
  if (response.status === 401 && mayLogIn && logIn) {
    await logIn();
    return answer(method, path, body, false);
  }
  if (response.ok) return response;
  const error = await fault(response);
  if (error.code === "csrf" && mayLogIn) { // the server was started again, or a login elsewhere
    await session();
    return answer(method, path, body, false);
  }
  throw error;
}

/** Once more where the database did not answer: the server stored nothing, or stores the same once. */
async function sendAgain(method, path, body) {
  const isSafe = method === "GET" || body?.client_id;
  for (let tries = 1; ; tries += 1) {
    const response = await send(method, path, body);
    if (response.status !== 503 || !isSafe || tries === MOST_TRIES) return response;
    await new Promise((resolve) => setTimeout(resolve, 1000 * (Number(response.headers.get("Retry-After")) || 1)));
  }
}

async function send(method, path, body) {
  const headers = {};
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (reader) headers["X-Reader"] = encodeURIComponent(reader);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(url(path), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Unreachable("The server does not answer.");
  }
}

/** With a capital at its beginning and a full stop at its end. */
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;

async function fault(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not JSON: a proxy's page.
  }
  const message = error.message ? sentence(error.message) : `The server answered ${response.status} ${response.statusText}.`;
  if (response.status === 502 || response.status === 504) return new Unreachable(message);
  const wait = Number(response.headers.get("Retry-After")) || null;
  return new Refused(response.status, error.code ?? "unknown", message, wait);
}
