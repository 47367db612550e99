// All subjects, with pictures: a few at random, by kind, by search, or those similar to one. A search also finds what only larger networks know.

import { call } from "./api.js";
import { byId, el, link, say, sleep } from "./dom.js";
import { icon } from "./icons.js";
import { remedy, sentence } from "./network.js";

const HANDFUL = 24;
const MOST_UNLEARNT = 12; // shown by a search
const MOST_ALIKE = 24;
const TAKEN_S = 14; // after this time on air the stream has usually saved a picture of the subject
const FEW = "few";
const ALL = "all";

let entries = []; // subjects that can be requested
let unlearnt = []; // subjects that only larger networks know
let kinds = []; // kinds of subjects, in display order
let view = FEW; // FEW, ALL, or the name of a kind
let shown = null; // name and size of the network whose subjects are shown
let looked = null; // the scene whose picture was checked
let operator = false; // whether the visitor can change the network
let onPick;

function shuffled(items) {
  return items
    .map((item) => [Math.random(), item])
    .sort((a, b) => a[0] - b[0])
    .map((pair) => pair[1]);
}

const byLabel = (a, b) => a.label.localeCompare(b.label);

function blank(entry) {
  return el("span", { className: "thumb blank", "aria-hidden": "true", "data-letter": entry.label[0].toUpperCase() });
}

function picture(entry) {
  if (!entry.thumbnail) return blank(entry);
  const image = el("img", { className: "thumb", loading: "lazy", decoding: "async", alt: "", width: 112, height: 112, src: entry.thumbnail });
  image.addEventListener("error", () => image.replaceWith(blank(entry)));
  return image;
}

function card(entry) {
  const others = entry.names.filter((name) => name !== entry.label).join(", ");
  const pick = el("button", { type: "button", className: "pick", title: others, onclick: () => onPick(entry.label) }, picture(entry), entry.label);
  pick.setAttribute("aria-label", entry.unlearnt ? `Ask for something like ${entry.label}` : `Ask for ${entry.label}`);
  const name = `More like ${entry.label}`;
  const alike = el("button", { type: "button", title: "More like this", "aria-label": name, onclick: () => showAlike(entry) }, icon("alike"));
  const about = link("↗", entry.link);
  if (about instanceof Element) about.setAttribute("aria-label", `About ${entry.label}`);
  const item = el("li", { className: entry.unlearnt ? "unlearnt" : "" }, pick, el("div", { className: "further" }, alike, about));
  item.dataset.wnid = entry.wnid;
  return item;
}

const list = (found) => el("ul", {}, ...found.map(card));

/** Show some subjects, and a note. */
function show(found, note = "") {
  byId("like").hidden = true;
  byId("classes").replaceChildren(...(found.length ? [list(found)] : []));
  say(byId("classes-note"), note);
}

function showKinds() {
  show([]);
  const groups = kinds.map((kind) => [kind, entries.filter((entry) => entry.kind === kind.name)]).filter(([, found]) => found.length);
  byId("classes").replaceChildren(...groups.map(([kind, found]) => el("section", {}, el("h3", {}, kind.title), list(found))));
}

function press(chosen) {
  for (const chip of byId("kinds").children) chip.setAttribute("aria-pressed", String(chip.dataset.view === chosen));
}

function choose(next) {
  view = next;
  press(view);
  if (view === ALL) return showKinds();
  if (view !== FEW) return show(entries.filter((entry) => entry.kind === view));
  const pictured = suggested().filter((entry) => entry.thumbnail);
  const among = pictured.length < HANDFUL ? suggested() : pictured;
  show(shuffled(among).slice(0, HANDFUL).sort(byLabel));
}

function filter(word) {
  if (!word) return choose(view);
  press(null);
  const rank = (entry) => (entry.label.toLowerCase().startsWith(word) ? 0 : 1);
  const among = (some) => some.filter((entry) => entry.names.some((name) => name.toLowerCase().includes(word))).sort((a, b) => rank(a) - rank(b));
  const [able, not] = [among(entries), among(unlearnt).slice(0, MOST_UNLEARNT)];
  if (not.length) show([...able, ...not], "Dimmed subjects need a larger network. Ask for one, and you get suggestions that this network knows.");
  else show(able, able.length ? "" : "No subject has that name. Ask for it anyway, and you get suggestions that come close.");
}

/** Show an entry, and then the subjects that the network finds most similar to it. */
async function showAlike(entry) {
  let found, note;
  try {
    ({ classes: found } = await call("GET", `/api/classes?like=${entry.wnid}&limit=${MOST_ALIKE}`));
    note = found.length ? "" : "The network in use lists nothing similar.";
  } catch (error) {
    [found, note] = [[], error.message];
  }
  byId("filter").value = "";
  press(null);
  show([entry, ...found], note);
  const back = el("button", { type: "button", className: "chip", onclick: () => choose(view) }, "Back");
  const about = byId("like");
  about.replaceChildren(el("span", {}, "Most like ", el("b", {}, entry.label), ", as the network sees it"), back);
  about.hidden = false;
  about.focus();
}

const typed = () => byId("filter").value.trim().toLowerCase();

async function read(key) {
  shown = key;
  for (let pause = 1000; key === shown; pause = Math.min(pause * 2, 16_000)) {
    try {
      const answer = await call("GET", "/api/classes");
      if (key === shown) return fill(answer);
    } catch (error) {
      console.info("the list of subjects: %s", error.message);
    }
    await sleep(pause);
  }
}

function fill(answer) {
  const sorted = answer.classes.sort(byLabel);
  entries = sorted.filter((entry) => entry.available);
  unlearnt = sorted.filter((entry) => entry.unlearnt);
  kinds = answer.kinds;
  const present = kinds.filter((kind) => entries.some((entry) => entry.kind === kind.name));
  const views = [[FEW, "A handful"], ...present.map((kind) => [kind.name, kind.title]), [ALL, `All ${entries.length}`]];
  const chips = views.map(([key, label]) => {
    const chip = el("button", { type: "button", className: "chip", "aria-pressed": "false", onclick: () => choose(key) }, label);
    chip.dataset.view = key;
    return chip;
  });
  byId("kinds").replaceChildren(...chips);
  if (!views.some(([key]) => key === view)) view = FEW;
  filter(typed());
}

/** Subjects that are suitable for everybody. */
const suggested = () => entries.filter((entry) => entry.family_safe);

/** Check once for each scene with a single subject whether the stream has saved a picture of it. */
function look(now) {
  if (!now || now.targets.length !== 1 || now.since_s < TAKEN_S || now.scene === looked) return;
  looked = now.scene;
  const entry = entries.find(({ wnid }) => wnid === now.targets[0].wnid);
  if (!entry || entry.thumbnail) return;
  const address = `/thumbnails/${entry.wnid}.webp?scene=${now.scene}`;
  const probe = new Image();
  probe.onload = () => {
    entry.thumbnail = address;
    for (const item of byId("classes").querySelectorAll("li")) if (item.dataset.wnid === entry.wnid) item.querySelector(".thumb").replaceWith(picture(entry));
  };
  probe.src = address;
}

/** A random subject; empty before the list is loaded. */
export function any() {
  const among = suggested();
  return among.length ? among[Math.floor(Math.random() * among.length)].label : "";
}

/** Show what the network of a status knows; read the list again when the network changes. */
export function showNetwork({ network, on_air: now }) {
  const parts = [sentence(network) || "The network is loading. Its subjects appear here in a moment.", ...(operator ? remedy(network) : [])];
  const words = parts.map((part) => part.textContent ?? part).join("");
  if (byId("network").textContent !== words) byId("network").replaceChildren(...parts);
  const key = `${network.name} ${network.classes}`;
  if (network.classes && key !== shown) read(key);
  look(now);
}

/** `pick` is called with the label of the chosen subject. */
export function begin(pick) {
  onPick = pick;
  byId("filter").addEventListener("input", () => filter(typed()));
  call("GET", "/api/session").then(
    (session) => (operator = session.moderator),
    (error) => console.info("the session: %s", error.message),
  );
}
