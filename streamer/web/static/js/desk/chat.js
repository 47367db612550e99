// The state of the chat bot.

import { byId, duration, el, person, say } from "../dom.js";

/** By state: colour of its lamp, and text. */
const STATES = {
  connected: ["well", "connected"],
  connecting: ["soon", "connecting…"],
  "read-only": ["soon", "listening, cannot answer"],
  "needs login": ["bad", "needs login"],
  offline: ["bad", "offline"],
  gone: ["bad", "gone quiet"],
  none: ["off", "no bot"],
};
const HINTS = {
  "needs login": "Run zoomdream bot in a terminal and follow its instructions.",
  "read-only": "Without a login it reads the channel but cannot answer.",
  none: "No chat is connected. Set twitch.channel, or start zoomdream bot.",
};

export function show({ chat }) {
  const state = chat?.state ?? "none";
  const [look, words] = STATES[state] ?? ["soon", state];
  const lamp = byId("chat-lamp");
  lamp.dataset.look = byId("chat-state").dataset.look = look;
  say(byId("chat-lamp-text"), `chat: ${words}`);
  say(byId("chat-words"), words.charAt(0).toUpperCase() + words.slice(1));
  say(byId("chat-hint"), HINTS[state] ?? "");
  const lines = [];
  if (chat?.channel) lines.push(["Channel", chat.channel]);
  if (chat?.account) lines.push(["Speaks as", chat.account]);
  if (chat?.source) lines.push(["Via", chat.source]);
  if (chat?.detail) lines.push(["Detail", chat.detail]);
  if (chat && state === "gone") lines.push(["Last heard", `${duration(chat.age_s)} ago`]);
  if (chat?.heard_s !== null && chat?.heard_s !== undefined) lines.push(["Last message", `${duration(chat.heard_s)} ago`]);
  if (chat) lines.push(["In this state for", duration(chat.since_s)]);
  if (chat?.restarts) lines.push(["Restarts", `${chat.restarts}`]);
  const content = JSON.stringify(lines);
  const list = byId("chat-lines");
  if (list.dataset.content === content) return;
  list.dataset.content = content;
  list.replaceChildren(...lines.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, person(value)))));
}
