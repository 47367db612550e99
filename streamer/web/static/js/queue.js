// The list of waiting requests.

import { byId, el, person, say, subjects, wait } from "./dom.js";
import { isMine } from "./mine.js";

const PAID = { points: "channel points", bits: "bits" };

/** What was requested, if the network in use has not learnt it. */
const instead = (item) => (item.instead_of ? [el("span", { className: "instead" }, `instead of ${item.instead_of}`)] : []);

/** The list in `#queue`. Rows are reused while their requests wait, so that open parts stay open. */
export class Queue {
  #rows = new Map(); // by key
  #frozen = false;
  #latest = null;

  /** `build` is called once with an item and its row, and returns further elements for it; `update` is called with both at every status. */
  constructor(build = () => [], update = () => {}) {
    Object.assign(this, { list: byId("queue"), build, update });
  }

  /** While frozen, the list does not change, so that nothing moves under a finger. */
  set frozen(frozen) {
    this.#frozen = frozen;
    if (!frozen && this.#latest) this.show(this.#latest);
  }

  show(status) {
    this.#latest = status;
    if (this.#frozen) return;
    const { queue } = status;
    const focus = this.#focus();
    const kept = this.#rows;
    this.#rows = new Map();
    for (const item of queue) {
      const key = `${item.id} ${item.title} ${item.user}`; // ids start again with a new queue file
      const row = kept.get(key) ?? this.#row(item);
      this.#rows.set(key, row);
      this.#fill(row, item);
    }
    for (const [key, row] of kept) if (!this.#rows.has(key)) row.remove();
    [...this.#rows.values()].forEach((row, i) => this.list.children[i] !== row && this.list.insertBefore(row, this.list.children[i] ?? null));
    this.#refocus(focus);
    byId("queue-empty").hidden = queue.length > 0;
    say(byId("queue-count"), queue.length > 1 ? `${queue.length}` : "");
  }

  #row(item) {
    const row = el(
      "li",
      {},
      el("span", { className: "place" }),
      el("span", { className: "what" }, ...subjects(item.targets), ...instead(item)),
      el("span", { className: "eta" }),
      el("span", { className: "who" }, person(item.user), el("span", { className: "you" })),
    );
    row.dataset.id = item.id;
    if (item.priority in PAID) row.querySelector(".who").append(el("span", { className: "tag paid" }, PAID[item.priority]));
    row.append(...this.build(item, row));
    return row;
  }

  #fill(row, item) {
    const mine = isMine(item.id);
    row.classList.toggle("mine", mine);
    say(row.querySelector(".place"), `${item.position}`);
    say(row.querySelector(".eta"), wait(item.eta_s));
    say(row.querySelector(".you"), mine ? " (you)" : "");
    this.update(item, row);
  }

  // Elements lose the focus when they move in the list or leave it.

  #focus() {
    const element = document.activeElement;
    const row = element && this.list.contains(element) && element.closest("li");
    return row ? { element, place: [...this.list.children].indexOf(row) } : null;
  }

  #refocus(focus) {
    if (!focus || document.activeElement === focus.element) return;
    const row = this.list.children[Math.min(focus.place, this.list.children.length - 1)];
    const alike = row && [...row.querySelectorAll("button")].find((button) => button.className === focus.element.className);
    const target = focus.element.isConnected ? focus.element : (alike ?? byId("queue-heading"));
    target.focus({ preventScroll: true });
  }
}
