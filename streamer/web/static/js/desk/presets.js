// Presets and A/B: complete looks to apply, compare and save.

import { call } from "../api.js";
import { byId, el, say } from "../dom.js";
import { act, loggedOut, tell } from "./act.js";

let drawn = "";
let overwrites = ""; // the name that is overwritten when it is saved once more
let changed = () => {};

async function go(name) {
  await act("POST", "/api/controls/preset", { name }, ({ at_next_start: waiting }) =>
    waiting.length ? `Changing to ${name}. To change ${waiting.join(", ")}, restart with its file.` : `Changing to ${name}.`,
  );
  changed();
}

function button({ name, about, own, switches, at_next_start: waiting, mistakes }) {
  const notes = [about, own ? "Yours." : "", switches ? "Switches the network or algorithm, which takes some seconds." : "", waiting.length ? `Needs a restart to change ${waiting.join(", ")}.` : "", ...mistakes];
  const made = el("button", { type: "button", className: `chip preset${own ? " own" : ""}`, title: notes.filter(Boolean).join("\n"), disabled: mistakes.length > 0 }, name);
  made.dataset.name = name;
  made.addEventListener("click", () => go(name));
  return made;
}

/** Show the presets, the one applied last, and the side of A/B. */
export function draw(controls) {
  const list = JSON.stringify(controls.presets);
  if (list !== drawn) {
    const focus = document.activeElement?.dataset?.name;
    byId("presets").replaceChildren(...controls.presets.map(button));
    drawn = list;
    if (focus) byId("presets").querySelector(`[data-name="${CSS.escape(focus)}"]`)?.focus();
  }
  for (const made of byId("presets").children) {
    const on = made.dataset.name === controls.preset;
    made.setAttribute("aria-pressed", String(on));
    say(made, on && controls.preset_changed ? `${made.dataset.name}, changed` : made.dataset.name);
  }
  for (const side of ["a", "b"]) byId(`side-${side}`).setAttribute("aria-pressed", String(controls.side === side));
  say(byId("preset-hint"), controls.folder ? `Saved in ${controls.folder}.` : "");
}

async function save(event) {
  event.preventDefault();
  const input = byId("preset-name");
  const name = input.value.trim();
  const replace = overwrites === name;
  overwrites = "";
  say(byId("preset-save"), "Save as preset");
  try {
    await call("POST", "/api/controls/presets", { name, replace });
    tell(`Saved as ${name}.`);
    input.value = "";
    changed();
  } catch (error) {
    if (error.status === 401) return loggedOut();
    tell(error.message, { bad: true });
    if (error.code === "duplicate") {
      overwrites = name;
      say(byId("preset-save"), "Overwrite");
    }
  }
}

/** `read` is called after a change. */
export function begin(read) {
  changed = read;
  for (const side of ["a", "b"])
    byId(`side-${side}`).addEventListener("click", async () => {
      await act("POST", "/api/controls/compare", { side }, (now) => `${now.side.toUpperCase()} is on air.`);
      read();
    });
  byId("preset-form").addEventListener("submit", save);
  byId("preset-name").addEventListener("input", () => {
    overwrites = "";
    say(byId("preset-save"), "Save as preset");
  });
}
