// Live H.264 through Media Source Extensions, with little delay.

const AIM_S = 0.35; // how far behind the newest picture to play
const AIM_MAX_S = 0.7; // largest aim, on connections that stutter; with the slack below, the delay stays under a second
const LATE_S = 1.5; // farther behind than the aim by this: jump
const KEEP_S = 15; // of the past, then it is pruned
const SILENCE_MS = 8000; // a connection that has sent data and is silent this long is dead

/** This browser cannot play the video. */
export class Unplayable extends Error {}

/** This browser can play the video, but decoding failed. */
export class Undecodable extends Error {}

function once(target, name, signal) {
  return new Promise((resolve, reject) => {
    const settled = new AbortController();
    const settle = (how, value) => {
      settled.abort();
      how(value);
    };
    target.addEventListener(name, (event) => settle(resolve, event), { signal: settled.signal });
    signal.addEventListener("abort", () => settle(reject, signal.reason), { signal: settled.signal });
  });
}

/** Reads with a deadline: resolves like `reader.read()`, rejects after `ms` of silence. */
function readWithin(reader, ms) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the connection went silent")), ms);
  });
  return Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
}

function update(buffer, change, signal) {
  const done = once(buffer, "updateend", signal);
  change();
  return done;
}

/** Keeps the video near the end of its buffer by small changes of speed, or by a jump if it is far behind. */
class Chase {
  constructor(video, signal) {
    this.video = video;
    this.aim = AIM_S;
    let playing = false; // before that, it waits for the first picture
    video.addEventListener("playing", () => (playing = true), { signal });
    video.addEventListener("waiting", () => playing && !video.seeking && (this.aim = Math.min(AIM_MAX_S, this.aim * 1.4)), { signal });
  }

  /** Call when the buffer has grown. */
  follow() {
    const { video } = this;
    const last = video.buffered.length - 1;
    if (last < 0) return;
    const start = video.buffered.start(last);
    const behind = video.buffered.end(last) - video.currentTime;
    if (video.currentTime < start || behind < -0.1 || behind > this.aim + LATE_S) {
      video.currentTime = Math.max(start, video.buffered.end(last) - this.aim);
      return;
    }
    this.aim = Math.max(AIM_S, this.aim * 0.999);
    if (behind > this.aim + 0.2) video.playbackRate = behind > this.aim + 0.4 ? 1.15 : 1.06;
    else if (behind < this.aim * 0.4) video.playbackRate = 0.96;
    else if (video.playbackRate > 1 ? behind <= this.aim : behind >= this.aim) video.playbackRate = 1;
  }
}

/**
 * Plays /live.mp4 until the connection breaks or `signal` aborts.
 * `onPlaying` is called when the video plays. Throws Unplayable, Undecodable, or what broke the connection.
 */
export async function playMse(video, signal, onPlaying) {
  const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
  if (!Source) throw new Unplayable("no Media Source Extensions");
  const ended = new AbortController();
  signal.addEventListener("abort", () => ended.abort(signal.reason), { once: true, signal: ended.signal });
  const response = await fetch("/live.mp4", { signal: ended.signal, cache: "no-store" });
  let url;
  try {
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const type = response.headers.get("Content-Type") ?? "";
    if (!Source.isTypeSupported(type)) throw new Unplayable(`cannot play ${type}`);
    const source = new Source();
    video.disableRemotePlayback = true;
    url = URL.createObjectURL(source);
    video.src = url;
    await once(source, "sourceopen", ended.signal);
    video.addEventListener("playing", onPlaying, { signal: ended.signal });
    video.addEventListener("error", () => ended.abort(new Undecodable(video.error?.message || "bad video")), { signal: ended.signal });
    await pump(video, source.addSourceBuffer(type), response.body.getReader(), ended.signal);
  } catch (error) {
    throw ended.signal.reason instanceof Undecodable ? ended.signal.reason : error;
  } finally {
    ended.abort(new DOMException("ended", "AbortError"));
    if (url) URL.revokeObjectURL(url);
  }
}

async function pump(video, buffer, reader, signal) {
  const chase = new Chase(video, signal);
  let started = false;
  while (true) {
    const { value, done } = await (started ? readWithin(reader, SILENCE_MS) : reader.read());
    if (done) throw new Error("the connection ended");
    signal.throwIfAborted();
    try {
      await update(buffer, () => buffer.appendBuffer(value), signal);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      await update(buffer, () => buffer.remove(0, Math.max(0.1, video.currentTime - 1)), signal);
      await update(buffer, () => buffer.appendBuffer(value), signal);
    }
    if (!buffer.buffered.length) continue;
    chase.follow();
    if (!started) {
      started = true;
      video.play().catch((error) => signal.aborted || video.dispatchEvent(new CustomEvent("blocked", { detail: error })));
    }
    if (video.currentTime - buffer.buffered.start(0) > KEEP_S * 2) {
      await update(buffer, () => buffer.remove(0, video.currentTime - KEEP_S), signal);
    }
  }
}
