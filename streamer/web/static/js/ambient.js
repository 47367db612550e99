// The room takes the colours of the dream: the picture, a few pixels wide, blurred behind everything.

import { calm } from "./dom.js";

const EVERY_MS = 700;

export function glow(canvas, surface) {
  const brush = canvas.getContext("2d", { alpha: false });
  setInterval(() => {
    const picture = surface();
    if (document.hidden || !(picture.videoWidth || picture.naturalWidth)) return;
    brush.globalAlpha = calm.matches ? 0.04 : 0.22; // drifts, never flashes
    try {
      brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
    } catch {
      // between two pictures there is none
    }
  }, EVERY_MS);
}
