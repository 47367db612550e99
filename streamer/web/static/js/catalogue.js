// Everything that can be dreamt: by first letter, by search, or a handful at random. A search also finds what only larger networks know.

import { call } from "./api.js";
import { byId, el, link, say, sleep } from "./dom.js";
import { remedy, sentence } from "./network.js";

const HANDFUL = 24;
const MOST_UNLEARNT = 12; // of those that a search finds

let entries = []; // that can be asked for
let unlearnt = []; // that larger networks know
let view = "few";
let shown = null; // the network and its size whose classes these are
let operator = false; // whether whoever looks on can change the network
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
  pick.setAttribute("aria-label", entry.unlearnt ? `Ask for what is near ${entry.label}` : `Ask for ${entry.label}`);
  const about = link("↗", entry.link);
  if (about instanceof Element) about.setAttribute("aria-label", `About ${entry.label}`);
  return el("li", { className: entry.unlearnt ? "unlearnt" : "" }, pick, about);
}

function show(found, note = "") {
  byId("classes").replaceChildren(...found.map(row));
  say(byId("classes-note"), note);
}

function choose(next) {
  view = next;
  for (const chip of byId("letters").children) chip.setAttribute("aria-pressed", String(chip.dataset.view === view));
  if (view === "few") show(shuffled(suggested()).slice(0, HANDFUL).sort((a, b) => a.label.localeCompare(b.label)));
  else show(view === "all" ? entries : entries.filter((entry) => letter(entry) === view));
}

function filter(word) {
  if (!word) return choose(view);
  for (const chip of byId("letters").children) chip.setAttribute("aria-pressed", "false");
  const rank = (entry) => (entry.label.toLowerCase().startsWith(word) ? 0 : 1);
  const among = (list) => list.filter((entry) => entry.names.some((name) => name.toLowerCase().includes(word))).sort((a, b) => rank(a) - rank(b));
  const [able, not] = [among(entries), among(unlearnt).slice(0, MOST_UNLEARNT)];
  if (not.length) show([...able, ...not], "What is dimmed takes a larger network. Ask for it, and you are offered the nearest things this one knows.");
  else show(able, able.length ? "" : "Nothing by that name. Ask for it all the same, and you are offered whatever comes close.");
}

const typed = () => byId("filter").value.trim().toLowerCase();

async function read(key) {
  shown = key;
  for (let pause = 1000; key === shown; pause = Math.min(pause * 2, 16_000)) {
    try {
      const { classes } = await call("GET", "/api/classes");
      if (key === shown) return fill(classes);
    } catch (error) {
      console.info("the list of subjects: %s", error.message);
    }
    await sleep(pause);
  }
}

function fill(classes) {
  const sorted = classes.sort((a, b) => a.label.localeCompare(b.label));
  entries = sorted.filter((entry) => entry.available);
  unlearnt = sorted.filter((entry) => entry.unlearnt);
  const views = [["few", "A handful"], ...[...new Set(entries.map(letter))].map((l) => [l, l]), ["all", `All ${entries.length}`]];
  const chips = views.map(([key, label]) => {
    const chip = el("button", { type: "button", className: "chip", "aria-pressed": "false", onclick: () => choose(key) }, label);
    chip.dataset.view = key;
    return chip;
  });
  byId("letters").replaceChildren(...chips);
  if (!views.some(([key]) => key === view)) view = "few";
  filter(typed());
}

/** What may be shown to anybody unasked. */
const suggested = () => entries.filter((entry) => entry.family_safe);

/** A subject by chance; empty before there is a list. */
export function any() {
  const among = suggested();
  return among.length ? among[Math.floor(Math.random() * among.length)].label : "";
}

/** Show what the network of a status knows; the list is read again when it is another. */
export function showNetwork({ network }) {
  const told = [sentence(network) || "The network is loading. What it knows appears here in a moment.", ...(operator ? remedy(network) : [])];
  const words = told.map((part) => part.textContent ?? part).join("");
  if (byId("network").textContent !== words) byId("network").replaceChildren(...told);
  const key = `${network.name} ${network.classes}`;
  if (network.classes && key !== shown) read(key);
}

/** `pick` is called with the label that is chosen. */
export function begin(pick) {
  onPick = pick;
  byId("filter").addEventListener("input", () => filter(typed()));
  call("GET", "/api/session").then(
    (session) => (operator = session.moderator),
    (error) => console.info("who looks on: %s", error.message),
  );
}
