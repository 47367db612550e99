// The scene on air, and a line about the program.

import { byId, duration, el, person, say, subjects } from "./dom.js";

/** Where public outputs go, by kind. */
const AIRED = { twitch_ingest: "to Twitch" };

let shown; // what the title shows; it is rebuilt only when that changes

/** Fill `#now`, before the page's own content. */
export function begin() {
  const track = el("div", { className: "track", "aria-hidden": "true" }, el("i", { id: "time-bar" }));
  byId("now").prepend(
    el("h2", { id: "now-kind", className: "label" }, "On air"),
    el("p", { id: "now-title", className: "title" }, "…"),
    el("p", { id: "now-for", className: "for" }),
    el("div", { id: "time", className: "time", hidden: true }, track, el("span", { id: "time-left" })),
  );
  byId("now").setAttribute("aria-labelledby", "now-kind");
}

export function showNow({ on_air: now, paused }) {
  const key = now && `${now.scene} ${now.title} ${now.user}`;
  if (key !== shown) {
    shown = key;
    byId("now-title").replaceChildren(...(now ? subjects(now.targets) : ["…"]));
    const asked = now?.user ? ["for ", person(now.user, "b")] : [now ? "Nobody asked for this one." : "The first dream is on its way."];
    const instead = now?.instead_of ? [el("span", { className: "instead" }, `, instead of ${now.instead_of}`)] : [];
    byId("now-for").replaceChildren(...asked, ...instead);
  }
  say(byId("now-kind"), paused ? "On air, held" : now && !now.user ? "Wandering" : "On air");
  const left = now?.left_s ?? null;
  byId("time").hidden = left === null;
  if (left === null) return;
  const whole = now.since_s + left;
  byId("time-bar").style.setProperty("--part", whole > 0 ? Math.min(1, now.since_s / whole) : 1);
  say(byId("time-left"), left < 1 ? "ending" : `${duration(left)} left`);
}

/** Show where else the video is live, so that viewers know who sees their requests. */
export function showAired({ outputs = [] }) {
  const live = outputs.filter((item) => item.public && item.state === "live");
  const places = [...new Set(live.map((item) => AIRED[item.kind] ?? "elsewhere too"))];
  say(byId("aired"), places.length ? `live ${places.join(" and ")}` : "");
}

export function showAbout({ renderer, video, version }) {
  const parts = [`zoomdream ${version}`];
  if (renderer.network) parts.push(`${renderer.network} on ${renderer.device}`, `${renderer.steps_per_s.toFixed(1)} steps a second`);
  parts.push(`${video.fps_measured.toFixed(1)} frames a second`);
  if (video.viewers > 1) parts.push(`${video.viewers} watching`);
  say(byId("about"), parts.join("  ·  "));
}
