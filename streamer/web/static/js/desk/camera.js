// How fast the camera moves.

import { byId } from "../dom.js";
import { act } from "./act.js";

const SETTLED_MS = 250; // a slider is heard when it rests for so long

const FIELDS = { speed: "speed", rotation: "rotation" };

let known = {};
let timer;

function put(key, value) {
  const text = `${Math.round(value * 1000) / 1000}`;
  for (const input of [byId(`camera-${key}`), byId(`camera-${key}-slider`)]) {
    if (input !== document.activeElement && input.value !== text) input.value = text;
  }
}

async function turn(key, value) {
  const told = await act("POST", "/api/motion", { [FIELDS[key]]: value }, () => said(key, value));
  if (told) known = { ...known, [key]: value };
  if (key in known) put(key, known[key]);
}

function said(key, value) {
  if (key === "rotation") return value ? `Turns ${Math.abs(value)}° a second, ${value > 0 ? "counter-clockwise" : "clockwise"}.` : "Does not turn.";
  return value === 1 ? "The camera stands still." : `Zooms ${value > 1 ? "in" : "out"}, ${value} times a second.`;
}

/** Show where a status says that the camera is. */
export function show({ motion }) {
  byId("camera").hidden = !motion;
  if (!motion) return;
  known = motion;
  for (const key of Object.keys(FIELDS)) put(key, motion[key]);
}

export function begin() {
  for (const key of Object.keys(FIELDS)) {
    const number = byId(`camera-${key}`);
    const slider = byId(`camera-${key}-slider`);
    number.addEventListener("change", () => number.value && turn(key, Number(number.value)));
    number.addEventListener("blur", () => key in known && put(key, known[key]));
    slider.addEventListener("input", () => {
      number.value = slider.value;
      clearTimeout(timer);
      timer = setTimeout(() => turn(key, Number(slider.value)), SETTLED_MS);
    });
  }
}
