// Health, and counters of the program.

import { byId, duration, el, say } from "../dom.js";

function group(title, rows) {
  const lines = rows.map(([name, value, bad]) => el("div", {}, el("dt", {}, name), el("dd", { className: bad ? "bad" : "" }, `${value}`)));
  return el("section", {}, el("h2", {}, title), el("dl", {}, ...lines));
}

function sourceRow({ kind, name, state, size, fps }) {
  const given = state === "live" && size ? `, ${size.width} × ${size.height}, ${fps.toFixed(1)} a second` : "";
  return [kind === "camera" ? "Camera" : "Film", `${name}: ${state}${given}`, state === "lost"];
}

function linkRows({ node, why, coding, mbit_per_s: carries, round_trip_ms: trip, lag_s: lag, spare }) {
  if (!node) return [["Cluster", why, true]];
  return [
    ["Node", node],
    ["Keyframe coding", coding || "…"],
    ["Link", `${carries} Mbit/s, ${trip} ms round trip`],
    ["Keyframe age", `${lag.toFixed(2)} s`],
    ["Standby worker", { here: "on this machine", cluster: "on another node" }[spare] || "none yet"],
  ];
}

function lastError({ error, last_error: last, last_error_ago_s: ago }) {
  return error || (last ? `${last}, ${duration(ago)} ago` : "none");
}

export function showNumbers({ video, sound, renderer, network, source, uptime_s, version }) {
  const { frames } = video;
  const canvas = renderer.canvas ? `${renderer.canvas.width} × ${renderer.canvas.height}` : "…";
  const keyframe = renderer.keyframe_s === null ? "…" : `every ${renderer.keyframe_s.toFixed(2)} s`;
  byId("numbers").replaceChildren(
    group("Video", [
      ["Frames a second", `${video.fps_measured.toFixed(2)} of ${video.fps}`, video.fps_measured < video.fps * 0.95],
      ["Shown", frames.shown],
      ["Late", frames.late],
      ["Repeated", frames.repeated],
      ["Dropped", frames.dropped],
      ["Stopped", frames.stopped],
      ["Not encoded", frames.unencoded],
      ["Flashes softened", frames.limited],
      ["Viewers", video.viewers],
      ["Encoder", video.encoder || "…"],
      ["Turned off to keep pace", video.given_up.join(", ") || "nothing", video.given_up.length > 0],
      ["Sound", sound.error || sound.playing || sound.source, Boolean(sound.error)],
    ]),
    group("Dream", [
      ["Network", renderer.network || "loading…"],
      ["Knows", network.classes ? `${network.classes} of ${network.total} things` : "…"],
      ["Device", renderer.device || "…"],
      ["Canvas", canvas],
      ["Steps a second", renderer.steps_per_s.toFixed(1)],
      ["Keyframe", keyframe],
      ...(renderer.link ? linkRows(renderer.link) : []),
      ...(source ? [sourceRow(source)] : []),
    ]),
    group("Program", [
      ["Running for", duration(uptime_s)],
      ["Renderer restarts", renderer.restarts, renderer.restarts > 0],
      ["Keyframes discarded", renderer.spoilt, renderer.spoilt > 0],
      ...(renderer.reduced ? [["Reduced", renderer.reduced, true]] : []),
      ["Last error", lastError(renderer), Boolean(renderer.error)],
      ["Version", version],
    ]),
  );
}

export function showHealth({ health }) {
  byId("health-heading").dataset.ok = String(health.ok);
  say(byId("health-text"), health.ok ? "No problems" : "Something is wrong");
  const problems = byId("problems");
  if (problems.dataset.shown === health.problems.join("\n")) return;
  problems.dataset.shown = health.problems.join("\n");
  problems.replaceChildren(...health.problems.map((problem) => el("li", {}, problem)));
}
