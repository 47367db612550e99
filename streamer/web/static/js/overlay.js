// Now and next, for a browser source. docs/pages.md lists the parameters of the address.

import { byId, el, person, say } from "./dom.js";
import { Choices, condition } from "./poll.js";
import { watch } from "./status.js";

const MOST = 10;
const SCALE = [0.5, 4];

/** The parameters of the address; unknown ones are ignored. */
export function wishes(query) {
  const wish = new URLSearchParams(query);
  const number = (key, usual, least, most) => {
    const value = wish.get(key) ? Number(wish.get(key)) : NaN;
    return Number.isNaN(value) ? usual : Math.min(most, Math.max(least, value));
  };
  const yes = (key, usual) => (wish.has(key) ? !["0", "no", "false", "off"].includes(wish.get(key).toLowerCase()) : usual);
  const oneOf = (key, ...values) => (values.includes(wish.get(key)) ? wish.get(key) : values[0]);
  return {
    align: oneOf("align", "left", "center", "right"),
    at: oneOf("at", "bottom", "top"),
    next: Math.round(number("next", 2, 0, MOST)),
    scale: number("scale", 1, ...SCALE),
    plate: yes("plate", false),
    names: yes("names", true),
    bar: yes("bar", true),
    idle: yes("idle", true),
    poll: yes("poll", true),
  };
}

const wish = wishes(location.search);
document.body.classList.add(wish.align, wish.at);
document.body.classList.toggle("plate", wish.plate);
document.documentElement.style.setProperty("--scale", wish.scale);

let shown = null;
let waiting = null;

function showNow(now) {
  const key = `${now.scene} ${now.title} ${now.user}`;
  if (key === shown) return;
  shown = key;
  say(byId("kind"), now.user ? "Dreaming of" : "Wandering");
  say(byId("title"), now.title);
  byId("for").replaceChildren(...(now.user && wish.names ? ["for ", person(now.user, "b")] : []));
}

function row(item, first) {
  const who = wish.names ? [el("span", { className: "by" }, person(item.user))] : [];
  return el("li", {}, el("span", { className: "lead" }, first ? "Next" : ""), el("span", { className: "what" }, item.title), ...who);
}

function showNext(queue) {
  const next = queue.slice(0, wish.next);
  const key = JSON.stringify(next.map((item) => [item.title, item.user]));
  if (key === waiting) return;
  waiting = key;
  byId("next").replaceChildren(...next.map((item, i) => row(item, i === 0)));
}

const choices = new Choices(byId("poll-choices"));

function showPoll(poll) {
  byId("poll").hidden = !poll;
  if (!poll) return;
  say(byId("poll-heading"), poll.state === "open" ? `Vote by number: ${condition(poll)}` : condition(poll));
  choices.show(poll);
}

function show({ on_air: now, queue, poll }) {
  const asked = wish.poll ? poll : null;
  const worthIt = now && (wish.idle || now.user || asked);
  showPoll(asked);
  byId("card").dataset.shown = String(Boolean(worthIt));
  if (!worthIt) return;
  showNow(now);
  byId("track").hidden = !wish.bar || now.left_s === null;
  if (now.left_s !== null) byId("bar").style.setProperty("--part", now.since_s / Math.max(0.1, now.since_s + now.left_s));
  showNext(queue);
}

// Hide the card while the stream is away, so that no old title stays over somebody's video.
watch(show, (connected) => connected || (byId("card").dataset.shown = "false"), true);
