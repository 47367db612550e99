// The box that takes requests, and the answers to them.

import { call } from "./api.js";
import { byId, duration, el, say, subjects, wait } from "./dom.js";
import { name, remember, rename } from "./mine.js";
import { Offers } from "./offers.js";

const LINES = 30; // of the talk that are kept

const text = byId("ask-text");
const user = byId("ask-user");
const log = byId("log");
let offers;
let busy = false;
let closed = false;

function put(...lines) {
  log.append(...lines);
  while (log.children.length > LINES) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
}

function chips(labels, act) {
  const buttons = labels.map((label) => el("button", { type: "button", className: "chip", onclick: () => act(label) }, label));
  return el("div", { className: "chips" }, ...buttons);
}

function accepted(receipt) {
  const place = receipt.position <= 1 ? "next" : `number ${receipt.position} in line`;
  const when = receipt.eta_s < 3 ? "any moment now" : `about ${duration(receipt.eta_s)} from now`;
  const line = el("p", { className: "told" }, el("b", {}, ...subjects(receipt.targets)), `: ${place}, ${when}.`);
  if (receipt.note) line.append(` (${receipt.note})`);
  return line;
}

/** The line with its unknown subject replaced: the one that the refusal quotes, else the last. */
export function mend(line, message, suggestion) {
  const parts = line.split(/(\s*(?:\+|&|,|\s+and\s+)\s*)/i);
  const quoted = parts.findIndex((part, i) => i % 2 === 0 && part.trim() && message.toLowerCase().includes(`'${part.trim().toLowerCase()}'`));
  parts[quoted >= 0 ? quoted : parts.length - 1] = suggestion;
  return parts.join("");
}

/** What waits already gets a vote instead, which is no refusal at all. */
function voted(error) {
  return el("p", { className: "told" }, error.message);
}

function refused(error, line) {
  if (error.code === "duplicate") return voted(error);
  const told = el("div", { className: `told${error.suggestions?.length ? "" : " no"}` }, el("p", {}, error.message));
  if (error.retry_s) told.append(el("p", {}, `Try again ${wait(error.retry_s)}.`));
  if (error.status === 401) told.append(el("p", {}, el("a", { href: "/control" }, "Log in")));
  if (error.suggestions?.length) told.append(chips(error.suggestions.slice(0, 6), (label) => ask(mend(line, error.message, label))));
  return told;
}

/** Ask for a dream, or vote for one that waits, and put the answer into the talk. */
export async function ask(line) {
  line = line.replace(/^\s*!dream\b\s*/i, "").trim();
  if (!line || busy || closed) return;
  busy = true;
  offers.close();
  byId("ideas").hidden = true;
  put(el("p", { className: "said", dir: "auto" }, line));
  try {
    const receipt = await call("POST", "/api/requests", { user: user.value.trim() || name(), text: line });
    remember(receipt.id);
    text.value = "";
    put(accepted(receipt));
  } catch (error) {
    put(refused(error, line));
  }
  busy = false;
}

/** Whether the queue takes anything. */
export function showOpen(open) {
  closed = !open;
  byId("closed").hidden = open;
  say(byId("queue-state"), open ? "open" : "closed");
  byId("ask").classList.toggle("closed", closed);
  byId("send").disabled = closed;
  for (const chip of byId("ideas").children) chip.disabled = closed;
}

/** Put a subject into the box: beside the one there, if it is finished. */
export function suggest(label) {
  const line = text.value.trim();
  text.value = !line ? label : /[+&]$/.test(line) ? `${line} ${label}` : `${line} + ${label}`;
  text.focus({ preventScroll: true });
  text.scrollIntoView({ block: "center", behavior: "smooth" });
}

/** Offer a few ideas until the first request. */
export function ideas(labels) {
  const pick = () => labels[Math.floor(Math.random() * labels.length)];
  const some = new Set();
  while (some.size < Math.min(4, labels.length)) some.add(pick());
  if (some.size < 4) return;
  const [one, other, ...rest] = some;
  byId("ideas").replaceChildren(...chips([`${one} + ${other}`, ...rest], ask).children);
  byId("ideas").append(el("button", { type: "button", className: "chip", onclick: () => ask(pick()) }, "surprise me"));
}

export function begin() {
  offers = new Offers(text, byId("offers"));
  user.value = name();
  user.addEventListener("change", () => {
    if (user.value.trim()) rename(user.value.trim());
    user.value = name();
  });
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask(text.value);
  });
}
