// The viewers' page.

import { glow } from "./ambient.js";
import * as ask from "./ask.js";
import * as catalogue from "./catalogue.js";
import { byId } from "./dom.js";
import { showAbout, showNow, showQueue } from "./programme.js";
import { Stage } from "./stage.js";
import { watch } from "./status.js";

const stage = new Stage();
stage.begin();
glow(byId("ambient"), () => stage.player.surface);
ask.begin();
catalogue.begin(ask.suggest).then(ask.ideas);
watch(
  (status) => {
    stage.status(status);
    showNow(status);
    showQueue(status);
    showAbout(status);
  },
  (connected) => stage.connection(connected),
);
