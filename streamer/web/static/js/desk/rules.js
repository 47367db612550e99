// The rules of the queue: each change is sent immediately.

import { call } from "../api.js";
import { byId, el, say } from "../dom.js";
import { act, arm, loggedOut } from "./act.js";

const EVERY_MS = 5000; // chat changes rules too

const WANDER = { random: "Chance", poll: "Viewers, by poll" };
const CHOICE = { fifo: "First come, first served", votes: "Most votes first", random: "At random" };

/** The rules: key, name, kind, unit or choices. Those that the server does not have are hidden. */
const FIELDS = [
  ["order", "Order", "choice", CHOICE],
  ["hold_s", "Time per dream", "number", "s"],
  ["capacity", "Requests in the queue", "number", ""],
  ["per_user", "Requests per viewer", "number", ""],
  ["cooldown_s", "Pause between requests", "number", "s"],
  ["user_cooldown_s", "Pause for each viewer", "number", "s"],
  ["fair", "Viewers take turns", "switch"],
  ["family_safe", "Family-safe subjects only", "switch"],
];
const FURTHER = [
  ["paid_first", "Bits and points go first", "switch"],
  ["subscriber_bonus", "Extra requests for subscribers", "number", ""],
  ["vip_bonus", "Extra requests for VIPs", "number", ""],
  ["voteskip_share", "Share of viewers to skip", "percent", "%"],
  ["voteskip_votes", "Minimum votes to skip", "number", ""],
  ["wander", "Who chooses when nobody asks", "choice", WANDER],
  ["poll_s", "A poll stays open for", "number", "s"],
  ["poll_choices", "Subjects in a poll", "number", ""],
  ["wander_s", "Time per subject while wandering", "number", "s"],
  ["interrupt_wandering", "Requests interrupt wandering", "switch"],
];
const ALL = [...FIELDS, ...FURTHER];

const rows = new Map(); // by key
const asked = new Set(); // keys on their way to the server
let known = {};
let onBlocks = () => {};

/** Change one rule, and show the result. */
async function change(key, name, value) {
  asked.add(key);
  const rules = await act("PATCH", "/api/rules", { [key]: value }, () => `${name}: ${words(key, value)}.`);
  asked.delete(key);
  take(rules ?? known, key);
}

/** Show these rules. Only moderators get the blocks: without them, this browser is no longer logged in. */
function take(rules, settled) {
  if (rules.blocked === null) return loggedOut();
  known = rules;
  show(known, settled);
  if (known.blocked) onBlocks(known.blocked);
}

function words(key, value) {
  const [, , kind, more] = ALL.find((field) => field[0] === key);
  if (kind === "choice") return more[value].toLowerCase();
  if (kind === "switch") return value ? "on" : "off";
  return kind === "percent" ? `${Math.round(value * 100)} %` : `${value}${more ? ` ${more}` : ""}`;
}

function field([key, name, kind, more]) {
  const id = `rule-${key}`;
  let input;
  if (kind === "choice") {
    const options = Object.entries(more).map(([value, label]) => el("option", { value }, label));
    input = el("select", { id, onchange: () => change(key, name, input.value) }, ...options);
  } else if (kind === "switch") {
    input = el("button", { id, type: "button", className: "switch", role: "switch" });
    input.addEventListener("click", () => change(key, name, input.getAttribute("aria-checked") !== "true"));
  } else {
    input = el("input", { id, type: "number", min: "0", step: "any", inputMode: "decimal", required: true });
    input.addEventListener("change", () => {
      if (!input.value) return show(known, key);
      change(key, name, kind === "percent" ? Number(input.value) / 100 : Number(input.value));
    });
    input.addEventListener("blur", () => show(known));
  }
  const label = el("label", { htmlFor: id }, name);
  const unit = kind === "number" || kind === "percent" ? [el("span", { className: "unit" }, more)] : [];
  return el("div", { className: `rule ${kind}-rule`, hidden: true }, label, el("span", { className: "value" }, input, ...unit));
}

/** Show the rules; a number being typed, or on its way to the server, is left alone unless its key is `settled`. */
function show(rules, settled) {
  byId("reset").hidden = !rules.changed?.length;
  for (const [key, name, kind] of ALL) {
    const row = rows.get(key);
    row.hidden = !(key in rules);
    if (row.hidden) continue;
    const changed = rules.changed?.includes(key) ?? false;
    row.classList.toggle("changed", changed);
    row.title = changed ? "Changed since the start" : "";
    const input = row.querySelector("input, select, button");
    const value = rules[key];
    if (kind === "switch") {
      input.setAttribute("aria-checked", String(value));
      input.setAttribute("aria-label", name);
    } else if (key === settled || (!asked.has(key) && (input !== document.activeElement || kind === "choice"))) {
      const shown = kind === "percent" ? `${Math.round(value * 1000) / 10}` : `${value}`;
      if (input.value !== shown) input.value = shown;
    }
  }
}

/** Read the rules; without a message if the server is away. */
export async function read() {
  try {
    take(await call("GET", "/api/rules"));
  } catch (error) {
    console.info("the rules: %s", error.message);
  }
}

/** `blocks` is called with the blocked lists whenever they are read. */
export function begin(blocks) {
  onBlocks = blocks;
  for (const entry of ALL) rows.set(entry[0], field(entry));
  byId("rules").append(...FIELDS.map(([key]) => rows.get(key)));
  byId("rules-further").append(...FURTHER.map(([key]) => rows.get(key)));
  arm(
    byId("reset"),
    () => "Discard every change made here?",
    async () => {
      const answer = await act("DELETE", "/api/rules", undefined, () => "All rules are back to the configuration’s.");
      if (answer) take(answer);
    },
  );
  setInterval(() => document.hidden || byId("desk").hidden || read(), EVERY_MS);
  read();
}
