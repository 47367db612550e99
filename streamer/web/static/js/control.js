// The operator's page: what is on air, what waits, how the machine feels, and the buttons.

import { call } from "./api.js";
import { byId, duration, el, say } from "./dom.js";
import { showNow, showQueue } from "./programme.js";
import { Stage } from "./stage.js";
import { watch } from "./status.js";

const ARMED_MS = 4000; // how long a dangerous button waits to be pressed again
const CROSS = "M6.400 5 12 10.600 17.600 5 19 6.400 13.400 12 19 17.600 17.600 19 12 13.400 6.400 19 5 17.600 10.600 12 5 6.400z";

let paused = false;

function outcome(text, bad = false) {
  byId("outcome").classList.toggle("bad", bad);
  say(byId("outcome"), text);
}

/** Do something and say how it went; back to the login if the token is gone. */
async function act(method, path, body, done) {
  try {
    outcome(done(await call(method, path, body)));
  } catch (error) {
    if (error.status === 401) return location.reload();
    outcome(error.message, true);
  }
}

function cross() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", CROSS);
  svg.append(path);
  return svg;
}

function remover(item) {
  const remove = () => act("DELETE", `/api/requests/${item.id}`, undefined, () => `Removed ${item.title}.`);
  const label = `Remove ${item.title}, asked for by ${item.user}`;
  return el("button", { type: "button", className: "remove", "aria-label": label, title: "Remove", onclick: remove }, cross());
}

/** A button that asks to be pressed twice. */
function arm(button, question, action) {
  const usual = button.textContent;
  let timer;
  const disarm = () => {
    clearTimeout(timer);
    button.classList.remove("armed");
    say(button, usual);
  };
  button.addEventListener("click", () => {
    if (button.classList.contains("armed")) {
      disarm();
      return action();
    }
    button.classList.add("armed");
    say(button, question());
    timer = setTimeout(disarm, ARMED_MS);
  });
  button.addEventListener("blur", disarm);
}

function group(title, rows) {
  const lines = rows.map(([name, value, bad]) => el("div", {}, el("dt", {}, name), el("dd", { className: bad ? "bad" : "" }, `${value}`)));
  return el("section", {}, el("h2", {}, title), el("dl", {}, ...lines));
}

function showNumbers({ video, renderer, uptime_s, version }) {
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
      ["Viewers", video.viewers],
    ]),
    group("Dream", [
      ["Network", renderer.network || "loading…"],
      ["Device", renderer.device || "…"],
      ["Canvas", canvas],
      ["Steps a second", renderer.steps_per_s.toFixed(1)],
      ["Keyframe", keyframe],
    ]),
    group("Program", [
      ["Up for", duration(uptime_s)],
      ["Renderer restarts", renderer.restarts, renderer.restarts > 0],
      ["Last error", renderer.error || "none", Boolean(renderer.error)],
      ["Version", version],
    ]),
  );
}

function showHealth({ health }) {
  byId("health-heading").dataset.ok = String(health.ok);
  say(byId("health-text"), health.ok ? "All is well" : "Something is wrong");
  const problems = byId("problems");
  if (problems.dataset.shown === health.problems.join("\n")) return;
  problems.dataset.shown = health.problems.join("\n");
  problems.replaceChildren(...health.problems.map((problem) => el("li", {}, problem)));
}

function buttons() {
  byId("skip").addEventListener("click", () => act("POST", "/api/skip", undefined, () => "Skipped."));
  byId("bump").addEventListener("click", () => act("POST", "/api/bump", undefined, () => "Bumped."));
  byId("pause").addEventListener("click", () =>
    act("POST", "/api/pause", { paused: !paused }, (told) => (told.paused ? "Held: this dream stays until you let it go." : "The programme goes on.")),
  );
  arm(
    byId("clear"),
    () => `Really remove all ${byId("queue").children.length}?`,
    () => act("POST", "/api/clear", undefined, (told) => `Removed ${told.removed}.`),
  );
}

function open(login) {
  byId("desk").hidden = false;
  byId("numbers").hidden = false;
  const logout = byId("logout");
  logout.hidden = !login;
  logout.addEventListener("click", () => call("POST", "/api/logout").finally(() => location.reload()));
  buttons();
  const stage = new Stage();
  stage.begin();
  watch(
    (status) => {
      paused = status.paused;
      stage.status(status);
      showNow(status);
      showQueue(status, (item) => [remover(item)]);
      showNumbers(status);
      showHealth(status);
      byId("pause").setAttribute("aria-pressed", String(paused));
      say(byId("pause"), paused ? "Let it go on" : "Hold this dream");
      byId("clear").hidden = !status.queue.length;
    },
    (connected) => stage.connection(connected),
  );
}

function askForToken() {
  const login = byId("login");
  login.hidden = false;
  byId("token").focus();
  byId("state").hidden = true;
  login.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await call("POST", "/api/login", { token: byId("token").value });
      location.reload();
    } catch (error) {
      const again = error.retry_s ? ` Try again in ${duration(error.retry_s)}.` : "";
      say(byId("login-error"), `${error.message}.${again}`);
    }
  });
}

async function begin() {
  const session = await call("GET", "/api/session").catch((error) => error);
  if (session.moderator) open(session.login);
  else if (session.login) askForToken();
  else if (session instanceof Error) setTimeout(begin, 2000);
  else {
    byId("foreign").hidden = false;
    byId("state").hidden = true;
  }
}

begin();
