// Live controls: sliders, the choice of network and algorithm, and resetting them.

import { call } from "../api.js";
import { byId, el, say } from "../dom.js";
import { act, loggedOut, tell } from "./act.js";
import * as presets from "./presets.js";

const EVERY_MS = 200; // how often a moving slider sends its value
const HANDS_OFF_MS = 1500; // a control used this recently is not overwritten by the server's state
const BUSY_MS = 1000; // how often the server is polled during a switch or a fade

/** The controls: key, name, and for numbers the range of the slider; the limits are the server's. */
const SLIDERS = [
  ["dream.step", "Step", { min: 0.5, max: 12, step: 0.1, auto: 3 }],
  ["dream.prior_weight", "Prior", { min: 0, max: 3, step: 0.05 }],
  ["dream.contrast", "Contrast", { min: 10, max: 90, step: 1 }],
  ["dream.surge", "Surge", { min: 0, max: 8, step: 0.1 }],
  ["dream.layout", "Layout", { choices: { auto: "as many as fit", whole: "one fills it", top_bottom: "top and bottom", left_right: "left and right", quarters: "quarters" } }],
  ["dream.views", "Views", { list: true, auto: "1.7, 0.85" }],
];
const FURTHER = [
  ["dream.chroma", "Colour", { min: 2, max: 60, step: 0.5 }],
  ["dream.leash", "Leash", { min: 0, max: 0.5, step: 0.01 }],
  ["dream.momentum", "Momentum", { min: 0, max: 0.98, step: 0.01 }],
  ["dream.jitter_px", "Jitter", { min: 0, max: 64, step: 1, unit: "px" }],
  ["dream.spectrum_power", "Coarseness", { min: 0, max: 3, step: 0.05 }],
  ["dream.crossfade_s", "Subject fade", { min: 0, max: 5, step: 0.1, unit: "s" }],
  ["dream.octave_scale", "Octaves apart", { min: 1.05, max: 2.5, step: 0.05, only: "deepdream" }],
  ["ink.flips", "Ink flips", { min: 1, max: 300, step: 1, only: "ink" }],
  ["ink.fade_s", "Ink bleaches", { min: 0, max: 60, step: 1, unit: "s", only: "ink" }],
  ["ink.wash_s", "Ink washes", { min: 0, max: 30, step: 0.5, unit: "s", only: "ink" }],
  ["source.mix", "Dream over film", { min: 0, max: 1, step: 0.01, riding: true }],
  ["controls.crossfade_s", "Preset fade", { min: 0, max: 20, step: 0.5, unit: "s" }],
];
const SWITCHES = [
  ["network.name", "Network", { from: "networks" }],
  ["dream.algorithm", "Algorithm", { from: "algorithms" }],
];
const ALL = [...SLIDERS, ...FURTHER, ...SWITCHES];
const NAMES = new Map([...ALL.map(([key, name]) => [key, name]), ["zoom.speed", "Zoom"], ["zoom.rotation", "Turn"]]);

const rows = new Map(); // by key
const touched = new Map(); // time of the last use, by key
let seen = -1;
let busy = 0;
let riding = false; // whether the dream is on a film or a camera
let last = Promise.resolve(); // calls are sent one after the other, so that the newest value counts

const id = (key) => `look-${key.replace(".", "-")}`;
const shown = (value) => (typeof value === "number" ? `${Math.round(value * 1000) / 1000}` : Array.isArray(value) ? value.join(", ") : `${value}`);

async function send(key, value, quiet) {
  const body = { settings: { [key]: value } };
  if (!quiet) return (await act("PATCH", "/api/controls", body, () => `${NAMES.get(key)}: ${shown(value)}.`)) ? read() : refresh(key);
  return call("PATCH", "/api/controls", body).catch((error) => {
    if (error.status === 401) loggedOut();
    else tell(error.message, { bad: true });
  });
}

/** Change one setting; `quiet` while a slider moves, without a message. */
function change(key, value, quiet = false) {
  touched.set(key, performance.now());
  last = last.then(() => send(key, value, quiet));
  return last;
}

function undo(key) {
  const name = NAMES.get(key);
  const button = el("button", { type: "button", className: "undo", title: "Reset to the config", "aria-label": `Reset ${name}` }, "↺");
  button.addEventListener("click", async () => {
    touched.delete(key);
    await act("POST", "/api/controls/reset", { settings: [key] }, () => `${name}: as in the config.`);
    refresh(key);
  });
  return button;
}

function autoButton(key, usual) {
  const button = el("button", { type: "button", className: "chip auto", "aria-pressed": "false", "aria-label": `${NAMES.get(key)}: automatic` }, "auto");
  button.addEventListener("click", () => change(key, button.getAttribute("aria-pressed") === "true" ? usual : "auto").then(() => refresh(key)));
  return button;
}

function row([key, name, kind]) {
  const label = el("label", { htmlFor: id(key) }, name);
  const made = el("div", { className: "rule slide", hidden: true }, label);
  made.dataset.key = key;
  if (kind.choices || kind.from) {
    const select = el("select", { id: id(key) }, ...Object.entries(kind.choices ?? {}).map(([value, text]) => el("option", { value }, text)));
    select.addEventListener("change", () => change(key, select.value));
    made.append(el("span", { className: "value" }, select));
  } else if (kind.list) {
    const input = el("input", { id: id(key), type: "text", maxLength: 60, spellcheck: false, title: "Sizes, such as 1.7, 0.85" });
    input.addEventListener("change", () => change(key, input.value.trim() === "auto" ? "auto" : input.value.split(/[,;\s]+/).filter(Boolean).map(Number)));
    made.append(el("span", { className: "value wide" }, input));
  } else {
    const number = el("input", { id: id(key), type: "number", step: "any", inputMode: "decimal" });
    const slider = el("input", { type: "range", min: kind.min, max: kind.max, step: kind.step, "aria-label": `${name} slider` });
    number.addEventListener("change", () => number.value && change(key, Number(number.value)));
    let sent = -Infinity;
    slider.addEventListener("input", () => {
      number.value = slider.value;
      touched.set(key, performance.now());
      if (performance.now() - sent < EVERY_MS) return;
      sent = performance.now();
      change(key, Number(slider.value), true);
    });
    slider.addEventListener("change", () => change(key, Number(slider.value)));
    made.append(slider, el("span", { className: "value" }, number, el("span", { className: "unit" }, kind.unit ?? "")));
  }
  if (kind.auto !== undefined) made.append(autoButton(key, kind.list ? kind.auto.split(", ").map(Number) : kind.auto));
  made.append(undo(key));
  return made;
}

function fill(key, kind, value, controls, settled) {
  const made = rows.get(key);
  const auto = value === "auto";
  made.querySelector(".auto")?.setAttribute("aria-pressed", String(auto));
  made.classList.toggle("automatic", auto && kind.auto !== undefined);
  const resting = performance.now() - (touched.get(key) ?? -Infinity) > HANDS_OFF_MS;
  const input = made.querySelector("select, input:not([type=range])");
  if (kind.from) {
    const options = [...controls[kind.from]];
    const now = Array.isArray(value) ? value.join(" + ") : value;
    if (!options.includes(now)) options.push(now); // several networks
    if (input.options.length !== options.length) input.replaceChildren(...options.map((each) => el("option", { value: each, disabled: each.includes(" + ") }, each)));
    input.value = now;
  } else if (kind.choices) input.value = value;
  else if (key === settled || (resting && input !== document.activeElement)) {
    input.value = auto && input.type === "number" ? "" : shown(value);
    if (input.type === "number") input.placeholder = auto ? "auto" : "";
    const slider = made.querySelector("[type=range]");
    if (slider) slider.value = auto ? kind.auto : value;
  }
}

/** Show the state of the controls; a number being typed is left alone unless its key is `settled`. */
function draw(controls, settled) {
  byId("look-more").hidden = false;
  for (const [key, , kind] of ALL) {
    const made = rows.get(key);
    made.hidden = !(key in controls.settings) || (kind.only !== undefined && kind.only !== controls.settings["dream.algorithm"]) || (kind.riding && !riding);
    if (!made.hidden) fill(key, kind, controls.settings[key], controls, settled);
  }
  for (const made of byId("look").querySelectorAll("[data-key]")) {
    const changed = controls.changed.includes(made.dataset.key);
    made.classList.toggle("changed", changed);
    made.querySelector(".undo").hidden = !changed;
  }
  byId("look-reset").hidden = !controls.changed.length;
  const fading = controls.fading_s > 0 ? "Fading…" : "";
  const failed = controls.switch_error ? `The switch failed: ${controls.switch_error}` : "";
  say(byId("look-state"), controls.switching ? `Preparing ${controls.switching}; the dream continues meanwhile…` : failed || fading);
  byId("look-state").classList.toggle("bad", !controls.switching && Boolean(failed));
  say(byId("look-osc"), controls.osc ? `OSC on ${controls.osc.address}: ${controls.osc.heard} applied, ${controls.osc.ignored} ignored${controls.osc.last_mistake ? ` (${controls.osc.last_mistake})` : ""}.` : "");
  presets.draw(controls);
  clearTimeout(busy);
  if (controls.switching || fading) busy = setTimeout(() => read(), BUSY_MS);
}

async function read(settled) {
  try {
    draw(await call("GET", "/api/controls"), settled);
  } catch (error) {
    if (error.status === 401) loggedOut();
    else if (error.status !== 404) seen = -1; // a stream without live controls has none to show
  }
}

function refresh(key) {
  touched.delete(key);
  return read(key);
}

/** Read the controls whenever the status has a new revision. */
export function show({ settings, source }) {
  riding = source !== null;
  if (settings.revision === seen) return;
  seen = settings.revision;
  read();
}

export function begin() {
  for (const entry of ALL) rows.set(entry[0], row(entry));
  byId("sliders").append(...SLIDERS.map(([key]) => rows.get(key)));
  byId("sliders-further").append(...FURTHER.map(([key]) => rows.get(key)));
  byId("switches").append(...SWITCHES.map(([key]) => rows.get(key)));
  for (const made of byId("camera").querySelectorAll("[data-key]")) made.append(undo(made.dataset.key));
  byId("look-reset").addEventListener("click", async () => {
    touched.clear();
    await act("POST", "/api/controls/reset", {}, () => "All settings are back to the config’s.");
    read();
  });
  presets.begin(() => read());
}
