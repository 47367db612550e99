// The box that takes requests, and the answers to them.

import { call } from "./api.js";
import { byId, duration, el, say, subjects, wait } from "./dom.js";
import { isMine, name, remember, rename } from "./mine.js";
import { Offers } from "./offers.js";

const LINES = 30; // kept in the log

const text = byId("ask-text");
const user = byId("ask-user");
const log = byId("log");
let offers;
let busy = false;
let closed = false;
let examples = ""; // shown last
const changed = new Set(); // changes already announced

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

/** The line with its unknown subject replaced: the one that the refusal names or quotes, else the last. */
export function mend(line, { message, said = "" }, suggestion) {
  const parts = line.split(/(\s*(?:\+|&|,|\s+and\s+)\s*)/i);
  const find = (wrong) => parts.findIndex((part, i) => i % 2 === 0 && part.trim() && wrong(part.trim().toLowerCase()));
  const word = said.toLowerCase();
  const wrong = [(part) => part === word, (part) => message.toLowerCase().includes(`'${part}'`), (part) => word && part.includes(word)];
  parts[wrong.map(find).find((at) => at >= 0) ?? parts.length - 1] = suggestion;
  return parts.join("");
}

/** A duplicate counts as a vote, so it is not shown as a refusal. */
function voted(error) {
  return el("p", { className: "told" }, error.message);
}

function refused(error, line) {
  if (error.code === "duplicate") return voted(error);
  const told = el("div", { className: `told${error.suggestions?.length ? "" : " no"}` }, el("p", {}, error.message));
  if (error.retry_s) told.append(el("p", {}, `Try again ${wait(error.retry_s)}.`));
  if (error.status === 401) told.append(el("p", {}, el("a", { href: "/control" }, "Log in")));
  if (error.suggestions?.length) told.append(chips(error.suggestions.slice(0, 6), (label) => ask(mend(line, error, label))));
  return told;
}

/** Request a dream, or vote for one that waits, and add the answer to the log. */
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

/** Announce once for each of this browser's requests that another network shows something else instead. */
export function showChanges({ queue, on_air: now }) {
  const ours = [...queue, ...(now?.request_id ? [{ ...now, id: now.request_id }] : [])].filter((item) => isMine(item.id));
  for (const { id, title, targets, instead_of: asked } of ours) {
    const key = `${id} ${title}`;
    if (!asked || changed.has(key)) continue;
    changed.add(key);
    put(el("p", { className: "told" }, `A different network is running now, which does not know ${asked}. You get `, el("b", {}, ...subjects(targets)), " instead."));
  }
}

/** Show whether the queue takes requests. */
export function showOpen(open) {
  closed = !open;
  byId("closed").hidden = open;
  say(byId("queue-state"), open ? "open" : "closed");
  byId("ask").classList.toggle("closed", closed);
  byId("send").disabled = closed;
  for (const chip of byId("ideas").children) chip.disabled = closed;
}

/** Add a subject to the request in the box. */
export function suggest(label) {
  const line = text.value.trim();
  text.value = !line ? label : /[+&]$/.test(line) ? `${line} ${label}` : `${line} + ${label}`;
  text.focus({ preventScroll: true });
  text.scrollIntoView({ block: "center", behavior: "smooth" });
}

/** Show the network's examples in the empty box, and as ideas until the first request. `any` returns a random subject. */
export function showExamples({ network }, any) {
  const joined = network.examples.join("\n");
  if (joined === examples) return;
  examples = joined;
  const [one, other, ...rest] = network.examples;
  const pair = other ? `${one} + ${other}` : one;
  text.placeholder = pair;
  const at = Math.floor(Math.random() * Math.max(1, rest.length - 1)); // two neighbours
  const surprise = el("button", { type: "button", className: "chip", onclick: () => ask(any() || pair) }, "surprise me");
  byId("ideas").replaceChildren(...chips([pair, ...rest.slice(at, at + 2)], ask).children, surprise);
  for (const chip of byId("ideas").children) chip.disabled = closed;
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
