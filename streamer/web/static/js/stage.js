// The video with its buttons, and its state in a word.

import { byId, el, say } from "./dom.js";
import { icon } from "./icons.js";
import { Player } from "./player.js";

const WORDS = {
  connecting: "connecting…",
  starting: "the dream is starting…",
  live: "live",
  slow: "slow",
  interrupted: "interrupted, back in a moment…",
  unwell: "live, with problems",
  reconnecting: "reconnecting…",
  paused: "paused",
};

/** Fill `#stage` with the video and its buttons, and `#state` with its state. */
function build() {
  const video = el("video", { id: "video", muted: true, playsInline: true, disableRemotePlayback: true, "aria-label": "The dream, live" });
  const play = el("button", { type: "button", id: "play", className: "round" }, icon("pause.when-playing", "play.when-paused"));
  const full = el("button", { type: "button", id: "fullscreen", className: "round", "aria-label": "Full screen" }, icon("full"));
  byId("stage").append(
    video,
    el("img", { id: "picture", alt: "The dream, live", hidden: true }),
    el("p", { id: "veil", className: "veil", "aria-hidden": "true" }),
    el("div", { className: "controls" }, play, full),
  );
  const figures = el("span", { id: "state-figures", "aria-hidden": "true" }); // they change too often to be read out
  byId("state").append(el("span", { className: "dot", "aria-hidden": "true" }), el("span", { id: "state-text" }), figures);
}

/** Runs the player; call `status` and `connection` with each status and each change of the event stream. */
export class Stage {
  constructor() {
    build();
    this.picture = "live"; // until a status says otherwise
    this.well = true;
    this.connected = true;
    this.place = document.title; // the page's own title
    this.title = this.rate = "";
    this.player = new Player(byId("video"), byId("picture"), () => this.#show());
    const stage = byId("stage");
    byId("play").addEventListener("click", () => (this.player.paused ? this.player.play() : this.player.pause()));
    const full = byId("fullscreen");
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen()));
    byId("video").addEventListener("resize", ({ target }) => this.#shape(target.videoWidth, target.videoHeight));
    byId("picture").addEventListener("load", ({ target }) => this.#shape(target.naturalWidth, target.naturalHeight));
    this.#show();
  }

  begin() {
    this.player.begin();
  }

  status({ video, health, on_air: now }) {
    this.picture = video.state;
    this.well = health.ok;
    this.title = now?.title ?? "";
    this.rate = `${Math.round(video.fps_measured)} of ${Math.round(video.fps)} frames a second`;
    this.#show();
  }

  connection(connected) {
    this.connected = connected;
    document.body.dataset.connected = String(connected);
    this.#show();
  }

  #shape(width, height) {
    if (width && height) byId("stage").style.setProperty("--aspect", `${width} / ${height}`);
  }

  get #state() {
    const { state } = this.player;
    if (state === "paused") return this.connected ? "paused" : "reconnecting";
    if (!this.connected) return "reconnecting";
    if (this.picture === "starting") return "starting";
    if (state !== "live") return state ?? "connecting";
    if (this.picture === "live" && !this.well) return "unwell";
    return this.picture;
  }

  #show() {
    const state = this.#state;
    const { state: picture } = this.player;
    byId("stage").dataset.state = picture === "live" || picture === "paused" ? picture : state;
    byId("state").dataset.state = state;
    say(byId("state-text"), WORDS[state]);
    say(byId("state-figures"), state === "slow" ? this.rate : "");
    const name = state === "live" ? this.title : WORDS[state];
    document.title = name ? `${name} · ${this.place}` : this.place;
    if (picture !== "live" && picture !== "paused") say(byId("veil"), WORDS[state]);
    byId("play").setAttribute("aria-label", this.player.paused ? "Play the picture" : "Pause the picture");
  }
}
