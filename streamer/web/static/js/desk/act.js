// Calls of the control page, and messages about their results.

import { call } from "../api.js";
import { byId, el } from "../dom.js";

const SAID_MS = 5000;
const WARNED_MS = 12_000;
const ARMED_MS = 4000; // how long a dangerous button waits to be pressed again

let fading;
let onLoggedOut = () => {};

/** `callback` is called when the server wants the token again. */
export const whenLoggedOut = (callback) => (onLoggedOut = callback);
export const loggedOut = () => onLoggedOut();

/** Show a message in the corner; `suggestions` become buttons for `pick`. */
export function tell(text, { bad = false, suggestions = [], pick } = {}) {
  const outcome = byId("outcome");
  const buttons = suggestions.map((label) => el("button", { type: "button", className: "chip", onclick: () => pick(label) }, label));
  outcome.classList.toggle("bad", bad);
  outcome.replaceChildren(el("span", { dir: "auto" }, text), ...buttons);
  clearTimeout(fading);
  fading = setTimeout(() => outcome.replaceChildren(), bad ? WARNED_MS : SAID_MS);
}

/**
 * Call the API and show the result: `done` turns the response into a message. Returns the response, or null if it was refused.
 * `again` repeats the call with one of the server's suggestions.
 */
export async function act(method, path, body, done, again) {
  try {
    const answer = await call(method, path, body);
    tell(done(answer));
    return answer;
  } catch (error) {
    if (error.status === 401) loggedOut();
    else tell(error.message, { bad: true, suggestions: again ? error.suggestions.slice(0, 6) : [], pick: again });
    return null;
  }
}

/** Make a button run its action only when it is pressed twice. */
export function arm(button, question, action) {
  const usual = button.textContent;
  let timer;
  const disarm = () => {
    clearTimeout(timer);
    button.classList.remove("armed");
    button.textContent = usual;
  };
  button.addEventListener("click", () => {
    if (button.classList.contains("armed")) {
      disarm();
      return action();
    }
    button.classList.add("armed");
    button.textContent = question();
    timer = setTimeout(disarm, ARMED_MS);
  });
  button.addEventListener("blur", disarm);
}
