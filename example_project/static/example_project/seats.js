// Who is where: for each person in each mini program, what their phone remembers.

const STORE = "wxauth-demo";
const empty = () => ({ state: "out", done: {} });
const kept = read();

export const apps = JSON.parse(document.documentElement.dataset.apps);
export const people = ["alice", "bob", "chen"];

/** What is chosen now: `person` (a name), `own` (a name typed in), `app` (an alias). */
export const choice = {
  person: "alice",
  own: "",
  app: apps[0]?.alias ?? "",
  language: navigator.language?.startsWith("zh") ? "zh" : "en",
  ...kept.choice,
};
if (!apps.some(({ alias }) => alias === choice.app)) choice.app = apps[0]?.alias ?? "";

const seats = kept.seats ?? {};
const uids = kept.uids ?? {}; // by person: each has one account, whichever mini program is open

/** The name the simulator knows this person by. */
export const personName = () => (choice.person === "own" ? choice.own.trim() || "guest" : choice.person);

export const appId = (wanted = choice.app) => apps.find(({ alias }) => alias === wanted)?.app_id ?? "";

/**
 * The chosen person's seat in the chosen mini program. `state` is "out", "unknown" (with `ticket`)
 * or "in" (with `access`, `refresh`, `uid`, `me`, `orders`, `conflict`, `stale` when the server wants a
 * newer sign-in, and in `seen` what has been looked at); `done` has the steps done.
 */
export function seat() {
  const key = `${personName()}|${choice.app}`;
  seats[key] ??= empty();
  return seats[key];
}

/** Sign the person in. */
export function takeSeat(answer) {
  const { access, refresh, uid } = answer;
  const conflict = answer.union_conflict ? "union" : answer.phone_conflict ? "phone" : null;
  Object.assign(seat(), { state: "in", access, refresh, uid, conflict, ticket: null, orders: null, seen: {} });
  uids[personName()] = uid;
}

/** Sign the person out here; what has been done stays ticked. */
export function leaveSeat() {
  const { done } = seat();
  for (const key of Object.keys(seat())) delete seat()[key];
  Object.assign(seat(), empty(), { done });
}

/** Somebody else who has registered, the latest first: who might have invited this person. */
export function referrers() {
  return Object.entries(uids)
    .filter(([name]) => name !== personName())
    .map(([name, uid]) => ({ name, uid: String(uid) }))
    .reverse();
}

export function keep() {
  try {
    sessionStorage.setItem(STORE, JSON.stringify({ choice, seats, uids }));
  } catch {
    // A browser that keeps nothing: the page works all the same, until it is loaded again.
  }
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}
