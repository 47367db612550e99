// Builds pages from untrusted data: everything becomes text, nothing becomes markup.

export const byId = (id) => document.getElementById(id);

/** An element with properties (dashed names and `role` become attributes) and children; strings become text. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Set text only if it changed, so that screen readers do not read it twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A name in an element of its own direction, so that right-to-left names do not disturb the sentence around them. */
export const person = (name, tag = "bdi") => el(tag, { dir: "auto" }, name);

/** A link to a page about a class; plain text if it is not a web address. */
export function link(label, address) {
  return /^https?:\/\//i.test(address) ? el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label) : label;
}

/** `volcano + bubble`, each subject a link. */
export function subjects(targets) {
  return targets.flatMap((target, i) => [...(i ? [el("span", { className: "plus" }, " + ")] : []), link(target.label, target.link)]);
}

/** A wait in words: `20 s`, `3 min`, `1.5 h`. */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export function wait(seconds) {
  return seconds < 3 ? "any moment" : `in ${duration(seconds)}`;
}

/** A number with its noun: `1 vote`, `3 votes`. */
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A page hidden this long closes its streams: browsers open few connections to one server, and video costs bandwidth. */
export const HIDDEN_MS = 60_000;

export const calm = matchMedia("(prefers-reduced-motion: reduce)");
