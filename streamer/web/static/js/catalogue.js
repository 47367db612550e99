// Everything that can be dreamt: by first letter, by search, or a handful at random.

import { call } from "./api.js";
import { byId, el, link, sleep } from "./dom.js";

const HANDFUL = 24;

let entries = [];
let view = "";
let onPick;

function shuffled(items) {
  return items
    .map((item) => [Math.random(), item])
    .sort((a, b) => a[0] - b[0])
    .map((pair) => pair[1]);
}

const letter = (entry) => entry.label.normalize("NFD")[0].toUpperCase();

function row(entry) {
  const others = entry.names.filter((name) => name !== entry.label).join(", ");
  const pick = el("button", { type: "button", title: others, onclick: () => onPick(entry.label) }, entry.label);
  pick.setAttribute("aria-label", `Ask for ${entry.label}`);
  const about = link("↗", entry.link);
  if (about instanceof Element) about.setAttribute("aria-label", `About ${entry.label}`);
  return el("li", {}, pick, about);
}

function show(found) {
  byId("classes").replaceChildren(...found.map(row));
  byId("classes-note").textContent = found.length ? "" : "Nothing by that name. Near words are offered when you ask for it.";
}

function choose(next) {
  view = next;
  for (const chip of byId("letters").children) chip.setAttribute("aria-pressed", String(chip.dataset.view === view));
  if (view === "few") show(shuffled(entries).slice(0, HANDFUL).sort((a, b) => a.label.localeCompare(b.label)));
  else show(view === "all" ? entries : entries.filter((entry) => letter(entry) === view));
}

function filter(word) {
  if (!word) return choose("few");
  for (const chip of byId("letters").children) chip.setAttribute("aria-pressed", "false");
  const rank = (entry) => (entry.label.toLowerCase().startsWith(word) ? 0 : 1);
  show(entries.filter((entry) => entry.names.some((name) => name.toLowerCase().includes(word))).sort((a, b) => rank(a) - rank(b)));
}

/** Fill the list; `pick` is called with the label that is chosen. Returns all available labels. */
export async function begin(pick) {
  onPick = pick;
  for (let pause = 1000; !entries.length; pause = Math.min(pause * 2, 16_000)) {
    try {
      entries = (await call("GET", "/api/classes")).classes.filter((entry) => entry.available);
    } catch (error) {
      console.info("the list of subjects: %s", error.message);
    }
    if (!entries.length) await sleep(pause);
  }
  entries.sort((a, b) => a.label.localeCompare(b.label));
  const views = [["few", "A handful"], ...[...new Set(entries.map(letter))].map((l) => [l, l]), ["all", `All ${entries.length}`]];
  const chips = views.map(([key, label]) => {
    const chip = el("button", { type: "button", className: "chip", "aria-pressed": "false", onclick: () => choose(key) }, label);
    chip.dataset.view = key;
    return chip;
  });
  byId("letters").replaceChildren(...chips);
  byId("filter").addEventListener("input", (event) => filter(event.target.value.trim().toLowerCase()));
  choose("few");
  return entries.map((entry) => entry.label);
}
