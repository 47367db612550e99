// The outputs: Twitch, other servers, recordings.

import { byId, duration, el, person, say } from "../dom.js";
import { act, arm } from "./act.js";

/** By state: colour of its lamp, and text. */
const STATES = {
  live: ["well", "live"],
  connecting: ["soon", "connecting…"],
  waiting: ["soon", "open, nothing sent yet"],
  retrying: ["bad", "trying again"],
  failed: ["bad", "failed"],
  stopped: ["off", "stopped"],
  disabled: ["off", "off"],
};
const KINDS = {
  twitch_ingest: "Twitch",
  rtmp: "RTMP",
  file: "recording",
  hls: "HLS",
  mpegts_udp: "UDP",
  mpegts_http: "HTTP",
  mjpeg: "MJPEG",
  virtual_camera: "camera",
  null: "nowhere",
};

/** Outputs that players connect to. */
const FETCHED = new Set(["mpegts_http", "mjpeg"]);

const rows = new Map();

function size(bytes) {
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function condition({ kind, state, since_s, retry_in_s }) {
  const words = state === "waiting" && FETCHED.has(kind) ? "nobody is watching" : (STATES[state]?.[1] ?? state);
  if (state === "retrying" && retry_in_s !== null) return retry_in_s < 1 ? `${words} now` : `${words} in ${duration(retry_in_s)}`;
  return state === "connecting" || state === "disabled" ? words : `${words} for ${duration(since_s)}`;
}

const path = (name) => `/api/outputs/${encodeURIComponent(name)}`;

function row({ name }) {
  const toggle = el("button", { type: "button", className: "switch", role: "switch", "aria-label": `${name} runs`, title: "On or off" });
  toggle.addEventListener("click", () => {
    const enabled = toggle.getAttribute("aria-checked") !== "true";
    act("PATCH", path(name), { enabled }, () => (enabled ? `${name} is on.` : `${name} is off.`));
  });
  const remove = el("button", { type: "button", className: "chip remove", "aria-label": `Remove ${name}` }, "Remove");
  arm(
    remove,
    () => "Really?",
    () => act("DELETE", path(name), undefined, () => `Removed ${name} until the next start.`),
  );
  return el(
    "li",
    { className: "output" },
    el("p", { className: "lamp" }, el("span", { className: "dot", "aria-hidden": "true" }), el("span", { className: "name" }, person(name)), el("span", { className: "tag kind" })),
    el("span", { className: "handles" }, toggle, remove),
    el("p", { className: "target", dir: "auto" }),
    el("p", { className: "condition" }),
    el("p", { className: "reason bad", dir: "auto" }),
  );
}

function refresh(item, shown) {
  const put = (name, text) => say(shown.querySelector(`.${name}`), text);
  shown.querySelector(".lamp").dataset.look = STATES[item.state]?.[0] ?? "soon";
  const kind = KINDS[item.kind] ?? item.kind;
  put("kind", kind);
  put("target", item.target === kind ? "" : item.target);
  const sent = item.delivered_bytes ? [size(item.delivered_bytes)] : [];
  const lost = item.dropped ? [`${item.dropped} frames dropped`] : [];
  const failed = item.failures ? [`failed ${item.failures === 1 ? "once" : `${item.failures} times`}`] : [];
  put("condition", [condition(item), ...sent, ...lost, ...failed].join("  ·  "));
  put("reason", item.reason);
  shown.querySelector(".switch").setAttribute("aria-checked", String(item.enabled));
}

/** Show the outputs of a status. Rows keep their place, so that nothing moves under a finger. */
export function show({ outputs = [] }) {
  const list = byId("outputs-list");
  const names = new Set(outputs.map((item) => item.name));
  for (const [name, shown] of rows) {
    if (names.has(name)) continue;
    shown.remove();
    rows.delete(name);
  }
  for (const item of outputs) {
    if (!rows.has(item.name)) {
      rows.set(item.name, row(item));
      list.append(rows.get(item.name));
    }
    refresh(item, rows.get(item.name));
  }
  byId("outputs-none").hidden = outputs.length > 0;
}

/** The form as a block of the configuration; empty fields are left out. */
function block(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.value === "") continue;
    if (field.type === "checkbox") values[field.name] = field.checked;
    else if (field.name === "split_min") values.split_s = Math.round(field.valueAsNumber * 60);
    else values[field.name] = field.value;
  }
  return values;
}

export function begin() {
  const form = byId("output");
  const choose = () => {
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(form.elements.kind.value);
    for (const field of form.querySelectorAll("[data-for] input")) field.disabled = field.closest("[data-for]").hidden;
  };
  form.elements.kind.addEventListener("change", choose);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await act("POST", "/api/outputs", block(form), ({ name }) => `Added ${name}.`);
    form.elements.key.value = ""; // never kept in the page
    if (!answer) return;
    form.reset();
    choose();
    byId("output-add").open = false;
  });
  choose();
}
