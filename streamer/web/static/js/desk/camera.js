// Speed and rotation of the camera.

import { byId } from "../dom.js";
import { act } from "./act.js";

const SETTLED_MS = 250; // a slider's value is sent once it rests this long
const HANDS_OFF_MS = 1500; // a status does not move a slider that was used this recently

const KEYS = ["speed", "rotation"];

let known = {};
let touched = -Infinity;

const touch = () => (touched = performance.now());

function put(key, value) {
  const text = `${Math.round(value * 1000) / 1000}`;
  byId(`camera-${key}-slider`).value = text;
  byId(`camera-${key}`).value = text;
}

async function turn(key, value) {
  touch();
  const motion = await act("POST", "/api/motion", { [key]: value }, (now) => said(key, now[key]));
  known = motion ?? known;
  if (key in known) put(key, known[key]);
}

function said(key, value) {
  if (key === "rotation") return value ? `Turns ${Math.abs(value)}° a second, ${value > 0 ? "counter-clockwise" : "clockwise"}.` : "Does not turn.";
  return value === 1 ? "The camera stands still." : `Zooms ${value > 1 ? "in" : "out"} by ${value} a second.`;
}

/** Show the camera's motion from a status. */
export function show({ motion }) {
  byId("camera").hidden = !motion;
  if (!motion) return;
  known = motion;
  if (performance.now() - touched < HANDS_OFF_MS) return;
  for (const key of KEYS) if (document.activeElement !== byId(`camera-${key}`)) put(key, motion[key]);
}

export function begin() {
  for (const key of KEYS) {
    const number = byId(`camera-${key}`);
    const slider = byId(`camera-${key}-slider`);
    number.addEventListener("change", () => number.value && turn(key, Number(number.value)));
    let timer;
    slider.addEventListener("input", () => {
      touch();
      number.value = slider.value;
      clearTimeout(timer);
      timer = setTimeout(() => turn(key, Number(slider.value)), SETTLED_MS);
    });
  }
}
