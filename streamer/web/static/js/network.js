// Which network dreams, in words.

import { el } from "./dom.js";

const LIST = new Intl.ListFormat("en-GB");

/** A sentence about it, how much it knows, and what a larger one would add; empty while it loads. */
export function sentence({ name, classes, total, more = [] }) {
  if (!classes) return "";
  const among = more.length ? `, among them ${LIST.format(more)}` : "";
  const rest = classes < total ? ` A larger network knows ${total - classes} more${among}.` : "";
  return `Dreamt by ${name || "a network"}, which knows ${classes} things.${rest}`;
}

/** How to get a larger one, for the operator: what stands in quotes is typed or set. */
export function remedy({ remedy: told }) {
  if (!told) return [];
  const parts = told.split("'").map((part, i) => (i % 2 ? el("code", {}, part) : part));
  return [" ", ...parts, "."];
}
