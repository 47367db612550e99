// The strip of past dreams: a picture of each, its name and who asked.

import { call } from "./api.js";
import { byId, el, person, say } from "./dom.js";

const MOST = 24;
const ARMED_MS = 4000; // how long a button waits to be pressed again

let shown = null; // number of changes when the list was read last
let moderates = false;
const cards = new Map(); // by id

function ago(at) {
  const minutes = Math.max(0, (Date.now() / 1000 - at) / 60);
  if (minutes < 1) return "just now";
  if (minutes < 90) return `${Math.round(minutes)} min ago`;
  return minutes < 36 * 60 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`;
}

function who(dream) {
  if (dream.clipped_by) return ["clipped by ", person(dream.clipped_by)];
  return dream.user ? ["for ", person(dream.user)] : ["nobody asked"];
}

/** Remove a dream when its button is pressed a second time. */
async function remove(dream, card) {
  const button = card.querySelector("button");
  if (!button.classList.contains("armed")) {
    button.classList.add("armed");
    say(button, "sure?");
    setTimeout(() => {
      button.classList.remove("armed");
      say(button, "✕");
    }, ARMED_MS);
    return;
  }
  try {
    await call("DELETE", `/api/dreams/${dream.id}`);
    card.remove();
    cards.delete(dream.id);
    byId("dreamt").hidden = !cards.size;
    byId("dreamt-heading").focus({ preventScroll: true });
  } catch (error) {
    say(byId("dreamt-note"), error.message);
  }
}

function card(dream) {
  const picture = el("img", { src: dream.small, alt: "", width: dream.width, height: dream.height, loading: "lazy", decoding: "async" });
  const frame = el("span", { className: "dreamt-picture" }, picture);
  if (dream.clip) frame.append(el("span", { className: "dreamt-clip" }, `${Math.round(dream.clip_s)} s`));
  const about = el("span", { className: "dreamt-who" }, ...who(dream), " · ", el("span", { className: "dreamt-when" }));
  const row = el("li", {}, el("a", { href: dream.path }, frame, el("span", { className: "dreamt-what" }, dream.title), about));
  row.dataset.at = dream.at_s;
  if (moderates) row.append(el("button", { type: "button", className: "dreamt-remove", "aria-label": `Remove ${dream.title}`, onclick: () => remove(dream, row) }, "✕"));
  return row;
}

function age() {
  for (const row of cards.values()) say(row.querySelector(".dreamt-when"), ago(Number(row.dataset.at)));
}

function show(dreams) {
  const ids = new Set(dreams.map((dream) => dream.id));
  for (const [id, row] of cards) {
    if (ids.has(id)) continue;
    row.remove();
    cards.delete(id);
  }
  const list = byId("dreamt-list");
  dreams.forEach((dream, i) => {
    if (!cards.has(dream.id)) cards.set(dream.id, card(dream));
    const row = cards.get(dream.id);
    if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
  });
  age();
  byId("dreamt").hidden = !dreams.length;
}

/** Read the list again when a status says that it has changed. */
export async function showDreamt({ dreamt = 0 }) {
  if (dreamt === shown) return age();
  shown = dreamt;
  if (!dreamt) return show([]);
  try {
    const { dreams } = await call("GET", `/api/dreams?limit=${MOST}`);
    if (dreamt === shown) show(dreams);
  } catch (error) {
    console.info("the last dreams: %s", error.message);
    if (dreamt === shown) shown = null; // the next status tries again
  }
}

/** Moderators get a button to remove each. */
export function begin() {
  call("GET", "/api/session").then(
    (session) => {
      moderates = session.moderator;
      if (!moderates || !cards.size) return;
      for (const row of cards.values()) row.remove();
      cards.clear();
      shown = null; // the next status shows them with the button
    },
    (error) => console.info("the session: %s", error.message),
  );
}
