// The live video: plays, reconnects, falls back to MJPEG, and reports its state.

import { calm, HIDDEN_MS, sleep } from "./dom.js";
import { playMjpeg } from "./mjpeg.js";
import { playMse, Undecodable, Unplayable } from "./mse.js";

const BACKOFF_MS = [300, 1000, 2000, 4000, 8000];
const UNDECODABLE = 2; // times the video may fail to decode before pictures take over

export class Player {
  /** `onState` is called with: connecting, live, reconnecting, paused. */
  constructor(video, image, onState) {
    Object.assign(this, { video, image, onState });
    this.mse = true;
    this.undecodable = 0;
    this.run = null;
    this.wanted = false;
    this.state = null;
    let hiding;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hiding);
      if (document.hidden) hiding = setTimeout(() => this.#halt(), HIDDEN_MS);
      else if (this.wanted && !this.run) this.#begin();
    });
    video.addEventListener("blocked", () => this.pause());
  }

  /** Start playing, unless the viewer prefers reduced motion: then show a still and the play button. */
  begin() {
    if (!calm.matches) return this.play();
    this.image.hidden = false;
    this.image.addEventListener("error", () => (this.image.hidden = true), { once: true });
    this.image.src = "/frame.jpg";
    this.#tell("paused");
  }

  play() {
    this.wanted = true;
    this.#begin();
  }

  pause() {
    this.wanted = false;
    this.video.pause();
    this.#halt();
    this.#tell("paused");
  }

  get paused() {
    return !this.wanted;
  }

  /** The element that shows the picture now. */
  get surface() {
    return this.image.hidden ? this.video : this.image;
  }

  #tell(state) {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }

  #halt() {
    this.run?.abort(new DOMException("halted", "AbortError"));
    this.run = null;
  }

  async #begin() {
    if (this.run) return;
    const run = (this.run = new AbortController());
    this.#tell("connecting");
    for (let failures = 0; !run.signal.aborted; ) {
      const played = (element) => () => {
        if (run.signal.aborted) return;
        failures = 0;
        this.#show(element);
        this.#tell("live");
      };
      try {
        if (this.mse) await playMse(this.video, run.signal, played(this.video));
        else await playMjpeg(this.image, run.signal, played(this.image));
      } catch (error) {
        if (run.signal.aborted) return;
        console.info("live picture: %s", error.message);
        if (error instanceof Undecodable) this.undecodable += 1;
        if (this.mse && (error instanceof Unplayable || this.undecodable >= UNDECODABLE)) {
          this.mse = false;
          continue;
        }
      }
      this.#tell("reconnecting");
      await sleep(BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)] * (0.8 + 0.4 * Math.random()));
    }
  }

  #show(element) {
    this.image.hidden = element !== this.image;
    this.video.hidden = element !== this.video;
  }
}
