// What this browser remembers: a name, its own requests and its vote. Without storage it lasts for this visit only.

const NAME = "zoomdream.name";
const MINE = "zoomdream.mine";
const VOTE = "zoomdream.vote";
const KEEP = 50;

const visit = new Map();

function get(key) {
  try {
    return localStorage.getItem(key) ?? visit.get(key) ?? null;
  } catch {
    return visit.get(key) ?? null;
  }
}

function set(key, value) {
  visit.set(key, value);
  try {
    localStorage.setItem(key, value);
  } catch {
    // private windows and full disks: this visit remembers
  }
}

/** The viewer's name; a guest name until they enter one. */
export function name() {
  if (!get(NAME)) set(NAME, `guest-${1000 + Math.floor(Math.random() * 9000)}`);
  return get(NAME);
}

export const rename = (name) => set(NAME, name);

const ids = () => (get(MINE) ?? "").split(",").filter(Boolean);

export const isMine = (id) => ids().includes(String(id));

export const remember = (id) => set(MINE, [...ids(), id].slice(-KEEP).join(","));

/** The number that was voted for in a poll, by its id; null for none. */
export function votedFor(poll) {
  const [known, number] = (get(VOTE) ?? "").split(" ");
  return known === poll && number ? Number(number) : null;
}

export const rememberVote = (poll, number) => set(VOTE, `${poll} ${number}`);
