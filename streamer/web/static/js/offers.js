// Suggestions while typing: a combobox over the vocabulary, for the subject at the end of the line.

import { call } from "./api.js";
import { el } from "./dom.js";

const DELAY_MS = 120;
const MOST = 8;
const LAST = /^(.*(?:\+|&|,|\s+and\s)\s*)?(.*)$/is;

/** Split a line into finished text and the subject being typed: `volcano + bu` into `volcano + ` and `bu`. */
export function split(line) {
  const command = /^\s*!dream\s+/i.exec(line)?.[0] ?? "";
  const [, settled = "", last] = LAST.exec(line.slice(command.length));
  return [command + settled, last];
}

/** Shows suggestions for `input` in `list`. */
export class Offers {
  constructor(input, list) {
    Object.assign(this, { input, list, at: -1, entries: [], asked: null, timer: 0 });
    input.addEventListener("input", () => this.#later());
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => this.close());
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus in the input
    list.addEventListener("click", (event) => {
      const option = event.target.closest("li");
      if (option) this.#take([...list.children].indexOf(option));
    });
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.#show([]);
  }

  #later() {
    clearTimeout(this.timer);
    this.asked?.abort();
    const [, last] = split(this.input.value);
    if (last.trim().length < 2) return this.#show([]);
    this.timer = setTimeout(() => this.#ask(last.trim()), DELAY_MS);
  }

  async #ask(word) {
    this.asked = new AbortController();
    try {
      const path = `/api/classes?q=${encodeURIComponent(word)}&limit=${MOST * 2}`;
      const { classes } = await call("GET", path, undefined, { signal: this.asked.signal });
      const known = classes.some((entry) => entry.available && entry.label.toLowerCase() === word.toLowerCase());
      this.#show(known && classes.length === 1 ? [] : classes.filter((entry) => entry.available && entry.family_safe).slice(0, MOST));
    } catch (error) {
      if (error.name !== "AbortError") this.#show([]);
    }
  }

  #show(entries) {
    this.entries = entries;
    this.list.replaceChildren(...entries.map((entry, i) => this.#option(entry, i)));
    this.list.hidden = !entries.length;
    this.input.setAttribute("aria-expanded", String(entries.length > 0));
    this.#point(-1);
  }

  #option(entry, i) {
    const others = entry.names.filter((name) => name !== entry.label).slice(0, 3);
    const option = el("li", { id: `offer-${i}`, role: "option", "aria-selected": "false" }, entry.label);
    if (others.length) option.append(el("small", {}, others.join(", ")));
    return option;
  }

  #point(at) {
    this.list.children[this.at]?.setAttribute("aria-selected", "false");
    this.at = at;
    const option = this.list.children[at];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  #take(at) {
    const [settled] = split(this.input.value);
    this.input.value = settled + this.entries[at].label;
    this.close();
    this.input.focus();
  }

  #key(event) {
    const count = this.entries.length;
    if (!count || event.isComposing) return;
    if (event.key === "ArrowDown") this.#point((this.at + 1) % count);
    else if (event.key === "ArrowUp") this.#point((Math.max(this.at, 0) - 1 + count) % count);
    else if (event.key === "Escape") this.close();
    else if ((event.key === "Enter" || event.key === "Tab") && this.at >= 0) this.#take(this.at);
    else return;
    event.preventDefault();
  }
}
