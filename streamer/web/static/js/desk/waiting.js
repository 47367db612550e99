// The queue, with the operator's tools.

import { byId, count, el, person, say } from "../dom.js";
import { icon } from "../icons.js";
import { Queue } from "../queue.js";
import { act, arm, tell } from "./act.js";
import { block } from "./blocks.js";
import { draggable } from "./drag.js";

const ROLES = { subscriber: "subscriber", vip: "VIP", moderator: "moderator", broadcaster: "broadcaster" };

let queue;
let items = new Map(); // latest requests, by id
let open = true;

function button(name, drawing, label, action) {
  return el("button", { type: "button", className: `tool ${name}`, "aria-label": label, title: label, onclick: action }, icon(drawing));
}

const remove = (item) => act("DELETE", `/api/requests/${item.id}`, undefined, () => `Removed ${item.title}.`);

const promote = (item) => act("POST", `/api/requests/${item.id}/promote`, undefined, () => `${item.title} is next.`);

const move = (item, position) =>
  act("POST", `/api/requests/${item.id}/move`, { position }, (answer) => `Moved ${item.title} to place ${answer.position}.`);

/** Move a request by one place. */
function step(item, by) {
  const place = (items.get(item.id)?.position ?? NaN) + by;
  if (place >= 1 && place <= items.size) move(item, place);
}

const removeAll = (item) =>
  act("POST", "/api/remove", { user: item.user }, (answer) => `Removed ${count(answer.removed, "request")} of ${item.user}.`);

/** The drawer of a row: remove all requests of the viewer, block the viewer or the subjects. */
function drawer(item) {
  const all = el("button", { type: "button", className: "chip all", onclick: () => removeAll(item) }, "Remove all of ", person(item.user));
  const user = el("button", { type: "button", className: "chip", onclick: () => block("user", item.user) }, "Block ", person(item.user));
  const classes = item.targets.map((target) =>
    el("button", { type: "button", className: "chip", onclick: () => block("class", target.wnid, target.label) }, `Block ${target.label}`),
  );
  const asked = item.text && item.text.toLowerCase() !== item.title.toLowerCase() ? [el("p", { className: "asked" }, "asked for “", person(item.text), "”")] : [];
  return el("div", { className: "drawer", hidden: true }, ...asked, all, user, ...classes);
}

function more(item, inside) {
  const opener = button("more", "more", `More about ${item.title} and ${item.user}`, () => {
    inside.hidden = !inside.hidden;
    opener.setAttribute("aria-expanded", String(!inside.hidden));
  });
  opener.setAttribute("aria-expanded", "false");
  return opener;
}

function tools(item, row) {
  const inside = drawer(item);
  const tags = [ROLES[item.role], item.source].filter(Boolean).map((word) => el("span", { className: "tag" }, word));
  row.querySelector(".who").append(...tags, el("span", { className: "tag votes" }));
  const about = `${item.title}, asked for by ${item.user}`;
  return [
    el("span", { className: "grip", title: "Drag to move", "aria-hidden": "true" }, icon("grip")),
    el(
      "span",
      { className: "tools", role: "group", "aria-label": about },
      button("promote", "top", `Put ${item.title} next`, () => promote(item)),
      button("raise", "up", `Move ${item.title} up`, () => step(item, -1)),
      button("lower", "down", `Move ${item.title} down`, () => step(item, 1)),
      more(item, inside),
      button("remove", "cross", `Remove ${about}`, () => remove(item)),
    ),
    inside,
  ];
}

function refresh(item, row) {
  const first = item.position <= 1;
  for (const name of [".promote", ".raise"]) row.querySelector(name).setAttribute("aria-disabled", String(first));
  row.querySelector(".lower").setAttribute("aria-disabled", String(item.position >= items.size));
  say(row.querySelector(".votes"), item.votes ? count(item.votes, "vote") : "");
}

/** Show the queue of a status. */
export function show(status) {
  items = new Map(status.queue.map((item) => [item.id, item]));
  queue.show(status);
  open = status.open !== false;
  byId("open").setAttribute("aria-checked", String(open));
  say(byId("open-text"), open ? "Open" : "Closed");
  byId("clear").hidden = !status.queue.length;
}

export function begin() {
  queue = new Queue(tools, refresh);
  byId("open").addEventListener("click", () =>
    act("PATCH", "/api/rules", { open: !open }, () => (open ? "Closed: no new requests." : "Open: viewers may ask.")),
  );
  arm(
    byId("clear"),
    () => `Really remove all ${items.size}?`,
    () => act("POST", "/api/clear", undefined, (answer) => `Removed ${count(answer.removed, "request")}.`),
  );
  draggable(
    byId("queue"),
    () => (queue.frozen = true),
    async (row, index) => {
      const item = row && items.get(Number(row.dataset.id));
      if (item) await move(item, index + 1);
      else if (row) tell("It is no longer waiting.", { bad: true });
      queue.frozen = false;
    },
  );
}
