// The network in use, in words.

import { el } from "./dom.js";

const LIST = new Intl.ListFormat("en-GB");

/** How much the network knows, and what a larger one would add; empty while it loads. */
export function sentence({ name, classes, total, more = [] }) {
  if (!classes) return "";
  const among = more.length ? `, such as ${LIST.format(more)}` : "";
  const rest = classes < total ? ` A larger network knows ${total - classes} more${among}.` : "";
  return `The dream runs on ${name || "a network"}, which knows ${classes} things.${rest}`;
}

/** How the operator gets a larger one; quoted parts are shown as code. */
export function remedy({ remedy: text }) {
  if (!text) return [];
  const parts = text.split("'").map((part, i) => (i % 2 ? el("code", {}, part) : part));
  return [" ", ...parts, "."];
}
