// "Account & security": a list of entries, each of which opens its small sheet.

import { h } from "./dom.js";
import { button, codeFields, form, opener, passwordField, phoneField, place, userNameField } from "./parts.js";
import { apps, seat } from "./seats.js";
import { date, shortDate, text } from "./texts.js";

const GROUPS = {
  ways: ["phone", "password", "wechat"],
  safety: ["devices", "activity", "merge"],
  people: ["friends"],
  privacy: ["consent", "export", "delete"],
};
/** Sheets that read something first: the button that is pressed for them. */
export const READS = { devices: "devices", activity: "activity", consent: "consent", friends: "friends" };
/** Sheets with a field for a number: it begins with the one of the phone in hand. */
export const WANT_NUMBER = new Set(["sms", "password", "forgot", "phone", "merge"]);

const nameOf = (alias) => text(`app.${alias}`, {}, alias);
const hint = (key, places) => h("p", { class: "hint" }, text(key, places));

/** The screen with the list. */
export function drawAccount(tools) {
  const { me = {}, conflict } = seat();
  const linked = new Set((me.identities ?? []).map(({ app }) => app)).size;
  const values = {
    phone: me.phone || text("in.nophone"),
    wechat: `${linked} / ${apps.length}`,
    merge: text("merge.ready"),
  };
  return Object.entries(GROUPS).map(([group, entries]) =>
    h("section", { class: "group-list" }, h("h3", {}, text(`group.${group}`)),
      h("ul", {}, entries.filter((name) => name !== "merge" || conflict).map((name) =>
        h("li", {}, opener(name === "password" ? "newPassword" : name, [
          h("span", {}, text(`entry.${name}`)),
          h("small", {}, values[name] ?? ""),
        ], tools, { class: `entry ${name === "merge" ? "alert" : ""} ${name === "delete" ? "leave" : ""}` }))))));
}

const title = (name) => text(`title.${name}`, {}, text(`entry.${name}`, {}, name));

/** The open sheet. */
export function drawSheet(tools) {
  const { sheet } = place;
  return [
    h("header", {}, h("h3", { id: "sheet-title" }, title(sheet)),
      h("button", { type: "button", class: "close", "data-do": "close", "aria-label": text("close"), onclick: tools.close }, "✕")),
    h("div", { class: "sheet-body" }, seat().stale ? drawStale(tools) : null, ...SHEETS[sheet](tools).filter(Boolean)),
  ];
}

/** The server wants a newer sign-in: the way on is out and in again. */
const drawStale = (tools) =>
  h("div", { class: "callout" }, h("p", {}, text("stale")), button("logout", text("stale.do"), tools, { class: "plain", id: "stale" }));

const SHEETS = {
  sms: (tools) => [
    hint(seat().state === "unknown" ? "way.attach" : "way.sms.hint"),
    form("loginSms", text("way.sms"), tools, codeFields("login", tools)),
    place.draft.unknown ? button("loginSms", text("way.create"), tools, { id: "create", class: "plain", values: [place.draft, true] }) : null,
    opener("password", text("way.password.instead"), tools, { class: "bare" }),
  ],
  password: (tools) => [
    seat().state === "unknown" ? hint("way.attach") : null,
    form("loginPassword", text("way.password"), tools, [phoneField(), passwordField("current-password")]),
    h("div", { class: "pair" }, opener("sms", text("way.sms.instead"), tools, { class: "bare" }),
      opener("forgot", text("way.forgot"), tools, { class: "bare" })),
  ],
  forgot: (tools) => [
    hint("forgot.hint"),
    form("resetPassword", text("forgot.do"), tools, [...codeFields("reset_password", tools), passwordField("new-password")]),
  ],
  phone: (tools) => {
    const { phone } = seat().me ?? {};
    return [
      phone ? h("p", { class: "fact" }, phone, button("unbindPhone", text("phone.unbind"), tools, { class: "small leave" })) : null,
      button("bindPhone", text(phone ? "phone.again" : "phone.tap"), tools, { class: phone ? "plain" : "main" }),
      h("p", { class: "or" }, text("or")),
      form("bindSms", text("phone.sms"), tools, codeFields("bind", tools)),
    ];
  },
  newPassword: (tools) => [
    hint(seat().me?.phone ? "password.hint" : "password.nophone"),
    form("setPassword", text("password.set"), tools, [userNameField(seat().me?.phone ?? ""), passwordField("new-password")]),
  ],
  wechat: (tools) => [
    hint("wechat.hint"),
    list(apps.flatMap(({ alias }) => drawPlaces(alias, tools))),
  ],
  devices: (tools) => {
    const { sessions = [] } = seat().seen?.devices ?? {};
    return [
      list(sessions.map(({ id, app, user_agent: agent, ip_address: address, last_seen_at: seen, current }) =>
        item(deviceName(agent), notes(nameOf(app), shortDate(seen), address),
          current ? h("em", {}, text("devices.this")) : button("endDevice", text("devices.end"), tools, { id: `end-${id}`, class: "small leave", values: [id] })))),
      sessions.length > 1 ? button("endOthers", text("devices.others"), tools, { class: "plain" }) : null,
    ];
  },
  activity: () => {
    const { events } = seat().seen?.activity ?? {};
    if (events?.length === 0) return [hint("activity.none")];
    return [list((events ?? []).map(({ kind, at, app, by_other: other, device }) =>
      item(text(`kind.${kind}`, {}, kind),
        notes(shortDate(at), app && nameOf(app), other ? text("activity.other") : device && deviceName(device)))))];
  },
  friends: () => drawFriends(seat().seen?.friends),
  consent: (tools) => {
    const found = seat().seen?.consent;
    if (!found) return [];
    return [
      h("p", { class: "fact" }, found.version ? text("consent.given", { version: found.version, date: date(found.agreed_at) }) : text("consent.none")),
      hint("consent.hint"),
      found.version
        ? button("withdraw", text("consent.withdraw"), tools, { class: "plain" })
        : button("agree", text("consent.agree"), tools, { class: "main" }),
    ];
  },
  export: (tools) => [hint("export.hint"), button("exportData", text("export.do"), tools, { class: "main" })],
  delete: (tools) => [hint("delete.hint"), button("deleteAccount", text("delete.do"), tools, { class: "main danger" })],
  merge: (tools) => (seat().seen?.merge ? drawPlan(seat().seen.merge, tools) : drawProof(tools)),
};

/** The identities in one mini program: none, one, or after a merge more. */
function drawPlaces(alias, tools) {
  const found = (seat().me?.identities ?? []).filter(({ app }) => app === alias);
  if (!found.length) {
    const link = button("linkWechat", text("wechat.link"), tools, { id: `link-${alias}`, class: "small", values: [alias] });
    return [item(nameOf(alias), text("wechat.none"), link)];
  }
  return found.map(({ id, last_login_at: at }) =>
    item(nameOf(alias), text("wechat.since", { date: shortDate(at) }),
      button("unlinkWechat", text("wechat.unlink"), tools, { id: `unlink-${alias}-${id}`, class: "small leave", values: [id] })));
}

function drawFriends(found) {
  if (!found) return [];
  const { invite_code: code, inviter, levels, invited } = found;
  const friend = ({ nickname, at }) => item(nickname || text("in.unnamed"), shortDate(at));
  return [
    h("p", { class: "invite" }, h("small", {}, text("friends.code")), h("code", {}, code)),
    h("dl", { class: "counts" }, levels.map((count, level) =>
      h("div", {}, h("dt", {}, text(`friends.level${level}`, {}, text("friends.levels", { level: level + 1 }))), h("dd", {}, String(count))))),
    h("h4", {}, text("friends.inviter")),
    inviter ? list([friend(inviter)]) : hint("friends.noinviter"),
    h("h4", {}, text("friends.invited")),
    invited.length ? list(invited.map(friend)) : hint("friends.none"),
  ];
}

/** Before a merge: the other account is shown to be one's own, by its number. */
function drawProof(tools) {
  const by = place.draft.by ?? "sms";
  const choose = (next) => () => {
    place.draft.by = next;
    tools.redraw();
  };
  const way = (name) => h("button", { type: "button", "data-do": `by-${name}`, "aria-pressed": String(by === name), onclick: choose(name) }, text(`merge.by.${name}`));
  return [
    hint("merge.hint"),
    h("div", { class: "switch", role: "group", "aria-label": text("merge.by") }, way("sms"), way("password")),
    form("planMerge", text("merge.plan"), tools,
      by === "sms" ? codeFields("login", tools) : [phoneField(), passwordField("current-password")], by),
  ];
}

function drawPlan({ uid, other_uid: other, moves, stays }, tools) {
  const rows = (lines) => list(Object.entries(sums(lines)).map(([name, count]) => item(name, "", h("b", {}, String(count)))));
  return [
    h("p", { class: "fact" }, text("merge.into", { uid, other })),
    h("h4", {}, text("merge.moves")), moves.length ? rows(moves) : hint("merge.nothing"),
    h("h4", {}, text("merge.stays")), stays.length ? rows(stays) : hint("merge.nothing"),
    button("confirmMerge", text("merge.confirm"), tools, { class: "main" }),
  ];
}

/** Two fields of one table can point to a person: its rows are added up. */
function sums(lines) {
  const found = {};
  for (const { name, rows } of lines) found[name] = (found[name] ?? 0) + rows;
  return found;
}

const list = (items) => h("ul", { class: "items" }, items);

const item = (name, note, action = null) =>
  h("li", {}, h("div", {}, h("strong", {}, name), note ? h("small", {}, note) : null), action);

/** Small facts in a row; each stays in one piece. */
const notes = (...facts) =>
  facts.filter(Boolean).flatMap((fact, index, all) => [h("span", {}, fact, index < all.length - 1 ? " ·" : ""), " "]);

/** "Chrome, Linux" out of a user agent. */
function deviceName(agent) {
  const browser = /(MicroMessenger|Edg|Firefox|Chrome|Safari)[/ ]/.exec(agent)?.[1];
  const system = /(iPhone|iPad|Android|Windows|Mac OS X|Linux)/.exec(agent)?.[1];
  return [browser, system].filter(Boolean).join(", ") || text("devices.unknown");
}
