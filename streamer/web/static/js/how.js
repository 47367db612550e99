// One step of the dream, taken apart: requested only while the page is visible.

import { call } from "./api.js";
import { byId, el, say, sleep } from "./dom.js";
import { sentence } from "./network.js";

const EVERY_MS = 10_000;
const SOON_MS = 1500; // while the first one is on its way
const NETWORK_MS = 5000;

let seen = 0;

function put(image, jpeg) {
  const before = image.src;
  image.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0))], { type: "image/jpeg" }));
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
}

/** The figure of a layer; kept while the layer is shown. */
function layer(name) {
  const known = [...byId("layer-list").children].find((item) => item.dataset.layer === name);
  if (known) return known.querySelector("img");
  const image = el("img", { alt: `Twelve channels of the layer ${name}` });
  const item = el("li", {}, el("figure", {}, image, el("figcaption", {}, el("code", {}, name))));
  item.dataset.layer = name;
  byId("layer-list").append(item);
  return image;
}

function show({ title, pictures }) {
  const layers = pictures.filter(({ name }) => name.startsWith("layer ")).map(({ name, jpeg }) => [name.slice("layer ".length), jpeg]);
  for (const item of [...byId("layer-list").children]) if (!layers.some(([name]) => name === item.dataset.layer)) item.remove();
  for (const [name, jpeg] of layers) put(layer(name), jpeg);
  for (const image of byId("step").querySelectorAll("img")) {
    const found = pictures.find(({ name }) => name === image.dataset.name);
    image.closest("li").hidden = !found;
    if (found) put(image, found.jpeg);
  }
  say(byId("step-title"), title ? `, ${title}` : "");
  byId("step").hidden = false;
  byId("layers").hidden = !layers.length;
}

async function look() {
  const answer = await call("GET", `/api/step?after=${seen}`);
  if (answer.pictures.length) show(answer);
  if (answer.number && !answer.shown) {
    byId("step").hidden = byId("layers").hidden = true;
    say(byId("step-state"), "The current algorithm cannot be taken apart like this; the default one can.");
  } else say(byId("step-state"), answer.number ? "" : "Waiting for a step…");
  const news = answer.number !== seen;
  seen = answer.number;
  return news;
}

async function steps() {
  while (true) {
    let news = true;
    try {
      if (!document.hidden) news = await look();
    } catch (error) {
      say(byId("step-state"), error.message);
    }
    await sleep(news ? EVERY_MS : SOON_MS);
  }
}

async function network() {
  for (let answer = ""; !answer; ) {
    answer = await call("GET", "/api/network").then(sentence, () => "");
    if (answer) say(byId("network"), answer);
    else await sleep(NETWORK_MS);
  }
}

steps();
network();
