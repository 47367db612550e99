// The config file: its mistakes, what waits for the next start, and reloading it.

import { call } from "../api.js";
import { byId, count, el, say } from "../dom.js";
import { act, loggedOut } from "./act.js";

let seen = -1;

function draw({ file, mistakes, at_next_start }) {
  const wrong = mistakes.length > 0;
  byId("settings").hidden = !file && !wrong && !at_next_start.length;
  byId("settings-heading").dataset.ok = String(!wrong);
  say(byId("settings-text"), wrong ? "The config has mistakes" : "Config");
  say(byId("settings-hint"), wrong ? "The previous settings stay in force until you fix them." : file);
  byId("mistakes").replaceChildren(...mistakes.map((mistake) => el("li", { dir: "auto" }, mistake)));
  byId("settings-waiting").hidden = !at_next_start.length;
  say(byId("settings-waiting"), `At the next start: ${at_next_start.join(", ")}`);
}

/** The status has only a revision number, because the mistakes are for moderators; they are read when it changes. */
export async function show({ settings }) {
  if (settings.revision === seen) return;
  seen = settings.revision;
  try {
    draw(await call("GET", "/api/reload"));
  } catch (error) {
    seen = -1;
    if (error.status === 401) loggedOut();
  }
}

export function begin() {
  byId("reload").addEventListener("click", () =>
    act("POST", "/api/reload", undefined, ({ changed }) => (changed.length ? `${count(changed.length, "setting")} changed.` : "Nothing has changed.")),
  );
}
