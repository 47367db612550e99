// The moderators' request form, for subjects and layers of the network.

import { call } from "../api.js";
import { byId, count, el } from "../dom.js";
import { remedy, sentence } from "../network.js";
import { act } from "./act.js";

const WHO = "the operator";
const AGAIN_MS = 3000; // pause before the layers are read again

let network = null; // the network whose layers are listed
let reading = false;

async function ask(text) {
  const body = { user: WHO, text, role: "moderator" };
  const again = /[+&,]/.test(text) ? undefined : ask; // a suggestion replaces one subject, not the whole request
  const answer = await act("POST", "/api/requests", body, said, again);
  if (answer) byId("wish-text").value = "";
}

function said({ title, position, note }) {
  return `${title}: ${position <= 1 ? "next" : `number ${position} in line`}.${note ? ` (${note})` : ""}`;
}

/** Add a layer, or some of its channels, to the request in the box. */
function add() {
  const channels = byId("channels").value.trim();
  const subject = `layer ${byId("layer").value}${channels ? `:${channels}` : ""}`;
  const text = byId("wish-text");
  const line = text.value.trim();
  text.value = !line ? subject : /[+&]$/.test(line) ? `${line} ${subject}` : `${line} + ${subject}`;
  byId("channels").value = "";
  text.focus();
}

const chosen = () => byId("layer").selectedOptions[0];

function hint() {
  byId("channels").placeholder = chosen() ? `all ${chosen().dataset.channels}` : "";
}

function option({ name, channels }) {
  const made = el("option", { value: name }, `${name}  ·  ${count(channels, "channel")}`);
  made.dataset.channels = channels;
  return made;
}

async function read(wanted) {
  reading = true;
  try {
    const answer = await call("GET", "/api/layers");
    if (answer.layers.length) {
      network = wanted;
      byId("layer").replaceChildren(...answer.layers.map(option));
      byId("layers").hidden = false;
      const whole = answer.layers.map(({ name }) => name).filter((name) => !name.includes("."));
      byId("layer").value = whole[Math.floor(whole.length / 2)];
      hint();
    }
  } catch (error) {
    console.info("the layers: %s", error.message);
  }
  setTimeout(() => (reading = false), AGAIN_MS);
}

function showNetwork(network) {
  const parts = [sentence(network), ...remedy(network)];
  const words = parts.map((part) => part.textContent ?? part).join("");
  if (byId("network").textContent !== words) byId("network").replaceChildren(...parts);
  const layer = chosen();
  const example = network.examples[0];
  if (example) byId("wish-text").placeholder = layer ? `${example} + layer ${layer.value}` : network.examples.slice(0, 2).join(" + ");
}

/** Show the network of a status; read its layers when it changes. */
export function show({ renderer, network: knows }) {
  showNetwork(knows);
  if (renderer.network && renderer.network !== network && !reading) read(renderer.network);
}

export function begin() {
  byId("wish-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("wish-text").value.trim();
    if (text) ask(text);
  });
  byId("layer").addEventListener("change", hint);
  byId("layer-add").addEventListener("click", add);
}
