// The viewers' page.

import { glow } from "./ambient.js";
import * as ask from "./ask.js";
import * as catalogue from "./catalogue.js";
import { byId, count, el, say } from "./dom.js";
import * as dreamt from "./dreamt.js";
import { icon } from "./icons.js";
import { isMine } from "./mine.js";
import { Ballot } from "./poll.js";
import { begin, showAbout, showAired, showNow } from "./programme.js";
import { Queue } from "./queue.js";
import { Stage } from "./stage.js";
import { watch } from "./status.js";

/** A vote is a request for what is already waiting. */
function vote(item) {
  return [el("button", { type: "button", className: "vote", title: "Vote", onclick: () => ask.ask(item.title) }, icon("vote"), el("span", { className: "votes" }))];
}

function showVotes(item, row, open) {
  const button = row.querySelector(".vote");
  const votes = item.votes ?? 0;
  say(button.querySelector(".votes"), votes ? `${votes}` : "");
  button.disabled = isMine(item.id) || !open;
  button.setAttribute("aria-label", isMine(item.id) ? count(votes, "vote") : `Vote for ${item.title}, ${count(votes, "vote")}`);
}

begin();
const stage = new Stage();
const ballot = new Ballot();
let open = true;
const queue = new Queue(vote, (item, row) => showVotes(item, row, open));
stage.begin();
glow(byId("ambient"), () => stage.player.surface);
ask.begin();
catalogue.begin(ask.suggest);
dreamt.begin();
watch(
  (status) => {
    open = status.open !== false;
    stage.status(status);
    showNow(status);
    queue.show(status);
    ballot.show(status);
    ask.showOpen(open);
    ask.showExamples(status, catalogue.any);
    ask.showChanges(status);
    catalogue.showNetwork(status);
    dreamt.showDreamt(status);
    showAbout(status);
    showAired(status);
  },
  (connected) => stage.connection(connected),
);
