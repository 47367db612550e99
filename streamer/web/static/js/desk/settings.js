// The config file: what is wrong with it, what waits for the next start, and reading it again.

import { call } from "../api.js";
import { byId, count, el, say } from "../dom.js";
import { act, loggedOut } from "./act.js";

let seen = -1;

function draw({ file, mistakes, at_next_start }) {
  const wrong = mistakes.length > 0;
  byId("settings").hidden = !file && !wrong && !at_next_start.length;
  byId("settings-heading").dataset.ok = String(!wrong);
  say(byId("settings-text"), wrong ? "The config has mistakes" : "Config");
  say(byId("settings-hint"), wrong ? "The previous settings stay in force until it is fixed." : file);
  byId("mistakes").replaceChildren(...mistakes.map((mistake) => el("li", { dir: "auto" }, mistake)));
  byId("settings-waiting").hidden = !at_next_start.length;
  say(byId("settings-waiting"), `At the next start: ${at_next_start.join(", ")}`);
}

/** What is wrong is told to moderators only, so the status says no more than that there is something new. */
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
