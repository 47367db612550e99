// A poll: its choices and votes. On the viewers' page the choices are buttons.

import { call } from "./api.js";
import { byId, count, duration, el, say } from "./dom.js";
import { name, rememberVote, votedFor } from "./mine.js";

/** The result of a poll, or how long it is open. */
export function condition({ state, left_s, votes, winner, tied, choices }) {
  if (state === "open") return `${duration(left_s)} left, ${count(votes, "vote")}`;
  if (state === "cancelled") return "The poll is cancelled.";
  const won = choices.find((choice) => choice.number === winner);
  if (!won) return "Nobody voted.";
  return tied ? `A tie: ${won.title} had its ${count(won.votes, "vote")} first and wins.` : `${won.title} wins with ${won.votes} of ${count(votes, "vote")}.`;
}

/** A choice's small picture, where the server has one. */
function picture(choice) {
  // Where there is no picture yet, none is shown.
  const remove = (event) => event.target.remove();
  return choice.picture ? [el("img", { className: "thumb", src: choice.picture, alt: "", width: 40, height: 40, onerror: remove })] : [];
}

/** The list of choices. Rows are built once for each poll, so that a button keeps the focus while votes arrive. */
export class Choices {
  #poll = null;

  /** `wrap` makes the element that holds a choice's parts. */
  constructor(list, wrap = (choice, parts) => el("span", { className: "pick" }, ...parts)) {
    Object.assign(this, { list, wrap });
  }

  show(poll) {
    if (poll.id !== this.#poll) {
      this.#poll = poll.id;
      this.list.replaceChildren(...poll.choices.map((choice) => this.#row(choice)));
    }
    const most = Math.max(...poll.choices.map((choice) => choice.votes));
    poll.choices.forEach((choice, i) => {
      const row = this.list.children[i];
      const leads = poll.winner ? choice.number === poll.winner : most > 0 && choice.votes === most;
      row.classList.toggle("leads", leads);
      row.firstChild.style.setProperty("--part", most ? choice.votes / most : 0);
      say(row.querySelector(".votes"), `${choice.votes}`);
    });
  }

  #row(choice) {
    const parts = [
      el("span", { className: "number" }, `${choice.number}`),
      ...picture(choice),
      el("span", { className: "name", dir: "auto" }, choice.title),
      el("span", { className: "votes" }),
    ];
    return el("li", {}, this.wrap(choice, parts));
  }
}

/** The poll on the viewers' page. */
export class Ballot {
  #poll = null; // as received last
  #busy = false;

  constructor() {
    this.choices = new Choices(byId("poll-choices"), (choice, parts) => {
      const button = el("button", { type: "button", className: "pick" }, ...parts);
      button.addEventListener("click", () => this.#vote(choice));
      return button;
    });
  }

  show({ poll }) {
    byId("poll").hidden = !poll;
    if (!poll) return;
    if (poll.id !== this.#poll?.id) say(byId("poll-said"), "");
    this.#poll = poll;
    this.choices.show(poll);
    const open = poll.state === "open";
    say(byId("poll-state"), open ? condition(poll) : "");
    if (!open) say(byId("poll-said"), condition(poll));
    const mine = votedFor(poll.id);
    const twitch = poll.outside === "twitch" ? " Viewers on Twitch vote there." : "";
    if (open && twitch && !mine) say(byId("poll-said"), twitch.trim());
    poll.choices.forEach(({ number, title, votes }, i) => {
      const button = this.choices.list.children[i].firstChild;
      button.disabled = !open;
      button.setAttribute("aria-pressed", String(number === mine));
      button.setAttribute("aria-label", `Vote for ${title}, ${count(votes, "vote")}`);
    });
  }

  async #vote({ number, title }) {
    if (this.#busy || this.#poll?.state !== "open") return;
    this.#busy = true;
    const { id } = this.#poll;
    try {
      const answer = await call("POST", "/api/poll/vote", { user: byId("ask-user").value.trim() || name(), choice: number, poll: id });
      if (answer.counted) rememberVote(id, number);
      this.show(answer);
      say(byId("poll-said"), answer.counted ? `You voted for ${title}. You can change your vote while the poll is open.` : "That vote does not count here.");
    } catch (error) {
      say(byId("poll-said"), error.message);
    }
    this.#busy = false;
  }
}
