// Polls: start and end them here. They also start in chat or by themselves.

import { byId, count, say } from "../dom.js";
import { Choices, condition } from "../poll.js";
import { act } from "./act.js";

const WHO = "the operator";

let choices;

async function start(text) {
  const seconds = Number(byId("poll-seconds").value);
  const body = { text, user: WHO, ...(seconds ? { seconds } : {}) };
  const answer = await act("POST", "/api/poll", body, ({ poll }) => `The poll is open: ${poll.choices.map((choice) => choice.title).join(" / ")}.`);
  if (!answer) return;
  byId("poll-text").value = "";
  show(answer);
  byId("poll-end").focus();
}

async function end(cancel) {
  const answer = await act("POST", "/api/poll/end", { cancel }, ({ poll }) => condition(poll));
  if (!answer) return;
  show(answer);
  byId("poll-text").focus();
}

export function show({ poll }) {
  const open = poll?.state === "open";
  byId("poll-form").hidden = open;
  byId("poll-open").hidden = !poll;
  byId("poll-end").hidden = byId("poll-cancel").hidden = !open;
  if (!poll) return;
  choices.show(poll);
  const who = poll.user ? ` Started by ${poll.user}.` : " It started by itself, because nobody asked for anything.";
  const twitch = poll.outside === "twitch" ? " It is also a poll on Twitch." : "";
  say(byId("poll-state"), open ? `${condition(poll)}.${who}${twitch}` : condition(poll));
  byId("poll-end").title = poll.votes ? `Ends with ${count(poll.votes, "vote")}` : "";
}

export function begin() {
  choices = new Choices(byId("poll-choices"));
  byId("poll-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("poll-text").value.trim();
    if (text) start(text);
  });
  byId("poll-end").addEventListener("click", () => end(false));
  byId("poll-cancel").addEventListener("click", () => end(true));
}
