// The page's background takes the colours of the dream: a tiny, blurred copy of the picture behind everything.
//
// It is blurred here, every EVERY_MS, and not by a CSS filter: without a GPU, browsers recompute a filter with every frame of the
// video in front of it, which takes most of a core and half of the frames.

import { calm } from "./dom.js";

const EVERY_MS = 700;
const COARSE = { width: 12, height: 8 };
const SATURATION = 1.5;
const FADES_FROM = 0.35; // of the height; gone at the bottom

export function glow(canvas, surface) {
  const drift = sheet(24, 14, { alpha: false });
  const coarse = sheet(COARSE.width, COARSE.height, { willReadFrequently: true });
  const steps = [];
  for (let { width, height } = COARSE; width * 2 < canvas.width; width *= 2, height *= 2) {
    steps.push(sheet(width * 2, height * 2));
  }
  steps.push(canvas.getContext("2d"));
  setInterval(() => {
    const picture = surface();
    if (document.hidden || !(picture.videoWidth || picture.naturalWidth)) return;
    drift.globalAlpha = calm.matches ? 0.04 : 0.22; // drifts, never flashes
    try {
      paint(drift, picture);
    } catch {
      return; // no picture at the moment
    }
    paint(coarse, drift.canvas);
    saturate(coarse);
    let before = coarse;
    for (const next of steps) {
      paint(next, before.canvas); // smooth doubling, several times, blurs it
      before = next;
    }
    fade(before);
  }, EVERY_MS);
}

function sheet(width, height, options) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d", options);
}

function paint(brush, picture) {
  brush.imageSmoothingQuality = "high";
  brush.drawImage(picture, 0, 0, brush.canvas.width, brush.canvas.height);
}

function saturate(brush) {
  const image = brush.getImageData(0, 0, COARSE.width, COARSE.height);
  const { data } = image;
  for (let at = 0; at < data.length; at += 4) {
    const grey = 0.213 * data[at] + 0.715 * data[at + 1] + 0.072 * data[at + 2];
    for (let channel = at; channel < at + 3; channel += 1) data[channel] = grey + SATURATION * (data[channel] - grey);
  }
  brush.putImageData(image, 0, 0);
}

function fade(brush) {
  const { width, height } = brush.canvas;
  const mask = brush.createLinearGradient(0, FADES_FROM * height, 0, height);
  mask.addColorStop(0, "black");
  mask.addColorStop(1, "transparent");
  brush.globalCompositeOperation = "destination-in";
  brush.fillStyle = mask;
  brush.fillRect(0, 0, width, height);
  brush.globalCompositeOperation = "copy"; // the next state replaces this one
}
