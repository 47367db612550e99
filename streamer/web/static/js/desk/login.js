// Login: a form for the token, or a note that there is none.

import { call } from "../api.js";
import { byId, duration, say } from "../dom.js";

const AGAIN_MS = 2000;

let onOpen;

function show(what) {
  byId("login").hidden = what !== "login";
  byId("foreign").hidden = what !== "foreign";
  byId("desk").hidden = what !== "desk";
  byId("state").hidden = byId("chat-lamp").hidden = what !== "desk";
}

async function ask() {
  const session = await call("GET", "/api/session").catch((error) => error);
  if (session instanceof Error) setTimeout(ask, AGAIN_MS);
  else if (session.moderator) {
    show("desk");
    byId("logout").hidden = !session.login;
    onOpen();
  } else if (session.login) askForToken();
  else show("foreign");
}

/** Show the form instead of the controls, as after a 401. */
export function askForToken() {
  if (!byId("login").hidden) return;
  show("login");
  byId("logout").hidden = true;
  byId("token").value = "";
  byId("token").focus();
}

/** Ask the server who we are; `opened` is called whenever the visitor may moderate. */
export function begin(opened) {
  onOpen = opened;
  byId("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    say(byId("login-error"), "");
    try {
      await call("POST", "/api/login", { token: byId("token").value });
      ask();
    } catch (error) {
      const again = error.retry_s ? ` Try again in ${duration(error.retry_s)}.` : "";
      say(byId("login-error"), `${error.message.replace(/\.$/, "")}.${again}`);
    }
  });
  byId("logout").addEventListener("click", async () => {
    await call("POST", "/api/logout").catch(() => {});
    ask();
  });
  ask();
}
