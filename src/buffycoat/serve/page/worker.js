/**
 * A service worker that keeps the page's own files, so that a reload opens the page while the server is away.
 *
 * It asks the server first, and keeps nothing else: no answer of the API and no picture, so nothing of a patient.
 */

const FILES = [
  "./", "accounts.js", "agreement.js", "api.js", "app.js", "cell_pane.js", "conflicts.js", "differential.js", "dom.js",
  "dragging.js", "form.js", "grid.js", "icon.svg", "keys.js", "log.js", "log_words.js", "login.js", "palette.js",
  "pictures.js", "queue.js", "reading.js", "selection.js", "settings.js", "signing.js", "slide.js", "stated.js",
  "style.css",
  "tabs.js", "theme.js", "tokens.js", "words.js", "worklist.js",
];
const CACHE = "buffycoat-page";
const WAIT_MS = 4000;
const KEPT = new Set(FILES.map((name) => new URL(name, registration.scope).href));

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...KEPT])));
});

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && KEPT.has(url.replace(/#.*$/, ""))) event.respondWith(answer(event));
});

/** From the server, or as it was when the server answered last. */
async function answer(event) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(event.request, { signal: AbortSignal.timeout(WAIT_MS) });
    if (response.ok) {
      event.waitUntil(cache.put(event.request, response.clone()));
      return response;
    }
    return (await cache.match(event.request)) ?? response;
  } catch (error) {
    const kept = await cache.match(event.request);
    if (kept) return kept;
    throw error;
  }
}
