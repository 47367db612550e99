// The operator's control page.

import { act, whenLoggedOut } from "./desk/act.js";
import * as blocks from "./desk/blocks.js";
import * as camera from "./desk/camera.js";
import * as chat from "./desk/chat.js";
import * as login from "./desk/login.js";
import * as look from "./desk/look.js";
import { showHealth, showNumbers } from "./desk/numbers.js";
import * as outputs from "./desk/outputs.js";
import * as poll from "./desk/poll.js";
import * as rules from "./desk/rules.js";
import * as settings from "./desk/settings.js";
import * as waiting from "./desk/waiting.js";
import * as wish from "./desk/wish.js";
import { byId, say } from "./dom.js";
import { begin, showNow } from "./programme.js";
import { Stage } from "./stage.js";
import { watch } from "./status.js";

let paused = false;
let opened = false;

function buttons() {
  byId("skip").addEventListener("click", () => act("POST", "/api/skip", undefined, () => "Skipped."));
  byId("bump").addEventListener("click", () => act("POST", "/api/bump", undefined, () => "Bumped."));
  byId("twist").addEventListener("click", () => act("POST", "/api/twist", undefined, () => "Twisted."));
  byId("pause").addEventListener("click", () =>
    act("POST", "/api/pause", { paused: !paused }, (answer) => (answer.paused ? "Held: this dream stays until you release it." : "Released.")),
  );
}

function open() {
  if (opened) return rules.read(); // logged in again
  opened = true;
  const stage = new Stage();
  begin();
  buttons();
  waiting.begin();
  blocks.begin();
  rules.begin(blocks.show);
  camera.begin();
  look.begin();
  wish.begin();
  poll.begin();
  outputs.begin();
  settings.begin();
  stage.begin();
  watch(
    (status) => {
      paused = status.paused;
      stage.status(status);
      showNow(status);
      waiting.show(status);
      chat.show(status);
      camera.show(status);
      look.show(status);
      wish.show(status);
      poll.show(status);
      outputs.show(status);
      settings.show(status);
      showNumbers(status);
      showHealth(status);
      byId("pause").setAttribute("aria-pressed", String(paused));
      say(byId("pause"), paused ? "Release this dream" : "Hold this dream");
    },
    (connected) => stage.connection(connected),
  );
}

whenLoggedOut(login.askForToken);
login.begin(open);
