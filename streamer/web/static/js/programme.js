// What is on air, and what comes next.

import { byId, duration, el, say, subjects, wait } from "./dom.js";
import { isMine } from "./mine.js";

let shown; // what the title shows; it is rebuilt only when that changes
let rows = new Map(); // by request

export function showNow({ on_air: now, paused }) {
  const key = now && `${now.scene} ${now.title}`;
  if (key !== shown) {
    shown = key;
    byId("now-title").replaceChildren(...(now ? subjects(now.targets) : ["…"]));
    const asked = now?.user ? ["for ", el("b", {}, now.user)] : [now ? "Nobody asked for this one." : "The first dream is on its way."];
    byId("now-for").replaceChildren(...asked);
  }
  say(byId("now-kind"), paused ? "On air, held" : now && !now.user ? "Wandering" : "On air");
  const left = now?.left_s ?? null;
  byId("time").hidden = left === null;
  if (left === null) return;
  const whole = now.since_s + left;
  byId("time-bar").style.setProperty("--part", whole > 0 ? Math.min(1, now.since_s / whole) : 1);
  say(byId("time-left"), left < 1 ? "ending" : `${duration(left)} left`);
}

function row(item, actions) {
  return el(
    "li",
    {},
    el("span", { className: "place" }),
    el("span", { className: "what" }, ...subjects(item.targets)),
    el("span", { className: "eta" }),
    el("span", { className: "who" }),
    ...actions(item),
  );
}

/** Show who waits; `actions` gives each row its buttons. Rows are kept while they stay, and with them the focus. */
export function showQueue({ queue }, actions = () => []) {
  const list = byId("queue");
  const kept = rows;
  rows = new Map();
  for (const item of queue) {
    const element = kept.get(item.id) ?? row(item, actions);
    rows.set(item.id, element);
    element.classList.toggle("mine", isMine(item.id));
    say(element.querySelector(".place"), `${item.position}`);
    say(element.querySelector(".eta"), wait(item.eta_s));
    say(element.querySelector(".who"), isMine(item.id) ? `${item.user} (you)` : item.user);
  }
  for (const [id, element] of kept) if (!rows.has(id)) element.remove();
  [...rows.values()].forEach((element, i) => list.children[i] !== element && list.insertBefore(element, list.children[i] ?? null));
  byId("queue-empty").hidden = queue.length > 0;
  say(byId("queue-count"), queue.length > 1 ? `${queue.length}` : "");
}

export function showAbout({ renderer, video, version }) {
  const parts = [`zoomdream ${version}`];
  if (renderer.network) parts.push(`dreamt by ${renderer.network} on ${renderer.device}`, `${renderer.steps_per_s.toFixed(1)} steps a second`);
  parts.push(`${video.fps_measured.toFixed(1)} frames a second`);
  if (video.viewers > 1) parts.push(`${video.viewers} watching`);
  say(byId("about"), parts.join("  ·  "));
}
