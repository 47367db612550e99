// Blocked words, viewers and subjects.

import { byId, count, el, person } from "../dom.js";
import { icon } from "../icons.js";
import { act } from "./act.js";

const KINDS = { words: "word", users: "user", classes: "class" };

async function unblock(kind, value, label) {
  const answer = await act("POST", "/api/unblock", { kind, value }, () => `Unblocked ${label}.`);
  if (answer) show(answer.blocked);
}

/** Block a word, a user or a class; for an unknown class, suggestions are shown. */
export async function block(kind, value, label = value) {
  const left = (removed) => (removed ? ` Removed ${count(removed, "request")}.` : "");
  const again = (near) => block(kind, near);
  const answer = await act("POST", "/api/blocks", { kind, value }, ({ removed }) => `Blocked ${label}.${left(removed)}`, again);
  if (!answer) return;
  show(answer.blocked);
  byId("block-value").value = "";
}

function chip(kind, value, label) {
  const free = el("button", { type: "button", className: "free", "aria-label": `Unblock ${label}`, title: "Unblock" }, icon("cross"));
  free.addEventListener("click", () => unblock(kind, value, label));
  return el("li", { className: "blocked" }, person(label, "span"), free);
}

/** Show the blocked lists: words and users as text, classes with wnid and label. */
export function show(blocked = {}) {
  for (const [list, kind] of Object.entries(KINDS)) {
    const entries = (blocked[list] ?? []).map((entry) => (typeof entry === "string" ? [entry, entry] : [entry.wnid, entry.label]));
    const content = JSON.stringify(entries);
    const shown = byId(`blocked-${list}`);
    if (shown.dataset.content === content) continue;
    shown.dataset.content = content;
    shown.replaceChildren(...entries.map(([value, label]) => chip(kind, value, label)));
    byId(`blocked-${list}-group`).hidden = !entries.length;
  }
  byId("blocked-none").hidden = Object.keys(KINDS).some((list) => blocked[list]?.length);
}

export function begin() {
  byId("block").addEventListener("submit", (event) => {
    event.preventDefault();
    const value = byId("block-value").value.trim();
    if (value) block(byId("block-kind").value, value);
  });
}
