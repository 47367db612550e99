// The page of a past dream: plays its clip, requests it again, and lets moderators remove it.

import { call } from "./api.js";
import { byId, calm, duration, say } from "./dom.js";
import { name, remember } from "./mine.js";

const ARMED_MS = 4000; // how long the button waits to be pressed again

async function ask({ target: button }) {
  button.disabled = true;
  try {
    const receipt = await call("POST", "/api/requests", { user: name(), text: button.dataset.text });
    remember(receipt.id);
    const place = receipt.position <= 1 ? "next" : `number ${receipt.position} in line`;
    const when = receipt.eta_s < 3 ? "any moment now" : `in about ${duration(receipt.eta_s)}`;
    say(byId("answer"), `${receipt.title}: ${place}, ${when}.`);
  } catch (error) {
    say(byId("answer"), error.message);
  }
  button.disabled = false;
}

async function remove({ target: button }) {
  if (!button.classList.contains("armed")) {
    button.classList.add("armed");
    say(button, "Really remove it?");
    setTimeout(() => {
      button.classList.remove("armed");
      say(button, "Remove it");
    }, ARMED_MS);
    return;
  }
  try {
    await call("DELETE", button.dataset.path);
    location.assign("/");
  } catch (error) {
    say(byId("answer"), error.message);
  }
}

const again = byId("again");
if (again) {
  again.addEventListener("click", ask);
  again.disabled = false; // it works only from here on
}
byId("remove").addEventListener("click", remove);
const clip = byId("clip");
if (clip && !calm.matches) clip.play().catch((error) => console.info("the clip waits for a click: %s", error.message));
call("GET", "/api/session").then(
  (session) => (byId("remove").hidden = !session.moderator),
  (error) => console.info("the session: %s", error.message),
);
