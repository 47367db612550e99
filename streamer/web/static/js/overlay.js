// Now and next, for a browser source. In the address: ?align=right, ?at=top, ?next=0 (how many of the queue to name; 2 unless told).

import { byId, el, say } from "./dom.js";
import { watch } from "./status.js";

const wish = new URLSearchParams(location.search);
const NEXT = Math.min(10, Math.max(0, Number(wish.get("next") ?? 2) || 0));

document.body.classList.toggle("right", wish.get("align") === "right");
document.body.classList.toggle("top", wish.get("at") === "top");

let shown = null;

function show({ on_air: now, queue }) {
  byId("card").dataset.shown = String(Boolean(now));
  if (!now) return;
  if (shown !== now.scene) {
    shown = now.scene;
    say(byId("kind"), now.user ? "Dreaming of" : "Wandering");
    say(byId("title"), now.title);
    byId("for").replaceChildren(...(now.user ? ["for ", el("b", {}, now.user)] : []));
  }
  byId("track").hidden = now.left_s === null;
  if (now.left_s !== null) byId("bar").style.setProperty("--part", now.since_s / Math.max(0.1, now.since_s + now.left_s));
  const next = queue.slice(0, NEXT).map((item) => `${item.title} (${item.user})`);
  say(byId("next"), next.length ? `Next: ${next.join(", ")}` : "");
}

// a stream that is away must not leave an old title over somebody's picture
watch(show, (connected) => connected || (byId("card").dataset.shown = "false"), true);
